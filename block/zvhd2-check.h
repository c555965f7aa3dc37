/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: what the files of check and repair share
 *
 *   zvhd2-check.c   the check: descriptors, bitmap, index, and who walks
 *   zvhd2-walk.c    records: expanding them, finding them without an index
 *   zvhd2-repair.c  a trailer made anew from the records
 *
 * All that is declared here runs within zvhd2_co_check().
 */
#ifndef BLOCK_ZVHD2_CHECK_H
#define BLOCK_ZVHD2_CHECK_H

#include "zvhd2-driver.h"
#include "block/aio_task.h"

/* Lines to print; the rest is only counted */
#define ZVHD2_CHECK_LINES 64

/* Size of Zvhd2Check.buf: at least an index segment */
#define ZVHD2_CHECK_BUF (1u << 20)

typedef struct Zvhd2Check {
    BlockDriverState *bs;
    BdrvCheckResult *result;
    uint64_t size;              /* of the file */
    Zvhd2Desc header;
    Zvhd2Desc footer;
    bool have_header;
    bool have_footer;           /* and it agrees with the file's size */
    bool trailer_lost;          /* something but a record is wrong */
    uint8_t *buf;
    int64_t lines;              /* printed and not printed ones */
} Zvhd2Check;

/* One record as the walk finds it */
typedef struct Zvhd2WalkItem {
    Zvhd2Entry e;
    bool bad;                   /* cannot be read or expanded */
} Zvhd2WalkItem;

typedef struct Zvhd2Walk {
    GArray *items;              /* Zvhd2WalkItem, in file order */
    uint64_t end;               /* where the walk stopped */
    bool end_marker;            /* at an end marker */
    uint32_t good;              /* items before the first bad one */
    uint64_t good_end;          /* where they end */
} Zvhd2Walk;

/* --- zvhd2-check.c --- */

/* Prints a line about the image, unless there were too many already. */
void G_GNUC_PRINTF(2, 3)
zvhd2_check_line(Zvhd2Check *c, const char *fmt, ...);

/* Counts and prints a broken rule. */
void zvhd2_check_corruption(Zvhd2Check *c, const Zvhd2Finding *f);

/* The same of something that a repair makes anew. */
void zvhd2_check_trailer(Zvhd2Check *c, const Zvhd2Finding *f);

/* Reads into c->buf (@bytes <= ZVHD2_CHECK_BUF); reports a failure. */
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_check_read(Zvhd2Check *c, uint64_t offset, uint32_t bytes,
                    const char *what);

/* --- zvhd2-walk.c --- */

/*
 * Verifies records in parallel: start one after the other, then wait, which
 * frees the pool.  What is wrong is reported; waiting gives 0 or -ENOMEM.
 */
AioTaskPool *coroutine_fn zvhd2_co_verify_pool(Zvhd2Check *c);
void coroutine_fn GRAPH_RDLOCK
zvhd2_co_verify_start(AioTaskPool *pool, Zvhd2Check *c, const Zvhd2Entry *e);
int coroutine_fn zvhd2_co_verify_wait(AioTaskPool *pool);

/*
 * Walks from the header to the end marker, or to whatever is no record, and
 * verifies the records.  What is wrong is reported.  Returns 0, with @w to be
 * freed, or -errno if the file cannot be read.
 */
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_walk(Zvhd2Check *c, const Zvhd2Desc *header, Zvhd2Walk *w);
void zvhd2_walk_free(Zvhd2Walk *w);

/* --- zvhd2-repair.c --- */

/*
 * Makes header and trailer anew from the records and counts what was found as
 * repaired.  Does nothing but say so if that would lose records.
 */
int coroutine_fn GRAPH_RDLOCK zvhd2_co_repair(Zvhd2Check *c);

#endif /* BLOCK_ZVHD2_CHECK_H */
