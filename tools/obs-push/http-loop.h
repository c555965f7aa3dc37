/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A curl multi handle whose sockets and timer live on the default
 * GMainContext. It knows handles that end, and nothing about requests.
 */
#ifndef OBS_HTTP_LOOP_H
#define OBS_HTTP_LOOP_H

#include <curl/curl.h>
#include <glib.h>

typedef struct ObsHttpLoop ObsHttpLoop;

/* @easy has ended with @code; it is still attached to @multi. */
typedef void (*ObsHttpLoopEnded)(CURL *easy, CURLcode code);

/* NULL when libcurl is out of memory. @max_connections is per host. */
ObsHttpLoop *obs_http_loop_new(guint max_connections, ObsHttpLoopEnded ended);
/* Every handle must have been removed before. */
void obs_http_loop_free(ObsHttpLoop *loop);

/* Borrowed: to add and remove handles. */
CURLM *obs_http_loop_multi(ObsHttpLoop *loop);
/* Reports handles that ended outside of the loop's own callbacks. */
void obs_http_loop_collect(ObsHttpLoop *loop);

#endif
