/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Image service: jobs, the list of supported systems, quota and images.
 */
#include "obs-ims.h"

#include <string.h>

#include "obs-ims-codes.h"
#include "obs-json.h"
#include "obs-service-error.h"
#include "obs-text.h"

#define ID_MAX 128
#define TEXT_MAX 1024
#define LIST_MAX 10000

static gboolean plain_id(const gchar *text)
{
    if (!text || !*text || strlen(text) > ID_MAX) {
        return FALSE;
    }
    for (; *text; text++) {
        if (!g_ascii_isalnum(*text) && *text != '-' && *text != '_') {
            return FALSE;
        }
    }
    return TRUE;
}

static gchar *clean(const gchar *text)
{
    return text && *text
           ? obs_text_clean(text, -1, TEXT_MAX) : NULL;
}

/* The body as JSON if the answer is 200, else what the service said. */
static JsonNode *open_answer(const ObsResponse *response, const gchar *what,
                             GError **error)
{
    g_autoptr(ObsServiceError) service = NULL;
    g_autofree gchar *text = NULL;
    const ObsImsCode *known;

    if (response->net != OBS_NET_OK) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_REGISTER, "%s: %s", what,
                    response->net_message ? response->net_message
                                          : "no answer");
        return NULL;
    }
    if (response->status == 200) {
        JsonNode *root = obs_json_parse(response->body, what, error);

        if (!root && error) {
            (*error)->code = OBS_ERROR_REGISTER;
        }
        return root;
    }
    service = obs_service_error_parse(response);
    text = obs_service_error_text(service);
    known = obs_ims_code_find(service->code);
    g_set_error(error, OBS_ERROR, known ? (gint)known->error
                                        : OBS_ERROR_REGISTER, "%s: %s%s%s",
                what, text, known ? "; " : "", known ? known->advice : "");
    return NULL;
}

/* ------------------------------------------------------------------------ */
/* Import and job */

gchar *obs_ims_import_parse(const ObsResponse *response, GError **error)
{
    g_autoptr(JsonNode) root = open_answer(response, "IMS import answer",
                                           error);
    const gchar *id;

    if (!root) {
        return NULL;
    }
    id = obs_json_get_string(obs_json_object(root), "job_id");
    if (!plain_id(id)) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_REGISTER,
                            "the image service accepted the import but named "
                            "no job: look for the image by its name");
        return NULL;
    }
    return g_strdup(id);
}

void obs_job_free(ObsJob *job)
{
    if (job) {
        g_free(job->status);
        g_free(job->image_id);
        g_free(job->image_name);
        g_free(job->task);
        g_free(job->error_code);
        g_free(job->fail_reason);
        g_free(job);
    }
}

ObsRequest *obs_ims_job_request(const ObsEndpoint *ims,
                                const gchar *project_id, const gchar *job_id)
{
    g_autofree gchar *path =
        project_id ? g_strdup_printf("/v1/%s/jobs/%s", project_id, job_id)
                   : g_strdup_printf("/v1/cloudimages/job/%s", job_id);

    return obs_request_new_path(OBS_METHOD_GET, OBS_SERVICE_IMS, ims, path);
}

static ObsJobState job_state(const gchar *status)
{
    if (status && g_ascii_strcasecmp(status, "SUCCESS") == 0) {
        return OBS_JOB_SUCCESS;
    }
    if (status && (g_ascii_strcasecmp(status, "FAIL") == 0 ||
                   g_ascii_strcasecmp(status, "FAILED") == 0)) {
        return OBS_JOB_FAIL;
    }
    /* A status that we don't know is no reason to give up. */
    return OBS_JOB_RUNNING;
}

/* Take what @job does not know yet from a job object and its entities. */
static void fill_job(ObsJob *job, JsonObject *object)
{
    JsonObject *entities = obs_json_get_object(object, "entities");
    const gchar *image_id = obs_json_get_string(entities, "image_id");

    if (!job->error_code) {
        g_autofree gchar *code = obs_json_dup_text(object, "error_code");

        job->error_code = clean(code);
    }
    if (!job->fail_reason) {
        job->fail_reason = clean(obs_json_get_string(object, "fail_reason"));
    }
    if (!job->image_id && plain_id(image_id)) {
        job->image_id = g_strdup(image_id);
    }
    if (!job->image_name) {
        job->image_name = clean(obs_json_get_string(entities, "image_name"));
    }
    if (!job->task) {
        job->task = clean(obs_json_get_string(entities, "current_task"));
    }
}

