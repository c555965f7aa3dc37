/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: repair
 *
 * Records are the only thing that cannot be made again.  Everything else
 * follows from them, so repair is one action: walk the records from the start
 * of the file, and write the trailer anew behind the last good one.  It is not
 * done if good records would be lost by it, other than the few that a killed
 * writer leaves behind a hole.
 */
#include "zvhd2-check.h"
#include "qemu/error-report.h"

/* A writer has at most that many records in flight, see zvhd2-pipeline.c */
#define MAX_STRAY_RECORDS (2 * ZVHD2_MAX_THREADS + 2)

/* What stands behind the records that a repair would keep */
typedef struct Rest {
    uint32_t records;           /* good ones, as far as their prefix goes */
    bool damaged;               /* the first thing is a damaged record */
    bool finished;              /* the image has once got an end marker */
} Rest;

static int coroutine_fn GRAPH_RDLOCK
search_rest(Zvhd2Check *c, const Zvhd2Desc *header, const Zvhd2Walk *w,
            Rest *rest)
{
    uint64_t at = w->end;

    *rest = (Rest) { .finished = w->end_marker };
    if (w->good < w->items->len) {
        /* the walk has gone on behind the first bad one */
        rest->damaged = true;
        rest->records = w->items->len - w->good - 1;
    }

    while (at < c->size) {
        uint32_t n = MIN(c->size - at, ZVHD2_CHECK_BUF);
        int ret = zvhd2_co_check_read(c, at, n, "rest");

        if (ret < 0) {
            return ret;
        }
        for (uint32_t i = 0; i < n && n - i >= ZVHD2_DESC_SIZE;
             i += ZVHD2_ALIGN) {
            const uint8_t *page = c->buf + i;
            Zvhd2Record r;
            Zvhd2Finding f;

            if (zvhd2_is_cookie(page)) {
                rest->finished = true;
            } else if (at + i == w->end) {
                rest->damaged = rest->damaged || zvhd2_is_record(page);
            } else if (zvhd2_scan_item(page, at + i, header, &r, &f) ==
                       ZVHD2_ITEM_RECORD) {
                rest->records++;
            }
        }
        at += n;
    }
    return 0;
}

/*
 * May the file be cut off at w->good_end?  Not if the image was once finished
 * and has a damaged record: that block would become zeros.  What a killed
 * writer leaves is a record that is not whole, and few behind it that are.
 */
static int coroutine_fn GRAPH_RDLOCK
may_cut(Zvhd2Check *c, const Zvhd2Desc *header, const Zvhd2Walk *w, bool *ok)
{
    Rest rest;
    int ret;

    *ok = true;
    if (w->end_marker && w->good == w->items->len) {
        return 0;
    }
    ret = search_rest(c, header, w, &rest);
    if (ret < 0) {
        return ret;
    }
    if ((rest.finished && (rest.damaged || rest.records > 0)) ||
        rest.records > MAX_STRAY_RECORDS) {
        *ok = false;
        zvhd2_check_line(c, "not repaired: the record at offset %" PRIu64
                         " is damaged, and the trailer too; it and the %"
                         PRIu32 " records behind it would be lost",
                         w->good_end, rest.records);
    } else if (rest.records > 0) {
        zvhd2_check_line(c, "%" PRIu32 " records behind the hole at offset %"
                         PRIu64 " are dropped", rest.records, w->good_end);
    }
    return 0;
}

static int coroutine_fn GRAPH_RDLOCK
rewrite_trailer(Zvhd2Check *c, const Zvhd2Desc *header, const Zvhd2Walk *w)
{
    Zvhd2Builder *b = zvhd2_builder_new(header->max_blk_num);
    Zvhd2Desc desc = *header;
    int ret = 0;

    if (!b) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < w->good && ret == 0; i++) {
        const Zvhd2WalkItem *item = &g_array_index(w->items, Zvhd2WalkItem, i);

        ret = zvhd2_builder_add(b, &item->e);
    }
    if (ret == 0) {
        /* first of all the old footer goes: from here on, it would lie */
        ret = bdrv_co_truncate(c->bs->file, w->good_end, true,
                               PREALLOC_MODE_OFF, 0, NULL);
    }
    if (ret == 0) {
        desc.zvhd2_version = 1;
        desc.index_sparse = 0;
        ret = zvhd2_co_write_trailer(c->bs, &desc, b, w->good_end, true);
    }
    zvhd2_builder_free(b);
    return ret;
}

/* The header's fields from a descriptor that may be a footer */
static Zvhd2Desc as_header(const Zvhd2Desc *d)
{
    Zvhd2Desc h = *d;

    h.index_lba = h.bitmap_lba = 0;
    h.index_size = h.bitmap_size = 0;
    h.index_seg_size = h.bitmap_seg_size = 0;
    h.index_seg_num = h.bitmap_seg_num = 0;
    h.non_zero_blk_num = 0;
    return h;
}

int coroutine_fn GRAPH_RDLOCK zvhd2_co_repair(Zvhd2Check *c)
{
    Zvhd2Desc header = as_header(c->have_header ? &c->header : &c->footer);
    BdrvCheckResult *res = c->result;
    BdrvCheckResult found = *res;
    int64_t lines = c->lines;
    Zvhd2Walk w;
    bool ok;
    int ret;

    /* the records have been reported already */
    c->lines = ZVHD2_CHECK_LINES;
    ret = zvhd2_co_walk(c, &header, &w);
    c->lines = MIN(lines, ZVHD2_CHECK_LINES - 2);
    if (ret < 0) {
        return ret;
    }
    if (res->check_errors > found.check_errors) {
        /* a record that was readable just before: not the time to cut */
        ret = -EIO;
        goto out;
    }
    *res = found;

    ret = may_cut(c, &header, &w, &ok);
    if (ret < 0 || !ok) {
        goto out;
    }
    ret = rewrite_trailer(c, &header, &w);
    if (ret == 0) {
        error_report("zvhd2: repaired: the image now consists of the %"
                     PRIu32 " whole records up to offset %" PRIu64, w.good,
                     w.good_end);
        res->corruptions_fixed += res->corruptions;
        res->corruptions = 0;
    }
out:
    zvhd2_walk_free(&w);
    return ret;
}
