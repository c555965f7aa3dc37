/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a service said went wrong, whatever the shape.
 */
#include "obs-service-error.h"

#include <string.h>

#include "obs-json.h"
#include "obs-secret.h"
#include "obs-text.h"
#include "obs-xml.h"

#define CODE_MAX 128
#define MESSAGE_MAX 1024
#define ID_MAX 256

void obs_service_error_free(ObsServiceError *error)
{
    if (error) {
        g_free(error->code);
        g_free(error->message);
        g_free(error->request_id);
        g_free(error->host_id);
        g_free(error->endpoint);
        g_free(error->denied);
        g_free(error);
    }
}

/* Cleaned copy; NULL for NULL and for what is empty then. */
static gchar *clean(const gchar *text, gsize max)
{
    g_autofree gchar *out = NULL;

    if (text) {
        out = obs_text_clean(text, -1, max);
    }
    return out && *out ? g_steal_pointer(&out) : NULL;
}

/* Messages of a gateway quote requests, so they may quote tokens, too. */
static gchar *clean_message(const gchar *text)
{
    g_autofree gchar *blotted = NULL;

    if (!text) {
        return NULL;
    }
    blotted = obs_secret_redact_body(text, strlen(text), MESSAGE_MAX);
    return clean(blotted, MESSAGE_MAX);
}

static gboolean from_xml(ObsServiceError *out, const gchar *text,
                         gsize length)
{
    ObsXmlError xml;
    gboolean found = obs_xml_parse_error(text, length, &xml);

    if (found) {
        out->code = clean(xml.code, CODE_MAX);
        out->message = clean_message(xml.message);
        out->request_id = clean(xml.request_id, ID_MAX);
        out->host_id = clean(xml.host_id, ID_MAX);
        out->endpoint = clean(xml.endpoint, ID_MAX);
        if (!out->code) {
            out->code = g_strdup("Error");
        }
    }
    obs_xml_error_clear(&xml);
    return found;
}

/* {"error":{"code","message"}}, {"error_code","error_msg"}, {"code",…} */
static void from_json(ObsServiceError *out, GBytes *body)
{
    static const gchar *const codes[] = { "code", "error_code", NULL };
    static const gchar *const messages[] = {
        "message", "error_msg", "title", NULL,
    };
    g_autoptr(JsonNode) root = obs_json_parse(body, "error answer", NULL);
    JsonObject *top = obs_json_object(root);
    JsonObject *nested = obs_json_get_object(top, "error");
    JsonObject *objects[] = { nested, top };
    const gchar *request_id = obs_json_get_string(top, "request_id");
    const gchar *denied = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(objects); i++) {
        for (guint n = 0; codes[n] && !out->code; n++) {
            g_autofree gchar *text = obs_json_dup_text(objects[i], codes[n]);

            out->code = clean(text, CODE_MAX);
        }
        for (guint n = 0; messages[n] && !out->message; n++) {
            out->message = clean_message(obs_json_get_string(objects[i],
                                                             messages[n]));
        }
        if (!denied) {
            denied = obs_json_get_string(objects[i],
                                         "encoded_authorization_message");
        }
    }
    out->request_id = clean(request_id, ID_MAX);
    out->denied = clean(denied, MESSAGE_MAX);
}

static void from_headers(ObsServiceError *out, const ObsResponse *response)
{
    const gchar *id = obs_response_obs_header(response, "request-id");

    if (!out->code) {
        out->code = clean(obs_response_obs_header(response, "error-code"),
                          CODE_MAX);
    }
    if (!out->message) {
        out->message =
            clean_message(obs_response_obs_header(response,
                                                  "error-message"));
    }
    if (!out->request_id) {
        out->request_id = clean(id ? id : obs_response_header(response,
                                                             "X-Request-Id"),
                                ID_MAX);
    }
    if (!out->host_id) {
        out->host_id = clean(obs_response_obs_header(response, "id-2"),
                             ID_MAX);
    }
}

ObsServiceError *obs_service_error_parse(const ObsResponse *response)
{
    ObsServiceError *out = g_new0(ObsServiceError, 1);
    gboolean success = response->status >= 200 && response->status < 300;
    const gchar *text = NULL;
    gsize length = 0;

    out->status = response->status;
    if (response->body) {
        text = g_bytes_get_data(response->body, &length);
    }
    if (length && !from_xml(out, text, length) && !success) {
        from_json(out, response->body);
    }
    if (!success || out->code) {
        from_headers(out, response);
    }
    return out;
}

/* The usual words for a status, where the service had none of its own. */
static const gchar *status_words(guint status)
{
    static const struct {
        guint status;
        const gchar *words;
    } table[] = {
        { 301, "moved permanently" }, { 302, "redirect" },
        { 307, "temporary redirect" }, { 400, "bad request" },
        { 401, "unauthorized" }, { 403, "forbidden" }, { 404, "not found" },
        { 405, "method not allowed" }, { 408, "request timeout" },
        { 409, "conflict" }, { 411, "length required" },
        { 412, "precondition failed" }, { 413, "too large" },
        { 416, "range not satisfiable" }, { 429, "too many requests" },
        { 500, "internal server error" }, { 502, "bad gateway" },
        { 503, "service unavailable" }, { 504, "gateway timeout" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        if (table[i].status == status) {
            return table[i].words;
        }
    }
    return "unexpected answer";
}

gchar *obs_service_error_text(const ObsServiceError *error)
{
    g_autofree gchar *status = g_strdup_printf("%u", error->status);
    /* IAM's code is the HTTP status once more. */
    const gchar *code = g_strcmp0(error->code, status) ? error->code : NULL;
    GString *out = g_string_new(status);

    if (code) {
        g_string_append_printf(out, " %s", code);
    }
    if (error->message) {
        g_string_append_printf(out, ": %s", error->message);
    } else if (!code) {
        g_string_append_printf(out, " %s", status_words(error->status));
    }
    if (error->request_id) {
        g_string_append_printf(out, " (request %s)", error->request_id);
    }
    return g_string_free(out, FALSE);
}
