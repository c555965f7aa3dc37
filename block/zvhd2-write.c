/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: from guest writes to a finished image
 *
 * A new image is a stream: records stand in ascending block order, each
 * starts where its predecessor ends, and where that is, is known only when
 * the predecessor is compressed.  qemu-img convert waits for each write before
 * it issues the next, so compressing inside the write would use one CPU.
 * Therefore a write only copies its data into a slot and returns; each slot
 * has a coroutine that compresses its block in the thread pool, waits for its
 * turn to be given an offset, and writes the record.  The number of slots
 * bounds memory, the number of codecs bounds the threads.
 *
 *     write -> [open slot] -> queue -> compress -> place (in order) -> write
 *
 * The first error sticks: it is returned by the next call, and an image that
 * has met one is never finished.  Finishing, i.e. writing what stands behind
 * the records, happens in a request whose caller sees its error, never in
 * close: for qemu-img convert that is the empty compressed write at the end,
 * for plain writers the write that reaches the end of the disk.
 */
#include "zvhd2-driver.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"

/* Blocks that are compressed, but wait for a slower predecessor or the disk */
#define SPARE_SLOTS_PER_THREAD 1
#define SPARE_SLOTS 2

/* Trailer parts are written in pieces of this size */
#define TRAILER_CHUNK ZVHD2_INDEX_SEG_SIZE

typedef struct Slot {
    BlockDriverState *bs;
    uint32_t block;
    uint64_t turn;              /* number of the slot in order of blocks */
    uint8_t *plain;             /* block_size bytes */
    uint32_t filled;            /* bytes of @plain that are set, from 0 on */
    uint8_t *record;            /* the record, payload at its place */
    uint32_t record_cap;
    Zvhd2Codec *codec;          /* while compressing */
    int64_t payload;            /* result of compressing: bytes or -errno */
    QSLIST_ENTRY(Slot) next;    /* in Zvhd2Writer.free_slots */
} Slot;

typedef struct CodecBox {
    Zvhd2Codec *codec;
    QSLIST_ENTRY(CodecBox) next;
} CodecBox;

struct Zvhd2Writer {
    /* constant */
    uint32_t block_size;
    unsigned threads;
    unsigned max_slots;
    int level;
    bool clean_header;          /* the header holds a hint */

    /*
     * Held by the one request that appends.  It is taken in order of arrival
     * and covers the fields down to @lock.
     */
    CoMutex order;
    Slot *open;                 /* data of @open_block; NULL: zeros so far */
    uint32_t open_block;        /* all blocks below are closed */
    bool touched;               /* somebody wrote */
    bool finished;
    bool read_refused;          /* has been reported */

    CoMutex lock;               /* covers everything below */
    int ret;                    /* first error; 0 while all is well */
    QSLIST_HEAD(, Slot) free_slots;
    unsigned slots;             /* allocated ones */
    unsigned busy;              /* slots with a running coroutine */
    QSLIST_HEAD(, CodecBox) codecs;
    CodecBox *codec_boxes;      /* @threads of them */
    uint64_t turns_given;
    uint64_t turn;              /* whose turn it is to get an offset */
    uint64_t data_end;          /* offset of the next record */
    Zvhd2Builder *builder;
    CoQueue slot_freed;
    CoQueue codec_freed;
    CoQueue turn_moved;
    CoQueue idle;               /* busy fell to 0 */
};

/* --- the pipeline: slots --- */

static void slot_free(Slot *slot)
{
    if (slot) {
        qemu_vfree(slot->plain);
        qemu_vfree(slot->record);
        g_free(slot);
    }
}

static Slot *GRAPH_RDLOCK slot_new(BlockDriverState *bs)
{
    BDRVZvhd2State *s = bs->opaque;
    uint32_t block_size = s->desc.block_size;
    Slot *slot = g_new0(Slot, 1);

    slot->bs = bs;
    slot->record_cap = zvhd2_record_length(
        zvhd2_codec_bound(s->desc.method, block_size));
    slot->plain = qemu_try_memalign(ZVHD2_ALIGN, block_size);
    slot->record = qemu_try_blockalign(bs->file->bs, slot->record_cap);
    if (!slot->plain || !slot->record) {
        slot_free(slot);
        return NULL;
    }
    return slot;
}

