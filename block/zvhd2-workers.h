/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ZVHD2 block driver: threads that compress or expand; see zvhd2-workers.c */
#ifndef BLOCK_ZVHD2_WORKERS_H
#define BLOCK_ZVHD2_WORKERS_H

#include "zvhd2-compat.h"
#include "zvhd2-codec.h"

typedef struct Zvhd2Workers Zvhd2Workers;

/* One piece of work; part of the struct that says what to do. */
typedef struct Zvhd2Job Zvhd2Job;
struct Zvhd2Job {
    /* runs in a thread, with a codec that is its own meanwhile */
    void (*func)(Zvhd2Job *job, Zvhd2Codec *codec);

    /* the workers' own */
    Coroutine *co;
    AioContext *ctx;
    QSIMPLEQ_ENTRY(Zvhd2Job) next;
};

/*
 * At most @threads threads.  @level: for compressing, 0 for the default.
 * NULL on lack of memory, or if @method has no such level.
 */
Zvhd2Workers *zvhd2_workers_new(Zvhd2Method method, int level,
                                unsigned threads);

/* NULL is fine; no job may be queued or running. */
void zvhd2_workers_free(Zvhd2Workers *ws);

/* Has job->func() run in a thread; returns when it has. */
void coroutine_fn zvhd2_co_work(Zvhd2Workers *ws, Zvhd2Job *job);

#endif /* BLOCK_ZVHD2_WORKERS_H */
