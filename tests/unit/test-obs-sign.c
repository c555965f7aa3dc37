/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures: vectors of our own (made with a separate implementation and, for
 * AWS V4, the published examples of S3), and all of ../shared/vectors/signing
 * if that folder is there.
 */
#include <string.h>

#include <json-glib/json-glib.h>

#include "obs-sign.h"
#include "obs-time.h"
#include "obs-url.h"

#define FIXED_TIME 1767323045   /* Fri, 02 Jan 2026 03:04:05 GMT */

/* ------------------------------------------------------------------------ */
/* Vectors written here */

typedef struct {
    const gchar *name;
    ObsSignMethod method;
    ObsMethod http_method;
    ObsService service;
    ObsAddressing addressing;
    const gchar *endpoint;
    const gchar *bucket, *key;          /* key: path for other services */
    const gchar *query[8];              /* name, value pairs */
    const gchar *headers[8];
    const gchar *body;
    const gchar *ak, *sk, *token;
    gint64 time;
    gboolean other_date;
    const gchar *region, *payload_hash;
    const gchar *authorization;
} Vector;

#define AWS_AK "AKIAIOSFODNN7EXAMPLE"
#define AWS_SK "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define OWN_AK "TESTKEY00000"
#define OWN_SK "not/a+real=secret"
#define OWN_TIME 1800000000     /* Fri, 15 Jan 2027 08:00:00 GMT */

static const Vector vectors[] = {
#include "test-obs-sign-vectors.h"
};

static ObsRequest *vector_request(const Vector *v)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsEndpoint) endpoint =
        obs_url_parse_endpoint(v->endpoint, "endpoint", &error);
    ObsRequest *request;

    g_assert_no_error(error);
    if (v->service == OBS_SERVICE_OBS) {
        request = obs_request_new_obs(v->http_method, endpoint,
                                      v->addressing, v->bucket, v->key);
    } else {
        request = obs_request_new_path(v->http_method, v->service, endpoint,
                                       v->key);
    }
    for (guint i = 0; i + 1 < G_N_ELEMENTS(v->query) && v->query[i]; i += 2) {
        obs_pairs_add(request->query, v->query[i],
                      *v->query[i + 1] ? v->query[i + 1] : NULL);
    }
    for (guint i = 0; i + 1 < G_N_ELEMENTS(v->headers) && v->headers[i];
         i += 2) {
        obs_pairs_add(request->headers, v->headers[i], v->headers[i + 1]);
    }
    if (v->body) {
        request->body = g_bytes_new(v->body, strlen(v->body));
    }
    return request;
}

static void test_vector(gconstpointer data)
{
    const Vector *v = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsRequest) request = vector_request(v);
    g_autoptr(ObsCredentials) credentials =
        obs_credentials_new(v->ak, v->sk, v->token, 0);
    const ObsSignOptions options = {
        .method = v->method,
        .time = v->time,
        .other_date = v->other_date,
        .region = v->region,
        .payload_hash = v->payload_hash,
    };
    g_autoptr(GPtrArray) headers = NULL;

    headers = obs_sign_headers(request, credentials, &options, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(obs_pairs_get(headers, "Authorization"), ==,
                    v->authorization);
}

/* ------------------------------------------------------------------------ */
/* Vectors of the shared folder */

/* Beside the folder that meson names, or beside the checkout we are in. */
static gchar *find_vectors(const gchar *name)
{
    const gchar *sibling = g_getenv("ZVHD2_VECTORS");
    g_autofree gchar *folder = g_get_current_dir();

    if (sibling) {
        g_autofree gchar *path = g_build_filename(sibling, "..", "signing",
                                                  name, NULL);

        return g_file_test(path, G_FILE_TEST_EXISTS)
               ? g_steal_pointer(&path) : NULL;
    }
    for (guint up = 0; up < 8; up++) {
        g_autofree gchar *path =
            g_build_filename(folder, "shared", "vectors", "signing", name,
                             NULL);
        gchar *parent;

        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_steal_pointer(&path);
        }
        parent = g_path_get_dirname(folder);
        g_free(folder);
        folder = parent;
    }
    return NULL;
}