/* The first error wins; @what and @slot say where it was met. */
static void writer_fail_locked(Zvhd2Writer *w, int ret)
{
    assert(ret < 0);
    if (w->ret == 0) {
        w->ret = ret;
    }
}

/* Waits for a free slot; 0, or the sticky error, or -ENOMEM. */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_get_slot(BlockDriverState *bs, Slot **out)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;
    Slot *slot;

    QEMU_LOCK_GUARD(&w->lock);
    while (w->ret == 0 && QSLIST_EMPTY(&w->free_slots) &&
           w->slots == w->max_slots) {
        qemu_co_queue_wait(&w->slot_freed, &w->lock);
    }
    if (w->ret < 0) {
        return w->ret;
    }

    slot = QSLIST_FIRST(&w->free_slots);
    if (slot) {
        QSLIST_REMOVE_HEAD(&w->free_slots, next);
    } else {
        slot = slot_new(bs);
        if (!slot) {
            error_report("zvhd2: no memory for a block of %" PRIu32 " bytes",
                         w->block_size);
            writer_fail_locked(w, -ENOMEM);
            return w->ret;
        }
        w->slots++;
    }
    slot->filled = 0;
    *out = slot;
    return 0;
}

static void coroutine_fn put_slot_locked(Zvhd2Writer *w, Slot *slot)
{
    QSLIST_INSERT_HEAD(&w->free_slots, slot, next);
    qemu_co_queue_next(&w->slot_freed);
}

/* Runs in a thread of the pool. */
static int compress_slot(void *opaque)
{
    Slot *slot = opaque;
    BDRVZvhd2State *s = slot->bs->opaque;
    Zvhd2Record r = { .block = slot->block };

    slot->payload = zvhd2_compress(slot->codec,
                                   slot->record + ZVHD2_RECORD_HEAD,
                                   slot->record_cap - ZVHD2_RECORD_HEAD -
                                   ZVHD2_RECORD_TAIL,
                                   slot->plain, s->desc.block_size);
    if (slot->payload < 0) {
        return slot->payload;
    }
    r.size = slot->payload;
    zvhd2_record_encode(&r, slot->record);
    zvhd2_record_seal(slot->record, r.size);
    return 0;
}

/* Compresses @slot on one of w->threads threads. */
static int coroutine_fn zvhd2_co_compress(Zvhd2Writer *w, Slot *slot)
{
    CodecBox *box;
    int ret;

    qemu_co_mutex_lock(&w->lock);
    while (QSLIST_EMPTY(&w->codecs)) {
        qemu_co_queue_wait(&w->codec_freed, &w->lock);
    }
    box = QSLIST_FIRST(&w->codecs);
    QSLIST_REMOVE_HEAD(&w->codecs, next);
    qemu_co_mutex_unlock(&w->lock);

    slot->codec = box->codec;
    ret = thread_pool_submit_co(compress_slot, slot);
    slot->codec = NULL;

    qemu_co_mutex_lock(&w->lock);
    QSLIST_INSERT_HEAD(&w->codecs, box, next);
    qemu_co_queue_next(&w->codec_freed);
    qemu_co_mutex_unlock(&w->lock);

    if (ret < 0) {
        error_report("zvhd2: cannot compress block %" PRIu32 ": %s",
                     slot->block, strerror(-ret));
    }
    return ret;
}

/*
 * Waits until all blocks before have their places and takes the next one.
 * @compressed: what compressing gave; an error only passes the turn on.
 */
static int coroutine_fn
zvhd2_co_place(Zvhd2Writer *w, Slot *slot, int compressed, Zvhd2Entry *e)
{
    int ret = compressed;

    QEMU_LOCK_GUARD(&w->lock);
    while (slot->turn != w->turn) {
        qemu_co_queue_wait(&w->turn_moved, &w->lock);
    }
    if (ret == 0) {
        ret = w->ret;
    }
    if (ret == 0) {
        *e = (Zvhd2Entry) {
            .offset = w->data_end,
            .block = slot->block,
            .length = zvhd2_record_length(slot->payload),
        };
        ret = zvhd2_builder_add(w->builder, e);
        w->data_end += ret == 0 ? e->length : 0;
    }
    if (ret < 0) {
        writer_fail_locked(w, ret);
    }
    w->turn++;
    qemu_co_queue_restart_all(&w->turn_moved);
    return ret;
}

