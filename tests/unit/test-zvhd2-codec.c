/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One block through the codec and back, and payloads that rule 24 refuses
 *
 * Buffers are allocated at their exact size, so that AddressSanitizer and
 * valgrind see the first byte read or written past one.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "zvhd2-codec.h"

#define MIB (1u << 20)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Zvhd2Codec, zvhd2_codec_free)

static const Zvhd2Method methods[] = { ZVHD2_METHOD_ZLIB, ZVHD2_METHOD_ZSTD };

enum { ZEROS, TEXT, MIXED, NOISE, PATTERNS };

static uint8_t *block_of(uint32_t size, int pattern)
{
    static const char text[] = "ZVHD2 block of a disk; ";
    uint8_t *data = g_malloc0(size);
    uint64_t x = 88172645463325252u;

    for (uint32_t i = 0; i < size && pattern != ZEROS; i += 8) {
        uint32_t n = MIN(8, size - i);

        /* xorshift: noise at little cost, also under valgrind */
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        if (pattern == TEXT) {
            memcpy(data + i, text + (i / 8 + i / 4096) % 16, n);
        } else if (pattern == NOISE || i / 65536 % 2 == 0) {
            memcpy(data + i, &x, n);
        }
    }
    return data;
}

/* A payload in a buffer of just its size. */
static GBytes *payload_of(Zvhd2Codec *codec, Zvhd2Method method,
                          const uint8_t *data, uint32_t block_size)
{
    size_t cap = zvhd2_codec_bound(method, block_size);
    g_autofree uint8_t *out = g_malloc(cap);
    int64_t n = zvhd2_compress(codec, out, cap, data, block_size);

    g_assert_cmpint(n, >, 0);
    g_assert_cmpint(n, <=, (int64_t)cap);
    return g_bytes_new(out, (gsize)n);
}

static int expand(Zvhd2Codec *codec, uint8_t *dst, uint32_t block_size,
                  GBytes *payload)
{
    gsize size;
    const void *data = g_bytes_get_data(payload, &size);
    g_autofree uint8_t *exact = g_malloc(size);

    if (size) {
        memcpy(exact, data, size);
    }
    return zvhd2_expand(codec, dst, block_size, exact, size);
}

static void round_trip(Zvhd2Codec *codec, Zvhd2Method method,
                       uint32_t block_size, int pattern)
{
    g_autofree uint8_t *data = block_of(block_size, pattern);
    g_autofree uint8_t *back = g_malloc(block_size);
    g_autoptr(GBytes) payload = payload_of(codec, method, data, block_size);
    gsize size = g_bytes_get_size(payload);

    memset(back, 0x55, block_size);
    g_assert_cmpint(expand(codec, back, block_size, payload), ==, 0);
    g_assert_true(memcmp(back, data, block_size) == 0);
    g_assert_cmpuint(zvhd2_record_length((uint32_t)size), <=,
                     zvhd2_record_max(block_size));
    if (pattern != NOISE) {
        g_assert_cmpuint(size, <, block_size * 2 / 3);
    }
}

static void test_round_trip(void)
{
    static const uint32_t sizes[] = { MIB, 2 * MIB };

    for (size_t m = 0; m < G_N_ELEMENTS(methods); m++) {
        g_autoptr(Zvhd2Codec) codec = zvhd2_codec_new(methods[m], 0);

        for (size_t s = 0; s < G_N_ELEMENTS(sizes); s++) {
            for (int pattern = 0; pattern < PATTERNS; pattern++) {
                round_trip(codec, methods[m], sizes[s], pattern);
            }
        }
    }
}

static void test_largest_block(void)
{
    for (size_t m = 0; m < G_N_ELEMENTS(methods); m++) {
        g_autoptr(Zvhd2Codec) codec = zvhd2_codec_new(methods[m], 0);

        round_trip(codec, methods[m], ZVHD2_MAX_BLOCK_SIZE, MIXED);
    }
}

