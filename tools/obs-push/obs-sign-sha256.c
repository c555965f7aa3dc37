/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures, second half: the methods that hash a canonical request with
 * SHA-256: AWS V4 and the two forms of SDK-HMAC-SHA256.
 *
 * All of them agree on this shape:
 *     METHOD \n path \n query \n (name:value \n)… \n names \n body hash
 * and differ in what is encoded how, in the scope, and in the key.
 */
#include "obs-sign-private.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "obs-secret.h"
#include "obs-time.h"
#include "obs-url.h"

#define UNSIGNED "UNSIGNED-PAYLOAD"

/* What the parts of one method have in common while it works. */
typedef struct {
    const gchar *algorithm;
    gchar *date;            /* 20260102T030405Z */
    gchar *scope;           /* 20260102/region/s3/aws4_request; NULL: none */
    gchar *names;           /* a;b;c */
    gchar *canonical;
    gchar *to_sign;
} Canonical;

static void canonical_clear(Canonical *c)
{
    g_free(c->date);
    g_free(c->scope);
    g_free(c->names);
    obs_secret_wipe_string(c->canonical);
    g_free(c->to_sign);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Canonical, canonical_clear)

/* HMAC-SHA256 of @text into @out. */
static void hmac256(const void *key, gsize key_length, const gchar *text,
                    guint8 out[OBS_SHA256_SIZE])
{
    guint length = OBS_SHA256_SIZE;

    if (!HMAC(EVP_sha256(), key, (int)key_length, (const guchar *)text,
              strlen(text), out, &length)) {
        g_error("HMAC-SHA256 is not available in this OpenSSL");
    }
}

static gchar *sha256_hex(gconstpointer data, gsize length)
{
    guint8 digest[OBS_SHA256_SIZE];
    guint size = sizeof(digest);

    if (!EVP_Digest(data, length, digest, &size, EVP_sha256(), NULL)) {
        g_error("SHA-256 is not available in this OpenSSL");
    }
    return obs_sign_hex(digest, size);
}

static gchar *body_hash(const ObsRequest *request)
{
    gsize length = 0;
    gconstpointer data = NULL;

    if (request->body) {
        data = g_bytes_get_data(request->body, &length);
    }
    return sha256_hex(length ? data : "", length);
}

static gint compare_text(gconstpointer a, gconstpointer b)
{
    const gchar *const *ta = a, *const *tb = b;

    return strcmp(*ta, *tb);
}

/* "a=1&b=2", encoded, sorted by name, then by value. */
static gchar *canonical_query(const GPtrArray *query)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new_with_free_func(g_free);
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < query->len; i++) {
        const ObsPair *pair = query->pdata[i];
        g_autofree gchar *name = obs_url_encode(pair->name, FALSE);
        g_autofree gchar *value = obs_url_encode(pair->value ? pair->value
                                                             : "", FALSE);

        /* 0x01 sorts before all that an encoded name can hold. */
        g_ptr_array_add(sorted, g_strconcat(name, "\001", value, NULL));
    }
    g_ptr_array_sort(sorted, compare_text);
    for (guint i = 0; i < sorted->len; i++) {
        gchar *item = sorted->pdata[i];

        *strchr(item, '\001') = '=';
        g_string_append_printf(out, "%s%s", i ? "&" : "", item);
    }
    return g_string_free(out, FALSE);
}

/* Fill canonical, names and to_sign; algorithm, date and scope are set. */
static void build(Canonical *c, const ObsRequest *request,
                  const gchar *path, const GPtrArray *query,
                  const GPtrArray *headers, const gchar *payload)
{
    g_autoptr(GPtrArray) canonical =
        obs_sign_canonical_headers(headers,
                                   request->service == OBS_SERVICE_OBS);
    g_autofree gchar *query_text = canonical_query(query);
    g_autofree gchar *hash = NULL;
    GString *lines = g_string_new(NULL);
    GString *names = g_string_new(NULL);

    for (guint i = 0; i < canonical->len; i++) {
        const ObsPair *pair = canonical->pdata[i];

        g_string_append_printf(lines, "%s:%s\n", pair->name, pair->value);
        g_string_append_printf(names, "%s%s", i ? ";" : "", pair->name);
    }
    c->names = g_string_free(names, FALSE);
    c->canonical = g_strdup_printf("%s\n%s\n%s\n%s\n%s\n%s",
                                   obs_method_name(request->method), path,
                                   query_text, lines->str, c->names,
                                   payload);
    g_string_free(lines, TRUE);
    hash = sha256_hex(c->canonical, strlen(c->canonical));
    c->to_sign = g_strdup_printf("%s\n%s\n%s%s%s", c->algorithm, c->date,
                                 c->scope ? c->scope : "",
                                 c->scope ? "\n" : "", hash);
}

/*
 * Signature with a key derived from the scope, HMAC by HMAC: first the secret
 * with @prefix in front over the day, then over each further word.
 */