/* The life of one full block: compress, place, write. */
static void coroutine_fn zvhd2_co_slot_entry(void *opaque)
{
    Slot *slot = opaque;
    BlockDriverState *bs = slot->bs;
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;
    Zvhd2Entry e;
    int ret;

    ret = zvhd2_co_compress(w, slot);
    ret = zvhd2_co_place(w, slot, ret, &e);
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

    qemu_co_mutex_lock(&w->lock);
    if (ret < 0) {
        writer_fail_locked(w, ret);
    }
    put_slot_locked(w, slot);
    w->busy--;
    if (w->busy == 0) {
        qemu_co_queue_restart_all(&w->idle);
    }
    qemu_co_mutex_unlock(&w->lock);
    bdrv_dec_in_flight(bs);
}

/* Waits until every closed block is in the file; the sticky error or 0. */
static int coroutine_fn zvhd2_co_drain(Zvhd2Writer *w)
{
    QEMU_LOCK_GUARD(&w->lock);
    while (w->busy > 0) {
        qemu_co_queue_wait(&w->idle, &w->lock);
    }
    return w->ret;
}

/* --- appending; the caller holds w->order --- */

static int coroutine_fn zvhd2_co_writer_ret(Zvhd2Writer *w)
{
    QEMU_LOCK_GUARD(&w->lock);
    return w->ret;
}

/* Closes the open block: into the pipeline, or nowhere if it is all zero. */
static void coroutine_fn zvhd2_co_close_block(BlockDriverState *bs)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;
    Slot *slot = w->open;

    w->open = NULL;
    if (!slot) {
        w->open_block++;
        return;
    }
    slot->block = w->open_block++;

    if (buffer_is_zero(slot->plain, slot->filled)) {
        qemu_co_mutex_lock(&w->lock);
        put_slot_locked(w, slot);
        qemu_co_mutex_unlock(&w->lock);
        return;
    }
    memset(slot->plain + slot->filled, 0, w->block_size - slot->filled);

    qemu_co_mutex_lock(&w->lock);
    slot->turn = w->turns_given++;
    w->busy++;
    qemu_co_mutex_unlock(&w->lock);

    /* keeps a drained section waiting until the slot has done its work */
    bdrv_inc_in_flight(bs);
    qemu_coroutine_enter(qemu_coroutine_create(zvhd2_co_slot_entry, slot));
}

/*
 * Sets @bytes at @in (within the open block) from @qiov; NULL: to zero.
 * The part of a block that nobody wrote is zero.
 */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_fill(BlockDriverState *bs, uint32_t in, uint32_t bytes,
              QEMUIOVector *qiov, size_t qiov_offset)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;
    Slot *slot;

    if (!qiov) {
        slot = w->open;
        if (slot && in < slot->filled) {
            memset(slot->plain + in, 0, MIN(bytes, slot->filled - in));
        }
        return 0;
    }

    if (!w->open) {
        int ret = zvhd2_co_get_slot(bs, &w->open);
        if (ret < 0) {
            return ret;
        }
    }
    slot = w->open;
    if (in > slot->filled) {
        memset(slot->plain + slot->filled, 0, in - slot->filled);
    }
    qemu_iovec_to_buf(qiov, qiov_offset, slot->plain + in, bytes);
    slot->filled = MAX(slot->filled, in + bytes);
    return 0;
}

/* Takes the footer away, so that nothing takes the image for a good one. */
static void coroutine_fn GRAPH_RDLOCK
zvhd2_co_cut_off(BlockDriverState *bs, uint64_t end)
{
    int ret = bdrv_co_truncate(bs->file, end, true, PREALLOC_MODE_OFF, 0,
                               NULL);

    if (ret < 0) {
        error_report("zvhd2: cannot take the footer of '%s' away: %s; delete "
                     "the image", bs->filename, strerror(-ret));
    }
}

