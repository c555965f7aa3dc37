/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-img convert -O raw -o bitmap=FILE: the bitmap as a by-product
 *
 * qemu-img.c only calls these functions; every rule lives here and in
 * raw-bitmap.h.  Every function takes NULL for @rb (no bitmap asked for) and
 * then does nothing, so that the calls need no condition.  Called from one
 * thread (convert's coroutines all run in the main loop).
 */
#ifndef RAW_BITMAP_IMG_H
#define RAW_BITMAP_IMG_H

typedef struct RawBitmapImg RawBitmapImg;

/* Prints the options in the form of "-o help", if @out_fmt is raw. */
void raw_bitmap_img_print_help(const char *out_fmt);

/*
 * Takes "bitmap" and "bitmap-*" out of the -o string *@options (freed and
 * replaced; NULL when nothing else is left, so that -n accepts it).
 * @out_fmt: -O, NULL if not given.  @quiet: no word about the layout being
 * unconfirmed.  Returns false with @errp set; true with *@rb NULL if there is
 * no such option.
 */
bool raw_bitmap_img_parse(char **options, const char *out_fmt, bool quiet,
                          RawBitmapImg **rb, Error **errp);

/*
 * Call with the sources open, before the target is created or opened: refuses
 * a bitmap file name that can't work.  @target_name: of a target that will be
 * created (else NULL): its bitmap of an earlier run, which is about to become
 * wrong, is removed.
 */
bool raw_bitmap_img_prepare(RawBitmapImg *rb, const char *target_name,
                            Error **errp);

/*
 * Call with the target open.  @copied: bytes that will be written from the
 * start on.  What the target holds beyond is taken for data unless
 * @target_is_zero (the user's promise).  Removes an old bitmap as above.
 */
bool raw_bitmap_img_start(RawBitmapImg *rb, BlockBackend *target,
                          int64_t copied, bool target_is_zero, Error **errp);

/* @buf has been written at @offset: marks the blocks that are not zero. */
void raw_bitmap_img_written(RawBitmapImg *rb, int64_t offset, const void *buf,
                            int64_t bytes);

/* Content unknown (copied by the kernel, or left alone): marks all of it. */
void raw_bitmap_img_unknown(RawBitmapImg *rb, int64_t offset, int64_t bytes);

/* After the last write.  The error is the conversion's error. */
bool raw_bitmap_img_save(RawBitmapImg *rb, BlockBackend *target, Error **errp);

void raw_bitmap_img_free(RawBitmapImg *rb);

#endif /* RAW_BITMAP_IMG_H */
