/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: whole blocks -> records in the file, in parallel and yet
 * in order
 *
 * Each block has a slot, and each slot a coroutine that has a worker compress
 * the block, waits for its turn to be given the next offset, and writes the
 * record:
 *
 *     submit -> compress -> place (in order of blocks) -> write
 *
 * The number of slots bounds the memory.  They are more than workers, so that
 * a worker that is done finds the next block, and a block that takes long, or
 * a slow disk, does not stop the others at once.
 */
#include "zvhd2-write.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"

/* Blocks that are compressed, but wait for a slower predecessor or the disk */
#define SPARE_SLOTS_PER_THREAD 1
#define SPARE_SLOTS 2

struct Zvhd2Pipeline {
    /* constant */
    Zvhd2Workers *workers;
    unsigned max_slots;

    CoMutex lock;               /* covers everything below */
    int ret;                    /* first error; 0 while all is well */
    QSLIST_HEAD(, Zvhd2Slot) free_slots;
    unsigned slots;             /* allocated ones */
    unsigned busy;              /* slots with a running coroutine */
    uint64_t turns_given;
    uint64_t turn;              /* whose turn it is to get an offset */
    uint64_t data_end;          /* offset of the next record */
    Zvhd2Builder *builder;
    CoQueue slot_freed;
    CoQueue turn_moved;
    CoQueue idle;               /* busy fell to 0 */
};

void zvhd2_slot_free(Zvhd2Slot *slot)
{
    if (slot) {
        qemu_vfree(slot->plain);
        qemu_vfree(slot->record);
        g_free(slot);
    }
}

static Zvhd2Slot *GRAPH_RDLOCK
slot_new(BlockDriverState *bs, Zvhd2Pipeline *p)
{
    BDRVZvhd2State *s = bs->opaque;
    uint32_t block_size = s->desc.block_size;
    Zvhd2Slot *slot = g_new0(Zvhd2Slot, 1);

    slot->bs = bs;
    slot->pipeline = p;
    slot->record_cap = zvhd2_record_length(
        zvhd2_codec_bound(s->desc.method, block_size));
    slot->plain = qemu_try_memalign(ZVHD2_ALIGN, block_size);
    slot->record = qemu_try_blockalign(bs->file->bs, slot->record_cap);
    if (!slot->plain || !slot->record) {
        zvhd2_slot_free(slot);
        return NULL;
    }
    return slot;
}

