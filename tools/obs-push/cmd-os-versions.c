/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push os-versions: what --os-version may say. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "imaging.h"

static gboolean contains(const char *text, const char *part)
{
    g_autofree char *a = g_utf8_casefold(text, -1);
    g_autofree char *b = g_utf8_casefold(part, -1);

    return strstr(a, b) != NULL;
}

gboolean obs_cmd_os_versions(ObsApp *app, char **args, GError **error)
{
    g_autoptr(GPtrArray) versions = NULL;
    guint shown = 0;

    if (!obs_app_connect(app, OBS_NEED_IMS, error) ||
        !obs_session_project(app->session, error)) {
        return FALSE;
    }
    versions = obs_imaging_os_versions(app->client,
                                       app->options->architecture, error);
    if (!versions) {
        return FALSE;
    }
    for (guint i = 0; i < versions->len; i++) {
        const ObsOsVersion *v = g_ptr_array_index(versions, i);
        g_autofree char *safe = NULL;

        if (args[0] && !contains(v->os_version, args[0])) {
            continue;
        }
        shown++;
        if (app->options->json) {
            JsonObject *detail = json_object_new();

            json_object_set_string_member(detail, "os_version",
                                          v->os_version);
            if (v->platform) {
                json_object_set_string_member(detail, "platform",
                                              v->platform);
            }
            if (v->os_type) {
                json_object_set_string_member(detail, "os_type", v->os_type);
            }
            obs_event_detail(&app->events, OBS_EVENT_RESULT, "os-version",
                             detail, "%s", v->os_version);
            continue;
        }
        safe = obs_format_safe(v->os_version);
        printf("%s\n", safe);
    }
    if (!shown && args[0]) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "no operating system of the list contains \"%s\"",
                    args[0]);
        return FALSE;
    }
    return TRUE;
}
