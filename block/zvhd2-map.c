/* SPDX-License-Identifier: MIT */
/*
 * Block number -> record, from the index and the bitmap of an image
 *
 * The bitmap is held as 64-bit words with the number of bits before each
 * word beside it, so that the place of a block in a dense index (the number
 * of data blocks below it) is one addition and one population count, however
 * large the disk.  See zvhd2-format.c for why qemu/osdep.h is not here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zvhd2-map.h"

#define WORD_BITS       64u
#define ENTRIES_PER_4K  (ZVHD2_ALIGN / ZVHD2_INDEX_ENTRY_SIZE)

typedef struct Segment {
    Zvhd2Entry *entries;        /* NULL: not loaded */
    uint32_t count;             /* loaded ones, unused ones included */
} Segment;

struct Zvhd2Map {
    uint32_t blocks;            /* max_blk_num */
    uint32_t records;           /* non_zero_blk_num */
    uint32_t record_max;        /* longest record that makes sense */
    uint64_t index_at;          /* file offset of the index */
    uint64_t bitmap_at;
    uint64_t data_end;          /* where records end and the end marker is */
    bool sparse;                /* entry n is block n, not the n-th record */
    uint64_t *bits;             /* NULL until zvhd2_map_set_bitmap() */
    uint32_t *rank;             /* rank[i]: bits set before word i */
    uint32_t segments;
    Segment *segment;
};

static uint32_t words_of(uint32_t blocks)
{
    return blocks / WORD_BITS + (blocks % WORD_BITS != 0);
}

static bool bit_is_set(const uint64_t *bits, uint32_t n)
{
    return bits[n / WORD_BITS] >> (n % WORD_BITS) & 1;
}

/* calloc() of nothing may give NULL, which is no lack of memory here. */
static void *alloc_array(uint32_t n, size_t size)
{
    return calloc(n ? n : 1, size);
}

/* --- reading --- */

Zvhd2Map *zvhd2_map_new(const Zvhd2Desc *footer)
{
    Zvhd2Map *map = calloc(1, sizeof(*map));

    if (!map) {
        return NULL;
    }
    map->blocks = footer->max_blk_num;
    map->records = footer->non_zero_blk_num;
    map->record_max = zvhd2_record_max(footer->block_size);
    map->index_at = footer->index_lba;
    map->bitmap_at = footer->bitmap_lba;
    map->data_end = footer->index_lba - ZVHD2_ALIGN;
    map->sparse = footer->index_sparse;
    map->segments = footer->index_seg_num;
    map->segment = alloc_array(map->segments, sizeof(*map->segment));
    if (!map->segment) {
        free(map);
        return NULL;
    }
    return map;
}

void zvhd2_map_free(Zvhd2Map *map)
{
    if (!map) {
        return;
    }
    for (uint32_t i = 0; i < map->segments; i++) {
        free(map->segment[i].entries);
    }
    free(map->segment);
    free(map->bits);
    free(map->rank);
    free(map);
}

static void map_drop_bits(Zvhd2Map *map)
{
    free(map->bits);
    free(map->rank);
    map->bits = NULL;
    map->rank = NULL;
}

/* Rule 12: every bit from map->blocks to the end of the area is clear. */
static bool bitmap_tail_check(const Zvhd2Map *map, const uint8_t *bytes,
                              Zvhd2Finding *f)
{
    const uint64_t segs = (uint64_t)map->blocks / ZVHD2_BITMAP_SEG_BLOCKS +
                          (map->blocks % ZVHD2_BITMAP_SEG_BLOCKS != 0);
    const uint64_t end = segs * ZVHD2_BITMAP_SEG_SIZE;

    for (uint64_t i = map->blocks / 8; i < end; i++) {
        uint8_t byte = bytes[i];

        if (i == map->blocks / 8) {
            byte = (uint8_t)(byte >> (map->blocks % 8) << (map->blocks % 8));
        }
        if (byte) {
            uint32_t n = (uint32_t)(i * 8) + (uint32_t)__builtin_ctz(byte);

            return zvhd2_broken(f, ZVHD2_R12_BITMAP_TAIL, map->bitmap_at + i,
                                n, n, map->blocks);
        }
    }
    return true;
}

