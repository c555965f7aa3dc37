/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line-based formats that hold credentials: obsutil's key=value file and
 * the SDK's INI profiles.
 */
#include "obs-creds-file.h"

#include <string.h>

#include "obs-secret.h"

/* A setting; name and value are trimmed. @section NULL before the first. */
typedef void (*SettingFunc)(const gchar *section, const gchar *name,
                            const gchar *value, gpointer data);

/* A copy without white space around, in wiped memory. */
static gchar *trimmed(const gchar *start, const gchar *end)
{
    while (start < end && g_ascii_isspace(*start)) {
        start++;
    }
    while (end > start && g_ascii_isspace(end[-1])) {
        end--;
    }
    return obs_secret_dup(start, end - start);
}

static void for_each_setting(const gchar *text, SettingFunc func,
                             gpointer data)
{
    gchar *section = NULL;

    while (*text) {
        const gchar *end = text + strcspn(text, "\n");
        gchar *line = trimmed(text, end);
        gchar *equals = strchr(line, '=');
        gsize length = strlen(line);

        if (line[0] == '[' && line[length - 1] == ']') {
            obs_secret_free(section);
            section = trimmed(line + 1, line + length - 1);
        } else if (line[0] != '#' && line[0] != ';' && equals) {
            gchar *name = trimmed(line, equals);
            gchar *value = trimmed(equals + 1, line + length);

            func(section, name, value, data);
            obs_secret_free(name);
            obs_secret_free(value);
        }
        obs_secret_free(line);
        text = *end ? end + 1 : end;
    }
    obs_secret_free(section);
}

static void note_section(const gchar *section, const gchar *name,
                         const gchar *value, gpointer data)
{
    if (section) {
        *(gboolean *)data = TRUE;
    }
}

gboolean obs_creds_text_is_profile(const gchar *text)
{
    gboolean found = FALSE;

    for_each_setting(text, note_section, &found);
    return found;
}

static void set_secret(gchar **member, const gchar *value)
{
    obs_secret_free(*member);
    *member = *value ? obs_secret_dup(value, -1) : NULL;
}

static void set_text(gchar **member, const gchar *value)
{
    g_free(*member);
    *member = *value ? g_strdup(value) : NULL;
}

/* ------------------------------------------------------------------------ */
/* obsutil */

typedef struct {
    gchar *ak, *sk, *token;
    gchar *endpoint;
} ObsutilFile;

static void on_obsutil(const gchar *section, const gchar *name,
                       const gchar *value, gpointer data)
{
    ObsutilFile *file = data;

    /* "*** Provide your Access Key ***" stands there before the first use. */
    if (strstr(value, "***")) {
        value = "";
    }
    if (g_str_equal(name, "ak")) {
        set_secret(&file->ak, value);
    } else if (g_str_equal(name, "sk")) {
        set_secret(&file->sk, value);
    } else if (g_str_equal(name, "token")) {
        set_secret(&file->token, value);
    } else if (g_str_equal(name, "endpoint")) {
        set_text(&file->endpoint, value);
    }
}

/*
 * Base64 of whole AES blocks: what obsutil writes back after its first run.
 * Plain access keys have 20 characters or so, of which base64 would make no
 * multiple of 16 bytes.
 */
static gboolean looks_encrypted(const gchar *value)
{
    gsize length = strlen(value), size = 0;
    g_autofree guchar *bytes = NULL;

    if (length < 24 || length % 4) {
        return FALSE;
    }
    for (gsize i = 0; i < length; i++) {
        gboolean padding = value[i] == '=' && i + 2 >= length;

        if (!g_ascii_isalnum(value[i]) && !strchr("+/", value[i]) &&
            !padding) {
            return FALSE;
        }
    }
    bytes = g_base64_decode(value, &size);
    return size && size % 16 == 0;
}

ObsObsutilState obs_creds_parse_obsutil(const gchar *text, ObsLogin *login)
{
    ObsutilFile file = { NULL };
    ObsObsutilState state = OBS_OBSUTIL_UNSET;

    for_each_setting(text, on_obsutil, &file);
    if (file.ak && file.sk) {
        state = looks_encrypted(file.ak) ? OBS_OBSUTIL_ENCRYPTED
                                         : OBS_OBSUTIL_KEYS;
    }
    if (state == OBS_OBSUTIL_KEYS) {
        obs_credentials_unref(login->keys);
        login->keys = obs_credentials_new(file.ak, file.sk, file.token, 0);
        login->kind = OBS_LOGIN_KEYS;
    }
    if (file.endpoint) {
        set_text(&login->obs_endpoint, file.endpoint);
    }
    obs_secret_free(file.ak);
    obs_secret_free(file.sk);
    obs_secret_free(file.token);
    g_free(file.endpoint);
    return state;
}

/* ------------------------------------------------------------------------ */
/* INI profiles */

typedef struct {
    const gchar *wanted;
    gboolean found;
    gchar *ak, *sk, *token;
    ObsLogin *login;
} ProfileFile;

static void on_profile(const gchar *section, const gchar *name,
                       const gchar *value, gpointer data)
{
    ProfileFile *file = data;
    ObsLogin *login = file->login;

    if (g_strcmp0(section, file->wanted)) {
        return;
    }
    file->found = TRUE;
    if (g_str_equal(name, "ak")) {
        set_secret(&file->ak, value);
    } else if (g_str_equal(name, "sk")) {
        set_secret(&file->sk, value);
    } else if (g_str_equal(name, "security_token")) {
        set_secret(&file->token, value);
    } else if (g_str_equal(name, "project_id")) {
        set_text(&login->project_id, value);
    } else if (g_str_equal(name, "iam_endpoint")) {
        set_text(&login->iam_endpoint, value);
    } else if (g_str_equal(name, "region")) {
        set_text(&login->region, value);
    }
}

gboolean obs_creds_parse_profile(const gchar *text, const gchar *profile,
                                 const gchar *path, ObsLogin *login,
                                 GError **error)
{
    ProfileFile file = { profile ? profile : "basic", .login = login };
    gboolean ok;

    for_each_setting(text, on_profile, &file);
    ok = file.ak && file.sk;
    if (ok) {
        obs_credentials_unref(login->keys);
        login->keys = obs_credentials_new(file.ak, file.sk, file.token, 0);
        login->kind = OBS_LOGIN_KEYS;
    } else if (!file.found) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                    "%s has no section [%s] with keys", path, file.wanted);
    } else {
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                    "%s: section [%s] lacks \"%s\"", path, file.wanted,
                    file.ak ? "sk" : "ak");
    }
    obs_secret_free(file.ak);
    obs_secret_free(file.sk);
    obs_secret_free(file.token);
    return ok;
}
