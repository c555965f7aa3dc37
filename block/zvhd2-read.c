/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: from records to what the guest reads
 *
 * A block is compressed as a whole, so the least that a read can cost is to
 * expand one.  Reads of whole blocks into one piece of memory, which is what
 * qemu-img convert does, expand right into the caller's buffer.  All others
 * go through a small cache of expanded blocks: small sequential reads expand
 * a block once, and concurrent readers of a block wait for the first of them.
 *
 * Records are read and expanded by a bounded number of expanders; each has a
 * buffer for a record and a codec.  Expanding runs in the thread pool.
 */
#include "zvhd2-driver.h"
#include "block/aio_task.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"
#include "qemu/units.h"

/* Damaged blocks to report; a badly damaged image should not flood stderr */
#define MAX_REPORTS 32

/* Expanders per thread: some wait for the file while others expand */
#define EXPANDERS_PER_THREAD 2
#define SPARE_EXPANDERS 2

#define MIN_CACHED_BLOCKS 2
#define MIN_RECORD_BUFFER (64 * KiB)

typedef struct Expander {
    Zvhd2Codec *codec;
    uint8_t *record;
    uint32_t cap;               /* bytes allocated at @record */
    uint8_t *scratch;           /* a block; for verifying only */
    QSLIST_ENTRY(Expander) next;
} Expander;

typedef struct CachedBlock {
    uint32_t block;
    unsigned users;             /* requests that copy from it or wait for it */
    bool ready;                 /* @data is filled, or @ret < 0 */
    int ret;
    uint8_t *data;
    QTAILQ_ENTRY(CachedBlock) next;
} CachedBlock;

struct Zvhd2Reader {
    /* constant */
    unsigned max_expanders;
    unsigned max_blocks;

    /*
     * Covers everything below.  What needs only the bitmap of @map may be
     * asked without it: the bitmap does not change.
     */
    CoMutex lock;
    Zvhd2Map *map;
    QSLIST_HEAD(, Expander) free_expanders;
    unsigned expanders;
    CoQueue expander_freed;
    QTAILQ_HEAD(, CachedBlock) cache;   /* most recently used first */
    unsigned blocks;
    CoQueue cache_changed;      /* a block became ready or unused */
    GHashTable *reported;       /* numbers of the blocks */
};

/* --- expanding one block --- */

typedef struct ExpandJob {
    Expander *x;
    Zvhd2Entry e;
    uint32_t block_size;
    uint8_t *dst;
    Zvhd2Finding finding;       /* set if the result is -EINVAL */
} ExpandJob;

/* Runs in a thread of the pool. */
static int expand_record(void *opaque)
{
    ExpandJob *job = opaque;
    Zvhd2Record r;
    int ret;

    if (!zvhd2_record_check(job->x->record, job->e.length, job->e.offset,
                            job->e.block, job->block_size, &r,
                            &job->finding)) {
        return -EINVAL;
    }
    ret = zvhd2_expand(job->x->codec, job->dst, job->block_size,
                       job->x->record + ZVHD2_RECORD_HEAD, r.size);
    if (ret == -EINVAL) {
        zvhd2_broken(&job->finding, ZVHD2_R24_EXPAND,
                     job->e.offset + ZVHD2_RECORD_HEAD, job->e.block, 0, 0);
    }
    return ret;
}

static void expander_free(Expander *x)
{
    qemu_vfree(x->record);
    qemu_vfree(x->scratch);
    zvhd2_codec_free(x->codec);
    g_free(x);
}

static Expander *coroutine_fn zvhd2_co_get_expander(BDRVZvhd2State *s)
{
    Zvhd2Reader *r = s->reader;
    Expander *x;

    QEMU_LOCK_GUARD(&r->lock);
    while (QSLIST_EMPTY(&r->free_expanders) &&
           r->expanders == r->max_expanders) {
        qemu_co_queue_wait(&r->expander_freed, &r->lock);
    }
    x = QSLIST_FIRST(&r->free_expanders);
    if (x) {
        QSLIST_REMOVE_HEAD(&r->free_expanders, next);
        return x;
    }
    x = g_new0(Expander, 1);
    x->codec = zvhd2_codec_new(s->desc.method, 0);
    if (!x->codec) {
        expander_free(x);
        return NULL;
    }
    r->expanders++;
    return x;
}

