/* SPDX-License-Identifier: MIT */
/*
 * The bitmap file on disk: appears whole or not at all
 *
 * POSIX, no QEMU, no GLib: qemu-img and obs-push save with the same code.
 * All calls block.  @err has room for RAW_BITMAP_FILE_ERR_MAX bytes.
 */
#ifndef RAW_BITMAP_FILE_H
#define RAW_BITMAP_FILE_H

#include "raw-bitmap.h"

#define RAW_BITMAP_FILE_ERR_MAX 1024u

/*
 * May a bitmap be written to @path?  Fails, touching nothing, if its folder
 * can't be written to, if @path exists and is not a regular file or is an OVF
 * manifest (whatever @replace says), or exists and @replace is false (-EEXIST,
 * which nothing else returns).  Returns 0 or -errno with @err filled.
 */
int raw_bitmap_file_check(const char *path, bool replace, char *err);

/*
 * Saves @b as @path: unnamed or temporary file, fsync, then the name, fsync
 * of the folder.  Its mtime is not older than that of @raw_path (NULL: not
 * wanted; a path that can't be examined is ignored).  Checks @path as above.
 * On any error no file of that name is new or changed (if the very last step
 * fails it is removed), and no temporary file is left.  A process killed in
 * the instant between naming and renaming (only when a file is replaced, or
 * without O_TMPFILE) can leave PATH.<pid>-<n>.tmp.
 * Returns 0 or -errno with @err filled.
 */
int raw_bitmap_file_save(const RawBitmap *b, const char *path, bool replace,
                         const char *raw_path, char *err);

/*
 * Reads a bitmap of a RAW image of @raw_size bytes.  Never reads more than
 * one byte beyond the expected size.  Returns 0 with *out set, or -errno with
 * @err filled; -EINVAL: the content is not what @l says.
 */
int raw_bitmap_file_load(const RawBitmapLayout *l, uint64_t raw_size,
                         const char *path, RawBitmap **out, char *err);

/*
 * Reads a layout description (raw_bitmap_layout_text()) from @path; saves one
 * likewise, never over a file that is something else unless @replace.
 */
int raw_bitmap_layout_load(RawBitmapLayout *l, const char *path, char *err);
int raw_bitmap_layout_save(const RawBitmapLayout *l, const char *path,
                           bool replace, char *err);

#endif /* RAW_BITMAP_FILE_H */
