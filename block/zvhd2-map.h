/* SPDX-License-Identifier: MIT */
/*
 * Block number -> record, for reading; (block, length)s -> index and bitmap,
 * for writing
 *
 * A reader gives the map the footer and the bitmap, and index segments as
 * they are needed: opening a large image over a network then costs a few KiB
 * and not the whole index.  The map does no I/O itself; memory is at most
 * what the file holds of index and bitmap.  Not thread safe.
 */
#ifndef ZVHD2_MAP_H
#define ZVHD2_MAP_H

#include "zvhd2-format.h"

typedef struct Zvhd2Map Zvhd2Map;

typedef enum {
    ZVHD2_MAP_ZERO,             /* no record: the block reads as zeros */
    ZVHD2_MAP_DATA,             /* entry filled */
    ZVHD2_MAP_NEED_SEGMENT,     /* load index segment *seg first, ask again */
    ZVHD2_MAP_BAD,              /* the entry breaks a rule; finding filled */
} Zvhd2Lookup;

/* --- reading --- */

/*
 * @footer: has passed zvhd2_footer_check().  Copies what it needs.
 * Returns NULL on lack of memory.
 */
Zvhd2Map *zvhd2_map_new(const Zvhd2Desc *footer);
void zvhd2_map_free(Zvhd2Map *map);             /* NULL is fine */

/*
 * Takes the bitmap area (footer.bitmap_size bytes, copied) and checks rules
 * 12 and 13.  Must come before any lookup.  Returns 0, -ENOMEM, or -EINVAL
 * with @f filled.
 */
int zvhd2_map_set_bitmap(Zvhd2Map *map, const uint8_t *bytes,
                         Zvhd2Finding *f);

/*
 * File range of index segment @seg that is worth reading: for the last one
 * only its used entries, rounded up to 4096.
 */
void zvhd2_map_segment_range(const Zvhd2Map *map, uint32_t seg,
                             uint64_t *offset, uint32_t *length);

/*
 * Takes the bytes of that range (copied, not yet validated: each entry is
 * validated by the lookup that uses it).  Returns 0 or -ENOMEM.
 */
int zvhd2_map_set_segment(Zvhd2Map *map, uint32_t seg, const uint8_t *bytes);

/* Is there a record for @block?  Needs only the bitmap. */
bool zvhd2_map_has_data(const Zvhd2Map *map, uint32_t block);

/*
 * Number of blocks from @block on (at most @max, at least 1) that are all
 * data or all zero, as *data says.  Blocks past max_blk_num are zero.
 */
uint32_t zvhd2_map_run(const Zvhd2Map *map, uint32_t block, uint32_t max,
                       bool *data);

/*
 * Finds the record of @block; rules 14-16.  Fills @e for DATA, @seg for
 * NEED_SEGMENT, @f for BAD.
 */
Zvhd2Lookup zvhd2_map_lookup(Zvhd2Map *map, uint32_t block, Zvhd2Entry *e,
                             uint32_t *seg, Zvhd2Finding *f);

/*
 * For check: walks all entries (all segments loaded) in ascending block
 * order and calls @found for every broken rule 14-19, also overlaps and
 * gaps over the whole image.  Stops early when @found returns false.
 * Rule 19 reaches as far as zvhd2_map_segment_range(); for the rest of the
 * last segment see zvhd2_unused_check().  Time is O(n log n) at worst, and
 * memory for sorting is only taken if records are not ascending.
 * Returns 0, -ENOMEM, or -EAGAIN if a segment is not loaded.
 */
typedef bool Zvhd2FoundFunc(void *opaque, const Zvhd2Finding *f);
int zvhd2_map_check(Zvhd2Map *map, Zvhd2FoundFunc *found, void *opaque);

/*
 * Rule 19 for the part of the last index segment that is past
 * zvhd2_map_segment_range(): the @size bytes (a multiple of 16) that stand at
 * file offset @at are all zero.
 */
bool zvhd2_unused_check(const uint8_t *bytes, size_t size, uint64_t at,
                        Zvhd2Finding *f);

/* --- writing, and rebuilding a lost trailer --- */

typedef struct Zvhd2Builder Zvhd2Builder;

/*
 * @max_blk_num bounds the bitmap; memory: bitmap + 16 bytes a record (twice
 * that at most while it grows).  Returns NULL on lack of memory or for more
 * blocks than any valid descriptor has.
 */
Zvhd2Builder *zvhd2_builder_new(uint32_t max_blk_num);
void zvhd2_builder_free(Zvhd2Builder *b);       /* NULL is fine */

/*
 * Adds the next record.  Blocks come strictly ascending and < max_blk_num.
 * Returns 0, -ENOMEM, or -EINVAL (order, range).
 */
int zvhd2_builder_add(Zvhd2Builder *b, const Zvhd2Entry *e);
uint32_t zvhd2_builder_count(const Zvhd2Builder *b);

/*
 * A map of what @b holds, all segments loaded, for images without an index
 * and for rebuilding one.  @d: the image's header; only its sizes are used.
 * The records are taken to end with the last of @b.  @b may be freed
 * afterwards.  Returns NULL on lack of memory, or if @d has another number of
 * blocks than @b.
 */
Zvhd2Map *zvhd2_map_from_builder(const Zvhd2Builder *b, const Zvhd2Desc *d);

/*
 * Encodes dense index segment @seg (524288 bytes) or bitmap segment @seg
 * (4096 bytes) into @out; counts are in the Zvhd2Desc that
 * zvhd2_desc_finish() completed.
 */
void zvhd2_builder_index(const Zvhd2Builder *b, uint32_t seg,
                         uint8_t out[ZVHD2_INDEX_SEG_SIZE]);
void zvhd2_builder_bitmap(const Zvhd2Builder *b, uint32_t seg,
                          uint8_t out[ZVHD2_BITMAP_SEG_SIZE]);

#endif /* ZVHD2_MAP_H */
