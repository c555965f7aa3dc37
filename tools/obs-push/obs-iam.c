/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging in over the network, as pairs of pure functions: build the request,
 * parse the answer.
 */
#include "obs-iam.h"

#include <string.h>

#include "obs-json.h"
#include "obs-secret.h"
#include "obs-service-error.h"
#include "obs-time.h"

#define METADATA_TOKEN_SECONDS "21600"

void obs_token_free(ObsToken *token)
{
    if (token) {
        obs_secret_free(token->token);
        g_free(token->project_id);
        g_free(token->project_name);
        g_free(token);
    }
}

/* What goes into a URL path or a header: ids and names without surprises. */
static gboolean plain_id(const gchar *text)
{
    if (!text || !*text || strlen(text) > 128) {
        return FALSE;
    }
    for (const gchar *p = text; *p; p++) {
        if (!g_ascii_isalnum(*p) && *p != '-' && *p != '_') {
            return FALSE;
        }
    }
    return TRUE;
}

/* Secrets go into a header: printable, without spaces, of sane length. */
static gboolean plain_secret(const gchar *text)
{
    gsize length = text ? strlen(text) : 0;

    if (length == 0 || length > 64 * 1024) {
        return FALSE;
    }
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isgraph(text[i])) {
            return FALSE;
        }
    }
    return TRUE;
}

/* The answer as a GError, unless it has @status. */
static gboolean check_status(const ObsResponse *response, guint status,
                             const gchar *what, GError **error)
{
    g_autoptr(ObsServiceError) service = NULL;
    g_autofree gchar *text = NULL;

    if (response->net == OBS_NET_OK && response->status == status) {
        return TRUE;
    }
    if (response->net != OBS_NET_OK) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS, "%s: %s", what,
                    response->net_message ? response->net_message
                                          : "no answer");
        return FALSE;
    }
    service = obs_service_error_parse(response);
    text = obs_service_error_text(service);
    g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS, "%s: %s", what,
                text);
    return FALSE;
}

/* ------------------------------------------------------------------------ */
/* Tokens */

static void add_name(JsonBuilder *builder, const gchar *member,
                     const gchar *value)
{
    json_builder_set_member_name(builder, member);
    json_builder_add_string_value(builder, value);
}

static void begin(JsonBuilder *builder, const gchar *member)
{
    json_builder_set_member_name(builder, member);
    json_builder_begin_object(builder);
}

static void add_domain(JsonBuilder *builder, const gchar *name,
                       const gchar *id)
{
    begin(builder, "domain");
    add_name(builder, id ? "id" : "name", id ? id : name);
    json_builder_end_object(builder);
}

static void add_identity(JsonBuilder *builder, const ObsLogin *login)
{
    gboolean password = login->kind == OBS_LOGIN_PASSWORD;

    begin(builder, "identity");
    json_builder_set_member_name(builder, "methods");
    json_builder_begin_array(builder);
    json_builder_add_string_value(builder, password ? "password" : "token");
    if (password && login->passcode) {
        json_builder_add_string_value(builder, "totp");
    }
    json_builder_end_array(builder);
    if (!password) {
        begin(builder, "token");
        add_name(builder, "id", login->token);
        json_builder_end_object(builder);
        json_builder_end_object(builder);
        return;
    }
    begin(builder, "password");
    begin(builder, "user");
    if (login->user_id) {
        add_name(builder, "id", login->user_id);
    } else {
        add_name(builder, "name", login->user_name);
        add_domain(builder, login->user_domain_name, login->user_domain_id);
    }
    add_name(builder, "password", login->password);
    json_builder_end_object(builder);
    json_builder_end_object(builder);
    if (login->passcode) {
        begin(builder, "totp");
        begin(builder, "user");
        add_name(builder, "id", login->user_id);
        add_name(builder, "passcode", login->passcode);
        json_builder_end_object(builder);
        json_builder_end_object(builder);
    }
    json_builder_end_object(builder);
}

static void add_scope(JsonBuilder *builder, const ObsLogin *login,
                      const gchar *region)
{
    begin(builder, "scope");
    begin(builder, "project");
    if (login->project_id) {
        add_name(builder, "id", login->project_id);
    } else {
        add_name(builder, "name",
                 login->project_name ? login->project_name : region);
        /* Keystone insists on it; IAM takes the user's account without. */
        if (login->project_domain_name || login->project_domain_id) {
            add_domain(builder, login->project_domain_name,
                       login->project_domain_id);
        }
    }
    json_builder_end_object(builder);
    json_builder_end_object(builder);
}

