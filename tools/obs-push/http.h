/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mechanism only: one HTTP/1.1 attempt at a time per request, many requests
 * at once, in one thread, driven by the default GMainContext.
 *
 * Nothing here knows about signatures, retries or services. A redirect is an
 * answer like any other; an answer of 500 is a success as far as this file
 * is concerned. Files are sent straight from the descriptor into curl's
 * buffer, so memory does not depend on the size of a part.
 */
#ifndef OBS_HTTP_H
#define OBS_HTTP_H

#include <glib.h>

#include "obs-types.h"

typedef struct ObsHttp ObsHttp;
typedef struct ObsHttpTransfer ObsHttpTransfer;

typedef struct {
    const char *ca_file;        /* PEM bundle, NULL: the system's */
    guint connect_timeout;      /* seconds, for one connection attempt */
    guint stall_timeout;        /* seconds without a byte in any direction */
    guint64 limit_rate;         /* bytes a second for all uploads, 0: none */
    guint max_connections;      /* per host; further requests wait */
} ObsHttpConfig;

typedef enum {
    OBS_BODY_NONE,              /* no body and no Content-Length */
    OBS_BODY_BYTES,             /* @bytes; may be empty: Content-Length: 0 */
    OBS_BODY_FILE,              /* @length bytes of @fd from @offset */
    OBS_BODY_ZEROS,             /* @length zero bytes */
} ObsBodyKind;

typedef struct {
    ObsBodyKind kind;
    GBytes *bytes;              /* a reference is taken */
    int fd;                     /* borrowed; must outlive the transfer */
    gint64 offset;
    gint64 length;
} ObsBody;

typedef struct {
    const char *method;         /* "GET", "HEAD", "PUT", "POST", "DELETE" */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated */
    ObsBody body;
    guint stall_timeout;        /* seconds; 0: that of the configuration */
    guint total_timeout;        /* seconds; 0: none */
    gboolean direct;            /* ignore every proxy setting */
    /*
     * On a connection of its own. On a kept one that dies without an answer
     * curl sends a request again by itself, which must not happen to one that
     * may have been obeyed.
     */
    gboolean fresh_connection;
} ObsHttpRequest;

typedef struct {
    /*
     * .net tells whether there is an answer, of whatever status.
     * OBS_NET_ABORTED: the body could not be read from the file.
     */
    ObsResponse *response;
    gint64 sent;                /* body bytes that left this machine */
} ObsHttpResult;

/* Called once for each request, from the main loop; @result (but for a stolen
 * .response) is freed after. */
typedef void (*ObsHttpDone)(ObsHttpResult *result, gpointer user_data);

/* NULL with @error when libcurl cannot be set up or the CA file is missing. */
ObsHttp *obs_http_new(const ObsHttpConfig *config, GError **error);
/* Ends whatever still runs without calling back. */
void obs_http_free(ObsHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsHttp, obs_http_free)

/* Starts one attempt. Strings are copied. Never fails here: an error that is
 * known at once is reported through @done like any other. */
ObsHttpTransfer *obs_http_start(ObsHttp *http, const ObsHttpRequest *request,
                                ObsHttpDone done, gpointer user_data);
/* Ends the attempt without calling back. */
void obs_http_cancel(ObsHttpTransfer *transfer);

/* Body bytes sent so far by requests that still run; for progress. */
gint64 obs_http_in_flight(ObsHttp *http);
/* Body bytes that left since the start, finished or not. */
gint64 obs_http_total_sent(ObsHttp *http);

#endif
