/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step "check": what the file is, and whether it is sound. */
#include "obs-url.h"
#include "raw.h"
#include "steps.h"

void obs_item_clear(ObsItem *item)
{
    g_clear_pointer(&item->source, obs_source_free);
    g_clear_pointer(&item->extents, g_array_unref);
    g_clear_pointer(&item->bitmap_path, g_free);
    g_clear_pointer(&item->bucket, g_free);
    g_clear_pointer(&item->key, g_free);
}

static JsonObject *describe_json(const ObsItem *item)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "file", item->source->path);
    json_object_set_int_member(o, "size", item->source->size);
    if (item->is_image) {
        json_object_set_string_member(o, "format",
            item->info.format == OBS_FORMAT_ZVHD2 ? "zvhd2" : "raw");
        json_object_set_int_member(o, "disk_size", item->info.disk_size);
    }
    return o;
}

/* Not every file whose size is a multiple of 512 is a disk. */
static gboolean looks_like_disk(const ObsSource *source)
{
    static const char *const endings[] = { ".raw", ".img", ".dd" };
    guint8 signature[2];

    for (guint i = 0; i < G_N_ELEMENTS(endings); i++) {
        if (g_str_has_suffix(source->path, endings[i])) {
            return TRUE;
        }
    }
    /* A block device has no modification time; the mark of an MBR or GPT. */
    return source->identity.mtime_sec == 0 ||
           (obs_source_read(source, 510, signature, 2, NULL) &&
            signature[0] == 0x55 && signature[1] == 0xaa);
}

gboolean obs_step_bitmap(ObsApp *app, ObsItem *item, gboolean only_verify,
                         GError **error)
{
    const ObsOptions *o = app->options;
    ObsRawOptions options = {
        .path = o->bitmap,
        .layout = o->layout,
        .keep_nothing = o->dry_run,
        .only_verify = only_verify,
        .watch = { &app->events, obs_app_interrupted, app },
    };

    if (!item->is_image || item->info.format != OBS_FORMAT_RAW) {
        return TRUE;
    }
    if (o->no_bitmap) {
        obs_event_text(&app->events, OBS_EVENT_WARNING, "bitmap",
                       "without a bitmap the service may refuse a RAW image; "
                       "ZVHD2 needs none");
        item->extents = obs_raw_extents_of_holes(item->source);
        return TRUE;
    }
    return obs_raw_bitmap(item->source, &options, &item->bitmap_path,
                          &item->extents, error);
}

/* What it is, and, if it is an image, whether it is a sound one. */
static gboolean inspect(ObsItem *item, gboolean must_import, GError **error)
{
    g_autoptr(GError) refused = NULL;

    item->is_image = obs_image_inspect(item->source, &item->info, &refused);
    if (!item->is_image &&
        (must_import || item->info.format == OBS_FORMAT_ZVHD2)) {
        g_propagate_error(error, g_steal_pointer(&refused));
        return FALSE;
    }
    if (item->is_image && !must_import &&
        item->info.format == OBS_FORMAT_RAW &&
        !looks_like_disk(item->source)) {
        item->is_image = FALSE;
    }
    return TRUE;
}

gboolean obs_step_check(ObsApp *app, const char *path, const char *url,
                        gboolean must_import, ObsItem *out, GError **error)
{
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *text = NULL;

    if (url && !obs_url_parse_object(url, base, &out->bucket, &out->key,
                                     error)) {
        return FALSE;
    }
    out->source = obs_source_open(path, error);
    if (!out->source || !inspect(out, must_import, error)) {
        return FALSE;
    }
    if (!out->is_image) {
        text = obs_format_size(out->source->size);
        obs_event_detail(&app->events, OBS_EVENT_STAGE, "check",
                         describe_json(out), "%s  %s, not an image for fast "
                         "import", base, text);
        return TRUE;
    }
    text = obs_image_describe(&out->info);
    obs_event_detail(&app->events, OBS_EVENT_STAGE, "check",
                     describe_json(out), "%s  %s%s", base, text,
                     out->info.format == OBS_FORMAT_ZVHD2
                     ? ", index and footer ok" : "");
    return TRUE;
}
