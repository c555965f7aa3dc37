/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys in good time: see session.h. */
#include "session.h"

#include <string.h>

#include "obs-iam.h"
#include "obs-secret.h"

/* Life of temporary keys: several hours of upload without a renewal, and
 * still not worth much to a thief tomorrow. */
#define KEYS_SECONDS (4 * 3600)
/* A token is renewed when this little of it is left. */
#define TOKEN_MARGIN 600

typedef struct {
    ObsAuthReady ready;
    gpointer user_data;
} Waiter;

struct ObsSession {
    ObsClient *client;
    ObsLogin *login;
    ObsEndpoint *metadata;
    ObsSessionFind find;
    gpointer find_data;
    ObsAuth auth;
    gint64 issued_at;           /* of auth.keys, epoch seconds */
    gint64 token_expires_at;    /* of auth.token, 0: not known */
    char *metadata_token;
    gboolean metadata_retried;
    GBytes *secret_body;        /* of the request under way, to be wiped */
    ObsCall *call;              /* the one step of a renewal under way */
    GQueue waiters;             /* Waiter */
};

static void ask_token(ObsSession *s);
static void ask_keys(ObsSession *s);

/* ---- the end of a renewal ---- */

static void answer_waiters(ObsSession *s, const GError *error)
{
    GQueue waiters = s->waiters;
    Waiter *w;

    g_queue_init(&s->waiters);
    while ((w = g_queue_pop_head(&waiters))) {
        w->ready(error ? NULL : &s->auth, error, w->user_data);
        g_free(w);
    }
}

static void renewal_failed(ObsSession *s, GError *error)
{
    gint64 now = obs_client_now(s->client);

    /* Early renewal is a courtesy: what still holds is good enough. */
    if (s->auth.keys && !obs_client_stopped(s->client) &&
        (!s->auth.keys->expires_at || s->auth.keys->expires_at > now + 30)) {
        answer_waiters(s, NULL);
    } else {
        answer_waiters(s, error);
    }
    g_error_free(error);
}

static void take_keys(ObsSession *s, ObsCredentials *keys)
{
    g_clear_pointer(&s->auth.keys, obs_credentials_unref);
    s->auth.keys = keys;
    s->auth.generation++;
    s->issued_at = obs_client_now(s->client);
    answer_waiters(s, NULL);
}

/* ---- the steps ---- */

static void send_step(ObsSession *s, ObsRequest *request, const char *what,
                      gboolean short_wait, ObsCallDone done)
{
    ObsCallSpec spec = {
        .request = request,
        .what = what,
        .plain = TRUE,
        .max_attempts = short_wait ? 1 : 0,
        .total_timeout = short_wait ? OBS_METADATA_TIMEOUT_SECONDS : 0,
    };

    g_clear_pointer(&s->secret_body, obs_secret_wipe_bytes);
    if (request->body) {
        s->secret_body = g_bytes_ref(request->body);
    }
    s->call = obs_client_call(s->client, &spec, done, s);
}

/* FALSE: the step has failed and the waiters know. */
static gboolean step_ok(ObsSession *s, ObsReply *reply)
{
    s->call = NULL;
    g_clear_pointer(&s->secret_body, obs_secret_wipe_bytes);
    if (reply->verdict != OBS_VERDICT_OK) {
        GError *error = g_error_copy(reply->error);

        if (error->code == OBS_ERROR_FAILED) {
            error->code = OBS_ERROR_CREDENTIALS;
        }
        renewal_failed(s, error);
        return FALSE;
    }
    return TRUE;
}

static void on_keys(ObsReply *r, gpointer user_data)
{
    g_autoptr(ObsReply) reply = r;
    ObsSession *s = user_data;
    ObsCredentials *keys;
    GError *error = NULL;

    if (!step_ok(s, reply)) {
        return;
    }
    keys = obs_iam_keys_parse(reply->response, &error);
    if (!keys) {
        renewal_failed(s, error);
        return;
    }
    take_keys(s, keys);
}

static void ask_keys(ObsSession *s)
{
    send_step(s, obs_iam_keys_request(obs_client_endpoints(s->client)->iam,
                                      s->auth.token, KEYS_SECONDS),
              "get temporary keys from IAM", FALSE, on_keys);
}

static void on_token(ObsReply *r, gpointer user_data)
{
    g_autoptr(ObsReply) reply = r;
    ObsSession *s = user_data;
    g_autoptr(ObsToken) token = NULL;
    GError *error = NULL;

    if (!step_ok(s, reply)) {
        return;
    }
    token = obs_iam_token_parse(reply->response, &error);
    if (!token) {
        renewal_failed(s, error);
        return;
    }
    obs_secret_free(s->auth.token);
    s->auth.token = g_steal_pointer(&token->token);
    s->token_expires_at = token->expires_at;
    if (token->project_id) {
        g_free(s->auth.project_id);
        s->auth.project_id = g_strdup(token->project_id);
    }
    ask_keys(s);
}