int zvhd2_map_set_bitmap(Zvhd2Map *map, const uint8_t *bytes,
                         Zvhd2Finding *f)
{
    const uint32_t words = words_of(map->blocks);
    uint32_t sum = 0;
    uint64_t *bits;
    uint32_t *rank;

    map_drop_bits(map);
    if (!bitmap_tail_check(map, bytes, f)) {
        return -EINVAL;
    }
    bits = alloc_array(words, sizeof(*bits));
    rank = alloc_array(words, sizeof(*rank));
    if (!bits || !rank) {
        free(bits);
        free(rank);
        return -ENOMEM;
    }
    /* Whole words can be read: the area is a multiple of 4096 bytes. */
    for (uint32_t i = 0; i < words; i++) {
        for (unsigned b = 0; b < 8; b++) {
            bits[i] |= (uint64_t)bytes[(size_t)i * 8 + b] << (8 * b);
        }
        rank[i] = sum;
        sum += (uint32_t)__builtin_popcountll(bits[i]);
    }
    map->bits = bits;
    map->rank = rank;
    if (sum != map->records) {
        map_drop_bits(map);
        zvhd2_broken(f, ZVHD2_R13_BITMAP_COUNT, map->bitmap_at,
                     ZVHD2_NO_BLOCK, sum, map->records);
        return -EINVAL;
    }
    return 0;
}

/* Entries of segment @seg that stand for a block. */
static uint32_t segment_used(const Zvhd2Map *map, uint32_t seg)
{
    const uint64_t before = (uint64_t)seg * ZVHD2_INDEX_SEG_ENTRIES;
    const uint64_t total = map->sparse ? map->blocks : map->records;

    if (before >= total) {
        return 0;
    }
    return total - before < ZVHD2_INDEX_SEG_ENTRIES
        ? (uint32_t)(total - before) : ZVHD2_INDEX_SEG_ENTRIES;
}

static uint32_t segment_loadable(const Zvhd2Map *map, uint32_t seg)
{
    const uint32_t used = segment_used(map, seg);

    return (used + ENTRIES_PER_4K - 1) / ENTRIES_PER_4K * ENTRIES_PER_4K;
}

void zvhd2_map_segment_range(const Zvhd2Map *map, uint32_t seg,
                             uint64_t *offset, uint32_t *length)
{
    *offset = map->index_at + (uint64_t)seg * ZVHD2_INDEX_SEG_SIZE;
    *length = segment_loadable(map, seg) * ZVHD2_INDEX_ENTRY_SIZE;
}

int zvhd2_map_set_segment(Zvhd2Map *map, uint32_t seg, const uint8_t *bytes)
{
    Segment *s = &map->segment[seg];
    const uint32_t count = segment_loadable(map, seg);
    Zvhd2Entry *entries = alloc_array(count, sizeof(*entries));

    if (!entries) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        zvhd2_entry_decode(bytes + (size_t)i * ZVHD2_INDEX_ENTRY_SIZE,
                           &entries[i]);
    }
    free(s->entries);
    s->entries = entries;
    s->count = count;
    return 0;
}

bool zvhd2_map_has_data(const Zvhd2Map *map, uint32_t block)
{
    return block < map->blocks && map->bits && bit_is_set(map->bits, block);
}

uint32_t zvhd2_map_run(const Zvhd2Map *map, uint32_t block, uint32_t max,
                       bool *data)
{
    /* Both ends fit: past the last block everything is zero. */
    const uint64_t end = (uint64_t)block + max;
    uint64_t n = block;

    *data = zvhd2_map_has_data(map, block);
    if (!map->bits) {
        return max;
    }
    while (n < end && n < map->blocks) {
        /* bits from n on, as zeros where they are like the first one */
        uint64_t word = map->bits[n / WORD_BITS];
        unsigned shift = n % WORD_BITS;
        uint64_t change = (*data ? ~word : word) >> shift;

        if (change) {
            n += (unsigned)__builtin_ctzll(change);
            break;
        }
        n += WORD_BITS - shift;
    }
    /* Clear bits past the last block end a run of data, not one of zeros. */
    if (n >= map->blocks) {
        n = *data ? map->blocks : end;
    }
    return (uint32_t)((n < end ? n : end) - block);
}

/* Number of @block's entry in the index; the block has a record. */
static uint32_t entry_number(const Zvhd2Map *map, uint32_t block)
{
    const uint32_t w = block / WORD_BITS;
    const uint64_t below = ((uint64_t)1 << (block % WORD_BITS)) - 1;

    if (map->sparse) {
        return block;
    }
    return map->rank[w] +
           (uint32_t)__builtin_popcountll(map->bits[w] & below);
}

static uint64_t entry_at(const Zvhd2Map *map, uint32_t number)
{
    return map->index_at + (uint64_t)number * ZVHD2_INDEX_ENTRY_SIZE;
}

