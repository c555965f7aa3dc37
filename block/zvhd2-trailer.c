/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: what stands behind the records
 *
 * End marker, index and bitmap say again what the records say; the footer says
 * that all of it is there.  So it comes last, behind a flush, and what cannot
 * be completed gets none.
 */
#include "zvhd2-write.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"

/* Everything is written in pieces of at most this size */
#define TRAILER_CHUNK ZVHD2_INDEX_SEG_SIZE

/* Reports where a write of the trailer failed. */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_write_part(BlockDriverState *bs, const char *what, uint64_t offset,
                    uint32_t bytes, const uint8_t *buf)
{
    int ret = bdrv_co_pwrite(bs->file, offset, bytes, buf, 0);

    if (ret < 0) {
        error_report("zvhd2: cannot write the %s at offset %" PRIu64
                     " of '%s': %s", what, offset, bs->filename,
                     strerror(-ret));
    }
    return ret;
}

static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_write_tables(BlockDriverState *bs, const Zvhd2Desc *desc,
                      const Zvhd2Builder *b, uint8_t *buf)
{
    uint32_t seg;
    int ret;

    for (seg = 0; seg < desc->index_seg_num; seg++) {
        zvhd2_builder_index(b, seg, buf);
        ret = zvhd2_co_write_part(bs, "index", desc->index_lba +
                                  (uint64_t)seg * ZVHD2_INDEX_SEG_SIZE,
                                  ZVHD2_INDEX_SEG_SIZE, buf);
        if (ret < 0) {
            return ret;
        }
    }

    for (seg = 0; seg < desc->bitmap_seg_num; ) {
        uint64_t offset = desc->bitmap_lba +
                          (uint64_t)seg * ZVHD2_BITMAP_SEG_SIZE;
        uint32_t n = 0;

        while (n < TRAILER_CHUNK && seg < desc->bitmap_seg_num) {
            zvhd2_builder_bitmap(b, seg++, buf + n);
            n += ZVHD2_BITMAP_SEG_SIZE;
        }
        ret = zvhd2_co_write_part(bs, "bitmap", offset, n, buf);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_flush_file(BlockDriverState *bs)
{
    int ret = bdrv_co_flush(bs->file->bs);

    if (ret < 0) {
        error_report("zvhd2: cannot flush '%s': %s", bs->filename,
                     strerror(-ret));
    }
    return ret;
}

void coroutine_fn GRAPH_RDLOCK
zvhd2_co_cut_off(BlockDriverState *bs, uint64_t end)
{
    int ret = bdrv_co_truncate(bs->file, end, true, PREALLOC_MODE_OFF, 0,
                               NULL);

    if (ret < 0) {
        error_report("zvhd2: cannot take the footer of '%s' away: %s; delete "
                     "the image", bs->filename, strerror(-ret));
    }
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_write_trailer(BlockDriverState *bs, Zvhd2Desc *desc,
                       const Zvhd2Builder *b, uint64_t data_end,
                       bool clean_header)
{
    uint8_t *buf = qemu_try_blockalign(bs->file->bs, TRAILER_CHUNK);
    uint64_t end;
    int ret;

    if (!buf) {
        error_report("zvhd2: no memory to write the index");
        return -ENOMEM;
    }

    if (clean_header) {
        zvhd2_desc_encode(desc, buf);
        ret = zvhd2_co_write_part(bs, "header", 0, ZVHD2_ALIGN, buf);
        if (ret < 0) {
            goto out;
        }
    }

    zvhd2_desc_finish(desc, data_end, zvhd2_builder_count(b));
    end = desc->bitmap_lba + desc->bitmap_size;
    zvhd2_end_marker_encode(desc, buf);
    ret = zvhd2_co_write_part(bs, "end marker", data_end, ZVHD2_ALIGN, buf);
    if (ret < 0) {
        goto out;
    }
    ret = zvhd2_co_write_tables(bs, desc, b, buf);
    if (ret < 0) {
        goto out;
    }

    /* a footer says that all is there: it comes when all is stable */
    ret = zvhd2_co_flush_file(bs);
    if (ret < 0) {
        goto out;
    }
    zvhd2_desc_encode(desc, buf);
    ret = zvhd2_co_write_part(bs, "footer", end, ZVHD2_ALIGN, buf);
    if (ret == 0) {
        ret = zvhd2_co_flush_file(bs);
    }
    if (ret < 0) {
        /* some of a footer may be there, and most of it is zeros anyway */
        zvhd2_co_cut_off(bs, end);
    }
out:
    qemu_vfree(buf);
    return ret;
}
