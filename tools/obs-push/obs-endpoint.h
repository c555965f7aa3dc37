/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host serves what: cloud name and region to the addresses of object
 * storage, image and identity service. Pure.
 */
#ifndef OBS_ENDPOINT_H
#define OBS_ENDPOINT_H

#include "obs-types.h"

/* What is known from options, login and files; all may be NULL. */
typedef struct {
    const gchar *cloud;         /* one of obs_cloud_names() */
    const gchar *cloud_suffix;  /* "example.com": {service}.{region}.suffix */
    const gchar *region;
    const gchar *obs_endpoint;  /* each overrides what is derived */
    const gchar *ims_endpoint;
    const gchar *iam_endpoint;  /* a trailing /v3 or / is accepted */
} ObsEndpointSettings;

/* Result; an address that neither is set nor can be derived is NULL. */
typedef struct {
    ObsEndpoint *obs;
    ObsEndpoint *ims;
    ObsEndpoint *iam;
    gchar *region;              /* given, or found in a known host name */
    gchar *domain_suffix;       /* redirects stay inside; NULL: unknown */
    gchar *cloud;               /* cloud name if known */
} ObsEndpoints;

void obs_endpoints_free(ObsEndpoints *endpoints);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsEndpoints, obs_endpoints_free)

/* NULL-terminated list of names for --cloud, for help and completion. */
const gchar *const *obs_cloud_names(void);

/*
 * Derive what is not set. Without cloud and suffix the known host names are
 * recognised: "obs.eu-de.otc.t-systems.com" gives cloud otc, region eu-de and
 * the other two addresses. OBS_ERROR_USAGE for an unknown cloud (the known
 * ones are listed), a bad region or a bad address.
 */
ObsEndpoints *obs_endpoints_resolve(const ObsEndpointSettings *settings,
                                    GError **error);

#endif