static void coroutine_fn zvhd2_co_put_expander(Zvhd2Reader *r, Expander *x)
{
    QEMU_LOCK_GUARD(&r->lock);
    QSLIST_INSERT_HEAD(&r->free_expanders, x, next);
    qemu_co_queue_next(&r->expander_freed);
}

/* Makes room for a record; the length has been checked against rule 16. */
static bool GRAPH_RDLOCK
expander_reserve(BlockDriverState *bs, Expander *x, uint32_t length)
{
    if (length > x->cap) {
        uint32_t cap = MAX(pow2ceil(length), MIN_RECORD_BUFFER);

        qemu_vfree(x->record);
        x->record = qemu_try_blockalign(bs->file->bs, cap);
        x->cap = x->record ? cap : 0;
    }
    return x->record;
}

static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_load_segment(BlockDriverState *bs, uint32_t seg)
{
    BDRVZvhd2State *s = bs->opaque;
    uint64_t offset;
    uint32_t length;
    uint8_t *buf;
    int ret;

    zvhd2_map_segment_range(s->reader->map, seg, &offset, &length);
    buf = qemu_try_blockalign(bs->file->bs, length);
    if (!buf) {
        return -ENOMEM;
    }
    ret = bdrv_co_pread(bs->file, offset, length, buf, 0);
    if (ret < 0) {
        error_report("zvhd2: cannot read the index at offset %" PRIu64
                     " of '%s': %s", offset, bs->filename, strerror(-ret));
    } else {
        ret = zvhd2_map_set_segment(s->reader->map, seg, buf);
    }
    qemu_vfree(buf);
    return ret;
}

static void coroutine_fn zvhd2_co_report(BlockDriverState *bs, uint32_t block,
                                         const char *text)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Reader *r = s->reader;

    QEMU_LOCK_GUARD(&r->lock);
    if (g_hash_table_size(r->reported) < MAX_REPORTS &&
        g_hash_table_add(r->reported, GUINT_TO_POINTER(block))) {
        error_report("zvhd2: '%s': %s", bs->filename, text);
    }
}

static void coroutine_fn
zvhd2_co_report_finding(BlockDriverState *bs, const Zvhd2Finding *f)
{
    char text[256];

    zvhd2_co_report(bs, f->block, zvhd2_finding_text(f, text, sizeof(text)));
}

/* Where is the record of @block?  1: @e says it; 0: there is none; -errno. */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_lookup(BlockDriverState *bs, uint32_t block, Zvhd2Entry *e)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Reader *r = s->reader;
    Zvhd2Lookup found;
    Zvhd2Finding f;
    uint32_t seg;

    qemu_co_mutex_lock(&r->lock);
    found = zvhd2_map_lookup(r->map, block, e, &seg, &f);
    if (found == ZVHD2_MAP_NEED_SEGMENT) {
        int ret = zvhd2_co_load_segment(bs, seg);

        if (ret < 0) {
            qemu_co_mutex_unlock(&r->lock);
            return ret;
        }
        found = zvhd2_map_lookup(r->map, block, e, &seg, &f);
    }
    qemu_co_mutex_unlock(&r->lock);

    switch (found) {
    case ZVHD2_MAP_ZERO:
        return 0;
    case ZVHD2_MAP_DATA:
        return 1;
    case ZVHD2_MAP_BAD:
        zvhd2_co_report_finding(bs, &f);
        return -EIO;
    default:
        g_assert_not_reached();
    }
}

