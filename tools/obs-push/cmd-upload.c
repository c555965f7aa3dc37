/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push upload: a file to a bucket, resumably. */
#include "commands.h"
#include "steps.h"

gboolean obs_cmd_upload(ObsApp *app, char **args, GError **error)
{
    g_auto(ObsItem) item = { 0 };

    return obs_step_check(app, args[0], args[1], FALSE, &item, error) &&
           obs_app_connect(app, OBS_NEED_OBS, error) &&
           obs_app_probe(app, item.bucket, error) &&
           obs_step_bitmap(app, &item, FALSE, error) &&
           obs_step_upload(app, &item, error);
}
