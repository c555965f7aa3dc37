/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging in over the network, as pairs of pure functions: build the request,
 * parse the answer. The caller sends it. Covers IAM tokens, temporary keys
 * from a token, project ids, and the metadata service of an ECS.
 */
#ifndef OBS_IAM_H
#define OBS_IAM_H

#include "obs-creds.h"
#include "obs-types.h"

/* An IAM token with what came along. Treat @token as secret. */
typedef struct {
    gchar *token;           /* secret memory, several KB */
    gint64 expires_at;      /* epoch seconds, 0: not said */
    gchar *project_id;      /* NULL: not project scoped */
    gchar *project_name;
} ObsToken;

void obs_token_free(ObsToken *token);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsToken, obs_token_free)

/*
 * POST /v3/auth/tokens?nocatalog=true from @login (kind PASSWORD, with a TOTP
 * code if there is one; kind TOKEN asks for a re-scoped token). Scope:
 * project by id, by name, or by @region as its name. Send without signature.
 * The body holds the password: wipe it with obs_secret_wipe_bytes().
 * OBS_ERROR_CREDENTIALS if the login lacks something; the message says what.
 */
ObsRequest *obs_iam_token_request(const ObsEndpoint *iam,
                                  const ObsLogin *login, const gchar *region,
                                  GError **error);
ObsToken *obs_iam_token_parse(const ObsResponse *response, GError **error);

/*
 * POST /v3.0/OS-CREDENTIAL/securitytokens: temporary keys. Carries the token
 * in its headers; send without signature. @seconds 900..86400 (clamped).
 */
ObsRequest *obs_iam_keys_request(const ObsEndpoint *iam, const gchar *token,
                                 guint seconds);

/* Also parses the metadata service's securitykey answer: same JSON. */
ObsCredentials *obs_iam_keys_parse(const ObsResponse *response,
                                   GError **error);

/* GET /v3/projects?name=: sign with SDK, or add a token header. */
ObsRequest *obs_iam_project_request(const ObsEndpoint *iam,
                                    const gchar *name);
/* Project id, to free with g_free(). */
gchar *obs_iam_project_parse(const ObsResponse *response, const gchar *name,
                             GError **error);

/* Where the metadata service is; send without proxy, give up after 3 s. */
#define OBS_METADATA_HOST "169.254.169.254"
#define OBS_METADATA_TIMEOUT_SECONDS 3

/*
 * @endpoint NULL means http://169.254.169.254 (tests give another one).
 * PUT for a v2 session token.
 */
ObsRequest *obs_iam_metadata_token_request(const ObsEndpoint *endpoint);

typedef enum {
    OBS_METADATA_V2,        /* *out_token is set (free: obs_secret_free()) */
    OBS_METADATA_V1,        /* 404, 405, 503: go on without a token */
    OBS_METADATA_NONE,      /* nobody there, or a wrong answer */
} ObsMetadataVersion;

ObsMetadataVersion obs_iam_metadata_token_parse(const ObsResponse *response,
                                                gchar **out_token);

/* GET securitykey, with the v2 token or NULL. Parse: obs_iam_keys_parse(). */
ObsRequest *obs_iam_metadata_keys_request(const ObsEndpoint *endpoint,
                                          const gchar *session_token);

/*
 * What a 401 to the GET above means: TRUE, fetch a new session token once;
 * FALSE, no agency is bound to this machine and that would not help.
 */
gboolean obs_iam_metadata_retry(const ObsResponse *response);

#endif
