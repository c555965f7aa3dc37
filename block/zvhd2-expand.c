/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: from records to expanded blocks
 *
 * Records are read by a bounded number of expanders, each with a buffer for a
 * record, and expanded by workers.  Index segments are loaded when they are
 * first needed.
 */
#include "zvhd2-driver.h"
#include "zvhd2-workers.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"
#include "qemu/units.h"

/* Damaged blocks to report; a badly damaged image should not flood stderr */
#define MAX_REPORTS 32

/* Expanders per thread: some wait for the file while others expand */
#define EXPANDERS_PER_THREAD 2
#define SPARE_EXPANDERS 2

#define MIN_RECORD_BUFFER (64 * KiB)

typedef struct Expander {
    uint8_t *record;
    uint32_t cap;               /* bytes allocated at @record */
    uint8_t *scratch;           /* a block; for verifying only */
    QSLIST_ENTRY(Expander) next;
} Expander;

struct Zvhd2Reader {
    /* constant */
    Zvhd2Workers *workers;      /* NULL: there was no memory for them */
    unsigned max_expanders;

    /*
     * Covers everything below.  What needs only the bitmap of @map may be
     * asked without it: the bitmap does not change.
     */
    CoMutex lock;
    Zvhd2Map *map;
    QSLIST_HEAD(, Expander) free_expanders;
    unsigned expanders;
    CoQueue expander_freed;
    GHashTable *reported;       /* numbers of the blocks */
};

typedef struct ExpandJob {
    Zvhd2Job job;
    Expander *x;
    Zvhd2Entry e;
    uint32_t block_size;
    uint8_t *dst;
    int ret;
    Zvhd2Finding finding;       /* set if @ret is -EINVAL */
} ExpandJob;

/* Runs in a worker's thread. */
static void expand_record(Zvhd2Job *job, Zvhd2Codec *codec)
{
    ExpandJob *j = container_of(job, ExpandJob, job);
    Zvhd2Record r;

    if (!zvhd2_record_check(j->x->record, j->e.length, j->e.offset,
                            j->e.block, j->block_size, &r, &j->finding)) {
        j->ret = -EINVAL;
        return;
    }
    j->ret = zvhd2_expand(codec, j->dst, j->block_size,
                          j->x->record + ZVHD2_RECORD_HEAD, r.size);
    if (j->ret == -EINVAL) {
        zvhd2_broken(&j->finding, ZVHD2_R24_EXPAND,
                     j->e.offset + ZVHD2_RECORD_HEAD, j->e.block, 0, 0);
    }
}

static void expander_free(Expander *x)
{
    qemu_vfree(x->record);
    qemu_vfree(x->scratch);
    g_free(x);
}

static Expander *coroutine_fn zvhd2_co_get_expander(Zvhd2Reader *r)
{
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
    r->expanders++;
    return g_new0(Expander, 1);
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
    Expander *x = zvhd2_co_get_expander(s->reader);
    int ret = -ENOMEM;

    *io = false;
    job->x = x;
    job->block_size = s->desc.block_size;
    if (!job->dst) {
        if (!x->scratch) {
            x->scratch = qemu_try_memalign(ZVHD2_ALIGN, s->desc.block_size);
        }
        job->dst = x->scratch;
    }
    if (!s->reader->workers || !job->dst ||
        !expander_reserve(bs, x, job->e.length)) {
        goto out;
    }
    ret = bdrv_co_pread(bs->file, job->e.offset, job->e.length, x->record, 0);
    if (ret < 0) {
        *io = true;
        goto out;
    }
    job->job.func = expand_record;
    zvhd2_co_work(s->reader->workers, &job->job);
    ret = job->ret;
out:
    zvhd2_co_put_expander(s->reader, x);
    return ret;
}

int coroutine_fn GRAPH_RDLOCK
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

/* --- making and freeing --- */

unsigned zvhd2_reader_parallel(const Zvhd2Reader *r)
{
    return r->max_expanders;
}

const Zvhd2Map *zvhd2_reader_map(const Zvhd2Reader *r)
{
    return r->map;
}

Zvhd2Reader *zvhd2_reader_new(Zvhd2Method method, unsigned threads,
                              Zvhd2Map *map)
{
    Zvhd2Reader *r = g_new0(Zvhd2Reader, 1);

    r->workers = zvhd2_workers_new(method, 0, threads);
    r->max_expanders = threads * EXPANDERS_PER_THREAD + SPARE_EXPANDERS;
    r->map = map;
    qemu_co_mutex_init(&r->lock);
    qemu_co_queue_init(&r->expander_freed);
    r->reported = g_hash_table_new(NULL, NULL);
    return r;
}

void zvhd2_reader_free(Zvhd2Reader *r)
{
    Expander *x;

    if (!r) {
        return;
    }
    while ((x = QSLIST_FIRST(&r->free_expanders))) {
        QSLIST_REMOVE_HEAD(&r->free_expanders, next);
        expander_free(x);
    }
    zvhd2_workers_free(r->workers);
    g_hash_table_destroy(r->reported);
    zvhd2_map_free(r->map);
    g_free(r);
}
