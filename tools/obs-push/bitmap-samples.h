/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RAW samples that settle the layout of the bitmap, as files. */
#ifndef OBS_BITMAP_SAMPLES_H
#define OBS_BITMAP_SAMPLES_H

#include "bitmap-scan.h"

/*
 * Makes all samples of raw-bitmap-fit.h in @folder (created if need be),
 * sparse but for the one that is all 0xFF. A file that exists is an error
 * unless @replace. One that can't be completed is removed.
 */
gboolean obs_bitmap_make_samples(const char *folder, gboolean replace,
                                 const ObsBitmapWatch *watch, GError **error);

#endif
