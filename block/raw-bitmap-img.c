/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu-img's side of the RAW bitmap: raw-bitmap-img.h. */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/option.h"
#include "zvhd2-compat.h"
#include "raw-bitmap-file.h"
#include "raw-bitmap-img.h"

struct RawBitmapImg {
    char *path;
    RawBitmapLayout layout;
    bool quiet;
    bool fitted;                /* layout comes from a file: the user knows */
    RawBitmap *map;             /* NULL until the target is open */
    char *raw_path;             /* target as a local file name, or NULL */
};

#define OPT_FILE    "bitmap"
#define OPT_LAYOUT  "bitmap-layout"
#define OPT_PREFIX  "bitmap-"

/* Only for the help text: the values are parsed by raw-bitmap-layout.c */
static QemuOptsList raw_bitmap_opts = {
    .name = "raw-bitmap",
    .head = QTAILQ_HEAD_INITIALIZER(raw_bitmap_opts.head),
    .desc = {
        {
            .name = OPT_FILE,
            .type = QEMU_OPT_STRING,
            .help = "Also write a bitmap of the data for fast import into "
                    "this file (convert only; the layout is unconfirmed, "
                    "zvhd2 needs no bitmap)",
        }, {
            .name = OPT_PREFIX "granularity",
            .type = QEMU_OPT_SIZE,
            .help = "Bytes per bit, 64K to 32M (default: 2M)",
        }, {
            .name = OPT_PREFIX "bit-order",
            .type = QEMU_OPT_STRING,
            .help = "Bit of the first block of a byte, lsb or msb "
                    "(default: lsb)",
        }, {
            .name = OPT_PREFIX "set",
            .type = QEMU_OPT_STRING,
            .help = "What a 1 means, data or zero (default: data)",
        }, {
            .name = OPT_PREFIX "pad",
            .type = QEMU_OPT_STRING,
            .help = "The bitmap is filled up to a multiple of this many "
                    "bytes, or none (default: 4096)",
        }, {
            .name = OPT_PREFIX "header",
            .type = QEMU_OPT_STRING,
            .help = "Hex bytes in front, with fields as size:be64, joined "
                    "by '.' (default: none)",
        }, {
            .name = OPT_LAYOUT,
            .type = QEMU_OPT_STRING,
            .help = "File with these parameters, from obs-push bitmap --fit",
        },
        { /* end of list */ }
    }
};

void raw_bitmap_img_print_help(const char *out_fmt)
{
    if (out_fmt && !strcmp(out_fmt, "raw")) {
        printf("\nSupported options of convert to raw:\n");
        qemu_opts_print_help(&raw_bitmap_opts, false);
    }
}

/* --- options --- */

static bool is_ours(const char *key)
{
    for (QemuOptDesc *d = raw_bitmap_opts.desc; d->name; d++) {
        if (!strcmp(d->name, key)) {
            return true;
        }
    }
    return false;
}

/*
 * Moves our options from the -o string @options to @ours (key, value, key,
 * value...) and returns the rest as it was written, NULL if nothing is left.
 */
static char *split_options(const char *options, GPtrArray *ours)
{
    g_autoptr(GString) rest = g_string_new(NULL);

    for (const char *p = options; *p;) {
        g_autofree char *item = NULL;
        const char *end = get_opt_value(p, &item);
        char *value = strchr(item, '=');

        if (value) {
            *value++ = 0;
        }
        if (is_ours(item)) {
            g_ptr_array_add(ours, g_strdup(item));
            g_ptr_array_add(ours, g_strdup(value ? value : ""));
        } else {
            g_string_append_printf(rest, "%s%.*s", rest->len ? "," : "",
                                   (int)(end - p), p);
        }
        p = *end ? end + 1 : end;
    }
    return rest->len ? g_strdup(rest->str) : NULL;
}

static bool read_layout(RawBitmapImg *rb, GPtrArray *ours, Error **errp)
{
    char err[RAW_BITMAP_FILE_ERR_MAX];

    /* The file first, whatever the order: the others adjust it */
    for (guint i = 0; i < ours->len; i += 2) {
        if (!strcmp(ours->pdata[i], OPT_LAYOUT)) {
            if (raw_bitmap_layout_load(&rb->layout, ours->pdata[i + 1],
                                       err) < 0) {
                error_setg(errp, OPT_LAYOUT ": %s", err);
                return false;
            }
            rb->fitted = true;
        }
    }
    for (guint i = 0; i < ours->len; i += 2) {
        const char *key = ours->pdata[i];

        if (strcmp(key, OPT_LAYOUT) && strstart(key, OPT_PREFIX, &key) &&
            raw_bitmap_layout_set(&rb->layout, key, ours->pdata[i + 1],
                                  err) < 0) {
            error_setg(errp, OPT_PREFIX "%s", err);
            return false;
        }
    }
    return true;
}

