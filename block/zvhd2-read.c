/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: from expanded blocks to what the guest reads
 *
 * A block is compressed as a whole, so the least that a read can cost is to
 * expand one.  Reads of whole blocks into one piece of memory, which is what
 * qemu-img convert does, expand right into the caller's buffer.  All others
 * go through a small cache of expanded blocks: small sequential reads expand
 * a block once, and concurrent readers of a block wait for the first of them.
 */
#include "zvhd2-driver.h"
#include "block/aio_task.h"
#include "qemu/memalign.h"

#define MIN_CACHED_BLOCKS 2

typedef struct CachedBlock {
    uint32_t block;
    unsigned users;             /* requests that copy from it or wait for it */
    bool ready;                 /* @data is filled, or @ret < 0 */
    int ret;
    uint8_t *data;
    QTAILQ_ENTRY(CachedBlock) next;
} CachedBlock;

struct Zvhd2Cache {
    unsigned max_blocks;        /* constant */

    CoMutex lock;               /* covers everything below */
    QTAILQ_HEAD(, CachedBlock) lru;     /* most recently used first */
    unsigned blocks;
    CoQueue changed;            /* a block became ready or unused */
};

/* --- the cache; the caller holds its lock --- */

static CachedBlock *cache_find(Zvhd2Cache *cache, uint32_t block)
{
    CachedBlock *c;

    QTAILQ_FOREACH(c, &cache->lru, next) {
        if (c->block == block) {
            return c;
        }
    }
    return NULL;
}

static void cache_remove(Zvhd2Cache *cache, CachedBlock *c)
{
    QTAILQ_REMOVE(&cache->lru, c, next);
    qemu_vfree(c->data);
    g_free(c);
    cache->blocks--;
}

/*
 * A block to expand into: a new one, or the one that was not used for longest.
 * It is out of the cache.  NULL if all are in use; *@ret says whether waiting
 * helps (-EAGAIN) or not (-ENOMEM).
 */
static CachedBlock *cache_take(Zvhd2Cache *cache, uint32_t block_size, int *ret)
{
    CachedBlock *c;

    if (cache->blocks < cache->max_blocks) {
        uint8_t *data = qemu_try_memalign(ZVHD2_ALIGN, block_size);

        if (data) {
            c = g_new0(CachedBlock, 1);
            c->data = data;
            cache->blocks++;
            return c;
        }
    }
    QTAILQ_FOREACH_REVERSE(c, &cache->lru, next) {
        if (c->users == 0) {
            QTAILQ_REMOVE(&cache->lru, c, next);
            return c;
        }
    }
    *ret = cache->blocks ? -EAGAIN : -ENOMEM;
    return NULL;
}

/* Puts @c into the cache as @block and expands it, without the lock. */
static void coroutine_fn GRAPH_RDLOCK
zvhd2_co_fill_cached(BlockDriverState *bs, CachedBlock *c, uint32_t block)
{
    BDRVZvhd2State *s = bs->opaque;
    Zvhd2Cache *cache = s->cache;

    c->block = block;
    c->users = 1;
    c->ready = false;
    QTAILQ_INSERT_HEAD(&cache->lru, c, next);

    qemu_co_mutex_unlock(&cache->lock);
    c->ret = zvhd2_co_expand(bs, block, c->data);
    qemu_co_mutex_lock(&cache->lock);

    c->ready = true;
    qemu_co_queue_restart_all(&cache->changed);
}

/* One user less; what could not be expanded leaves the cache with the last. */
static void coroutine_fn cache_unuse(Zvhd2Cache *cache, CachedBlock *c)
{
    if (--c->users == 0) {
        if (c->ret < 0) {
            cache_remove(cache, c);
        }
        qemu_co_queue_restart_all(&cache->changed);
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
    Zvhd2Cache *cache = s->cache;
    CachedBlock *c;
    int ret = 0;

    QEMU_LOCK_GUARD(&cache->lock);
    while (!(c = cache_find(cache, block))) {
        c = cache_take(cache, s->desc.block_size, &ret);
        if (c) {
            zvhd2_co_fill_cached(bs, c, block);
            goto filled;
        }
        if (ret != -EAGAIN) {
            return ret;
        }
        qemu_co_queue_wait(&cache->changed, &cache->lock);
    }

    c->users++;
    while (!c->ready) {
        qemu_co_queue_wait(&cache->changed, &cache->lock);
    }
filled:
    ret = c->ret;
    if (ret < 0) {
        cache_unuse(cache, c);
        return ret;
    }
    QTAILQ_REMOVE(&cache->lru, c, next);
    QTAILQ_INSERT_HEAD(&cache->lru, c, next);
    *out = c;
    return 0;
}

static void coroutine_fn zvhd2_co_release(Zvhd2Cache *cache, CachedBlock *c)
{
    QEMU_LOCK_GUARD(&cache->lock);
    cache_unuse(cache, c);
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
    Zvhd2Cache *cache = s->cache;
    uint32_t block = offset / s->desc.block_size;
    uint32_t in = offset % s->desc.block_size;
    CachedBlock *c;
    int ret;

    if (bytes == s->desc.block_size) {
        uint8_t *dst = iovec_piece(qiov, qiov_offset, bytes);
        bool cached;

        qemu_co_mutex_lock(&cache->lock);
        cached = cache_find(cache, block);
        qemu_co_mutex_unlock(&cache->lock);
        if (dst && !cached) {
            return zvhd2_co_expand(bs, block, dst);
        }
    }

    ret = zvhd2_co_acquire(bs, block, &c);
    if (ret < 0) {
        return ret;
    }
    qemu_iovec_from_buf(qiov, qiov_offset, c->data + in, bytes);
    zvhd2_co_release(cache, c);
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
        uint32_t run = zvhd2_map_run(zvhd2_reader_map(s->reader),
                                     offset / block_size,
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
                pool = aio_task_pool_new(zvhd2_reader_parallel(s->reader));
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

Zvhd2Cache *zvhd2_cache_new(uint64_t size, uint32_t block_size)
{
    Zvhd2Cache *cache = g_new0(Zvhd2Cache, 1);

    cache->max_blocks = MAX(size / block_size, MIN_CACHED_BLOCKS);
    qemu_co_mutex_init(&cache->lock);
    qemu_co_queue_init(&cache->changed);
    QTAILQ_INIT(&cache->lru);
    return cache;
}

void zvhd2_cache_free(Zvhd2Cache *cache)
{
    CachedBlock *c, *next_c;

    if (!cache) {
        return;
    }
    QTAILQ_FOREACH_SAFE(c, &cache->lru, next, next_c) {
        cache_remove(cache, c);
    }
    g_free(cache);
}
