/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The XML of OBS: a handful of answers read, one body written. Each parser is
 * a function over the calls of obs_xml_walk().
 */
#include "obs-xml.h"

#include <string.h>

#include "obs-etag.h"
#include "obs-xml-walk.h"

#define ID_MAX 1024
#define ERROR_MAX (64 * 1024)   /* as much of an <Error> as is looked at */

/* ------------------------------------------------------------------------ */
/* Values */

static gboolean parse_number(const gchar *name, const gchar *text,
                             guint64 min, guint64 max, guint64 *out_value,
                             GError **error)
{
    g_autofree gchar *plain = g_strstrip(g_strdup(text));

    if (!g_ascii_string_to_unsigned(plain, 10, min, max, out_value, NULL)) {
        obs_xml_bad(error, "%s is no number from %" G_GUINT64_FORMAT
                    " to %" G_GUINT64_FORMAT, name, min, max);
        return FALSE;
    }
    return TRUE;
}

static gboolean parse_bool(const gchar *name, const gchar *text,
                           gboolean *out_value, GError **error)
{
    g_autofree gchar *plain = g_strstrip(g_strdup(text));

    if (g_ascii_strcasecmp(plain, "true") && g_ascii_strcasecmp(plain,
                                                                "false")) {
        obs_xml_bad(error, "%s is neither true nor false", name);
        return FALSE;
    }
    *out_value = g_ascii_strcasecmp(plain, "true") == 0;
    return TRUE;
}

static void take(gchar **member, const gchar *text)
{
    g_free(*member);
    *member = g_strdup(text);
}

/* It goes into URLs and files, so it must be one plain word. */
static gboolean check_id(const gchar *name, const gchar *id, GError **error)
{
    gsize length = id ? strlen(id) : 0;
    gboolean ok = length >= 1 && length <= ID_MAX;

    for (gsize i = 0; ok && i < length; i++) {
        ok = g_ascii_isgraph(id[i]);
    }
    if (!ok) {
        obs_xml_bad(error, "%s is missing, too long, or has odd characters",
                    name);
    }
    return ok;
}

/* ------------------------------------------------------------------------ */
/* Single values */

/* Collects the text of one element, @path below the root. */
typedef struct {
    const gchar *path;
    gchar *text;
} Single;

static gboolean on_single(const gchar *path, const gchar *text, gpointer data,
                          GError **error)
{
    Single *single = data;

    if (g_str_equal(path, single->path)) {
        take(&single->text, text);
    }
    return TRUE;
}

gboolean obs_xml_parse_initiate(const gchar *text, gsize length,
                                gchar **out_upload_id, GError **error)
{
    static const gchar *const roots[] = {
        "InitiateMultipartUploadResult", NULL,
    };
    Single single = { "UploadId", NULL };

    if (!obs_xml_walk(text, length, roots, on_single, &single, NULL, error) ||
        !check_id("UploadId", single.text, error)) {
        g_free(single.text);
        return FALSE;
    }
    *out_upload_id = single.text;
    return TRUE;
}

gboolean obs_xml_parse_copy_part(const gchar *text, gsize length,
                                 gchar **out_etag, GError **error)
{
    static const gchar *const roots[] = { "CopyPartResult", NULL };
    Single single = { "ETag", NULL };
    g_autofree gchar *etag = NULL;
    gboolean ok = obs_xml_walk(text, length, roots, on_single, &single, NULL,
                               error);

    if (ok && single.text) {
        etag = obs_etag_normalize(single.text);
    }
    g_free(single.text);
    if (ok && (!etag || !*etag)) {
        obs_xml_bad(error, "<CopyPartResult> without an ETag");
        ok = FALSE;
    }
    if (ok) {
        *out_etag = g_steal_pointer(&etag);
    }
    return ok;
}

/* ------------------------------------------------------------------------ */
/* Parts */

static void part_free(gpointer data)
{
    ObsXmlPart *part = data;

    if (part) {
        g_free(part->etag);
        g_free(part);
    }
}

