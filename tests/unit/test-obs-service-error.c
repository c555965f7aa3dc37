/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors in all shapes that the services send, the text made of them, and
 * reading hostile JSON.
 */
#include <string.h>

#include "obs-json.h"
#include "obs-service-error.h"
#include "obs-text.h"

static ObsResponse *response(guint status, const gchar *body,
                             const gchar *const headers[])
{
    ObsResponse *out = obs_response_new();

    out->status = status;
    if (body) {
        out->body = g_bytes_new(body, strlen(body));
    }
    for (guint i = 0; headers && headers[i]; i += 2) {
        obs_pairs_add(out->headers, headers[i], headers[i + 1]);
    }
    return out;
}

static void test_shapes(void)
{
    static const struct {
        guint status;
        const gchar *body;
        const gchar *headers[7];
        const gchar *code, *text;
    } table[] = {
        { 403, "<Error><Code>AccessDenied</Code><Message>No</Message>"
          "<RequestId>R1</RequestId></Error>", { NULL }, "AccessDenied",
          "403 AccessDenied: No (request R1)" },
        /* HEAD: headers only, in either dialect */
        { 404, NULL, { "x-obs-error-code", "NoSuchBucket",
                       "x-obs-error-message", "gone",
                       "x-obs-request-id", "R2" }, "NoSuchBucket",
          "404 NoSuchBucket: gone (request R2)" },
        { 404, NULL, { "X-Amz-Error-Code", "NoSuchKey" }, "NoSuchKey",
          "404 NoSuchKey" },
        { 404, "", { "x-amz-request-id", "R3" }, NULL,
          "404 not found (request R3)" },
        /* IMS, IAM, gateway */
        { 400, "{\"error\":{\"code\":\"IMG.0057\",\"message\":\"bad\"}}",
          { "X-Request-Id", "R4" }, "IMG.0057",
          "400 IMG.0057: bad (request R4)" },
        { 401, "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"who\","
          "\"request_id\":\"R5\"}", { NULL }, "APIGW.0301",
          "401 APIGW.0301: who (request R5)" },
        { 401, "{\"error\":{\"code\":401,\"message\":\"wrong\","
          "\"title\":\"Unauthorized\"}}", { NULL }, "401", "401: wrong" },
        { 404, "{\"code\":\"X.1\",\"message\":\"flat\"}", { NULL }, "X.1",
          "404 X.1: flat" },
        { 403, "{\"error_code\":\"PAP5.0011\",\"error_msg\":\"deny\","
          "\"encoded_authorization_message\":\"abc\"}", { NULL },
          "PAP5.0011", "403 PAP5.0011: deny" },
        /* neither */
        { 502, "<html><h1>Bad Gateway</h1></html>", { NULL }, NULL,
          "502 bad gateway" },
        { 500, "[1,2", { NULL }, NULL, "500 internal server error" },
        { 418, NULL, { NULL }, NULL, "418 unexpected answer" },
        { 400, "{\"error\":{\"code\":null,\"message\":7}}", { NULL }, NULL,
          "400 bad request" },
        { 400, "<Error/>", { NULL }, "Error", "400 Error" },
        /* 200 says little: only an <Error> document counts */
        { 200, "<Error><Code>InternalError</Code></Error>", { NULL },
          "InternalError", "200 InternalError" },
        { 200, "{\"error\":{\"code\":\"x\"}}", { NULL }, NULL,
          "200 unexpected answer" },
        { 204, NULL, { "x-obs-error-code", "x" }, NULL,
          "204 unexpected answer" },
        /* nothing gets through that could fool a terminal or a log */
        { 400, "{\"code\":\"a\\u001b[31m\",\"message\":\"b\\nc\\u202ed\"}",
          { NULL }, "a [31m", "400 a [31m: b c d" },
        { 400, "{\"code\":\"S\",\"message\":\"x-security-token:abcdef|x\"}",
          { NULL }, "S", "400 S: x-security-token:***|x" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) answer = response(table[i].status,
                                                 table[i].body,
                                                 table[i].headers);
        g_autoptr(ObsServiceError) error = obs_service_error_parse(answer);
        g_autofree gchar *text = obs_service_error_text(error);

        g_assert_cmpstr(error->code, ==, table[i].code);
        g_assert_cmpstr(text, ==, table[i].text);
        g_assert_cmpuint(error->status, ==, table[i].status);
    }
}

