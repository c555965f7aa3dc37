/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ordered search for credentials in options, environment and files.
 */
#include "obs-creds.h"

#include <string.h>

#include "obs-creds-file.h"
#include "obs-secret.h"

typedef struct {
    const ObsCredsOptions *options;
    const ObsCredsWorld *world;
    GString *looked_at;         /* for the message that nothing was found */
    GPtrArray *notes;           /* taken over by the login */
} Search;

typedef enum {
    STEP_FOUND,
    STEP_NOTHING,
    STEP_ERROR,
} Step;

/* Value of a variable; NULL if not set or empty. */
static const gchar *env(const Search *search, const gchar *name)
{
    const gchar *value = search->world->getenv(name, search->world->data);

    return value && *value ? value : NULL;
}

/* The first of some variables that is set; *out_name which one. */
static const gchar *env_first(const Search *search, const gchar *const *names,
                              const gchar **out_name)
{
    for (; *names; names++) {
        const gchar *value = env(search, *names);

        if (value) {
            if (out_name) {
                *out_name = *names;
            }
            return value;
        }
    }
    return NULL;
}

static void looked_at(Search *search, const gchar *where, const gchar *result)
{
    g_string_append_printf(search->looked_at, "%s%s: %s",
                           search->looked_at->len ? "; " : "", where, result);
}

static ObsLogin *login_new(ObsLoginKind kind, const gchar *origin)
{
    ObsLogin *login = g_new0(ObsLogin, 1);

    login->kind = kind;
    login->origin = g_strdup(origin);
    return login;
}

/* Why a file could not be read, without its name in front. */
static const gchar *reason_alone(const GError *error, const gchar *path)
{
    gsize length = strlen(path);

    return g_str_has_prefix(error->message, path) &&
           g_str_has_prefix(error->message + length, ": ")
           ? error->message + length + 2 : error->message;
}

/* Read a credentials file and warn if others can, too. */
static gchar *read_file(Search *search, const gchar *path, GError **error)
{
    gchar *text = NULL;
    guint mode = 0;

    if (!search->world->read_file(path, &text, &mode, search->world->data,
                                  error)) {
        return NULL;
    }
    if (mode & 077) {
        g_ptr_array_add(search->notes,
                        g_strdup_printf("%s can be read by other users "
                                        "(mode %04o): chmod 600 it", path,
                                        mode & 07777));
    }
    return text;
}

/* ------------------------------------------------------------------------ */
/* Environment */

typedef struct {
    const gchar *access[4], *secret[4], *token[2];
} Family;

static const Family families[] = {
    { { "OBS_ACCESS_KEY_ID" }, { "OBS_SECRET_ACCESS_KEY" },
      { "OBS_SECURITY_TOKEN" } },
    { { "HUAWEICLOUD_SDK_AK" }, { "HUAWEICLOUD_SDK_SK" },
      { "HUAWEICLOUD_SDK_SECURITY_TOKEN" } },
    { { "CLOUD_SDK_AK" }, { "CLOUD_SDK_SK" },
      { "CLOUD_SDK_SECURITY_TOKEN" } },
    { { "OTCCLOUD_SDK_AK" }, { "OTCCLOUD_SDK_SK" },
      { "OTCCLOUD_SDK_SECURITY_TOKEN" } },
    { { "HW_ACCESS_KEY" }, { "HW_SECRET_KEY" }, { "HW_SECURITY_TOKEN" } },
    { { "OS_ACCESS_KEY", "OS_ACCESS_KEY_ID", "OS_AK" },
      { "OS_SECRET_KEY", "OS_ACCESS_KEY_SECRET", "OS_SK" },
      { "OS_SECURITY_TOKEN" } },
    { { "AWS_ACCESS_KEY_ID" }, { "AWS_SECRET_ACCESS_KEY" },
      { "AWS_SESSION_TOKEN" } },
};