/* The array of vectors, or NULL after skipping the test. */
static JsonArray *load_vectors(const gchar *name, JsonParser *parser)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *path = find_vectors(name);

    if (!path) {
        g_test_skip("no ../shared/vectors");
        return NULL;
    }
    json_parser_load_from_file(parser, path, &error);
    g_assert_no_error(error);
    return json_object_get_array_member(
        json_node_get_object(json_parser_get_root(parser)), "vectors");
}

/* Undo the encoding of a path or query, byte for byte. */
static gchar *decoded(const gchar *text, gsize length)
{
    g_autofree gchar *part = g_strndup(text, length);
    gchar *plain = g_uri_unescape_string(part, NULL);

    g_assert_nonnull(plain);
    return plain;
}

static void add_query(ObsRequest *request, const gchar *query)
{
    g_auto(GStrv) pairs = g_strsplit(query, "&", -1);

    for (gchar **p = pairs; *p; p++) {
        const gchar *equals = strchr(*p, '=');
        g_autofree gchar *name =
            decoded(*p, equals ? (gsize)(equals - *p) : strlen(*p));
        g_autofree gchar *value =
            equals ? decoded(equals + 1, strlen(equals + 1)) : NULL;

        obs_pairs_add(request->query, name, value);
    }
}

static void add_headers(ObsRequest *request, JsonObject *headers)
{
    g_autoptr(GList) names = json_object_get_members(headers);

    for (GList *l = names; l; l = l->next) {
        const gchar *name = l->data;

        /* What the signer adds by itself is in the list as well. */
        if (g_ascii_strcasecmp(name, "host") &&
            g_ascii_strcasecmp(name, "date") &&
            g_ascii_strcasecmp(name, "x-obs-date") &&
            g_ascii_strcasecmp(name, "x-sdk-date") &&
            g_ascii_strcasecmp(name, "x-obs-security-token") &&
            g_ascii_strcasecmp(name, "x-security-token") &&
            g_ascii_strcasecmp(name, "x-amz-content-sha256")) {
            obs_pairs_add(request->headers, name,
                          json_object_get_string_member(headers, name));
        }
    }
}

static const gchar *text_of(JsonObject *object, const gchar *name)
{
    return json_object_get_string_member_with_default(object, name, NULL);
}

static ObsMethod method_of(const gchar *name)
{
    for (ObsMethod m = OBS_METHOD_GET; m <= OBS_METHOD_DELETE; m++) {
        if (g_str_equal(obs_method_name(m), name)) {
            return m;
        }
    }
    g_assert_not_reached();
}

/* "/bucket/key?query" on @host, split as the style of the vector says. */
static ObsRequest *object_request(const gchar *method, const gchar *host,
                                  const gchar *target, const gchar *style)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsEndpoint) endpoint = NULL;
    g_autofree gchar *bucket = NULL;
    g_autofree gchar *key = NULL;
    ObsAddressing addressing = OBS_ADDRESSING_VIRTUAL;
    const gchar *question = strchr(target, '?');
    gsize length = question ? (gsize)(question - target) : strlen(target);
    g_autofree gchar *path = decoded(target + 1, length - 1);
    ObsRequest *request;

    if (g_str_equal(style, "path")) {
        gchar *slash = strchr(path, '/');

        addressing = OBS_ADDRESSING_PATH;
        bucket = slash ? g_strndup(path, slash - path) : g_strdup(path);
        key = slash ? g_strdup(slash + 1) : NULL;
    } else {
        key = *path ? g_strdup(path) : NULL;
        if (g_str_equal(style, "custom-domain")) {
            addressing = OBS_ADDRESSING_CUSTOM;
        } else {
            bucket = g_strndup(host, strcspn(host, "."));
            host += strlen(bucket) + 1;
        }
    }
    endpoint = obs_url_parse_endpoint(host, "host", &error);
    g_assert_no_error(error);
    request = obs_request_new_obs(method_of(method), endpoint, addressing,
                                  bucket, key);
    if (question) {
        add_query(request, question + 1);
    }
    return request;
}

