/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the ZVHD2 block driver share: the state of an open image
 * and the functions that cross files
 *
 *   zvhd2.c         open, close, information, block status, driver table
 *   zvhd2-expand.c  record -> expanded block
 *   zvhd2-read.c    cache, guest reads
 *   zvhd2-write.c   guest writes; see zvhd2-write.h for what is below it
 *   zvhd2-create.c  creation options, new images, measure
 *   zvhd2-check.c   qemu-img check; see zvhd2-check.h for what is below it
 *
 * An image is open in one of three ways: for reading (reader and cache are
 * set), for being written (writer is set; only an image that has nothing but
 * its header can be), or for being checked (BDRV_O_CHECK: none is set).
 */
#ifndef BLOCK_ZVHD2_DRIVER_H
#define BLOCK_ZVHD2_DRIVER_H

#include "zvhd2-compat.h"
#include "zvhd2-format.h"
#include "zvhd2-codec.h"
#include "zvhd2-map.h"

typedef struct Zvhd2Reader Zvhd2Reader;
typedef struct Zvhd2Cache Zvhd2Cache;
typedef struct Zvhd2Writer Zvhd2Writer;

/*
 * What "qemu-img create" wants of the program that writes the image and what
 * has no field in the format.  It stands behind the descriptor in the header
 * of an image that has nothing but its header; finishing the image takes it
 * away again.
 */
typedef struct Zvhd2Hint {
    int32_t level;              /* 0: the method's default */
    uint32_t threads;           /* 0: one for each CPU */
} Zvhd2Hint;

typedef enum Zvhd2IndexKind {
    ZVHD2_INDEX_DENSE,
    ZVHD2_INDEX_SPARSE,
    ZVHD2_INDEX_NONE,           /* zvhd2_version 0: found by scanning */
} Zvhd2IndexKind;

typedef struct BDRVZvhd2State {
    /* constant after open */
    Zvhd2Desc desc;             /* the footer; the header where none is */
    Zvhd2IndexKind index_kind;
    unsigned threads;           /* runtime option; 0: not given */
    uint64_t cache_size;        /* bytes, runtime option */
    bool exact_size;            /* runtime option guest-size=exact */

    Zvhd2Reader *reader;        /* NULL unless the image can be read */
    Zvhd2Cache *cache;          /* likewise */
    Zvhd2Writer *writer;        /* NULL unless the image is to be written */
} BDRVZvhd2State;

#define ZVHD2_MAX_THREADS 256u

/* Number of threads to use when the user gave @threads (0: not given) */
unsigned zvhd2_threads(unsigned threads);

/* --- zvhd2-expand.c --- */

/*
 * @map, with its bitmap set, passes into the reader's ownership and is freed
 * with it; NULL if the reader is only for zvhd2_co_verify().
 */
Zvhd2Reader *zvhd2_reader_new(Zvhd2Method method, unsigned threads,
                              Zvhd2Map *map);
void zvhd2_reader_free(Zvhd2Reader *r);         /* NULL is fine */

/* The map for lookups that need only the bitmap */
const Zvhd2Map *zvhd2_reader_map(const Zvhd2Reader *r);

/* Number of records that the reader reads and expands at the same time */
unsigned zvhd2_reader_parallel(const Zvhd2Reader *r);

/*
 * Gets @block expanded into @dst, which is as large as a block.  Returns 0 or
 * -errno; what is wrong with a block is reported once.
 */
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_expand(BlockDriverState *bs, uint32_t block, uint8_t *dst);

/*
 * Reads the record at @e and expands it, into nowhere.  Returns 0, -EINVAL
 * if it breaks a rule (@f is filled), or another -errno.
 */
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_verify(BlockDriverState *bs, const Zvhd2Entry *e, Zvhd2Finding *f);

/* --- zvhd2-read.c --- */

/* @size: bytes of expanded blocks to keep; a few blocks are kept anyway. */
Zvhd2Cache *zvhd2_cache_new(uint64_t size, uint32_t block_size);
void zvhd2_cache_free(Zvhd2Cache *cache);       /* NULL is fine */

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_preadv_part(BlockDriverState *bs, int64_t offset, int64_t bytes,
                     QEMUIOVector *qiov, size_t qiov_offset,
                     BdrvRequestFlags flags);

/* --- zvhd2-write.c, and the trailer --- */

/*
 * Makes @s ready for writing the image whose header is in s->desc.
 * Returns 0, or -errno with @errp set.
 */
int zvhd2_writer_open(BlockDriverState *bs, const Zvhd2Hint *hint,
                      Error **errp);

/* Frees the writer; reports an image that was begun and not finished. */
void zvhd2_writer_close(BlockDriverState *bs);

/* True until the first write: the image reads as zeros. */
bool zvhd2_writer_is_empty(const Zvhd2Writer *w);

/*
 * preadv of an image that is open for writing: zeros while it is empty,
 * else an error; what has been written is not kept in readable form.
 */
int coroutine_fn zvhd2_co_read_unfinished(BlockDriverState *bs, int64_t bytes,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset);

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_pwritev_part(BlockDriverState *bs, int64_t offset, int64_t bytes,
                      QEMUIOVector *qiov, size_t qiov_offset,
                      BdrvRequestFlags flags);
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                       BdrvRequestFlags flags);
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_pwritev_compressed_part(BlockDriverState *bs, int64_t offset,
                                 int64_t bytes, QEMUIOVector *qiov,
                                 size_t qiov_offset);
int coroutine_fn GRAPH_RDLOCK zvhd2_co_flush_to_os(BlockDriverState *bs);

/*
 * Writes everything that stands behind the data: end marker, index, bitmap,
 * and, when all that is stable, the footer.  The file ends at @data_end before.
 * @desc: as zvhd2_desc_init() or zvhd2_desc_decode() left it; is completed.
 * @data_end: where the last record ends.  @clean_header: write the header
 * again, without a hint.  Returns 0 or -errno.
 */
int coroutine_fn GRAPH_RDLOCK
zvhd2_co_write_trailer(BlockDriverState *bs, Zvhd2Desc *desc,
                       const Zvhd2Builder *b, uint64_t data_end,
                       bool clean_header);

/* --- zvhd2-create.c --- */

extern QemuOptsList zvhd2_create_opts;

int coroutine_fn GRAPH_UNLOCKED
zvhd2_co_create_opts(BlockDriver *drv, const char *filename, QemuOpts *opts,
                     Error **errp);
BlockMeasureInfo *zvhd2_measure(QemuOpts *opts, BlockDriverState *in_bs,
                                Error **errp);

/*
 * Takes the hint out of a header of 4096 bytes.  Anything that is not a hint
 * of possible values for @method gives the defaults.
 */
void zvhd2_hint_decode(const uint8_t *header, Zvhd2Method method,
                       Zvhd2Hint *hint);

/* --- zvhd2-check.c --- */

/*
 * Opens an image for zvhd2_co_check(), whatever its state: only the size is
 * needed.  Returns -EINVAL if nothing says that this is a ZVHD2 image.
 */
int GRAPH_RDLOCK zvhd2_check_open(BlockDriverState *bs, Error **errp);

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_check(BlockDriverState *bs, BdrvCheckResult *result,
               BdrvCheckMode fix);

#endif /* BLOCK_ZVHD2_DRIVER_H */