/*
 * Reads the record at job->e and expands it to job->dst, or into nowhere if
 * that is NULL.  *@io says whether a failure was met reading the file.
 */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_run(BlockDriverState *bs, ExpandJob *job, bool *io)
{
    BDRVZvhd2State *s = bs->opaque;
    Expander *x = zvhd2_co_get_expander(s);
    int ret = -ENOMEM;

    *io = false;
    if (!x) {
        return ret;
    }
    job->x = x;
    job->block_size = s->desc.block_size;
    if (!job->dst) {
        if (!x->scratch) {
            x->scratch = qemu_try_memalign(ZVHD2_ALIGN, s->desc.block_size);
        }
        job->dst = x->scratch;
    }
    if (!job->dst || !expander_reserve(bs, x, job->e.length)) {
        goto out;
    }
    ret = bdrv_co_pread(bs->file, job->e.offset, job->e.length, x->record, 0);
    if (ret < 0) {
        *io = true;
        goto out;
    }
    ret = thread_pool_submit_co(expand_record, job);
out:
    zvhd2_co_put_expander(s->reader, x);
    return ret;
}

/* Gets @block expanded into @dst, which is as large as a block. */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_expand(BlockDriverState *bs, uint32_t block, uint8_t *dst)
{
    BDRVZvhd2State *s = bs->opaque;
    ExpandJob job = { .dst = dst };
    bool io;
    int ret;

    ret = zvhd2_co_lookup(bs, block, &job.e);
    if (ret <= 0) {
        if (ret == 0) {
            memset(dst, 0, s->desc.block_size);
        }
        return ret;
    }
    ret = zvhd2_co_run(bs, &job, &io);
    if (io) {
        g_autofree char *text =
            g_strdup_printf("cannot read block %" PRIu32 " at offset %"
                            PRIu64 ": %s", block, job.e.offset,
                            strerror(-ret));
        zvhd2_co_report(bs, block, text);
    } else if (ret == -EINVAL) {
        zvhd2_co_report_finding(bs, &job.finding);
        ret = -EIO;
    }
    return ret;
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_verify(BlockDriverState *bs, const Zvhd2Entry *e, Zvhd2Finding *f)
{
    ExpandJob job = { .e = *e };
    bool io;
    int ret = zvhd2_co_run(bs, &job, &io);

    if (io) {
        return ret == -EINVAL ? -EIO : ret;
    }
    *f = job.finding;
    return ret;
}

/* --- the cache; the caller holds r->lock --- */

static CachedBlock *cache_find(Zvhd2Reader *r, uint32_t block)
{
    CachedBlock *c;

    QTAILQ_FOREACH(c, &r->cache, next) {
        if (c->block == block) {
            return c;
        }
    }
    return NULL;
}

static void cache_remove(Zvhd2Reader *r, CachedBlock *c)
{
    QTAILQ_REMOVE(&r->cache, c, next);
    qemu_vfree(c->data);
    g_free(c);
    r->blocks--;
}

/*
 * A block to expand into: a new one, or the one that was not used for longest.
 * It is out of the cache.  NULL if all are in use; *@ret says whether waiting
 * helps (-EAGAIN) or not (-ENOMEM).
 */
static CachedBlock *cache_take(Zvhd2Reader *r, uint32_t block_size, int *ret)
{
    CachedBlock *c;

    if (r->blocks < r->max_blocks) {
        uint8_t *data = qemu_try_memalign(ZVHD2_ALIGN, block_size);

        if (data) {
            c = g_new0(CachedBlock, 1);
            c->data = data;
            r->blocks++;
            return c;
        }
    }
    QTAILQ_FOREACH_REVERSE(c, &r->cache, next) {
        if (c->users == 0) {
            QTAILQ_REMOVE(&r->cache, c, next);
            return c;
        }
    }
    *ret = r->blocks ? -EAGAIN : -ENOMEM;
    return NULL;
}

/* Puts @c into the cache as @block and expands it, without the lock. */
static void coroutine_fn GRAPH_RDLOCK
zvhd2_co_fill_cached(BlockDriverState *bs, CachedBlock *c, uint32_t block)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Reader *r = s->reader;

    c->block = block;
    c->users = 1;
    c->ready = false;
    QTAILQ_INSERT_HEAD(&r->cache, c, next);

    qemu_co_mutex_unlock(&r->lock);
    c->ret = zvhd2_co_expand(bs, block, c->data);
    qemu_co_mutex_lock(&r->lock);

    c->ready = true;
    qemu_co_queue_restart_all(&r->cache_changed);
}