static void check_object_vector(JsonObject *v)
{
    JsonObject *sent = json_object_get_object_member(v, "headers");
    const gchar *authorization = text_of(v, "authorization");
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsCredentials) credentials =
        obs_credentials_new(text_of(v, "ak"), text_of(v, "sk"),
                            text_of(v, "security_token"), 0);
    g_autoptr(ObsRequest) request =
        object_request(text_of(v, "method"), text_of(v, "host"),
                       text_of(v, "request_target"), text_of(v, "style"));
    g_auto(ObsSignTrace) trace = { 0 };
    g_autoptr(GPtrArray) headers = NULL;
    g_autofree gchar *url = NULL;
    ObsSignOptions options = { .time = FIXED_TIME };

    add_headers(request, sent);
    if (g_str_has_prefix(authorization, "AWS4")) {
        options.method = OBS_SIGN_AWS_V4;
        options.region = "cn-north-4";
        options.other_date = TRUE;
        options.payload_hash = text_of(sent, "x-amz-content-sha256");
    } else {
        options.method = g_str_has_prefix(authorization, "OBS")
                         ? OBS_SIGN_OBS : OBS_SIGN_AWS_V2;
        options.other_date = json_object_has_member(sent, "x-obs-date");
    }
    headers = obs_sign_headers(request, credentials, &options, &trace,
                               &error);
    g_assert_no_error(error);
    g_assert_cmpstr(trace.string_to_sign, ==, text_of(v, "string_to_sign"));
    g_assert_cmpstr(trace.signature, ==, text_of(v, "signature"));
    g_assert_cmpstr(obs_pairs_get(headers, "Authorization"), ==,
                    authorization);

    url = obs_url_build(request);
    g_assert_true(g_str_has_suffix(url, text_of(v, "request_target")) ||
                  strchr(url, '%'));
}

static void test_shared_object(void)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonArray *all = load_vectors("obs-header-signature.json", parser);

    for (guint i = 0; all && i < json_array_get_length(all); i++) {
        JsonObject *v = json_array_get_object_element(all, i);

        g_test_message("%s", text_of(v, "name"));
        check_object_vector(v);
    }
}

static void check_presigned_vector(JsonObject *v)
{
    JsonObject *param = json_object_get_object_member(v, "param");
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsEndpoint) endpoint = NULL;
    g_autoptr(ObsRequest) request = NULL;
    g_autoptr(ObsCredentials) credentials =
        obs_credentials_new(text_of(v, "ak"), text_of(v, "sk"),
                            text_of(v, "security_token"), 0);
    g_auto(ObsSignTrace) trace = { 0 };
    g_autofree gchar *url = NULL;
    g_auto(GStrv) expected = NULL;
    const ObsSignOptions options = {
        .method = OBS_SIGN_OBS,
        .time = json_object_get_int_member(v, "now"),
    };

    endpoint = obs_url_parse_endpoint("obs.cn-north-4.myhuaweicloud.com",
                                      "endpoint", &error);
    g_assert_no_error(error);
    request = obs_request_new_obs(method_of(text_of(param, "Method")),
                                  endpoint, OBS_ADDRESSING_VIRTUAL,
                                  text_of(param, "Bucket"),
                                  text_of(param, "Key"));
    if (json_object_has_member(param, "Headers")) {
        add_headers(request, json_object_get_object_member(param, "Headers"));
    }
    if (json_object_has_member(param, "QueryParams")) {
        JsonObject *query = json_object_get_object_member(param,
                                                          "QueryParams");

        obs_pairs_add(request->query, "partNumber",
                      text_of(query, "partNumber"));
        obs_pairs_add(request->query, "uploadId", text_of(query, "uploadId"));
    }
    url = obs_sign_url(request, credentials, &options,
                       json_object_get_int_member(param, "Expires"), &trace,
                       &error);
    g_assert_no_error(error);
    g_assert_cmpstr(trace.string_to_sign, ==, text_of(v, "string_to_sign"));
    g_assert_cmpstr(trace.signature, ==, text_of(v, "signature"));

    /* The generator writes the default port and leaves "/" as it is. */
    expected = g_strsplit(text_of(v, "url"), ":443", 2);
    {
        g_autofree gchar *joined = g_strjoinv("", expected);
        g_autoptr(GUri) a = g_uri_parse(joined, G_URI_FLAGS_NONE, NULL);
        g_autoptr(GUri) b = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
        g_autofree gchar *ta = g_uri_to_string(a);
        g_autofree gchar *tb = g_uri_to_string(b);

        g_assert_cmpstr(ta, ==, tb);
    }
}

