/* SPDX-License-Identifier: MIT */
/*
 * Finding the layout of a bitmap file from examples
 *
 * Given pairs of (bitmap file made by somebody else, map of where its RAW
 * image holds data), enumerates the layouts that reproduce every file byte
 * for byte, and tells which RAW sample would separate them.
 *
 * Pure as raw-bitmap.h; not part of QEMU.
 */
#ifndef RAW_BITMAP_FIT_H
#define RAW_BITMAP_FIT_H

#include "raw-bitmap.h"

/* --- RAW samples that settle the layout --- */

#define RAW_BITMAP_SAMPLE_EXTENTS_MAX 16

typedef struct RawBitmapExtent {
    uint64_t offset, length;    /* non-zero bytes; all else is zero */
} RawBitmapExtent;

typedef struct RawBitmapSample {
    const char *name;           /* file name, e.g. "zero-1g.raw" */
    const char *what;           /* a few words */
    uint64_t size;
    unsigned extent_num;
    RawBitmapExtent extent[RAW_BITMAP_SAMPLE_EXTENTS_MAX];
} RawBitmapSample;

unsigned raw_bitmap_sample_count(void);
const RawBitmapSample *raw_bitmap_sample(unsigned i);

/* --- fitting --- */

typedef struct RawBitmapPair {
    const uint8_t *mf;          /* the file, @mf_len bytes; borrowed */
    size_t mf_len;
    const RawBitmap *map;       /* at RAW_BITMAP_GRANULARITY_MIN; borrowed */
} RawBitmapPair;

typedef struct RawBitmapFit {
    /* Layouts that reproduce all pairs, most plausible first */
    RawBitmapLayout *layout;
    unsigned layout_num;
    /* The first this many can't be ranked by plausibility: 1 = settled */
    unsigned equal_num;
    bool truncated;             /* there are more than could be listed */
    /* Index of the sample that separates most of them, -1: none does */
    int sample;
    /* If none fits: the closest without a header, and its first difference */
    RawBitmapLayout nearest;
    unsigned nearest_pair;      /* which pair differs */
    uint64_t nearest_offset;    /* first differing byte of that .mf */
    uint64_t nearest_diffs;     /* number of differing bytes, over all pairs */
} RawBitmapFit;

/* Returns 0 (also when none fits) or -ENOMEM; free with ..._clear(). */
int raw_bitmap_fit(const RawBitmapPair *pair, unsigned pair_num,
                   RawBitmapFit *fit);
void raw_bitmap_fit_clear(RawBitmapFit *fit);

#endif /* RAW_BITMAP_FIT_H */