/* NULL if a token can be asked for, else what is missing. */
static const gchar *missing(const ObsLogin *login, const gchar *region)
{
    if (login->kind == OBS_LOGIN_TOKEN) {
        if (!login->token) {
            return "the token is missing";
        }
    } else if (login->kind != OBS_LOGIN_PASSWORD || !login->password) {
        return "the password is missing";
    } else if (!login->user_id && !login->user_name) {
        return "the user is missing: set OS_USERNAME";
    } else if (!login->user_id && !login->user_domain_name &&
               !login->user_domain_id) {
        return "the account of the user is missing: set OS_USER_DOMAIN_NAME";
    } else if (login->passcode && !login->user_id) {
        return "a one-time code needs the user's id: set OS_USER_ID";
    }
    if (!login->project_id && !login->project_name && !region) {
        return "the project is missing: give --region or OS_PROJECT_NAME";
    }
    return NULL;
}

static gchar *json_text(JsonBuilder *builder)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = json_builder_get_root(builder);

    json_generator_set_root(generator, root);
    return json_generator_to_data(generator, NULL);
}

ObsRequest *obs_iam_token_request(const ObsEndpoint *iam,
                                  const ObsLogin *login, const gchar *region,
                                  GError **error)
{
    const gchar *problem = missing(login, region);
    g_autoptr(JsonBuilder) builder = NULL;
    ObsRequest *request;
    gchar *json;

    if (problem) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                    "can't log in with %s: %s", login->origin, problem);
        return NULL;
    }
    builder = json_builder_new();
    json_builder_begin_object(builder);
    begin(builder, "auth");
    add_identity(builder, login);
    add_scope(builder, login, region);
    json_builder_end_object(builder);
    json_builder_end_object(builder);
    json = json_text(builder);

    request = obs_request_new_path(OBS_METHOD_POST, OBS_SERVICE_IAM, iam,
                                   "/v3/auth/tokens");
    /* Without the catalogue of services, which may be very long. */
    obs_pairs_add(request->query, "nocatalog", "true");
    obs_request_set_json(request, json);
    obs_secret_wipe_string(json);
    return request;
}

ObsToken *obs_iam_token_parse(const ObsResponse *response, GError **error)
{
    const gchar *text = obs_response_header(response, "X-Subject-Token");
    g_autoptr(JsonNode) root = NULL;
    g_autoptr(ObsToken) token = NULL;
    JsonObject *body, *project;
    const gchar *id;

    if (!check_status(response, 201, "IAM refuses the login", error)) {
        return NULL;
    }
    if (!plain_secret(text)) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                            "IAM's answer has no usable X-Subject-Token");
        return NULL;
    }
    root = obs_json_parse(response->body, "IAM's token answer", error);
    if (!root) {
        return NULL;
    }
    body = obs_json_get_object(obs_json_object(root), "token");
    project = obs_json_get_object(body, "project");
    token = g_new0(ObsToken, 1);
    token->token = obs_secret_dup(text, -1);
    obs_time_parse_iso(obs_json_get_string(body, "expires_at"),
                       &token->expires_at);
    id = obs_json_get_string(project, "id");
    token->project_id = plain_id(id) ? g_strdup(id) : NULL;
    token->project_name = g_strdup(obs_json_get_string(project, "name"));
    return g_steal_pointer(&token);
}

/* ------------------------------------------------------------------------ */
/* Temporary keys */

ObsRequest *obs_iam_keys_request(const ObsEndpoint *iam, const gchar *token,
                                 guint seconds)
{
    ObsRequest *request =
        obs_request_new_path(OBS_METHOD_POST, OBS_SERVICE_IAM, iam,
                             "/v3.0/OS-CREDENTIAL/securitytokens");
    g_autofree gchar *json = g_strdup_printf(
        "{\"auth\":{\"identity\":{\"methods\":[\"token\"],"
        "\"token\":{\"duration_seconds\":%u}}}}", CLAMP(seconds, 900, 86400));

    obs_request_set_json(request, json);
    obs_pairs_add(request->headers, "X-Auth-Token", token);
    return request;
}