static void test_shared_presigned(void)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonArray *all = load_vectors("obs-presigned.json", parser);

    for (guint i = 0; all && i < json_array_get_length(all); i++) {
        JsonObject *v = json_array_get_object_element(all, i);

        g_test_message("%s", text_of(v, "name"));
        check_presigned_vector(v);
    }
}

/* Both SDK files: the older one has capitals in its member names. */
static void check_sdk_vector(JsonObject *v, gboolean legacy)
{
    const gchar *url = text_of(v, legacy ? "URL" : "wire_url");
    const gchar *body = text_of(v, legacy ? "Body" : "body");
    JsonObject *sent =
        json_object_get_object_member(v, legacy ? "Headers"
                                                : "request_headers");
    g_autoptr(GError) error = NULL;
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED, &error);
    g_autofree gchar *host = NULL;
    g_autofree gchar *path = NULL;
    g_autoptr(ObsEndpoint) endpoint = NULL;
    g_autoptr(ObsRequest) request = NULL;
    g_autoptr(ObsCredentials) credentials = NULL;
    g_auto(ObsSignTrace) trace = { 0 };
    g_autoptr(GPtrArray) headers = NULL;
    const ObsSignOptions options = {
        .method = legacy ? OBS_SIGN_SDK_LEGACY : OBS_SIGN_SDK,
        .time = FIXED_TIME,
    };

    g_assert_no_error(error);
    host = g_strdup_printf("https://%s:%d", g_uri_get_host(uri),
                           g_uri_get_port(uri) > 0 ? g_uri_get_port(uri)
                                                   : 443);
    endpoint = obs_url_parse_endpoint(host, "host", &error);
    g_assert_no_error(error);
    path = decoded(g_uri_get_path(uri), strlen(g_uri_get_path(uri)));
    request =
        obs_request_new_path(method_of(text_of(v, legacy ? "Method"
                                                         : "method")),
                             OBS_SERVICE_IMS, endpoint, path);
    if (g_uri_get_query(uri)) {
        add_query(request, g_uri_get_query(uri));
    }
    add_headers(request, sent);
    if (*body) {
        request->body = g_bytes_new(body, strlen(body));
    }
    credentials = obs_credentials_new(text_of(v, legacy ? "Ak" : "ak"),
                                      text_of(v, legacy ? "Sk" : "sk"),
                                      text_of(sent, "X-Security-Token"), 0);
    headers = obs_sign_headers(request, credentials, &options, &trace,
                               &error);
    g_assert_no_error(error);
    g_assert_cmpstr(trace.canonical_request, ==,
                    text_of(v, legacy ? "CanonicalRequest"
                                      : "canonical_request"));
    g_assert_cmpstr(trace.string_to_sign, ==,
                    text_of(v, legacy ? "StringToSign" : "string_to_sign"));
    g_assert_cmpstr(obs_pairs_get(headers, "Authorization"), ==,
                    text_of(v, legacy ? "Authorization" : "authorization"));
}

static void test_shared_sdk(gconstpointer file)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonArray *all = load_vectors(file, parser);

    for (guint i = 0; all && i < json_array_get_length(all); i++) {
        JsonObject *v = json_array_get_object_element(all, i);

        check_sdk_vector(v, strstr(file, "legacy") != NULL);
    }
}

