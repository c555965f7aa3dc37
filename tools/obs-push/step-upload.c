/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step "upload": options to an upload, and its summary. */
#include <string.h>

#include "obs-url.h"
#include "steps.h"
#include "storage.h"

#define DEFAULT_PARALLEL 8
/* "≤ 8 KB in all" in the documentation of the object storage. */
#define MAX_META (8 * 1024)

static gboolean add_meta(GPtrArray *headers, char **meta, GError **error)
{
    gsize total = 0;

    for (guint i = 0; meta && meta[i]; i++) {
        g_autofree char *key = NULL;
        g_autofree char *value = NULL;
        g_autofree char *name = NULL;

        if (!obs_parse_pair(meta[i], "--meta", &key, &value, error)) {
            return FALSE;
        }
        for (const char *p = key; *p; p++) {
            if (!g_ascii_isalnum(*p) && !strchr("-_.", *p)) {
                g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                            "--meta: \"%s\": a key has letters, digits, -, _ "
                            "and . only", key);
                return FALSE;
            }
        }
        for (const char *p = value; *p; p++) {
            if ((guchar)*p < 0x20 || (guchar)*p > 0x7e) {
                g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                            "--meta %s: a value has printable ASCII only",
                            key);
                return FALSE;
            }
        }
        total += strlen(key) + strlen(value);
        if (total > MAX_META) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                        "--meta: more than 8 KB of metadata");
            return FALSE;
        }
        name = g_strdup_printf("x-obs-meta-%s", key);
        obs_pairs_set(headers, name, value);
    }
    return TRUE;
}

/* Object headers in the OBS spelling; NULL with @error. */
static GPtrArray *object_headers(const ObsOptions *o, GError **error)
{
    g_autoptr(GPtrArray) headers = obs_pairs_new();

    if (o->storage_class) {
        obs_pairs_set(headers, "x-obs-storage-class", o->storage_class);
    }
    if (o->acl) {
        obs_pairs_set(headers, "x-obs-acl", o->acl);
    }
    if (o->sse) {
        g_auto(GStrv) parts = g_strsplit(o->sse, ":", 2);

        obs_pairs_set(headers, "x-obs-server-side-encryption", parts[0]);
        if (parts[1]) {
            obs_pairs_set(headers,
                          "x-obs-server-side-encryption-kms-key-id",
                          parts[1]);
        }
    }
    return add_meta(headers, o->meta, error) ? g_steal_pointer(&headers)
                                             : NULL;
}

static JsonObject *summary_json(const ObsUploadSpec *spec,
                                const ObsUploadResult *result)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "bucket", spec->bucket);
    json_object_set_string_member(o, "key", spec->key);
    json_object_set_int_member(o, "size", result->size);
    json_object_set_int_member(o, "wire", result->wire);
    json_object_set_int_member(o, "copied", result->copied);
    json_object_set_int_member(o, "resumed", result->resumed);
    json_object_set_int_member(o, "parts", result->parts);
    if (result->etag) {
        json_object_set_string_member(o, "etag", result->etag);
    }
    return o;
}

static void tell_summary(ObsApp *app, const ObsUploadSpec *spec,
                         const ObsUploadResult *result, gint64 started)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *size = obs_format_size(result->size);
    g_autofree char *wire = obs_format_size(result->wire);
    double seconds = (g_get_monotonic_time() - started) / 1e6;
    g_autofree char *rate = obs_format_rate(seconds > 0
                                            ? result->wire / seconds : -1);
    g_autofree char *time = obs_format_time(seconds);

    g_string_printf(text, "obs://%s/%s  %s, %s over the wire", spec->bucket,
                    spec->key, size, wire);
    if (result->copied) {
        g_autofree char *copied = obs_format_size(result->copied);

        g_string_append_printf(text, ", %s of zeros copied there", copied);
    }
    if (result->resumed) {
        g_autofree char *resumed = obs_format_size(result->resumed);

        g_string_append_printf(text, ", %s from before", resumed);
    }
    if (result->was_complete) {
        g_string_append(text, ", complete already");
    } else {
        g_string_append_printf(text, ", %s at %s", time, rate);
    }
    obs_event_detail(&app->events, OBS_EVENT_STAGE, "upload",
                     summary_json(spec, result), "%s", text->str);
}

