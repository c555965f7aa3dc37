/* SPDX-License-Identifier: MIT */
/*
 * The RAW images whose bitmaps settle the layout, and which of them tells
 * given layouts apart: raw-bitmap-fit.h.
 */
#include "raw-bitmap-fit.h"

#include <errno.h>
#include <stdlib.h>

#define KIB (UINT64_C(1) << 10)
#define GIB (UINT64_C(1) << 30)

/* Where a single byte is set tells granularity and bit order. */
#define BYTE_AT(k)                                                      \
    { "byte-2e" #k ".raw", "1 GiB, one byte set at 2^" #k, GIB,         \
      1, { { UINT64_C(1) << k, 1 } } }

static const RawBitmapSample samples[] = {
    { "zero-1g.raw", "1 GiB of zeros", GIB, 0, { { 0, 0 } } },
    { "zero-2g.raw", "2 GiB of zeros", 2 * GIB, 0, { { 0, 0 } } },
    { "byte-0.raw", "1 GiB, one byte set at 0", GIB, 1, { { 0, 1 } } },
    BYTE_AT(12), BYTE_AT(13), BYTE_AT(14), BYTE_AT(15), BYTE_AT(16),
    BYTE_AT(17), BYTE_AT(18), BYTE_AT(19), BYTE_AT(20), BYTE_AT(21),
    BYTE_AT(22), BYTE_AT(23), BYTE_AT(24), BYTE_AT(25),
    { "ones-1g.raw", "1 GiB of 0xFF bytes", GIB, 1, { { 0, GIB } } },
    /* an odd number of blocks: last byte, padding */
    { "odd-1g512.raw", "1 GiB + 512 bytes, first and last byte set",
      GIB + 512, 2, { { 0, 1 }, { GIB + 511, 1 } } },
    /* more than one, and more than two, segments of 64 GiB */
    { "sparse-65g.raw", "65 GiB, bytes set around 64 GiB and at both ends",
      65 * GIB, 4,
      { { 0, 1 }, { 64 * GIB - 1, 1 }, { 64 * GIB + 64 * KIB, 1 },
        { 65 * GIB - 1, 1 } } },
    { "sparse-129g.raw", "129 GiB, bytes set around 64 and 128 GiB and at "
      "both ends", 129 * GIB, 5,
      { { 0, 1 }, { 64 * GIB - 1, 1 }, { 128 * GIB - 1, 1 },
        { 128 * GIB + 64 * KIB, 1 }, { 129 * GIB - 1, 1 } } },
};

unsigned raw_bitmap_sample_count(void)
{
    return sizeof(samples) / sizeof(samples[0]);
}

const RawBitmapSample *raw_bitmap_sample(unsigned i)
{
    return &samples[i];
}

/* --- what they tell --- */

/* FNV-1a over @bytes without the zeros at their end */
static uint64_t hash_bytes(const uint8_t *bytes, uint64_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    while (len > 0 && !bytes[len - 1]) {
        len--;
    }
    for (uint64_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Stands for the file that the layout makes of the sample, 0 if it can't */
static int sample_outcome(const RawBitmapSample *sample,
                          const RawBitmapLayout *l, uint64_t *outcome)
{
    RawBitmapLayout unpadded = *l;
    char err[RAW_BITMAP_ERR_MAX];
    uint64_t len, padded;
    uint8_t *bytes;
    RawBitmap *b;
    int ret;

    unpadded.pad = 1;       /* zeros, up to 16 MiB, that need no encoding */
    ret = raw_bitmap_new(&unpadded, sample->size, &b, err);
    if (ret == -ENOMEM) {
        return ret;
    }
    if (ret < 0) {
        *outcome = 0;
        return 0;
    }
    for (unsigned i = 0; i < sample->extent_num; i++) {
        raw_bitmap_mark(b, sample->extent[i].offset,
                        sample->extent[i].length);
    }
    len = raw_bitmap_file_size(b);
    padded = (len - l->header_len + l->pad - 1) / l->pad * l->pad;
    bytes = malloc(len);
    if (bytes) {
        raw_bitmap_encode(b, bytes);
        *outcome = hash_bytes(bytes, len) ^ (l->header_len + padded);
    }
    raw_bitmap_free(b);
    free(bytes);
    return bytes ? 0 : -ENOMEM;
}

/* How many of @outcome[0..n) are different */
static unsigned count_different(const uint64_t *outcome, unsigned n)
{
    unsigned different = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned k = 0;

        while (k < i && outcome[k] != outcome[i]) {
            k++;
        }
        different += k == i;
    }
    return different;
}

/*
 * Forgets layouts that make the same file as the first of every sample, such
 * as a block size that is a field or a constant: there is nothing to tell.
 */
static void drop_twins(RawBitmapFit *fit, const bool *differs)
{
    unsigned kept = 1, equal = 1;

    for (unsigned i = 1; i < fit->layout_num; i++) {
        if (differs[i]) {
            fit->layout[kept++] = fit->layout[i];
            equal += i < fit->equal_num;
        }
    }
    fit->layout_num = kept;
    fit->equal_num = equal;
}

int raw_bitmap_fit_weigh(RawBitmapFit *fit)
{
    unsigned n = fit->layout_num;
    unsigned best_equal = 1, best_all = 1;
    bool differs[RAW_BITMAP_FIT_MAX] = { false };

    fit->sample = -1;
    for (unsigned i = 0; n > 1 && i < raw_bitmap_sample_count(); i++) {
        uint64_t outcome[RAW_BITMAP_FIT_MAX];
        unsigned equal, all;

        for (unsigned k = 0; k < n; k++) {
            int ret = sample_outcome(raw_bitmap_sample(i), &fit->layout[k],
                                     &outcome[k]);

            if (ret < 0) {
                return ret;
            }
            differs[k] |= outcome[k] != outcome[0];
        }
        equal = count_different(outcome, fit->equal_num);
        all = count_different(outcome, n);
        if (equal > best_equal || (equal == best_equal && all > best_all)) {
            best_equal = equal;
            best_all = all;
            fit->sample = i;
        }
    }
    if (n > 1) {
        drop_twins(fit, differs);
    }
    return 0;
}
