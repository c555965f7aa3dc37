/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every command stands on: see app.h. */
#include "app.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "obs-url.h"

#define DEFAULT_PARALLEL 8
#define DEFAULT_CONNECT_TIMEOUT 15
#define DEFAULT_TIMEOUT 60

/* ---- signals and deadline ---- */

static gboolean on_signal(gpointer user_data)
{
    ObsApp *app = user_data;
    g_autoptr(GError) error = NULL;

    if (app->interrupted) {
        /* Twice means now: what is on disk is whole at any moment. */
        obs_progress_clear(app->progress);
        _exit(OBS_ERROR_INTERRUPTED);
    }
    app->interrupted = TRUE;
    if (app->client) {
        error = g_error_new(OBS_ERROR, OBS_ERROR_INTERRUPTED, "interrupted");
        obs_client_stop(app->client, error);
    }
    return G_SOURCE_CONTINUE;
}

gboolean obs_app_interrupted(gpointer data)
{
    ObsApp *app = data;

    /* Work outside of the main loop looks here: let signals come in. */
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    return app->interrupted;
}

static gboolean on_deadline(gpointer user_data)
{
    ObsApp *app = user_data;
    g_autoptr(GError) error =
        g_error_new(OBS_ERROR, OBS_ERROR_DEADLINE,
                    "the deadline of %" G_GINT64_FORMAT " s has passed",
                    app->options->deadline);

    app->deadline_id = 0;
    obs_client_stop(app->client, error);
    return G_SOURCE_REMOVE;
}

/* ---- output ---- */

static void on_log(ObsLogKind kind, const char *text, gpointer data)
{
    ObsApp *app = data;
    static const ObsEventKind kinds[] = {
        [OBS_LOG_REQUEST] = OBS_EVENT_REQUEST,
        [OBS_LOG_RETRY] = OBS_EVENT_RETRY,
        [OBS_LOG_WARNING] = OBS_EVENT_WARNING,
    };

    obs_event_text(&app->events, kinds[kind], "network", "%s", text);
}

ObsApp *obs_app_new(const ObsOptions *options)
{
    ObsApp *app = g_new0(ObsApp, 1);
    ObsRenderMode mode = OBS_RENDER_AUTO;

    if (options->json) {
        mode = OBS_RENDER_JSON;
    } else if (options->quiet) {
        mode = OBS_RENDER_QUIET;
    }
    app->options = options;
    app->progress = obs_progress_new(mode, stdout, stderr, options->verbose);
    app->events.func = obs_progress_event;
    app->events.data = app->progress;
    app->signal_ids[0] = g_unix_signal_add(SIGINT, on_signal, app);
    app->signal_ids[1] = g_unix_signal_add(SIGTERM, on_signal, app);
    return app;
}

void obs_app_free(ObsApp *app)
{
    g_clear_handle_id(&app->signal_ids[0], g_source_remove);
    g_clear_handle_id(&app->signal_ids[1], g_source_remove);
    g_clear_handle_id(&app->deadline_id, g_source_remove);
    g_clear_pointer(&app->session, obs_session_free);
    g_clear_pointer(&app->client, obs_client_free);
    g_clear_pointer(&app->http, obs_http_free);
    g_clear_pointer(&app->endpoints, obs_endpoints_free);
    g_clear_pointer(&app->progress, obs_progress_free);
    g_free(app);
}

/* ---- connecting ---- */

static ObsLogin *find_login(gpointer data, GError **error)
{
    ObsApp *app = data;
    const ObsOptions *o = app->options;
    ObsCredsOptions options = {
        .file = o->credentials_file,
        .profile = o->profile,
        .os_cloud = o->os_cloud,
        .no_metadata = o->no_metadata,
    };

    return obs_login_find(&options, obs_creds_world(), error);
}

static const char *first_of(const char *a, const char *b)
{
    return a ? a : b;
}