static void test_members(void)
{
    static const gchar *const headers[] = {
        "x-obs-id-2", "H", "x-obs-request-id", "not used", NULL,
    };
    g_autoptr(ObsResponse) answer =
        response(301, "<Error><Code>PermanentRedirect</Code><RequestId>R"
                 "</RequestId><Endpoint>obs.eu-nl.example</Endpoint>"
                 "</Error>", headers);
    g_autoptr(ObsServiceError) error = obs_service_error_parse(answer);
    g_autoptr(ObsResponse) denial =
        response(403, "{\"error\":{\"code\":\"c\",\"message\":\"m\","
                 "\"encoded_authorization_message\":\"abc\"}}", NULL);
    g_autoptr(ObsServiceError) denied = obs_service_error_parse(denial);

    g_assert_cmpstr(error->endpoint, ==, "obs.eu-nl.example");
    g_assert_cmpstr(error->request_id, ==, "R");
    g_assert_cmpstr(error->host_id, ==, "H");
    g_assert_cmpstr(denied->denied, ==, "abc");
}

static void test_bounded(void)
{
    g_autofree gchar *filler = g_strnfill(100000, 'x');
    g_autofree gchar *body =
        g_strdup_printf("{\"code\":\"%s\",\"message\":\"%s\"}", filler,
                        filler);
    g_autoptr(ObsResponse) answer = response(400, body, NULL);
    g_autoptr(ObsServiceError) error = obs_service_error_parse(answer);
    g_autofree gchar *text = obs_service_error_text(error);

    g_assert_cmpuint(strlen(text), <, 1300);
}

static void test_clean_text(void)
{
    g_autofree gchar *cut = obs_text_clean("aéé", 5, 4);
    g_autofree gchar *bad = obs_text_clean(" \xff\0x ", 5, 100);

    g_assert_cmpstr(cut, ==, "aé…");
    g_assert_cmpstr(bad, ==, "\xef\xbf\xbd\xef\xbf\xbdx");
}

static void test_json_refused(void)
{
    g_autofree gchar *deep = g_strnfill(1000000, '[');
    g_autofree gchar *big = g_strnfill(OBS_JSON_MAX_SIZE + 1, ' ');
    const gchar *const bad[] = {
        "", "{", "nonsense", "[\"\xff\"]", deep, big, " ", "7", "\"x\"",
        "8[]", "[]8", "{}{}", "[}", "]", "{\"a\":\"}", "[1,]]",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) body = g_bytes_new(bad[i], strlen(bad[i]));

        g_assert_null(obs_json_parse(body, "the answer", &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
        g_assert_true(g_str_has_prefix(error->message, "the answer "));
    }
    g_assert_null(obs_json_parse(NULL, "it", NULL));
}

static void test_json_getters(void)
{
    static const gchar text[] =
        "{\"s\":\"x\",\"i\":7,\"d\":1.5,\"n\":null,\"o\":{},\"a\":[[[\"[\"]]],"
        "\"is\":\"-8\",\"ds\":\"2.5\",\"bad\":\"1x\",\"b\":true}";
    g_autoptr(GBytes) body = g_bytes_new_static(text, strlen(text));
    g_autoptr(JsonNode) root = obs_json_parse(body, "it", NULL);
    JsonObject *object = obs_json_object(root);
    g_autofree gchar *number = obs_json_dup_text(object, "i");
    static const gchar *const no_ints[] = { "s", "n", "o", "bad", "b", "?" };
    gint64 i = 0;
    gdouble d = 0;

    g_assert_nonnull(object);
    g_assert_null(obs_json_array(root));
    g_assert_nonnull(obs_json_get_object(object, "o"));
    g_assert_null(obs_json_get_object(object, "a"));
    g_assert_nonnull(obs_json_get_array(object, "a"));
    g_assert_null(obs_json_get_array(object, "n"));
    g_assert_cmpstr(obs_json_get_string(object, "s"), ==, "x");
    g_assert_null(obs_json_get_string(object, "i"));
    g_assert_null(obs_json_get_string(NULL, "s"));
    g_assert_true(obs_json_get_int(object, "i", &i));
    g_assert_cmpint(i, ==, 7);
    g_assert_true(obs_json_get_int(object, "is", &i));
    g_assert_cmpint(i, ==, -8);
    for (guint k = 0; k < G_N_ELEMENTS(no_ints); k++) {
        g_assert_false(obs_json_get_int(object, no_ints[k], &i));
        g_assert_false(obs_json_get_double(object, no_ints[k], &d));
    }
    g_assert_true(obs_json_get_double(object, "d", &d));
    g_assert_cmpfloat(d, ==, 1.5);
    g_assert_true(obs_json_get_double(object, "i", &d));
    g_assert_cmpfloat(d, ==, 7);
    g_assert_true(obs_json_get_double(object, "ds", &d));
    g_assert_cmpfloat(d, ==, 2.5);
    g_assert_cmpstr(number, ==, "7");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-error/shapes", test_shapes);
    g_test_add_func("/service-error/members", test_members);
    g_test_add_func("/service-error/bounded", test_bounded);
    g_test_add_func("/service-error/clean-text", test_clean_text);
    g_test_add_func("/json/refused", test_json_refused);
    g_test_add_func("/json/getters", test_json_getters);
    return g_test_run();
}