ObsJob *obs_ims_job_parse(const ObsResponse *response, GError **error)
{
    g_autoptr(JsonNode) root = open_answer(response, "IMS job answer", error);
    g_autoptr(ObsJob) job = NULL;
    JsonObject *object, *entities;
    JsonArray *subs;
    const gchar *status;
    gdouble progress;

    if (!root) {
        return NULL;
    }
    object = obs_json_object(root);
    status = obs_json_get_string(object, "status");
    if (!status) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_REGISTER,
                            "IMS job answer has no status");
        return NULL;
    }
    job = g_new0(ObsJob, 1);
    job->state = job_state(status);
    job->status = clean(status);
    job->progress = -1;
    entities = obs_json_get_object(object, "entities");
    if (obs_json_get_double(entities, "process_percent", &progress)) {
        /* Documented as 0..1; a percentage would be no surprise. */
        if (progress > 1) {
            progress /= 100;
        }
        if (progress >= 0 && progress <= 1) {
            job->progress = progress;
        }
    }
    fill_job(job, object);
    subs = obs_json_get_array(entities, "sub_jobs_result");
    for (guint i = 0; subs && i < json_array_get_length(subs); i++) {
        JsonObject *sub = obs_json_object(json_array_get_element(subs, i));

        /* Of a failed job, only what belongs to the failure counts. */
        if (job->state != OBS_JOB_FAIL ||
            job_state(obs_json_get_string(sub, "status")) == OBS_JOB_FAIL) {
            fill_job(job, sub);
        }
    }
    return g_steal_pointer(&job);
}

gboolean obs_ims_job_wrong_path(const ObsResponse *response)
{
    g_autoptr(ObsServiceError) service = NULL;

    if (response->net != OBS_NET_OK || response->status < 400) {
        return FALSE;
    }
    if (response->status == 404 || response->status == 410) {
        return TRUE;
    }
    service = obs_service_error_parse(response);
    return g_strcmp0(service->code, "APIGW.0101") == 0;
}

GError *obs_ims_job_error(const ObsJob *job, const gchar *job_id)
{
    const ObsImsCode *known = obs_ims_code_find(job->error_code);
    GString *text = g_string_new(NULL);
    GError *error;

    g_string_append_printf(text, "import job %s failed", job_id);
    if (job->error_code) {
        g_string_append_printf(text, ": %s", job->error_code);
    }
    if (job->fail_reason) {
        g_string_append_printf(text, ": %s", job->fail_reason);
    }
    if (known) {
        g_string_append_printf(text, " (%s); %s", known->meaning,
                               known->advice);
    } else if (!job->error_code && !job->fail_reason) {
        g_string_append(text, " without a reason; run \"obs-push check\" on "
                        "the file, then ask the cloud's support");
    }
    error = g_error_new_literal(OBS_ERROR, OBS_ERROR_REGISTER, text->str);
    g_string_free(text, TRUE);
    return error;
}

/* ------------------------------------------------------------------------ */
/* Quota and images */

ObsRequest *obs_ims_quota_request(const ObsEndpoint *ims)
{
    return obs_request_new_path(OBS_METHOD_GET, OBS_SERVICE_IMS, ims,
                                "/v1/cloudimages/quota");
}

gboolean obs_ims_quota_parse(const ObsResponse *response, gint64 *out_used,
                             gint64 *out_quota, GError **error)
{
    g_autoptr(JsonNode) root = open_answer(response, "IMS quota answer",
                                           error);
    JsonArray *resources;

    if (!root) {
        return FALSE;
    }
    resources = obs_json_get_array(
        obs_json_get_object(obs_json_object(root), "quotas"), "resources");
    for (guint i = 0; resources && i < json_array_get_length(resources);
         i++) {
        JsonObject *item =
            obs_json_object(json_array_get_element(resources, i));
        gint64 used, quota;

        if (g_strcmp0(obs_json_get_string(item, "type"), "image") == 0 &&
            obs_json_get_int(item, "used", &used) &&
            obs_json_get_int(item, "quota", &quota)) {
            *out_used = used;
            *out_quota = MAX(quota, -1);
            return TRUE;
        }
    }
    g_set_error_literal(error, OBS_ERROR, OBS_ERROR_REGISTER,
                        "IMS quota answer says nothing about images");
    return FALSE;
}

static void image_free(gpointer data)
{
    ObsImage *image = data;

    g_free(image->id);
    g_free(image->name);
    g_free(image->status);
    g_free(image->disk_format);
    g_free(image->created_at);
    g_free(image->size_text);
    g_free(image);
}

ObsRequest *obs_ims_images_request(const ObsEndpoint *ims, const gchar *id,
                                   const gchar *name)
{
    ObsRequest *request = obs_request_new_path(OBS_METHOD_GET,
                                               OBS_SERVICE_IMS, ims,
                                               "/v2/cloudimages");

    if (id) {
        obs_pairs_add(request->query, "id", id);
    } else {
        obs_pairs_add(request->query, "__imagetype", "private");
        obs_pairs_add(request->query, "name", name);
    }
    return request;
}

