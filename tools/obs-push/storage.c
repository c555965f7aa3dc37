/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The single operations on object storage: see storage.h. */
#include "storage.h"

#include <string.h>

#include "obs-url.h"

/* Joining thousands of parts takes the service its time. */
#define COMPLETE_TIMEOUT 600
/* How often an unclear Complete is looked at and sent again. */
#define COMPLETE_ROUNDS 5
/* More pages than 10000 parts can fill mean a server that plays tricks. */
#define MAX_PAGES 10000
/* How often versions are listed and deleted until there are none. */
#define VERSION_ROUNDS 5

void obs_object_info_clear(ObsObjectInfo *info)
{
    g_clear_pointer(&info->etag, g_free);
    g_clear_pointer(&info->upload_id, g_free);
    g_clear_pointer(&info->storage_class, g_free);
    info->exists = FALSE;
}

void obs_bucket_info_clear(ObsBucketInfo *info)
{
    g_clear_pointer(&info->region, g_free);
    g_clear_pointer(&info->storage_class, g_free);
}

static ObsReply *call(const ObsPlace *place, ObsCallSpec *spec,
                      ObsRequest *request, char *what)
{
    ObsReply *reply;

    spec->request = request;
    spec->what = what;
    reply = obs_client_call_sync(place->client, spec);
    g_free(what);
    return reply;
}

static ObsRequest *request_to(const ObsPlace *place, ObsMethod method)
{
    return obs_client_request(place->client, method, place->bucket,
                              place->key);
}

static void add_headers(ObsRequest *request, const GPtrArray *headers)
{
    for (guint i = 0; headers && i < headers->len; i++) {
        const ObsPair *pair = g_ptr_array_index(headers, i);

        obs_pairs_add(request->headers, pair->name, pair->value);
    }
}

static gboolean no_bucket(const ObsPlace *place, GError **error)
{
    g_set_error(error, OBS_ERROR, OBS_ERROR_BUCKET,
                "there is no bucket %s at this endpoint; check its name, "
                "--region and --endpoint", place->bucket);
    return FALSE;
}

/* As obs_reply_check(), and tells the name of a bucket that is not there. */
static gboolean check(const ObsPlace *place, const ObsReply *reply,
                      GError **error)
{
    if (reply->service_error &&
        g_strcmp0(reply->service_error->code, "NoSuchBucket") == 0) {
        return no_bucket(place, error);
    }
    return obs_reply_check(reply, error);
}

gboolean obs_storage_head_bucket(const ObsPlace *place, ObsBucketInfo *out,
                                 GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    ObsCallSpec spec = { 0 };
    ObsPlace bucket = { place->client, place->bucket, NULL };
    const char *fs;

    reply = call(place, &spec, request_to(&bucket, OBS_METHOD_HEAD),
                 g_strdup_printf("look at bucket %s", place->bucket));
    if (obs_reply_status(reply) == 404) {
        return no_bucket(place, error);
    }
    if (!obs_reply_check(reply, error)) {
        return FALSE;
    }
    out->region = g_strdup(obs_response_obs_header(reply->response,
                                                   "bucket-location"));
    if (!out->region) {
        out->region = g_strdup(obs_response_obs_header(reply->response,
                                                       "bucket-region"));
    }
    out->storage_class =
        g_strdup(obs_response_obs_header(reply->response, "storage-class"));
    fs = obs_response_obs_header(reply->response, "fs-file-interface");
    out->file_system = fs && g_ascii_strcasecmp(fs, "Enabled") == 0;
    return TRUE;
}

gboolean obs_storage_head(const ObsPlace *place, ObsObjectInfo *out,
                          GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    ObsCallSpec spec = { 0 };
    const char *text;
    guint64 size;

    obs_object_info_clear(out);
    reply = call(place, &spec, request_to(place, OBS_METHOD_HEAD),
                 g_strdup_printf("look at %s", place->key));
    if (obs_reply_status(reply) == 404) {
        return TRUE;
    }
    if (!obs_reply_check(reply, error)) {
        return FALSE;
    }
    text = obs_response_header(reply->response, "Content-Length");
    if (!text || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &size,
                                             NULL)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                    "look at %s: the server does not tell its size",
                    place->key);
        return FALSE;
    }
    out->exists = TRUE;
    out->size = size;
    text = obs_response_header(reply->response, "ETag");
    out->etag = obs_etag_normalize(text ? text : "");
    /* The header is spelled uploadId; names are compared without case. */
    out->upload_id = g_strdup(obs_response_obs_header(reply->response,
                                                      "uploadId"));
    out->storage_class =
        g_strdup(obs_response_obs_header(reply->response, "storage-class"));
    return TRUE;
}