static void ask_token(ObsSession *s)
{
    const ObsEndpoints *ends = obs_client_endpoints(s->client);
    GError *error = NULL;
    ObsRequest *request = obs_iam_token_request(ends->iam, s->login,
                                                ends->region, &error);

    if (!request) {
        renewal_failed(s, error);
        return;
    }
    send_step(s, request, "log in to IAM", FALSE, on_token);
}

static void ask_metadata(ObsSession *s);

static void on_metadata_keys(ObsReply *r, gpointer user_data)
{
    ObsSession *s = user_data;

    if (obs_reply_status(r) == 401 && obs_iam_metadata_retry(r->response) &&
        !s->metadata_retried) {
        s->metadata_retried = TRUE;
        s->call = NULL;
        obs_reply_free(r);
        ask_metadata(s);
        return;
    }
    if (obs_reply_status(r) == 401 && !obs_iam_metadata_retry(r->response)) {
        s->call = NULL;
        obs_reply_free(r);
        renewal_failed(s, g_error_new(OBS_ERROR, OBS_ERROR_CREDENTIALS,
                       "the metadata service has no keys because no agency "
                       "is bound to this machine; bind one that may use OBS "
                       "and IMS, or set OBS_ACCESS_KEY_ID and "
                       "OBS_SECRET_ACCESS_KEY"));
        return;
    }
    on_keys(r, s);
}

static void on_metadata_token(ObsReply *r, gpointer user_data)
{
    g_autoptr(ObsReply) reply = r;
    ObsSession *s = user_data;
    ObsMetadataVersion version = OBS_METADATA_NONE;

    s->call = NULL;
    g_clear_pointer(&s->metadata_token, obs_secret_free);
    if (reply->response) {
        version = obs_iam_metadata_token_parse(reply->response,
                                               &s->metadata_token);
    }
    if (version == OBS_METADATA_NONE) {
        renewal_failed(s, g_error_new(OBS_ERROR, OBS_ERROR_CREDENTIALS,
                       "no credentials found (%s; metadata service: gives "
                       "none): set OBS_ACCESS_KEY_ID and "
                       "OBS_SECRET_ACCESS_KEY",
                       s->login->looked_at));
        return;
    }
    send_step(s, obs_iam_metadata_keys_request(s->metadata,
                                               s->metadata_token),
              "get keys from the metadata service", TRUE, on_metadata_keys);
}

static void ask_metadata(ObsSession *s)
{
    send_step(s, obs_iam_metadata_token_request(s->metadata),
              "ask the metadata service", TRUE, on_metadata_token);
}

/* Keys given by the user have run out: perhaps there are new ones. */
static void find_again(ObsSession *s)
{
    g_autoptr(ObsLogin) login = NULL;
    GError *error = NULL;

    login = s->find ? s->find(s->find_data, &error) : NULL;
    if (!login || login->kind != OBS_LOGIN_KEYS ||
        strcmp(login->keys->secret_key, s->auth.keys->secret_key) == 0) {
        g_clear_error(&error);
        renewal_failed(s, g_error_new(OBS_ERROR, OBS_ERROR_CREDENTIALS,
                       "the temporary keys from %s have run out; get new ones "
                       "and run the same command again", s->login->origin));
        return;
    }
    take_keys(s, obs_credentials_ref(login->keys));
}

static void renew(ObsSession *s, gboolean refused)
{
    gint64 now = obs_client_now(s->client);
    const ObsEndpoints *ends = obs_client_endpoints(s->client);

    if (refused) {
        /* Whatever made it stale is not reused. */
        g_clear_pointer(&s->metadata_token, obs_secret_free);
        s->token_expires_at = 1;
        if (s->auth.keys) {
            ObsCredentials *old = s->auth.keys;

            s->auth.keys = obs_credentials_new(old->access_key,
                                               old->secret_key,
                                               old->security_token, 1);
            obs_credentials_unref(old);
        }
    }
    if ((s->login->kind == OBS_LOGIN_PASSWORD ||
         s->login->kind == OBS_LOGIN_TOKEN) && !ends->iam) {
        renewal_failed(s, g_error_new(OBS_ERROR, OBS_ERROR_USAGE,
                       "the address of IAM is not known; give --iam-endpoint, "
                       "or --cloud and --region"));
        return;
    }
    switch (s->login->kind) {
    case OBS_LOGIN_KEYS:
        if (!s->auth.keys) {
            take_keys(s, obs_credentials_ref(s->login->keys));
        } else {
            find_again(s);
        }
        return;
    case OBS_LOGIN_PASSWORD:
        if (s->auth.token && (!s->token_expires_at ||
                              s->token_expires_at > now + TOKEN_MARGIN)) {
            ask_keys(s);
        } else {
            ask_token(s);
        }
        return;
    case OBS_LOGIN_TOKEN:
        if (!s->auth.token) {
            s->auth.token = obs_secret_dup(s->login->token, -1);
        }
        ask_keys(s);
        return;
    case OBS_LOGIN_METADATA:
        s->metadata_retried = FALSE;
        ask_metadata(s);
        return;
    }
}

