/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is this file, and is it sound: ZVHD2 through the pure library, or RAW.
 * Reads the file, knows nothing of clouds.
 */
#ifndef OBS_IMAGE_H
#define OBS_IMAGE_H

#include "event.h"
#include "source.h"

typedef enum {
    OBS_FORMAT_RAW,
    OBS_FORMAT_ZVHD2,
} ObsImageFormat;

typedef struct {
    ObsImageFormat format;
    guint64 disk_size;          /* bytes, as a virtual machine sees it */
    guint64 file_size;
    /* ZVHD2 only */
    gboolean zstd;              /* else zlib */
    guint32 block_size;
    guint32 records;            /* blocks with data */
} ObsImageInfo;

/*
 * Tells the format by content. A ZVHD2 image must be whole: header, footer,
 * bitmap, index, bounds and order of all records (not their contents).
 * Formats that fast import does not take (qcow2, vmdk, vhd, vhdx, …) and RAW
 * files that are no disk are OBS_ERROR_SOURCE with what to do.
 */
gboolean obs_image_inspect(const ObsSource *source, ObsImageInfo *out,
                           GError **error);

/* Reads and expands every record of a ZVHD2 image. @stop may be NULL: TRUE
 * from it ends the work with OBS_ERROR_INTERRUPTED. */
gboolean obs_image_inspect_records(const ObsSource *source,
                                   const ObsEvents *events,
                                   gboolean (*stop)(gpointer), gpointer data,
                                   GError **error);

/* "ZVHD2, zstd, 412 GiB disk, 96.2 GiB file". Free with g_free(). */
char *obs_image_describe(const ObsImageInfo *info);

#endif
