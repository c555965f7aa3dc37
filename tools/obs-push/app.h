/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every command stands on, put together from the options: events and
 * their renderer, addresses, HTTP, client, session, signals and the deadline.
 */
#ifndef OBS_APP_H
#define OBS_APP_H

#include "client.h"
#include "event.h"
#include "options.h"
#include "progress.h"
#include "session.h"

typedef struct {
    const ObsOptions *options;
    ObsProgress *progress;
    ObsEvents events;
    /* The rest is there after obs_app_connect(). */
    ObsEndpoints *endpoints;
    ObsHttp *http;
    ObsClient *client;
    ObsSession *session;
    gboolean interrupted;       /* SIGINT or SIGTERM has come */
    guint signal_ids[2];
    guint deadline_id;
} ObsApp;

/* Output and signals. Never fails. */
ObsApp *obs_app_new(const ObsOptions *options);
void obs_app_free(ObsApp *app);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsApp, obs_app_free)

/* What a command is going to talk to. */
typedef enum {
    OBS_NEED_OBS = 1 << 0,
    OBS_NEED_IMS = 1 << 1,
} ObsNeed;

/* Finds credentials and addresses and sets up the client; sends nothing. */
gboolean obs_app_connect(ObsApp *app, ObsNeed need, GError **error);

/*
 * Finds out how @bucket is talked to (the signature probe); blocks. Must come
 * before the first signed request to it.
 */
gboolean obs_app_probe(ObsApp *app, const char *bucket, GError **error);

/* TRUE once a signal has come: for work outside of the client. */
gboolean obs_app_interrupted(gpointer app);

#endif
