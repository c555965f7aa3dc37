/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: answers of an object storage and of JSON services
 *
 * Input: one byte that picks the reader ('0' to '5', by its low bits), then
 * the answer's body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obs-ims.h"
#include "obs-service-error.h"
#include "obs-xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(gboolean condition)
{
    if (!condition) {
        abort();
    }
}

/* A result or an error, never both, and the error fits on one line. */
static void check(gboolean ok, GError *error)
{
    must(ok == (error == NULL));
    if (error) {
        must(error->domain == OBS_ERROR);
        must(!strchr(error->message, '\n'));
        must(g_utf8_validate(error->message, -1, NULL));
        g_error_free(error);
    }
}

static void read_parts(const gchar *text, gsize size)
{
    GError *error = NULL;
    g_autoptr(ObsXmlPartList) list = obs_xml_parse_parts(text, size, 7,
                                                         &error);

    check(list != NULL, error);
    must(!list || list->parts->len <= OBS_XML_MAX_ENTRIES);
    must(!list || !list->truncated || list->next_marker > 7);
    for (guint i = 0; list && i < list->parts->len; i++) {
        const ObsXmlPart *part = list->parts->pdata[i];

        must(part->number >= 1 && part->number <= 10000);
        must(part->size <= G_MAXINT64 && part->etag);
    }
}

static void read_uploads(const gchar *text, gsize size)
{
    GError *error = NULL;
    g_autoptr(ObsXmlUploadList) list =
        obs_xml_parse_uploads(text, size, "key", "id", &error);

    check(list != NULL, error);
    must(!list || !list->truncated ||
         g_strcmp0(list->next_key_marker, "key") ||
         g_strcmp0(list->next_upload_id_marker, "id"));
    for (guint i = 0; list && i < list->uploads->len; i++) {
        const ObsXmlUpload *upload = list->uploads->pdata[i];

        must(*upload->key && *upload->upload_id);
    }
}

static void read_versions(const gchar *text, gsize size)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) ids = obs_xml_parse_versions(text, size, "key",
                                                      &error);

    check(ids != NULL, error);
    must(!ids || ids->len <= OBS_XML_MAX_ENTRIES);
    for (guint i = 0; ids && i < ids->len; i++) {
        must(*(const gchar *)ids->pdata[i]);
    }
}

static void read_error(const gchar *text, gsize size)
{
    g_autoptr(ObsResponse) response = obs_response_new();
    g_autoptr(ObsServiceError) error = NULL;
    g_autofree gchar *shown = NULL;

    response->status = 400;
    response->body = g_bytes_new(text, size);
    error = obs_service_error_parse(response);
    shown = obs_service_error_text(error);
    must(g_utf8_validate(shown, -1, NULL));
    for (const gchar *p = shown; *p; p++) {
        must(!g_ascii_iscntrl(*p));
    }
}

static void read_json(const gchar *text, gsize size)
{
    g_autoptr(ObsResponse) response = obs_response_new();
    GError *error = NULL;
    g_autoptr(ObsJob) job = NULL;
    g_autoptr(GPtrArray) versions = NULL;

    response->status = 200;
    response->body = g_bytes_new(text, size);
    job = obs_ims_job_parse(response, &error);
    check(job != NULL, error);
    must(!job || (job->progress <= 1 && job->progress >= -1));
    error = NULL;
    versions = obs_ims_os_versions_parse(response, &error);
    check(versions != NULL, error);
    if (versions) {
        g_auto(GStrv) names = obs_ims_os_version_suggest(versions,
                                                         "Ubuntu 22.04", 3);

        must(g_strv_length(names) <= 3);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gchar *text;
    g_autofree gchar *word = NULL;
    GError *error = NULL;
    gboolean ok = FALSE;

    if (!size) {
        return 0;
    }
    text = (const gchar *)data + 1;
    size--;
    switch (*data & 15) {
    case 0:
        ok = obs_xml_parse_initiate(text, size, &word, &error);
        break;
    case 1:
        read_parts(text, size);
        return 0;
    case 2:
        read_uploads(text, size);
        return 0;
    case 3:
        ok = obs_xml_parse_copy_part(text, size, &word, &error);
        break;
    case 4:
        read_error(text, size);
        return 0;
    case 15:
        read_versions(text, size);
        return 0;
    default:
        read_json(text, size);
        return 0;
    }
    check(ok, error);
    must(ok == (word != NULL));
    return 0;
}
