/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redirects: which one may be followed with a signature in hand. Pure.
 */
#ifndef OBS_REDIRECT_H
#define OBS_REDIRECT_H

#include "obs-types.h"

/*
 * May the @location of a 302/307 answer to @request be followed, and where
 * to? The signature and a security token go along, so:
 *   - https never becomes http;
 *   - the host must be @domain_suffix (NULL: unknown), the present endpoint's
 *     host, or a subdomain of one of them; a loopback endpoint may only go to
 *     a loopback one;
 *   - a literal address other than the present one is refused;
 *   - no user part. The port is free only on loopback, else it has to be
 *     the default or the present one.
 * Path and query of @location are not taken over: the caller sends the same
 * request to the new endpoint with a fresh signature. On success
 * *out_endpoint (without the bucket label) and *out_addressing are set.
 * Else OBS_ERROR_BUCKET with the reason.
 */
gboolean obs_url_redirect(const ObsRequest *request, const gchar *location,
                          const gchar *domain_suffix,
                          ObsEndpoint **out_endpoint,
                          ObsAddressing *out_addressing, GError **error);

#endif
