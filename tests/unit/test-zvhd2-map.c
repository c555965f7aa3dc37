/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block number -> record: rules 12-19, lookups and runs against a plain model,
 * and the index and bitmap that the builder makes
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "zvhd2-map.h"

#define MIB 1048576u
#define PAGE 4096u

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Zvhd2Map, zvhd2_map_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Zvhd2Builder, zvhd2_builder_free)

/* The trailer of an image in memory, and what it should mean. */
typedef struct Image {
    Zvhd2Desc d;
    Zvhd2Entry *entry;          /* by block; offset 0: none */
    uint8_t *bitmap;
    uint8_t *index;
} Image;

static void image_clear(Image *im)
{
    g_free(im->entry);
    g_free(im->bitmap);
    g_free(im->index);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Image, image_clear)

static void image_put(Image *im, uint32_t number, Zvhd2Entry e)
{
    zvhd2_entry_encode(&e, im->index + (size_t)number * 16);
}

/* @has: for each block, whether it has a record; lengths vary. */
static void image_make(Image *im, uint32_t blocks, const bool *has,
                       bool sparse)
{
    static const uint8_t uuid[16] = { 1 };
    uint64_t at = PAGE;
    uint32_t records = 0;

    im->entry = g_new0(Zvhd2Entry, blocks + 1);
    for (uint32_t i = 0; i < blocks; i++) {
        if (has[i]) {
            im->entry[i] = (Zvhd2Entry) {
                .offset = at, .block = i, .length = (1 + i % 5) * PAGE,
            };
            at += im->entry[i].length;
            records++;
        }
    }
    g_assert_cmpint(zvhd2_desc_init(&im->d, (uint64_t)blocks * 2 * MIB, 2 * MIB,
                                    ZVHD2_METHOD_ZSTD, uuid, 0), ==, ZVHD2_OK);
    zvhd2_desc_finish(&im->d, at, records);
    if (sparse) {
        im->d.index_sparse = 1;
        im->d.index_seg_num = im->d.bitmap_seg_num;
        im->d.index_size = im->d.index_seg_num * ZVHD2_INDEX_SEG_SIZE;
        im->d.bitmap_lba = im->d.index_lba + im->d.index_size;
    }
    im->bitmap = g_malloc0(im->d.bitmap_size);
    im->index = g_malloc0(im->d.index_size);
    records = 0;
    for (uint32_t i = 0; i < blocks; i++) {
        if (has[i]) {
            im->bitmap[i / 8] |= (uint8_t)(1u << i % 8);
            image_put(im, sparse ? i : records++, im->entry[i]);
        }
    }
}

/* Records 2, 3, 5, 7, 11 of 20 blocks: what the tests of rules break. */
static void image_small(Image *im, bool sparse)
{
    static const bool has[20] = {
        [2] = true, [3] = true, [5] = true, [7] = true, [11] = true,
    };

    image_make(im, 20, has, sparse);
}

/* Loads what the map asks for, from a buffer of just that length. */
static void load_segment(Zvhd2Map *map, const Image *im, uint32_t seg)
{
    uint64_t offset;
    uint32_t length;
    g_autofree uint8_t *exact = NULL;

    zvhd2_map_segment_range(map, seg, &offset, &length);
    g_assert_cmpuint(offset, >=, im->d.index_lba);
    g_assert_cmpuint(length % PAGE, ==, 0);
    g_assert_cmpuint(offset - im->d.index_lba + length, <=, im->d.index_size);
    exact = g_malloc(length);
    if (length) {
        memcpy(exact, im->index + (offset - im->d.index_lba), length);
    }
    g_assert_cmpint(zvhd2_map_set_segment(map, seg, exact), ==, 0);
}

static Zvhd2Map *open_map(const Image *im, bool load)
{
    Zvhd2Map *map = zvhd2_map_new(&im->d);
    Zvhd2Finding f;

    g_assert_nonnull(map);
    g_assert_cmpint(zvhd2_map_set_bitmap(map, im->bitmap, &f), ==, 0);
    for (uint32_t seg = 0; load && seg < im->d.index_seg_num; seg++) {
        load_segment(map, im, seg);
    }
    return map;
}

