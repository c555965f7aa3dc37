/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One call: sign, send, judge, and whatever the verdict asks for, until it is
 * final. What is decided is obs-retry's; this carries it out.
 */
#include "client-private.h"

#include <string.h>

#include "obs-redirect.h"
#include "obs-secret.h"
#include "obs-url.h"

static void start_attempt(ObsCall *call);

static void call_free(ObsCall *call)
{
    if (call->transfer) {
        obs_http_cancel(call->transfer);
    }
    g_clear_handle_id(&call->timer, g_source_remove);
    obs_request_free(call->spec.request);
    obs_reply_free(call->reply);
    g_free(call->what);
    g_free(call);
}

/* The provider still holds the call: it is freed when that answers. */
static void call_release(ObsCall *call)
{
    g_queue_remove(&call->client->calls, call);
    if (call->acquiring) {
        call->dead = TRUE;
        g_clear_handle_id(&call->timer, g_source_remove);
    } else {
        call_free(call);
    }
}

void obs_call_cancel(ObsCall *call)
{
    call_release(call);
}

void obs_call_finish(ObsCall *call, ObsVerdict verdict, GError *error)
{
    ObsReply *reply = g_steal_pointer(&call->reply);
    ObsCallDone done = call->done;
    gpointer user_data = call->user_data;

    reply->verdict = verdict;
    reply->error = error;
    call_release(call);
    done(reply, user_data);
}

static gboolean on_again(gpointer user_data)
{
    ObsCall *call = user_data;

    call->timer = 0;
    start_attempt(call);
    return G_SOURCE_REMOVE;
}

static gint64 left_ms(ObsClient *client)
{
    gint64 left;

    if (!client->config.deadline) {
        return -1;
    }
    left = (client->config.deadline - g_get_monotonic_time()) / 1000;
    return MAX(left, 0);
}

static void fail(ObsCall *call, const ObsOutcome *outcome, ObsVerdict verdict,
                 const char *because)
{
    GError *error;

    if (call->reply->response->net == OBS_NET_ABORTED) {
        error = g_error_new(OBS_ERROR, OBS_ERROR_SOURCE, "%s: %s", call->what,
                            call->reply->response->net_message);
    } else {
        error = obs_retry_error(outcome, call->what, call->reply->response,
                                call->reply->service_error);
        if (because) {
            g_prefix_error(&error, "%s: ", because);
        }
    }
    obs_call_finish(call, verdict, error);
}

/* Waits as the policy says and tries again, or gives up. */
static void retry_later(ObsCall *call, const ObsOutcome *outcome)
{
    ObsClient *client = call->client;
    ObsResponse *response = call->reply->response;
    ObsRetryPolicy policy = client->config.retry;
    g_autofree char *why = NULL;
    g_autofree char *text = NULL;
    gint64 ms = 0;
    ObsDelay delay;

    if (call->spec.max_attempts) {
        policy.max_attempts = MIN(policy.max_attempts,
                                  call->spec.max_attempts);
    }
    call->failed++;
    delay = obs_retry_delay(&policy, call->failed,
                            outcome->slow_down,
                            obs_response_header(response, "Retry-After"),
                            obs_client_now(client), g_random_double(),
                            left_ms(client), &ms);
    switch (delay) {
    case OBS_DELAY_WAIT:
        break;
    case OBS_DELAY_ATTEMPTS:
        why = call->failed > 1
              ? g_strdup_printf("gave up after %u attempts", call->failed)
              : NULL;
        fail(call, outcome, OBS_VERDICT_FATAL, why);
        return;
    case OBS_DELAY_DEADLINE:
        obs_call_finish(call, OBS_VERDICT_FATAL,
                        g_error_new(OBS_ERROR, OBS_ERROR_DEADLINE,
                                    "%s: the deadline leaves no time for "
                                    "another attempt", call->what));
        return;
    case OBS_DELAY_TOO_LONG:
        fail(call, outcome, OBS_VERDICT_FATAL,
             "the server asks to wait longer than makes sense");
        return;
    }
    if (response->net == OBS_NET_OK) {
        why = obs_service_error_text(call->reply->service_error);
    } else {
        why = g_strdup(response->net_message);
    }
    text = g_strdup_printf("%s: %s; attempt %u of %u in %.1f s", call->what,
                           why, call->failed + 1, policy.max_attempts,
                           ms / 1000.0);
    obs_call_log(client, OBS_LOG_RETRY, text);
    call->timer = g_timeout_add(MIN(ms, G_MAXINT), on_again, call);
}

