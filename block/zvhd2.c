/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: open, close, information, block status, driver table
 *
 * ZVHD2 is the compressed disk image format of some public clouds; zvhd2.rst
 * describes it, and the rules that messages refer to by number.  "Cluster" in
 * QEMU's options and output is what the format calls a block.
 *
 * Supported: reading every image of the format; writing an image once, from
 * start to end.  A finished image is read-only.  Snapshots, backing files,
 * encryption and resizing do not exist in the format.
 */
#include "zvhd2-driver.h"
#include "qapi/error.h"
#include "qapi/qapi-types-block-core.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"
#include "qemu/module.h"
#include "qemu/option.h"
#include "qemu/units.h"

#define OPT_THREADS     "threads"
#define OPT_CACHE_SIZE  "cache-size"
#define OPT_GUEST_SIZE  "guest-size"

#define DEFAULT_CACHE_SIZE  (64 * MiB)
#define MAX_CACHE_SIZE      (64 * GiB)

/* qemu-img convert takes no more for one compressed write */
#define MAX_WRITE_CLUSTER   (16 * MiB)

#define SALVAGE_HINT "qemu-img check -r all"

static QemuOptsList zvhd2_runtime_opts = {
    .name = "zvhd2",
    .head = QTAILQ_HEAD_INITIALIZER(zvhd2_runtime_opts.head),
    .desc = {
        {
            .name = OPT_THREADS,
            .type = QEMU_OPT_NUMBER,
            .help = "Number of (de)compression threads (default: one for "
                    "each CPU)",
        },
        {
            .name = OPT_CACHE_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Bytes of expanded blocks to keep (default: 64M)",
        },
        {
            .name = OPT_GUEST_SIZE,
            .type = QEMU_OPT_STRING,
            .help = "Disk size to show: rounded (default; as the image "
                    "states it, whole GiB) or exact (of the original disk)",
        },
        { /* end of list */ }
    },
};

static const char *const zvhd2_strong_runtime_opts[] = {
    OPT_GUEST_SIZE,
    NULL
};

static bool parse_runtime_options(BDRVZvhd2State *s, QDict *options,
                                  Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&zvhd2_runtime_opts, NULL, 0,
                                      &error_abort);
    const char *size;
    uint64_t threads;
    bool ok = false;

    if (!qemu_opts_absorb_qdict(opts, options, errp)) {
        goto out;
    }
    threads = qemu_opt_get_number(opts, OPT_THREADS, 0);
    if (threads > ZVHD2_MAX_THREADS) {
        error_setg(errp, "'" OPT_THREADS "' must be at most %u",
                   ZVHD2_MAX_THREADS);
        goto out;
    }
    s->threads = threads;

    s->cache_size = qemu_opt_get_size(opts, OPT_CACHE_SIZE,
                                      DEFAULT_CACHE_SIZE);
    if (s->cache_size > MAX_CACHE_SIZE) {
        error_setg(errp, "'" OPT_CACHE_SIZE "' must be at most %" PRIu64
                   " GiB", (uint64_t)(MAX_CACHE_SIZE / GiB));
        goto out;
    }

    size = qemu_opt_get(opts, OPT_GUEST_SIZE);
    if (size && !strcmp(size, "exact")) {
        s->exact_size = true;
    } else if (size && strcmp(size, "rounded")) {
        error_setg(errp, "'" OPT_GUEST_SIZE "' must be rounded or exact, not "
                   "'%s'", size);
        goto out;
    }
    ok = true;
out:
    qemu_opts_del(opts);
    return ok;
}

/* --- opening --- */

static int coroutine_mixed_fn GRAPH_RDLOCK
read_at(BlockDriverState *bs, uint64_t offset, uint32_t bytes, void *buf,
        const char *what, Error **errp)
{
    int ret = bdrv_pread(bs->file, offset, bytes, buf, 0);

    if (ret < 0) {
        error_setg_errno(errp, -ret, "Cannot read the %s at offset %" PRIu64,
                         what, offset);
    }
    return ret;
}

static void set_finding(Error **errp, const char *what, const Zvhd2Finding *f,
                        const char *hint)
{
    char text[256];

    error_setg(errp, "%s: %s%s", what, zvhd2_finding_text(f, text,
                                                          sizeof(text)), hint);
}

/* @size: of the file, whose last page should be the footer */
static void set_unfinished(Error **errp, uint64_t size)
{
    error_setg(errp, "Image is not finished: no footer at offset %" PRIu64
               " (rule %d); convert again, or salvage the blocks that were "
               "written with '" SALVAGE_HINT "'", size - ZVHD2_ALIGN,
               ZVHD2_R1_COOKIE);
}

