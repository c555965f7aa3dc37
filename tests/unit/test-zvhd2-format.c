/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of zvhd2.rst that a descriptor can break: rules 1-11 and 25, each
 * met and broken, at its borders; and the messages.
 */
#include <glib.h>
#include <string.h>

#include "zvhd2-format.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

static const uint8_t uuid[16] = {
    0x71, 0x04, 0xb8, 0xef, 0xd4, 0xbb, 0x45, 0x7a,
    0xad, 0x85, 0xca, 0x5c, 0x90, 0x58, 0x84, 0x71,
};

/* The header of the vendor's odd-size image (10 MiB and a sector). */
static const uint8_t vendor_header[144] = {
    0x7a, 0x32, 0x73, 0x74, 0x72, 0x6d, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xa8, 0x8a, 0x95, 0x32, 0x74, 0x61, 0x70, 0x00,
    0x04, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x02, 0xa0, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00,
    0x11, 0x04, 0x2d, 0x01, 0x04, 0x00, 0x00, 0x00,
    0x5f, 0xe8, 0xff, 0xff, 0x71, 0x04, 0xb8, 0xef,
    0xd4, 0xbb, 0x45, 0x7a, 0xad, 0x85, 0xca, 0x5c,
    0x90, 0x58, 0x84, 0x71, 0x00, 0x00, 0x00, 0x01,
    0x00, 0x00, 0x20, 0x00, 0x06, 0x00, 0x00, 0x00,
    [141] = 1,
};
#define VENDOR_TIMESTAMP 848661160
#define VENDOR_FOOTER_CHECKSUM 4294960962u      /* end of data 2113536 */
#define VENDOR_DATA_END 2113536

static void put(uint8_t *p, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

static uint64_t get(const uint8_t *p, unsigned size)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

/* Makes the checksum right again after bytes were changed. */
static void fix_sum(uint8_t *desc)
{
    uint32_t sum = 0;

    put(desc + 64, 0, 4);
    for (unsigned i = 0; i < 512; i++) {
        sum += desc[i];
    }
    put(desc + 64, ~sum, 4);
}

static void init(Zvhd2Desc *d, uint64_t size)
{
    g_assert_cmpint(zvhd2_desc_init(d, size, 2 * MIB, ZVHD2_METHOD_ZSTD, uuid,
                                    ZVHD2_EPOCH + VENDOR_TIMESTAMP),
                    ==, ZVHD2_OK);
}

/* A footer for @records records of one page each, and its file's length. */
static uint64_t footer(Zvhd2Desc *d, uint64_t size, uint32_t records)
{
    init(d, size);
    zvhd2_desc_finish(d, 4096 + (uint64_t)records * 4096, records);
    return d->bitmap_lba + d->bitmap_size + 4096;
}

static void test_vendor_bytes(void)
{
    uint8_t want[4096] = { 0 };
    uint8_t out[4096];
    Zvhd2Desc d, back;
    Zvhd2Finding f;

    memcpy(want, vendor_header, sizeof(vendor_header));
    init(&d, 10486272);
    zvhd2_desc_encode(&d, out);
    g_assert_cmpmem(out, sizeof(out), want, sizeof(want));

    g_assert_true(zvhd2_desc_decode(want, 0, true, &back, &f));
    g_assert_cmpmem(&back, sizeof(back), &d, sizeof(d));

    /* the end marker: the count, no places */
    zvhd2_desc_finish(&d, VENDOR_DATA_END, 3);
    put(want + 136, 3, 4);
    fix_sum(want);
    zvhd2_end_marker_encode(&d, out);
    g_assert_cmpmem(out, sizeof(out), want, sizeof(want));

    /* the footer, known by its checksum */
    zvhd2_desc_encode(&d, out);
    g_assert_cmpuint(get(out + 64, 4), ==, VENDOR_FOOTER_CHECKSUM);
    g_assert_cmpuint(d.index_lba, ==, 2117632);
    g_assert_cmpuint(d.bitmap_lba, ==, 2641920);
}

/* Each field travels alone, so that no two are swapped. */
static void test_field_places(void)
{
    static const struct {
        size_t member;
        unsigned member_size;
        unsigned at;
        unsigned size;
    } t[] = {
#define F(name, at, size) \
        { offsetof(Zvhd2Desc, name), sizeof(((Zvhd2Desc *)0)->name), at, size }
        F(features, 8, 4), F(ff_version, 12, 4), F(timestamp, 24, 4),
        F(crtr_ver, 32, 4), F(orig_size, 40, 8), F(curr_size, 48, 8),
        F(geometry, 56, 4), F(type, 60, 4), F(zvhd2_version, 87, 1),
        F(block_size, 88, 4), F(max_blk_num, 92, 4), F(index_lba, 96, 8),
        F(bitmap_lba, 104, 8), F(index_size, 112, 4), F(bitmap_size, 116, 4),
        F(index_seg_size, 120, 4), F(bitmap_seg_size, 124, 4),
        F(index_seg_num, 128, 4), F(bitmap_seg_num, 132, 4),
        F(non_zero_blk_num, 136, 4), F(index_sparse, 140, 1), F(method, 141, 1),
#undef F
    };
    uint8_t blank[4096], out[4096];

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        const uint64_t value = 0xf1e2d3c4b5a69788u;
        Zvhd2Desc d = { 0 }, back;
        uint8_t *member = (uint8_t *)&d + t[i].member;

        zvhd2_desc_encode(&d, blank);
        switch (t[i].member_size) {
        case 1:
            *member = (uint8_t)value;
            break;
        case 4:
            *(uint32_t *)member = (uint32_t)value;
            break;
        default:
            *(uint64_t *)member = value;
            break;
        }
        zvhd2_desc_encode(&d, out);
        g_assert_cmpuint(t[i].size, ==, t[i].member_size);
        for (unsigned b = 0; b < 512; b++) {
            if (b >= t[i].at && b < t[i].at + t[i].size) {
                g_assert_cmphex(out[b], ==,
                                (uint8_t)(value >> (8 * (b - t[i].at))));
            } else if (b < 64 || b >= 68) {
                g_assert_cmphex(out[b], ==, blank[b]);
            }
        }
        /* such a descriptor breaks rules, but its fields are read */
        zvhd2_desc_decode(out, 0, true, &back, NULL);
        g_assert_cmpmem(&back, sizeof(back), &d, sizeof(d));
    }
}

