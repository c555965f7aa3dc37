/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: creation options, new images, measuring
 *
 * A new image is nothing but its header.  Everything else is appended by
 * zvhd2-write.c.
 */
#include "zvhd2-driver.h"
#include "qapi/error.h"
#include "qapi/qapi-types-block-core.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"
#include "qemu/option.h"
#include "qemu/uuid.h"

#define OPT_LEVEL   "compression_level"
#define OPT_THREADS "threads"

/* The hint stands here in a header; the format says that zeros do. */
#define HINT_OFFSET ZVHD2_DESC_SIZE
#define HINT_MAGIC  "z2hint\0"      /* 8 bytes with the final NUL */

QemuOptsList zvhd2_create_opts = {
    .name = "zvhd2-create-opts",
    .head = QTAILQ_HEAD_INITIALIZER(zvhd2_create_opts.head),
    .desc = {
        {
            .name = BLOCK_OPT_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Virtual disk size"
        },
        {
            .name = BLOCK_OPT_CLUSTER_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Bytes in one block, a power of two from 1M to 32M",
            .def_value_str = "2097152"
        },
        {
            .name = BLOCK_OPT_COMPRESSION_TYPE,
            .type = QEMU_OPT_STRING,
            .help = "Compression of the blocks: zstd (default) or zlib"
        },
        {
            .name = OPT_LEVEL,
            .type = QEMU_OPT_NUMBER,
            .help = "Compression level (default: 3 for zstd, 1 for zlib)"
        },
        {
            .name = OPT_THREADS,
            .type = QEMU_OPT_NUMBER,
            .help = "Number of compression threads (default: one per CPU)"
        },
        { /* end of list */ }
    }
};

typedef struct CreateOptions {
    uint64_t size;
    uint32_t block_size;
    Zvhd2Method method;
    Zvhd2Hint hint;
} CreateOptions;

unsigned zvhd2_threads(unsigned threads)
{
    if (threads == 0) {
        threads = g_get_num_processors();
    }
    return MIN(threads, ZVHD2_MAX_THREADS);
}

/* --- the hint: 8 bytes magic, le32 level, le32 threads --- */

static void hint_encode(const Zvhd2Hint *hint, uint8_t *header)
{
    uint8_t *p = header + HINT_OFFSET;

    if (hint->level == 0 && hint->threads == 0) {
        return;
    }
    memcpy(p, HINT_MAGIC, 8);
    stl_le_p(p + 8, hint->level);
    stl_le_p(p + 12, hint->threads);
}

void zvhd2_hint_decode(const uint8_t *header, Zvhd2Method method,
                       Zvhd2Hint *hint)
{
    const uint8_t *p = header + HINT_OFFSET;
    int min, max, dflt;

    *hint = (Zvhd2Hint) { 0 };
    if (memcmp(p, HINT_MAGIC, 8)) {
        return;
    }
    zvhd2_codec_levels(method, &min, &max, &dflt);
    hint->level = ldl_le_p(p + 8);
    if (hint->level < min || hint->level > max) {
        hint->level = 0;
    }
    hint->threads = ldl_le_p(p + 12);
    if (hint->threads > ZVHD2_MAX_THREADS) {
        hint->threads = 0;
    }
}

/* --- options --- */

static bool parse_method(const char *name, Zvhd2Method *method, Error **errp)
{
    if (!name || !strcmp(name, "zstd")) {
        *method = ZVHD2_METHOD_ZSTD;
    } else if (!strcmp(name, "zlib")) {
        *method = ZVHD2_METHOD_ZLIB;
    } else {
        error_setg(errp, "Unknown " BLOCK_OPT_COMPRESSION_TYPE " '%s': "
                   "use zstd or zlib", name);
        return false;
    }
    return true;
}

/* Takes the driver's own options out of @opts; the protocol's remain. */
static bool parse_options(QemuOpts *opts, CreateOptions *o, Error **errp)
{
    g_autofree char *method = NULL;
    uint64_t block_size, threads;
    int64_t level;
    int min, max, dflt;

    o->size = qemu_opt_get_size_del(opts, BLOCK_OPT_SIZE, 0);
    block_size = qemu_opt_get_size_del(opts, BLOCK_OPT_CLUSTER_SIZE,
                                       ZVHD2_DEFAULT_BLOCK_SIZE);
    method = qemu_opt_get_del(opts, BLOCK_OPT_COMPRESSION_TYPE);
    level = qemu_opt_get_number_del(opts, OPT_LEVEL, 0);
    threads = qemu_opt_get_number_del(opts, OPT_THREADS, 0);

    if (o->size > ZVHD2_MAX_DISK_SIZE) {
        error_setg(errp, "Image size %" PRIu64 " is over the format's "
                   "%" PRIu64 " GiB", o->size,
                   (uint64_t)(ZVHD2_MAX_DISK_SIZE / ZVHD2_GIB));
        return false;
    }
    o->size = ROUND_UP(o->size, BDRV_SECTOR_SIZE);

    if (block_size < ZVHD2_MIN_BLOCK_SIZE ||
        block_size > ZVHD2_MAX_BLOCK_SIZE || !is_power_of_2(block_size)) {
        error_setg(errp, BLOCK_OPT_CLUSTER_SIZE " must be a power of two "
                   "from 1M to 32M, not %" PRIu64, block_size);
        return false;
    }
    o->block_size = block_size;

    if (!parse_method(method, &o->method, errp)) {
        return false;
    }
    zvhd2_codec_levels(o->method, &min, &max, &dflt);
    if (level != 0 && (level < min || level > max)) {
        error_setg(errp, OPT_LEVEL " of %s must be from %d to %d, not %"
                   PRIi64, method ?: "zstd", min, max, level);
        return false;
    }
    o->hint.level = level == dflt ? 0 : level;

    if (threads > ZVHD2_MAX_THREADS) {
        error_setg(errp, OPT_THREADS " must be at most %u",
                   ZVHD2_MAX_THREADS);
        return false;
    }
    o->hint.threads = threads;
    return true;
}