/* Every answer of the map against the plain array. */
static void compare(Zvhd2Map *map, const Image *im, GRand *rand)
{
    const uint32_t blocks = im->d.max_blk_num;

    for (uint32_t i = 0; i < blocks + 3; i++) {
        const bool want = i < blocks && im->entry[i].offset != 0;
        Zvhd2Finding f;
        Zvhd2Entry e;
        uint32_t seg;
        Zvhd2Lookup got = zvhd2_map_lookup(map, i, &e, &seg, &f);

        if (got == ZVHD2_MAP_NEED_SEGMENT) {
            load_segment(map, im, seg);
            got = zvhd2_map_lookup(map, i, &e, &seg, &f);
        }
        g_assert_true(zvhd2_map_has_data(map, i) == want);
        g_assert_cmpint(got, ==, want ? ZVHD2_MAP_DATA : ZVHD2_MAP_ZERO);
        if (want) {
            g_assert_cmpuint(e.offset, ==, im->entry[i].offset);
            g_assert_cmpuint(e.block, ==, i);
            g_assert_cmpuint(e.length, ==, im->entry[i].length);
        }
    }

    for (unsigned n = 0; n < 300; n++) {
        uint32_t block = (uint32_t)g_rand_int_range(rand, 0,
                                                    (gint32)blocks + 70);
        uint32_t max = n % 3 ? 1 + g_rand_int(rand) % 200
                             : UINT32_MAX - g_rand_int(rand) % 3;
        uint32_t want = 0;
        bool data, first = block < blocks && im->entry[block].offset;

        while (want < max && block + want < blocks &&
               !!im->entry[block + want].offset == first) {
            want++;
        }
        if (!first && block + (uint64_t)want >= blocks) {
            want = max;
        }
        g_assert_cmpuint(zvhd2_map_run(map, block, max, &data), ==, want);
        g_assert_true(data == first);
    }
    /* the ends of the number range */
    {
        bool data;

        g_assert_cmpuint(zvhd2_map_run(map, UINT32_MAX, UINT32_MAX, &data),
                         ==, UINT32_MAX);
        g_assert_false(data);
        g_assert_cmpuint(zvhd2_map_run(map, UINT32_MAX, 1, &data), ==, 1);
        g_assert_false(zvhd2_map_has_data(map, UINT32_MAX));
    }
}

static bool count_findings(void *opaque, const Zvhd2Finding *f)
{
    char text[256];

    g_test_message("%s", zvhd2_finding_text(f, text, sizeof(text)));
    ++*(unsigned *)opaque;
    return true;
}