/*
 * A write that cannot be appended means that the caller's disk is not what
 * the image will hold, so the image must not look finished.
 */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_refuse(BlockDriverState *bs, int64_t offset)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;

    error_report("zvhd2: write at offset %" PRIi64 " goes back into block %"
                 PRIu32 ", which is already %s: an image is written once, "
                 "from start to end; write in ascending order (nbdcopy: "
                 "--requests=1 --connections=1), or write raw and convert",
                 offset, (uint32_t)(offset / w->block_size),
                 w->finished ? "part of a finished image" : "compressed");
    qemu_co_mutex_lock(&w->lock);
    writer_fail_locked(w, -EINVAL);
    qemu_co_mutex_unlock(&w->lock);

    if (w->finished) {
        w->finished = false;
        zvhd2_co_cut_off(bs, w->data_end);
    }
    return -EINVAL;
}

/* Writes @qiov, or zeros if it is NULL; the range may span blocks. */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_append(BlockDriverState *bs, int64_t offset, int64_t bytes,
                QEMUIOVector *qiov, size_t qiov_offset)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;
    int64_t end = offset + bytes;
    int ret = zvhd2_co_writer_ret(w);

    if (ret < 0) {
        return ret;
    }
    if (end > s->desc.orig_size) {
        return -EINVAL;
    }
    w->touched = true;
    if (w->finished || offset / w->block_size < w->open_block) {
        return zvhd2_co_refuse(bs, offset);
    }

    while (offset < end) {
        uint32_t block = offset / w->block_size;
        uint32_t in = offset % w->block_size;
        int64_t n = MIN(end - offset, w->block_size - in);

        if (block != w->open_block) {
            zvhd2_co_close_block(bs);
            w->open_block = block;
        }
        ret = zvhd2_co_fill(bs, in, n, qiov, qiov_offset);
        if (ret < 0) {
            return ret;
        }
        if (!qiov && !w->open) {
            /* no data here, none to come: go on in the last block */
            n = MAX(n, QEMU_ALIGN_DOWN(end - 1, w->block_size) - offset);
        }
        offset += n;
        qiov_offset += n;
    }
    return 0;
}

static int coroutine_fn GRAPH_RDLOCK zvhd2_co_finish(BlockDriverState *bs)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;
    Zvhd2Desc desc = s->desc;
    int ret;

    if (w->finished) {
        return zvhd2_co_writer_ret(w);
    }
    zvhd2_co_close_block(bs);
    ret = zvhd2_co_drain(w);
    if (ret < 0) {
        return ret;
    }

    w->touched = true;
    ret = zvhd2_co_write_trailer(bs, &desc, w->builder, w->data_end,
                                 w->clean_header);
    if (ret < 0) {
        qemu_co_mutex_lock(&w->lock);
        writer_fail_locked(w, ret);
        qemu_co_mutex_unlock(&w->lock);
        return ret;
    }
    w->finished = true;
    return 0;
}

/* --- requests --- */

static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_write(BlockDriverState *bs, int64_t offset, int64_t bytes,
               QEMUIOVector *qiov, size_t qiov_offset)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;
    int ret;

    if (!w) {
        return -EPERM;
    }
    if (bytes == 0) {
        return 0;
    }

    QEMU_LOCK_GUARD(&w->order);
    ret = zvhd2_co_append(bs, offset, bytes, qiov, qiov_offset);
    if (ret == 0 && offset + bytes >= s->desc.orig_size) {
        ret = zvhd2_co_finish(bs);
    }
    return ret;
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_pwritev_part(BlockDriverState *bs, int64_t offset, int64_t bytes,
                      QEMUIOVector *qiov, size_t qiov_offset,
                      BdrvRequestFlags flags)
{
    return zvhd2_co_write(bs, offset, bytes, qiov, qiov_offset);
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                       BdrvRequestFlags flags)
{
    return zvhd2_co_write(bs, offset, bytes, NULL, 0);
}