/* The ends of each method's levels; noise is the worst case. */
static void test_levels(void)
{
    for (size_t m = 0; m < G_N_ELEMENTS(methods); m++) {
        int min, max, dflt;

        zvhd2_codec_levels(methods[m], &min, &max, &dflt);
        g_assert_cmpint(dflt, ==, methods[m] == ZVHD2_METHOD_ZSTD ? 3 : 1);
        g_assert_cmpint(min, <=, dflt);
        g_assert_cmpint(max, >, dflt);
        g_assert_null(zvhd2_codec_new(methods[m], max + 1));
        /* 0 is no level but the default */
        g_assert_null(zvhd2_codec_new(methods[m], min == 1 ? -1 : min - 1));
        g_assert_null(zvhd2_codec_new(methods[m], INT_MAX));
        g_assert_null(zvhd2_codec_new(methods[m], INT_MIN));

        for (int level = MAX(min, -2); level <= max; level++) {
            g_autoptr(Zvhd2Codec) codec = zvhd2_codec_new(methods[m], level);

            g_assert_nonnull(codec);
            if (level < 4 || level == max) {
                round_trip(codec, methods[m], MIB, NOISE);
                round_trip(codec, methods[m], MIB, TEXT);
            }
        }
    }
    g_assert_null(zvhd2_codec_new((Zvhd2Method)2, 0));
    g_assert_null(zvhd2_codec_new((Zvhd2Method)2, 1));
    g_assert_cmpuint(zvhd2_codec_bound((Zvhd2Method)2, MIB), ==, 0);
    zvhd2_codec_free(NULL);
}

/* Rule 16's worst case has room for every payload that compressing can give. */
static void test_bound(void)
{
    for (size_t m = 0; m < G_N_ELEMENTS(methods); m++) {
        for (uint32_t bs = ZVHD2_MIN_BLOCK_SIZE; bs <= ZVHD2_MAX_BLOCK_SIZE;
             bs *= 2) {
            size_t bound = zvhd2_codec_bound(methods[m], bs);

            g_assert_cmpuint(bound, >, bs);
            g_assert_cmpuint(zvhd2_record_length((uint32_t)bound), <=,
                             zvhd2_record_max(bs));
        }
    }
}

/* A buffer without room is an error, not an overrun or half a payload. */
static void test_no_room(void)
{
    g_autofree uint8_t *data = block_of(MIB, NOISE);

    for (size_t m = 0; m < G_N_ELEMENTS(methods); m++) {
        g_autoptr(Zvhd2Codec) codec = zvhd2_codec_new(methods[m], 0);
        g_autoptr(GBytes) payload = payload_of(codec, methods[m], data, MIB);
        size_t n = g_bytes_get_size(payload);

        for (size_t cap = n - 8; cap < n; cap++) {
            g_autofree uint8_t *out = g_malloc(cap);

            g_assert_cmpint(zvhd2_compress(codec, out, cap, data, MIB), ==,
                            -EIO);
        }
        round_trip(codec, methods[m], MIB, TEXT);       /* and works again */
    }
}

/* What the reference writes: W6, W7 of zvhd2.rst. */
static void test_payload_form(void)
{
    g_autofree uint8_t *data = block_of(2 * MIB, TEXT);
    g_autoptr(Zvhd2Codec) zstd = zvhd2_codec_new(ZVHD2_METHOD_ZSTD, 0);
    g_autoptr(Zvhd2Codec) zlib = zvhd2_codec_new(ZVHD2_METHOD_ZLIB, 0);
    g_autoptr(GBytes) frame = payload_of(zstd, ZVHD2_METHOD_ZSTD, data,
                                         2 * MIB);
    g_autoptr(GBytes) stream = payload_of(zlib, ZVHD2_METHOD_ZLIB, data,
                                          2 * MIB);
    g_autoptr(GBytes) again = payload_of(zlib, ZVHD2_METHOD_ZLIB, data,
                                         2 * MIB);
    gsize size;
    const uint8_t *p = g_bytes_get_data(frame, &size);

    g_assert_cmpuint(ZSTD_getFrameContentSize(p, size), ==, 2 * MIB);
    g_assert_cmpuint(ZSTD_findFrameCompressedSize(p, size), ==, size);
    g_assert_cmpuint(p[4] & 4, ==, 0);          /* no checksum */

    p = g_bytes_get_data(stream, &size);
    g_assert_cmphex(p[0], ==, 0x78);            /* deflate, window 15 */
    g_assert_cmphex(p[1], ==, 0x01);            /* fastest */
    g_assert_cmpmem(p + size - 4, 4, "\0\0\xff\xff", 4);
    /* each block starts a new stream, nothing carries over */
    g_assert_true(g_bytes_equal(stream, again));
}