static gboolean due(ObsSession *s)
{
    gint64 now = obs_client_now(s->client);

    if (!s->auth.keys) {
        return TRUE;
    }
    if (s->login->kind == OBS_LOGIN_KEYS) {
        return FALSE;           /* the server says when they have run out */
    }
    if (s->login->kind == OBS_LOGIN_PASSWORD && s->token_expires_at &&
        s->token_expires_at <= now + TOKEN_MARGIN) {
        return TRUE;
    }
    return obs_credentials_due(s->auth.keys, s->issued_at, now);
}

static void acquire(gpointer provider, guint stale, ObsAuthReady ready,
                    gpointer user_data)
{
    ObsSession *s = provider;
    gboolean refused = stale && stale == s->auth.generation;
    gboolean running = !g_queue_is_empty(&s->waiters);
    Waiter *w;

    if (!refused && !due(s)) {
        ready(&s->auth, NULL, user_data);
        return;
    }
    w = g_new(Waiter, 1);
    w->ready = ready;
    w->user_data = user_data;
    g_queue_push_tail(&s->waiters, w);
    if (!running) {
        renew(s, refused);
    }
}

/* ---- the session ---- */

ObsSession *obs_session_new(ObsClient *client, ObsLogin *login,
                            const ObsEndpoint *metadata,
                            ObsSessionFind find, gpointer find_data)
{
    ObsSession *s = g_new0(ObsSession, 1);
    gboolean renewable;

    s->client = client;
    s->login = login;
    s->metadata = metadata ? obs_endpoint_copy(metadata) : NULL;
    s->find = find;
    s->find_data = find_data;
    g_queue_init(&s->waiters);
    if (login->project_id) {
        s->auth.project_id = g_strdup(login->project_id);
    }
    renewable = login->kind != OBS_LOGIN_KEYS ||
                (login->keys->security_token && find);
    obs_client_set_auth(client, acquire, renewable, s);
    return s;
}

void obs_session_free(ObsSession *s)
{
    if (s->call) {
        obs_call_cancel(s->call);
    }
    g_queue_clear_full(&s->waiters, g_free);
    g_clear_pointer(&s->secret_body, obs_secret_wipe_bytes);
    g_clear_pointer(&s->auth.keys, obs_credentials_unref);
    g_clear_pointer(&s->auth.token, obs_secret_free);
    g_clear_pointer(&s->metadata_token, obs_secret_free);
    g_free(s->auth.project_id);
    g_clear_pointer(&s->metadata, obs_endpoint_free);
    obs_login_free(s->login);
    g_free(s);
}

const ObsLogin *obs_session_login(const ObsSession *s)
{
    return s->login;
}

typedef struct {
    gboolean done;
    GError *error;
} LogIn;

static void on_logged_in(const ObsAuth *auth, const GError *error,
                         gpointer user_data)
{
    LogIn *log_in = user_data;

    log_in->done = TRUE;
    log_in->error = error ? g_error_copy(error) : NULL;
}

gboolean obs_session_log_in(ObsSession *s, GError **error)
{
    LogIn log_in = { FALSE, NULL };

    acquire(s, 0, on_logged_in, &log_in);
    while (!log_in.done) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (log_in.error) {
        g_propagate_error(error, log_in.error);
        return FALSE;
    }
    return TRUE;
}

const char *obs_session_project(ObsSession *s, GError **error)
{
    const ObsEndpoints *ends = obs_client_endpoints(s->client);
    const char *name = s->login->project_name ? s->login->project_name
                                              : ends->region;
    g_autoptr(ObsReply) reply = NULL;
    ObsCallSpec spec = { .what = "look up the project of the region" };

    if (!obs_session_log_in(s, error)) {
        return NULL;
    }
    if (s->auth.project_id) {
        obs_client_set_project(s->client, s->auth.project_id);
        return s->auth.project_id;
    }
    if (!ends->iam || !name) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "the project id is not known; give --project-id, or "
                    "--region and --cloud (or --iam-endpoint) so that IAM can "
                    "be asked");
        return NULL;
    }
    spec.request = obs_iam_project_request(ends->iam, name);
    reply = obs_client_call_sync(s->client, &spec);
    if (!obs_reply_check(reply, error)) {
        return NULL;
    }
    s->auth.project_id = obs_iam_project_parse(reply->response, name, error);
    if (s->auth.project_id) {
        obs_client_set_project(s->client, s->auth.project_id);
    }
    return s->auth.project_id;
}