/* Rules 1-7: one field of a good header changed. */
static void test_descriptor_rules(void)
{
    static const struct {
        unsigned at, size;
        uint64_t value;
        Zvhd2Rule rule;
    } t[] = {
        { 0, 1, 'Z', ZVHD2_R1_COOKIE },
        { 0, 8, 0, ZVHD2_R1_COOKIE },
        { 5, 1, 'n', ZVHD2_R1_COOKIE },
        { 6, 2, 0xffff, ZVHD2_OK },             /* six bytes are compared */
        { 8, 4, 0, ZVHD2_OK },                  /* features: ignored */
        { 12, 4, 0, ZVHD2_R3_VERSION },
        { 12, 4, 0x00010001, ZVHD2_R3_VERSION },
        { 12, 4, 0x00000100, ZVHD2_R3_VERSION },
        { 16, 8, 0, ZVHD2_OK },                 /* data_offset: ignored */
        { 24, 4, UINT32_MAX, ZVHD2_OK },
        { 32, 4, 0x00010003, ZVHD2_OK },        /* the older writer */
        { 40, 8, 10486272 + 1, ZVHD2_R5_DISK_SIZE },
        { 40, 8, GIB + 512, ZVHD2_R5_DISK_SIZE },
        { 40, 8, UINT64_MAX, ZVHD2_R5_DISK_SIZE },
        { 40, 8, UINT64_MAX - 511, ZVHD2_R5_DISK_SIZE },
        { 40, 8, (uint64_t)INT64_MAX + 1, ZVHD2_R5_DISK_SIZE },
        { 48, 8, 0, ZVHD2_R5_DISK_SIZE },
        { 48, 8, 10486272 - 512, ZVHD2_R5_DISK_SIZE },
        { 48, 8, 10486272, ZVHD2_OK },          /* whole GiB: a writer's rule */
        { 48, 8, GIB + 1, ZVHD2_R5_DISK_SIZE },
        { 48, 8, 64 * TIB, ZVHD2_OK },
        { 48, 8, 64 * TIB + 512, ZVHD2_R5_DISK_SIZE },
        { 48, 8, UINT64_MAX - 511, ZVHD2_R5_DISK_SIZE },
        { 60, 4, 3, ZVHD2_R3_VERSION },
        { 60, 4, 5, ZVHD2_R3_VERSION },
        { 60, 4, 4u << 24, ZVHD2_R3_VERSION },
        { 68, 8, 0, ZVHD2_OK },
        { 87, 1, 0, ZVHD2_OK },
        { 87, 1, 2, ZVHD2_R3_VERSION },
        { 87, 1, 255, ZVHD2_R3_VERSION },
        { 88, 4, 0, ZVHD2_R4_BLOCK_SIZE },
        { 88, 4, 1, ZVHD2_R4_BLOCK_SIZE },
        { 88, 4, 512 * KIB, ZVHD2_R4_BLOCK_SIZE },
        { 88, 4, 2 * MIB - 1, ZVHD2_R4_BLOCK_SIZE },
        { 88, 4, 3 * MIB, ZVHD2_R4_BLOCK_SIZE },
        { 88, 4, 64 * MIB, ZVHD2_R4_BLOCK_SIZE },
        { 88, 4, 1u << 31, ZVHD2_R4_BLOCK_SIZE },
        { 88, 4, UINT32_MAX, ZVHD2_R4_BLOCK_SIZE },
        { 88, 4, 1 * MIB, ZVHD2_R6_BLOCK_COUNT },
        { 88, 4, 32 * MIB, ZVHD2_R6_BLOCK_COUNT },
        { 92, 4, 0, ZVHD2_R6_BLOCK_COUNT },
        { 92, 4, 5, ZVHD2_R6_BLOCK_COUNT },
        { 92, 4, 7, ZVHD2_R6_BLOCK_COUNT },
        { 92, 4, UINT32_MAX, ZVHD2_R6_BLOCK_COUNT },
        { 96, 8, UINT64_MAX, ZVHD2_OK },        /* the footer's, not here */
        { 140, 1, 1, ZVHD2_OK },
        { 140, 1, 2, ZVHD2_R7_METHOD },
        { 140, 1, 255, ZVHD2_R7_METHOD },
        { 141, 1, 0, ZVHD2_OK },
        { 141, 1, 2, ZVHD2_R7_METHOD },
        { 141, 1, 255, ZVHD2_R7_METHOD },
        { 142, 8, UINT64_MAX, ZVHD2_OK },       /* reserved: ignored */
        { 504, 8, UINT64_MAX, ZVHD2_OK },
    };
    Zvhd2Desc d;

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        uint8_t bytes[512] = { 0 };
        Zvhd2Finding f = { 0 };
        bool good;

        memcpy(bytes, vendor_header, sizeof(vendor_header));
        put(bytes + t[i].at, t[i].value, t[i].size);
        fix_sum(bytes);
        good = zvhd2_desc_decode(bytes, 8192, true, &d, &f);
        if (f.rule != t[i].rule || good != (t[i].rule == ZVHD2_OK)) {
            g_error("field %u = 0x%" G_GINT64_MODIFIER "x: rule %d, not %d",
                    t[i].at, t[i].value, f.rule, t[i].rule);
        }
        if (!good) {
            g_assert_cmpuint(f.offset, >=, 8192);
            g_assert_cmpuint(f.offset, <, 8192 + 512);
            g_assert_cmpuint(f.block, ==, ZVHD2_NO_BLOCK);
        }
        /* a caller that does not ask why */
        g_assert_true(zvhd2_desc_decode(bytes, 0, true, &d, NULL) == good);
    }
}