/* A refusal to redirect ends the call: the signature must not go there. */
static void follow_redirect(ObsCall *call, const ObsOutcome *outcome)
{
    ObsClient *client = call->client;
    ObsRequest *request = call->spec.request;
    const char *location = obs_response_header(call->reply->response,
                                               "Location");
    g_autoptr(ObsEndpoint) endpoint = NULL;
    ObsAddressing addressing;
    GError *error = NULL;

    if (!location) {
        fail(call, outcome, OBS_VERDICT_FATAL, NULL);
        return;
    }
    if (!obs_url_redirect(request, location,
                          client->config.endpoints->domain_suffix, &endpoint,
                          &addressing, &error)) {
        g_prefix_error(&error, "%s: ", call->what);
        obs_call_finish(call, OBS_VERDICT_FATAL, error);
        return;
    }
    call->attempt.redirects++;
    obs_endpoint_free(request->endpoint);
    request->endpoint = obs_endpoint_copy(endpoint);
    request->addressing = addressing;
    call->used_redirect = TRUE;
    /* Those to come go there at once, and send no part for nothing. */
    if (request->service == OBS_SERVICE_OBS) {
        g_clear_pointer(&client->redirected, obs_endpoint_free);
        client->redirected = g_steal_pointer(&endpoint);
        client->redirected_addressing = addressing;
    }
    start_attempt(call);
}

/* A place that we were sent to and that does not answer is forgotten. */
static void forget_redirect(ObsCall *call)
{
    ObsClient *client = call->client;
    ObsRequest *request = call->spec.request;

    if (!call->used_redirect || request->service != OBS_SERVICE_OBS) {
        return;
    }
    g_clear_pointer(&client->redirected, obs_endpoint_free);
    obs_endpoint_free(request->endpoint);
    request->endpoint = obs_endpoint_copy(client->config.endpoints->obs);
    request->addressing = client->config.addressing;
    call->used_redirect = FALSE;
}

static gboolean wants_legacy_signature(ObsCall *call)
{
    const ObsRequest *request = call->spec.request;
    const char *code = call->reply->service_error->code;

    return (request->service == OBS_SERVICE_IMS ||
            request->service == OBS_SERVICE_IAM) &&
           !call->client->sdk_fixed && !call->legacy_tried &&
           !call->spec.plain &&
           call->reply->response->status == 401 && code &&
           strcmp(code, "APIGW.0301") == 0;
}