/* ------------------------------------------------------------------------ */
/* Behaviour */

static ObsRequest *simple_request(void)
{
    const ObsEndpoint endpoint = {
        .https = TRUE, .host = (gchar *)"obs.eu-de.otc.t-systems.com",
    };

    return obs_request_new_obs(OBS_METHOD_PUT, &endpoint,
                               OBS_ADDRESSING_VIRTUAL, "bucket", "key");
}

static void test_refuses(void)
{
    const ObsSignOptions options = { .method = OBS_SIGN_OBS, .time = 0 };
    g_autoptr(ObsCredentials) credentials =
        obs_credentials_new("a", "b", NULL, 0);
    static const gchar *const bad[][2] = {
        { "x-obs-meta-a", "one\r\nx-obs-acl: public-read" },
        { "x-obs-meta-a\nx-obs-acl", "public-read" },
        { "Authorization", "OBS x:y" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(ObsRequest) request = simple_request();
        g_autoptr(GError) error = NULL;

        obs_pairs_add(request->headers, bad[i][0], bad[i][1]);
        g_assert_null(obs_sign_headers(request, credentials, &options, NULL,
                                       &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
    }
    {
        g_autoptr(ObsRequest) request = simple_request();
        g_autoptr(GError) error = NULL;
        const ObsSignOptions v4 = { .method = OBS_SIGN_AWS_V4 };
        const ObsSignOptions sdk = { .method = OBS_SIGN_SDK };

        g_assert_null(obs_sign_url(request, credentials, &v4, 604801, NULL,
                                   &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
        g_clear_error(&error);
        g_assert_null(obs_sign_url(request, credentials, &sdk, 60, NULL,
                                   &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
    }
}

/* The published example of S3 for a presigned GET. */
static void test_v4_url(void)
{
    const ObsEndpoint endpoint = {
        .https = TRUE, .host = (gchar *)"s3.amazonaws.com",
    };
    const ObsSignOptions options = {
        .method = OBS_SIGN_AWS_V4, .time = 1369353600, .region = "us-east-1",
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsCredentials) credentials =
        obs_credentials_new(AWS_AK, AWS_SK, NULL, 0);
    g_autoptr(ObsRequest) request =
        obs_request_new_obs(OBS_METHOD_GET, &endpoint,
                            OBS_ADDRESSING_VIRTUAL, "examplebucket",
                            "test.txt");
    g_autofree gchar *url = obs_sign_url(request, credentials, &options,
                                         86400, NULL, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(url, ==,
        "https://examplebucket.s3.amazonaws.com/test.txt"
        "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

/* A server without regions: what it expects is us-east-1. */
static void test_v4_without_region(void)
{
    const ObsEndpoint endpoint = {
        .https = TRUE, .host = (gchar *)"store.example",
    };
    static const gchar *const none[] = { NULL, "" };
    g_autoptr(ObsCredentials) credentials =
        obs_credentials_new(AWS_AK, AWS_SK, NULL, 0);

    for (gsize i = 0; i < G_N_ELEMENTS(none); i++) {
        const ObsSignOptions options = {
            .method = OBS_SIGN_AWS_V4, .time = 1369353600, .region = none[i],
        };
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsRequest) request =
            obs_request_new_obs(OBS_METHOD_GET, &endpoint,
                                OBS_ADDRESSING_PATH, "bucket", "key");
        g_autoptr(GPtrArray) headers =
            obs_sign_headers(request, credentials, &options, NULL, &error);

        g_assert_no_error(error);
        g_assert_nonnull(strstr(obs_pairs_get(headers, "Authorization"),
                                "/20130524/us-east-1/s3/aws4_request"));
    }
}

static void test_translate(void)
{
    static const gchar *const table[][4] = {
        { "x-obs-storage-class", "WARM", "x-amz-storage-class",
          "STANDARD_IA" },
        { "x-obs-storage-class", "STANDARD", "x-amz-storage-class",
          "STANDARD" },
        { "X-Obs-Meta-Owner", "COLD", "x-amz-Meta-Owner", "COLD" },
        { "x-obs-server-side-encryption", "kms",
          "x-amz-server-side-encryption", "aws:kms" },
        { "x-obs-server-side-encryption-kms-key-id", "k",
          "x-amz-server-side-encryption-aws-kms-key-id", "k" },
        { "Content-Type", "x-obs-a", "Content-Type", "x-obs-a" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsRequest) request = simple_request();
        const ObsPair *pair;

        obs_pairs_add(request->headers, table[i][0], table[i][1]);
        obs_sign_translate(request, OBS_SIGN_OBS);
        pair = request->headers->pdata[0];
        g_assert_cmpstr(pair->name, ==, table[i][0]);
        obs_sign_translate(request, OBS_SIGN_AWS_V2);
        g_assert_cmpstr(pair->name, ==, table[i][2]);
        g_assert_cmpstr(pair->value, ==, table[i][3]);
    }
}

/* What is sent besides, by method, date choice and kind of keys. */
static void test_added_headers(void)
{
    static const struct {
        ObsSignMethod method;
        gboolean other;
        const gchar *date, *token;
    } table[] = {
        { OBS_SIGN_OBS, FALSE, "Date", "x-obs-security-token" },
        { OBS_SIGN_OBS, TRUE, "x-obs-date", "x-obs-security-token" },
        { OBS_SIGN_AWS_V2, FALSE, "Date", "x-amz-security-token" },
        { OBS_SIGN_AWS_V2, TRUE, "x-amz-date", "x-amz-security-token" },
        { OBS_SIGN_AWS_V4, FALSE, "x-amz-date", "x-amz-security-token" },
        { OBS_SIGN_AWS_V4, TRUE, "Date", "x-amz-security-token" },
        { OBS_SIGN_SDK, FALSE, "X-Sdk-Date", "X-Security-Token" },
        { OBS_SIGN_SDK_LEGACY, FALSE, "X-Sdk-Date", "X-Security-Token" },
    };
    g_autoptr(ObsCredentials) credentials =
        obs_credentials_new("a", "b", "the-token", 0);

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsRequest) request = simple_request();
        const ObsSignOptions options = {
            .method = table[i].method, .other_date = table[i].other,
            .time = FIXED_TIME,
        };
        g_autoptr(GPtrArray) headers = NULL;

        if (table[i].method >= OBS_SIGN_SDK) {
            request->service = OBS_SERVICE_IMS;
            request->path = g_strdup("/v2/cloudimages");
        }
        headers = obs_sign_headers(request, credentials, &options, NULL,
                                   NULL);
        g_assert_nonnull(obs_pairs_get(headers, table[i].date));
        g_assert_cmpstr(obs_pairs_get(headers, table[i].token), ==,
                        "the-token");
        g_assert_nonnull(obs_pairs_get(headers, "Authorization"));
        g_assert_cmpuint(headers->len, ==,
                         table[i].method == OBS_SIGN_AWS_V4 ? 4 : 3);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(vectors); i++) {
        g_autofree gchar *path = g_strconcat("/sign/own/", vectors[i].name,
                                             NULL);

        g_test_add_data_func(path, &vectors[i], test_vector);
    }
    g_test_add_func("/sign/v4-url", test_v4_url);
    g_test_add_func("/sign/refuses", test_refuses);
    g_test_add_func("/sign/translate", test_translate);
    g_test_add_func("/sign/v4-without-region", test_v4_without_region);
    g_test_add_func("/sign/added-headers", test_added_headers);
    g_test_add_func("/sign/shared/object", test_shared_object);
    g_test_add_func("/sign/shared/presigned", test_shared_presigned);
    g_test_add_data_func("/sign/shared/sdk", "sdk-hmac-sha256.json",
                         test_shared_sdk);
    g_test_add_data_func("/sign/shared/legacy",
                         "sdk-hmac-sha256-legacy-scope.json",
                         test_shared_sdk);
    return g_test_run();
}