ObsCredentials *obs_iam_keys_parse(const ObsResponse *response,
                                   GError **error)
{
    g_autoptr(JsonNode) root = NULL;
    JsonObject *credential;
    const gchar *access, *secret, *token;
    gint64 expires = 0;

    /* IAM creates them (201), the metadata service shows them (200). */
    if (response->status != 200 &&
        !check_status(response, 201, "no temporary keys", error)) {
        return NULL;
    }
    root = obs_json_parse(response->body, "the answer with temporary keys",
                          error);
    if (!root) {
        return NULL;
    }
    credential = obs_json_get_object(obs_json_object(root), "credential");
    access = obs_json_get_string(credential, "access");
    secret = obs_json_get_string(credential, "secret");
    token = obs_json_get_string(credential, "securitytoken");
    if (!plain_secret(access) || !plain_secret(secret) ||
        !plain_secret(token)) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                            "the answer with temporary keys lacks access, "
                            "secret or securitytoken");
        return NULL;
    }
    if (!obs_time_parse_iso(obs_json_get_string(credential, "expires_at"),
                            &expires)) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                            "the answer with temporary keys does not say "
                            "when they expire");
        return NULL;
    }
    return obs_credentials_new(access, secret, token, expires);
}

/* ------------------------------------------------------------------------ */
/* Projects */

ObsRequest *obs_iam_project_request(const ObsEndpoint *iam, const gchar *name)
{
    ObsRequest *request = obs_request_new_path(OBS_METHOD_GET,
                                               OBS_SERVICE_IAM, iam,
                                               "/v3/projects");

    obs_pairs_add(request->query, "name", name);
    return request;
}

gchar *obs_iam_project_parse(const ObsResponse *response, const gchar *name,
                             GError **error)
{
    g_autoptr(JsonNode) root = NULL;
    JsonArray *projects;

    if (!check_status(response, 200, "can't look up the project", error) ||
        !(root = obs_json_parse(response->body, "IAM's list of projects",
                                error))) {
        return NULL;
    }
    projects = obs_json_get_array(obs_json_object(root), "projects");
    for (guint i = 0; projects && i < json_array_get_length(projects); i++) {
        JsonObject *project =
            obs_json_object(json_array_get_element(projects, i));
        const gchar *id = obs_json_get_string(project, "id");

        if (plain_id(id) &&
            g_strcmp0(obs_json_get_string(project, "name"), name) == 0) {
            return g_strdup(id);
        }
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                "the account has no project \"%s\": check --region, or give "
                "--project-id", name);
    return NULL;
}

/* ------------------------------------------------------------------------ */
/* Metadata service */

static ObsRequest *metadata_request(ObsMethod method,
                                    const ObsEndpoint *endpoint,
                                    const gchar *path)
{
    const ObsEndpoint usual = {
        .https = FALSE, .host = (gchar *)OBS_METADATA_HOST,
    };

    return obs_request_new_path(method, OBS_SERVICE_METADATA,
                                endpoint ? endpoint : &usual, path);
}

ObsRequest *obs_iam_metadata_token_request(const ObsEndpoint *endpoint)
{
    ObsRequest *request = metadata_request(OBS_METHOD_PUT, endpoint,
                                           "/meta-data/latest/api/token");

    obs_pairs_add(request->headers, "X-Metadata-Token-Ttl-Seconds",
                  METADATA_TOKEN_SECONDS);
    return request;
}

ObsMetadataVersion obs_iam_metadata_token_parse(const ObsResponse *response,
                                                gchar **out_token)
{
    const gchar *text = NULL;
    gchar *token;
    gsize length = 0;

    if (response->net != OBS_NET_OK) {
        return OBS_METADATA_NONE;
    }
    if (response->status == 404 || response->status == 405 ||
        response->status == 503) {
        return OBS_METADATA_V1;
    }
    if (response->status != 200 || !response->body) {
        return OBS_METADATA_NONE;
    }
    text = g_bytes_get_data(response->body, &length);
    while (length && g_ascii_isspace(text[length - 1])) {
        length--;
    }
    token = obs_secret_dup(length ? text : "", (gssize)length);
    if (strlen(token) != length || !plain_secret(token)) {
        obs_secret_free(token);
        return OBS_METADATA_NONE;
    }
    *out_token = token;
    return OBS_METADATA_V2;
}

ObsRequest *obs_iam_metadata_keys_request(const ObsEndpoint *endpoint,
                                          const gchar *session_token)
{
    ObsRequest *request = metadata_request(OBS_METHOD_GET, endpoint,
                                           "/openstack/latest/securitykey");

    if (session_token) {
        obs_pairs_add(request->headers, "X-Metadata-Token", session_token);
    }
    return request;
}

gboolean obs_iam_metadata_retry(const ObsResponse *response)
{
    static const gchar no_agency[] = "configure Cloud Service Agency first";
    const gchar *text;
    gsize length;

    if (response->net != OBS_NET_OK || response->status != 401) {
        return FALSE;
    }
    if (!response->body) {
        return TRUE;
    }
    text = g_bytes_get_data(response->body, &length);
    return !length || !g_strstr_len(text, (gssize)length, no_agency);
}