static Step from_environment(Search *search, ObsLogin **out_login,
                             GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(families); i++) {
        const Family *family = &families[i];
        const gchar *name = NULL, *secret_name = NULL;
        const gchar *access = env_first(search, family->access, &name);
        const gchar *secret = env_first(search, family->secret, &secret_name);
        g_autofree gchar *origin = NULL;

        if (!access && !secret) {
            continue;
        }
        if (!access || !secret) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                        "%s is set but %s is not: set both or none",
                        access ? name : secret_name,
                        access ? family->secret[0] : family->access[0]);
            return STEP_ERROR;
        }
        origin = g_strdup_printf("environment (%s)", name);
        *out_login = login_new(OBS_LOGIN_KEYS, origin);
        (*out_login)->keys =
            obs_credentials_new(access, secret,
                                env_first(search, family->token, NULL), 0);
        return STEP_FOUND;
    }
    looked_at(search, "environment", "no OBS_ACCESS_KEY_ID or its like");
    return STEP_NOTHING;
}

/* What stands beside the keys: only where the source had nothing itself. */
static void complete_from_environment(Search *search, ObsLogin *login)
{
    const struct {
        gchar **member;
        const gchar *names[4];
    } table[] = {
        { &login->region, { "HW_REGION_NAME", "OS_REGION_NAME" } },
        { &login->project_id,
          { "HUAWEICLOUD_SDK_PROJECT_ID", "HW_PROJECT_ID",
            "OS_PROJECT_ID" } },
        { &login->project_name,
          { "HW_PROJECT_NAME", "OS_PROJECT_NAME", "OS_TENANT_NAME" } },
        { &login->project_domain_name, { "OS_PROJECT_DOMAIN_NAME" } },
        { &login->project_domain_id, { "OS_PROJECT_DOMAIN_ID" } },
        { &login->iam_endpoint,
          { "HUAWEICLOUD_SDK_IAM_ENDPOINT", "HW_AUTH_URL",
            "OS_AUTH_URL" } },
        { &login->cacert, { "OS_CACERT" } },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        if (!*table[i].member) {
            *table[i].member = g_strdup(env_first(search, table[i].names,
                                                  NULL));
        }
    }
}

/* ------------------------------------------------------------------------ */
/* Files of keys */

static Step from_obsutil(Search *search, ObsLogin **out_login)
{
    g_autoptr(ObsLogin) login = NULL;
    g_autoptr(GError) local = NULL;
    g_autofree gchar *path = NULL;
    ObsObsutilState state;
    gchar *text;

    if (!search->world->home) {
        return STEP_NOTHING;
    }
    path = g_build_filename(search->world->home, ".obsutilconfig", NULL);
    text = read_file(search, path, &local);
    if (!text) {
        looked_at(search, path, reason_alone(local, path));
        return STEP_NOTHING;
    }
    login = login_new(OBS_LOGIN_KEYS, path);
    state = obs_creds_parse_obsutil(text, login);
    obs_secret_wipe_string(text);
    if (state == OBS_OBSUTIL_KEYS) {
        *out_login = g_steal_pointer(&login);
        return STEP_FOUND;
    }
    if (state == OBS_OBSUTIL_ENCRYPTED) {
        g_ptr_array_add(search->notes,
            g_strdup_printf("%s is of no use here: obsutil has encrypted the "
                            "keys in it, and only obsutil can read them",
                            path));
    }
    looked_at(search, path, state == OBS_OBSUTIL_ENCRYPTED
              ? "encrypted by obsutil, only obsutil can read it"
              : "no keys in it");
    return STEP_NOTHING;
}

/* Where the SDK's profiles are: NULL without a home folder. */
static gchar *profile_path(Search *search)
{
    const gchar *path = env(search, "HUAWEICLOUD_SDK_CREDENTIALS_FILE");

    if (path) {
        return g_strdup(path);
    }
    return search->world->home
           ? g_build_filename(search->world->home, ".huaweicloud",
                              "credentials", NULL)
           : NULL;
}