GBytes *obs_storage_read(const ObsPlace *place, gint64 offset, gsize length,
                         GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    g_autofree char *range =
        g_strdup_printf("bytes=%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT,
                        offset, offset + (gint64)length - 1);
    ObsCallSpec spec = { 0 };
    ObsRequest *request = request_to(place, OBS_METHOD_GET);
    gsize got;

    obs_pairs_set(request->headers, "Range", range);
    reply = call(place, &spec, request,
                 g_strdup_printf("read %s", place->key));
    if (!obs_reply_check(reply, error)) {
        return NULL;
    }
    obs_reply_body(reply, &got);
    if (obs_reply_status(reply) != 206 || got != length) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                    "read %s: %" G_GSIZE_FORMAT " bytes came instead of %"
                    G_GSIZE_FORMAT, place->key, got, length);
        return NULL;
    }
    return g_bytes_ref(reply->response->body);
}

/* Of @version_id NULL what is current; *@out_kept as obs_storage_delete(). */
static gboolean delete_one(const ObsPlace *place, const char *version_id,
                           gboolean *out_kept, GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    ObsCallSpec spec = { 0 };
    ObsRequest *request = request_to(place, OBS_METHOD_DELETE);

    *out_kept = FALSE;
    if (version_id) {
        obs_pairs_add(request->query, "versionId", version_id);
    }
    reply = call(place, &spec, request,
                 g_strdup_printf("delete %s%s", version_id ? "a version of "
                                 : "", place->key));
    if (obs_reply_status(reply) == 404) {
        return TRUE;
    }
    if (!obs_reply_check(reply, error)) {
        return FALSE;
    }
    *out_kept = g_strcmp0(obs_response_obs_header(reply->response,
                                                  "delete-marker"),
                          "true") == 0;
    return TRUE;
}

gboolean obs_storage_delete(const ObsPlace *place, gboolean *out_kept,
                            GError **error)
{
    return delete_one(place, NULL, out_kept, error);
}

/* Ids of the versions and delete markers of one object, a page at most. */
static GPtrArray *list_versions(const ObsPlace *place, GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    GPtrArray *ids;
    ObsPlace bucket = { place->client, place->bucket, NULL };
    ObsCallSpec spec = { 0 };
    ObsRequest *request = request_to(&bucket, OBS_METHOD_GET);
    const char *body;
    gsize length;

    obs_pairs_add(request->query, "versions", NULL);
    obs_pairs_add(request->query, "prefix", place->key);
    reply = call(place, &spec, request,
                 g_strdup_printf("list the versions of %s", place->key));
    if (!obs_reply_check(reply, error)) {
        return NULL;
    }
    body = obs_reply_body(reply, &length);
    ids = obs_xml_parse_versions(body, length, place->key, error);
    if (!ids) {
        g_prefix_error(error, "list the versions of %s: ", place->key);
    }
    return ids;
}

gboolean obs_storage_delete_versions(const ObsPlace *place, GError **error)
{
    for (guint round = 0; round < VERSION_ROUNDS; round++) {
        g_autoptr(GPtrArray) ids = list_versions(place, error);

        if (!ids) {
            return FALSE;
        }
        if (!ids->len) {
            return TRUE;
        }
        for (guint i = 0; i < ids->len; i++) {
            /* of a version that was a delete marker it is told as well */
            gboolean was_marker;

            if (!delete_one(place, ids->pdata[i], &was_marker, error)) {
                return FALSE;
            }
        }
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                "delete the versions of %s: the server still lists some",
                place->key);
    return FALSE;
}

gboolean obs_storage_put(const ObsPlace *place, const ObsBody *body,
                         const ObsMd5 *md5, const GPtrArray *headers,
                         gboolean check_etag, char **out_etag,
                         GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    g_autofree char *base64 = obs_md5_to_base64(md5);
    ObsCallSpec spec = { .body = *body };
    ObsRequest *request = request_to(place, OBS_METHOD_PUT);
    char hex[OBS_MD5_HEX_SIZE];
    const char *etag;

    add_headers(request, headers);
    obs_pairs_set(request->headers, "Content-MD5", base64);
    obs_pairs_set(request->headers, "Content-Type", OBS_CONTENT_TYPE);
    reply = call(place, &spec, request,
                 g_strdup_printf("upload %s", place->key));
    if (!check(place, reply, error)) {
        return FALSE;
    }
    etag = obs_response_header(reply->response, "ETag");
    obs_md5_to_hex(md5, hex);
    if (check_etag && (!etag || !obs_etag_equal(etag, hex))) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                    "upload %s: the server stored something else (ETag %s, "
                    "MD5 of what was sent %s); run the command again",
                    place->key, etag ? etag : "missing", hex);
        return FALSE;
    }
    if (out_etag) {
        *out_etag = obs_etag_normalize(etag ? etag : "");
    }
    return TRUE;
}