/* Takes @map over. */
static void start_reading(BDRVZvhd2State *s, Zvhd2Map *map)
{
    s->reader = zvhd2_reader_new(s->desc.method, zvhd2_threads(s->threads),
                                 map);
    s->cache = zvhd2_cache_new(s->cache_size, s->desc.block_size);
}

static void stop_reading(BDRVZvhd2State *s)
{
    zvhd2_cache_free(s->cache);
    s->cache = NULL;
    zvhd2_reader_free(s->reader);
    s->reader = NULL;
}

/* Reads the bitmap; index segments follow when they are needed. */
static int GRAPH_RDLOCK open_map(BlockDriverState *bs, Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Map *map = zvhd2_map_new(&s->desc);
    /* what the footer says fills the file: the file justifies the memory */
    g_autofree uint8_t *bitmap = g_try_malloc(s->desc.bitmap_size + 1);
    Zvhd2Finding f;
    int ret = -ENOMEM;

    if (map && bitmap) {
        ret = read_at(bs, s->desc.bitmap_lba, s->desc.bitmap_size, bitmap,
                      "bitmap", errp);
        if (ret < 0) {
            goto fail;
        }
        ret = zvhd2_map_set_bitmap(map, bitmap, &f);
    }
    if (ret < 0) {
        if (ret == -EINVAL) {
            set_finding(errp, "Bitmap is damaged", &f,
                        "; '" SALVAGE_HINT "' rebuilds it from the records");
        } else {
            error_setg_errno(errp, -ret, "Cannot load the bitmap");
        }
        goto fail;
    }
    start_reading(s, map);
    return 0;

fail:
    zvhd2_map_free(map);
    return ret;
}

static int GRAPH_RDLOCK
open_footer(BlockDriverState *bs, const Zvhd2Desc *header, uint64_t size,
            Error **errp)
{
    static const char hint[] =
        "; '" SALVAGE_HINT "' rebuilds it from the records";
    BDRVZvhd2State *s = bs->opaque;
    g_autofree uint8_t *buf = g_malloc(ZVHD2_ALIGN);
    uint64_t at = size - ZVHD2_ALIGN;
    Zvhd2Desc footer;
    Zvhd2Finding f;
    int ret;

    ret = read_at(bs, at, ZVHD2_ALIGN, buf, "footer", errp);
    if (ret < 0) {
        return ret;
    }
    if (!zvhd2_is_cookie(buf)) {
        set_unfinished(errp, size);
        return -EINVAL;
    }
    if (!zvhd2_desc_decode(buf, at, true, &footer, &f)) {
        set_finding(errp, "Footer is damaged", &f, hint);
        return -EINVAL;
    }
    if (footer.index_lba == 0) {
        /* an end marker: the writer got no further */
        set_unfinished(errp, size);
        return -EINVAL;
    }
    if (!zvhd2_footer_check(&footer, size, &f) ||
        !zvhd2_header_matches(header, &footer, &f)) {
        set_finding(errp, "Footer is damaged", &f, hint);
        return -EINVAL;
    }
    s->desc = footer;
    s->index_kind = footer.index_sparse ? ZVHD2_INDEX_SPARSE
                                        : ZVHD2_INDEX_DENSE;
    return open_map(bs, errp);
}

/* Walks the records of an image without an index; *@end: of the last one. */
static int GRAPH_RDLOCK
scan_records(BlockDriverState *bs, const Zvhd2Desc *header, uint64_t size,
             Zvhd2Builder *b, uint64_t *end, Error **errp)
{
    uint8_t head[ZVHD2_DESC_SIZE];
    Zvhd2Finding f;
    Zvhd2Record r;
    Zvhd2Entry e;
    int ret;

    *end = ZVHD2_ALIGN;
    while (*end < size && size - *end >= ZVHD2_ALIGN) {
        ret = read_at(bs, *end, sizeof(head), head, "record", errp);
        if (ret < 0) {
            return ret;
        }
        switch (zvhd2_scan_item(head, *end, header, &r, &f)) {
        case ZVHD2_ITEM_END:
            if (zvhd2_end_count_check(head, *end, zvhd2_builder_count(b),
                                      &f)) {
                return 0;
            }
            set_finding(errp, "Image without index is damaged", &f, "");
            return -EINVAL;
        case ZVHD2_ITEM_BAD:
            set_finding(errp, "Image without index is damaged", &f, "");
            return -EINVAL;
        case ZVHD2_ITEM_RECORD:
            break;
        }
        e = (Zvhd2Entry) {
            .offset = *end,
            .block = r.block,
            .length = zvhd2_record_length(r.size),
        };
        ret = zvhd2_builder_add(b, &e);
        if (ret < 0) {
            error_setg(errp, "Block %" PRIu32 " at offset %" PRIu64 " does "
                       "not come in ascending order (rule %d)", r.block, *end,
                       ZVHD2_R18_GAP);
            return ret;
        }
        *end += e.length;
    }
    set_unfinished(errp, size);
    return -EINVAL;
}