static void test_checksum(void)
{
    uint8_t bytes[512] = { 0 };
    Zvhd2Finding f;
    Zvhd2Desc d;

    memcpy(bytes, vendor_header, sizeof(vendor_header));
    for (unsigned i = 6; i < 512; i++) {
        bytes[i] ^= 1;
        g_assert_false(zvhd2_desc_decode(bytes, 0, true, &d, &f));
        g_assert_cmpint(f.rule, ==, ZVHD2_R2_CHECKSUM);
        g_assert_cmpuint(f.offset, ==, 64);
        bytes[i] ^= 1;
    }
    /* not looked at where the reference leaves a stale one */
    bytes[64] ^= 1;
    g_assert_true(zvhd2_desc_decode(bytes, 0, false, &d, &f));
    /* all bytes set: the sum needs more than 16 bits */
    memset(bytes + 142, 0xff, 370);
    fix_sum(bytes);
    g_assert_true(zvhd2_desc_decode(bytes, 0, true, &d, &f));
}

static void test_init(void)
{
    static const struct {
        uint64_t size;
        uint32_t block_size;
        unsigned method;
        Zvhd2Rule rule;
        uint64_t curr_size;
        uint32_t blocks;
    } t[] = {
        { 0, 2 * MIB, 1, ZVHD2_OK, 0, 0 },
        { 512, 2 * MIB, 1, ZVHD2_OK, GIB, 1 },
        { 2 * MIB, 2 * MIB, 1, ZVHD2_OK, GIB, 1 },
        { 2 * MIB + 512, 2 * MIB, 0, ZVHD2_OK, GIB, 2 },
        { GIB, 1 * MIB, 1, ZVHD2_OK, GIB, 1024 },
        { GIB + 512, 32 * MIB, 1, ZVHD2_OK, 2 * GIB, 33 },
        { TIB, 2 * MIB, 1, ZVHD2_OK, TIB, 524288 },
        { 64 * TIB, 1 * MIB, 1, ZVHD2_OK, 64 * TIB, 1u << 26 },
        { 64 * TIB - 512, 2 * MIB, 1, ZVHD2_OK, 64 * TIB, 1u << 25 },
        { 64 * TIB + 512, 2 * MIB, 1, ZVHD2_R5_DISK_SIZE, 0, 0 },
        { UINT64_MAX - 511, 2 * MIB, 1, ZVHD2_R5_DISK_SIZE, 0, 0 },
        { 511, 2 * MIB, 1, ZVHD2_R5_DISK_SIZE, 0, 0 },
        { GIB, 0, 1, ZVHD2_R4_BLOCK_SIZE, 0, 0 },
        { GIB, 512 * KIB, 1, ZVHD2_R4_BLOCK_SIZE, 0, 0 },
        { GIB, 3 * MIB, 1, ZVHD2_R4_BLOCK_SIZE, 0, 0 },
        { GIB, 64 * MIB, 1, ZVHD2_R4_BLOCK_SIZE, 0, 0 },
        { GIB, 2 * MIB, 2, ZVHD2_R7_METHOD, 0, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        uint8_t out[4096];
        Zvhd2Desc d, back;

        g_assert_cmpint(zvhd2_desc_init(&d, t[i].size, t[i].block_size,
                                        (Zvhd2Method)t[i].method, uuid, 0),
                        ==, t[i].rule);
        if (t[i].rule == ZVHD2_OK) {
            g_assert_cmpuint(d.curr_size, ==, t[i].curr_size);
            g_assert_cmpuint(d.max_blk_num, ==, t[i].blocks);
            zvhd2_desc_encode(&d, out);
            g_assert_true(zvhd2_desc_decode(out, 0, true, &back, NULL));
            g_assert_cmpmem(&back, sizeof(back), &d, sizeof(d));
        }
    }
}

static void test_timestamp(void)
{
    static const struct {
        int64_t unix_time;
        uint32_t timestamp;
    } t[] = {
        { 0, 0 }, { INT64_MIN, 0 }, { ZVHD2_EPOCH - 1, 0 }, { ZVHD2_EPOCH, 0 },
        { ZVHD2_EPOCH + 1, 1 }, { ZVHD2_EPOCH + UINT32_MAX, UINT32_MAX },
        { ZVHD2_EPOCH + UINT32_MAX + 1ll, UINT32_MAX },
        { INT64_MAX, UINT32_MAX },
    };
    Zvhd2Desc d;

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        zvhd2_desc_init(&d, GIB, 2 * MIB, ZVHD2_METHOD_ZSTD, uuid,
                        t[i].unix_time);
        g_assert_cmpuint(d.timestamp, ==, t[i].timestamp);
    }
}

