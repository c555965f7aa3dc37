/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: qemu-img check and repair
 *
 * A check looks at every rule of zvhd2.rst, in the order of trust: header and
 * footer, then bitmap and index, then every record, which is read and
 * expanded.  Each broken rule is one line and one corruption.
 *
 * Records are the only thing that cannot be made again.  Everything else
 * follows from them, so repair is one action: walk the records from the start
 * of the file, and write the trailer anew behind the last good one.  It is not
 * done if good records would be lost by it, other than the few that a killed
 * writer leaves behind a hole.
 */
#include "zvhd2-driver.h"
#include "block/aio_task.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"
#include "qemu/units.h"

/* Lines to print; the rest is only counted */
#define MAX_LINES 64

/* A writer has at most that many records in flight, see zvhd2-write.c */
#define MAX_STRAY_RECORDS (2 * ZVHD2_MAX_THREADS + 2)

#define SEARCH_CHUNK (1 * MiB)

typedef struct Check {
    BlockDriverState *bs;
    BdrvCheckResult *result;
    uint64_t size;              /* of the file */
    Zvhd2Desc header;
    Zvhd2Desc footer;
    bool have_header;
    bool have_footer;           /* and it agrees with the file's size */
    bool trailer_lost;          /* something but a record is wrong */
    uint8_t *buf;               /* an index segment, or less */
    int64_t lines;
} Check;

/* One record as the walk finds it */
typedef struct Item {
    Zvhd2Entry e;
    bool bad;
} Item;

typedef struct Walk {
    GArray *items;              /* Item, in file order */
    uint64_t end;               /* where the walk stopped */
    bool end_marker;            /* at an end marker */
    uint32_t good;              /* items before the first bad one */
    uint64_t good_end;          /* where they end */
} Walk;

/* --- reporting --- */

static void G_GNUC_PRINTF(2, 3)
check_line(Check *c, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    if (c->lines++ >= MAX_LINES) {
        return;
    }
    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_report("zvhd2: %s", text);
}

static void check_corruption(Check *c, const Zvhd2Finding *f)
{
    char text[256];

    c->result->corruptions++;
    check_line(c, "ERROR %s", zvhd2_finding_text(f, text, sizeof(text)));
}

/* Something that a repair makes anew is wrong. */
static void trailer_corruption(Check *c, const Zvhd2Finding *f)
{
    c->trailer_lost = true;
    check_corruption(c, f);
}

static bool map_corruption(void *opaque, const Zvhd2Finding *f)
{
    trailer_corruption(opaque, f);
    return true;
}

static int coroutine_fn GRAPH_RDLOCK
check_read(Check *c, uint64_t offset, uint32_t bytes, const char *what)
{
    int ret = bdrv_co_pread(c->bs->file, offset, bytes, c->buf, 0);

    if (ret < 0) {
        error_report("zvhd2: cannot read the %s at offset %" PRIu64 ": %s",
                     what, offset, strerror(-ret));
    }
    return ret;
}

/* --- header and footer --- */

static int coroutine_fn GRAPH_RDLOCK check_header(Check *c)
{
    Zvhd2Finding f;
    int ret = check_read(c, 0, ZVHD2_ALIGN, "header");

    if (ret < 0) {
        return ret;
    }
    c->have_header = zvhd2_desc_decode(c->buf, 0, true, &c->header, &f);
    if (!c->have_header) {
        trailer_corruption(c, &f);
    }
    return 0;
}

static int coroutine_fn GRAPH_RDLOCK check_footer(Check *c)
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
    ret = check_read(c, at, ZVHD2_ALIGN, "footer");
    if (ret < 0) {
        return ret;
    }
    if (!zvhd2_desc_decode(c->buf, at, true, &c->footer, &f) ||
        !zvhd2_footer_check(&c->footer, c->size, &f)) {
        trailer_corruption(c, &f);
        return 0;
    }
    c->have_footer = true;
    if (c->have_header && !zvhd2_header_matches(&c->header, &c->footer, &f)) {
        trailer_corruption(c, &f);
    }
    return 0;
}

/* --- bitmap, index, end marker; the footer is good --- */

static int coroutine_fn GRAPH_RDLOCK check_load_bitmap(Check *c, Zvhd2Map *map)
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
            trailer_corruption(c, &f);
        }
    }
    qemu_vfree(bytes);
    return ret;
}

