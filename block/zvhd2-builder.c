/* SPDX-License-Identifier: MIT */
/*
 * Records, as they come -> dense index and bitmap
 *
 * What a writer, a repair and a reader of images without an index have in
 * common: they learn of one record after the other.  See zvhd2-format.c for
 * why qemu/osdep.h is not here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zvhd2-map.h"

#define MAX_BLOCKS      ((uint32_t)(ZVHD2_MAX_DISK_SIZE / ZVHD2_MIN_BLOCK_SIZE))
#define FIRST_ROOM      256u

struct Zvhd2Builder {
    uint32_t blocks;            /* max_blk_num */
    uint32_t count;
    uint32_t room;              /* entries allocated */
    uint32_t next_block;        /* the lowest one that may come */
    uint8_t *bitmap;            /* as on disk, without the last segment's end */
    Zvhd2Entry *entries;
};

static size_t bitmap_bytes(const Zvhd2Builder *b)
{
    return b->blocks / 8 + (b->blocks % 8 != 0);
}

Zvhd2Builder *zvhd2_builder_new(uint32_t max_blk_num)
{
    Zvhd2Builder *b;

    if (max_blk_num > MAX_BLOCKS) {
        return NULL;
    }
    b = calloc(1, sizeof(*b));
    if (!b) {
        return NULL;
    }
    b->blocks = max_blk_num;
    /* one more, since calloc() of nothing may give NULL */
    b->bitmap = calloc(bitmap_bytes(b) + 1, 1);
    if (!b->bitmap) {
        free(b);
        return NULL;
    }
    return b;
}

void zvhd2_builder_free(Zvhd2Builder *b)
{
    if (!b) {
        return;
    }
    free(b->bitmap);
    free(b->entries);
    free(b);
}

int zvhd2_builder_add(Zvhd2Builder *b, const Zvhd2Entry *e)
{
    if (e->block >= b->blocks || e->block < b->next_block) {
        return -EINVAL;
    }
    if (b->count == b->room) {
        /* never more entries than MAX_BLOCKS: no product can overflow */
        uint32_t room = b->room ? b->room * 2 : FIRST_ROOM;
        Zvhd2Entry *entries = realloc(b->entries, room * sizeof(*entries));

        if (!entries) {
            return -ENOMEM;
        }
        b->entries = entries;
        b->room = room;
    }
    b->entries[b->count++] = *e;
    b->bitmap[e->block / 8] |= (uint8_t)(1u << e->block % 8);
    b->next_block = e->block + 1;
    return 0;
}

uint32_t zvhd2_builder_count(const Zvhd2Builder *b)
{
    return b->count;
}

void zvhd2_builder_index(const Zvhd2Builder *b, uint32_t seg,
                         uint8_t out[ZVHD2_INDEX_SEG_SIZE])
{
    const uint64_t first = (uint64_t)seg * ZVHD2_INDEX_SEG_ENTRIES;

    memset(out, 0, ZVHD2_INDEX_SEG_SIZE);
    for (uint64_t i = first;
         i < b->count && i < first + ZVHD2_INDEX_SEG_ENTRIES; i++) {
        zvhd2_entry_encode(&b->entries[i],
                           out + (i - first) * ZVHD2_INDEX_ENTRY_SIZE);
    }
}

void zvhd2_builder_bitmap(const Zvhd2Builder *b, uint32_t seg,
                          uint8_t out[ZVHD2_BITMAP_SEG_SIZE])
{
    const uint64_t first = (uint64_t)seg * ZVHD2_BITMAP_SEG_SIZE;
    const size_t size = bitmap_bytes(b);
    size_t n;

    memset(out, 0, ZVHD2_BITMAP_SEG_SIZE);
    if (first < size) {
        n = size - (size_t)first;
        memcpy(out, b->bitmap + first,
               n < ZVHD2_BITMAP_SEG_SIZE ? n : ZVHD2_BITMAP_SEG_SIZE);
    }
}

/* Where the last record ends. */
static uint64_t data_end(const Zvhd2Builder *b)
{
    uint64_t end = ZVHD2_ALIGN;

    for (uint32_t i = 0; i < b->count; i++) {
        const Zvhd2Entry *e = &b->entries[i];

        /* one that would wrap is left for the lookup to refuse */
        if (e->offset <= (uint64_t)INT64_MAX - e->length &&
            e->offset + e->length > end) {
            end = e->offset + e->length;
        }
    }
    return end;
}

static int load_bitmap(const Zvhd2Builder *b, Zvhd2Map *map, uint32_t segs)
{
    uint8_t *bytes = malloc((size_t)segs * ZVHD2_BITMAP_SEG_SIZE + 1);
    int ret;

    if (!bytes) {
        return -ENOMEM;
    }
    for (uint32_t seg = 0; seg < segs; seg++) {
        zvhd2_builder_bitmap(b, seg,
                             bytes + (size_t)seg * ZVHD2_BITMAP_SEG_SIZE);
    }
    ret = zvhd2_map_set_bitmap(map, bytes, NULL);
    free(bytes);
    return ret;
}

static int load_index(const Zvhd2Builder *b, Zvhd2Map *map, uint32_t segs)
{
    uint8_t *bytes = malloc(ZVHD2_INDEX_SEG_SIZE);
    int ret = bytes ? 0 : -ENOMEM;

    for (uint32_t seg = 0; seg < segs && ret == 0; seg++) {
        zvhd2_builder_index(b, seg, bytes);
        ret = zvhd2_map_set_segment(map, seg, bytes);
    }
    free(bytes);
    return ret;
}

/* By the same bytes and functions that a reader of a file uses. */
Zvhd2Map *zvhd2_map_from_builder(const Zvhd2Builder *b, const Zvhd2Desc *d)
{
    Zvhd2Desc like = *d;
    Zvhd2Map *map;

    if (d->max_blk_num != b->blocks) {
        return NULL;
    }
    zvhd2_desc_finish(&like, data_end(b), b->count);
    map = zvhd2_map_new(&like);
    if (!map) {
        return NULL;
    }
    if (load_bitmap(b, map, like.bitmap_seg_num) < 0 ||
        load_index(b, map, like.index_seg_num) < 0) {
        zvhd2_map_free(map);
        return NULL;
    }
    return map;
}