static gchar *sign_scoped(const ObsCredentials *credentials,
                          const gchar *prefix, const Canonical *c)
{
    g_auto(GStrv) words = g_strsplit(c->scope, "/", -1);
    guint8 key[OBS_SHA256_SIZE], next[OBS_SHA256_SIZE];
    gchar *secret = obs_secret_concat(prefix, credentials->secret_key);
    gchar *signature;

    hmac256(secret, strlen(secret), words[0], key);
    obs_secret_free(secret);
    for (guint i = 1; words[i]; i++) {
        hmac256(key, sizeof(key), words[i], next);
        memcpy(key, next, sizeof(key));
    }
    hmac256(key, sizeof(key), c->to_sign, next);
    signature = obs_sign_hex(next, sizeof(next));
    OPENSSL_cleanse(key, sizeof(key));
    return signature;
}

static void remember(ObsSignTrace *trace, const Canonical *c,
                     const gchar *signature)
{
    if (trace) {
        obs_sign_trace_clear(trace);
        trace->canonical_request = g_strdup(c->canonical);
        trace->string_to_sign = g_strdup(c->to_sign);
        trace->signature = g_strdup(signature);
    }
}

static void append_pairs(GPtrArray *to, const GPtrArray *from)
{
    for (guint i = 0; i < from->len; i++) {
        const ObsPair *pair = from->pdata[i];

        obs_pairs_add(to, pair->name, pair->value);
    }
}

/* ------------------------------------------------------------------------ */
/* AWS V4 */

static gchar *v4_scope(const Canonical *c, const ObsSignOptions *options)
{
    /* what servers that have no regions expect */
    const gchar *region = options->region && *options->region
                          ? options->region : "us-east-1";

    return g_strdup_printf("%.8s/%s/s3/aws4_request", c->date, region);
}

static GPtrArray *v4_headers(const ObsRequest *request,
                             const ObsCredentials *credentials,
                             const ObsSignOptions *options,
                             ObsSignTrace *trace)
{
    g_auto(Canonical) c = { .algorithm = "AWS4-HMAC-SHA256" };
    g_autoptr(GPtrArray) all = obs_pairs_new();
    g_autofree gchar *path = obs_url_path(request);
    g_autofree gchar *host = obs_url_host_header(request);
    g_autofree gchar *payload = NULL;
    g_autofree gchar *signature = NULL;
    g_autofree gchar *authorization = NULL;
    GPtrArray *added = obs_pairs_new();

    c.date = obs_time_basic(options->time);
    c.scope = v4_scope(&c, options);
    if (options->payload_hash) {
        payload = g_strdup(options->payload_hash);
    } else if (!request->body && (request->method == OBS_METHOD_PUT ||
                                  request->method == OBS_METHOD_POST)) {
        payload = g_strdup(UNSIGNED);
    } else {
        payload = body_hash(request);
    }

    if (options->other_date) {
        g_autofree gchar *date = obs_time_http(options->time);

        obs_pairs_add(added, "Date", date);
    } else {
        obs_pairs_add(added, "x-amz-date", c.date);
    }
    obs_pairs_add(added, "x-amz-content-sha256", payload);
    if (credentials->security_token) {
        obs_pairs_add(added, "x-amz-security-token",
                      credentials->security_token);
    }
    obs_pairs_add(all, "host", host);
    append_pairs(all, request->headers);
    append_pairs(all, added);
    build(&c, request, path, request->query, all, payload);
    signature = sign_scoped(credentials, "AWS4", &c);
    remember(trace, &c, signature);
    authorization = g_strdup_printf("%s Credential=%s/%s,SignedHeaders=%s,"
                                    "Signature=%s", c.algorithm,
                                    credentials->access_key, c.scope, c.names,
                                    signature);
    obs_pairs_add(added, "Authorization", authorization);
    return added;
}

