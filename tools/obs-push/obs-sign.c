/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures, first half: the OBS and AWS V2 methods (HMAC-SHA1 over a short
 * string), and the entry points for all methods.
 */
#include "obs-sign-private.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "obs-secret.h"
#include "obs-time.h"
#include "obs-url.h"

static const struct {
    const gchar *name;
    ObsSignMethod method;
} method_names[] = {
    { "none", OBS_SIGN_NONE },
    { "obs", OBS_SIGN_OBS },
    { "v2", OBS_SIGN_AWS_V2 },
    { "v4", OBS_SIGN_AWS_V4 },
    { "sdk", OBS_SIGN_SDK },
    { "legacy", OBS_SIGN_SDK_LEGACY },
};

gboolean obs_sign_method_parse(const gchar *text, ObsSignMethod *out_method)
{
    for (guint i = 0; i < G_N_ELEMENTS(method_names); i++) {
        if (g_str_equal(text, method_names[i].name)) {
            *out_method = method_names[i].method;
            return TRUE;
        }
    }
    return FALSE;
}

const gchar *obs_sign_method_name(ObsSignMethod method)
{
    for (guint i = 0; i < G_N_ELEMENTS(method_names); i++) {
        if (method_names[i].method == method) {
            return method_names[i].name;
        }
    }
    g_return_val_if_reached("none");
}

void obs_sign_trace_clear(ObsSignTrace *trace)
{
    g_clear_pointer(&trace->canonical_request, g_free);
    g_clear_pointer(&trace->string_to_sign, g_free);
    g_clear_pointer(&trace->signature, g_free);
}

/* ------------------------------------------------------------------------ */
/* Canonical headers */

static gchar *canonical_value(const gchar *value, gboolean collapse)
{
    g_autofree gchar *trimmed = g_strstrip(g_strdup(value));
    GString *out;

    if (!collapse) {
        return g_steal_pointer(&trimmed);
    }
    out = g_string_new(NULL);
    for (const gchar *p = trimmed; *p; p++) {
        if (*p != ' ' || p[1] != ' ') {
            g_string_append_c(out, *p);
        }
    }
    return g_string_free(out, FALSE);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    const ObsPair *const *pa = a, *const *pb = b;

    return strcmp((*pa)->name, (*pb)->name);
}

GPtrArray *obs_sign_canonical_headers(const GPtrArray *headers,
                                      gboolean collapse)
{
    GPtrArray *out = obs_pairs_new();

    for (guint i = 0; i < headers->len; i++) {
        const ObsPair *pair = headers->pdata[i];
        g_autofree gchar *name = g_ascii_strdown(pair->name, -1);
        g_autofree gchar *value = canonical_value(pair->value, collapse);
        const gchar *before = obs_pairs_get(out, name);

        if (before) {
            g_autofree gchar *joined = g_strconcat(before, ",", value, NULL);

            obs_pairs_set(out, name, joined);
        } else {
            obs_pairs_add(out, name, value);
        }
    }
    g_ptr_array_sort(out, compare_names);
    return out;
}

gchar *obs_sign_hex(const guint8 *bytes, gsize length)
{
    GString *hex = g_string_sized_new(length * 2);

    for (gsize i = 0; i < length; i++) {
        g_string_append_printf(hex, "%02x", bytes[i]);
    }
    return g_string_free(hex, FALSE);
}

/* A line break would let one header pretend to be two, signed or not. */
static gboolean check_pairs(const GPtrArray *pairs, const gchar *what,
                            GError **error)
{
    for (guint i = 0; i < pairs->len; i++) {
        const ObsPair *pair = pairs->pdata[i];

        if (strpbrk(pair->name, "\r\n") ||
            (pair->value && strpbrk(pair->value, "\r\n"))) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                        "%s %u of the request holds a line break", what,
                        i + 1);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_request(const ObsRequest *request, GError **error)
{
    if (!check_pairs(request->headers, "header", error) ||
        !check_pairs(request->query, "query parameter", error)) {
        return FALSE;
    }
    if (obs_pairs_get(request->headers, "authorization")) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_FAILED,
                            "the request is signed already");
        return FALSE;
    }
    return TRUE;
}