static int GRAPH_RDLOCK
open_without_index(BlockDriverState *bs, const Zvhd2Desc *header,
                   uint64_t size, Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Builder *b = zvhd2_builder_new(header->max_blk_num);
    Zvhd2Map *map = NULL;
    uint64_t end;
    int ret = -ENOMEM;

    if (b) {
        ret = scan_records(bs, header, size, b, &end, errp);
        if (ret < 0) {
            goto out;
        }
        s->desc = *header;
        zvhd2_desc_finish(&s->desc, end, zvhd2_builder_count(b));
        map = zvhd2_map_from_builder(b, header);
    }
    if (!map) {
        error_setg(errp, "No memory for the records of the image");
        ret = -ENOMEM;
        goto out;
    }
    s->index_kind = ZVHD2_INDEX_NONE;
    start_reading(s, map);
out:
    zvhd2_builder_free(b);
    return ret;
}

/* A program that is to write the image opens it right after its creation. */
static int GRAPH_RDLOCK
open_for_writing(BlockDriverState *bs, const Zvhd2Desc *header,
                 const uint8_t *bytes, Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Hint hint;

    s->desc = *header;
    s->exact_size = true;
    /* zeros are what costs nothing here */
    bs->supported_zero_flags = BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK;
    zvhd2_hint_decode(bytes, header->method, &hint);
    return zvhd2_writer_open(bs, &hint, errp);
}

static int GRAPH_RDLOCK
zvhd2_load(BlockDriverState *bs, int flags, Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;
    g_autofree uint8_t *buf = g_malloc(ZVHD2_ALIGN);
    int64_t size = bdrv_getlength(bs->file->bs);
    Zvhd2Desc header;
    Zvhd2Finding f;
    int ret;

    if (size < 0) {
        error_setg_errno(errp, -size, "Cannot get the size of the file");
        return size;
    }
    if (size < ZVHD2_ALIGN) {
        error_setg(errp, "Not a ZVHD2 image: %" PRIi64 " bytes are too short "
                   "for a header", size);
        return -EINVAL;
    }
    ret = read_at(bs, 0, ZVHD2_ALIGN, buf, "header", errp);
    if (ret < 0) {
        return ret;
    }
    if (!zvhd2_desc_decode(buf, 0, true, &header, &f)) {
        set_finding(errp, zvhd2_is_cookie(buf) ? "Header is damaged"
                    : "Not a ZVHD2 image", &f, "");
        return -EINVAL;
    }
    s->desc = header;

    if (size == ZVHD2_ALIGN && (flags & BDRV_O_RDWR)) {
        return open_for_writing(bs, &header, buf, errp);
    }
    if (size == ZVHD2_ALIGN) {
        set_unfinished(errp, size);
        return -EINVAL;
    }
    if (header.zvhd2_version == 0) {
        return open_without_index(bs, &header, size, errp);
    }
    return open_footer(bs, &header, size, errp);
}

static int zvhd2_open(BlockDriverState *bs, QDict *options, int flags,
                      Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;
    int ret;

    ret = bdrv_open_file_child(NULL, options, "file", bs, errp);
    if (ret < 0) {
        return ret;
    }
    if (!parse_runtime_options(s, options, errp)) {
        return -EINVAL;
    }

    GRAPH_RDLOCK_GUARD_MAINLOOP();

    if (flags & BDRV_O_CHECK) {
        /* co_check reads for itself and tells what is wrong */
        return zvhd2_check_open(bs, errp);
    }

    ret = zvhd2_load(bs, flags, errp);
    if (ret == 0 && !s->writer) {
        ret = bdrv_apply_auto_read_only(bs, "ZVHD2 images are written once "
                                        "and from start to end: a finished "
                                        "one can only be opened read-only",
                                        errp);
    }
    if (ret < 0) {
        stop_reading(s);
        return ret;
    }
    bs->total_sectors = (s->exact_size ? s->desc.orig_size
                                       : s->desc.curr_size) >>
                        BDRV_SECTOR_BITS;
    return 0;
}

static void zvhd2_close(BlockDriverState *bs)
{
    BDRVZvhd2State *s = bs->opaque;

    zvhd2_writer_close(bs);
    stop_reading(s);
}

/* --- what others want to know --- */

static int zvhd2_probe(const uint8_t *buf, int buf_size, const char *filename)
{
    return buf_size >= ZVHD2_DESC_SIZE && zvhd2_is_cookie(buf) ? 100 : 0;
}

