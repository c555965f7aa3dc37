/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by client.c (the client), call.c (one call from signing to its
 * verdict) and call-log.c (what -v shows of it); nobody else includes it.
 */
#ifndef OBS_CLIENT_PRIVATE_H
#define OBS_CLIENT_PRIVATE_H

#include "client.h"

struct ObsClient {
    ObsHttp *http;
    ObsClientConfig config;
    ObsSignMethod obs_method;
    ObsSignMethod sdk_method;
    gboolean sdk_fixed;         /* chosen by the user or proven */
    ObsAuthAcquire acquire;
    gpointer provider;
    gboolean renewable;
    char *project_id;
    gint64 clock_offset;        /* seconds to add to the local clock */
    ObsEndpoint *redirected;    /* where OBS sent us; NULL: nowhere */
    ObsAddressing redirected_addressing;
    GQueue calls;               /* ObsCall */
    GError *stopped;
};

struct ObsCall {
    ObsClient *client;
    ObsCallSpec spec;           /* .request owned */
    char *what;
    ObsCallDone done;
    gpointer user_data;
    ObsReply *reply;
    ObsAttempt attempt;
    guint failed;
    guint generation;           /* of the ObsAuth that signed */
    guint stale;                /* generation that the server refused */
    gboolean legacy_tried;
    gboolean used_redirect;
    gboolean translated;
    ObsHttpTransfer *transfer;  /* running attempt */
    guint timer;                /* waiting for the next attempt */
    gboolean acquiring;
    gboolean dead;              /* ended while the provider was at work */
};

/* Ends @call: it is freed, its function called. @error is taken over. */
void obs_call_finish(ObsCall *call, ObsVerdict verdict, GError *error);

void obs_call_log(ObsClient *client, ObsLogKind kind, const char *text);
void obs_call_log_request(ObsCall *call, const char *url,
                          const GPtrArray *signature);
void obs_call_log_answer(ObsCall *call, const ObsHttpResult *result);

#endif
