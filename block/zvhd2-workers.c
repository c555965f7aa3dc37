/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: threads that compress or expand
 *
 * A worker keeps a thread of QEMU's pool for as long as jobs are queued.  If
 * each job went to the pool by itself, a thread that is done would idle until
 * the main loop has seen that and sent the next one; and with more threads
 * than CPUs to bridge that, each pushes the others' blocks out of the caches.
 */
#include "zvhd2-workers.h"

typedef struct Worker {
    Zvhd2Workers *workers;
    Zvhd2Codec *codec;
    QSLIST_ENTRY(Worker) next;
} Worker;

struct Zvhd2Workers {
    /* of the owner and of each running worker, which may end after the owner */
    unsigned refs;
    unsigned threads;           /* constant */

    QemuMutex lock;             /* covers the next two */
    QSIMPLEQ_HEAD(, Zvhd2Job) queue;
    QSLIST_HEAD(, Worker) idle;

    Worker worker[];
};

static void workers_unref(Zvhd2Workers *ws)
{
    if (qatomic_fetch_dec(&ws->refs) > 1) {
        return;
    }
    for (unsigned i = 0; i < ws->threads; i++) {
        zvhd2_codec_free(ws->worker[i].codec);
    }
    qemu_mutex_destroy(&ws->lock);
    g_free(ws);
}

Zvhd2Workers *zvhd2_workers_new(Zvhd2Method method, int level,
                                unsigned threads)
{
    Zvhd2Workers *ws = g_malloc0(sizeof(*ws) + threads * sizeof(Worker));

    ws->refs = 1;
    ws->threads = threads;
    qemu_mutex_init(&ws->lock);
    QSIMPLEQ_INIT(&ws->queue);
    for (unsigned i = 0; i < threads; i++) {
        Worker *w = &ws->worker[i];

        w->workers = ws;
        w->codec = zvhd2_codec_new(method, level);
        if (!w->codec) {
            workers_unref(ws);
            return NULL;
        }
        QSLIST_INSERT_HEAD(&ws->idle, w, next);
    }
    return ws;
}

void zvhd2_workers_free(Zvhd2Workers *ws)
{
    if (ws) {
        workers_unref(ws);
    }
}

/* In a thread of the pool: works until no job is queued. */
static int run_worker(void *opaque)
{
    Worker *w = opaque;
    Zvhd2Workers *ws = w->workers;
    Zvhd2Job *job;

    qemu_mutex_lock(&ws->lock);
    while ((job = QSIMPLEQ_FIRST(&ws->queue))) {
        QSIMPLEQ_REMOVE_HEAD(&ws->queue, next);
        qemu_mutex_unlock(&ws->lock);

        job->func(job, w->codec);
        /* wakes the job's coroutine, whose memory the job may be in */
        aio_co_schedule(job->ctx, job->co);

        qemu_mutex_lock(&ws->lock);
    }
    QSLIST_INSERT_HEAD(&ws->idle, w, next);
    qemu_mutex_unlock(&ws->lock);
    return 0;
}

static void coroutine_fn zvhd2_co_worker_entry(void *opaque)
{
    Worker *w = opaque;
    Zvhd2Workers *ws = w->workers;

    thread_pool_submit_co(run_worker, w);
    workers_unref(ws);
}

void coroutine_fn zvhd2_co_work(Zvhd2Workers *ws, Zvhd2Job *job)
{
    Worker *w;

    job->co = qemu_coroutine_self();
    job->ctx = qemu_get_current_aio_context();

    qemu_mutex_lock(&ws->lock);
    QSIMPLEQ_INSERT_TAIL(&ws->queue, job, next);
    w = QSLIST_FIRST(&ws->idle);
    if (w) {
        QSLIST_REMOVE_HEAD(&ws->idle, next);
        qatomic_inc(&ws->refs);
    }
    qemu_mutex_unlock(&ws->lock);

    if (w) {
        qemu_coroutine_enter(qemu_coroutine_create(zvhd2_co_worker_entry, w));
    }
    /*
     * The job may be done already.  Its coroutine is then entered from the
     * main loop, which this one has not gone back to, so not before the yield.
     */
    qemu_coroutine_yield();
}
