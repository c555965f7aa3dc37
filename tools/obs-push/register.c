/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From an object to an image: see register.h. */
#include "register.h"

#include <string.h>

#include "imaging.h"

#define SUGGESTIONS 3
/* How often an image of that name is looked for after an unclear answer. */
#define LOOKS 3
/* How often the call is sent in all, if it has left no trace. */
#define MAX_IMPORTS 3
/* Looks at an image that the job calls finished and that is not active. */
#define MAX_INACTIVE 60

/* ---- preflight ---- */

static gboolean check_os(const ObsRegistrar *r, const ObsImageSpec *spec,
                         GError **error)
{
    g_autoptr(GPtrArray) versions = NULL;
    g_auto(GStrv) nearest = NULL;
    g_autofree char *list = NULL;

    if (spec->kind == OBS_IMAGE_DATA) {
        return TRUE;
    }
    versions = obs_imaging_os_versions(r->client, NULL, error);
    if (!versions) {
        return FALSE;
    }
    if (obs_ims_os_version_find(versions, spec->os_version)) {
        return TRUE;
    }
    nearest = obs_ims_os_version_suggest(versions, spec->os_version,
                                         SUGGESTIONS);
    list = g_strjoinv("\", \"", nearest);
    g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                "--os-version \"%s\" is not known to the image service%s%s%s; "
                "see obs-push os-versions", spec->os_version,
                *list ? "; nearest: \"" : "", list, *list ? "\"" : "");
    return FALSE;
}

static gboolean check_quota(const ObsRegistrar *r, GError **error)
{
    gint64 used, quota;

    if (!obs_imaging_quota(r->client, &used, &quota, error)) {
        return FALSE;
    }
    if (quota >= 0 && used >= quota) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_REGISTER,
                    "the image quota is used up (%" G_GINT64_FORMAT " of %"
                    G_GINT64_FORMAT "); delete an image or ask for more",
                    used, quota);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_name(const ObsRegistrar *r, const ObsImageSpec *spec,
                           gboolean allow_duplicate, GStrv *out_known,
                           GError **error)
{
    g_autoptr(GPtrArray) images = obs_imaging_images(r->client, NULL,
                                                     spec->name, error);
    g_autoptr(GStrvBuilder) known = g_strv_builder_new();

    if (!images) {
        return FALSE;
    }
    if (images->len && !allow_duplicate) {
        const ObsImage *image = g_ptr_array_index(images, 0);

        g_set_error(error, OBS_ERROR, OBS_ERROR_REGISTER,
                    "there is an image named \"%s\" already (%s, %s); choose "
                    "another --name, or give --duplicate-name", spec->name,
                    image->id, image->status);
        return FALSE;
    }
    for (guint i = 0; i < images->len; i++) {
        g_strv_builder_add(known,
                           ((ObsImage *)g_ptr_array_index(images, i))->id);
    }
    *out_known = g_strv_builder_end(known);
    return TRUE;
}

gboolean obs_register_preflight(const ObsRegistrar *r,
                                const ObsImageSpec *spec,
                                gboolean allow_duplicate, GStrv *out_known,
                                GError **error)
{
    return check_os(r, spec, error) && check_quota(r, error) &&
           check_name(r, spec, allow_duplicate, out_known, error);
}

/* ---- start ---- */

static void pause_between(const ObsRegistrar *r)
{
    obs_client_wait(r->client, r->poll_seconds * 1000);
}

/* An image of that name that was not there before; FALSE only for errors. */
static gboolean find_new(const ObsRegistrar *r, const ObsImageSpec *spec,
                         const char *const *known, char **out_image,
                         GError **error)
{
    for (guint look = 0; look < LOOKS; look++) {
        g_autoptr(GPtrArray) images = NULL;

        if (look) {
            pause_between(r);
        }
        images = obs_imaging_images(r->client, NULL, spec->name, error);
        if (!images) {
            return FALSE;
        }
        for (guint i = 0; i < images->len; i++) {
            const ObsImage *image = g_ptr_array_index(images, i);

            if (!known || !g_strv_contains(known, image->id)) {
                *out_image = g_strdup(image->id);
                return TRUE;
            }
        }
    }
    return TRUE;
}

gboolean obs_register_start(const ObsRegistrar *r, const ObsImageSpec *spec,
                            const char *const *known, char **out_job,
                            char **out_image, GError **error)
{
    g_autoptr(GError) last = NULL;

    for (guint round = 0; round < MAX_IMPORTS; round++) {
        g_clear_error(&last);
        switch (obs_imaging_import(r->client, spec, out_job, &last)) {
        case OBS_IMPORT_STARTED:
            return TRUE;
        case OBS_IMPORT_REFUSED:
            g_propagate_error(error, g_steal_pointer(&last));
            return FALSE;
        case OBS_IMPORT_UNCLEAR:
            break;
        }
        obs_event_text(r->events, OBS_EVENT_WARNING, "register",
                       "%s; looking whether the image is there",
                       last->message);
        if (!find_new(r, spec, known, out_image, error)) {
            return FALSE;
        }
        if (*out_image) {
            return TRUE;
        }
    }
    g_propagate_error(error, g_steal_pointer(&last));
    g_prefix_error(error, "no clear answer in %d attempts and no image named "
                   "\"%s\"; look into the console before trying again: ",
                   MAX_IMPORTS, spec->name);
    return FALSE;
}

/* ---- wait ---- */

gboolean obs_register_wait_image(const ObsRegistrar *r, const char *image_id,
                                 GError **error)
{
    g_autofree char *status = NULL;

    for (guint look = 0; look < MAX_INACTIVE; look++) {
        g_autoptr(GPtrArray) images = NULL;

        if (look) {
            pause_between(r);
        }
        images = obs_imaging_images(r->client, image_id, NULL, error);
        if (!images) {
            return FALSE;
        }
        g_free(status);
        status = g_strdup(images->len
            ? ((ObsImage *)g_ptr_array_index(images, 0))->status : "missing");
        if (g_strcmp0(status, "active") == 0) {
            return TRUE;
        }
        if (g_strcmp0(status, "killed") == 0 ||
            g_strcmp0(status, "deleted") == 0) {
            break;
        }
        obs_event_fraction(r->events, "register", -1, status);
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_REGISTER,
                "image %s does not become active: it is %s; look into the "
                "console", image_id, status);
    return FALSE;
}

static void tell_job(const ObsRegistrar *r, const char *job_id,
                     const ObsJob *job)
{
    g_autofree char *text =
        g_strdup_printf("job %s  %s", job_id,
                        job->task && *job->task ? job->task : "importing");

    obs_event_fraction(r->events, "register", job->progress, text);
}

gboolean obs_register_wait_job(const ObsRegistrar *r, const char *job_id,
                               char **out_image, GError **error)
{
    gboolean by_project = r->project_id != NULL;

    for (;;) {
        g_autoptr(ObsJob) job = obs_imaging_job(r->client, r->project_id,
                                                job_id, &by_project, error);

        if (!job) {
            return FALSE;
        }
        switch (job->state) {
        case OBS_JOB_FAIL:
            g_propagate_error(error, obs_ims_job_error(job, job_id));
            return FALSE;
        case OBS_JOB_SUCCESS:
            if (!job->image_id) {
                g_set_error(error, OBS_ERROR, OBS_ERROR_REGISTER,
                            "job %s has succeeded but names no image",
                            job_id);
                return FALSE;
            }
            *out_image = g_strdup(job->image_id);
            return obs_register_wait_image(r, *out_image, error);
        case OBS_JOB_RUNNING:
            tell_job(r, job_id, job);
            pause_between(r);
            break;
        }
    }
}
