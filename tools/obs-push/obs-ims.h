/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Image service: build the quick import request, read jobs, the list of
 * supported systems, quota and images. Pure; the caller signs and sends.
 */
#ifndef OBS_IMS_H
#define OBS_IMS_H

#include "obs-types.h"

typedef enum {
    OBS_IMAGE_SYSTEM,       /* type ECS */
    OBS_IMAGE_BMS,          /* system image for bare metal, type BMS */
    OBS_IMAGE_DATA,         /* type DataImage */
} ObsImageKind;

/* "system", "bms", "data". FALSE for anything else. */
gboolean obs_image_kind_parse(const gchar *text, ObsImageKind *out_kind);

/* What to register. Borrowed text; NULL where not given. */
typedef struct {
    ObsImageKind kind;
    const gchar *name;
    const gchar *description;
    const gchar *os_version;        /* system and BMS: required */
    const gchar *os_type;           /* data: "Linux" (default), "Windows" */
    const gchar *bucket;
    const gchar *key;
    gint64 min_disk;                /* GB; 0: from @virtual_size */
    guint64 virtual_size;           /* of the disk in the image, bytes */
    guint64 file_size;              /* of the object, bytes */
    const gchar *architecture;      /* "x86", "arm" */
    const gchar *firmware;          /* "bios", "uefi" */
    const GPtrArray *tags;          /* ObsPair key, value; NULL: none */
    const gchar *enterprise_project_id;     /* NULL or "": the default */
    const gchar *license_type;      /* "platform", "byol" */
} ObsImageSpec;

/* Smallest min_disk that holds @virtual_size, in GB (2^30), at least 1. */
gint64 obs_image_min_disk(guint64 virtual_size);

/*
 * Check every field against the documented rules before anything is sent.
 * Appends one-line warnings (gchar *) to @warnings for what only the server
 * can decide. OBS_ERROR_USAGE for a field, OBS_ERROR_SOURCE for a file that
 * is too big; the message names field, rule and value.
 */
gboolean obs_image_spec_check(const ObsImageSpec *spec, GPtrArray *warnings,
                              GError **error);

/* POST /v2/cloudimages/quickimport/action. @spec must have been checked. */
ObsRequest *obs_ims_import_request(const ObsEndpoint *ims,
                                   const ObsImageSpec *spec);
/* Job id (checked: 1..128 of A-Za-z0-9_-); free with g_free(). */
gchar *obs_ims_import_parse(const ObsResponse *response, GError **error);

typedef enum {
    OBS_JOB_RUNNING,        /* INIT, RUNNING and any unknown status */
    OBS_JOB_SUCCESS,
    OBS_JOB_FAIL,
} ObsJobState;

typedef struct {
    ObsJobState state;
    gchar *status;          /* as sent */
    gchar *image_id;        /* only sure on SUCCESS */
    gchar *image_name;
    gchar *task;            /* current_task or NULL */
    gdouble progress;       /* 0..1, negative: not said */
    gchar *error_code;      /* on FAIL, perhaps from a sub-job */
    gchar *fail_reason;
} ObsJob;

void obs_job_free(ObsJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsJob, obs_job_free)

/*
 * @project_id not NULL: GET /v1/{project_id}/jobs/{job_id}; else
 * GET /v1/cloudimages/job/{job_id}. The first is all that OTC has.
 */
ObsRequest *obs_ims_job_request(const ObsEndpoint *ims,
                                const gchar *project_id, const gchar *job_id);
ObsJob *obs_ims_job_parse(const ObsResponse *response, GError **error);

/* TRUE if this answer says that the other of the two paths must be used. */
gboolean obs_ims_job_wrong_path(const ObsResponse *response);

/* A GError for a failed job: code, reason, meaning and what to do. */
GError *obs_ims_job_error(const ObsJob *job, const gchar *job_id);

typedef struct {
    gchar *os_version;
    gchar *platform;
    gchar *os_type;
    gint64 bits;            /* 0: not said */
} ObsOsVersion;

/* GET /v1/cloudimages/os_version[?tag=]; @tag e.g. "x86", "arm", or NULL. */
ObsRequest *obs_ims_os_versions_request(const ObsEndpoint *ims,
                                        const gchar *tag);
/* Array of ObsOsVersion (owned), in the order sent, at most 10000. */
GPtrArray *obs_ims_os_versions_parse(const ObsResponse *response,
                                     GError **error);

/* The entry spelled exactly so, or NULL. */
const ObsOsVersion *obs_ims_os_version_find(const GPtrArray *versions,
                                            const gchar *os_version);

/*
 * Up to @max nearest spellings (edit distance, case ignored; words count
 * more than letters), best first: NULL-terminated, free with g_strfreev().
 */
gchar **obs_ims_os_version_suggest(const GPtrArray *versions,
                                   const gchar *os_version, guint max);

/* GET /v1/cloudimages/quota. */
ObsRequest *obs_ims_quota_request(const ObsEndpoint *ims);
/* Images used and allowed; @out_quota -1: no limit. */
gboolean obs_ims_quota_parse(const ObsResponse *response, gint64 *out_used,
                             gint64 *out_quota, GError **error);

typedef struct {
    gchar *id;
    gchar *name;
    gchar *status;          /* queued saving deleted killed active */
    gchar *disk_format;
    gchar *created_at;
    gint64 min_disk;        /* 0: not said */
    gchar *size_text;       /* __image_size, bytes as text; may be NULL */
} ObsImage;

/* GET /v2/cloudimages?id= or ?name=&__imagetype=private. One of both. */
ObsRequest *obs_ims_images_request(const ObsEndpoint *ims, const gchar *id,
                                   const gchar *name);
/* Array of ObsImage (owned), at most 10000. */
GPtrArray *obs_ims_images_parse(const ObsResponse *response, GError **error);

#endif