static const Zvhd2Entry *entry_get(const Zvhd2Map *map, uint32_t number)
{
    const Segment *s = &map->segment[number / ZVHD2_INDEX_SEG_ENTRIES];

    return s->entries ? &s->entries[number % ZVHD2_INDEX_SEG_ENTRIES] : NULL;
}

/* Rules 14-16 for the entry that should be @block's. */
static bool entry_check(const Zvhd2Map *map, const Zvhd2Entry *e,
                        uint32_t block, uint64_t at, Zvhd2Finding *f)
{
    if (e->block != block) {
        return zvhd2_broken(f, ZVHD2_R14_ENTRY_BLOCK, at, block, e->block,
                            block);
    }
    if (e->offset % ZVHD2_ALIGN != 0 || e->offset < ZVHD2_ALIGN ||
        e->offset >= map->data_end) {
        return zvhd2_broken(f, ZVHD2_R15_ENTRY_OFFSET, at, block, e->offset,
                            map->data_end);
    }
    if (e->length % ZVHD2_ALIGN != 0 || e->length < ZVHD2_ALIGN ||
        e->length > map->record_max) {
        return zvhd2_broken(f, ZVHD2_R16_ENTRY_LENGTH, at, block, e->length,
                            map->record_max);
    }
    if (e->length > map->data_end - e->offset) {
        return zvhd2_broken(f, ZVHD2_R16_ENTRY_LENGTH, at, block, e->length,
                            map->data_end - e->offset);
    }
    return true;
}

Zvhd2Lookup zvhd2_map_lookup(Zvhd2Map *map, uint32_t block, Zvhd2Entry *e,
                             uint32_t *seg, Zvhd2Finding *f)
{
    const Zvhd2Entry *found;
    uint32_t number;

    if (!zvhd2_map_has_data(map, block)) {
        return ZVHD2_MAP_ZERO;
    }
    number = entry_number(map, block);
    found = entry_get(map, number);
    if (!found) {
        *seg = number / ZVHD2_INDEX_SEG_ENTRIES;
        return ZVHD2_MAP_NEED_SEGMENT;
    }
    if (!entry_check(map, found, block, entry_at(map, number), f)) {
        return ZVHD2_MAP_BAD;
    }
    *e = *found;
    return ZVHD2_MAP_DATA;
}

/* --- check --- */

typedef struct CheckState {
    const Zvhd2Map *map;
    Zvhd2FoundFunc *found;
    void *opaque;
    bool stop;                  /* @found has had enough */
} CheckState;

static void tell(CheckState *cs, const Zvhd2Finding *f)
{
    if (!cs->stop && !cs->found(cs->opaque, f)) {
        cs->stop = true;
    }
}

static void tell_broken(CheckState *cs, Zvhd2Rule rule, uint64_t offset,
                        uint32_t block, uint64_t found, uint64_t want)
{
    Zvhd2Finding f;

    zvhd2_broken(&f, rule, offset, block, found, want);
    tell(cs, &f);
}

/* Rule 19: entries past the used ones, and those of a sparse zero block. */
static void check_unused(CheckState *cs)
{
    const Zvhd2Map *map = cs->map;

    for (uint32_t seg = 0; seg < map->segments; seg++) {
        const Segment *s = &map->segment[seg];
        const uint32_t used = segment_used(map, seg);

        for (uint32_t i = map->sparse ? 0 : used; i < s->count; i++) {
            const uint32_t number = seg * ZVHD2_INDEX_SEG_ENTRIES + i;
            const Zvhd2Entry *e = &s->entries[i];
            uint32_t block = ZVHD2_NO_BLOCK;
            bool bad;

            if (i < used) {
                if (zvhd2_map_has_data(map, number)) {
                    continue;
                }
                block = number;
                bad = e->offset != 0;
            } else {
                bad = e->offset != 0 || e->block != 0 || e->length != 0;
            }
            if (bad) {
                tell_broken(cs, ZVHD2_R19_UNUSED_ENTRY, entry_at(map, number),
                            block, e->offset, 0);
            }
            if (cs->stop) {
                return;
            }
        }
    }
}

/* What check_order() finds out on its way. */
typedef struct Order {
    uint32_t good;              /* entries that rules 14-16 allow */
    bool ascending;             /* none starts before an earlier one's end */
} Order;

