/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: from guest writes to a finished image
 *
 * A new image is a stream: records stand in ascending block order, each
 * starts where its predecessor ends, and where that is, is known only when
 * the predecessor is compressed.  qemu-img convert waits for each write before
 * it issues the next, so compressing inside the write would use one CPU.
 * Therefore a write only copies its data, hands whole blocks to the pipeline,
 * and returns.
 *
 * The first error sticks: it is returned by the next call, and an image that
 * has met one is never finished.  Finishing, i.e. writing what stands behind
 * the records, happens in a request whose caller sees its error, never in
 * close: for qemu-img convert that is the empty compressed write at the end,
 * for plain writers the write that reaches the end of the disk.
 */
#include "zvhd2-write.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"

struct Zvhd2Writer {
    /* constant */
    uint32_t block_size;
    bool clean_header;          /* the header holds a hint */
    Zvhd2Pipeline *pipeline;

    /*
     * Held by the one request that appends.  It is taken in order of arrival
     * and covers everything below.
     */
    CoMutex order;
    Zvhd2Slot *open;            /* data of @open_block; NULL: zeros so far */
    uint32_t open_block;        /* all blocks below are closed */
    bool touched;               /* somebody wrote */
    bool finished;
    bool read_refused;          /* has been reported */
};

/* --- appending; the caller holds w->order --- */

/* Closes the open block: into the pipeline, or nowhere if it is all zero. */
static void coroutine_fn zvhd2_co_close_block(Zvhd2Writer *w)
{
    uint32_t block = w->open_block++;
    Zvhd2Slot *slot = w->open;

    w->open = NULL;
    if (!slot) {
        return;
    }
    if (buffer_is_zero(slot->plain, slot->filled)) {
        zvhd2_co_put_slot(slot);
        return;
    }
    memset(slot->plain + slot->filled, 0, w->block_size - slot->filled);
    zvhd2_co_submit(slot, block);
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
    Zvhd2Slot *slot;

    if (!qiov) {
        slot = w->open;
        if (slot && in < slot->filled) {
            memset(slot->plain + in, 0, MIN(bytes, slot->filled - in));
        }
        return 0;
    }

    if (!w->open) {
        int ret = zvhd2_co_get_slot(bs, w->pipeline, &w->open);
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
    zvhd2_co_pipeline_fail(w->pipeline, -EINVAL);

    if (w->finished) {
        uint64_t data_end;

        zvhd2_pipeline_records(w->pipeline, &data_end);
        w->finished = false;
        zvhd2_co_cut_off(bs, data_end);
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
    int ret = zvhd2_co_pipeline_ret(w->pipeline);

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
            zvhd2_co_close_block(w);
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
    const Zvhd2Builder *b;
    uint64_t data_end;
    int ret;

    if (w->finished) {
        return zvhd2_co_pipeline_ret(w->pipeline);
    }
    zvhd2_co_close_block(w);
    ret = zvhd2_co_drain(w->pipeline);
    if (ret < 0) {
        return ret;
    }

    w->touched = true;
    b = zvhd2_pipeline_records(w->pipeline, &data_end);
    ret = zvhd2_co_write_trailer(bs, &desc, b, data_end, w->clean_header);
    if (ret < 0) {
        zvhd2_co_pipeline_fail(w->pipeline, ret);
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
        zvhd2_co_close_block(w);
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
    return zvhd2_co_drain(s->writer->pipeline);
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

/* --- open and close --- */

int zvhd2_writer_open(BlockDriverState *bs, const Zvhd2Hint *hint,
                      Error **errp)
{
    BDRVZvhd2State *s = bs->opaque;
    unsigned threads = s->threads ? s->threads : hint->threads;
    Zvhd2Pipeline *p = zvhd2_pipeline_new(bs, hint->level,
                                          zvhd2_threads(threads));
    Zvhd2Writer *w;

    if (!p) {
        error_setg(errp, "No memory for compressing");
        return -ENOMEM;
    }
    w = g_new0(Zvhd2Writer, 1);
    w->block_size = s->desc.block_size;
    w->clean_header = hint->level || hint->threads;
    w->pipeline = p;
    qemu_co_mutex_init(&w->order);
    s->writer = w;
    return 0;
}

void zvhd2_writer_close(BlockDriverState *bs)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Writer *w = s->writer;

    if (!w) {
        return;
    }
    if (w->touched && !w->finished) {
        error_report("zvhd2: '%s' is not finished and cannot be used: "
                     "convert again, or salvage the blocks that were written "
                     "with 'qemu-img check -r all'", bs->filename);
    }
    s->writer = NULL;
    zvhd2_slot_free(w->open);
    zvhd2_pipeline_free(w->pipeline);
    g_free(w);
}
