/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What -v shows of requests and answers: everything but secrets. */
#include "client-private.h"

#include <string.h>

#include "obs-secret.h"

#define VERBOSE_BODY 2000

void obs_call_log(ObsClient *client, ObsLogKind kind, const char *text)
{
    if (client->config.log) {
        client->config.log(kind, text, client->config.log_data);
    }
}

static void log_headers(GString *text, const char *mark,
                        const GPtrArray *headers)
{
    for (guint i = 0; headers && i < headers->len; i++) {
        const ObsPair *pair = g_ptr_array_index(headers, i);
        g_autofree char *line = obs_secret_redact_header(pair->name,
                                                         pair->value);

        g_string_append_printf(text, "\n%s %s", mark, line);
    }
}

static void log_body(GString *text, const char *mark, GBytes *body)
{
    gsize length;
    const char *data;
    g_autofree char *shown = NULL;

    if (!body || !(data = g_bytes_get_data(body, &length)) || !length) {
        return;
    }
    shown = obs_secret_redact_body(data, length, VERBOSE_BODY);
    g_string_append_printf(text, "\n%s %s", mark, shown);
}

void obs_call_log_request(ObsCall *call, const char *url,
                          const GPtrArray *signature)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *shown = NULL;

    if (!call->client->config.verbose) {
        return;
    }
    shown = obs_secret_redact_url(url);
    g_string_printf(text, "> %s %s  (%s)",
                    obs_method_name(call->spec.request->method), shown,
                    call->what);
    log_headers(text, ">  ", call->spec.request->headers);
    log_headers(text, ">  ", signature);
    log_body(text, ">  ", call->spec.request->body);
    obs_call_log(call->client, OBS_LOG_REQUEST, text->str);
}

void obs_call_log_answer(ObsCall *call, const ObsHttpResult *result)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const ObsResponse *response = result->response;
    const char *type;

    if (!call->client->config.verbose) {
        return;
    }
    if (response->net != OBS_NET_OK) {
        g_string_printf(text, "< no answer: %s  (%s)", response->net_message,
                        call->what);
    } else {
        g_string_printf(text, "< %u  (%s)", response->status, call->what);
        log_headers(text, "<  ", response->headers);
        type = obs_response_header(response, "Content-Type");
        if (response->status >= 300 ||
            (type && (strstr(type, "xml") || strstr(type, "json")))) {
            log_body(text, "<  ", response->body);
        }
    }
    obs_call_log(call->client, OBS_LOG_REQUEST, text->str);
}