/* --no-clobber, --if-changed: must the object be uploaded at all? */
static gboolean wanted(ObsApp *app, const ObsUploadSpec *spec,
                       gboolean *out_wanted, GError **error)
{
    ObsPlace place = { spec->client, spec->bucket, spec->key };
    g_auto(ObsObjectInfo) info = { 0 };
    gboolean same = FALSE;

    *out_wanted = TRUE;
    if (app->options->no_clobber) {
        if (!obs_storage_head(&place, &info, error)) {
            return FALSE;
        }
        if (info.exists) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_BUCKET,
                        "obs://%s/%s exists already and is not replaced "
                        "(--no-clobber)", spec->bucket, spec->key);
            return FALSE;
        }
    }
    if (app->options->if_changed) {
        if (!obs_upload_is_same(spec, &same, error)) {
            return FALSE;
        }
        *out_wanted = !same;
        if (same) {
            obs_event_text(&app->events, OBS_EVENT_STAGE, "upload",
                           "obs://%s/%s  is the same already", spec->bucket,
                           spec->key);
        }
    }
    return TRUE;
}

static gboolean upload_one(ObsApp *app, ObsUploadSpec *spec, GError **error)
{
    g_auto(ObsUploadResult) result = { 0 };
    gint64 started = g_get_monotonic_time();
    gboolean upload;

    if (!wanted(app, spec, &upload, error)) {
        return FALSE;
    }
    if (!upload) {
        return TRUE;
    }
    if (app->options->dry_run) {
        g_autoptr(ObsPlan) plan = obs_upload_plan(spec, error);
        g_autofree char *size = NULL;

        if (!plan) {
            return FALSE;
        }
        size = obs_format_size(plan->send_bytes);
        obs_event_text(&app->events, OBS_EVENT_STAGE, "upload",
                       "obs://%s/%s  would send %s in %u parts (dry run)",
                       spec->bucket, spec->key, size, plan->parts->len);
        return TRUE;
    }
    if (!obs_upload_run(spec, &result, error)) {
        return FALSE;
    }
    tell_summary(app, spec, &result, started);
    return TRUE;
}

/* The bitmap goes first: an image is not there without it. */
static gboolean upload_bitmap(ObsApp *app, const ObsItem *item,
                              const ObsUploadSpec *image, GError **error)
{
    g_autoptr(ObsSource) source = NULL;
    g_autofree char *key = obs_url_bitmap_key(item->key);
    ObsUploadSpec spec = *image;
    gboolean same;

    if (!item->bitmap_path) {
        return TRUE;
    }
    source = obs_source_open(item->bitmap_path, error);
    if (!source) {
        return FALSE;
    }
    spec.source = source;
    spec.key = key;
    spec.extents = NULL;
    spec.upload_id = NULL;
    /* An interrupted run may have brought it already. */
    if (!obs_upload_is_same(&spec, &same, error)) {
        return FALSE;
    }
    return same || upload_one(app, &spec, error);
}

gboolean obs_step_upload(ObsApp *app, ObsItem *item, GError **error)
{
    const ObsOptions *o = app->options;
    g_autoptr(GPtrArray) headers = object_headers(o, error);
    ObsUploadSpec spec = {
        .client = app->client,
        .source = item->source,
        .bucket = item->bucket,
        .key = item->key,
        .headers = headers,
        .encrypted = o->sse != NULL,
        .part_size = o->part_size,
        .parallel = o->parallel ? o->parallel : DEFAULT_PARALLEL,
        .extents = item->extents,
        .restart = o->restart,
        .no_clobber = o->no_clobber,
        .upload_id = o->upload_id,
        .state_dir = o->state_dir,
        .events = &app->events,
    };

    return headers && upload_bitmap(app, item, &spec, error) &&
           upload_one(app, &spec, error);
}
