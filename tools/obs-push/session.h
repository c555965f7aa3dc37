/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys in good time: turns a login (keys, password, token, machine identity)
 * into what requests are signed with, and renews it while uploads go on.
 */
#ifndef OBS_SESSION_H
#define OBS_SESSION_H

#include "client.h"

typedef struct ObsSession ObsSession;

/*
 * Becomes @client's source of keys; nothing is sent before the first signed
 * request. @login is taken over. @find looks for the login again when keys
 * that cannot be renewed have run out (a file may hold new ones); may be
 * NULL. @metadata: address of the metadata service, NULL: the usual.
 */
typedef ObsLogin *(*ObsSessionFind)(gpointer data, GError **error);
ObsSession *obs_session_new(ObsClient *client, ObsLogin *login,
                            const ObsEndpoint *metadata,
                            ObsSessionFind find, gpointer find_data);
void obs_session_free(ObsSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsSession, obs_session_free)

/* How we log in; borrowed, for obs-push config. */
const ObsLogin *obs_session_login(const ObsSession *session);

/* Fetches keys or a token now. Blocks (runs the main loop). */
gboolean obs_session_log_in(ObsSession *session, GError **error);

/*
 * The project of the region, needed by the image service: as configured, as
 * the token said, or asked of IAM by the region's name; then known to the
 * client. Borrowed. NULL with OBS_ERROR_CREDENTIALS or OBS_ERROR_USAGE.
 * Blocks (runs the main loop).
 */
const char *obs_session_project(ObsSession *session, GError **error);

#endif
