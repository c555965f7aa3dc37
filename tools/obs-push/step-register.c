/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps around registering: options to a spec, preflight, register,
 * wait. */
#include <string.h>

#include "obs-url.h"
#include "register.h"
#include "steps.h"
#include "storage.h"

#define DEFAULT_POLL 10

static gboolean parse_tags(char **texts, GPtrArray *tags, GError **error)
{
    for (guint i = 0; texts && texts[i]; i++) {
        g_autofree char *key = NULL;
        g_autofree char *value = NULL;

        if (!obs_parse_pair(texts[i], "--tag", &key, &value, error)) {
            return FALSE;
        }
        obs_pairs_add(tags, key, value);
    }
    return TRUE;
}

gboolean obs_step_spec(ObsApp *app, const ObsItem *item, GPtrArray *tags,
                       ObsImageSpec *out, GError **error)
{
    const ObsOptions *o = app->options;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);

    memset(out, 0, sizeof(*out));
    if (!o->name) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "an image needs a --name (to upload without registering: "
                    "obs-push upload)");
        return FALSE;
    }
    if (o->type && !obs_image_kind_parse(o->type, &out->kind)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--type: \"%s\" is none of system, data, bms", o->type);
        return FALSE;
    }
    if (!parse_tags(o->tags, tags, error) ||
        !obs_url_check_key(item->key, TRUE, error)) {
        return FALSE;
    }
    if (o->storage_class && strcmp(o->storage_class, "STANDARD") != 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--storage-class %s: an image can only be imported from "
                    "STANDARD", o->storage_class);
        return FALSE;
    }
    out->name = o->name;
    out->description = o->description;
    out->os_version = o->os_version;
    out->os_type = o->os_type;
    out->bucket = item->bucket;
    out->key = item->key;
    out->min_disk = o->min_disk;
    out->virtual_size = item->info.disk_size;
    out->file_size = item->info.file_size;
    out->architecture = o->architecture;
    out->firmware = o->firmware;
    out->tags = tags->len ? tags : NULL;
    out->enterprise_project_id = o->enterprise_project
                                 ? o->enterprise_project
                                 : g_getenv("HW_ENTERPRISE_PROJECT_ID");
    out->license_type = o->license_type;
    if (!obs_image_spec_check(out, warnings, error)) {
        return FALSE;
    }
    for (guint i = 0; i < warnings->len; i++) {
        obs_event_text(&app->events, OBS_EVENT_WARNING, "check", "%s",
                       (const char *)g_ptr_array_index(warnings, i));
    }
    return TRUE;
}

static gboolean check_bucket(ObsApp *app, const char *bucket, GError **error)
{
    ObsPlace place = { app->client, bucket, NULL };
    g_auto(ObsBucketInfo) info = { 0 };
    const char *region = app->endpoints->region;

    if (!obs_storage_head_bucket(&place, &info, error)) {
        return FALSE;
    }
    if (info.region && region && strcmp(info.region, region) != 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_BUCKET,
                    "bucket %s is in region %s and the image service in %s; "
                    "the import needs both in one region", bucket,
                    info.region, region);
        return FALSE;
    }
    if (info.storage_class &&
        g_ascii_strcasecmp(info.storage_class, "STANDARD") != 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_BUCKET,
                    "bucket %s has storage class %s; an image can only be "
                    "imported from a Standard bucket", bucket,
                    info.storage_class);
        return FALSE;
    }
    if (info.file_system) {
        obs_event_text(&app->events, OBS_EVENT_WARNING, "check",
                       "bucket %s is a parallel file system; whether images "
                       "can be imported from one is not documented", bucket);
    }
    return TRUE;
}

static gboolean make_registrar(ObsApp *app, ObsRegistrar *out,
                               GError **error)
{
    out->client = app->client;
    out->events = &app->events;
    out->poll_seconds = app->options->poll_interval
                        ? app->options->poll_interval : DEFAULT_POLL;
    out->project_id = obs_session_project(app->session, error);
    return out->project_id != NULL;
}

gboolean obs_step_preflight(ObsApp *app, const ObsImageSpec *spec,
                            GStrv *out_known, GError **error)
{
    ObsRegistrar r;

    if (!check_bucket(app, spec->bucket, error) ||
        !make_registrar(app, &r, error) ||
        !obs_register_preflight(&r, spec, app->options->duplicate_name,
                                out_known, error)) {
        return FALSE;
    }
    obs_event_text(&app->events, OBS_EVENT_STAGE, "check",
                   "bucket, image name, %s and quota are good",
                   spec->kind == OBS_IMAGE_DATA ? "disk size" : "system");
    return TRUE;
}

gboolean obs_step_register(ObsApp *app, const ObsImageSpec *spec,
                           const char *const *known, char **out_job,
                           char **out_image, GError **error)
{
    JsonObject *detail;
    ObsRegistrar r;

    if (!make_registrar(app, &r, error) ||
        !obs_register_start(&r, spec, known, out_job, out_image, error)) {
        return FALSE;
    }
    detail = json_object_new();
    if (*out_job) {
        json_object_set_string_member(detail, "job_id", *out_job);
    } else {
        json_object_set_string_member(detail, "image_id", *out_image);
    }
    obs_event_detail(&app->events, OBS_EVENT_STAGE, "register", detail,
                     "%s %s  started", *out_job ? "job" : "image",
                     *out_job ? *out_job : *out_image);
    return TRUE;
}

gboolean obs_step_wait(ObsApp *app, const char *job_id, const char *image_id,
                       const char *name, GError **error)
{
    g_autofree char *found = NULL;
    JsonObject *detail;
    ObsRegistrar r;

    if (!make_registrar(app, &r, error)) {
        return FALSE;
    }
    if (job_id) {
        if (!obs_register_wait_job(&r, job_id, &found, error)) {
            if (*error && (*error)->code != OBS_ERROR_REGISTER) {
                g_prefix_error(error, "waiting for job %s (obs-push wait %s "
                               "goes on): ", job_id, job_id);
            }
            return FALSE;
        }
        image_id = found;
    } else if (!obs_register_wait_image(&r, image_id, error)) {
        return FALSE;
    }
    detail = json_object_new();
    json_object_set_string_member(detail, "image_id", image_id);
    json_object_set_string_member(detail, "status", "active");
    if (app->options->quiet) {
        printf("%s\n", image_id);
    }
    obs_event_detail(&app->events, OBS_EVENT_STAGE, "image", detail,
                     "%s  %s%sactive", image_id, name ? name : "",
                     name ? "  " : "");
    return TRUE;
}