/* One user less; what could not be expanded leaves the cache with the last. */
static void coroutine_fn cache_unuse(Zvhd2Reader *r, CachedBlock *c)
{
    if (--c->users == 0) {
        if (c->ret < 0) {
            cache_remove(r, c);
        }
        qemu_co_queue_restart_all(&r->cache_changed);
    }
}

/*
 * Gives the expanded @block, which stays in memory until it is given back
 * with zvhd2_co_release().  Returns 0 or -errno.
 */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_acquire(BlockDriverState *bs, uint32_t block, CachedBlock **out)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Reader *r = s->reader;
    CachedBlock *c;
    int ret = 0;

    QEMU_LOCK_GUARD(&r->lock);
    while (!(c = cache_find(r, block))) {
        c = cache_take(r, s->desc.block_size, &ret);
        if (c) {
            zvhd2_co_fill_cached(bs, c, block);
            goto filled;
        }
        if (ret != -EAGAIN) {
            return ret;
        }
        qemu_co_queue_wait(&r->cache_changed, &r->lock);
    }

    c->users++;
    while (!c->ready) {
        qemu_co_queue_wait(&r->cache_changed, &r->lock);
    }
filled:
    ret = c->ret;
    if (ret < 0) {
        cache_unuse(r, c);
        return ret;
    }
    QTAILQ_REMOVE(&r->cache, c, next);
    QTAILQ_INSERT_HEAD(&r->cache, c, next);
    *out = c;
    return 0;
}

static void coroutine_fn zvhd2_co_release(Zvhd2Reader *r, CachedBlock *c)
{
    QEMU_LOCK_GUARD(&r->lock);
    cache_unuse(r, c);
}

/* --- requests --- */

/* Address of @bytes at @offset in @qiov if they are in one piece, or NULL */
static uint8_t *iovec_piece(QEMUIOVector *qiov, size_t offset, size_t bytes)
{
    for (int i = 0; i < qiov->niov; i++) {
        const struct iovec *v = &qiov->iov[i];

        if (offset < v->iov_len) {
            return v->iov_len - offset >= bytes ?
                   (uint8_t *)v->iov_base + offset : NULL;
        }
        offset -= v->iov_len;
    }
    return NULL;
}

/* A read within one block that has a record */
static int coroutine_fn GRAPH_RDLOCK
zvhd2_co_read_in_block(BlockDriverState *bs, int64_t offset, uint32_t bytes,
                       QEMUIOVector *qiov, size_t qiov_offset)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Reader *r = s->reader;
    uint32_t block = offset / s->desc.block_size;
    uint32_t in = offset % s->desc.block_size;
    CachedBlock *c;
    int ret;

    if (bytes == s->desc.block_size) {
        uint8_t *dst = iovec_piece(qiov, qiov_offset, bytes);
        bool cached;

        qemu_co_mutex_lock(&r->lock);
        cached = cache_find(r, block);
        qemu_co_mutex_unlock(&r->lock);
        if (dst && !cached) {
            return zvhd2_co_expand(bs, block, dst);
        }
    }

    ret = zvhd2_co_acquire(bs, block, &c);
    if (ret < 0) {
        return ret;
    }
    qemu_iovec_from_buf(qiov, qiov_offset, c->data + in, bytes);
    zvhd2_co_release(r, c);
    return 0;
}

typedef struct ReadTask {
    AioTask task;
    BlockDriverState *bs;
    int64_t offset;
    uint32_t bytes;
    QEMUIOVector *qiov;
    size_t qiov_offset;
} ReadTask;

/*
 * This counts as GRAPH_RDLOCK because zvhd2_co_preadv_part() holds the lock
 * and waits for all its tasks.
 */
