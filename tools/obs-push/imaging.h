/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The single operations on the image service, each one call that blocks (runs
 * the main loop) until its final verdict.
 */
#ifndef OBS_IMAGING_H
#define OBS_IMAGING_H

#include "client.h"
#include "obs-ims.h"

/* Array of ObsOsVersion. @tag: "x86", "arm", "bms"… or NULL for all. */
GPtrArray *obs_imaging_os_versions(ObsClient *client, const char *tag,
                                   GError **error);

gboolean obs_imaging_quota(ObsClient *client, gint64 *out_used,
                           gint64 *out_quota, GError **error);

/* Array of ObsImage, by id or by exact name; none is an empty array. */
GPtrArray *obs_imaging_images(ObsClient *client, const char *id,
                              const char *name, GError **error);

typedef enum {
    OBS_IMPORT_STARTED,         /* *out_job is set */
    OBS_IMPORT_UNCLEAR,         /* it may or may not have been: @error why */
    OBS_IMPORT_REFUSED,         /* @error */
} ObsImport;
ObsImport obs_imaging_import(ObsClient *client, const ObsImageSpec *spec,
                             char **out_job, GError **error);

/*
 * The state of a job. *@by_project says which of the two paths is used (TRUE:
 * /v1/{project}/jobs) and is changed when a cloud only has the other.
 */
ObsJob *obs_imaging_job(ObsClient *client, const char *project_id,
                        const char *job_id, gboolean *by_project,
                        GError **error);

#endif
