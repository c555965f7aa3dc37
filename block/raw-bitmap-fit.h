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

/* Results listed at most; more only count */
#define RAW_BITMAP_FIT_MAX 64u

typedef struct RawBitmapFit {
    /*
     * Layouts that reproduce every pair, most plausible first: padding to a
     * customary multiple rather than an odd one, a number of the header that
     * equals size, block or count rather than a constant.  malloc'ed.
     */
    RawBitmapLayout *layout;
    unsigned layout_num;
    /* How many at the front are equally plausible; 1: there is a best one */
    unsigned equal_num;
    bool truncated;             /* there are more than are listed */
    /*
     * Sample that tells most of the equally plausible ones apart (of all, if
     * there is a best one); -1: there is only one.  Layouts that no sample
     * would tell from the first are not listed.
     */
    int sample;
    /* If none fits: the closest one without header, over all pairs */
    RawBitmapLayout nearest;
    uint64_t nearest_diffs;     /* number of differing bytes */
    unsigned nearest_pair;      /* first pair that differs... */
    uint64_t nearest_offset;    /* ...and its first differing byte */
} RawBitmapFit;

/*
 * Pairs must have a RAW size above 0.  Returns 0 (also when no layout fits)
 * or -ENOMEM.  Free the result with raw_bitmap_fit_clear().
 */
int raw_bitmap_fit(const RawBitmapPair *pair, unsigned pair_num,
                   RawBitmapFit *fit);

/*
 * The last step of raw_bitmap_fit(): sets @fit->sample and drops the layouts
 * that no sample would tell from the first.  Returns 0 or -ENOMEM.
 */
int raw_bitmap_fit_weigh(RawBitmapFit *fit);

void raw_bitmap_fit_clear(RawBitmapFit *fit);

#endif /* RAW_BITMAP_FIT_H */
