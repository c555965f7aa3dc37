/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A RAW image and its bitmap: see raw.h. */
#include "raw.h"

/* Holes smaller than this are not worth an extent of their own. */
#define MIN_HOLE (1024 * 1024)

static void add_extent(GArray *extents, gint64 start, gint64 end)
{
    ObsExtent *last = extents->len
        ? &g_array_index(extents, ObsExtent, extents->len - 1) : NULL;
    ObsExtent extent = { start, end - start };

    if (last && start - (gint64)(last->offset + last->length) < MIN_HOLE) {
        last->length = end - last->offset;
    } else {
        g_array_append_val(extents, extent);
    }
}

GArray *obs_raw_extents_of_holes(const ObsSource *source)
{
    GArray *extents = g_array_new(FALSE, FALSE, sizeof(ObsExtent));
    gint64 start = 0;

    while ((start = obs_source_next_data(source, start)) < source->size) {
        gint64 end = obs_source_next_hole(source, start);

        add_extent(extents, start, end);
        start = end;
    }
    return extents;
}

static GArray *extents_of_map(const RawBitmap *map)
{
    GArray *extents = g_array_new(FALSE, FALSE, sizeof(ObsExtent));
    uint64_t start = 0, length = 0;

    while (raw_bitmap_next_extent(map, start + length, &start, &length)) {
        add_extent(extents, start, start + length);
    }
    return extents;
}

static gboolean verify(const ObsSource *source, const char *path,
                       const RawBitmapLayout *layout,
                       const ObsBitmapWatch *watch, GArray **out_extents,
                       GError **error)
{
    g_auto(ObsBitmapReport) report = { 0 };
    g_autoptr(GError) failed = NULL;
    uint64_t start = 0, length = 0;

    if (!obs_bitmap_verify(source->path, path, layout, FALSE, watch, &report,
                           &failed)) {
        /* Else it is the image that can't be read, or an interrupt */
        if (g_error_matches(failed, OBS_ERROR, OBS_ERROR_FAILED)) {
            g_prefix_error(&failed, "%s is not a bitmap of this image in "
                           "this layout (remove it to have it made anew, or, "
                           "if another tool made it, find the layout with "
                           "obs-push bitmap --fit and give it with "
                           "--layout): ", path);
        }
        g_propagate_error(error, g_steal_pointer(&failed));
        return FALSE;
    }
    if (report.hidden_num) {
        raw_bitmap_next_extent(report.hidden, 0, &start, &length);
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "%s calls %" G_GUINT64_FORMAT " blocks zero that hold "
                    "data, the first at offset %" G_GUINT64_FORMAT "; remove "
                    "it to have it made anew, or, if another tool made it, "
                    "find its layout with obs-push bitmap --fit", path,
                    report.hidden_num, (guint64)start);
        return FALSE;
    }
    obs_event_text(watch->events, OBS_EVENT_STAGE, "bitmap",
                   "%s  hides no data", path);
    *out_extents = extents_of_map(report.claimed);
    return TRUE;
}

static gboolean make(const ObsSource *source, const char *path,
                     const RawBitmapLayout *layout,
                     const ObsRawOptions *options, GArray **out_extents,
                     GError **error)
{
    g_autoptr(RawBitmap) map = NULL;

    if (options->keep_nothing) {
        map = obs_bitmap_of(source, layout, &options->watch, error);
    } else if (!obs_bitmap_make(source->path, path, layout, FALSE,
                                &options->watch, &map, error)) {
        g_prefix_error(error, "the bitmap of %s can't be made (--bitmap FILE "
                       "for another place, --no-bitmap to go without): ",
                       source->path);
        return FALSE;
    }
    if (!map) {
        return FALSE;
    }
    obs_event_text(options->watch.events, OBS_EVENT_STAGE, "bitmap",
                   "%s  %s", path,
                   options->keep_nothing ? "would be made" : "made");
    if (!options->layout) {
        obs_event_text(options->watch.events, OBS_EVENT_WARNING, "bitmap",
                       "%s", OBS_BITMAP_UNCONFIRMED);
    }
    *out_extents = extents_of_map(map);
    return TRUE;
}

gboolean obs_raw_bitmap(const ObsSource *source, const ObsRawOptions *options,
                        char **out_path, GArray **out_extents,
                        GError **error)
{
    g_autofree char *path = options->path ? g_strdup(options->path)
                                          : obs_bitmap_name(source->path);
    char why[RAW_BITMAP_FILE_ERR_MAX];
    RawBitmapLayout layout;
    gboolean there = g_file_test(path, G_FILE_TEST_EXISTS);

    if (!there && options->only_verify) {
        return TRUE;
    }
    raw_bitmap_layout_init(&layout);
    if (options->layout &&
        raw_bitmap_layout_load(&layout, options->layout, why) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE, "--layout: %s", why);
        return FALSE;
    }
    if (!(there ? verify(source, path, &layout, &options->watch, out_extents,
                         error)
                : make(source, path, &layout, options, out_extents, error))) {
        return FALSE;
    }
    if (there || !options->keep_nothing) {
        *out_path = g_steal_pointer(&path);
    }
    return TRUE;
}