/*
 * From qemu-img convert: a piece of bdrv_get_info()'s cluster size each.
 * The empty write means that no more will come.
 */
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_pwritev_compressed_part(BlockDriverState *bs, int64_t offset,
                                 int64_t bytes, QEMUIOVector *qiov,
                                 size_t qiov_offset)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;
    int64_t end = offset + bytes;
    int ret;

    if (!w) {
        return -EPERM;
    }

    QEMU_LOCK_GUARD(&w->order);
    if (bytes == 0) {
        return zvhd2_co_finish(bs);
    }
    ret = zvhd2_co_append(bs, offset, bytes, qiov, qiov_offset);
    if (ret == 0 && (end % w->block_size == 0 || end >= s->desc.orig_size)) {
        zvhd2_co_close_block(bs);
    }
    return ret;
}

/*
 * Makes what was written so far reach the file, and its errors the caller.
 * The open block stays in memory: it may still change.
 */
int coroutine_fn GRAPH_RDLOCK zvhd2_co_flush_to_os(BlockDriverState *bs)
{
    BDRVZvhd2State *s = bs->opaque;

    if (!s->writer) {
        return 0;
    }
    QEMU_LOCK_GUARD(&s->writer->order);
    return zvhd2_co_drain(s->writer);
}

bool zvhd2_writer_is_empty(const Zvhd2Writer *w)
{
    return !w->touched;
}

int coroutine_fn zvhd2_co_read_unfinished(BlockDriverState *bs, int64_t bytes,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;

    if (w && zvhd2_writer_is_empty(w)) {
        qemu_iovec_memset(qiov, qiov_offset, 0, bytes);
        return 0;
    }
    if (w && !w->read_refused) {
        error_report("zvhd2: '%s' is being written: it can be read when it "
                     "is finished and opened again", bs->filename);
        w->read_refused = true;
    }
    return -ENOTSUP;
}

/* --- the trailer --- */

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

/* --- open and close --- */

static void writer_free(Zvhd2Writer *w)
{
    Slot *slot;

    slot_free(w->open);
    while ((slot = QSLIST_FIRST(&w->free_slots))) {
        QSLIST_REMOVE_HEAD(&w->free_slots, next);
        slot_free(slot);
    }
    for (unsigned i = 0; i < w->threads; i++) {
        zvhd2_codec_free(w->codec_boxes[i].codec);
    }
    g_free(w->codec_boxes);
    zvhd2_builder_free(w->builder);
    g_free(w);
}

int zvhd2_writer_open(BlockDriverState *bs, const Zvhd2Hint *hint,
                      Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = g_new0(Zvhd2Writer, 1);
    unsigned i;

    w->block_size = s->desc.block_size;
    w->threads = zvhd2_threads(s->threads ? s->threads : hint->threads);
    w->max_slots = w->threads * (1 + SPARE_SLOTS_PER_THREAD) + SPARE_SLOTS;
    w->clean_header = hint->level || hint->threads;
    w->data_end = ZVHD2_ALIGN;
    qemu_co_mutex_init(&w->order);
    qemu_co_mutex_init(&w->lock);
    qemu_co_queue_init(&w->slot_freed);
    qemu_co_queue_init(&w->codec_freed);
    qemu_co_queue_init(&w->turn_moved);
    qemu_co_queue_init(&w->idle);

    w->codec_boxes = g_new0(CodecBox, w->threads);
    w->builder = zvhd2_builder_new(s->desc.max_blk_num);
    if (!w->builder) {
        goto fail;
    }
    for (i = 0; i < w->threads; i++) {
        CodecBox *box = &w->codec_boxes[i];

        box->codec = zvhd2_codec_new(s->desc.method, hint->level);
        if (!box->codec) {
            goto fail;
        }
        QSLIST_INSERT_HEAD(&w->codecs, box, next);
    }
    s->writer = w;
    return 0;

fail:
    error_setg(errp, "zvhd2: no memory for compressing");
    writer_free(w);
    return -ENOMEM;
}

void zvhd2_writer_close(BlockDriverState *bs)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;

    if (!w) {
        return;
    }
    assert(w->busy == 0);
    if (w->touched && !w->finished) {
        error_report("zvhd2: '%s' is not finished and cannot be used: "
                     "convert again, or salvage the blocks that were written "
                     "with 'qemu-img check -r all'", bs->filename);
    }
    s->writer = NULL;
    writer_free(w);
}