static void GRAPH_RDLOCK
zvhd2_refresh_limits(BlockDriverState *bs, Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;

    /* qemu-img convert sizes its buffers by this */
    bs->bl.opt_transfer = MIN(s->desc.block_size, MAX_WRITE_CLUSTER);
}

static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_get_info(BlockDriverState *bs, BlockDriverInfo *bdi)
{
    BDRVZvhd2State *s = bs->opaque;

    bdi->cluster_size = s->writer ? MIN(s->desc.block_size, MAX_WRITE_CLUSTER)
                                  : s->desc.block_size;
    bdi->needs_compressed_writes = true;
    return 0;
}

static char *creation_time(const Zvhd2Desc *desc)
{
    g_autoptr(GDateTime) time =
        g_date_time_new_from_unix_utc(ZVHD2_EPOCH + desc->timestamp);

    return g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");
}

static ImageInfoSpecific * GRAPH_RDLOCK
zvhd2_get_specific_info(BlockDriverState *bs, Error **errp)
{
    static const char *const kinds[] = {
        [ZVHD2_INDEX_DENSE] = "dense",
        [ZVHD2_INDEX_SPARSE] = "sparse",
        [ZVHD2_INDEX_NONE] = "none",
    };
    BDRVZvhd2State *s = bs->opaque;
    ImageInfoSpecific *info = g_new0(ImageInfoSpecific, 1);
    ImageInfoSpecificZvhd2 *z = g_new0(ImageInfoSpecificZvhd2, 1);

    z->compression_type = g_strdup(s->desc.method == ZVHD2_METHOD_ZSTD
                                   ? "zstd" : "zlib");
    z->cluster_size = s->desc.block_size;
    z->original_size = s->desc.orig_size;
    z->data_clusters = s->desc.non_zero_blk_num;
    z->index = g_strdup(kinds[s->index_kind]);
    z->created = creation_time(&s->desc);

    info->type = IMAGE_INFO_SPECIFIC_KIND_ZVHD2;
    info->u.zvhd2.data = z;
    return info;
}

static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_block_status(BlockDriverState *bs, Zvhd2StatusMode mode,
                      int64_t offset, int64_t bytes, int64_t *pnum,
                      int64_t *map, BlockDriverState **file)
{
    BDRVZvhd2State *s = bs->opaque;
    uint32_t in = offset % s->desc.block_size;
    uint32_t run;
    bool data;

    if (!s->reader) {
        *pnum = bytes;
        return s->writer && zvhd2_writer_is_empty(s->writer)
               ? BDRV_BLOCK_ZERO : BDRV_BLOCK_DATA;
    }
    run = zvhd2_map_run(zvhd2_reader_map(s->reader),
                        offset / s->desc.block_size,
                        DIV_ROUND_UP(in + bytes, s->desc.block_size), &data);
    *pnum = MIN(bytes, (int64_t)run * s->desc.block_size - in);
    return data ? BDRV_BLOCK_DATA | BDRV_BLOCK_COMPRESSED : BDRV_BLOCK_ZERO;
}

static BlockDriver bdrv_zvhd2 = {
    .format_name            = "zvhd2",
    .instance_size          = sizeof(BDRVZvhd2State),
    .is_format              = true,
    .create_opts            = &zvhd2_create_opts,
    .strong_runtime_opts    = zvhd2_strong_runtime_opts,

    .bdrv_probe             = zvhd2_probe,
    .bdrv_open              = zvhd2_open,
    .bdrv_close             = zvhd2_close,
    .bdrv_child_perm        = bdrv_default_perms,
    .bdrv_refresh_limits    = zvhd2_refresh_limits,
    .bdrv_has_zero_init     = bdrv_has_zero_init_1,
    .bdrv_co_create_opts    = zvhd2_co_create_opts,
    .bdrv_measure           = zvhd2_measure,

    .bdrv_co_get_info       = zvhd2_co_get_info,
    .bdrv_get_specific_info = zvhd2_get_specific_info,
    .bdrv_co_block_status   = zvhd2_co_block_status,
    .bdrv_co_check          = zvhd2_co_check,

    .bdrv_co_preadv_part    = zvhd2_co_preadv_part,
    .bdrv_co_pwritev_part   = zvhd2_co_pwritev_part,
    .bdrv_co_pwrite_zeroes  = zvhd2_co_pwrite_zeroes,
    .bdrv_co_flush_to_os    = zvhd2_co_flush_to_os,
    .bdrv_co_pwritev_compressed_part = zvhd2_co_pwritev_compressed_part,
};

static void bdrv_zvhd2_init(void)
{
    bdrv_register(&bdrv_zvhd2);
}

block_init(bdrv_zvhd2_init);