/* The first error wins. */
static void fail_locked(Zvhd2Pipeline *p, int ret)
{
    assert(ret < 0);
    if (p->ret == 0) {
        p->ret = ret;
    }
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_get_slot(BlockDriverState *bs, Zvhd2Pipeline *p, Zvhd2Slot **out)
{
    Zvhd2Slot *slot;

    QEMU_LOCK_GUARD(&p->lock);
    while (p->ret == 0 && QSLIST_EMPTY(&p->free_slots) &&
           p->slots == p->max_slots) {
        qemu_co_queue_wait(&p->slot_freed, &p->lock);
    }
    if (p->ret < 0) {
        return p->ret;
    }

    slot = QSLIST_FIRST(&p->free_slots);
    if (slot) {
        QSLIST_REMOVE_HEAD(&p->free_slots, next);
    } else {
        slot = slot_new(bs, p);
        if (!slot) {
            error_report("zvhd2: no memory for another block");
            fail_locked(p, -ENOMEM);
            return p->ret;
        }
        p->slots++;
    }
    slot->filled = 0;
    *out = slot;
    return 0;
}

static void coroutine_fn put_slot_locked(Zvhd2Pipeline *p, Zvhd2Slot *slot)
{
    QSLIST_INSERT_HEAD(&p->free_slots, slot, next);
    qemu_co_queue_next(&p->slot_freed);
}

void coroutine_fn zvhd2_co_put_slot(Zvhd2Slot *slot)
{
    QEMU_LOCK_GUARD(&slot->pipeline->lock);
    put_slot_locked(slot->pipeline, slot);
}

/* Runs in a worker's thread. */
static void compress_slot(Zvhd2Job *job, Zvhd2Codec *codec)
{
    Zvhd2Slot *slot = container_of(job, Zvhd2Slot, job);
    BDRVZvhd2State *s = slot->bs->opaque;
    Zvhd2Record r = { .block = slot->block };

    slot->payload = zvhd2_compress(codec, slot->record + ZVHD2_RECORD_HEAD,
                                   slot->record_cap - ZVHD2_RECORD_HEAD -
                                   ZVHD2_RECORD_TAIL,
                                   slot->plain, s->desc.block_size);
    if (slot->payload >= 0) {
        r.size = slot->payload;
        zvhd2_record_encode(&r, slot->record);
        zvhd2_record_seal(slot->record, r.size);
    }
}

static int coroutine_fn zvhd2_co_compress(Zvhd2Pipeline *p, Zvhd2Slot *slot)
{
    slot->job.func = compress_slot;
    zvhd2_co_work(p->workers, &slot->job);
    if (slot->payload < 0) {
        error_report("zvhd2: cannot compress block %" PRIu32 ": %s",
                     slot->block, strerror(-slot->payload));
        return slot->payload;
    }
    return 0;
}

/*
 * Waits until all blocks before have their places and takes the next one.
 * @compressed: what compressing gave; an error only passes the turn on.
 */
static int coroutine_fn
zvhd2_co_place(Zvhd2Pipeline *p, Zvhd2Slot *slot, int compressed, Zvhd2Entry *e)
{
    int ret = compressed;

    QEMU_LOCK_GUARD(&p->lock);
    while (slot->turn != p->turn) {
        qemu_co_queue_wait(&p->turn_moved, &p->lock);
    }
    if (ret == 0) {
        ret = p->ret;
    }
    if (ret == 0) {
        *e = (Zvhd2Entry) {
            .offset = p->data_end,
            .block = slot->block,
            .length = zvhd2_record_length(slot->payload),
        };
        ret = zvhd2_builder_add(p->builder, e);
        if (ret < 0) {
            error_report("zvhd2: cannot note block %" PRIu32 " in the index: "
                         "%s", e->block, strerror(-ret));
        } else {
            p->data_end += e->length;
        }
    }
    if (ret < 0) {
        fail_locked(p, ret);
    }
    p->turn++;
    qemu_co_queue_restart_all(&p->turn_moved);
    return ret;
}

/* The life of one block: compress, place, write. */
static void coroutine_fn zvhd2_co_slot_entry(void *opaque)
{
    Zvhd2Slot *slot = opaque;
    BlockDriverState *bs = slot->bs;
    Zvhd2Pipeline *p = slot->pipeline;
    Zvhd2Entry e;
    int ret;

    ret = zvhd2_co_compress(p, slot);
    ret = zvhd2_co_place(p, slot, ret, &e);
    if (ret == 0) {
        /* not the guard: clang before 17 takes that for a lock never freed */
        bdrv_graph_co_rdlock();
        ret = bdrv_co_pwrite(bs->file, e.offset, e.length, slot->record, 0);
        bdrv_graph_co_rdunlock();
        if (ret < 0) {
            error_report("zvhd2: cannot write block %" PRIu32 " at offset %"
                         PRIu64 " of '%s': %s", e.block, e.offset,
                         bs->filename, strerror(-ret));
        }
    }

    qemu_co_mutex_lock(&p->lock);
    if (ret < 0) {
        fail_locked(p, ret);
    }
    put_slot_locked(p, slot);
    p->busy--;
    if (p->busy == 0) {
        qemu_co_queue_restart_all(&p->idle);
    }
    qemu_co_mutex_unlock(&p->lock);
    bdrv_dec_in_flight(bs);
}

void coroutine_fn zvhd2_co_submit(Zvhd2Slot *slot, uint32_t block)
{
    Zvhd2Pipeline *p = slot->pipeline;

    qemu_co_mutex_lock(&p->lock);
    slot->block = block;
    slot->turn = p->turns_given++;
    p->busy++;
    qemu_co_mutex_unlock(&p->lock);

    /* keeps a drained section waiting until the slot has done its work */
    bdrv_inc_in_flight(slot->bs);
    qemu_coroutine_enter(qemu_coroutine_create(zvhd2_co_slot_entry, slot));
}

int coroutine_fn zvhd2_co_drain(Zvhd2Pipeline *p)
{
    QEMU_LOCK_GUARD(&p->lock);
    while (p->busy > 0) {
        qemu_co_queue_wait(&p->idle, &p->lock);
    }
    return p->ret;
}

int coroutine_fn zvhd2_co_pipeline_ret(Zvhd2Pipeline *p)
{
    QEMU_LOCK_GUARD(&p->lock);
    return p->ret;
}

void coroutine_fn zvhd2_co_pipeline_fail(Zvhd2Pipeline *p, int ret)
{
    QEMU_LOCK_GUARD(&p->lock);
    fail_locked(p, ret);
}

const Zvhd2Builder *zvhd2_pipeline_records(const Zvhd2Pipeline *p,
                                           uint64_t *data_end)
{
    assert(p->busy == 0);
    *data_end = p->data_end;
    return p->builder;
}

/* --- making and freeing --- */

Zvhd2Pipeline *zvhd2_pipeline_new(BlockDriverState *bs, int level,
                                  unsigned threads)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Pipeline *p = g_new0(Zvhd2Pipeline, 1);

    p->max_slots = threads * (1 + SPARE_SLOTS_PER_THREAD) + SPARE_SLOTS;
    p->data_end = ZVHD2_ALIGN;
    qemu_co_mutex_init(&p->lock);
    qemu_co_queue_init(&p->slot_freed);
    qemu_co_queue_init(&p->turn_moved);
    qemu_co_queue_init(&p->idle);

    p->workers = zvhd2_workers_new(s->desc.method, level, threads);
    p->builder = zvhd2_builder_new(s->desc.max_blk_num);
    if (!p->workers || !p->builder) {
        zvhd2_pipeline_free(p);
        return NULL;
    }
    return p;
}

void zvhd2_pipeline_free(Zvhd2Pipeline *p)
{
    Zvhd2Slot *slot;

    if (!p) {
        return;
    }
    assert(p->busy == 0);
    while ((slot = QSLIST_FIRST(&p->free_slots))) {
        QSLIST_REMOVE_HEAD(&p->free_slots, next);
        zvhd2_slot_free(slot);
    }
    zvhd2_workers_free(p->workers);
    zvhd2_builder_free(p->builder);
    g_free(p);
}