static int coroutine_fn GRAPH_RDLOCK check_index(Check *c, Zvhd2Map *map)
{
    for (uint32_t seg = 0; seg < c->footer.index_seg_num; seg++) {
        uint64_t at = c->footer.index_lba +
                      (uint64_t)seg * ZVHD2_INDEX_SEG_SIZE;
        uint64_t used_at;
        uint32_t used;
        Zvhd2Finding f;
        int ret = check_read(c, at, ZVHD2_INDEX_SEG_SIZE, "index");

        if (ret == 0) {
            ret = zvhd2_map_set_segment(map, seg, c->buf);
        }
        if (ret < 0) {
            return ret;
        }
        zvhd2_map_segment_range(map, seg, &used_at, &used);
        if (!zvhd2_unused_check(c->buf + used, ZVHD2_INDEX_SEG_SIZE - used,
                                at + used, &f)) {
            trailer_corruption(c, &f);
        }
    }
    return zvhd2_map_check(map, map_corruption, c);
}

static int coroutine_fn GRAPH_RDLOCK check_end_marker(Check *c)
{
    uint64_t at = c->footer.index_lba - ZVHD2_ALIGN;
    Zvhd2Finding f;
    int ret = check_read(c, at, ZVHD2_ALIGN, "end marker");

    if (ret == 0 &&
        (!zvhd2_end_marker_check(c->buf, at, &c->footer, &f) ||
         !zvhd2_end_count_check(c->buf, at, c->footer.non_zero_blk_num, &f))) {
        trailer_corruption(c, &f);
    }
    return ret;
}

/* --- records --- */

typedef struct VerifyTask {
    AioTask task;
    Check *c;
    Zvhd2Entry e;
    Walk *walk;                 /* NULL: found by the index */
    guint item;                 /* in walk->items */
} VerifyTask;

/* Counts as GRAPH_RDLOCK: zvhd2_co_check() waits for all tasks. */
static int coroutine_fn GRAPH_RDLOCK verify_task(AioTask *task)
{
    VerifyTask *t = container_of(task, VerifyTask, task);
    Zvhd2Finding f;
    int ret = zvhd2_co_verify(t->c->bs, &t->e, &f);

    if (ret < 0 && t->walk) {
        g_array_index(t->walk->items, Item, t->item).bad = true;
    }
    if (ret == -EINVAL) {
        check_corruption(t->c, &f);
    } else if (ret < 0 && ret != -ENOMEM) {
        t->c->result->check_errors++;
        check_line(t->c, "ERROR cannot read block %" PRIu32 " at offset %"
                   PRIu64 ": %s", t->e.block, t->e.offset, strerror(-ret));
    }
    return ret == -ENOMEM ? ret : 0;
}

static void coroutine_fn GRAPH_RDLOCK
start_verify(AioTaskPool *pool, Check *c, const Zvhd2Entry *e, Walk *walk)
{
    VerifyTask *t = g_new0(VerifyTask, 1);

    t->task.func = verify_task;
    t->c = c;
    t->e = *e;
    t->walk = walk;
    t->item = walk ? walk->items->len - 1 : 0;
    aio_task_pool_start_task(pool, &t->task);
}

static AioTaskPool *coroutine_fn verify_pool(Check *c)
{
    BDRVZvhd2State *s = c->bs->opaque;

    return aio_task_pool_new(zvhd2_reader_parallel(s->reader));
}

static int coroutine_fn verify_wait(AioTaskPool *pool)
{
    int ret;

    aio_task_pool_wait_all(pool);
    ret = aio_task_pool_status(pool);
    aio_task_pool_free(pool);
    return ret;
}

/* Expands every record that the index names. */
static int coroutine_fn GRAPH_RDLOCK
check_records_by_map(Check *c, Zvhd2Map *map)
{
    AioTaskPool *pool = verify_pool(c);
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
                start_verify(pool, c, &e, NULL);
            }
        }
        block = next;
    }
    return verify_wait(pool);
}

/* --- walking the records in file order --- */

static void walk_free(Walk *w)
{
    if (w->items) {
        g_array_free(w->items, true);
    }
}

