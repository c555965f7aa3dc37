/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: what the writing side's files share
 *
 *   zvhd2-write.c     guest writes -> whole blocks, in ascending order
 *   zvhd2-pipeline.c  whole block -> compressed record in the file, in parallel
 *   zvhd2-trailer.c   end marker, index, bitmap, footer
 */
#ifndef BLOCK_ZVHD2_WRITE_H
#define BLOCK_ZVHD2_WRITE_H

#include "zvhd2-driver.h"
#include "zvhd2-workers.h"

typedef struct Zvhd2Pipeline Zvhd2Pipeline;

/* Memory for one block on its way; the number of slots bounds memory. */
typedef struct Zvhd2Slot {
    uint8_t *plain;             /* block_size bytes */
    uint32_t filled;            /* bytes of @plain that are set, from 0 on */

    /* the pipeline's own */
    BlockDriverState *bs;
    Zvhd2Pipeline *pipeline;
    uint32_t block;
    uint64_t turn;              /* number of the slot in order of blocks */
    uint8_t *record;            /* the record, payload at its place */
    uint32_t record_cap;
    Zvhd2Job job;
    int64_t payload;            /* result of compressing: bytes or -errno */
    QSLIST_ENTRY(Zvhd2Slot) next;
} Zvhd2Slot;

/*
 * A pipeline for the image whose descriptor is in the state of @bs.
 * @level: 0 for the method's default.  NULL on lack of memory.
 */
Zvhd2Pipeline *zvhd2_pipeline_new(BlockDriverState *bs, int level,
                                  unsigned threads);

/* NULL is fine; no slot may be out or busy (see zvhd2_co_drain()) */
void zvhd2_pipeline_free(Zvhd2Pipeline *p);

/* The first error that any block has met, or 0 */
int coroutine_fn zvhd2_co_pipeline_ret(Zvhd2Pipeline *p);

/* Makes @ret (< 0) the error, unless there is one; blocks are dropped then. */
void coroutine_fn zvhd2_co_pipeline_fail(Zvhd2Pipeline *p, int ret);

/*
 * Gives a slot with nothing filled; waits until one is free.  Returns 0 or
 * -errno; an error is also the pipeline's.
 */
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_get_slot(BlockDriverState *bs, Zvhd2Pipeline *p, Zvhd2Slot **slot);

/* Gives a slot back unused */
void coroutine_fn zvhd2_co_put_slot(Zvhd2Slot *slot);

/* Frees a slot that is never given back; NULL is fine */
void zvhd2_slot_free(Zvhd2Slot *slot);

/*
 * Sends the block that fills @slot->plain on its way and returns.  Blocks
 * come in ascending order.  Errors show up in zvhd2_co_pipeline_ret().
 */
void coroutine_fn zvhd2_co_submit(Zvhd2Slot *slot, uint32_t block);

/* Waits until every block is in the file, or failed.  0 or the error. */
int coroutine_fn zvhd2_co_drain(Zvhd2Pipeline *p);

/* The records so far, and where they end; only when drained */
const Zvhd2Builder *zvhd2_pipeline_records(const Zvhd2Pipeline *p,
                                           uint64_t *data_end);

/*
 * Takes away what stands behind @end, the footer above all, so that nothing
 * takes the image for a good one.
 */
void coroutine_fn GRAPH_RDLOCK
zvhd2_co_cut_off(BlockDriverState *bs, uint64_t end);

#endif /* BLOCK_ZVHD2_WRITE_H */
