/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging in: the bodies that are sent, and answers good and hostile.
 */
#include <string.h>

#include "obs-iam.h"
#include "obs-secret.h"
#include "obs-url.h"

static ObsEndpoint *iam(void)
{
    return obs_url_parse_endpoint("https://iam.example", "x", NULL);
}

static ObsResponse *answer(guint status, const gchar *body,
                           const gchar *header, const gchar *value)
{
    ObsResponse *response = obs_response_new();

    response->status = status;
    if (body) {
        response->body = g_bytes_new(body, strlen(body));
    }
    if (header) {
        obs_pairs_add(response->headers, header, value);
    }
    return response;
}

static void assert_body(const ObsRequest *request, const gchar *body)
{
    gsize length;
    const gchar *data = g_bytes_get_data(request->body, &length);
    g_autofree gchar *text = g_strndup(data, length);

    g_assert_cmpstr(text, ==, body);
    g_assert_cmpstr(obs_pairs_get(request->headers, "content-type"), ==,
                    "application/json");
}

#define S(x) ((gchar *)(x))

static void test_token_request(void)
{
    static const struct {
        ObsLogin login;
        const gchar *region, *body;
    } table[] = {
        { { .kind = OBS_LOGIN_PASSWORD, .user_name = S("u\"ä"),
            .password = S("p\\\""), .user_domain_name = S("D") }, "eu-de",
          "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":"
          "{\"user\":{\"name\":\"u\\\"ä\",\"domain\":{\"name\":\"D\"},"
          "\"password\":\"p\\\\\\\"\"}}},\"scope\":{\"project\":{\"name\":"
          "\"eu-de\"}}}}" },
        { { .kind = OBS_LOGIN_PASSWORD, .user_id = S("I"),
            .user_name = S("u"), .password = S("p"), .passcode = S("123456"),
            .project_id = S("P"), .project_name = S("N") }, "eu-de",
          "{\"auth\":{\"identity\":{\"methods\":[\"password\",\"totp\"],"
          "\"password\":{\"user\":{\"id\":\"I\",\"password\":\"p\"}},"
          "\"totp\":{\"user\":{\"id\":\"I\",\"passcode\":\"123456\"}}},"
          "\"scope\":{\"project\":{\"id\":\"P\"}}}}" },
        { { .kind = OBS_LOGIN_PASSWORD, .user_name = S("u"),
            .password = S("p"), .user_domain_id = S("DI"),
            .project_name = S("eu-de_sub") }, NULL,
          "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":"
          "{\"user\":{\"name\":\"u\",\"domain\":{\"id\":\"DI\"},"
          "\"password\":\"p\"}}},\"scope\":{\"project\":{\"name\":"
          "\"eu-de_sub\"}}}}" },
        { { .kind = OBS_LOGIN_PASSWORD, .user_id = S("I"),
            .password = S("p"), .project_domain_name = S("PD") }, "r1",
          "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":"
          "{\"user\":{\"id\":\"I\",\"password\":\"p\"}}},\"scope\":"
          "{\"project\":{\"name\":\"r1\",\"domain\":{\"name\":\"PD\"}}}}}" },
        /* an id of a project is enough by itself */
        { { .kind = OBS_LOGIN_PASSWORD, .user_id = S("I"),
            .password = S("p"), .project_id = S("P"),
            .project_domain_id = S("PDI") }, "r1",
          "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":"
          "{\"user\":{\"id\":\"I\",\"password\":\"p\"}}},\"scope\":"
          "{\"project\":{\"id\":\"P\"}}}}" },
        { { .kind = OBS_LOGIN_TOKEN, .token = S("T"),
            .project_name = S("N"), .project_domain_name = S("PD"),
            .project_domain_id = S("PDI") }, "r1",
          "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":"
          "{\"id\":\"T\"}},\"scope\":{\"project\":{\"name\":\"N\","
          "\"domain\":{\"id\":\"PDI\"}}}}}" },
        { { .kind = OBS_LOGIN_TOKEN, .token = S("T") }, "r1",
          "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":"
          "{\"id\":\"T\"}},\"scope\":{\"project\":{\"name\":\"r1\"}}}}" },
    };
    g_autoptr(ObsEndpoint) endpoint = iam();

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsRequest) request =
            obs_iam_token_request(endpoint, &table[i].login, table[i].region,
                                  &error);
        g_autofree gchar *url = NULL;

        g_assert_no_error(error);
        url = obs_url_build(request);
        g_assert_cmpstr(url, ==,
                        "https://iam.example/v3/auth/tokens?nocatalog=true");
        g_assert_cmpint(request->method, ==, OBS_METHOD_POST);
        assert_body(request, table[i].body);
    }
}