static void test_geometry(void)
{
    static const struct {
        uint64_t size;
        uint32_t cylinders, heads, sectors;
    } t[] = {
        /* out of vendor-written images */
        { 64 * MIB, 963, 8, 17 },
        { 10486272, 301, 4, 17 },
        { 1500 * MIB, 3047, 16, 63 },
        { GIB, 2080, 16, 63 },
        { 64 * GIB, 0x8080, 16, 255 },
        { 66 * GIB, 0x8484, 16, 255 },
        { 70 * GIB, 0x8c8c, 16, 255 },
        /* the borders of the VHD algorithm */
        { 0, 0, 4, 17 },
        { 512, 0, 4, 17 },
        { 17ull * 1024 * 4 * 512 - 512, 1023, 4, 17 },
        { 17ull * 1024 * 4 * 512, 140, 16, 31 },
        { 17ull * (1024 * 4 + 1) * 512, 819, 5, 17 },
        { 17ull * 1024 * 16 * 512 - 512, 1023, 16, 17 },
        { 17ull * 1024 * 16 * 512, 561, 16, 31 },
        { 31ull * 1024 * 16 * 512 - 512, 1023, 16, 31 },
        { 31ull * 1024 * 16 * 512, 503, 16, 63 },
        { 65535ull * 16 * 63 * 512 - 512, 65534, 16, 63 },
        { 65535ull * 16 * 63 * 512, 16191, 16, 255 },
        { 65535ull * 16 * 255 * 512, 65535, 16, 255 },
        { 64 * TIB, 65535, 16, 255 },
    };
    Zvhd2Desc d;

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        init(&d, t[i].size);
        g_assert_cmphex(d.geometry, ==, t[i].cylinders << 16 |
                                        t[i].heads << 8 | t[i].sectors);
    }
}