static Step from_profiles(Search *search, ObsLogin **out_login,
                          GError **error)
{
    g_autofree gchar *path = profile_path(search);
    g_autoptr(ObsLogin) login = NULL;
    g_autoptr(GError) local = NULL;
    gchar *text;
    gboolean ok;

    if (!path) {
        return STEP_NOTHING;
    }
    text = read_file(search, path, &local);
    if (!text) {
        looked_at(search, path, reason_alone(local, path));
        return STEP_NOTHING;
    }
    login = login_new(OBS_LOGIN_KEYS, path);
    ok = obs_creds_parse_profile(text, "basic", path, login, &local) ||
         obs_creds_parse_profile(text, "global", path, login, NULL);
    obs_secret_wipe_string(text);
    if (!ok) {
        g_propagate_error(error, g_steal_pointer(&local));
        return STEP_ERROR;
    }
    *out_login = g_steal_pointer(&login);
    return STEP_FOUND;
}

/* --credentials-file and --profile: found or an error. */
static Step from_named_file(Search *search, const gchar *file,
                            const gchar *profile, ObsLogin **out_login,
                            GError **error)
{
    g_autofree gchar *path = file ? g_strdup(file) : profile_path(search);
    g_autoptr(ObsLogin) login = NULL;
    g_autoptr(GError) local = NULL;
    ObsObsutilState state = OBS_OBSUTIL_KEYS;
    gboolean ok = TRUE;
    gchar *text;

    if (!path) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                            "--profile needs a home folder or "
                            "--credentials-file");
        return STEP_ERROR;
    }
    text = read_file(search, path, &local);
    if (!text) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS, "%s",
                    local->message);
        return STEP_ERROR;
    }
    login = login_new(OBS_LOGIN_KEYS, path);
    if (profile || obs_creds_text_is_profile(text)) {
        ok = obs_creds_parse_profile(text, profile, path, login, error);
    } else {
        state = obs_creds_parse_obsutil(text, login);
    }
    obs_secret_wipe_string(text);
    if (state != OBS_OBSUTIL_KEYS) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS, "%s %s", path,
                    state == OBS_OBSUTIL_ENCRYPTED
                    ? "was encrypted by obsutil, and only obsutil can read "
                      "it: write ak= and sk= into a file of your own"
                    : "has no ak= and sk=");
        ok = FALSE;
    }
    if (!ok) {
        return STEP_ERROR;
    }
    *out_login = g_steal_pointer(&login);
    return STEP_FOUND;
}

/* ------------------------------------------------------------------------ */
/* OpenStack's ways */

static Step from_clouds(Search *search, const gchar *cloud,
                        ObsLogin **out_login, GError **error)
{
    const gchar *named = env(search, "OS_CLIENT_CONFIG_FILE");
    const gchar *home = search->world->home;
    g_autofree gchar *own = home
        ? g_build_filename(home, ".config/openstack/clouds.yaml", NULL)
        : NULL;
    const gchar *paths[] = {
        named, "clouds.yaml", own, "/etc/openstack/clouds.yaml",
    };

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(ObsLogin) login = NULL;
        g_autoptr(GError) local = NULL;
        g_autofree gchar *origin = NULL;
        gchar *text;
        gboolean ok;

        if (!paths[i]) {
            continue;
        }
        text = read_file(search, paths[i], &local);
        if (!text && g_error_matches(local, G_FILE_ERROR,
                                     G_FILE_ERROR_NOENT)) {
            continue;
        }
        if (!text) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS, "%s",
                        local->message);
            return STEP_ERROR;
        }
        origin = g_strdup_printf("%s (cloud %s)", paths[i], cloud);
        login = login_new(OBS_LOGIN_KEYS, origin);
        ok = obs_creds_parse_clouds(text, cloud, paths[i], login, error);
        obs_secret_wipe_string(text);
        if (!ok) {
            return STEP_ERROR;
        }
        *out_login = g_steal_pointer(&login);
        return STEP_FOUND;
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                "cloud \"%s\" is asked for, but there is no clouds.yaml "
                "(OS_CLIENT_CONFIG_FILE, this folder, ~/.config/openstack, "
                "/etc/openstack)", cloud);
    return STEP_ERROR;
}

