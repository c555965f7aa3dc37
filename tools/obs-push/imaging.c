/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The single operations on the image service: see imaging.h. */
#include "imaging.h"

#include <string.h>

static const ObsEndpoint *ims(ObsClient *client)
{
    return obs_client_endpoints(client)->ims;
}

/* NULL with @error unless the verdict is OK. */
static ObsReply *ask(ObsClient *client, ObsRequest *request, const char *what,
                     GError **error)
{
    ObsCallSpec spec = { .request = request, .what = what };
    g_autoptr(ObsReply) reply = obs_client_call_sync(client, &spec);

    return obs_reply_check(reply, error) ? g_steal_pointer(&reply) : NULL;
}

GPtrArray *obs_imaging_os_versions(ObsClient *client, const char *tag,
                                   GError **error)
{
    g_autoptr(ObsReply) reply =
        ask(client, obs_ims_os_versions_request(ims(client), tag),
            "list the operating systems", error);

    return reply ? obs_ims_os_versions_parse(reply->response, error) : NULL;
}

gboolean obs_imaging_quota(ObsClient *client, gint64 *out_used,
                           gint64 *out_quota, GError **error)
{
    g_autoptr(ObsReply) reply =
        ask(client, obs_ims_quota_request(ims(client)),
            "ask for the image quota", error);

    return reply && obs_ims_quota_parse(reply->response, out_used, out_quota,
                                        error);
}

GPtrArray *obs_imaging_images(ObsClient *client, const char *id,
                              const char *name, GError **error)
{
    g_autoptr(ObsReply) reply =
        ask(client, obs_ims_images_request(ims(client), id, name),
            "look for the image", error);
    g_autoptr(GPtrArray) images = NULL;

    if (!reply) {
        return NULL;
    }
    images = obs_ims_images_parse(reply->response, error);
    if (!images) {
        return NULL;
    }
    /* A service that does not know the filter answers with everything. */
    for (guint i = images->len; i-- > 0;) {
        const ObsImage *image = g_ptr_array_index(images, i);

        if ((id && g_strcmp0(image->id, id) != 0) ||
            (name && g_strcmp0(image->name, name) != 0)) {
            g_ptr_array_remove_index(images, i);
        }
    }
    return g_steal_pointer(&images);
}

ObsImport obs_imaging_import(ObsClient *client, const ObsImageSpec *spec,
                             char **out_job, GError **error)
{
    ObsCallSpec call = {
        .request = obs_ims_import_request(ims(client), spec),
        .what = "register the image",
        .repeat = OBS_REPEAT_LOOK_FIRST,
    };
    g_autoptr(ObsReply) reply = obs_client_call_sync(client, &call);

    if (!obs_reply_check(reply, error)) {
        return reply->verdict == OBS_VERDICT_UNCLEAR ? OBS_IMPORT_UNCLEAR
                                                     : OBS_IMPORT_REFUSED;
    }
    *out_job = obs_ims_import_parse(reply->response, error);
    /* Accepted, but in words that we don't know: as good as no answer. */
    return *out_job ? OBS_IMPORT_STARTED : OBS_IMPORT_UNCLEAR;
}

ObsJob *obs_imaging_job(ObsClient *client, const char *project_id,
                        const char *job_id, gboolean *by_project,
                        GError **error)
{
    for (guint round = 0;; round++) {
        ObsCallSpec call = {
            .request = obs_ims_job_request(ims(client),
                                           *by_project ? project_id : NULL,
                                           job_id),
            .what = "look at the import job",
        };
        g_autoptr(ObsReply) reply = obs_client_call_sync(client, &call);

        if (reply->verdict == OBS_VERDICT_OK) {
            return obs_ims_job_parse(reply->response, error);
        }
        if (round == 0 && reply->response && project_id &&
            obs_ims_job_wrong_path(reply->response)) {
            *by_project = !*by_project;
            continue;
        }
        obs_reply_check(reply, error);
        return NULL;
    }
}
