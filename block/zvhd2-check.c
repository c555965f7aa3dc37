/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: qemu-img check
 *
 * A check looks at every rule of zvhd2.rst, in the order of trust: header and
 * footer, then bitmap and index, then every record, which is read and
 * expanded.  Each broken rule is one line and one corruption.  Records are
 * found by the index if it is there, and by walking the file if not.
 */
#include "zvhd2-check.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"

/* --- reporting --- */

void G_GNUC_PRINTF(2, 3)
zvhd2_check_line(Zvhd2Check *c, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    if (c->lines++ >= ZVHD2_CHECK_LINES) {
        return;
    }
    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_report("zvhd2: %s", text);
}

void zvhd2_check_corruption(Zvhd2Check *c, const Zvhd2Finding *f)
{
    char text[256];

    c->result->corruptions++;
    zvhd2_check_line(c, "ERROR %s", zvhd2_finding_text(f, text, sizeof(text)));
}

void zvhd2_check_trailer(Zvhd2Check *c, const Zvhd2Finding *f)
{
    c->trailer_lost = true;
    zvhd2_check_corruption(c, f);
}

static bool map_corruption(void *opaque, const Zvhd2Finding *f)
{
    zvhd2_check_trailer(opaque, f);
    return true;
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_check_read(Zvhd2Check *c, uint64_t offset, uint32_t bytes,
                    const char *what)
{
    int ret = bdrv_co_pread(c->bs->file, offset, bytes, c->buf, 0);

    if (ret < 0) {
        error_report("zvhd2: cannot read the %s at offset %" PRIu64 ": %s",
                     what, offset, strerror(-ret));
    }
    return ret;
}

/* --- header and footer --- */

static int coroutine_fn GRAPH_RDLOCK check_header(Zvhd2Check *c)
{
    Zvhd2Finding f;
    int ret = zvhd2_co_check_read(c, 0, ZVHD2_ALIGN, "header");

    if (ret < 0) {
        return ret;
    }
    c->have_header = zvhd2_desc_decode(c->buf, 0, true, &c->header, &f);
    if (!c->have_header) {
        zvhd2_check_trailer(c, &f);
    }
    return 0;
}

static int coroutine_fn GRAPH_RDLOCK check_footer(Zvhd2Check *c)
{
    uint64_t at = c->size - ZVHD2_ALIGN;
    Zvhd2Finding f;
    int ret;

    if (c->have_header && c->header.zvhd2_version == 0) {
        return 0;
    }
    if (c->size <= ZVHD2_ALIGN) {
        c->trailer_lost = true;
        return 0;
    }
    ret = zvhd2_co_check_read(c, at, ZVHD2_ALIGN, "footer");
    if (ret < 0) {
        return ret;
    }
    if (!zvhd2_desc_decode(c->buf, at, true, &c->footer, &f) ||
        !zvhd2_footer_check(&c->footer, c->size, &f)) {
        zvhd2_check_trailer(c, &f);
        return 0;
    }
    c->have_footer = true;
    if (c->have_header && !zvhd2_header_matches(&c->header, &c->footer, &f)) {
        zvhd2_check_trailer(c, &f);
    }
    return 0;
}

/* --- bitmap, index, end marker; the footer is good --- */

static int coroutine_fn GRAPH_RDLOCK
check_load_bitmap(Zvhd2Check *c, Zvhd2Map *map)
{
    uint8_t *bytes = qemu_try_blockalign(c->bs->file->bs,
                                         c->footer.bitmap_size + 1);
    Zvhd2Finding f;
    int ret;

    if (!bytes) {
        return -ENOMEM;
    }
    ret = bdrv_co_pread(c->bs->file, c->footer.bitmap_lba,
                        c->footer.bitmap_size, bytes, 0);
    if (ret < 0) {
        error_report("zvhd2: cannot read the bitmap at offset %" PRIu64 ": %s",
                     c->footer.bitmap_lba, strerror(-ret));
    } else {
        ret = zvhd2_map_set_bitmap(map, bytes, &f);
        if (ret == -EINVAL) {
            zvhd2_check_trailer(c, &f);
        }
    }
    qemu_vfree(bytes);
    return ret;
}

static int coroutine_fn GRAPH_RDLOCK check_index(Zvhd2Check *c, Zvhd2Map *map)
{
    for (uint32_t seg = 0; seg < c->footer.index_seg_num; seg++) {
        uint64_t at = c->footer.index_lba +
                      (uint64_t)seg * ZVHD2_INDEX_SEG_SIZE;
        uint64_t used_at;
        uint32_t used;
        Zvhd2Finding f;
        int ret = zvhd2_co_check_read(c, at, ZVHD2_INDEX_SEG_SIZE, "index");

        if (ret == 0) {
            ret = zvhd2_map_set_segment(map, seg, c->buf);
        }
        if (ret < 0) {
            return ret;
        }
        zvhd2_map_segment_range(map, seg, &used_at, &used);
        if (!zvhd2_unused_check(c->buf + used, ZVHD2_INDEX_SEG_SIZE - used,
                                at + used, &f)) {
            zvhd2_check_trailer(c, &f);
        }
    }
    return zvhd2_map_check(map, map_corruption, c);
}

static int coroutine_fn GRAPH_RDLOCK check_end_marker(Zvhd2Check *c)
{
    uint64_t at = c->footer.index_lba - ZVHD2_ALIGN;
    Zvhd2Finding f;
    int ret = zvhd2_co_check_read(c, at, ZVHD2_ALIGN, "end marker");

    if (ret == 0 &&
        (!zvhd2_end_marker_check(c->buf, at, &c->footer, &f) ||
         !zvhd2_end_count_check(c->buf, at, c->footer.non_zero_blk_num, &f))) {
        zvhd2_check_trailer(c, &f);
    }
    return ret;
}

/* --- records --- */

/* Expands every record that the index names. */
static int coroutine_fn GRAPH_RDLOCK
check_records_by_map(Zvhd2Check *c, Zvhd2Map *map)
{
    AioTaskPool *pool = zvhd2_co_verify_pool(c);
    uint32_t block = 0;

    while (block < c->footer.max_blk_num && aio_task_pool_status(pool) == 0) {
        bool data;
        uint32_t run = zvhd2_map_run(map, block,
                                     c->footer.max_blk_num - block, &data);
        uint32_t next = block + run;

        for (; data && block < next; block++) {
            Zvhd2Entry e;
            uint32_t seg;
            Zvhd2Finding f;

            if (aio_task_pool_status(pool) < 0) {
                break;
            }
            /* a bad entry has been reported by the check of the index */
            if (zvhd2_map_lookup(map, block, &e, &seg, &f) ==
                ZVHD2_MAP_DATA) {
                zvhd2_co_verify_start(pool, c, &e);
            }
        }
        block = next;
    }
    return zvhd2_co_verify_wait(pool);
}

/* Nothing but the end marker stands behind the records of version 0. */
static void check_nothing_behind(Zvhd2Check *c, const Zvhd2Walk *w)
{
    Zvhd2Finding f;

    if (c->size - w->end != ZVHD2_ALIGN) {
        zvhd2_broken(&f, ZVHD2_R25_END_OF_STREAM, w->end + ZVHD2_ALIGN,
                     ZVHD2_NO_BLOCK, c->size, w->end + ZVHD2_ALIGN);
        zvhd2_check_trailer(c, &f);
    }
}

/* What an image without an index, or with a lost one, consists of */
static int coroutine_fn GRAPH_RDLOCK
check_records_by_walk(Zvhd2Check *c, const Zvhd2Desc *header)
{
    BlockFragInfo *bfi = &c->result->bfi;
    Zvhd2Walk w;
    int ret = zvhd2_co_walk(c, header, &w);

    if (ret < 0) {
        return ret;
    }
    bfi->allocated_clusters = bfi->compressed_clusters = w.items->len;
    if (!w.end_marker) {
        c->result->image_end_offset = w.good_end;
        c->result->corruptions++;
        c->trailer_lost = true;
        zvhd2_check_line(c, "ERROR the image is not finished: %" PRIu32
                         " whole records up to offset %" PRIu64
                         "; convert again, or keep them with "
                         "'qemu-img check -r all'", w.good, w.good_end);
    } else {
        if (header->zvhd2_version == 0) {
            check_nothing_behind(c, &w);
        }
        if (c->trailer_lost && w.good == w.items->len) {
            zvhd2_check_line(c, "all %" PRIu32 " records are whole: "
                             "'qemu-img check -r all' makes the rest anew",
                             w.good);
        }
    }
    zvhd2_walk_free(&w);
    return 0;
}

/* --- the check --- */

static int coroutine_fn GRAPH_RDLOCK check_trailer_and_records(Zvhd2Check *c)
{
    Zvhd2Map *map = zvhd2_map_new(&c->footer);
    int ret;

    if (!map) {
        return -ENOMEM;
    }
    ret = check_load_bitmap(c, map);
    if (ret == 0) {
        ret = check_index(c, map);
    }
    if (ret == 0) {
        ret = check_end_marker(c);
    }
    if (ret == 0) {
        c->result->bfi.allocated_clusters =
            c->result->bfi.compressed_clusters = c->footer.non_zero_blk_num;
        ret = check_records_by_map(c, map);
    } else if (ret == -EINVAL) {
        ret = check_records_by_walk(c, c->have_header ? &c->header
                                                      : &c->footer);
    }
    zvhd2_map_free(map);
    return ret;
}

static int coroutine_fn GRAPH_RDLOCK check_all(Zvhd2Check *c)
{
    int ret = check_header(c);

    if (ret == 0) {
        ret = check_footer(c);
    }
    if (ret < 0) {
        return ret;
    }
    if (!c->have_header && !c->have_footer) {
        /* was different when it was opened */
        return -EINVAL;
    }
    c->result->image_end_offset = c->size;
    c->result->bfi.total_clusters = c->have_header ? c->header.max_blk_num
                                                   : c->footer.max_blk_num;
    if (c->have_footer) {
        return check_trailer_and_records(c);
    }
    return check_records_by_walk(c, &c->header);
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_check(BlockDriverState *bs, BdrvCheckResult *result,
               BdrvCheckMode fix)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Check c = { .bs = bs, .result = result };
    int64_t size = bdrv_co_getlength(bs->file->bs);
    int ret;

    if (s->reader || s->writer) {
        /* not opened for checking: an image in use is not to be changed */
        return -EBUSY;
    }
    if (size < ZVHD2_ALIGN) {
        return size < 0 ? size : -EINVAL;
    }
    c.size = size;
    c.buf = qemu_try_blockalign(bs->file->bs, ZVHD2_CHECK_BUF);
    if (!c.buf) {
        return -ENOMEM;
    }
    s->reader = zvhd2_reader_new(s->desc.method, zvhd2_threads(s->threads),
                                 NULL);

    ret = check_all(&c);
    if (ret == 0 && (fix & BDRV_FIX_ERRORS) && c.trailer_lost &&
        result->check_errors == 0) {
        ret = zvhd2_co_repair(&c);
    }
    if (c.lines > ZVHD2_CHECK_LINES) {
        error_report("zvhd2: %" PRIi64 " more lines are not shown",
                     c.lines - ZVHD2_CHECK_LINES);
    }

    zvhd2_reader_free(s->reader);
    s->reader = NULL;
    qemu_vfree(c.buf);
    return ret;
}

int GRAPH_RDLOCK zvhd2_check_open(BlockDriverState *bs, Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;
    g_autofree uint8_t *buf = g_malloc(ZVHD2_ALIGN);
    int64_t size = bdrv_getlength(bs->file->bs);
    const uint64_t at[] = { 0, size - ZVHD2_ALIGN };
    char text[256];
    Zvhd2Finding first, f;

    if (size < ZVHD2_ALIGN) {
        error_setg(errp, "Not a ZVHD2 image: %" PRIi64 " bytes are too short "
                   "for a header", size);
        return -EINVAL;
    }
    for (int i = 0; i < ARRAY_SIZE(at); i++) {
        int ret = bdrv_pread(bs->file, at[i], ZVHD2_ALIGN, buf, 0);

        if (ret < 0) {
            error_setg_errno(errp, -ret, "Cannot read at offset %" PRIu64,
                             at[i]);
            return ret;
        }
        if (zvhd2_desc_decode(buf, at[i], true, &s->desc, &f)) {
            bs->total_sectors = s->desc.curr_size >> BDRV_SECTOR_BITS;
            return 0;
        }
        if (i == 0) {
            first = f;
        }
    }
    error_setg(errp, "Neither header nor footer can be used: %s",
               zvhd2_finding_text(&first, text, sizeof(text)));
    return -EINVAL;
}