static void test_model(void)
{
    static const uint32_t sizes[] = {
        0, 1, 2, 63, 64, 65, 127, 128, 200, 1000, 4097,
        32767, 32768, 32769, 65536, 65537, 98305,
    };
    static const double densities[] = { 0, 0.01, 0.5, 0.99, 1 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(42);

    for (size_t s = 0; s < G_N_ELEMENTS(sizes); s++) {
        for (size_t p = 0; p < G_N_ELEMENTS(densities); p++) {
            for (int sparse = 0; sparse < 2; sparse++) {
                g_auto(Image) im = { 0 };
                g_autofree bool *has = g_new0(bool, sizes[s] + 1);
                g_autoptr(Zvhd2Map) map = NULL;
                unsigned findings = 0;

                for (uint32_t i = 0; i < sizes[s]; i++) {
                    has[i] = g_rand_double(rand) < densities[p];
                }
                image_make(&im, sizes[s], has, sparse);
                map = open_map(&im, false);
                compare(map, &im, rand);
                /* lookups ask only for what they need */
                for (uint32_t seg = 0; seg < im.d.index_seg_num; seg++) {
                    load_segment(map, &im, seg);
                }
                g_assert_cmpint(zvhd2_map_check(map, count_findings,
                                                &findings), ==, 0);
                g_assert_cmpuint(findings, ==, 0);
            }
        }
    }
}

/* A reader over a network pays for what it uses. */
static void test_segment_range(void)
{
    g_auto(Image) im = { 0 };
    g_autofree bool *has = g_new0(bool, 40000);
    g_autoptr(Zvhd2Map) map = NULL;
    uint64_t offset;
    uint32_t length, seg = 77;
    Zvhd2Finding f;
    Zvhd2Entry e;

    for (uint32_t i = 0; i < 32769 + 256; i++) {
        has[i] = true;
    }
    image_make(&im, 40000, has, false);
    map = open_map(&im, false);
    zvhd2_map_segment_range(map, 0, &offset, &length);
    g_assert_cmpuint(offset, ==, im.d.index_lba);
    g_assert_cmpuint(length, ==, 524288);
    zvhd2_map_segment_range(map, 1, &offset, &length);
    g_assert_cmpuint(offset, ==, im.d.index_lba + 524288);
    g_assert_cmpuint(length, ==, 2 * 4096);             /* 257 entries */

    g_assert_cmpint(zvhd2_map_check(map, count_findings, NULL), ==, -EAGAIN);
    g_assert_cmpint(zvhd2_map_lookup(map, 32767, &e, &seg, &f), ==,
                    ZVHD2_MAP_NEED_SEGMENT);
    g_assert_cmpuint(seg, ==, 0);
    g_assert_cmpint(zvhd2_map_lookup(map, 32768, &e, &seg, &f), ==,
                    ZVHD2_MAP_NEED_SEGMENT);
    g_assert_cmpuint(seg, ==, 1);
    load_segment(map, &im, 1);
    load_segment(map, &im, 1);                          /* again does no harm */
    g_assert_cmpint(zvhd2_map_lookup(map, 32768, &e, &seg, &f), ==,
                    ZVHD2_MAP_DATA);
    g_assert_cmpint(zvhd2_map_lookup(map, 39999, &e, &seg, &f), ==,
                    ZVHD2_MAP_ZERO);
    g_assert_cmpint(zvhd2_map_check(map, count_findings, NULL), ==, -EAGAIN);
}

static void test_before_bitmap(void)
{
    g_auto(Image) im = { 0 };
    g_autoptr(Zvhd2Map) map = NULL;
    uint32_t seg;
    bool data = true;
    Zvhd2Finding f;
    Zvhd2Entry e;

    image_small(&im, false);
    map = zvhd2_map_new(&im.d);
    g_assert_false(zvhd2_map_has_data(map, 2));
    g_assert_cmpuint(zvhd2_map_run(map, 0, 9, &data), ==, 9);
    g_assert_false(data);
    g_assert_cmpint(zvhd2_map_lookup(map, 2, &e, &seg, &f), ==,
                    ZVHD2_MAP_ZERO);
    g_assert_cmpint(zvhd2_map_check(map, count_findings, NULL), ==, -EAGAIN);
    zvhd2_map_free(NULL);
}

/* Rules 12 and 13. */
static void test_bitmap_rules(void)
{
    g_auto(Image) im = { 0 };
    g_autoptr(Zvhd2Map) map = NULL;
    Zvhd2Finding f;

    image_small(&im, false);
    map = zvhd2_map_new(&im.d);
    for (uint32_t bit = 20; bit < 32768; bit += bit < 100 ? 1 : 997) {
        im.bitmap[bit / 8] ^= (uint8_t)(1u << bit % 8);
        g_assert_cmpint(zvhd2_map_set_bitmap(map, im.bitmap, &f), ==, -EINVAL);
        g_assert_cmpint(f.rule, ==, ZVHD2_R12_BITMAP_TAIL);
        g_assert_cmpuint(f.offset, ==, im.d.bitmap_lba + bit / 8);
        g_assert_cmpuint(f.block, ==, bit);
        im.bitmap[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (uint32_t bit = 0; bit < 20; bit++) {
        im.bitmap[bit / 8] ^= (uint8_t)(1u << bit % 8);
        g_assert_cmpint(zvhd2_map_set_bitmap(map, im.bitmap, &f), ==, -EINVAL);
        g_assert_cmpint(f.rule, ==, ZVHD2_R13_BITMAP_COUNT);
        g_assert_cmpuint(f.found, ==, im.entry[bit].offset ? 4 : 6);
        g_assert_cmpuint(f.want, ==, 5);
        im.bitmap[bit / 8] ^= (uint8_t)(1u << bit % 8);
        /* nothing of a refused bitmap stays */
        g_assert_false(zvhd2_map_has_data(map, 2));
    }
    g_assert_cmpint(zvhd2_map_set_bitmap(map, im.bitmap, NULL), ==, 0);
    g_assert_true(zvhd2_map_has_data(map, 2));
}

/* Rules 14-16: the entry of block 3 changed. */
static void test_entry_rules(void)
{
    g_auto(Image) shape = { 0 };
    Zvhd2Entry good;
    uint64_t end;

    image_small(&shape, false);
    good = shape.entry[3];
    end = shape.d.index_lba - PAGE;

    const struct {
        Zvhd2Entry e;
        Zvhd2Rule rule;
    } t[] = {
        { good, ZVHD2_OK },
        { { good.offset, 2, good.length }, ZVHD2_R14_ENTRY_BLOCK },
        { { good.offset, 4, good.length }, ZVHD2_R14_ENTRY_BLOCK },
        { { good.offset, UINT32_MAX, good.length }, ZVHD2_R14_ENTRY_BLOCK },
        { { 0, 0, 0 }, ZVHD2_R14_ENTRY_BLOCK },
        { { 0, 3, good.length }, ZVHD2_R15_ENTRY_OFFSET },
        { { 1, 3, good.length }, ZVHD2_R15_ENTRY_OFFSET },
        { { PAGE - 1, 3, good.length }, ZVHD2_R15_ENTRY_OFFSET },
        { { good.offset + 512, 3, good.length }, ZVHD2_R15_ENTRY_OFFSET },
        { { end, 3, PAGE }, ZVHD2_R15_ENTRY_OFFSET },
        { { end + PAGE, 3, PAGE }, ZVHD2_R15_ENTRY_OFFSET },
        { { (uint64_t)1 << 63, 3, PAGE }, ZVHD2_R15_ENTRY_OFFSET },
        { { UINT64_MAX - 4095, 3, PAGE }, ZVHD2_R15_ENTRY_OFFSET },
        { { UINT64_MAX - 4095, 3, 2 * PAGE }, ZVHD2_R15_ENTRY_OFFSET },
        { { UINT64_MAX, 3, PAGE }, ZVHD2_R15_ENTRY_OFFSET },
        { { end - PAGE, 3, PAGE }, ZVHD2_OK },          /* the last page */
        { { end - PAGE, 3, 2 * PAGE }, ZVHD2_R16_ENTRY_LENGTH },
        { { good.offset, 3, 0 }, ZVHD2_R16_ENTRY_LENGTH },
        { { good.offset, 3, 512 }, ZVHD2_R16_ENTRY_LENGTH },
        { { good.offset, 3, PAGE + 1 }, ZVHD2_R16_ENTRY_LENGTH },
        { { good.offset, 3, 2 * MIB + MIB / 2 + 2 * PAGE },
          ZVHD2_R16_ENTRY_LENGTH },
        { { good.offset, 3, UINT32_MAX - 4095 }, ZVHD2_R16_ENTRY_LENGTH },
        { { good.offset, 3, UINT32_MAX }, ZVHD2_R16_ENTRY_LENGTH },
    };

    for (int sparse = 0; sparse < 2; sparse++) {
        for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
            g_auto(Image) im = { 0 };
            g_autoptr(Zvhd2Map) map = NULL;
            Zvhd2Finding f = { 0 };
            Zvhd2Entry e;
            uint32_t seg;
            Zvhd2Lookup got;

            image_small(&im, sparse);
            image_put(&im, sparse ? 3 : 1, t[i].e);
            map = open_map(&im, true);
            got = zvhd2_map_lookup(map, 3, &e, &seg, &f);
            if (f.rule != t[i].rule ||
                got != (t[i].rule ? ZVHD2_MAP_BAD : ZVHD2_MAP_DATA)) {
                g_error("line %zu: rule %d, not %d", i, f.rule, t[i].rule);
            }
            if (t[i].rule) {
                g_assert_cmpuint(f.offset, ==,
                                 im.d.index_lba + (sparse ? 3 : 1) * 16);
                g_assert_cmpuint(f.block, ==, 3);
            }
            /* its neighbours are none the worse */
            g_assert_cmpint(zvhd2_map_lookup(map, 2, &e, &seg, &f), ==,
                            ZVHD2_MAP_DATA);
            g_assert_cmpint(zvhd2_map_lookup(map, 5, &e, &seg, &f), ==,
                            ZVHD2_MAP_DATA);
        }
    }
}

/* The longest record there may be, where there is room for it. */
static void test_longest_record(void)
{
    const uint32_t longest = zvhd2_record_max(2 * MIB);
    g_auto(Image) im = { 0 };
    g_autoptr(Zvhd2Map) map = NULL;
    Zvhd2Finding f;
    Zvhd2Entry e;
    uint32_t seg;

    image_make(&im, 1, (bool[]) { true }, false);
    image_put(&im, 0, (Zvhd2Entry) { PAGE, 0, longest });
    im.d.index_lba = 2 * PAGE + longest;
    map = open_map(&im, false);
    g_assert_cmpint(zvhd2_map_set_segment(map, 0, im.index), ==, 0);
    g_assert_cmpint(zvhd2_map_lookup(map, 0, &e, &seg, &f), ==,
                    ZVHD2_MAP_DATA);
}

/* --- rules 14-19 over the whole image --- */

typedef struct Expected {
    Zvhd2Rule rule;
    uint32_t block;
} Expected;

typedef struct Found {
    Zvhd2Finding f[32];
    unsigned n, stop_at;
} Found;

static bool collect(void *opaque, const Zvhd2Finding *f)
{
    Found *found = opaque;

    g_assert_cmpuint(found->n, <, G_N_ELEMENTS(found->f));
    found->f[found->n++] = *f;
    return found->n != found->stop_at;
}

static void expect(Image *im, const Expected *want, unsigned n)
{
    g_autoptr(Zvhd2Map) map = open_map(im, true);
    Found found = { 0 };

    g_assert_cmpint(zvhd2_map_check(map, collect, &found), ==, 0);
    for (unsigned i = 0; i < found.n; i++) {
        char text[256];

        g_test_message("%s", zvhd2_finding_text(&found.f[i], text,
                                                sizeof(text)));
    }
    g_assert_cmpuint(found.n, ==, n);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmpint(found.f[i].rule, ==, want[i].rule);
        g_assert_cmpuint(found.f[i].block, ==, want[i].block);
    }
    /* and stops when told, at every place */
    for (unsigned stop = 1; stop <= n; stop++) {
        Found some = { .stop_at = stop };

        g_assert_cmpint(zvhd2_map_check(map, collect, &some), ==, 0);
        g_assert_cmpuint(some.n, ==, stop);
    }
}

#define EXPECT(im, ...) do {                                            \
        const Expected want_[] = { __VA_ARGS__ };                       \
        expect(im, want_, G_N_ELEMENTS(want_));                         \
    } while (0)