/* --- payloads made by hand --- */

static GBytes *joined(GBytes *a, const void *tail, gsize n)
{
    GByteArray *out = g_byte_array_new();

    g_byte_array_append(out, g_bytes_get_data(a, NULL),
                        (guint)g_bytes_get_size(a));
    g_byte_array_append(out, tail, (guint)n);
    return g_byte_array_free_to_bytes(out);
}

static GBytes *zstd_frame(uint32_t size, bool tell_size)
{
    g_autofree uint8_t *data = block_of(size ? size : 1, TEXT);
    size_t cap = ZSTD_compressBound(size);
    uint8_t *out = g_malloc(cap);
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    size_t n;

    ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, tell_size);
    n = ZSTD_compress2(cctx, out, cap, data, size);
    g_assert_false(ZSTD_isError(n));
    ZSTD_freeCCtx(cctx);
    return g_bytes_new_take(out, n);
}

/* @flush: how the stream ends; @dict: with a preset dictionary. */
static GBytes *zlib_stream(uint32_t size, int flush, int window_bits,
                           bool dict)
{
    g_autofree uint8_t *data = block_of(size, TEXT);
    uint32_t cap = size + size / 8 + 1024;
    uint8_t *out = g_malloc(cap);
    z_stream z = { 0 };

    g_assert_cmpint(deflateInit2(&z, 1, Z_DEFLATED, window_bits, 8,
                                 Z_DEFAULT_STRATEGY), ==, Z_OK);
    if (dict) {
        deflateSetDictionary(&z, (const Bytef *)"ZVHD2", 5);
    }
    z.next_in = data;
    z.avail_in = size;
    z.next_out = out;
    z.avail_out = cap;
    g_assert_cmpint(deflate(&z, flush), >=, Z_OK);
    g_assert_cmpuint(z.avail_in, ==, 0);
    deflateEnd(&z);
    return g_bytes_new_take(out, cap - z.avail_out);
}

/* The bytes of @g but for the last @n. */
static GBytes *without(GBytes *g, gsize n)
{
    return g_bytes_new_from_bytes(g, 0, g_bytes_get_size(g) - n);
}

static GBytes *changed(GBytes *g, gsize from_end)
{
    gsize n = g_bytes_get_size(g);
    uint8_t *copy = g_memdup2(g_bytes_get_data(g, NULL), n);

    copy[n - from_end] ^= 0x10;
    return g_bytes_new_take(copy, n);
}

typedef struct Payload {
    const char *what;
    GBytes *bytes;              /* owned */
    bool good;
} Payload;

/* Each bad payload is followed by a good one: the state must recover. */
static void try_payloads(Zvhd2Method method, Payload *t, size_t n)
{
    g_autoptr(Zvhd2Codec) codec = zvhd2_codec_new(method, 0);
    g_autofree uint8_t *want = block_of(MIB, TEXT);
    g_autofree uint8_t *dst = g_malloc(MIB);
    g_autoptr(GBytes) good = payload_of(codec, method, want, MIB);

    for (size_t i = 0; i < n; i++) {
        int ret = expand(codec, dst, MIB, t[i].bytes);

        if (ret != (t[i].good ? 0 : -EINVAL)) {
            g_error("%s: %d", t[i].what, ret);
        }
        if (t[i].good) {
            g_assert_true(memcmp(dst, want, MIB) == 0);
        }
        memset(dst, 0, MIB);
        g_assert_cmpint(expand(codec, dst, MIB, good), ==, 0);
        g_assert_true(memcmp(dst, want, MIB) == 0);
        g_bytes_unref(t[i].bytes);
    }
}