bool raw_bitmap_img_parse(char **options, const char *out_fmt, bool quiet,
                          RawBitmapImg **out, Error **errp)
{
    g_autoptr(GPtrArray) ours = g_ptr_array_new_with_free_func(g_free);
    const char *path = NULL;
    RawBitmapImg *rb;
    char *rest;

    *out = NULL;
    if (!*options) {
        return true;
    }
    rest = split_options(*options, ours);
    if (ours->len == 0) {
        g_free(rest);
        return true;
    }
    g_free(*options);
    *options = rest;

    for (guint i = 0; i < ours->len; i += 2) {
        if (!strcmp(ours->pdata[i], OPT_FILE)) {
            path = ours->pdata[i + 1];
        }
    }
    if (!path || !*path) {
        error_setg(errp, "'%s' needs a file name: -o " OPT_FILE "=FILE",
                   path ? OPT_FILE : (char *)ours->pdata[0]);
        return false;
    }
    if (out_fmt && strcmp(out_fmt, "raw")) {
        error_setg(errp, "-o " OPT_FILE " goes with -O raw, not with %s",
                   out_fmt);
        return false;
    }
    rb = g_new0(RawBitmapImg, 1);
    rb->path = g_strdup(path);
    rb->quiet = quiet;
    raw_bitmap_layout_init(&rb->layout);
    if (!read_layout(rb, ours, errp)) {
        raw_bitmap_img_free(rb);
        return false;
    }
    *out = rb;
    return true;
}

/* --- the file of an earlier run --- */

