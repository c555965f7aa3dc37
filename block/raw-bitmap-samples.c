/* SPDX-License-Identifier: MIT */
/* The RAW images whose bitmaps settle the layout: raw-bitmap-fit.h. */
#include "raw-bitmap-fit.h"

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