gboolean obs_storage_initiate(const ObsPlace *place, const GPtrArray *headers,
                              char **out_upload_id, GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    ObsCallSpec spec = { 0 };
    ObsRequest *request = request_to(place, OBS_METHOD_POST);
    const char *body;
    gsize length;

    add_headers(request, headers);
    obs_pairs_set(request->headers, "Content-Type", OBS_CONTENT_TYPE);
    obs_pairs_add(request->query, "uploads", NULL);
    reply = call(place, &spec, request,
                 g_strdup_printf("begin the upload of %s", place->key));
    if (!check(place, reply, error)) {
        return FALSE;
    }
    body = obs_reply_body(reply, &length);
    if (!obs_xml_parse_initiate(body, length, out_upload_id, error)) {
        g_prefix_error(error, "begin the upload of %s: ", place->key);
        return FALSE;
    }
    return TRUE;
}

static gint compare_parts(gconstpointer a, gconstpointer b)
{
    const ObsXmlPart *x = *(const ObsXmlPart *const *)a;
    const ObsXmlPart *y = *(const ObsXmlPart *const *)b;

    return x->number < y->number ? -1 : x->number > y->number;
}

/* Moves the elements of @from to the end of @to. */
static void move_all(GPtrArray *to, GPtrArray *from)
{
    g_ptr_array_extend_and_steal(to, g_ptr_array_ref(from));
}

ObsListResult obs_storage_list_parts(const ObsPlace *place,
                                     const char *upload_id,
                                     GPtrArray **out_parts, GError **error)
{
    g_autoptr(GPtrArray) all = NULL;
    guint marker = 0;

    for (guint page = 0; page < MAX_PAGES; page++) {
        g_autoptr(ObsReply) reply = NULL;
        g_autoptr(ObsXmlPartList) list = NULL;
        g_autofree char *marker_text = g_strdup_printf("%u", marker);
        ObsCallSpec spec = { .part_of_upload = TRUE };
        ObsRequest *request = request_to(place, OBS_METHOD_GET);
        const char *body;
        gsize length;

        obs_pairs_add(request->query, "uploadId", upload_id);
        obs_pairs_add(request->query, "max-parts", "1000");
        if (marker) {
            obs_pairs_add(request->query, "part-number-marker", marker_text);
        }
        reply = call(place, &spec, request,
                     g_strdup_printf("list the parts of %s", place->key));
        /* Ceph says NoSuchKey for an upload that is no more. */
        if (reply->verdict == OBS_VERDICT_REISSUE ||
            (obs_reply_status(reply) == 404 &&
             g_strcmp0(reply->service_error->code, "NoSuchBucket") != 0)) {
            return OBS_LIST_GONE;
        }
        if (!obs_reply_check(reply, error)) {
            return OBS_LIST_FAILED;
        }
        body = obs_reply_body(reply, &length);
        list = obs_xml_parse_parts(body, length, marker, error);
        if (!list) {
            g_prefix_error(error, "list the parts of %s: ", place->key);
            return OBS_LIST_FAILED;
        }
        marker = list->next_marker;
        if (!all) {
            all = g_ptr_array_ref(list->parts);
        } else {
            move_all(all, list->parts);
        }
        if (!list->truncated) {
            g_ptr_array_sort(all, compare_parts);
            *out_parts = g_steal_pointer(&all);
            return OBS_LIST_OK;
        }
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                "list the parts of %s: the list has no end", place->key);
    return OBS_LIST_FAILED;
}