/* ------------------------------------------------------------------------ */
/* OBS and AWS V2 */

/* Query names that are part of the resource; all others are not signed. */
static gboolean is_sub_resource(const gchar *name, const gchar *prefix)
{
    static const gchar *const names[] = {
        "CDNNotifyConfiguration", "acl", "append", "attname", "cors",
        "customdomain", "delete", "deletebucket", "encryption", "inventory",
        "length", "lifecycle", "location", "logging", "metadata",
        "mirrorBackToSource", "modify", "name", "notification",
        "object-lock", "obscompresspolicy", "partNumber", "policy",
        "position", "quota", "rename", "replication", "requestPayment",
        "response-cache-control", "response-content-disposition",
        "response-content-encoding", "response-content-language",
        "response-content-type", "response-expires", "restore", "retention",
        "storageClass", "storageinfo", "storagePolicy", "tagging", "torrent",
        "truncate", "uploadId", "uploads", "versionId", "versioning",
        "versions", "website", NULL,
    };

    return g_strv_contains(names, name) || g_str_has_prefix(name, prefix);
}

static const gchar *dialect_prefix(ObsSignMethod method)
{
    return method == OBS_SIGN_OBS ? "x-obs-" : "x-amz-";
}

/* "/bucket/key?uploads": the key encoded, the query values not. */
static gchar *canonical_resource(const ObsRequest *request,
                                 const GPtrArray *query, const gchar *prefix)
{
    g_autofree gchar *path = obs_url_path(request);
    g_autoptr(GPtrArray) signed_query = g_ptr_array_new();
    GString *out = g_string_new(NULL);

    if (request->addressing == OBS_ADDRESSING_CUSTOM) {
        g_string_append_printf(out, "/%s", request->endpoint->host);
    } else if (request->addressing == OBS_ADDRESSING_VIRTUAL &&
               request->bucket) {
        g_string_append_printf(out, "/%s", request->bucket);
    }
    g_string_append(out, path);

    for (guint i = 0; i < query->len; i++) {
        const ObsPair *pair = query->pdata[i];

        if (is_sub_resource(pair->name, prefix)) {
            g_ptr_array_add(signed_query, query->pdata[i]);
        }
    }
    g_ptr_array_sort(signed_query, compare_names);
    for (guint i = 0; i < signed_query->len; i++) {
        const ObsPair *pair = signed_query->pdata[i];

        g_string_append_c(out, i ? '&' : '?');
        g_string_append(out, pair->name);
        if (pair->value && *pair->value) {
            g_string_append_printf(out, "=%s", pair->value);
        }
    }
    return g_string_free(out, FALSE);
}

/* @date: what stands in the date line; "" if another header carries it. */
static gchar *string_to_sign(const ObsRequest *request,
                             const GPtrArray *headers,
                             const GPtrArray *query, const gchar *prefix,
                             const gchar *date)
{
    g_autoptr(GPtrArray) canonical = obs_sign_canonical_headers(headers,
                                                                FALSE);
    g_autofree gchar *resource = canonical_resource(request, query, prefix);
    const gchar *md5 = obs_pairs_get(canonical, "content-md5");
    const gchar *type = obs_pairs_get(canonical, "content-type");
    GString *out = g_string_new(obs_method_name(request->method));

    g_string_append_printf(out, "\n%s\n%s\n%s\n", md5 ? md5 : "",
                           type ? type : "", date);
    for (guint i = 0; i < canonical->len; i++) {
        const ObsPair *pair = canonical->pdata[i];

        if (g_str_has_prefix(pair->name, prefix)) {
            g_string_append_printf(out, "%s:%s\n", pair->name, pair->value);
        }
    }
    g_string_append(out, resource);
    return g_string_free(out, FALSE);
}