/* Sets what depends on which records are good, when all are verified. */
static void walk_finish(Walk *w)
{
    w->good_end = ZVHD2_ALIGN;
    for (w->good = 0; w->good < w->items->len; w->good++) {
        const Item *i = &g_array_index(w->items, Item, w->good);

        if (i->bad) {
            break;
        }
        w->good_end = i->e.offset + i->e.length;
    }
}

/*
 * Walks from the header to the end marker, or to whatever is no record, and
 * verifies the records.
 */
static int coroutine_fn GRAPH_RDLOCK
walk_records(Check *c, const Zvhd2Desc *header, Walk *w)
{
    AioTaskPool *pool = verify_pool(c);
    int64_t last = -1;
    int ret = 0;

    *w = (Walk) {
        .items = g_array_new(false, false, sizeof(Item)),
        .end = ZVHD2_ALIGN,
    };
    while (w->end < c->size && c->size - w->end >= ZVHD2_ALIGN &&
           aio_task_pool_status(pool) == 0) {
        Zvhd2Item kind;
        Zvhd2Record r;
        Zvhd2Finding f;
        Item item = { 0 };

        ret = check_read(c, w->end, ZVHD2_DESC_SIZE, "record");
        if (ret < 0) {
            break;
        }
        kind = zvhd2_scan_item(c->buf, w->end, header, &r, &f);
        if (kind == ZVHD2_ITEM_RECORD && r.block <= last) {
            kind = ZVHD2_ITEM_BAD;
            zvhd2_broken(&f, ZVHD2_R18_GAP, w->end, r.block, r.block,
                         last + 1);
        }
        if (kind == ZVHD2_ITEM_END) {
            w->end_marker = true;
            if (!zvhd2_end_count_check(c->buf, w->end, w->items->len, &f)) {
                trailer_corruption(c, &f);
            }
            break;
        }
        if (kind == ZVHD2_ITEM_BAD) {
            check_corruption(c, &f);
            break;
        }
        last = r.block;
        item.e = (Zvhd2Entry) {
            .offset = w->end,
            .block = r.block,
            .length = zvhd2_record_length(r.size),
        };
        g_array_append_val(w->items, item);
        start_verify(pool, c, &item.e, w);
        w->end += item.e.length;
    }

    ret = MIN(ret, verify_wait(pool));
    walk_finish(w);
    return ret;
}

/* What an image without an index, or with a lost one, consists of */
static int coroutine_fn GRAPH_RDLOCK
check_records_by_walk(Check *c, const Zvhd2Desc *header)
{
    Walk w;
    int ret = walk_records(c, header, &w);

    if (ret == 0) {
        BlockFragInfo *bfi = &c->result->bfi;

        bfi->allocated_clusters = bfi->compressed_clusters = w.items->len;
        if (header->zvhd2_version == 0 && w.end_marker &&
            c->size - w.end != ZVHD2_ALIGN) {
            Zvhd2Finding f;

            zvhd2_broken(&f, ZVHD2_R25_END_OF_STREAM, w.end + ZVHD2_ALIGN,
                         ZVHD2_NO_BLOCK, c->size, w.end + ZVHD2_ALIGN);
            trailer_corruption(c, &f);
        }
        if (!w.end_marker) {
            c->result->corruptions++;
            c->trailer_lost = true;
            check_line(c, "ERROR the image is not finished: %" PRIu32
                       " whole records up to offset %" PRIu64
                       "; convert again, or keep them with "
                       "'qemu-img check -r all'", w.good, w.good_end);
        } else if (c->trailer_lost) {
            check_line(c, "%" PRIu32 " of %u records are whole; 'qemu-img "
                       "check -r all' makes the rest anew if all are",
                       w.good, w.items->len);
        }
    }
    walk_free(&w);
    return ret;
}

/* --- repair --- */

/*
 * What stands behind the records that repair would keep: how many others,
 * and has the image ever been finished?  @c->buf is used.
 */