/* --- creating --- */

static int coroutine_fn GRAPH_UNLOCKED
zvhd2_co_write_header(const char *filename, const CreateOptions *o,
                      Error **errp)
{
    BlockBackend *blk;
    QemuUUID uuid;
    Zvhd2Desc desc;
    uint8_t *header;
    int ret;

    qemu_uuid_generate(&uuid);
    /* parse_options() has seen to it that no rule is broken */
    ret = zvhd2_desc_init(&desc, o->size, o->block_size, o->method, uuid.data,
                          g_get_real_time() / G_USEC_PER_SEC);
    assert(ret == ZVHD2_OK);

    blk = blk_co_new_open(filename, NULL, NULL,
                          BDRV_O_RDWR | BDRV_O_RESIZE | BDRV_O_PROTOCOL,
                          errp);
    if (!blk) {
        return -EIO;
    }
    blk_set_allow_write_beyond_eof(blk, true);

    /* a footer must end the file, so a device of a fixed size won't do */
    ret = blk_co_truncate(blk, 0, true, PREALLOC_MODE_OFF, 0, errp);
    if (ret < 0) {
        error_prepend(errp, "A ZVHD2 image needs a file that can be cut "
                      "to size: ");
        goto out;
    }

    header = blk_blockalign(blk, ZVHD2_ALIGN);
    zvhd2_desc_encode(&desc, header);
    hint_encode(&o->hint, header);
    ret = blk_co_pwrite(blk, 0, ZVHD2_ALIGN, header, 0);
    qemu_vfree(header);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Cannot write the ZVHD2 header to '%s'",
                         filename);
    }
out:
    blk_co_unref(blk);
    return ret;
}

int coroutine_fn GRAPH_UNLOCKED
zvhd2_co_create_opts(BlockDriver *drv, const char *filename, QemuOpts *opts,
                     Error **errp)
{
    ERRP_GUARD();
    CreateOptions o = { 0 };
    int ret;

    if (!parse_options(opts, &o, errp)) {
        return -EINVAL;
    }
    if (o.block_size != ZVHD2_DEFAULT_BLOCK_SIZE) {
        warn_report("zvhd2: " BLOCK_OPT_CLUSTER_SIZE " %" PRIu32 ": sizes "
                    "other than 2M are unproven with the format owner's "
                    "reader", o.block_size);
    }
    ret = zvhd2_co_create_file_compat(filename, opts, errp);
    if (ret < 0) {
        return ret;
    }
    return zvhd2_co_write_header(filename, &o, errp);
}

/* --- measuring --- */

/* Size of an image of @o with @records records that do not compress */
static uint64_t image_size_max(const CreateOptions *o, uint32_t records)
{
    static const uint8_t no_uuid[16];
    uint64_t length = zvhd2_record_length(zvhd2_codec_bound(o->method,
                                                            o->block_size));
    Zvhd2Desc desc;

    if (zvhd2_desc_init(&desc, o->size, o->block_size, o->method, no_uuid,
                        0) != ZVHD2_OK) {
        g_assert_not_reached();
    }
    zvhd2_desc_finish(&desc, ZVHD2_ALIGN + records * length, records);
    return desc.bitmap_lba + desc.bitmap_size + ZVHD2_ALIGN;
}

/* Number of blocks of which @bs has at least one byte that may not be zero */
static int64_t count_data_blocks(BlockDriverState *bs, uint64_t size,
                                 uint32_t block_size, Error **errp)
{
    uint64_t offset = 0;
    int64_t count = 0;

    while (offset < size) {
        int64_t n;
        int ret = bdrv_block_status_above(bs, NULL, offset, size - offset, &n,
                                          NULL, NULL);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Unable to get block status at "
                             "offset %" PRIu64, offset);
            return ret;
        }
        if (n == 0) {
            break;
        }
        if (ret & BDRV_BLOCK_ZERO) {
            offset += n;
            continue;
        }
        count += DIV_ROUND_UP(offset + n, block_size) - offset / block_size;
        offset = ROUND_UP(offset + n, block_size);
    }
    return count;
}

BlockMeasureInfo *zvhd2_measure(QemuOpts *opts, BlockDriverState *in_bs,
                                Error **errp)
{
    CreateOptions o = { 0 };
    BlockMeasureInfo *info;
    int64_t records = 0;

    if (!parse_options(opts, &o, errp)) {
        return NULL;
    }
    if (in_bs) {
        int64_t size = bdrv_getlength(in_bs);

        if (size < 0) {
            error_setg_errno(errp, -size, "Unable to get image size");
            return NULL;
        }
        if (size > ZVHD2_MAX_DISK_SIZE) {
            error_setg(errp, "Image size %" PRIi64 " is over the format's "
                       "%" PRIu64 " GiB", size,
                       (uint64_t)(ZVHD2_MAX_DISK_SIZE / ZVHD2_GIB));
            return NULL;
        }
        o.size = size;
        records = count_data_blocks(in_bs, o.size, o.block_size, errp);
        if (records < 0) {
            return NULL;
        }
    }

    info = g_new0(BlockMeasureInfo, 1);
    info->required = image_size_max(&o, records);
    info->fully_allocated =
        image_size_max(&o, DIV_ROUND_UP(o.size, o.block_size));
    return info;
}