gchar *obs_sign_v4_url(const ObsRequest *request,
                       const ObsCredentials *credentials,
                       const ObsSignOptions *options, gint64 lifetime,
                       ObsSignTrace *trace)
{
    g_auto(Canonical) c = { .algorithm = "AWS4-HMAC-SHA256" };
    g_autoptr(GPtrArray) all = obs_pairs_new();
    g_autoptr(GPtrArray) sorted = NULL;
    g_autoptr(ObsRequest) url = NULL;
    g_autofree gchar *path = obs_url_path(request);
    g_autofree gchar *host = obs_url_host_header(request);
    g_autofree gchar *expires = NULL;
    g_autofree gchar *credential = NULL;
    g_autofree gchar *signature = NULL;
    GString *names = g_string_new(NULL);

    c.date = obs_time_basic(options->time);
    c.scope = v4_scope(&c, options);
    expires = g_strdup_printf("%" G_GINT64_FORMAT, lifetime);
    credential = g_strconcat(credentials->access_key, "/", c.scope, NULL);

    obs_pairs_add(all, "host", host);
    append_pairs(all, request->headers);
    sorted = obs_sign_canonical_headers(all, TRUE);
    for (guint i = 0; i < sorted->len; i++) {
        const ObsPair *pair = sorted->pdata[i];

        g_string_append_printf(names, "%s%s", i ? ";" : "", pair->name);
    }
    url = obs_request_new_obs(request->method, request->endpoint,
                              request->addressing, request->bucket,
                              request->key);
    append_pairs(url->query, request->query);
    obs_pairs_add(url->query, "X-Amz-Algorithm", c.algorithm);
    obs_pairs_add(url->query, "X-Amz-Credential", credential);
    obs_pairs_add(url->query, "X-Amz-Date", c.date);
    obs_pairs_add(url->query, "X-Amz-Expires", expires);
    obs_pairs_add(url->query, "X-Amz-SignedHeaders", names->str);
    g_string_free(names, TRUE);
    if (credentials->security_token) {
        obs_pairs_add(url->query, "X-Amz-Security-Token",
                      credentials->security_token);
    }
    build(&c, request, path, url->query, all, UNSIGNED);
    signature = sign_scoped(credentials, "AWS4", &c);
    remember(trace, &c, signature);
    obs_pairs_add(url->query, "X-Amz-Signature", signature);
    return obs_url_build(url);
}

/* ------------------------------------------------------------------------ */
/* SDK-HMAC-SHA256 */

/* What the scope form's only known user adds after signing. */
static gboolean legacy_unsigned(const gchar *name)
{
    return g_ascii_strcasecmp(name, "X-Project-Id") == 0 ||
           g_ascii_strcasecmp(name, "X-Domain-Id") == 0 ||
           g_ascii_strcasecmp(name, "X-Security-Token") == 0;
}

static GPtrArray *sdk_headers(const ObsRequest *request,
                              const ObsCredentials *credentials,
                              const ObsSignOptions *options,
                              ObsSignTrace *trace)
{
    gboolean legacy = options->method == OBS_SIGN_SDK_LEGACY;
    g_auto(Canonical) c = { .algorithm = "SDK-HMAC-SHA256" };
    g_autoptr(GPtrArray) all = obs_pairs_new();
    g_autofree gchar *wire_path = obs_url_path(request);
    g_autofree gchar *path = NULL;
    g_autofree gchar *host = obs_url_host_header(request);
    g_autofree gchar *hash = NULL;
    g_autofree gchar *signature = NULL;
    g_autofree gchar *authorization = NULL;
    const gchar *payload = obs_pairs_get(request->headers,
                                         "X-Sdk-Content-Sha256");
    GPtrArray *added = obs_pairs_new();

    /* The canonical path ends with a slash, whatever the one on the wire. */
    path = g_str_has_suffix(wire_path, "/")
           ? g_strdup(wire_path) : g_strconcat(wire_path, "/", NULL);
    if (!payload) {
        payload = hash = body_hash(request);
    }
    c.date = obs_time_basic(options->time);
    if (legacy) {
        c.scope = g_strdup_printf("%.8s/%s/%s/sdk_request", c.date,
                                  options->region ? options->region : "",
                                  options->service ? options->service : "");
    }

    obs_pairs_add(added, "X-Sdk-Date", c.date);
    if (credentials->security_token) {
        obs_pairs_add(added, "X-Security-Token",
                      credentials->security_token);
    }
    obs_pairs_add(all, "host", host);
    append_pairs(all, request->headers);
    append_pairs(all, added);
    for (guint i = all->len; legacy && i > 0; i--) {
        const ObsPair *pair = all->pdata[i - 1];

        if (legacy_unsigned(pair->name)) {
            g_ptr_array_remove_index(all, i - 1);
        }
    }
    build(&c, request, path, request->query, all, payload);

    if (legacy) {
        signature = sign_scoped(credentials, "SDK", &c);
        authorization =
            g_strdup_printf("%s Credential=%s/%s, SignedHeaders=%s, "
                            "Signature=%s", c.algorithm,
                            credentials->access_key, c.scope, c.names,
                            signature);
    } else {
        guint8 digest[OBS_SHA256_SIZE];

        hmac256(credentials->secret_key,
                         strlen(credentials->secret_key), c.to_sign, digest);
        signature = obs_sign_hex(digest, sizeof(digest));
        authorization =
            g_strdup_printf("%s Access=%s, SignedHeaders=%s, Signature=%s",
                            c.algorithm, credentials->access_key, c.names,
                            signature);
    }
    remember(trace, &c, signature);
    obs_pairs_add(added, "Authorization", authorization);
    return added;
}

GPtrArray *obs_sign_sha256_headers(const ObsRequest *request,
                                   const ObsCredentials *credentials,
                                   const ObsSignOptions *options,
                                   ObsSignTrace *trace)
{
    if (options->method == OBS_SIGN_AWS_V4) {
        return v4_headers(request, credentials, options, trace);
    }
    return sdk_headers(request, credentials, options, trace);
}