static gboolean resolve(ObsApp *app, const ObsLogin *login, ObsNeed need,
                        GError **error)
{
    const ObsOptions *o = app->options;
    ObsEndpointSettings settings = {
        .cloud = o->cloud,
        .cloud_suffix = o->cloud_suffix,
        .region = first_of(o->region, login->region),
        .obs_endpoint = o->endpoint,
        .ims_endpoint = o->ims_endpoint,
        .iam_endpoint = first_of(o->iam_endpoint, login->iam_endpoint),
    };

    /* A cloud named on the command line is meant; obsutil's file is not. */
    if (!settings.obs_endpoint && !o->cloud && !o->cloud_suffix) {
        settings.obs_endpoint = login->obs_endpoint;
    }
    app->endpoints = obs_endpoints_resolve(&settings, error);
    if (!app->endpoints) {
        return FALSE;
    }
    if ((need & OBS_NEED_OBS) && !app->endpoints->obs) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "the address of the object storage is not known; give "
                    "--cloud and --region, or --endpoint");
        return FALSE;
    }
    if ((need & OBS_NEED_IMS) && !app->endpoints->ims) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "the address of the image service is not known; give "
                    "--cloud and --region, or --ims-endpoint");
        return FALSE;
    }
    return TRUE;
}

static gboolean open_http(ObsApp *app, const ObsLogin *login, GError **error)
{
    const ObsOptions *o = app->options;
    ObsHttpConfig config = {
        .ca_file = first_of(o->cacert, login->cacert),
        .connect_timeout = o->connect_timeout ? o->connect_timeout
                                              : DEFAULT_CONNECT_TIMEOUT,
        .stall_timeout = o->timeout ? o->timeout : DEFAULT_TIMEOUT,
        .limit_rate = o->limit_rate,
        .max_connections = o->parallel ? o->parallel : DEFAULT_PARALLEL,
    };

    app->http = obs_http_new(&config, error);
    return app->http != NULL;
}

static ObsSignMethod method_of(const char *name)
{
    ObsSignMethod method = OBS_SIGN_NONE;

    /* Spelled right: obs_options_check() has looked. */
    if (name) {
        obs_sign_method_parse(name, &method);
    }
    return method;
}

static void open_client(ObsApp *app)
{
    const ObsOptions *o = app->options;
    const ObsEndpoint *obs = app->endpoints->obs;
    ObsClientConfig config = {
        .endpoints = app->endpoints,
        .addressing = OBS_ADDRESSING_VIRTUAL,
        .obs_method = method_of(o->signature),
        .sdk_method = method_of(o->ims_signature),
        .retry = obs_retry_default,
        .verbose = o->verbose,
        .log = on_log,
        .log_data = app,
    };

    if (o->path_style || (obs && (obs_url_host_is_address(obs->host) ||
                                  obs_url_host_is_loopback(obs->host)))) {
        config.addressing = OBS_ADDRESSING_PATH;
    }
    if (o->retries) {
        config.retry.max_attempts = o->retries;
    }
    if (o->deadline) {
        config.deadline = g_get_monotonic_time() +
                          o->deadline * G_USEC_PER_SEC;
    }
    app->client = obs_client_new(app->http, &config);
    if (o->deadline) {
        app->deadline_id = g_timeout_add_seconds(o->deadline, on_deadline,
                                                 app);
    }
}

gboolean obs_app_connect(ObsApp *app, ObsNeed need, GError **error)
{
    const ObsOptions *o = app->options;
    g_autoptr(ObsLogin) login = find_login(app, error);
    g_autoptr(ObsEndpoint) metadata = NULL;

    if (!login) {
        return FALSE;
    }
    for (guint i = 0; i < login->notes->len; i++) {
        obs_event_text(&app->events, OBS_EVENT_WARNING, "login", "%s",
                       (const char *)g_ptr_array_index(login->notes, i));
    }
    if (o->metadata_endpoint) {
        metadata = obs_url_parse_endpoint(o->metadata_endpoint,
                                          "--metadata-endpoint", error);
        if (!metadata) {
            return FALSE;
        }
    }
    if (o->project_id) {
        g_free(login->project_id);
        login->project_id = g_strdup(o->project_id);
    }
    if (!resolve(app, login, need, error) || !open_http(app, login, error)) {
        return FALSE;
    }
    open_client(app);
    app->session = obs_session_new(app->client, g_steal_pointer(&login),
                                   metadata, find_login, app);
    return TRUE;
}

gboolean obs_app_probe(ObsApp *app, const char *bucket, GError **error)
{
    return obs_client_probe(app->client, bucket, error);
}