static bool is_same_file(const char *name, const struct stat *st)
{
    struct stat other;

    return name && *name && stat(name, &other) == 0 &&
           other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/*
 * The bitmap becomes wrong with the first byte written, so it goes now: a
 * conversion that fails must not leave it beside the new image.
 */
static bool discard_old(RawBitmapImg *rb, const char *target_name,
                        Error **errp)
{
    const char *clash = NULL;
    BlockDriverState *bs;
    struct stat st;

    if (stat(rb->path, &st) < 0) {
        return true;
    }
    if (is_same_file(target_name, &st)) {
        clash = target_name;
    }
    for (bs = bdrv_next_node(NULL); bs && !clash; bs = bdrv_next_node(bs)) {
        if (is_same_file(bs->filename, &st)) {
            clash = bs->filename;
        }
    }
    if (clash) {
        error_setg(errp, "will not write the bitmap over the image '%s'",
                   clash);
        return false;
    }
    if (unlink(rb->path) < 0) {
        error_setg_errno(errp, errno, "cannot replace the bitmap '%s'",
                         rb->path);
        return false;
    }
    return true;
}

bool raw_bitmap_img_prepare(RawBitmapImg *rb, const char *target_name,
                            Error **errp)
{
    char err[RAW_BITMAP_FILE_ERR_MAX];

    if (!rb) {
        return true;
    }
    if (raw_bitmap_file_check(rb->path, true, err) < 0) {
        error_setg(errp, "%s", err);
        return false;
    }
    return !target_name || discard_old(rb, target_name, errp);
}

/* --- the target --- */

/*
 * The node whose bytes are the file that will be uploaded; NULL with @errp
 * set if the target is not plain bytes from its start to its end.
 */
static BlockDriverState *GRAPH_RDLOCK
find_plain(BlockBackend *target, Error **errp)
{
    BlockDriverState *bs = bdrv_skip_filters(blk_bs(target));
    const char *format = bs->drv->format_name;

    if (!strcmp(format, "raw") && bs->file) {
        bs = bdrv_skip_filters(bs->file->bs);
    }
    if (!bs->drv->protocol_name) {
        error_setg(errp, "-o " OPT_FILE " needs a raw target, not %s", format);
        return NULL;
    }
    return bs;
}

/* Length of the RAW image in bytes, or -errno */
static int64_t raw_length(RawBitmapImg *rb, BlockBackend *target)
{
    struct stat st;

    /* A block node's length is rounded up to sectors, a file's is not */
    if (rb->raw_path && stat(rb->raw_path, &st) == 0 && S_ISREG(st.st_mode)) {
        return st.st_size;
    }
    return blk_getlength(target);
}

bool raw_bitmap_img_start(RawBitmapImg *rb, BlockBackend *target,
                          int64_t copied, bool target_is_zero, Error **errp)
{
    char err[RAW_BITMAP_FILE_ERR_MAX];
    int64_t length, plain_length;
    BlockDriverState *plain;

    if (!rb) {
        return true;
    }
    GRAPH_RDLOCK_GUARD_MAINLOOP();
    plain = find_plain(target, errp);
    if (!plain) {
        return false;
    }
    length = blk_getlength(target);
    plain_length = bdrv_getlength(plain);
    if (length < 0 || plain_length < 0) {
        error_setg_errno(errp, length < 0 ? -length : -plain_length,
                         "cannot get the length of the target");
        return false;
    }
    if (length != plain_length) {
        error_setg(errp, "-o " OPT_FILE " needs a target that is the whole "
                   "file, not a part of it (offset, size)");
        return false;
    }
    rb->raw_path = g_strdup(plain->filename);
    length = raw_length(rb, target);
    if (raw_bitmap_new(&rb->layout, length, &rb->map, err) < 0) {
        error_setg(errp, "bitmap '%s': %s", rb->path, err);
        return false;
    }
    if (!target_is_zero && length > copied) {
        raw_bitmap_mark(rb->map, copied, length - copied);
    }
    return discard_old(rb, NULL, errp);
}

/* --- marking --- */

void raw_bitmap_img_written(RawBitmapImg *rb, int64_t offset, const void *buf,
                            int64_t bytes)
{
    const uint8_t *p = buf;

    while (rb && bytes > 0) {
        uint32_t granularity = rb->layout.granularity;
        int64_t n = MIN(bytes, granularity - offset % granularity);
        uint64_t block = offset / granularity;

        if (block >= raw_bitmap_blocks(rb->map) ||
            (!raw_bitmap_is_data(rb->map, block) && !buffer_is_zero(p, n))) {
            raw_bitmap_img_unknown(rb, offset, n);
        }
        offset += n;
        p += n;
        bytes -= n;
    }
}

void raw_bitmap_img_unknown(RawBitmapImg *rb, int64_t offset, int64_t bytes)
{
    if (rb) {
        raw_bitmap_mark(rb->map, offset, bytes);
    }
}

/* --- end --- */

/*
 * The target can have grown while it was written (O_DIRECT rounds up): what
 * has come is not known to be zero.
 */
static bool follow_length(RawBitmapImg *rb, BlockBackend *target,
                          Error **errp)
{
    char err[RAW_BITMAP_ERR_MAX];
    uint64_t before = raw_bitmap_raw_size(rb->map);
    uint64_t start = 0, n = 0;
    int64_t length = raw_length(rb, target);
    RawBitmap *map;

    if (length < 0) {
        error_setg_errno(errp, -length, "cannot get the length of the target");
        return false;
    }
    if (length == before) {
        return true;
    }
    if (raw_bitmap_new(&rb->layout, length, &map, err) < 0) {
        error_setg(errp, "bitmap '%s': %s", rb->path, err);
        return false;
    }
    while (raw_bitmap_next_extent(rb->map, start + n, &start, &n)) {
        raw_bitmap_mark(map, start, n);
    }
    raw_bitmap_mark(map, before, length);
    raw_bitmap_free(rb->map);
    rb->map = map;
    return true;
}

bool raw_bitmap_img_save(RawBitmapImg *rb, BlockBackend *target, Error **errp)
{
    char err[RAW_BITMAP_FILE_ERR_MAX];

    if (!rb) {
        return true;
    }
    if (!follow_length(rb, target, errp)) {
        return false;
    }
    if (raw_bitmap_file_save(rb->map, rb->path, true, rb->raw_path, err) < 0) {
        error_setg(errp, "%s", err);
        return false;
    }
    if (!rb->quiet && !rb->fitted) {
        warn_report("the layout of the bitmap '%s' is not confirmed by its "
                    "reader; a zvhd2 image needs no bitmap", rb->path);
    }
    return true;
}

void raw_bitmap_img_free(RawBitmapImg *rb)
{
    if (rb) {
        raw_bitmap_free(rb->map);
        g_free(rb->raw_path);
        g_free(rb->path);
        g_free(rb);
    }
}
