/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of zvhd2.rst that one record can break: rules 20-23 and 25, each
 * met and broken, at its borders; and the bytes of an index entry.
 */
#include <glib.h>
#include <string.h>

#include "zvhd2-format.h"

#define MIB ((uint64_t)1 << 20)

static void put(uint8_t *p, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

static void test_record_length(void)
{
    static const struct {
        uint32_t size, length;
    } t[] = {
        { 0, 4096 }, { 1, 4096 }, { 4096 - 52, 4096 }, { 4096 - 51, 8192 },
        { 8192 - 52, 8192 }, { 2 * MIB, 2 * MIB + 4096 },
        { UINT32_MAX - 4096 - 51, UINT32_MAX - 4095 },
        { UINT32_MAX - 51, UINT32_MAX - 4095 },
        { UINT32_MAX, UINT32_MAX - 4095 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        g_assert_cmpuint(zvhd2_record_length(t[i].size), ==, t[i].length);
    }
    g_assert_cmpuint(zvhd2_record_max(2 * MIB), ==,
                     2 * MIB + MIB / 2 + 4096);
    /* whatever it is asked, its answer is no reason for a huge buffer */
    g_assert_cmpuint(zvhd2_record_max(UINT32_MAX), ==,
                     zvhd2_record_max(32 * MIB));
}

static void test_record(void)
{
    static const uint8_t head[20] = {
        'h', 'w', 's', 't', 'r', 'e', 'a', 'm', ' ', 'b', 'g', 0,
        0xe8, 0x03, 0, 0, 7, 0, 0, 0,
    };
    static const struct {
        unsigned at, size;
        uint64_t value;
        Zvhd2Rule rule;
        unsigned finding_at;
    } t[] = {
        { 0, 1, 'H', ZVHD2_R20_PREFIX, 0 },
        { 11, 1, ' ', ZVHD2_R20_PREFIX, 0 },
        { 0, 8, 0, ZVHD2_R20_PREFIX, 0 },
        { 12, 4, 0, ZVHD2_R22_PAYLOAD_SIZE, 12 },
        { 12, 4, 4096 - 51, ZVHD2_R22_PAYLOAD_SIZE, 12 },
        { 12, 4, 3 * MIB, ZVHD2_R22_PAYLOAD_SIZE, 12 },
        { 12, 4, UINT32_MAX - 51, ZVHD2_R22_PAYLOAD_SIZE, 12 },
        { 12, 4, UINT32_MAX, ZVHD2_R22_PAYLOAD_SIZE, 12 },
        { 12, 4, 1, ZVHD2_OK, 0 },              /* still one page */
        { 16, 4, 8, ZVHD2_R21_RECORD_BLOCK, 16 },
        { 16, 4, UINT32_MAX, ZVHD2_R21_RECORD_BLOCK, 16 },
        { 20, 8, UINT64_MAX, ZVHD2_OK, 0 },     /* compressed, orig_size */
        { 28, 8, UINT64_MAX, ZVHD2_OK, 0 },     /* reserved */
        { 4084, 8, UINT64_MAX, ZVHD2_OK, 0 },   /* stale bytes in the padding */
        { 4092, 1, 'E', ZVHD2_R23_END_MARK, 4092 },
        { 4092, 4, 0, ZVHD2_R23_END_MARK, 4092 },
        { 4095, 1, 1, ZVHD2_R23_END_MARK, 4092 },
    };
    const Zvhd2Record in = { .size = 1000, .block = 7 };
    uint8_t good[4096], bytes[4096];
    Zvhd2Finding f = { 0 };
    Zvhd2Record r;

    memset(good, 0xaa, sizeof(good));
    zvhd2_record_encode(&in, good);
    zvhd2_record_seal(good, in.size);
    g_assert_cmpmem(good, sizeof(head), head, sizeof(head));
    for (unsigned i = sizeof(head); i < 48; i++) {
        g_assert_cmphex(good[i], ==, 0);
    }
    for (unsigned i = 48; i < 1048; i++) {
        g_assert_cmphex(good[i], ==, 0xaa);     /* the payload stays */
    }
    for (unsigned i = 1048; i < 4092; i++) {
        g_assert_cmphex(good[i], ==, 0);
    }
    g_assert_cmpmem(good + 4092, 4, "end", 4);
    g_assert_true(zvhd2_record_check(good, 4096, 8192, 7, 2 * MIB, &r, &f));
    g_assert_cmpuint(r.size, ==, 1000);
    g_assert_cmpuint(r.block, ==, 7);

    for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
        bool ok;

        memcpy(bytes, good, sizeof(bytes));
        put(bytes + t[i].at, t[i].value, t[i].size);
        f.rule = ZVHD2_OK;
        ok = zvhd2_record_check(bytes, 4096, 8192, 7, 2 * MIB, &r, &f);
        if (f.rule != t[i].rule || ok != (t[i].rule == ZVHD2_OK)) {
            g_error("line %zu: rule %d, not %d", i, f.rule, t[i].rule);
        }
        if (!ok) {
            g_assert_cmpuint(f.offset, ==, 8192 + t[i].finding_at);
            g_assert_cmpuint(f.block, ==, 7);
        }
        g_assert_true(zvhd2_record_check(bytes, 4096, 8192, 7, 2 * MIB, &r,
                                         NULL) == ok);
    }

    /* an index that gives another length than the record has */
    g_assert_false(zvhd2_record_check(good, 0, 8192, 7, 2 * MIB, &r, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R16_ENTRY_LENGTH);
    g_assert_false(zvhd2_record_check(good, 8192, 8192, 7, 2 * MIB, &r, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R22_PAYLOAD_SIZE);
}

/* The mark takes a page of its own when the payload leaves no room for it. */
static void test_seal_borders(void)
{
    for (uint32_t size = 4096 - 60; size <= 4096 - 44; size++) {
        uint32_t length = zvhd2_record_length(size);
        g_autofree uint8_t *bytes = g_malloc(length);   /* ASan sees past it */
        const Zvhd2Record in = { .size = size, .block = 1 };
        Zvhd2Finding f;
        Zvhd2Record r;

        memset(bytes, 0xaa, length);
        zvhd2_record_encode(&in, bytes);
        zvhd2_record_seal(bytes, size);
        g_assert_cmphex(bytes[48 + size - 1], ==, 0xaa);
        g_assert_true(zvhd2_record_check(bytes, length, 4096, 1, 2 * MIB, &r,
                                         &f));
    }
}

static void test_payload_limit(void)
{
    const uint32_t most = 2 * MIB + MIB / 2 + 4096 - 52;
    uint8_t head[48];
    Zvhd2Record r = { .size = most, .block = 0 };
    Zvhd2Finding f;

    zvhd2_record_encode(&r, head);
    g_assert_true(zvhd2_record_decode(head, 4096, 2 * MIB, &r, &f));
    put(head + 12, most + 1, 4);
    g_assert_false(zvhd2_record_decode(head, 4096, 2 * MIB, &r, &f));
    g_assert_cmpint(f.rule, ==, ZVHD2_R22_PAYLOAD_SIZE);
    g_assert_true(zvhd2_record_decode(head, 4096, 4 * MIB, &r, &f));
}

static void test_scan(void)
{
    static const uint8_t uuid[16] = { 0x71, 0x04 };
    uint8_t page[4096] = { 0 };
    Zvhd2Record r = { .size = 5, .block = 5 };
    Zvhd2Finding f;
    Zvhd2Desc d;

    /* blocks 0 to 5 */
    g_assert_cmpint(zvhd2_desc_init(&d, 10486272, 2 * MIB, ZVHD2_METHOD_ZSTD,
                                    uuid, 0), ==, ZVHD2_OK);
    zvhd2_record_encode(&r, page);
    g_assert_cmpint(zvhd2_scan_item(page, 4096, &d, &r, &f), ==,
                    ZVHD2_ITEM_RECORD);
    g_assert_cmpuint(r.size, ==, 5);
    g_assert_cmpuint(r.block, ==, 5);

    put(page + 16, 6, 4);                       /* past the disk */
    g_assert_cmpint(zvhd2_scan_item(page, 4096, &d, &r, &f), ==,
                    ZVHD2_ITEM_BAD);
    g_assert_cmpint(f.rule, ==, ZVHD2_R21_RECORD_BLOCK);
    g_assert_cmpuint(f.offset, ==, 4096 + 16);
    put(page + 16, 5, 4);
    put(page + 12, UINT32_MAX, 4);              /* would never get anywhere */
    g_assert_cmpint(zvhd2_scan_item(page, 4096, &d, &r, &f), ==,
                    ZVHD2_ITEM_BAD);
    g_assert_cmpint(f.rule, ==, ZVHD2_R22_PAYLOAD_SIZE);
    memset(page, 0, sizeof(page));
    g_assert_cmpint(zvhd2_scan_item(page, 4096, &d, &r, &f), ==,
                    ZVHD2_ITEM_BAD);
    g_assert_cmpint(f.rule, ==, ZVHD2_R20_PREFIX);

    zvhd2_end_marker_encode(&d, page);
    g_assert_cmpint(zvhd2_scan_item(page, 4096, &d, &r, &f), ==,
                    ZVHD2_ITEM_END);
    page[70] ^= 1;                              /* of another image */
    g_assert_cmpint(zvhd2_scan_item(page, 4096, &d, &r, &f), ==,
                    ZVHD2_ITEM_BAD);
    g_assert_cmpint(f.rule, ==, ZVHD2_R25_END_OF_STREAM);
}

static void test_entry(void)
{
    static const uint8_t bytes[16] = {
        0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x81,
        0x14, 0x13, 0x12, 0x91, 0x24, 0x23, 0x22, 0xa1,
    };
    uint8_t out[16];
    Zvhd2Entry e;

    zvhd2_entry_decode(bytes, &e);
    g_assert_cmphex(e.offset, ==, 0x8102030405060708u);
    g_assert_cmphex(e.block, ==, 0x91121314);
    g_assert_cmphex(e.length, ==, 0xa1222324);
    zvhd2_entry_encode(&e, out);
    g_assert_cmpmem(out, sizeof(out), bytes, sizeof(bytes));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/zvhd2/record/length", test_record_length);
    g_test_add_func("/zvhd2/record/record", test_record);
    g_test_add_func("/zvhd2/record/seal-borders", test_seal_borders);
    g_test_add_func("/zvhd2/record/payload-limit", test_payload_limit);
    g_test_add_func("/zvhd2/record/scan", test_scan);
    g_test_add_func("/zvhd2/record/entry", test_entry);
    return g_test_run();
}
