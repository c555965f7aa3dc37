/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A RAW image: where its data is, and the bitmap file that goes with it.
 */
#ifndef OBS_RAW_H
#define OBS_RAW_H

#include "bitmap-scan.h"
#include "event.h"
#include "source.h"

/* Where the file system says that data may be: array of ObsExtent, for
 * obs_plan_new_sparse(). Reads nothing. */
GArray *obs_raw_extents_of_holes(const ObsSource *source);

typedef struct {
    const char *path;           /* of the bitmap; NULL: beside the image */
    const char *layout;         /* layout file; NULL: the default layout */
    gboolean keep_nothing;      /* a missing one is made but not saved */
    gboolean only_verify;       /* a missing one is no matter */
    ObsBitmapWatch watch;
} ObsRawOptions;

/*
 * Brings the bitmap: one that is there is proven not to hide data, a missing
 * one is made. Either way the image has been looked through, and *out_extents
 * says where its data is (ObsExtent; untouched with only_verify and no
 * bitmap). *out_path: the file, NULL if nothing
 * was to be kept. OBS_ERROR_SOURCE when a bitmap hides data.
 */
gboolean obs_raw_bitmap(const ObsSource *source, const ObsRawOptions *options,
                        char **out_path, GArray **out_extents,
                        GError **error);

#endif
