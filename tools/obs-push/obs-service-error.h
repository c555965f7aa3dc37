/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a service said went wrong, whatever the shape: OBS's XML, the headers
 * of a HEAD answer, the three JSON shapes of IMS, IAM and the API gateway, or
 * the bare status line. Pure.
 */
#ifndef OBS_SERVICE_ERROR_H
#define OBS_SERVICE_ERROR_H

#include "obs-types.h"

/* All text is bounded, valid UTF-8 and free of control characters. */
typedef struct {
    guint status;
    gchar *code;            /* "NoSuchKey", "IMG.0057", "401"; NULL: none */
    gchar *message;         /* NULL: none */
    gchar *request_id;      /* x-obs-request-id, X-Request-Id, <RequestId> */
    gchar *host_id;         /* x-obs-id-2 */
    gchar *endpoint;        /* the right one, in a PermanentRedirect */
    gchar *denied;          /* encoded_authorization_message, if any */
} ObsServiceError;

void obs_service_error_free(ObsServiceError *error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsServiceError, obs_service_error_free)

/*
 * Never NULL. For a 2xx status a code is only taken from an <Error> document
 * (OBS sends such for Complete and CopyPart).
 */
ObsServiceError *obs_service_error_parse(const ObsResponse *response);

/* "403 AccessDenied: Access Denied (request 0000…)". Free with g_free(). */
gchar *obs_service_error_text(const ObsServiceError *error);

#endif
