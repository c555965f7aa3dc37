/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Learning the layout of the bitmap from files made by somebody else. */
#ifndef OBS_BITMAP_FIT_H
#define OBS_BITMAP_FIT_H

#include "bitmap-scan.h"

/*
 * @mf_paths and @raw_paths: as many of each, pairs. Finds the layout that
 * reproduces all of them and fills @out. FALSE with @error when none does
 * (saying what comes nearest) or when the pairs can't tell several apart
 * (after an event for each, saying which sample would).
 */
gboolean obs_bitmap_fit(const char *const *mf_paths,
                        const char *const *raw_paths,
                        const ObsBitmapWatch *watch, RawBitmapLayout *out,
                        GError **error);

#endif