static int coroutine_fn GRAPH_RDLOCK zvhd2_co_read_task(AioTask *task)
{
    ReadTask *t = container_of(task, ReadTask, task);

    return zvhd2_co_read_in_block(t->bs, t->offset, t->bytes, t->qiov,
                                  t->qiov_offset);
}

static void coroutine_fn GRAPH_RDLOCK
zvhd2_co_start_read(AioTaskPool *pool, const ReadTask *t)
{
    ReadTask *task = g_memdup2(t, sizeof(*t));

    task->task.func = zvhd2_co_read_task;
    aio_task_pool_start_task(pool, &task->task);
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_preadv_part(BlockDriverState *bs, int64_t offset, int64_t bytes,
                     QEMUIOVector *qiov, size_t qiov_offset,
                     BdrvRequestFlags flags)
{
    BDRVZvhd2State *s = bs->opaque;
    const uint32_t block_size = s->desc.block_size;
    AioTaskPool *pool = NULL;
    int ret = 0;

    if (!s->reader) {
        return zvhd2_co_read_unfinished(bs, bytes, qiov, qiov_offset);
    }

    while (bytes > 0 && ret == 0) {
        uint32_t in = offset % block_size;
        int64_t n;
        bool data;
        uint32_t run = zvhd2_map_run(s->reader->map, offset / block_size,
                                     DIV_ROUND_UP(in + bytes, block_size),
                                     &data);

        if (!data) {
            n = MIN(bytes, (int64_t)run * block_size - in);
            qemu_iovec_memset(qiov, qiov_offset, 0, n);
        } else {
            n = MIN(bytes, block_size - in);
            if (!pool && n == bytes) {
                return zvhd2_co_read_in_block(bs, offset, n, qiov,
                                              qiov_offset);
            }
            if (!pool) {
                pool = aio_task_pool_new(s->reader->max_expanders);
            }
            zvhd2_co_start_read(pool, &(ReadTask) {
                .bs = bs,
                .offset = offset,
                .bytes = n,
                .qiov = qiov,
                .qiov_offset = qiov_offset,
            });
            ret = aio_task_pool_status(pool);
        }
        offset += n;
        qiov_offset += n;
        bytes -= n;
    }

    if (pool) {
        aio_task_pool_wait_all(pool);
        ret = aio_task_pool_status(pool);
        aio_task_pool_free(pool);
    }
    return ret;
}

/* --- making and freeing --- */

unsigned zvhd2_reader_parallel(const Zvhd2Reader *r)
{
    return r->max_expanders;
}

const Zvhd2Map *zvhd2_reader_map(const Zvhd2Reader *r)
{
    return r->map;
}

Zvhd2Reader *zvhd2_reader_new(const BDRVZvhd2State *s, Zvhd2Map *map)
{
    Zvhd2Reader *r = g_new0(Zvhd2Reader, 1);

    r->max_expanders = zvhd2_threads(s->threads) * EXPANDERS_PER_THREAD +
                       SPARE_EXPANDERS;
    r->max_blocks = MAX(s->cache_size / s->desc.block_size,
                        MIN_CACHED_BLOCKS);
    r->map = map;
    qemu_co_mutex_init(&r->lock);
    qemu_co_queue_init(&r->expander_freed);
    qemu_co_queue_init(&r->cache_changed);
    QTAILQ_INIT(&r->cache);
    r->reported = g_hash_table_new(NULL, NULL);
    return r;
}

void zvhd2_reader_free(Zvhd2Reader *r)
{
    CachedBlock *c, *next_c;
    Expander *x;

    if (!r) {
        return;
    }
    QTAILQ_FOREACH_SAFE(c, &r->cache, next, next_c) {
        cache_remove(r, c);
    }
    while ((x = QSLIST_FIRST(&r->free_expanders))) {
        QSLIST_REMOVE_HEAD(&r->free_expanders, next);
        expander_free(x);
    }
    g_hash_table_destroy(r->reported);
    zvhd2_map_free(r->map);
    g_free(r);
}