/* Rules 14-16 and 18 in one walk over the blocks with a record. */
static void check_order(CheckState *cs, Order *order)
{
    const Zvhd2Map *map = cs->map;
    uint64_t last_start = 0;
    uint64_t last_end = ZVHD2_ALIGN;
    uint64_t max_end = ZVHD2_ALIGN;
    bool sure = true;           /* last_end is the predecessor's */
    uint32_t number = 0;

    *order = (Order) { .ascending = true };
    for (uint32_t w = 0; w < words_of(map->blocks); w++) {
        for (uint64_t word = map->bits[w]; word; word &= word - 1) {
            const uint32_t block = w * WORD_BITS +
                                   (unsigned)__builtin_ctzll(word);
            const uint32_t n = map->sparse ? block : number++;
            const Zvhd2Entry *e = entry_get(map, n);
            Zvhd2Finding f;

            if (cs->stop) {
                return;
            }
            if (!entry_check(map, e, block, entry_at(map, n), &f)) {
                tell(cs, &f);
                sure = false;
                continue;
            }
            order->good++;
            if (e->offset < max_end) {
                order->ascending = false;
            }
            /* An overlap is rule 17's, and is looked for afterwards. */
            if (e->offset < last_start || (sure && e->offset > last_end)) {
                tell_broken(cs, ZVHD2_R18_GAP, entry_at(map, n), block,
                            e->offset, last_end);
            }
            sure = true;
            last_start = e->offset;
            last_end = e->offset + e->length;
            if (last_end > max_end) {
                max_end = last_end;
            }
        }
    }
    if (sure && max_end != map->data_end) {
        tell_broken(cs, ZVHD2_R18_GAP, map->data_end, ZVHD2_NO_BLOCK,
                    map->data_end, max_end);
    }
}

static int by_offset(const void *a, const void *b)
{
    const Zvhd2Entry *ea = a;
    const Zvhd2Entry *eb = b;

    if (ea->offset != eb->offset) {
        return ea->offset < eb->offset ? -1 : 1;
    }
    return ea->block < eb->block ? -1 : ea->block > eb->block;
}

/* Rule 17 for records in any order. */
static int check_overlap(CheckState *cs, uint32_t good)
{
    const Zvhd2Map *map = cs->map;
    Zvhd2Entry *sorted = alloc_array(good, sizeof(*sorted));
    uint64_t max_end = 0;
    uint32_t count = 0;

    if (!sorted) {
        return -ENOMEM;
    }
    for (uint32_t w = 0; w < words_of(map->blocks); w++) {
        for (uint64_t word = map->bits[w]; word; word &= word - 1) {
            const uint32_t block = w * WORD_BITS +
                                   (unsigned)__builtin_ctzll(word);
            const Zvhd2Entry *e = entry_get(map, entry_number(map, block));

            if (count < good && entry_check(map, e, block, 0, NULL)) {
                sorted[count++] = *e;
            }
        }
    }
    qsort(sorted, count, sizeof(*sorted), by_offset);
    for (uint32_t i = 0; i < count && !cs->stop; i++) {
        const Zvhd2Entry *e = &sorted[i];

        if (e->offset < max_end) {
            tell_broken(cs, ZVHD2_R17_OVERLAP,
                        entry_at(map, entry_number(map, e->block)), e->block,
                        e->offset, max_end);
        }
        if (e->offset + e->length > max_end) {
            max_end = e->offset + e->length;
        }
    }
    free(sorted);
    return 0;
}

int zvhd2_map_check(Zvhd2Map *map, Zvhd2FoundFunc *found, void *opaque)
{
    CheckState cs = { .map = map, .found = found, .opaque = opaque };
    Order order;

    if (!map->bits) {
        return -EAGAIN;
    }
    for (uint32_t seg = 0; seg < map->segments; seg++) {
        if (!map->segment[seg].entries) {
            return -EAGAIN;
        }
    }
    check_order(&cs, &order);
    if (!cs.stop && !order.ascending) {
        int ret = check_overlap(&cs, order.good);

        if (ret < 0) {
            return ret;
        }
    }
    if (!cs.stop) {
        check_unused(&cs);
    }
    return 0;
}

bool zvhd2_unused_check(const uint8_t *bytes, size_t size, uint64_t at,
                        Zvhd2Finding *f)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i]) {
            return zvhd2_broken(f, ZVHD2_R19_UNUSED_ENTRY,
                                at + i / ZVHD2_INDEX_ENTRY_SIZE *
                                ZVHD2_INDEX_ENTRY_SIZE, ZVHD2_NO_BLOCK, 0, 0);
        }
    }
    return true;
}