GPtrArray *obs_ims_images_parse(const ObsResponse *response, GError **error)
{
    g_autoptr(JsonNode) root = open_answer(response, "IMS list of images",
                                           error);
    g_autoptr(GPtrArray) images = NULL;
    JsonArray *list;

    if (!root) {
        return NULL;
    }
    list = obs_json_get_array(obs_json_object(root), "images");
    if (!list) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_REGISTER,
                            "IMS list of images has no \"images\"");
        return NULL;
    }
    images = g_ptr_array_new_with_free_func(image_free);
    for (guint i = 0; i < json_array_get_length(list) && i < LIST_MAX; i++) {
        JsonObject *item = obs_json_object(json_array_get_element(list, i));
        const gchar *id = obs_json_get_string(item, "id");
        g_autofree gchar *size = obs_json_dup_text(item, "__image_size");
        ObsImage *image;

        if (!plain_id(id)) {
            continue;
        }
        image = g_new0(ObsImage, 1);
        image->id = g_strdup(id);
        /* Compared with what was asked for, so not cleaned. */
        image->name = g_strdup(obs_json_get_string(item, "name"));
        image->status = clean(obs_json_get_string(item, "status"));
        image->disk_format = clean(obs_json_get_string(item, "disk_format"));
        image->created_at = clean(obs_json_get_string(item, "created_at"));
        image->size_text = clean(size);
        obs_json_get_int(item, "min_disk", &image->min_disk);
        g_ptr_array_add(images, image);
    }
    return g_steal_pointer(&images);
}

/* ------------------------------------------------------------------------ */
/* Supported systems */

static void os_version_free(gpointer data)
{
    ObsOsVersion *version = data;

    g_free(version->os_version);
    g_free(version->platform);
    g_free(version->os_type);
    g_free(version);
}

ObsRequest *obs_ims_os_versions_request(const ObsEndpoint *ims,
                                        const gchar *tag)
{
    ObsRequest *request = obs_request_new_path(OBS_METHOD_GET,
                                               OBS_SERVICE_IMS, ims,
                                               "/v1/cloudimages/os_version");

    if (tag) {
        obs_pairs_add(request->query, "tag", tag);
    }
    return request;
}

static void add_os_version(GPtrArray *versions, JsonObject *item,
                           const gchar *platform)
{
    const gchar *name = obs_json_get_string(item, "os_version");
    g_autofree gchar *cleaned = clean(name);
    ObsOsVersion *version;

    /* It will be sent back letter by letter, so it must be harmless as is. */
    if (!name || g_strcmp0(cleaned, name) || versions->len == LIST_MAX) {
        return;
    }
    version = g_new0(ObsOsVersion, 1);
    version->os_version = g_strdup(name);
    version->platform = clean(obs_json_get_string(item, "platform"));
    if (!version->platform) {
        version->platform = clean(platform);
    }
    version->os_type = clean(obs_json_get_string(item, "os_type"));
    obs_json_get_int(item, "os_bit", &version->bits);
    g_ptr_array_add(versions, version);
}

GPtrArray *obs_ims_os_versions_parse(const ObsResponse *response,
                                     GError **error)
{
    g_autoptr(JsonNode) root = open_answer(response, "IMS list of systems",
                                           error);
    g_autoptr(GPtrArray) versions = NULL;
    JsonArray *platforms;

    if (!root) {
        return NULL;
    }
    platforms = obs_json_array(root);
    if (!platforms) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_REGISTER,
                            "IMS list of systems is not a list");
        return NULL;
    }
    versions = g_ptr_array_new_with_free_func(os_version_free);
    for (guint i = 0; i < json_array_get_length(platforms); i++) {
        JsonObject *platform =
            obs_json_object(json_array_get_element(platforms, i));
        JsonArray *list = obs_json_get_array(platform, "version_list");

        for (guint k = 0; list && k < json_array_get_length(list); k++) {
            add_os_version(versions,
                           obs_json_object(json_array_get_element(list, k)),
                           obs_json_get_string(platform, "platform"));
        }
    }
    return g_steal_pointer(&versions);
}

const ObsOsVersion *obs_ims_os_version_find(const GPtrArray *versions,
                                            const gchar *os_version)
{
    for (guint i = 0; i < versions->len; i++) {
        const ObsOsVersion *version = versions->pdata[i];

        if (g_str_equal(version->os_version, os_version)) {
            return version;
        }
    }
    return NULL;
}