static Step from_openstack(Search *search, ObsLogin **out_login,
                           GError **error)
{
    static const gchar *const tokens[] = {
        "OS_TOKEN", "OS_AUTH_TOKEN", NULL,
    };
    static const gchar *const domains[] = {
        "OS_USER_DOMAIN_NAME", "OS_DOMAIN_NAME", NULL,
    };
    static const gchar *const domain_ids[] = {
        "OS_USER_DOMAIN_ID", "OS_DOMAIN_ID", NULL,
    };
    const gchar *cloud = env(search, "OS_CLOUD");
    const gchar *name = NULL;
    const gchar *token = env_first(search, tokens, &name);
    const gchar *user = env(search, "OS_USERNAME");
    const gchar *user_id = env(search, "OS_USER_ID");
    const gchar *password = env(search, "OS_PASSWORD");
    g_autofree gchar *origin = NULL;
    ObsLogin *login;

    if (cloud) {
        return from_clouds(search, cloud, out_login, error);
    }
    if (token) {
        origin = g_strdup_printf("environment (%s)", name);
        *out_login = login_new(OBS_LOGIN_TOKEN, origin);
        (*out_login)->token = obs_secret_dup(token, -1);
        return STEP_FOUND;
    }
    if (!user && !user_id) {
        looked_at(search, "OpenStack's variables",
                  "no OS_CLOUD, OS_TOKEN or OS_USERNAME");
        return STEP_NOTHING;
    }
    if (!password) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                    "%s is set but OS_PASSWORD is not: set both or none",
                    user ? "OS_USERNAME" : "OS_USER_ID");
        return STEP_ERROR;
    }
    login = login_new(OBS_LOGIN_PASSWORD, "environment (OS_USERNAME)");
    login->user_name = g_strdup(user);
    login->user_id = g_strdup(user_id);
    login->user_domain_name = g_strdup(env_first(search, domains, NULL));
    login->user_domain_id = g_strdup(env_first(search, domain_ids, NULL));
    login->password = obs_secret_dup(password, -1);
    login->passcode = obs_secret_dup(env(search, "OS_PASSCODE"), -1);
    *out_login = login;
    return STEP_FOUND;
}

/* ------------------------------------------------------------------------ */

static Step run(Search *search, ObsLogin **out_login, GError **error)
{
    const ObsCredsOptions *options = search->options;
    Step step;

    if (options->file || options->profile) {
        return from_named_file(search, options->file, options->profile,
                               out_login, error);
    }
    if (options->os_cloud) {
        return from_clouds(search, options->os_cloud, out_login, error);
    }
    step = from_environment(search, out_login, error);
    if (step == STEP_NOTHING) {
        step = from_obsutil(search, out_login);
    }
    if (step == STEP_NOTHING) {
        step = from_profiles(search, out_login, error);
    }
    if (step == STEP_NOTHING) {
        step = from_openstack(search, out_login, error);
    }
    if (step != STEP_NOTHING) {
        return step;
    }
    if (!options->no_metadata) {
        *out_login = login_new(OBS_LOGIN_METADATA,
                               "metadata service of this machine");
        return STEP_FOUND;
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                "no credentials found (%s): set OBS_ACCESS_KEY_ID and "
                "OBS_SECRET_ACCESS_KEY", search->looked_at->str);
    return STEP_ERROR;
}

ObsLogin *obs_login_find(const ObsCredsOptions *options,
                         const ObsCredsWorld *world, GError **error)
{
    Search search = {
        .options = options, .world = world,
        .looked_at = g_string_new(NULL),
        .notes = g_ptr_array_new_with_free_func(g_free),
    };
    ObsLogin *login = NULL;

    if (run(&search, &login, error) == STEP_FOUND) {
        complete_from_environment(&search, login);
        login->notes = g_ptr_array_ref(search.notes);
        if (login->kind == OBS_LOGIN_METADATA) {
            login->looked_at = g_strdup(search.looked_at->str);
        }
    }
    g_ptr_array_unref(search.notes);
    g_string_free(search.looked_at, TRUE);
    return login;
}
