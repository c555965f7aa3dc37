/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bitmap of a RAW image that exists: finds its data, makes the .mf file,
 * proves one right. The layout and the file itself are block/raw-bitmap.h's.
 *
 * All calls block; events come from the calling thread. @layout NULL stands
 * for the default layout. @stop (may be NULL) is asked now and then: TRUE ends
 * the work with OBS_ERROR_INTERRUPTED.
 */
#ifndef OBS_BITMAP_SCAN_H
#define OBS_BITMAP_SCAN_H

#include "event.h"
#include "raw-bitmap-file.h"
#include "source.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RawBitmap, raw_bitmap_free)

/* Said once whenever a bitmap with a layout that nobody confirmed is made. */
#define OBS_BITMAP_UNCONFIRMED \
    "the layout of the bitmap is not confirmed by its reader; a ZVHD2 image " \
    "needs no bitmap"

typedef struct {
    const ObsEvents *events;    /* may be NULL */
    gboolean (*stop)(gpointer data);
    gpointer stop_data;
} ObsBitmapWatch;

/* The layout's default, for image.raw: image.mf. Free with g_free(). */
char *obs_bitmap_name(const char *raw_path);

/*
 * Marks in @map every block of the image that is not all zero. Holes are not
 * read, nor is the rest of a block once it is marked, nor a block that was
 * marked before. OBS_ERROR_SOURCE when the image can't be read or changes
 * meanwhile; then @map is worth nothing.
 */
gboolean obs_bitmap_scan(const ObsSource *source, RawBitmap *map,
                         const ObsBitmapWatch *watch, GError **error);

/* A new map of the image, scanned. NULL with @error set. */
RawBitmap *obs_bitmap_of(const ObsSource *source,
                         const RawBitmapLayout *layout,
                         const ObsBitmapWatch *watch, GError **error);

/*
 * Scans @raw_path and saves its bitmap as @mf_path. A file that exists is
 * kept, with an error, unless @replace; an OVF manifest always is. On success
 * the bitmap is also in *@out (if not NULL), for its data extents:
 * raw_bitmap_next_extent().
 */
gboolean obs_bitmap_make(const char *raw_path, const char *mf_path,
                         const RawBitmapLayout *layout, gboolean replace,
                         const ObsBitmapWatch *watch, RawBitmap **out,
                         GError **error);

typedef struct {
    RawBitmap *claimed;         /* what the file says */
    RawBitmap *hidden;          /* blocks with data that it calls zero */
    RawBitmap *needless;        /* zero blocks that it calls data; only if
                                 * asked for, else NULL */
    guint64 hidden_num, needless_num;
} ObsBitmapReport;

void obs_bitmap_report_clear(ObsBitmapReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ObsBitmapReport, obs_bitmap_report_clear)

/*
 * Is @mf_path a bitmap of @raw_path that hides no data? Reads only what the
 * bitmap calls zero, unless @exact, which finds zero blocks called data as
 * well. FALSE with @error when it can't be told or the file is not a bitmap of
 * this layout and size (OBS_ERROR_FAILED); else TRUE, the answer is in
 * @report: hidden_num is 0 for a good one.
 */
gboolean obs_bitmap_verify(const char *raw_path, const char *mf_path,
                           const RawBitmapLayout *layout, gboolean exact,
                           const ObsBitmapWatch *watch,
                           ObsBitmapReport *report, GError **error);

#endif
