/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who we are: access keys in ref-counted wiped memory, and the ordered search
 * for them in options, environment and files. Pure: environment and files are
 * read through the two functions of an ObsCredsWorld. What needs the network
 * (metadata service, tokens) is in obs-iam.
 */
#ifndef OBS_CREDS_H
#define OBS_CREDS_H

#include "obs-types.h"

/*
 * Access key, secret key and perhaps a security token. Immutable once made, so
 * requests in flight keep theirs while others take the renewed ones. The
 * counter is atomic. Never print a member but @access_key.
 */
typedef struct {
    gchar *access_key;
    gchar *secret_key;
    gchar *security_token;      /* NULL: permanent keys */
    gint64 expires_at;          /* epoch seconds, 0: never */
} ObsCredentials;

/* Copies into wiped memory. @security_token NULL or "" for permanent keys. */
ObsCredentials *obs_credentials_new(const gchar *access_key,
                                    const gchar *secret_key,
                                    const gchar *security_token,
                                    gint64 expires_at);
ObsCredentials *obs_credentials_ref(ObsCredentials *credentials);
void obs_credentials_unref(ObsCredentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsCredentials, obs_credentials_unref)

/*
 * TRUE when it is time to renew: fewer than 10 minutes left, or a third of a
 * life shorter than that: @now and @issued_at in epoch seconds.
 */
gboolean obs_credentials_due(const ObsCredentials *credentials,
                             gint64 issued_at, gint64 now);

typedef enum {
    OBS_LOGIN_KEYS,         /* @keys can be used as they are */
    OBS_LOGIN_PASSWORD,     /* user and password: token from IAM first */
    OBS_LOGIN_TOKEN,        /* a token: temporary keys from IAM first */
    OBS_LOGIN_METADATA,     /* ask the metadata service of this machine */
} ObsLoginKind;

/*
 * What the search found, with everything useful that stood beside it. All
 * members may be NULL but @origin and @notes.
 */
typedef struct {
    ObsLoginKind kind;
    gchar *origin;              /* "environment (OBS_ACCESS_KEY_ID)", a path */
    ObsCredentials *keys;
    gchar *user_name;           /* password login: name and domain, or id */
    gchar *user_id;
    gchar *user_domain_name;
    gchar *user_domain_id;
    gchar *password;            /* secret memory */
    gchar *passcode;            /* one-time code (TOTP), secret memory */
    gchar *token;               /* secret memory */
    gchar *project_name;
    gchar *project_id;
    gchar *project_domain_name; /* of @project_name, where the server asks */
    gchar *project_domain_id;
    gchar *region;
    gchar *iam_endpoint;        /* may carry a path such as /v3 */
    gchar *obs_endpoint;        /* from ~/.obsutilconfig */
    gchar *cacert;              /* file name */
    GPtrArray *notes;           /* of gchar *: one-line warnings for the user */
    gchar *looked_at;           /* METADATA: where there were no keys */
} ObsLogin;

void obs_login_free(ObsLogin *login);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsLogin, obs_login_free)

/* How the search reaches the outside. */
typedef struct {
    /* Value of an environment variable or NULL. */
    const gchar *(*getenv)(const gchar *name, gpointer data);
    /*
     * Read a whole file (at most 1 MiB) into *out_text, NUL-terminated, and
     * its permission bits into *out_mode. On failure a GFileError; a missing
     * file is G_FILE_ERROR_NOENT.
     */
    gboolean (*read_file)(const gchar *path, gchar **out_text,
                          guint *out_mode, gpointer data, GError **error);
    const gchar *home;          /* home folder, NULL: no files there */
    gpointer data;
} ObsCredsWorld;

/* The real environment and files; reads block. Valid as long as the process. */
const ObsCredsWorld *obs_creds_world(void);

/* What the command line says; all may be NULL or FALSE. */
typedef struct {
    const gchar *file;      /* --credentials-file: INI or obsutil style */
    const gchar *profile;   /* --profile: section of it, default "basic" */
    const gchar *os_cloud;  /* --os-cloud: entry of clouds.yaml */
    gboolean no_metadata;   /* never ask the metadata service */
} ObsCredsOptions;

/*
 * The first of these that yields something wins:
 *   1. --credentials-file, --profile (then ~/.huaweicloud/credentials),
 *      --os-cloud; if given, nothing else is tried;
 *   2. environment: OBS_*, HUAWEICLOUD_SDK_*, CLOUD_SDK_*, OTCCLOUD_SDK_*,
 *      HW_*, OS_ACCESS_KEY…, AWS_*; access key and secret key of one family
 *      only: half a pair is an error that names the missing one;
 *   3. ~/.obsutilconfig, unless obsutil has encrypted it (a note says so);
 *   4. $HUAWEICLOUD_SDK_CREDENTIALS_FILE or ~/.huaweicloud/credentials;
 *   5. OS_CLOUD + clouds.yaml, OS_TOKEN, OS_USERNAME + OS_PASSWORD;
 *   6. the metadata service, unless forbidden.
 * Region, project and IAM address are completed from the environment.
 * OBS_ERROR_CREDENTIALS when nothing is found or a source is broken; the
 * message lists what was looked at.
 */
ObsLogin *obs_login_find(const ObsCredsOptions *options,
                         const ObsCredsWorld *world, GError **error);

#endif
