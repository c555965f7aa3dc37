/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One logical request: sign, send, judge the answer, and wait, renew, follow
 * or send again until there is a final verdict. The decisions are obs-retry's;
 * this file carries them out on the main loop.
 */
#ifndef OBS_CLIENT_H
#define OBS_CLIENT_H

#include "http.h"
#include "obs-creds.h"
#include "obs-endpoint.h"
#include "obs-retry.h"
#include "obs-sign.h"

typedef struct ObsClient ObsClient;
typedef struct ObsCall ObsCall;

/* Who signs: what a request takes with it. Borrowed by those who read it. */
typedef struct {
    ObsCredentials *keys;       /* NULL until there are some */
    char *token;                /* IMS and IAM prefer it; NULL: use keys */
    char *project_id;           /* sent with IMS requests signed by keys */
    guint generation;           /* grows with each renewal */
} ObsAuth;

typedef void (*ObsAuthReady)(const ObsAuth *auth, const GError *error,
                             gpointer user_data);

/*
 * Where the client gets its ObsAuth. Calls @ready exactly once, perhaps
 * before it returns. @stale: the generation that a server has refused (the
 * answer must be a newer one or an error), or 0.
 */
typedef void (*ObsAuthAcquire)(gpointer provider, guint stale,
                               ObsAuthReady ready, gpointer user_data);

typedef enum {
    OBS_LOG_REQUEST,            /* -v: requests and answers, no secrets */
    OBS_LOG_RETRY,              /* an attempt failed and will be repeated */
    OBS_LOG_WARNING,
} ObsLogKind;
typedef void (*ObsLogFunc)(ObsLogKind kind, const char *text, gpointer data);

typedef struct {
    const ObsEndpoints *endpoints;  /* borrowed for the client's life */
    ObsAddressing addressing;
    ObsSignMethod obs_method;       /* OBS_SIGN_NONE: not known, probe */
    ObsSignMethod sdk_method;       /* OBS_SIGN_NONE: plain, then legacy */
    ObsRetryPolicy retry;
    gint64 deadline;                /* monotonic microseconds, 0: none */
    gboolean verbose;
    ObsLogFunc log;                 /* may be NULL */
    gpointer log_data;
} ObsClientConfig;

/* @http is borrowed. */
ObsClient *obs_client_new(ObsHttp *http, const ObsClientConfig *config);
/* No call may be left. */
void obs_client_free(ObsClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsClient, obs_client_free)

void obs_client_set_auth(ObsClient *client, ObsAuthAcquire acquire,
                         gboolean renewable, gpointer provider);
void obs_client_set_project(ObsClient *client, const char *project_id);

ObsHttp *obs_client_http(ObsClient *client);
const ObsEndpoints *obs_client_endpoints(ObsClient *client);
gint64 obs_client_deadline(ObsClient *client);
/* Now in epoch seconds, by the server's clock as far as it is known. */
gint64 obs_client_now(ObsClient *client);

/*
 * Ends every call, now and from now on, with a copy of @error (interrupt,
 * deadline). Their functions are called before this returns.
 */
void obs_client_stop(ObsClient *client, const GError *error);
const GError *obs_client_stopped(ObsClient *client);

/* Runs the main loop for @ms, or until the client is stopped. */
void obs_client_wait(ObsClient *client, guint ms);

/* ---- calls ---- */

typedef struct {
    ObsRequest *request;        /* taken over */
    const char *what;           /* "upload part 7": for messages; copied */
    ObsBody body;               /* when request->body is NULL */
    ObsRepeat repeat;
    gboolean part_of_upload;
    gboolean plain;             /* neither signed nor with a token */
    guint max_attempts;         /* 0: as the retry policy says */
    guint answer_timeout;       /* seconds of silence; 0: the usual */
    guint total_timeout;        /* seconds; 0: none */
} ObsCallSpec;

typedef struct {
    ObsVerdict verdict;         /* OK, REISSUE, UNCLEAR or FATAL */
    ObsResponse *response;      /* of the last attempt; NULL: none was made */
    ObsServiceError *service_error;
    GError *error;              /* set unless OK: ready to be shown */
    guint attempts;
    gboolean slowed;            /* the server asked for fewer requests */
    gint64 sent;                /* body bytes, all attempts */
} ObsReply;

void obs_reply_free(ObsReply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsReply, obs_reply_free)

/* @reply is the callee's to free. Called from the main loop or from
 * obs_client_stop(), never from within obs_client_call(). */
typedef void (*ObsCallDone)(ObsReply *reply, gpointer user_data);

ObsCall *obs_client_call(ObsClient *client, const ObsCallSpec *spec,
                         ObsCallDone done, gpointer user_data);
/* Ends it without calling back. */
void obs_call_cancel(ObsCall *call);

/* Runs the default main loop until the call has ended. Never NULL. */
ObsReply *obs_client_call_sync(ObsClient *client, const ObsCallSpec *spec);

/* TRUE if the verdict is OK; else FALSE with the reply's error. */
gboolean obs_reply_check(const ObsReply *reply, GError **error);
/* HTTP status of the last answer, 0 if there was none. */
guint obs_reply_status(const ObsReply *reply);
/* Body of the answer; never NULL, perhaps of length 0. */
const char *obs_reply_body(const ObsReply *reply, gsize *out_length);

/* ---- object storage ---- */

/* A request to the bucket (@key NULL) or an object. */
ObsRequest *obs_client_request(ObsClient *client, ObsMethod method,
                               const char *bucket, const char *key);

/*
 * Finds out how @bucket wants to be talked to: an unsigned HEAD ?apiversion
 * answers with x-obs-api for the OBS protocol, anything else means V2. Does
 * nothing when the method is set. Blocks (runs the main loop).
 */
gboolean obs_client_probe(ObsClient *client, const char *bucket,
                          GError **error);

#endif
