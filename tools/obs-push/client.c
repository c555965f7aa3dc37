/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client that calls share, and calls that are waited for: see client.h. */
#include "client-private.h"

/* The first word to a server: a wrong address should not take minutes. */
#define PROBE_ATTEMPTS 5

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
        obs_call_finish(call, OBS_VERDICT_FATAL,
                        g_error_copy(client->stopped));
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
        .max_attempts = PROBE_ATTEMPTS,
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