static void test_token_request_lacks(void)
{
    static const struct {
        ObsLogin login;
        const gchar *region, *says;
    } table[] = {
        { { .kind = OBS_LOGIN_PASSWORD, .user_name = S("u"),
            .user_domain_name = S("D") }, "r", "password" },
        { { .kind = OBS_LOGIN_PASSWORD, .password = S("SECRET"),
            .user_domain_name = S("D") }, "r", "OS_USERNAME" },
        { { .kind = OBS_LOGIN_PASSWORD, .password = S("SECRET"),
            .user_name = S("u") }, "r", "OS_USER_DOMAIN_NAME" },
        { { .kind = OBS_LOGIN_PASSWORD, .password = S("SECRET"),
            .user_name = S("u"), .user_domain_name = S("D"),
            .passcode = S("1") }, "r", "OS_USER_ID" },
        { { .kind = OBS_LOGIN_PASSWORD, .password = S("SECRET"),
            .user_name = S("u"), .user_domain_name = S("D") }, NULL,
          "--region" },
        { { .kind = OBS_LOGIN_TOKEN }, "r", "token" },
        { { .kind = OBS_LOGIN_TOKEN, .token = S("SECRET") }, NULL,
          "--region" },
        { { .kind = OBS_LOGIN_KEYS }, "r", "password" },
    };
    g_autoptr(ObsEndpoint) endpoint = iam();

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(obs_iam_token_request(endpoint, &table[i].login,
                                            table[i].region, &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS);
        g_assert_nonnull(strstr(error->message, table[i].says));
        g_assert_null(strstr(error->message, "SECRET"));
    }
}

static void test_token_parse(void)
{
    g_autofree gchar *long_token = g_strnfill(20000, 'T');
    g_autoptr(ObsResponse) response =
        answer(201, "{\"token\":{\"expires_at\":\"2026-01-03T03:04:05.000000Z"
               "\",\"project\":{\"id\":\"P1\",\"name\":\"eu-de\"}}}",
               "X-Subject-Token", long_token);
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsToken) token = obs_iam_token_parse(response, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(token->token, ==, long_token);
    g_assert_cmpint(token->expires_at, ==, 1767323045 + 86400);
    g_assert_cmpstr(token->project_id, ==, "P1");
    g_assert_cmpstr(token->project_name, ==, "eu-de");
}

static void test_token_refused(void)
{
    static const struct {
        guint status;
        const gchar *body, *header, *says;
    } table[] = {
        { 401, "{\"error\":{\"code\":401,\"message\":\"The username or "
          "password is wrong.\"}}", NULL, "401: The username or password is "
          "wrong." },
        { 403, "{\"error_msg\":\"locked\",\"error_code\":\"IAM.1\"}", NULL,
          "403 IAM.1: locked" },
        { 200, "{\"token\":{}}", "T", "200" },
        { 201, "{\"token\":{}}", NULL, "no usable X-Subject-Token" },
        { 201, "{\"token\":{}}", "", "no usable X-Subject-Token" },
        { 201, "{\"token\":{}}", "a b", "no usable X-Subject-Token" },
        { 201, "nonsense", "T", "not valid JSON" },
        { 201, NULL, "T", "is empty" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) response =
            answer(table[i].status, table[i].body,
                   table[i].header ? "X-Subject-Token" : NULL,
                   table[i].header);
        g_autoptr(GError) error = NULL;

        g_assert_null(obs_iam_token_parse(response, &error));
        g_assert_nonnull(error);
        g_assert_nonnull(strstr(error->message, table[i].says));
    }
    {
        g_autoptr(ObsResponse) response = answer(0, NULL, NULL, NULL);
        g_autoptr(GError) error = NULL;

        response->net = OBS_NET_CONNECT;
        response->net_message = g_strdup("refused");
        g_assert_null(obs_iam_token_parse(response, &error));
        g_assert_cmpstr(error->message, ==,
                        "IAM refuses the login: refused");
    }
}