static void judge(ObsCall *call)
{
    ObsClient *client = call->client;
    ObsReply *reply = call->reply;
    ObsResponse *response = reply->response;
    ObsOutcome outcome;
    gint64 offset;

    call->attempt.renewable = client->renewable && !call->spec.plain;
    outcome = obs_retry_judge(&call->attempt, response,
                              reply->service_error);
    if (outcome.slow_down) {
        reply->slowed = TRUE;
    }
    if (outcome.verdict == OBS_VERDICT_FATAL && wants_legacy_signature(call)) {
        call->legacy_tried = TRUE;
        client->sdk_method = OBS_SIGN_SDK_LEGACY;
        obs_call_log(client, OBS_LOG_RETRY, "the signature was refused; "
                     "trying its older form with a credential scope");
        start_attempt(call);
        return;
    }
    switch (outcome.verdict) {
    case OBS_VERDICT_OK:
        if (call->spec.request->service == OBS_SERVICE_IMS) {
            client->sdk_fixed = TRUE;
        }
        obs_call_finish(call, OBS_VERDICT_OK, NULL);
        return;
    case OBS_VERDICT_RETRY:
        if (response->net == OBS_NET_CONNECT) {
            forget_redirect(call);
        }
        retry_later(call, &outcome);
        return;
    case OBS_VERDICT_RETRY_CLOCK:
        if (!obs_retry_clock_offset(obs_response_header(response, "Date"),
                                    g_get_real_time() / G_USEC_PER_SEC,
                                    &offset)) {
            fail(call, &outcome, OBS_VERDICT_FATAL, NULL);
            return;
        }
        if (ABS(offset - client->clock_offset) > 1) {
            g_autofree char *text = g_strdup_printf(
                "this machine's clock is off by %" G_GINT64_FORMAT " s; "
                "signing with the server's time", offset);

            obs_call_log(client, OBS_LOG_WARNING, text);
        }
        client->clock_offset = offset;
        call->attempt.clock_fixed = TRUE;
        start_attempt(call);
        return;
    case OBS_VERDICT_REAUTH:
        call->attempt.reauthenticated = TRUE;
        call->stale = call->generation;
        start_attempt(call);
        return;
    case OBS_VERDICT_REDIRECT:
        follow_redirect(call, &outcome);
        return;
    case OBS_VERDICT_REISSUE:
    case OBS_VERDICT_UNCLEAR:
    case OBS_VERDICT_FATAL:
        /* The older signature form did no better: the first one stands. */
        if (call->legacy_tried) {
            client->sdk_method = OBS_SIGN_SDK;
        }
        fail(call, &outcome, outcome.verdict,
             NULL);
        return;
    }
}

static void on_http_done(ObsHttpResult *result, gpointer user_data)
{
    ObsCall *call = user_data;
    ObsReply *reply = call->reply;

    call->transfer = NULL;
    obs_call_log_answer(call, result);
    g_clear_pointer(&reply->response, obs_response_free);
    g_clear_pointer(&reply->service_error, obs_service_error_free);
    reply->response = g_steal_pointer(&result->response);
    reply->service_error = obs_service_error_parse(reply->response);
    reply->attempts++;
    reply->sent += result->sent;
    judge(call);
}

/* ---- one attempt ---- */

static gboolean sign(ObsCall *call, const ObsAuth *auth,
                     GPtrArray **out_headers, GError **error)
{
    ObsClient *client = call->client;
    ObsRequest *request = call->spec.request;
    ObsSignOptions options = {
        .time = obs_client_now(client),
        .region = client->config.endpoints->region,
    };

    if (call->spec.plain) {
        *out_headers = obs_pairs_new();
        return TRUE;
    }
    if (request->service == OBS_SERVICE_OBS) {
        options.method = client->obs_method ? client->obs_method
                                            : OBS_SIGN_OBS;
        if (!call->translated) {
            obs_sign_translate(request, options.method);
            call->translated = TRUE;
        }
    } else if (auth->token) {
        *out_headers = obs_sign_token_headers(auth->token);
        return TRUE;
    } else {
        options.method = client->sdk_method;
        if (request->service == OBS_SERVICE_IMS) {
            obs_pairs_set(request->headers, "X-Project-Id",
                          client->project_id ? client->project_id
                                             : auth->project_id);
        }
    }
    *out_headers = obs_sign_headers(request, auth->keys, &options, NULL,
                                    error);
    return *out_headers != NULL;
}

static void wipe_lines(GPtrArray *lines)
{
    for (guint i = 0; i < lines->len; i++) {
        obs_secret_wipe_string(g_ptr_array_index(lines, i));
    }
    g_ptr_array_unref(lines);
}

static void add_lines(GPtrArray *lines, const GPtrArray *pairs)
{
    for (guint i = 0; i < pairs->len; i++) {
        const ObsPair *pair = g_ptr_array_index(pairs, i);

        g_ptr_array_add(lines, g_strdup_printf("%s: %s", pair->name,
                                               pair->value));
    }
}