static void test_zstd_payloads(void)
{
    static const uint8_t skippable[16] = {
        0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0,
    };
    /* a frame that asks for dictionary 99 */
    static const uint8_t dict[] = {
        0x28, 0xb5, 0x2f, 0xfd, 0x23, 99, 0, 0, 0, 0x01, 0x01, 0, 0, 'x',
    };
    /* one RLE block of 128 KiB in a frame that claims to be 2^64 - 1 long */
    static const uint8_t huge[] = {
        0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x03, 0x00, 0x10, 'x',
    };
    static const uint8_t before_1_0[] = { 0x27, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0 };
    g_autoptr(GBytes) frame = zstd_frame(MIB, true);
    g_autoptr(GBytes) half = zstd_frame(MIB / 2, true);
    g_autoptr(GBytes) unstated = zstd_frame(MIB, false);
    g_autoptr(GBytes) stream = zlib_stream(MIB, Z_SYNC_FLUSH, 15, false);
    gsize n = g_bytes_get_size(frame);
    const uint8_t *p = g_bytes_get_data(frame, NULL);
    Payload t[] = {
        { "a frame", g_bytes_ref(frame), true },
        { "content size not told", g_bytes_ref(unstated), true },
        { "nothing", g_bytes_new(NULL, 0), false },
        { "three bytes", g_bytes_new(p, 3), false },
        { "only the magic", g_bytes_new(p, 4), false },
        { "only a frame header", g_bytes_new(p, 9), false },
        { "half a frame", g_bytes_new(p, n / 2), false },
        { "a frame less a byte", without(frame, 1), false },
        { "a byte after the frame", joined(frame, "", 1), false },
        { "a page after the frame", joined(frame, (char[4096]) { 0 }, 4096),
          false },
        { "two frames", joined(frame, p, n), false },
        { "two halves", joined(half, g_bytes_get_data(half, NULL),
                               g_bytes_get_size(half)), false },
        { "a skippable frame", g_bytes_new_static(skippable, 16), false },
        { "a skippable frame after", joined(frame, skippable, 16), false },
        { "an empty frame", zstd_frame(0, true), false },
        { "a block less a byte", zstd_frame(MIB - 1, true), false },
        { "a block and a byte", zstd_frame(MIB + 1, true), false },
        { "a block less a byte, untold", zstd_frame(MIB - 1, false), false },
        { "a block and a byte, untold", zstd_frame(MIB + 1, false), false },
        { "eight blocks, untold", zstd_frame(8 * MIB, false), false },
        { "a dictionary", g_bytes_new_static(dict, sizeof(dict)), false },
        { "a huge size", g_bytes_new_static(huge, sizeof(huge)), false },
        { "an old format", g_bytes_new_static(before_1_0, 8), false },
        { "zlib", g_bytes_ref(stream), false },
    };

    try_payloads(ZVHD2_METHOD_ZSTD, t, G_N_ELEMENTS(t));
}