static void test_token_odd_ids(void)
{
    g_autoptr(ObsResponse) response =
        answer(201, "{\"token\":{\"expires_at\":7,\"project\":{\"id\":"
               "\"../../x\"}}}",
               "X-Subject-Token", "T");
    g_autoptr(ObsToken) token = obs_iam_token_parse(response, NULL);

    g_assert_nonnull(token);
    g_assert_null(token->project_id);
    g_assert_cmpint(token->expires_at, ==, 0);
}

static void test_keys(void)
{
    static const gchar body[] =
        "{\"credential\":{\"access\":\"A\",\"secret\":\"S\",\"securitytoken\""
        ":\"T\",\"expires_at\":\"2026-01-02T03:04:05.000000Z\"}}";
    static const struct {
        guint in, out;
    } seconds[] = { { 0, 900 }, { 3600, 3600 }, { 100000, 86400 } };
    static const guint statuses[] = { 200, 201 };
    g_autoptr(ObsEndpoint) endpoint = iam();

    for (guint i = 0; i < G_N_ELEMENTS(seconds); i++) {
        g_autoptr(ObsRequest) request =
            obs_iam_keys_request(endpoint, "TOK", seconds[i].in);
        g_autofree gchar *json = g_strdup_printf(
            "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":"
            "{\"duration_seconds\":%u}}}}", seconds[i].out);

        assert_body(request, json);
        g_assert_cmpstr(request->path, ==,
                        "/v3.0/OS-CREDENTIAL/securitytokens");
        g_assert_cmpstr(obs_pairs_get(request->headers, "X-Auth-Token"), ==,
                        "TOK");
    }
    for (guint i = 0; i < G_N_ELEMENTS(statuses); i++) {
        g_autoptr(ObsResponse) response = answer(statuses[i], body, NULL,
                                                 NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsCredentials) keys = obs_iam_keys_parse(response, &error);

        g_assert_no_error(error);
        g_assert_cmpstr(keys->access_key, ==, "A");
        g_assert_cmpstr(keys->secret_key, ==, "S");
        g_assert_cmpstr(keys->security_token, ==, "T");
        g_assert_cmpint(keys->expires_at, ==, 1767323045);
    }
}

static void test_keys_refused(void)
{
    static const struct {
        guint status;
        const gchar *body;
    } table[] = {
        { 403, "{\"error\":{\"code\":403,\"message\":\"no\"}}" },
        { 201, "" },
        { 201, "{}" },
        { 201, "{\"credential\":[]}" },
        { 201, "{\"credential\":{\"access\":\"A\",\"secret\":\"S\","
          "\"securitytoken\":\"T\"}}" },
        { 201, "{\"credential\":{\"access\":\"A\",\"secret\":\"S\","
          "\"expires_at\":\"2026-01-02T03:04:05Z\"}}" },
        { 201, "{\"credential\":{\"access\":\"A\",\"secret\":7,"
          "\"securitytoken\":\"T\",\"expires_at\":\"2026-01-02T03:04:05Z"
          "\"}}" },
        { 201, "{\"credential\":{\"access\":\"A\\r\\nB\",\"secret\":\"S\","
          "\"securitytoken\":\"T\",\"expires_at\":\"2026-01-02T03:04:05Z"
          "\"}}" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) response = answer(table[i].status,
                                                 table[i].body, NULL, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_null(obs_iam_keys_parse(response, &error));
        g_assert_nonnull(error);
    }
}

static void test_projects(void)
{
    static const struct {
        const gchar *body, *id;
    } table[] = {
        { "{\"projects\":[{\"id\":\"P0\",\"name\":\"eu-de_sub\"},"
          "{\"id\":\"P1\",\"name\":\"eu-de\"}]}", "P1" },
        { "{\"projects\":[{\"id\":\"P0\",\"name\":\"eu-de_sub\"}]}", NULL },
        { "{\"projects\":[{\"id\":\"a/b\",\"name\":\"eu-de\"}]}", NULL },
        { "{\"projects\":[\"x\",null,{\"id\":7}]}", NULL },
        { "{\"projects\":{}}", NULL }, { "[]", NULL }, { "x", NULL },
    };
    g_autoptr(ObsEndpoint) endpoint = iam();
    g_autoptr(ObsRequest) request = obs_iam_project_request(endpoint,
                                                            "eu de");
    g_autofree gchar *url = obs_url_build(request);

    g_assert_cmpstr(url, ==, "https://iam.example/v3/projects?name=eu%20de");
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) response = answer(200, table[i].body, NULL,
                                                 NULL);
        g_autoptr(GError) error = NULL;
        g_autofree gchar *id = obs_iam_project_parse(response, "eu-de",
                                                     &error);

        g_assert_cmpstr(id, ==, table[i].id);
        g_assert_cmpint(error == NULL, ==, id != NULL);
    }
}