/* Which entry in the index of image_small() is @block's. */
static uint32_t slot(const Image *im, uint32_t block)
{
    uint32_t k = 0;

    for (uint32_t i = 0; i < block; i++) {
        k += im->entry[i].offset != 0;
    }
    return im->d.index_sparse ? block : k;
}

static void test_check_entries(void)
{
    for (int sparse = 0; sparse < 2; sparse++) {
        g_auto(Image) im = { 0 };
        Zvhd2Entry e;

        image_small(&im, sparse);
        e = im.entry[5];
        e.block = 4;
        image_put(&im, slot(&im, 5), e);
        EXPECT(&im, { ZVHD2_R14_ENTRY_BLOCK, 5 });
        e = im.entry[5];
        e.offset++;
        image_put(&im, slot(&im, 5), e);
        e = im.entry[7];
        e.length++;
        image_put(&im, slot(&im, 7), e);
        EXPECT(&im, { ZVHD2_R15_ENTRY_OFFSET, 5 },
               { ZVHD2_R16_ENTRY_LENGTH, 7 });
    }
}

static void test_check_overlap(void)
{
    for (int sparse = 0; sparse < 2; sparse++) {
        g_auto(Image) im = { 0 };
        Zvhd2Entry e;

        /* one that reaches into its successor */
        image_small(&im, sparse);
        e = im.entry[3];
        e.length += PAGE;
        image_put(&im, slot(&im, 3), e);
        EXPECT(&im, { ZVHD2_R17_OVERLAP, 5 });

        /* one that swallows all that follow */
        e.length = (uint32_t)(im.d.index_lba - PAGE - e.offset);
        image_put(&im, slot(&im, 3), e);
        EXPECT(&im, { ZVHD2_R17_OVERLAP, 5 }, { ZVHD2_R17_OVERLAP, 7 },
               { ZVHD2_R17_OVERLAP, 11 });

        /* one that is another's */
        image_put(&im, slot(&im, 3), im.entry[3]);
        e = im.entry[2];
        e.block = 11;
        image_put(&im, slot(&im, 11), e);
        EXPECT(&im, { ZVHD2_R18_GAP, 11 }, { ZVHD2_R18_GAP, ZVHD2_NO_BLOCK },
               { ZVHD2_R17_OVERLAP, 11 });
    }
}

