/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text formats that hold credentials: obsutil's key=value file, the SDK's
 * INI profiles and OpenStack's clouds.yaml. Pure: text in, login out.
 */
#ifndef OBS_CREDS_FILE_H
#define OBS_CREDS_FILE_H

#include "obs-creds.h"

typedef enum {
    OBS_OBSUTIL_KEYS,           /* plain keys were there */
    OBS_OBSUTIL_UNSET,          /* none, or only placeholders */
    OBS_OBSUTIL_ENCRYPTED,      /* obsutil has encrypted them */
} ObsObsutilState;

/*
 * ~/.obsutilconfig: "key=value" lines, "#" comments. Fills @login's keys and
 * obs_endpoint (the latter also if the keys are no use). Never fails: unknown
 * lines are passed over, as obsutil itself does.
 */
ObsObsutilState obs_creds_parse_obsutil(const gchar *text, ObsLogin *login);

/*
 * INI profiles: ak, sk, security_token, project_id, iam_endpoint, region
 * in section @profile (NULL: "basic"). FALSE with OBS_ERROR_CREDENTIALS
 * if the section or one of the keys is missing; @path for messages.
 */
gboolean obs_creds_parse_profile(const gchar *text, const gchar *profile,
                                 const gchar *path, ObsLogin *login,
                                 GError **error);

/* TRUE if the text has a [section] line: INI, else obsutil style. */
gboolean obs_creds_text_is_profile(const gchar *text);

/*
 * clouds.yaml: entry @cloud of "clouds": auth (auth_url, username, user_id,
 * password, token, project_*, user_domain_*, domain_*, ak/access_key,
 * sk/secret_key, security_token), region_name, cacert. Merge keys ("<<") are
 * not known. Sets @login's kind. OBS_ERROR_CREDENTIALS with @path, and the
 * line for broken YAML.
 */
gboolean obs_creds_parse_clouds(const gchar *text, const gchar *cloud,
                                const gchar *path, ObsLogin *login,
                                GError **error);

#endif