static int coroutine_fn GRAPH_RDLOCK
search_behind(Check *c, const Zvhd2Desc *header, const Walk *w,
              uint32_t *records, bool *finished)
{
    uint64_t at = w->end;

    /* the walk may have gone on behind the first bad one */
    *records = w->items->len > w->good ? w->items->len - w->good - 1 : 0;
    *finished = w->end_marker;

    QEMU_BUILD_BUG_ON(SEARCH_CHUNK < ZVHD2_INDEX_SEG_SIZE);
    while (at < c->size) {
        uint32_t n = MIN(c->size - at, SEARCH_CHUNK);
        int ret = check_read(c, at, n, "rest");

        if (ret < 0) {
            return ret;
        }
        for (uint32_t i = 0; n - i >= ZVHD2_DESC_SIZE; i += ZVHD2_ALIGN) {
            Zvhd2Record r;
            Zvhd2Finding f;

            if (zvhd2_is_cookie(c->buf + i)) {
                *finished = true;
            } else if (at + i > w->end &&
                       zvhd2_scan_item(c->buf + i, at + i, header, &r, &f) ==
                       ZVHD2_ITEM_RECORD) {
                (*records)++;
            }
            if (n - i <= ZVHD2_ALIGN) {
                break;
            }
        }
        at += n;
    }
    return 0;
}

/* Would cutting the file off at w->good_end lose records? */
static int coroutine_fn GRAPH_RDLOCK
may_cut(Check *c, const Zvhd2Desc *header, const Walk *w, bool *ok)
{
    uint32_t records;
    bool finished;
    int ret;

    *ok = true;
    if (w->end_marker && w->good == w->items->len) {
        return 0;
    }
    ret = search_behind(c, header, w, &records, &finished);
    if (ret < 0 || records == 0) {
        return ret;
    }
    if (finished || records > MAX_STRAY_RECORDS) {
        *ok = false;
        check_line(c, "not repaired: what is at offset %" PRIu64 " is "
                   "damaged, and %" PRIu32 " records behind it would be "
                   "lost", w->good_end, records);
    } else {
        check_line(c, "%" PRIu32 " records behind the hole at offset %"
                   PRIu64 " are dropped", records, w->good_end);
    }
    return 0;
}

static int coroutine_fn GRAPH_RDLOCK
rewrite_trailer(Check *c, const Zvhd2Desc *header, const Walk *w)
{
    Zvhd2Builder *b = zvhd2_builder_new(header->max_blk_num);
    Zvhd2Desc desc = *header;
    int ret = 0;

    if (!b) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < w->good && ret == 0; i++) {
        ret = zvhd2_builder_add(b, &g_array_index(w->items, Item, i).e);
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

static int coroutine_fn GRAPH_RDLOCK repair(Check *c)
{
    Zvhd2Desc header = as_header(c->have_header ? &c->header : &c->footer);
    BdrvCheckResult *res = c->result;
    BdrvCheckResult found = *res;
    int64_t lines = c->lines;
    Walk w;
    bool ok;
    int ret;

    /* the records have been reported already */
    c->lines = MAX_LINES;
    ret = walk_records(c, &header, &w);
    *res = found;
    c->lines = MIN(lines, MAX_LINES - 2);
    if (ret == 0) {
        ret = may_cut(c, &header, &w, &ok);
    }
    if (ret == 0 && ok) {
        ret = rewrite_trailer(c, &header, &w);
        if (ret == 0) {
            error_report("zvhd2: repaired: the image has the %" PRIu32
                         " records up to offset %" PRIu64, w.good,
                         w.good_end);
            res->corruptions_fixed += res->corruptions;
            res->corruptions = 0;
        }
    }
    walk_free(&w);
    return ret;
}

/* --- the check --- */

static int coroutine_fn GRAPH_RDLOCK check_trailer_and_records(Check *c)
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

static int coroutine_fn GRAPH_RDLOCK check_all(Check *c)
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
    Check c = { .bs = bs, .result = result };
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
    c.buf = qemu_try_blockalign(bs->file->bs, SEARCH_CHUNK);
    if (!c.buf) {
        return -ENOMEM;
    }
    s->reader = zvhd2_reader_new(s, NULL);

    ret = check_all(&c);
    if (ret == 0 && (fix & BDRV_FIX_ERRORS) && c.trailer_lost &&
        result->check_errors == 0) {
        ret = repair(&c);
    }
    if (c.lines > MAX_LINES) {
        error_report("zvhd2: %" PRIi64 " more lines are not shown",
                     c.lines - MAX_LINES);
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