static void send_attempt(ObsCall *call, const ObsAuth *auth)
{
    ObsClient *client = call->client;
    ObsRequest *request = call->spec.request;
    g_autoptr(GPtrArray) signature = NULL;
    GPtrArray *lines;
    g_autofree char *url = NULL;
    g_autoptr(GBytes) empty = NULL;
    ObsHttpRequest http = { 0 };
    GError *error = NULL;

    if (!sign(call, auth, &signature, &error)) {
        g_prefix_error(&error, "%s: ", call->what);
        obs_call_finish(call, OBS_VERDICT_FATAL, error);
        return;
    }
    url = obs_url_build(request);
    lines = g_ptr_array_new();
    add_lines(lines, request->headers);
    add_lines(lines, signature);
    g_ptr_array_add(lines, NULL);

    http.method = obs_method_name(request->method);
    http.url = url;
    http.headers = (const char *const *)lines->pdata;
    http.body = call->spec.body;
    if (request->body) {
        http.body.kind = OBS_BODY_BYTES;
        http.body.bytes = request->body;
    } else if (http.body.kind == OBS_BODY_NONE &&
               (request->method == OBS_METHOD_PUT ||
                request->method == OBS_METHOD_POST)) {
        empty = g_bytes_new_static("", 0);
        http.body.kind = OBS_BODY_BYTES;
        http.body.bytes = empty;
    }
    http.stall_timeout = call->spec.answer_timeout;
    http.total_timeout = call->spec.total_timeout;
    http.fresh_connection = call->spec.repeat == OBS_REPEAT_LOOK_FIRST;
    http.direct = request->service == OBS_SERVICE_METADATA;
    obs_call_log_request(call, url, signature);
    call->transfer = obs_http_start(client->http, &http, on_http_done, call);
    g_ptr_array_set_size(lines, lines->len - 1);
    wipe_lines(lines);
}

static void on_auth(const ObsAuth *auth, const GError *error,
                    gpointer user_data)
{
    ObsCall *call = user_data;

    call->acquiring = FALSE;
    if (call->dead) {
        call_free(call);
        return;
    }
    if (error) {
        obs_call_finish(call, OBS_VERDICT_FATAL, g_error_copy(error));
        return;
    }
    call->generation = auth->generation;
    send_attempt(call, auth);
}

static void start_attempt(ObsCall *call)
{
    ObsClient *client = call->client;
    guint stale = call->stale;
    static const ObsAuth none;

    if (client->stopped) {
        obs_call_finish(call, OBS_VERDICT_FATAL,
                        g_error_copy(client->stopped));
        return;
    }
    if (call->spec.plain) {
        send_attempt(call, &none);
        return;
    }
    call->stale = 0;
    call->acquiring = TRUE;
    client->acquire(client->provider, stale, on_auth, call);
}

ObsCall *obs_client_call(ObsClient *client, const ObsCallSpec *spec,
                         ObsCallDone done, gpointer user_data)
{
    ObsCall *call = g_new0(ObsCall, 1);

    call->client = client;
    call->spec = *spec;
    call->what = g_strdup(spec->what);
    call->spec.what = call->what;
    call->done = done;
    call->user_data = user_data;
    call->reply = g_new0(ObsReply, 1);
    call->attempt.service = spec->request->service;
    call->attempt.repeat = spec->repeat;
    call->attempt.part_of_upload = spec->part_of_upload;
    call->attempt.head = spec->request->method == OBS_METHOD_HEAD;
    if (client->redirected && spec->request->service == OBS_SERVICE_OBS) {
        call->used_redirect = TRUE;
    }
    g_queue_push_tail(&client->calls, call);
    /* From the loop, so that nobody is called back before we return. */
    call->timer = g_idle_add_full(G_PRIORITY_DEFAULT, on_again, call, NULL);
    return call;
}