/* base64(HMAC-SHA1(secret key, text)) */
static gchar *hmac_sha1(const ObsCredentials *credentials, const gchar *text)
{
    guint8 digest[OBS_SHA1_SIZE];
    guint length = sizeof(digest);

    if (!HMAC(EVP_sha1(), credentials->secret_key,
              (int)strlen(credentials->secret_key), (const guchar *)text,
              strlen(text), digest, &length)) {
        g_error("HMAC-SHA1 is not available in this OpenSSL");
    }
    return g_base64_encode(digest, length);
}

static void remember(ObsSignTrace *trace, const gchar *text,
                     const gchar *signature)
{
    if (trace) {
        obs_sign_trace_clear(trace);
        trace->string_to_sign = g_strdup(text);
        trace->signature = g_strdup(signature);
    }
}

static GPtrArray *sha1_headers(const ObsRequest *request,
                               const ObsCredentials *credentials,
                               const ObsSignOptions *options,
                               ObsSignTrace *trace)
{
    const gchar *prefix = dialect_prefix(options->method);
    g_autoptr(GPtrArray) all = obs_pairs_new();
    g_autofree gchar *date = obs_time_http(options->time);
    g_autofree gchar *text = NULL;
    g_autofree gchar *signature = NULL;
    g_autofree gchar *authorization = NULL;
    GPtrArray *added = obs_pairs_new();

    if (options->other_date) {
        g_autofree gchar *name = g_strconcat(prefix, "date", NULL);

        obs_pairs_add(added, name, date);
    } else {
        obs_pairs_add(added, "Date", date);
    }
    if (credentials->security_token) {
        g_autofree gchar *name = g_strconcat(prefix, "security-token", NULL);

        obs_pairs_add(added, name, credentials->security_token);
    }

    for (guint i = 0; i < request->headers->len; i++) {
        const ObsPair *pair = request->headers->pdata[i];

        obs_pairs_add(all, pair->name, pair->value);
    }
    for (guint i = 0; i < added->len; i++) {
        const ObsPair *pair = added->pdata[i];

        obs_pairs_add(all, pair->name, pair->value);
    }
    text = string_to_sign(request, all, request->query, prefix,
                          options->other_date ? "" : date);
    signature = hmac_sha1(credentials, text);
    remember(trace, text, signature);
    authorization = g_strdup_printf("%s %s:%s",
                                    options->method == OBS_SIGN_OBS ? "OBS"
                                                                    : "AWS",
                                    credentials->access_key, signature);
    obs_pairs_add(added, "Authorization", authorization);
    obs_secret_wipe_string(g_steal_pointer(&text));
    return added;
}

static gchar *sha1_url(const ObsRequest *request,
                       const ObsCredentials *credentials,
                       const ObsSignOptions *options, gint64 lifetime,
                       ObsSignTrace *trace)
{
    const gchar *prefix = dialect_prefix(options->method);
    g_autoptr(ObsRequest) url = NULL;
    g_autofree gchar *expires = NULL;
    g_autofree gchar *text = NULL;
    g_autofree gchar *signature = NULL;

    expires = g_strdup_printf("%" G_GINT64_FORMAT, options->time + lifetime);
    url = obs_request_new_obs(request->method, request->endpoint,
                              request->addressing, request->bucket,
                              request->key);
    obs_pairs_add(url->query,
                  options->method == OBS_SIGN_OBS ? "AccessKeyId"
                                                  : "AWSAccessKeyId",
                  credentials->access_key);
    obs_pairs_add(url->query, "Expires", expires);
    for (guint i = 0; i < request->query->len; i++) {
        const ObsPair *pair = request->query->pdata[i];

        obs_pairs_add(url->query, pair->name, pair->value);
    }
    if (credentials->security_token) {
        g_autofree gchar *name = g_strconcat(prefix, "security-token", NULL);

        obs_pairs_add(url->query, name, credentials->security_token);
    }
    text = string_to_sign(request, request->headers, url->query, prefix,
                          expires);
    signature = hmac_sha1(credentials, text);
    remember(trace, text, signature);
    obs_pairs_add(url->query, "Signature", signature);
    return obs_url_build(url);
}