static void test_metadata(void)
{
    static const struct {
        guint status;
        ObsNetError net;
        const gchar *body;
        ObsMetadataVersion version;
        const gchar *token;
    } table[] = {
        { 200, 0, "TOKEN==\n", OBS_METADATA_V2, "TOKEN==" },
        { 404, 0, NULL, OBS_METADATA_V1, NULL },
        { 405, 0, "x", OBS_METADATA_V1, NULL },
        { 503, 0, "x", OBS_METADATA_V1, NULL },
        { 200, 0, NULL, OBS_METADATA_NONE, NULL },
        { 200, 0, "", OBS_METADATA_NONE, NULL },
        { 200, 0, "<html> a page", OBS_METADATA_NONE, NULL },
        { 200, 0, "a\r\nb", OBS_METADATA_NONE, NULL },
        { 403, 0, "T", OBS_METADATA_NONE, NULL },
        { 0, OBS_NET_TIMEOUT, NULL, OBS_METADATA_NONE, NULL },
    };
    static const struct {
        guint status;
        const gchar *body;
        gboolean retry;
    } again[] = {
        { 401, NULL, TRUE }, { 401, "", TRUE }, { 401, "expired", TRUE },
        { 401, "Please configure Cloud Service Agency first", FALSE },
        { 404, NULL, FALSE }, { 200, NULL, FALSE },
    };
    g_autoptr(ObsRequest) put = obs_iam_metadata_token_request(NULL);
    g_autoptr(ObsRequest) v1 = obs_iam_metadata_keys_request(NULL, NULL);
    g_autoptr(ObsRequest) v2 = obs_iam_metadata_keys_request(NULL, "T");
    g_autofree gchar *put_url = obs_url_build(put);
    g_autofree gchar *get_url = obs_url_build(v1);

    g_assert_cmpstr(put_url, ==,
                    "http://169.254.169.254/meta-data/latest/api/token");
    g_assert_cmpint(put->method, ==, OBS_METHOD_PUT);
    g_assert_cmpstr(obs_pairs_get(put->headers,
                                  "X-Metadata-Token-Ttl-Seconds"), ==,
                    "21600");
    g_assert_cmpstr(get_url, ==,
                    "http://169.254.169.254/openstack/latest/securitykey");
    g_assert_cmpuint(v1->headers->len, ==, 0);
    g_assert_cmpstr(obs_pairs_get(v2->headers, "X-Metadata-Token"), ==, "T");

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) response = answer(table[i].status,
                                                 table[i].body, NULL, NULL);
        gchar *token = NULL;

        response->net = table[i].net;
        g_assert_cmpint(obs_iam_metadata_token_parse(response, &token), ==,
                        table[i].version);
        g_assert_cmpstr(token, ==, table[i].token);
        obs_secret_free(token);
    }
    for (guint i = 0; i < G_N_ELEMENTS(again); i++) {
        g_autoptr(ObsResponse) response = answer(again[i].status,
                                                 again[i].body, NULL, NULL);

        g_assert_cmpint(obs_iam_metadata_retry(response), ==,
                        again[i].retry);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/iam/token-request", test_token_request);
    g_test_add_func("/iam/token-request-lacks", test_token_request_lacks);
    g_test_add_func("/iam/token-parse", test_token_parse);
    g_test_add_func("/iam/token-refused", test_token_refused);
    g_test_add_func("/iam/token-odd-ids", test_token_odd_ids);
    g_test_add_func("/iam/keys", test_keys);
    g_test_add_func("/iam/keys-refused", test_keys_refused);
    g_test_add_func("/iam/projects", test_projects);
    g_test_add_func("/iam/metadata", test_metadata);
    return g_test_run();
}
