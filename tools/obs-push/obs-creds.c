/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access keys in ref-counted wiped memory, and the life of a login.
 */
#include "obs-creds.h"

#include "obs-secret.h"

#define RENEW_EARLY_SECONDS 600

typedef struct {
    ObsCredentials public;
    gatomicrefcount references;
} Counted;

ObsCredentials *obs_credentials_new(const gchar *access_key,
                                    const gchar *secret_key,
                                    const gchar *security_token,
                                    gint64 expires_at)
{
    Counted *counted = g_new0(Counted, 1);

    g_atomic_ref_count_init(&counted->references);
    counted->public.access_key = g_strdup(access_key);
    counted->public.secret_key = obs_secret_dup(secret_key, -1);
    if (security_token && *security_token) {
        counted->public.security_token = obs_secret_dup(security_token, -1);
    }
    counted->public.expires_at = expires_at;
    return &counted->public;
}

ObsCredentials *obs_credentials_ref(ObsCredentials *credentials)
{
    Counted *counted = (Counted *)credentials;

    g_atomic_ref_count_inc(&counted->references);
    return credentials;
}

void obs_credentials_unref(ObsCredentials *credentials)
{
    Counted *counted = (Counted *)credentials;

    if (counted && g_atomic_ref_count_dec(&counted->references)) {
        g_free(credentials->access_key);
        obs_secret_free(credentials->secret_key);
        obs_secret_free(credentials->security_token);
        g_free(counted);
    }
}

gboolean obs_credentials_due(const ObsCredentials *credentials,
                             gint64 issued_at, gint64 now)
{
    gint64 life, margin;

    if (!credentials->expires_at) {
        return FALSE;
    }
    life = credentials->expires_at - issued_at;
    margin = MIN(RENEW_EARLY_SECONDS, MAX(life, 0) / 3);
    return now >= credentials->expires_at - margin;
}

void obs_login_free(ObsLogin *login)
{
    if (!login) {
        return;
    }
    g_free(login->origin);
    obs_credentials_unref(login->keys);
    g_free(login->user_name);
    g_free(login->user_id);
    g_free(login->user_domain_name);
    g_free(login->user_domain_id);
    obs_secret_free(login->password);
    obs_secret_free(login->passcode);
    obs_secret_free(login->token);
    g_free(login->project_name);
    g_free(login->project_id);
    g_free(login->project_domain_name);
    g_free(login->project_domain_id);
    g_free(login->region);
    g_free(login->iam_endpoint);
    g_free(login->obs_endpoint);
    g_free(login->cacert);
    g_free(login->looked_at);
    g_clear_pointer(&login->notes, g_ptr_array_unref);
    g_free(login);
}