static void test_check_gap(void)
{
    for (int sparse = 0; sparse < 2; sparse++) {
        g_auto(Image) im = { 0 };
        Zvhd2Entry a, b;

        /* nothing of the second page of block 3's record is missed by it */
        image_small(&im, sparse);
        a = im.entry[3];
        a.length -= PAGE;
        image_put(&im, slot(&im, 3), a);
        EXPECT(&im, { ZVHD2_R18_GAP, 5 });
        image_put(&im, slot(&im, 3), im.entry[3]);

        /* before the first, after the last */
        a = im.entry[2];
        a.offset += PAGE;
        a.length -= PAGE;
        image_put(&im, slot(&im, 2), a);
        EXPECT(&im, { ZVHD2_R18_GAP, 2 });
        image_put(&im, slot(&im, 2), im.entry[2]);
        a = im.entry[11];
        a.length = PAGE;
        image_put(&im, slot(&im, 11), a);
        EXPECT(&im, { ZVHD2_R18_GAP, ZVHD2_NO_BLOCK });
        image_put(&im, slot(&im, 11), im.entry[11]);

        /* two that changed places: no overlap, but not in order */
        a = im.entry[5];                /* one page */
        b = im.entry[7];                /* three pages */
        b.offset = a.offset;
        a.offset += b.length;
        image_put(&im, slot(&im, 5), a);
        image_put(&im, slot(&im, 7), b);
        EXPECT(&im, { ZVHD2_R18_GAP, 5 }, { ZVHD2_R18_GAP, 7 },
               { ZVHD2_R18_GAP, 11 });
    }
}

