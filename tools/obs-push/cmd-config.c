/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push config: what would be used, without a secret and without a word
 * to any server. */
#include <stdio.h>

#include "commands.h"
#include "journal.h"
#include "obs-url.h"

static void show(ObsApp *app, const char *name, const char *value)
{
    g_autofree char *safe = obs_format_safe(value ? value : "(not known)");
    JsonObject *detail;

    if (!app->options->json) {
        printf("%-14s %s\n", name, safe);
        return;
    }
    detail = json_object_new();
    json_object_set_string_member(detail, "name", name);
    if (value) {
        json_object_set_string_member(detail, "value", safe);
    }
    obs_event_detail(&app->events, OBS_EVENT_RESULT, "config", detail, "%s",
                     safe);
}

static void show_endpoint(ObsApp *app, const char *name,
                          const ObsEndpoint *endpoint)
{
    g_autofree char *text = endpoint ? obs_url_endpoint_text(endpoint) : NULL;

    show(app, name, text);
}

gboolean obs_cmd_config(ObsApp *app, char **args, GError **error)
{
    g_autofree char *usual = obs_journal_default_dir();
    const ObsLogin *login;

    if (!obs_app_connect(app, 0, error)) {
        return FALSE;
    }
    login = obs_session_login(app->session);
    show(app, "credentials", login->origin);
    show(app, "kind", login->kind == OBS_LOGIN_KEYS
         ? (login->keys->security_token ? "temporary keys" : "keys")
         : login->kind == OBS_LOGIN_PASSWORD ? "user and password"
         : login->kind == OBS_LOGIN_TOKEN ? "token" : "metadata service");
    if (login->keys) {
        show(app, "access key", login->keys->access_key);
    }
    show(app, "cloud", app->endpoints->cloud);
    show(app, "region", app->endpoints->region);
    show_endpoint(app, "object storage", app->endpoints->obs);
    show_endpoint(app, "images", app->endpoints->ims);
    show_endpoint(app, "identity", app->endpoints->iam);
    show(app, "signature", app->options->signature
         ? app->options->signature : "asked of the bucket");
    show(app, "state", app->options->state_dir ? app->options->state_dir
                                               : usual);
    return TRUE;
}