void obs_xml_part_list_free(ObsXmlPartList *list)
{
    if (list) {
        g_clear_pointer(&list->parts, g_ptr_array_unref);
        g_free(list->upload_id);
        g_free(list->storage_class);
        g_free(list);
    }
}

typedef struct {
    ObsXmlPartList *list;
    ObsXmlPart *part;       /* being read; NULL between parts */
    gboolean has_size;
} PartsWalk;

static gboolean end_part(PartsWalk *walk, GError **error)
{
    if (!walk->part || !walk->part->number || !walk->part->etag ||
        !walk->has_size) {
        obs_xml_bad(error, "part %u of the page lacks number, size or ETag",
                    walk->list->parts->len + 1);
        return FALSE;
    }
    if (walk->list->parts->len == OBS_XML_MAX_ENTRIES) {
        obs_xml_bad(error, "more than %d parts on one page",
                    OBS_XML_MAX_ENTRIES);
        return FALSE;
    }
    g_ptr_array_add(walk->list->parts, g_steal_pointer(&walk->part));
    walk->has_size = FALSE;
    return TRUE;
}

static gboolean on_parts(const gchar *path, const gchar *text, gpointer data,
                         GError **error)
{
    PartsWalk *walk = data;
    ObsXmlPartList *list = walk->list;
    guint64 number;

    if (g_str_equal(path, "Part")) {
        return end_part(walk, error);
    }
    if (g_str_has_prefix(path, "Part/") && !walk->part) {
        walk->part = g_new0(ObsXmlPart, 1);
    }
    if (g_str_equal(path, "Part/PartNumber")) {
        if (!parse_number("PartNumber", text, 1, 10000, &number, error)) {
            return FALSE;
        }
        walk->part->number = (guint)number;
    } else if (g_str_equal(path, "Part/Size")) {
        walk->has_size = TRUE;
        return parse_number("Size", text, 0, G_MAXINT64, &walk->part->size,
                            error);
    } else if (g_str_equal(path, "Part/ETag")) {
        g_free(walk->part->etag);
        walk->part->etag = obs_etag_normalize(text);
    } else if (g_str_equal(path, "UploadId")) {
        take(&list->upload_id, text);
    } else if (g_str_equal(path, "StorageClass")) {
        take(&list->storage_class, text);
    } else if (g_str_equal(path, "IsTruncated")) {
        return parse_bool("IsTruncated", text, &list->truncated, error);
    } else if (g_str_equal(path, "NextPartNumberMarker") && *text) {
        if (!parse_number("NextPartNumberMarker", text, 0, 10000, &number,
                          error)) {
            return FALSE;
        }
        list->next_marker = (guint)number;
    }
    return TRUE;
}

ObsXmlPartList *obs_xml_parse_parts(const gchar *text, gsize length,
                                    guint marker, GError **error)
{
    static const gchar *const roots[] = { "ListPartsResult", NULL };
    g_autoptr(ObsXmlPartList) list = g_new0(ObsXmlPartList, 1);
    PartsWalk walk = { .list = list };
    gboolean ok;

    list->parts = g_ptr_array_new_with_free_func(part_free);
    ok = obs_xml_walk(text, length, roots, on_parts, &walk, NULL, error);
    part_free(walk.part);
    if (!ok) {
        return NULL;
    }
    if (list->truncated && !list->next_marker && list->parts->len) {
        const ObsXmlPart *last = list->parts->pdata[list->parts->len - 1];

        list->next_marker = last->number;
    }
    if (list->truncated && list->next_marker <= marker) {
        obs_xml_bad(error, "the list of parts goes on, but not after part %u",
                    marker);
        return NULL;
    }
    return g_steal_pointer(&list);
}

/* ------------------------------------------------------------------------ */
/* Uploads */

static void upload_free(gpointer data)
{
    ObsXmlUpload *upload = data;

    if (upload) {
        g_free(upload->key);
        g_free(upload->upload_id);
        g_free(upload->initiated);
        g_free(upload->storage_class);
        g_free(upload);
    }
}

void obs_xml_upload_list_free(ObsXmlUploadList *list)
{
    if (list) {
        g_clear_pointer(&list->uploads, g_ptr_array_unref);
        g_free(list->next_key_marker);
        g_free(list->next_upload_id_marker);
        g_free(list);
    }
}