static void test_finish(void)
{
    static const struct {
        uint64_t size;
        uint32_t records, index_segs, bitmap_segs;
    } t[] = {
        { 0, 0, 0, 0 },
        { 512, 0, 0, 1 },
        { 512, 1, 1, 1 },
        { 64 * GIB, 32767, 1, 1 },
        { 64 * GIB, 32768, 1, 1 },
        { 64 * GIB + 512, 32768, 1, 2 },
        { 64 * GIB + 512, 32769, 2, 2 },
        { 64 * TIB, 1u << 25, 1024, 1024 },
    };
    Zvhd2Desc d;

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        uint64_t file_size = footer(&d, t[i].size, t[i].records);
        Zvhd2Finding f;

        g_assert_cmpuint(d.index_seg_num, ==, t[i].index_segs);
        g_assert_cmpuint(d.bitmap_seg_num, ==, t[i].bitmap_segs);
        g_assert_cmpuint(d.index_size, ==, t[i].index_segs * 524288);
        g_assert_cmpuint(d.bitmap_size, ==, t[i].bitmap_segs * 4096);
        g_assert_true(zvhd2_footer_check(&d, file_size, &f));
    }
}

/* Rules 3 and 8-10: one field of a good footer changed. */
static void test_footer_rules(void)
{
    enum { SEGS = 2 };                  /* bitmap segments of the disk below */
    Zvhd2Desc good;                     /* two index segments, too */
    uint64_t file_size = footer(&good, 66 * GIB, 32770);
    const struct {
        size_t member;
        unsigned size;
        uint64_t value;
        Zvhd2Rule rule;
    } t[] = {
#define F(name) offsetof(Zvhd2Desc, name), sizeof(good.name)
        { F(zvhd2_version), 0, ZVHD2_R3_VERSION },
        { F(index_seg_size), 0, ZVHD2_R8_SEGMENTS },
        { F(index_seg_size), 524287, ZVHD2_R8_SEGMENTS },
        { F(index_seg_size), UINT32_MAX, ZVHD2_R8_SEGMENTS },
        { F(bitmap_seg_size), 0, ZVHD2_R8_SEGMENTS },
        { F(bitmap_seg_size), 8192, ZVHD2_R8_SEGMENTS },
        { F(index_seg_num), 0, ZVHD2_R8_SEGMENTS },
        { F(index_seg_num), 1, ZVHD2_R8_SEGMENTS },
        { F(index_seg_num), 3, ZVHD2_R8_SEGMENTS },
        { F(index_seg_num), 8192 + 2, ZVHD2_R8_SEGMENTS },
        { F(index_seg_num), UINT32_MAX, ZVHD2_R8_SEGMENTS },
        { F(bitmap_seg_num), SEGS - 1, ZVHD2_R8_SEGMENTS },
        { F(bitmap_seg_num), SEGS + 1, ZVHD2_R8_SEGMENTS },
        { F(bitmap_seg_num), UINT32_MAX, ZVHD2_R8_SEGMENTS },
        { F(index_size), 524288, ZVHD2_R8_SEGMENTS },
        { F(index_size), 0, ZVHD2_R8_SEGMENTS },
        { F(index_size), UINT32_MAX, ZVHD2_R8_SEGMENTS },
        { F(bitmap_size), 4096, ZVHD2_R8_SEGMENTS },
        { F(bitmap_size), UINT32_MAX, ZVHD2_R8_SEGMENTS },
        { F(index_lba), 0, ZVHD2_R9_PLACES },
        { F(index_lba), 4096, ZVHD2_R9_PLACES },
        { F(index_lba), good.index_lba + 1, ZVHD2_R9_PLACES },
        { F(index_lba), good.index_lba - 512, ZVHD2_R9_PLACES },
        { F(index_lba), good.index_lba - 4096, ZVHD2_R9_PLACES },
        { F(index_lba), good.index_lba + 4096, ZVHD2_R9_PLACES },
        { F(index_lba), file_size, ZVHD2_R9_PLACES },
        { F(index_lba), (uint64_t)1 << 63, ZVHD2_R9_PLACES },
        { F(index_lba), UINT64_MAX - 4095, ZVHD2_R9_PLACES },
        { F(bitmap_lba), 0, ZVHD2_R9_PLACES },
        { F(bitmap_lba), good.index_lba, ZVHD2_R9_PLACES },
        { F(bitmap_lba), good.bitmap_lba - 4096, ZVHD2_R9_PLACES },
        { F(bitmap_lba), good.bitmap_lba + 4096, ZVHD2_R9_PLACES },
        { F(bitmap_lba), UINT64_MAX - 4095, ZVHD2_R9_PLACES },
        { F(non_zero_blk_num), 32768, ZVHD2_R8_SEGMENTS },
        { F(non_zero_blk_num), 0, ZVHD2_R8_SEGMENTS },
        { F(non_zero_blk_num), good.max_blk_num + 1, ZVHD2_R10_RECORD_COUNT },
        { F(non_zero_blk_num), UINT32_MAX, ZVHD2_R10_RECORD_COUNT },
        { F(index_sparse), 1, ZVHD2_OK },       /* two segments either way */
#undef F
    };
    Zvhd2Finding f = { 0 };
    Zvhd2Desc d;

    g_assert_true(zvhd2_footer_check(&good, file_size, &f));

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        uint8_t *member;
        bool ok;

        d = good;
        member = (uint8_t *)&d + t[i].member;
        if (t[i].size == 1) {
            *member = (uint8_t)t[i].value;
        } else if (t[i].size == 4) {
            *(uint32_t *)member = (uint32_t)t[i].value;
        } else {
            *(uint64_t *)member = t[i].value;
        }
        f.rule = ZVHD2_OK;
        ok = zvhd2_footer_check(&d, file_size, &f);
        if (f.rule != t[i].rule || ok != (t[i].rule == ZVHD2_OK)) {
            g_error("line %zu: rule %d, not %d", i, f.rule, t[i].rule);
        }
        g_assert_true(zvhd2_footer_check(&d, file_size, NULL) == ok);
    }

    /* rule 9 again: any other length of the file */
    for (int64_t diff = -4096; diff <= 4096; diff += 512) {
        if (diff != 0) {
            g_assert_false(zvhd2_footer_check(&good,
                                              file_size + (uint64_t)diff, &f));
            g_assert_cmpint(f.rule, ==, ZVHD2_R9_PLACES);
        }
    }
    for (unsigned shift = 0; shift < 64; shift++) {
        g_assert_false(zvhd2_footer_check(&good, UINT64_MAX >> shift, &f));
        g_assert_cmpint(f.rule, ==, ZVHD2_R9_PLACES);
    }
}

