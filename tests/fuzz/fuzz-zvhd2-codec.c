/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a payload, expanded; and any bytes as a block, there and back
 *
 * Input: one byte (bit 0 the method, bits 1 and 2 the block size: 1, 2, 4,
 * 8 MiB; bit 3: the rest is a block's content and not a payload), then the
 * rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zvhd2-codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* The rest of the input again and again, with a count in between. */
static void fill(uint8_t *block, uint32_t block_size, const uint8_t *data,
                 size_t size)
{
    uint32_t at = 0;

    memset(block, 0, block_size);
    for (uint32_t round = 0; size && at < block_size; round++) {
        size_t n = size < block_size - at ? size : block_size - at;

        memcpy(block + at, data, n);
        block[at] ^= (uint8_t)round;
        at += (uint32_t)n;
    }
}

static void there_and_back(Zvhd2Codec *codec, Zvhd2Method method,
                           uint32_t block_size, const uint8_t *data,
                           size_t size)
{
    size_t cap = zvhd2_codec_bound(method, block_size);
    uint8_t *block = malloc(block_size);
    uint8_t *payload = malloc(cap);
    uint8_t *back = malloc(block_size);
    int64_t n;

    if (block && payload && back) {
        fill(block, block_size, data, size);
        n = zvhd2_compress(codec, payload, cap, block, block_size);
        must(n > 0 && (uint64_t)n <= cap);
        must(zvhd2_record_length((uint32_t)n) <= zvhd2_record_max(block_size));
        must(zvhd2_expand(codec, back, block_size, payload, (size_t)n) == 0);
        must(memcmp(block, back, block_size) == 0);
        /* not a byte less, not a byte more */
        must(zvhd2_expand(codec, back, block_size, payload,
                          (size_t)n - 1) == -EINVAL);
    }
    free(block);
    free(payload);
    free(back);
}

static void only_expand(Zvhd2Codec *codec, uint32_t block_size,
                        const uint8_t *data, size_t size)
{
    uint8_t *block = malloc(block_size);

    if (block) {
        int first = zvhd2_expand(codec, block, block_size, data, size);

        must(first == 0 || first == -EINVAL);
        /* what a payload left behind must not change what comes next */
        must(zvhd2_expand(codec, block, block_size, data, size) == first);
    }
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Zvhd2Method method;
    uint32_t block_size;
    Zvhd2Codec *codec;

    if (size < 1) {
        return 0;
    }
    method = data[0] & 1 ? ZVHD2_METHOD_ZSTD : ZVHD2_METHOD_ZLIB;
    block_size = ZVHD2_MIN_BLOCK_SIZE << (data[0] >> 1 & 3);
    codec = zvhd2_codec_new(method, 0);
    must(codec != NULL);
    if (data[0] & 8) {
        there_and_back(codec, method, block_size, data + 1, size - 1);
    } else {
        only_expand(codec, block_size, data + 1, size - 1);
    }
    zvhd2_codec_free(codec);
    return 0;
}