typedef struct {
    ObsXmlUploadList *list;
    ObsXmlUpload *upload;   /* being read; NULL between uploads */
} UploadsWalk;

static gboolean end_upload(UploadsWalk *walk, GError **error)
{
    if (!walk->upload || !walk->upload->key || !*walk->upload->key) {
        obs_xml_bad(error, "upload %u of the page lacks a key",
                    walk->list->uploads->len + 1);
        return FALSE;
    }
    if (!check_id("UploadId", walk->upload->upload_id, error)) {
        return FALSE;
    }
    if (walk->list->uploads->len == OBS_XML_MAX_ENTRIES) {
        obs_xml_bad(error, "more than %d uploads on one page",
                    OBS_XML_MAX_ENTRIES);
        return FALSE;
    }
    g_ptr_array_add(walk->list->uploads, g_steal_pointer(&walk->upload));
    return TRUE;
}

static gboolean on_uploads(const gchar *path, const gchar *text,
                           gpointer data, GError **error)
{
    UploadsWalk *walk = data;
    ObsXmlUploadList *list = walk->list;

    if (g_str_equal(path, "Upload")) {
        return end_upload(walk, error);
    }
    if (g_str_has_prefix(path, "Upload/") && !walk->upload) {
        walk->upload = g_new0(ObsXmlUpload, 1);
    }
    if (g_str_equal(path, "Upload/Key")) {
        take(&walk->upload->key, text);
    } else if (g_str_equal(path, "Upload/UploadId")) {
        take(&walk->upload->upload_id, text);
    } else if (g_str_equal(path, "Upload/Initiated")) {
        take(&walk->upload->initiated, text);
    } else if (g_str_equal(path, "Upload/StorageClass")) {
        take(&walk->upload->storage_class, text);
    } else if (g_str_equal(path, "NextKeyMarker")) {
        take(&list->next_key_marker, text);
    } else if (g_str_equal(path, "NextUploadIdMarker")) {
        take(&list->next_upload_id_marker, text);
    } else if (g_str_equal(path, "IsTruncated")) {
        return parse_bool("IsTruncated", text, &list->truncated, error);
    }
    return TRUE;
}

static gboolean same_text(const gchar *a, const gchar *b)
{
    return g_strcmp0(a ? a : "", b ? b : "") == 0;
}

ObsXmlUploadList *obs_xml_parse_uploads(const gchar *text, gsize length,
                                        const gchar *key_marker,
                                        const gchar *upload_id_marker,
                                        GError **error)
{
    static const gchar *const roots[] = {
        "ListMultipartUploadsResult", NULL,
    };
    g_autoptr(ObsXmlUploadList) list = g_new0(ObsXmlUploadList, 1);
    UploadsWalk walk = { .list = list };
    gboolean ok;

    list->uploads = g_ptr_array_new_with_free_func(upload_free);
    ok = obs_xml_walk(text, length, roots, on_uploads, &walk, NULL, error);
    upload_free(walk.upload);
    if (!ok) {
        return NULL;
    }
    if (list->truncated && list->uploads->len &&
        same_text(list->next_key_marker, NULL)) {
        const ObsXmlUpload *last =
            list->uploads->pdata[list->uploads->len - 1];

        take(&list->next_key_marker, last->key);
        take(&list->next_upload_id_marker, last->upload_id);
    }
    if (list->truncated &&
        (same_text(list->next_key_marker, NULL) ||
         (same_text(list->next_key_marker, key_marker) &&
          same_text(list->next_upload_id_marker, upload_id_marker)))) {
        obs_xml_bad(error, "the list of uploads goes on, but always from the "
                    "same place");
        return NULL;
    }
    return g_steal_pointer(&list);
}

/* ------------------------------------------------------------------------ */
/* Versions */

typedef struct {
    const gchar *key;           /* whose versions are wanted */
    GPtrArray *ids;
    gchar *its_key, *its_id;    /* of the version being read */
} VersionsWalk;

