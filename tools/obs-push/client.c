/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One logical request, from signing to the final verdict: see client.h. */
#include "client.h"

#include <math.h>
#include <string.h>

#include "obs-redirect.h"
#include "obs-secret.h"
#include "obs-url.h"

#define VERBOSE_BODY 2000

struct ObsClient {
    ObsHttp *http;
    ObsClientConfig config;
    ObsSignMethod obs_method;
    ObsSignMethod sdk_method;
    gboolean sdk_fixed;         /* chosen by the user or proven */
    ObsAuthAcquire acquire;
    gpointer provider;
    gboolean renewable;
    char *project_id;
    gint64 clock_offset;        /* seconds to add to the local clock */
    ObsEndpoint *redirected;    /* where OBS sent us; NULL: nowhere */
    ObsAddressing redirected_addressing;
    GQueue calls;               /* ObsCall */
    GError *stopped;
};

struct ObsCall {
    ObsClient *client;
    ObsCallSpec spec;           /* .request owned */
    char *what;
    ObsCallDone done;
    gpointer user_data;
    ObsReply *reply;
    ObsAttempt attempt;
    guint failed;
    guint generation;           /* of the ObsAuth that signed */
    guint stale;                /* generation that the server refused */
    gboolean legacy_tried;
    gboolean used_redirect;
    gboolean translated;
    ObsHttpTransfer *transfer;  /* running attempt */
    guint timer;                /* waiting for the next attempt */
    gboolean acquiring;
    gboolean dead;              /* ended while the provider was at work */
};

static void start_attempt(ObsCall *call);

void obs_reply_free(ObsReply *reply)
{
    if (!reply) {
        return;
    }
    g_clear_pointer(&reply->response, obs_response_free);
    g_clear_pointer(&reply->service_error, obs_service_error_free);
    g_clear_error(&reply->error);
    g_free(reply);
}

gboolean obs_reply_check(const ObsReply *reply, GError **error)
{
    if (reply->verdict == OBS_VERDICT_OK) {
        return TRUE;
    }
    g_propagate_error(error, g_error_copy(reply->error));
    return FALSE;
}

guint obs_reply_status(const ObsReply *reply)
{
    return reply->response && reply->response->net == OBS_NET_OK
           ? reply->response->status : 0;
}

const char *obs_reply_body(const ObsReply *reply, gsize *out_length)
{
    gconstpointer data = NULL;

    *out_length = 0;
    if (reply->response && reply->response->body) {
        data = g_bytes_get_data(reply->response->body, out_length);
    }
    return data ? data : "";
}

/* ---- logging ---- */

static void client_log(ObsClient *client, ObsLogKind kind, const char *text)
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

static void log_request(ObsCall *call, const char *url,
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
    client_log(call->client, OBS_LOG_REQUEST, text->str);
}

static void log_answer(ObsCall *call, const ObsHttpResult *result)
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
    client_log(call->client, OBS_LOG_REQUEST, text->str);
}

/* ---- life of a call ---- */

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

static void call_finish(ObsCall *call, ObsVerdict verdict, GError *error)
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
    call_finish(call, verdict, error);
}