static void test_check_unused(void)
{
    g_auto(Image) dense = { 0 }, sparse = { 0 };
    uint8_t zeros[64] = { 0 };
    Zvhd2Finding f;

    image_small(&dense, false);
    image_put(&dense, 5, (Zvhd2Entry) { 0, 12, 0 });
    image_put(&dense, 255, (Zvhd2Entry) { PAGE, 0, 0 });
    image_put(&dense, 256, (Zvhd2Entry) { PAGE, 0, 0 });    /* not loaded */
    EXPECT(&dense, { ZVHD2_R19_UNUSED_ENTRY, ZVHD2_NO_BLOCK },
           { ZVHD2_R19_UNUSED_ENTRY, ZVHD2_NO_BLOCK });

    image_small(&sparse, true);
    image_put(&sparse, 4, (Zvhd2Entry) { PAGE, 4, PAGE });
    image_put(&sparse, 6, (Zvhd2Entry) { 0, 6, 0 });        /* offset counts */
    image_put(&sparse, 20, (Zvhd2Entry) { 0, 20, 0 });      /* past the disk */
    EXPECT(&sparse, { ZVHD2_R19_UNUSED_ENTRY, 4 },
           { ZVHD2_R19_UNUSED_ENTRY, ZVHD2_NO_BLOCK });

    g_assert_true(zvhd2_unused_check(zeros, sizeof(zeros), PAGE, &f));
    g_assert_true(zvhd2_unused_check(zeros, 0, PAGE, &f));
    zeros[47] = 1;
    g_assert_false(zvhd2_unused_check(zeros, sizeof(zeros), PAGE, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R19_UNUSED_ENTRY);
    g_assert_cmpuint(f.offset, ==, PAGE + 32);
    g_assert_true(zvhd2_unused_check(zeros, 32, PAGE, &f));
}

static bool count_quietly(void *opaque, const Zvhd2Finding *f)
{
    g_assert_cmpint(f->rule, >=, ZVHD2_R17_OVERLAP);
    ++*(unsigned *)opaque;
    return true;
}

/* All records in one place: sorting must still come to an end quickly. */
static void test_check_many(void)
{
    enum { N = 200000 };
    g_auto(Image) im = { 0 };
    g_autofree bool *has = g_new(bool, N);
    g_autoptr(Zvhd2Map) map = NULL;
    unsigned findings = 0;

    memset(has, true, N);
    image_make(&im, N, has, false);
    for (uint32_t i = 0; i < N; i++) {
        image_put(&im, i, (Zvhd2Entry) { PAGE, i, PAGE });
    }
    map = open_map(&im, true);
    g_assert_cmpint(zvhd2_map_check(map, count_quietly, &findings), ==, 0);
    /* each but the first overlaps; the end is far from the data's */
    g_assert_cmpuint(findings, ==, N);
}

/* --- writing --- */

static void test_builder(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    static const uint32_t sizes[] = { 0, 1, 20, 32768, 32769, 70000 };

    for (size_t s = 0; s < G_N_ELEMENTS(sizes); s++) {
        g_autofree bool *has = g_new0(bool, sizes[s] + 1);
        g_autofree uint8_t *index = g_malloc(ZVHD2_INDEX_SEG_SIZE);
        g_autofree uint8_t *bitmap = g_malloc(ZVHD2_BITMAP_SEG_SIZE);
        g_autoptr(Zvhd2Builder) b = zvhd2_builder_new(sizes[s]);
        g_autoptr(Zvhd2Map) map = NULL;
        g_auto(Image) im = { 0 };
        uint32_t records = 0;
        unsigned findings = 0;

        for (uint32_t i = 0; i < sizes[s]; i++) {
            has[i] = g_rand_int(rand) % 8 != 0;
        }
        image_make(&im, sizes[s], has, false);
        for (uint32_t i = 0; i < sizes[s]; i++) {
            if (has[i]) {
                g_assert_cmpint(zvhd2_builder_add(b, &im.entry[i]), ==, 0);
                records++;
            }
        }
        g_assert_cmpuint(zvhd2_builder_count(b), ==, records);
        for (uint32_t seg = 0; seg < im.d.index_seg_num; seg++) {
            memset(index, 0xaa, ZVHD2_INDEX_SEG_SIZE);
            zvhd2_builder_index(b, seg, index);
            g_assert_true(memcmp(index, im.index + (size_t)seg *
                                 ZVHD2_INDEX_SEG_SIZE,
                                 ZVHD2_INDEX_SEG_SIZE) == 0);
        }
        for (uint32_t seg = 0; seg < im.d.bitmap_seg_num; seg++) {
            memset(bitmap, 0xaa, ZVHD2_BITMAP_SEG_SIZE);
            zvhd2_builder_bitmap(b, seg, bitmap);
            g_assert_true(memcmp(bitmap, im.bitmap + (size_t)seg *
                                 ZVHD2_BITMAP_SEG_SIZE,
                                 ZVHD2_BITMAP_SEG_SIZE) == 0);
        }

        map = zvhd2_map_from_builder(b, &im.d);
        g_assert_nonnull(map);
        g_clear_pointer(&b, zvhd2_builder_free);
        compare(map, &im, rand);
        g_assert_cmpint(zvhd2_map_check(map, count_findings, &findings), ==, 0);
        g_assert_cmpuint(findings, ==, 0);
    }
}

static void test_builder_refuses(void)
{
    g_autoptr(Zvhd2Builder) b = zvhd2_builder_new(10);
    g_auto(Image) im = { 0 };
    Zvhd2Entry e = { PAGE, 3, PAGE };

    image_small(&im, false);
    g_assert_cmpint(zvhd2_builder_add(b, &e), ==, 0);
    g_assert_cmpint(zvhd2_builder_add(b, &e), ==, -EINVAL);     /* twice */
    e.block = 2;
    g_assert_cmpint(zvhd2_builder_add(b, &e), ==, -EINVAL);     /* back */
    e.block = 10;
    g_assert_cmpint(zvhd2_builder_add(b, &e), ==, -EINVAL);     /* past */
    e.block = UINT32_MAX;
    g_assert_cmpint(zvhd2_builder_add(b, &e), ==, -EINVAL);
    e.block = 9;
    g_assert_cmpint(zvhd2_builder_add(b, &e), ==, 0);
    g_assert_cmpuint(zvhd2_builder_count(b), ==, 2);
    /* a disk of another size */
    g_assert_null(zvhd2_map_from_builder(b, &im.d));

    g_assert_null(zvhd2_builder_new((1u << 26) + 1));
    g_assert_null(zvhd2_builder_new(UINT32_MAX));
    zvhd2_builder_free(NULL);
}

/* What a walk over a file without an index may collect from a hostile one. */
static void test_builder_hostile(void)
{
    static const Zvhd2Entry bad[] = {
        { UINT64_MAX - 4095, 3, 8192 }, { UINT64_MAX, 3, UINT32_MAX },
        { (uint64_t)INT64_MAX + 1, 3, PAGE }, { 5, 3, PAGE }, { 0, 3, PAGE },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(Zvhd2Builder) b = zvhd2_builder_new(20);
        g_autoptr(Zvhd2Map) map = NULL;
        g_auto(Image) im = { 0 };
        Zvhd2Finding f;
        Zvhd2Entry e;
        uint32_t seg;

        image_small(&im, false);
        g_assert_cmpint(zvhd2_builder_add(b, &im.entry[2]), ==, 0);
        g_assert_cmpint(zvhd2_builder_add(b, &bad[i]), ==, 0);
        map = zvhd2_map_from_builder(b, &im.d);
        g_assert_cmpint(zvhd2_map_lookup(map, 2, &e, &seg, &f), ==,
                        ZVHD2_MAP_DATA);
        g_assert_cmpint(zvhd2_map_lookup(map, 3, &e, &seg, &f), ==,
                        ZVHD2_MAP_BAD);
        g_assert_cmpint(f.rule, ==, ZVHD2_R15_ENTRY_OFFSET);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/zvhd2/map/model", test_model);
    g_test_add_func("/zvhd2/map/segment-range", test_segment_range);
    g_test_add_func("/zvhd2/map/before-bitmap", test_before_bitmap);
    g_test_add_func("/zvhd2/map/bitmap-rules", test_bitmap_rules);
    g_test_add_func("/zvhd2/map/entry-rules", test_entry_rules);
    g_test_add_func("/zvhd2/map/longest-record", test_longest_record);
    g_test_add_func("/zvhd2/map/check-entries", test_check_entries);
    g_test_add_func("/zvhd2/map/check-overlap", test_check_overlap);
    g_test_add_func("/zvhd2/map/check-gap", test_check_gap);
    g_test_add_func("/zvhd2/map/check-unused", test_check_unused);
    g_test_add_func("/zvhd2/map/check-many", test_check_many);
    g_test_add_func("/zvhd2/map/builder", test_builder);
    g_test_add_func("/zvhd2/map/builder-refuses", test_builder_refuses);
    g_test_add_func("/zvhd2/map/builder-hostile", test_builder_hostile);
    return g_test_run();
}