static gboolean end_version(VersionsWalk *walk, GError **error)
{
    g_autofree gchar *key = g_steal_pointer(&walk->its_key);
    g_autofree gchar *id = g_steal_pointer(&walk->its_id);

    if (g_strcmp0(key, walk->key) != 0) {
        return TRUE;
    }
    if (!check_id("VersionId", id, error)) {
        return FALSE;
    }
    if (walk->ids->len == OBS_XML_MAX_ENTRIES) {
        obs_xml_bad(error, "more than %d versions on one page",
                    OBS_XML_MAX_ENTRIES);
        return FALSE;
    }
    g_ptr_array_add(walk->ids, g_steal_pointer(&id));
    return TRUE;
}

static gboolean on_versions(const gchar *path, const gchar *text,
                            gpointer data, GError **error)
{
    VersionsWalk *walk = data;

    if (g_str_equal(path, "Version") || g_str_equal(path, "DeleteMarker")) {
        return end_version(walk, error);
    }
    if (g_str_equal(path, "Version/Key") ||
        g_str_equal(path, "DeleteMarker/Key")) {
        take(&walk->its_key, text);
    } else if (g_str_equal(path, "Version/VersionId") ||
               g_str_equal(path, "DeleteMarker/VersionId")) {
        take(&walk->its_id, text);
    }
    return TRUE;
}

GPtrArray *obs_xml_parse_versions(const gchar *text, gsize length,
                                  const gchar *key, GError **error)
{
    static const gchar *const roots[] = { "ListVersionsResult", NULL };
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    VersionsWalk walk = { .key = key, .ids = ids };
    gboolean ok = obs_xml_walk(text, length, roots, on_versions, &walk, NULL,
                               error);

    g_free(walk.its_key);
    g_free(walk.its_id);
    return ok ? g_steal_pointer(&ids) : NULL;
}

/* ------------------------------------------------------------------------ */
/* Errors, and what we send */

void obs_xml_error_clear(ObsXmlError *error)
{
    g_clear_pointer(&error->code, g_free);
    g_clear_pointer(&error->message, g_free);
    g_clear_pointer(&error->request_id, g_free);
    g_clear_pointer(&error->host_id, g_free);
    g_clear_pointer(&error->endpoint, g_free);
    g_clear_pointer(&error->resource, g_free);
}

static gboolean on_error(const gchar *path, const gchar *text, gpointer data,
                         GError **error)
{
    ObsXmlError *out = data;
    const struct {
        const gchar *name;
        gchar **member;
    } members[] = {
        { "Code", &out->code }, { "Message", &out->message },
        { "RequestId", &out->request_id }, { "HostId", &out->host_id },
        { "Endpoint", &out->endpoint }, { "Resource", &out->resource },
    };

    for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
        if (g_str_equal(path, members[i].name)) {
            take(members[i].member, text);
        }
    }
    return TRUE;
}

gboolean obs_xml_parse_error(const gchar *text, gsize length,
                             ObsXmlError *out_error)
{
    static const gchar *const roots[] = { "Error", NULL };
    g_autofree gchar *valid = NULL;
    gboolean root_seen;

    /* It may have been cut off in the middle of a letter. */
    valid = g_utf8_make_valid(text, (gssize)MIN(length, ERROR_MAX));
    memset(out_error, 0, sizeof(*out_error));
    obs_xml_walk(valid, strlen(valid), roots, on_error, out_error, &root_seen,
                 NULL);
    return root_seen;
}

gchar *obs_xml_build_complete(const gchar *const *etags, guint n)
{
    GString *out = g_string_sized_new(128 + (gsize)n * 96);

    g_string_append(out, "<CompleteMultipartUpload>");
    for (guint i = 0; i < n; i++) {
        g_autofree gchar *etag = g_markup_escape_text(etags[i], -1);

        g_string_append_printf(out, "<Part><PartNumber>%u</PartNumber>"
                               "<ETag>\"%s\"</ETag></Part>", i + 1, etag);
    }
    g_string_append(out, "</CompleteMultipartUpload>");
    return g_string_free(out, FALSE);
}