static void test_zlib_payloads(void)
{
    /* an empty stored block, as a flush leaves it; an empty final one */
    static const uint8_t flush[5] = { 0, 0, 0, 0xff, 0xff };
    static const uint8_t final[5] = { 1, 0, 0, 0xff, 0xff };
    static const uint8_t stored_byte[6] = { 0, 1, 0, 0xfe, 0xff, 'x' };
    g_autoptr(GBytes) synced = zlib_stream(MIB, Z_SYNC_FLUSH, 15, false);
    g_autoptr(GBytes) full = zlib_stream(MIB, Z_FULL_FLUSH, 15, false);
    g_autoptr(GBytes) whole = zlib_stream(MIB, Z_FINISH, 15, false);
    g_autoptr(GBytes) frame = zstd_frame(MIB, true);
    gsize n = g_bytes_get_size(synced);
    const uint8_t *p = g_bytes_get_data(synced, NULL);
    Payload t[] = {
        { "a flushed stream", g_bytes_ref(synced), true },
        { "a full flush", g_bytes_ref(full), true },
        { "a finished stream", g_bytes_ref(whole), true },
        { "a small window", zlib_stream(MIB, Z_SYNC_FLUSH, 9, false), true },
        { "a second flush", joined(synced, flush, 5), true },
        { "nothing", g_bytes_new(NULL, 0), false },
        { "one byte", g_bytes_new(p, 1), false },
        { "only a header", g_bytes_new(p, 2), false },
        { "half a stream", g_bytes_new(p, n / 2), false },
        { "half a flush", without(synced, 1), false },
        { "no flush", without(synced, 5), false },
        { "a final block without a sum", joined(synced, final, 5), false },
        { "half a sum", without(whole, 2), false },
        { "no sum", without(whole, 4), false },
        { "a bad sum", changed(whole, 1), false },
        { "a byte after the flush", joined(synced, "", 1), false },
        { "a bad block type after the flush", joined(synced, "\7", 1), false },
        { "a page after the flush", joined(synced, (char[4096]) { 0 }, 4096),
          false },
        { "one byte more in a block", joined(synced, stored_byte, 6), false },
        { "a byte after the end", joined(whole, "", 1), false },
        { "two streams", joined(synced, p, n), false },
        { "two finished streams", joined(whole, g_bytes_get_data(whole, NULL),
                                         g_bytes_get_size(whole)), false },
        { "a block less a byte", zlib_stream(MIB - 1, Z_SYNC_FLUSH, 15, false),
          false },
        { "a block and a byte", zlib_stream(MIB + 1, Z_SYNC_FLUSH, 15, false),
          false },
        { "finished, short", zlib_stream(MIB - 1, Z_FINISH, 15, false), false },
        { "finished, long", zlib_stream(MIB + 1, Z_FINISH, 15, false), false },
        { "eight blocks", zlib_stream(8 * MIB, Z_SYNC_FLUSH, 15, false),
          false },
        { "a dictionary", zlib_stream(MIB, Z_SYNC_FLUSH, 15, true), false },
        { "raw deflate", zlib_stream(MIB, Z_SYNC_FLUSH, -15, false), false },
        { "gzip", zlib_stream(MIB, Z_SYNC_FLUSH, 31, false), false },
        { "zstd", g_bytes_ref(frame), false },
    };

    try_payloads(ZVHD2_METHOD_ZLIB, t, G_N_ELEMENTS(t));
}

/* Damage anywhere is either found or gives a whole block, never an overrun. */
static void test_damage(void)
{
    g_autofree uint8_t *data = block_of(MIB, MIXED);
    g_autofree uint8_t *dst = g_malloc(MIB);

    for (size_t m = 0; m < G_N_ELEMENTS(methods); m++) {
        g_autoptr(Zvhd2Codec) codec = zvhd2_codec_new(methods[m], 0);
        g_autoptr(GBytes) payload = payload_of(codec, methods[m], data, MIB);
        gsize n = g_bytes_get_size(payload);
        g_autofree uint8_t *copy = g_memdup2(g_bytes_get_data(payload, NULL),
                                             n);
        unsigned refused = 0;

        for (gsize i = 0; i < n; i += i < 32 ? 1 : n / 32) {
            for (unsigned bit = 0; bit < 8; bit += 4) {
                int ret;

                copy[i] ^= (uint8_t)(1u << bit);
                ret = zvhd2_expand(codec, dst, MIB, copy, n);
                copy[i] ^= (uint8_t)(1u << bit);
                g_assert_true(ret == 0 || ret == -EINVAL);
                refused += ret != 0;
            }
        }
        g_assert_cmpuint(refused, >, 0);
        g_assert_cmpint(zvhd2_expand(codec, dst, MIB, copy, n), ==, 0);
        g_assert_true(memcmp(dst, data, MIB) == 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/zvhd2/codec/round-trip", test_round_trip);
    g_test_add_func("/zvhd2/codec/largest-block", test_largest_block);
    g_test_add_func("/zvhd2/codec/levels", test_levels);
    g_test_add_func("/zvhd2/codec/bound", test_bound);
    g_test_add_func("/zvhd2/codec/no-room", test_no_room);
    g_test_add_func("/zvhd2/codec/payload-form", test_payload_form);
    g_test_add_func("/zvhd2/codec/zstd-payloads", test_zstd_payloads);
    g_test_add_func("/zvhd2/codec/zlib-payloads", test_zlib_payloads);
    g_test_add_func("/zvhd2/codec/damage", test_damage);
    return g_test_run();
}
