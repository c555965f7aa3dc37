/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: verifying records, and finding them without an index
 */
#include "zvhd2-check.h"

/* --- expanding --- */

typedef struct VerifyTask {
    AioTask task;
    Zvhd2Check *c;
    Zvhd2Entry e;
    Zvhd2Walk *walk;            /* NULL: found by the index */
    guint item;                 /* in walk->items */
} VerifyTask;

/* Counts as GRAPH_RDLOCK: zvhd2_co_check() waits for all tasks. */
static int coroutine_fn GRAPH_RDLOCK verify_task(AioTask *task)
{
    VerifyTask *t = container_of(task, VerifyTask, task);
    Zvhd2Finding f;
    int ret = zvhd2_co_verify(t->c->bs, &t->e, &f);

    if (ret < 0 && t->walk) {
        g_array_index(t->walk->items, Zvhd2WalkItem, t->item).bad = true;
    }
    if (ret == -EINVAL) {
        zvhd2_check_corruption(t->c, &f);
    } else if (ret < 0 && ret != -ENOMEM) {
        t->c->result->check_errors++;
        zvhd2_check_line(t->c, "ERROR cannot read block %" PRIu32
                         " at offset %" PRIu64 ": %s", t->e.block,
                         t->e.offset, strerror(-ret));
    }
    return ret == -ENOMEM ? ret : 0;
}

static void coroutine_fn GRAPH_RDLOCK
verify_start(AioTaskPool *pool, Zvhd2Check *c, const Zvhd2Entry *e,
             Zvhd2Walk *walk)
{
    VerifyTask *t = g_new0(VerifyTask, 1);

    t->task.func = verify_task;
    t->c = c;
    t->e = *e;
    t->walk = walk;
    t->item = walk ? walk->items->len - 1 : 0;
    aio_task_pool_start_task(pool, &t->task);
}

void coroutine_fn GRAPH_RDLOCK
zvhd2_co_verify_start(AioTaskPool *pool, Zvhd2Check *c, const Zvhd2Entry *e)
{
    verify_start(pool, c, e, NULL);
}

AioTaskPool *coroutine_fn zvhd2_co_verify_pool(Zvhd2Check *c)
{
    BDRVZvhd2State *s = c->bs->opaque;

    return aio_task_pool_new(zvhd2_reader_parallel(s->reader));
}

int coroutine_fn zvhd2_co_verify_wait(AioTaskPool *pool)
{
    int ret;

    aio_task_pool_wait_all(pool);
    ret = aio_task_pool_status(pool);
    aio_task_pool_free(pool);
    return ret;
}

/* --- walking the records in file order --- */

void zvhd2_walk_free(Zvhd2Walk *w)
{
    g_array_free(w->items, true);
}

/* Sets what depends on which records are good, when all are verified. */
static void walk_finish(Zvhd2Walk *w)
{
    w->good_end = ZVHD2_ALIGN;
    for (w->good = 0; w->good < w->items->len; w->good++) {
        const Zvhd2WalkItem *i = &g_array_index(w->items, Zvhd2WalkItem,
                                                w->good);

        if (i->bad) {
            break;
        }
        w->good_end = i->e.offset + i->e.length;
    }
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_walk(Zvhd2Check *c, const Zvhd2Desc *header, Zvhd2Walk *w)
{
    AioTaskPool *pool = zvhd2_co_verify_pool(c);
    int64_t last = -1;
    int ret = 0;

    *w = (Zvhd2Walk) {
        .items = g_array_new(false, false, sizeof(Zvhd2WalkItem)),
        .end = ZVHD2_ALIGN,
    };
    while (w->end < c->size && c->size - w->end >= ZVHD2_ALIGN &&
           aio_task_pool_status(pool) == 0) {
        Zvhd2Item kind;
        Zvhd2Record r;
        Zvhd2Finding f;
        Zvhd2WalkItem item = { 0 };

        ret = zvhd2_co_check_read(c, w->end, ZVHD2_DESC_SIZE, "record");
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
                zvhd2_check_trailer(c, &f);
            }
            break;
        }
        if (kind == ZVHD2_ITEM_BAD) {
            zvhd2_check_corruption(c, &f);
            break;
        }
        last = r.block;
        item.e = (Zvhd2Entry) {
            .offset = w->end,
            .block = r.block,
            .length = zvhd2_record_length(r.size),
        };
        g_array_append_val(w->items, item);
        verify_start(pool, c, &item.e, w);
        w->end += item.e.length;
    }

    ret = MIN(ret, zvhd2_co_verify_wait(pool));
    if (ret < 0) {
        zvhd2_walk_free(w);
        return ret;
    }
    walk_finish(w);
    return 0;
}