/* Rule 10: one record more than fits between header and end marker. */
static void test_record_count(void)
{
    Zvhd2Finding f;
    Zvhd2Desc d;
    uint64_t file_size;

    init(&d, 64 * MIB);
    zvhd2_desc_finish(&d, 4096 + 7 * 4096, 7);
    file_size = d.bitmap_lba + d.bitmap_size + 4096;
    g_assert_true(zvhd2_footer_check(&d, file_size, &f));
    d.non_zero_blk_num = 8;
    g_assert_false(zvhd2_footer_check(&d, file_size, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R10_RECORD_COUNT);
    g_assert_cmpuint(f.found, ==, 8);
    g_assert_cmpuint(f.want, ==, 7);
}

/* The largest disk's footer in the largest file: nothing may wrap. */
static void test_footer_extremes(void)
{
    Zvhd2Finding f;
    Zvhd2Desc d;
    uint64_t file_size;

    g_assert_cmpint(zvhd2_desc_init(&d, 64 * TIB, 1 * MIB, ZVHD2_METHOD_ZSTD,
                                    uuid, 0), ==, ZVHD2_OK);
    zvhd2_desc_finish(&d, 80 * TIB, 1u << 26);
    g_assert_cmpuint(d.index_size, ==, 1u << 30);
    file_size = d.bitmap_lba + d.bitmap_size + 4096;
    g_assert_true(zvhd2_footer_check(&d, file_size, &f));

    d.index_lba = UINT64_MAX - 4095;
    d.bitmap_lba = d.index_lba + d.index_size;          /* wraps to small */
    g_assert_false(zvhd2_footer_check(&d, UINT64_MAX, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R9_PLACES);
}

static void test_header_matches(void)
{
    static const struct {
        size_t member;
        bool matters;
    } t[] = {
        { offsetof(Zvhd2Desc, orig_size), true },
        { offsetof(Zvhd2Desc, curr_size), true },
        { offsetof(Zvhd2Desc, block_size), true },
        { offsetof(Zvhd2Desc, zvhd2_version), true },
        { offsetof(Zvhd2Desc, index_sparse), true },
        { offsetof(Zvhd2Desc, method), true },
        { offsetof(Zvhd2Desc, uuid), true },
        { offsetof(Zvhd2Desc, uuid) + 15, true },
        { offsetof(Zvhd2Desc, timestamp), false },
        { offsetof(Zvhd2Desc, index_lba), false },
        { offsetof(Zvhd2Desc, non_zero_blk_num), false },
    };
    Zvhd2Desc a, b;
    Zvhd2Finding f;

    init(&a, 10486272);
    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        b = a;
        ((uint8_t *)&b)[t[i].member] ^= 1;
        f.rule = ZVHD2_OK;
        g_assert_true(zvhd2_header_matches(&b, &a, &f) == !t[i].matters);
        g_assert_cmpint(f.rule, ==, t[i].matters ? ZVHD2_R11_HEADER : ZVHD2_OK);
    }
}

static void test_end_marker(void)
{
    uint8_t bytes[4096];
    Zvhd2Finding f;
    Zvhd2Desc d;

    footer(&d, 10486272, 3);
    zvhd2_end_marker_encode(&d, bytes);
    g_assert_true(zvhd2_end_marker_check(bytes, 16384, &d, &f));
    g_assert_true(zvhd2_end_count_check(bytes, 16384, 3, &f));
    g_assert_false(zvhd2_end_count_check(bytes, 16384, 4, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R25_END_OF_STREAM);
    g_assert_cmpuint(f.offset, ==, 16384 + 136);

    /* a stale checksum is the reference's habit; no count may be one too */
    put(bytes + 136, 0, 4);
    g_assert_true(zvhd2_end_marker_check(bytes, 16384, &d, &f));
    g_assert_true(zvhd2_end_count_check(bytes, 16384, 4, &f));

    /* somebody else's end marker, a damaged one, none */
    bytes[68] ^= 1;
    g_assert_false(zvhd2_end_marker_check(bytes, 16384, &d, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R25_END_OF_STREAM);
    bytes[68] ^= 1;
    bytes[88] ^= 1;
    g_assert_false(zvhd2_end_marker_check(bytes, 16384, &d, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R25_END_OF_STREAM);
    memset(bytes, 0, sizeof(bytes));
    g_assert_false(zvhd2_end_marker_check(bytes, 16384, &d, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R25_END_OF_STREAM);
    g_assert_cmpuint(f.offset, ==, 16384);
}

static void test_finding_text(void)
{
    const Zvhd2Finding f = {
        .rule = ZVHD2_R20_PREFIX, .offset = 8192, .block = 7,
    };
    char text[200], small[8];

    g_assert_cmpstr(zvhd2_finding_text(&f, text, sizeof(text)), ==,
                    "bad record prefix at offset 8192, block 7 (rule 20)");
    g_assert_cmpstr(zvhd2_finding_text(&f, small, sizeof(small)), ==,
                    "bad rec");
    small[0] = 'x';
    zvhd2_finding_text(&f, small, 0);
    g_assert_cmpint(small[0], ==, 'x');

    /* every rule has a name and a message, none is cut with huge values */
    for (int rule = 1; rule < ZVHD2_RULES; rule++) {
        for (int same = 0; same < 2; same++) {
            const Zvhd2Finding g = {
                .rule = (Zvhd2Rule)rule, .offset = UINT64_MAX,
                .block = ZVHD2_NO_BLOCK - 1, .found = UINT64_MAX,
                .want = UINT64_MAX - !same,
            };
            g_autofree char *end = g_strdup_printf(
                " at offset 18446744073709551615, block 4294967294 (rule %d)",
                rule);

            g_assert_cmpstr(zvhd2_rule_name((Zvhd2Rule)rule), !=,
                            "unknown rule");
            zvhd2_finding_text(&g, text, sizeof(text));
            g_assert_true(g_str_has_suffix(text, end));
            g_assert_cmpuint(strlen(text), >, strlen(end) + 8);
            g_assert_null(strchr(text, '\n'));
        }
    }
    g_assert_cmpstr(zvhd2_rule_name(ZVHD2_RULES), ==, "unknown rule");
    g_assert_cmpstr(zvhd2_rule_name((Zvhd2Rule)-1), ==, "unknown rule");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/zvhd2/format/vendor-bytes", test_vendor_bytes);
    g_test_add_func("/zvhd2/format/field-places", test_field_places);
    g_test_add_func("/zvhd2/format/descriptor-rules", test_descriptor_rules);
    g_test_add_func("/zvhd2/format/checksum", test_checksum);
    g_test_add_func("/zvhd2/format/init", test_init);
    g_test_add_func("/zvhd2/format/timestamp", test_timestamp);
    g_test_add_func("/zvhd2/format/geometry", test_geometry);
    g_test_add_func("/zvhd2/format/finish", test_finish);
    g_test_add_func("/zvhd2/format/footer-rules", test_footer_rules);
    g_test_add_func("/zvhd2/format/record-count", test_record_count);
    g_test_add_func("/zvhd2/format/footer-extremes", test_footer_extremes);
    g_test_add_func("/zvhd2/format/header-matches", test_header_matches);
    g_test_add_func("/zvhd2/format/end-marker", test_end_marker);
    g_test_add_func("/zvhd2/format/finding-text", test_finding_text);
    return g_test_run();
}
