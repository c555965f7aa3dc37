/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push check: what a file is and whether it is sound, without a cloud. */
#include "commands.h"
#include "steps.h"

gboolean obs_cmd_check(ObsApp *app, char **args, GError **error)
{
    g_auto(ObsItem) item = { 0 };

    if (!obs_step_check(app, args[0], NULL, TRUE, &item, error) ||
        !obs_step_bitmap(app, &item, TRUE, error)) {
        return FALSE;
    }
    if (!app->options->deep || item.info.format != OBS_FORMAT_ZVHD2) {
        return TRUE;
    }
    if (!obs_image_inspect_records(item.source, &app->events,
                                   obs_app_interrupted, app, error)) {
        return FALSE;
    }
    obs_event_text(&app->events, OBS_EVENT_STAGE, "check",
                   "%u blocks with data, all of them readable",
                   item.info.records);
    return obs_source_check_unchanged(item.source, error);
}