/* ------------------------------------------------------------------------ */
/* Entry points */

GPtrArray *obs_sign_headers(const ObsRequest *request,
                            const ObsCredentials *credentials,
                            const ObsSignOptions *options,
                            ObsSignTrace *trace, GError **error)
{
    if (!check_request(request, error)) {
        return NULL;
    }
    switch (options->method) {
    case OBS_SIGN_NONE:
        return obs_pairs_new();
    case OBS_SIGN_OBS:
    case OBS_SIGN_AWS_V2:
        return sha1_headers(request, credentials, options, trace);
    case OBS_SIGN_AWS_V4:
    case OBS_SIGN_SDK:
    case OBS_SIGN_SDK_LEGACY:
        return obs_sign_sha256_headers(request, credentials, options, trace);
    }
    g_return_val_if_reached(NULL);
}

gchar *obs_sign_url(const ObsRequest *request,
                    const ObsCredentials *credentials,
                    const ObsSignOptions *options, gint64 lifetime,
                    ObsSignTrace *trace, GError **error)
{
    if (!check_request(request, error)) {
        return NULL;
    }
    switch (options->method) {
    case OBS_SIGN_OBS:
    case OBS_SIGN_AWS_V2:
        return sha1_url(request, credentials, options, lifetime, trace);
    case OBS_SIGN_AWS_V4:
        if (lifetime <= 7 * 24 * 3600) {
            return obs_sign_v4_url(request, credentials, options, lifetime,
                                   trace);
        }
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_USAGE,
                            "a v4 URL can be valid for 7 days at most");
        return NULL;
    default:
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "signature \"%s\" can't be put into a URL",
                    obs_sign_method_name(options->method));
        return NULL;
    }
}

/* Values that the two dialects spell differently: { header, OBS, AWS }. */
static const gchar *translate_value(const gchar *name, const gchar *value)
{
    static const gchar *const table[][3] = {
        { "x-obs-storage-class", "WARM", "STANDARD_IA" },
        { "x-obs-storage-class", "COLD", "GLACIER" },
        { "x-obs-server-side-encryption", "kms", "aws:kms" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        if (g_ascii_strcasecmp(name, table[i][0]) == 0 &&
            g_ascii_strcasecmp(value, table[i][1]) == 0) {
            return table[i][2];
        }
    }
    return value;
}

void obs_sign_translate(ObsRequest *request, ObsSignMethod method)
{
    static const gchar kms_key[] = "x-obs-server-side-encryption-kms-key-id";

    if (method != OBS_SIGN_AWS_V2 && method != OBS_SIGN_AWS_V4) {
        return;
    }
    for (guint i = 0; i < request->headers->len; i++) {
        ObsPair *pair = request->headers->pdata[i];
        g_autofree gchar *name = g_steal_pointer(&pair->name);
        g_autofree gchar *value = g_steal_pointer(&pair->value);

        pair->value = g_strdup(translate_value(name, value));
        if (g_ascii_strcasecmp(name, kms_key) == 0) {
            pair->name =
                g_strdup("x-amz-server-side-encryption-aws-kms-key-id");
        } else if (g_ascii_strncasecmp(name, "x-obs-", 6) == 0) {
            pair->name = g_strconcat("x-amz-", name + 6, NULL);
        } else {
            pair->name = g_steal_pointer(&name);
        }
    }
}

GPtrArray *obs_sign_token_headers(const gchar *token)
{
    GPtrArray *headers = obs_pairs_new();

    obs_pairs_add(headers, "X-Auth-Token", token);
    return headers;
}