/* Waits as the policy says and tries again, or gives up. */
static void retry_later(ObsCall *call, const ObsOutcome *outcome)
{
    ObsClient *client = call->client;
    ObsResponse *response = call->reply->response;
    g_autofree char *why = NULL;
    g_autofree char *text = NULL;
    gint64 ms = 0;
    ObsDelay delay;

    call->failed++;
    delay = obs_retry_delay(&client->config.retry, call->failed,
                            outcome->slow_down,
                            obs_response_header(response, "Retry-After"),
                            obs_client_now(client), g_random_double(),
                            left_ms(client), &ms);
    if (call->spec.once && delay == OBS_DELAY_WAIT) {
        delay = OBS_DELAY_ATTEMPTS;
    }
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
        call_finish(call, OBS_VERDICT_FATAL,
                    g_error_new(OBS_ERROR, OBS_ERROR_DEADLINE,
                                "%s: the deadline leaves no time for another "
                                "attempt", call->what));
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
                           why, call->failed + 1,
                           client->config.retry.max_attempts, ms / 1000.0);
    client_log(client, OBS_LOG_RETRY, text);
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
        call_finish(call, OBS_VERDICT_FATAL, error);
        return;
    }
    call->attempt.redirects++;
    obs_endpoint_free(request->endpoint);
    request->endpoint = obs_endpoint_copy(endpoint);
    request->addressing = addressing;
    call->used_redirect = TRUE;
    /* Those to come go there at once, instead of sending a part for nothing. */
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
        client_log(client, OBS_LOG_RETRY, "the signature was refused; trying "
                   "its older form with a credential scope");
        start_attempt(call);
        return;
    }
    switch (outcome.verdict) {
    case OBS_VERDICT_OK:
        if (call->spec.request->service == OBS_SERVICE_IMS) {
            client->sdk_fixed = TRUE;
        }
        call_finish(call, OBS_VERDICT_OK, NULL);
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

            client_log(client, OBS_LOG_WARNING, text);
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
    log_answer(call, result);
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
        call_finish(call, OBS_VERDICT_FATAL, error);
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
    log_request(call, url, signature);
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
        call_finish(call, OBS_VERDICT_FATAL, g_error_copy(error));
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
        call_finish(call, OBS_VERDICT_FATAL, g_error_copy(client->stopped));
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

typedef struct {
    ObsReply *reply;
} SyncCall;

static void on_sync_done(ObsReply *reply, gpointer user_data)
{
    ((SyncCall *)user_data)->reply = reply;
}

ObsReply *obs_client_call_sync(ObsClient *client, const ObsCallSpec *spec)
{
    SyncCall sync = { NULL };

    obs_client_call(client, spec, on_sync_done, &sync);
    while (!sync.reply) {
        g_main_context_iteration(NULL, TRUE);
    }
    return sync.reply;
}

/* ---- the client ---- */

gint64 obs_client_now(ObsClient *client)
{
    return g_get_real_time() / G_USEC_PER_SEC + client->clock_offset;
}

ObsHttp *obs_client_http(ObsClient *client)
{
    return client->http;
}

const ObsEndpoints *obs_client_endpoints(ObsClient *client)
{
    return client->config.endpoints;
}

gint64 obs_client_deadline(ObsClient *client)
{
    return client->config.deadline;
}

ObsClient *obs_client_new(ObsHttp *http, const ObsClientConfig *config)
{
    ObsClient *client = g_new0(ObsClient, 1);

    client->http = http;
    client->config = *config;
    client->obs_method = config->obs_method;
    client->sdk_fixed = config->sdk_method != OBS_SIGN_NONE;
    client->sdk_method = client->sdk_fixed ? config->sdk_method : OBS_SIGN_SDK;
    g_queue_init(&client->calls);
    return client;
}

void obs_client_set_auth(ObsClient *client, ObsAuthAcquire acquire,
                         gboolean renewable, gpointer provider)
{
    client->acquire = acquire;
    client->renewable = renewable;
    client->provider = provider;
}

void obs_client_set_project(ObsClient *client, const char *project_id)
{
    g_free(client->project_id);
    client->project_id = g_strdup(project_id);
}

void obs_client_free(ObsClient *client)
{
    g_assert(g_queue_is_empty(&client->calls));
    g_clear_pointer(&client->redirected, obs_endpoint_free);
    g_clear_error(&client->stopped);
    g_free(client->project_id);
    g_free(client);
}

void obs_client_stop(ObsClient *client, const GError *error)
{
    ObsCall *call;

    if (!client->stopped) {
        client->stopped = g_error_copy(error);
    }
    /* Those that are called may start new ones, which end the same way. */
    while ((call = g_queue_peek_head(&client->calls))) {
        call_finish(call, OBS_VERDICT_FATAL, g_error_copy(client->stopped));
    }
}

static gboolean on_waited(gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
    return G_SOURCE_REMOVE;
}

void obs_client_wait(ObsClient *client, guint ms)
{
    gboolean over = FALSE;
    guint id = g_timeout_add(ms, on_waited, &over);

    while (!over && !client->stopped) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (!over) {
        g_source_remove(id);
    }
}

const GError *obs_client_stopped(ObsClient *client)
{
    return client->stopped;
}

ObsRequest *obs_client_request(ObsClient *client, ObsMethod method,
                               const char *bucket, const char *key)
{
    if (client->redirected) {
        return obs_request_new_obs(method, client->redirected,
                                   client->redirected_addressing, bucket, key);
    }
    return obs_request_new_obs(method, client->config.endpoints->obs,
                               client->config.addressing, bucket, key);
}

gboolean obs_client_probe(ObsClient *client, const char *bucket,
                          GError **error)
{
    g_autoptr(ObsReply) reply = NULL;
    ObsCallSpec spec = {
        .what = "ask for the protocol of the bucket",
        .plain = TRUE,
    };
    const char *api;

    if (client->obs_method != OBS_SIGN_NONE) {
        return TRUE;
    }
    spec.request = obs_client_request(client, OBS_METHOD_HEAD, bucket, NULL);
    obs_pairs_add(spec.request->query, "apiversion", NULL);
    reply = obs_client_call_sync(client, &spec);
    if (obs_reply_status(reply) == 0 || obs_reply_status(reply) >= 500 ||
        obs_reply_status(reply) / 100 == 3) {
        return obs_reply_check(reply, error);
    }
    /* Whatever the status is: only the header says OBS. */
    api = obs_response_header(reply->response, "x-obs-api");
    client->obs_method = api && g_ascii_strtod(api, NULL) >= 3.0
                         ? OBS_SIGN_OBS : OBS_SIGN_AWS_V2;
    return TRUE;
}