GPtrArray *obs_storage_list_uploads(const ObsPlace *place, const char *prefix,
                                    GError **error)
{
    g_autoptr(GPtrArray) all = NULL;
    g_autofree char *key_marker = NULL;
    g_autofree char *id_marker = NULL;

    for (guint page = 0; page < MAX_PAGES; page++) {
        g_autoptr(ObsReply) reply = NULL;
        g_autoptr(ObsXmlUploadList) list = NULL;
        ObsPlace bucket = { place->client, place->bucket, NULL };
        ObsCallSpec spec = { 0 };
        ObsRequest *request = request_to(&bucket, OBS_METHOD_GET);
        const char *body;
        gsize length;

        obs_pairs_add(request->query, "uploads", NULL);
        obs_pairs_add(request->query, "max-uploads", "1000");
        if (prefix && *prefix) {
            obs_pairs_add(request->query, "prefix", prefix);
        }
        if (key_marker) {
            obs_pairs_add(request->query, "key-marker", key_marker);
        }
        if (id_marker) {
            obs_pairs_add(request->query, "upload-id-marker", id_marker);
        }
        reply = call(place, &spec, request,
                     g_strdup_printf("list the open uploads of %s",
                                     place->bucket));
        if (!check(place, reply, error)) {
            return NULL;
        }
        body = obs_reply_body(reply, &length);
        list = obs_xml_parse_uploads(body, length, key_marker, id_marker,
                                     error);
        if (!list) {
            g_prefix_error(error, "list the open uploads of %s: ",
                           place->bucket);
            return NULL;
        }
        if (!all) {
            all = g_ptr_array_ref(list->uploads);
        } else {
            move_all(all, list->uploads);
        }
        if (!list->truncated) {
            return g_steal_pointer(&all);
        }
        g_free(key_marker);
        g_free(id_marker);
        key_marker = g_strdup(list->next_key_marker);
        id_marker = g_strdup(list->next_upload_id_marker);
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                "list the open uploads of %s: the list has no end",
                place->bucket);
    return NULL;
}

gboolean obs_storage_abort(const ObsPlace *place, const char *upload_id,
                           GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    ObsCallSpec spec = { .part_of_upload = TRUE };
    ObsRequest *request = request_to(place, OBS_METHOD_DELETE);

    obs_pairs_add(request->query, "uploadId", upload_id);
    reply = call(place, &spec, request,
                 g_strdup_printf("abort the upload of %s", place->key));
    return reply->verdict == OBS_VERDICT_REISSUE ||
           obs_reply_status(reply) == 404 || obs_reply_check(reply, error);
}

gboolean obs_storage_made_by(const ObsObjectInfo *info, const char *upload_id,
                             gint64 size, const char *expected_etag)
{
    if (!info->exists || info->size != size) {
        return FALSE;
    }
    if (info->upload_id) {
        return strcmp(info->upload_id, upload_id) == 0;
    }
    return expected_etag && obs_etag_equal(info->etag, expected_etag);
}

gboolean obs_storage_complete(const ObsPlace *place, const char *upload_id,
                              const char *const *etags, guint n,
                              gint64 size, const char *expected_etag,
                              ObsObjectInfo *out_info, GError **error)
{
    g_autofree char *xml = obs_xml_build_complete(etags, n);
    g_autoptr(GError) last = NULL;

    for (guint round = 0; round < COMPLETE_ROUNDS; round++) {
        g_autoptr(ObsReply) reply = NULL;
        ObsCallSpec spec = {
            .repeat = OBS_REPEAT_LOOK_FIRST,
            .part_of_upload = TRUE,
            .answer_timeout = COMPLETE_TIMEOUT,
        };
        ObsRequest *request = request_to(place, OBS_METHOD_POST);

        obs_pairs_add(request->query, "uploadId", upload_id);
        obs_pairs_set(request->headers, "Content-Type", "application/xml");
        request->body = g_bytes_new(xml, strlen(xml));
        reply = call(place, &spec, request,
                     g_strdup_printf("complete the upload of %s",
                                     place->key));
        if (reply->verdict == OBS_VERDICT_FATAL) {
            return obs_reply_check(reply, error);
        }
        /* Done, gone or unclear: only the object itself can tell. */
        if (!obs_storage_head(place, out_info, error)) {
            return FALSE;
        }
        if (reply->verdict == OBS_VERDICT_OK && out_info->exists) {
            return TRUE;        /* the caller compares size and ETag */
        }
        if (obs_storage_made_by(out_info, upload_id, size, expected_etag)) {
            return TRUE;
        }
        g_clear_error(&last);
        if (reply->error) {
            last = g_error_copy(reply->error);
        } else {
            last = g_error_new(OBS_ERROR, OBS_ERROR_TRANSFER,
                               "complete the upload of %s: the server says "
                               "done, but there is no object", place->key);
        }
        if (reply->verdict != OBS_VERDICT_UNCLEAR) {
            break;
        }
        obs_client_wait(place->client, 500 * (round + 1));
    }
    g_propagate_error(error, g_steal_pointer(&last));
    return FALSE;
}
