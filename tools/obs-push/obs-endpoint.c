/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host serves what: cloud name and region to the addresses of object
 * storage, image and identity service.
 */
#include "obs-endpoint.h"

#include <string.h>

#include "obs-url.h"

/* Hosts are {service}.{region}.{suffix}; the service may have another name. */
typedef struct {
    const gchar *name;
    const gchar *suffix;
    const gchar *obs, *ims, *iam;
} Cloud;

/* A suffix that ends with another one stands before it. */
static const Cloud clouds[] = {
    { "huawei", "myhuaweicloud.com", "obs", "ims", "iam" },
    { "huawei-eu", "myhuaweicloud.eu", "obs", "ims", "iam" },
    { "otc-swiss", "sc.otc.t-systems.com", "obs", "ims", "iam-pub" },
    { "otc", "otc.t-systems.com", "obs", "ims", "iam" },
    { "flexible-engine", "prod-cloud-ocb.orange-business.com", "oss", "ims",
      "iam" },
    { "cloud-ru", "hc.sbercloud.ru", "obs", "ims", "iam" },
};

static const Cloud unnamed = { NULL, NULL, "obs", "ims", "iam" };

const gchar *const *obs_cloud_names(void)
{
    static const gchar *const names[] = {
        "huawei", "huawei-eu", "otc", "otc-swiss", "flexible-engine",
        "cloud-ru", NULL,
    };

    return names;
}

void obs_endpoints_free(ObsEndpoints *endpoints)
{
    if (endpoints) {
        obs_endpoint_free(endpoints->obs);
        obs_endpoint_free(endpoints->ims);
        obs_endpoint_free(endpoints->iam);
        g_free(endpoints->region);
        g_free(endpoints->domain_suffix);
        g_free(endpoints->cloud);
        g_free(endpoints);
    }
}

static const Cloud *find_cloud(const gchar *name, GError **error)
{
    g_autofree gchar *known = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(clouds); i++) {
        if (g_str_equal(clouds[i].name, name)) {
            return &clouds[i];
        }
    }
    known = g_strjoinv(", ", (gchar **)obs_cloud_names());
    g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                "unknown cloud \"%s\": known are %s; for others give "
                "--cloud-suffix or the endpoints", name, known);
    return NULL;
}

static gboolean check_region(const gchar *region, GError **error)
{
    gsize length = strlen(region);
    gboolean ok = length >= 2 && length <= 63 &&
                  g_ascii_isalnum(region[0]) &&
                  g_ascii_isalnum(region[length - 1]);

    for (gsize i = 0; ok && i < length; i++) {
        ok = g_ascii_islower(region[i]) || g_ascii_isdigit(region[i]) ||
             region[i] == '-';
    }
    if (!ok) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "\"%s\" is no region name such as eu-de or cn-north-4",
                    region);
    }
    return ok;
}

/* Parse a given address into *out_endpoint; NULL and "" give none. */
static gboolean parse_given(const gchar *text, const gchar *what,
                            ObsEndpoint **out_endpoint, GError **error)
{
    static const gchar *const tails[] = { "/", "/v3", "/v3.0", NULL };
    g_autofree gchar *plain = NULL;

    if (!text || !*text) {
        return TRUE;
    }
    plain = g_strdup(text);
    for (guint i = 0; tails[i]; i++) {
        if (g_str_has_suffix(plain, tails[i])) {
            plain[strlen(plain) - strlen(tails[i])] = '\0';
        }
    }
    *out_endpoint = obs_url_parse_endpoint(plain, what, error);
    return *out_endpoint != NULL;
}

/*
 * Is @endpoint a host of @cloud? Sets *out_region to what stands between the
 * service and the suffix; to NULL for a host without a region.
 */
static gboolean host_of_cloud(const ObsEndpoint *endpoint, const Cloud *cloud,
                              gchar **out_region)
{
    g_autofree gchar *tail = g_strconcat(".", cloud->suffix, NULL);
    g_autofree gchar *rest = NULL;
    g_auto(GStrv) labels = NULL;

    if (!endpoint || !g_str_has_suffix(endpoint->host, tail)) {
        return FALSE;
    }
    rest = g_strndup(endpoint->host, strlen(endpoint->host) - strlen(tail));
    labels = g_strsplit(rest, ".", 3);
    *out_region = NULL;
    if (g_strv_length(labels) == 2 && check_region(labels[1], NULL)) {
        *out_region = g_strdup(labels[1]);
    }
    return TRUE;
}

/* Find cloud (unless known) and region in the addresses that were given. */
static const Cloud *recognise(const Cloud *known, ObsEndpoints *endpoints)
{
    const ObsEndpoint *given[] = {
        endpoints->obs, endpoints->ims, endpoints->iam,
    };

    for (guint e = 0; e < G_N_ELEMENTS(given); e++) {
        for (guint i = 0; i < G_N_ELEMENTS(clouds); i++) {
            g_autofree gchar *region = NULL;

            if (!host_of_cloud(given[e], &clouds[i], &region)) {
                continue;
            }
            if (!known) {
                known = &clouds[i];
            }
            if (known == &clouds[i] && !endpoints->region) {
                endpoints->region = g_steal_pointer(&region);
            }
            break;
        }
    }
    return known;
}

static void derive(ObsEndpoint **endpoint, const gchar *service,
                   const gchar *region, const gchar *suffix)
{
    if (!*endpoint) {
        *endpoint = g_new0(ObsEndpoint, 1);
        (*endpoint)->https = TRUE;
        (*endpoint)->host = g_strconcat(service, ".", region, ".", suffix,
                                        NULL);
    }
}

ObsEndpoints *obs_endpoints_resolve(const ObsEndpointSettings *settings,
                                    GError **error)
{
    g_autoptr(ObsEndpoints) out = g_new0(ObsEndpoints, 1);
    g_autoptr(ObsEndpoint) suffix = NULL;
    const Cloud *cloud = NULL;

    if (settings->cloud && *settings->cloud) {
        cloud = find_cloud(settings->cloud, error);
        if (!cloud) {
            return NULL;
        }
    }
    if (settings->region && *settings->region) {
        if (!check_region(settings->region, error)) {
            return NULL;
        }
        out->region = g_strdup(settings->region);
    }
    /* Parsed as an address, so that it can only be a plain host name. */
    if (!parse_given(settings->cloud_suffix, "--cloud-suffix", &suffix,
                     error) ||
        !parse_given(settings->obs_endpoint, "OBS endpoint", &out->obs,
                     error) ||
        !parse_given(settings->ims_endpoint, "IMS endpoint", &out->ims,
                     error) ||
        !parse_given(settings->iam_endpoint, "IAM endpoint", &out->iam,
                     error)) {
        return NULL;
    }
    if (!suffix) {
        cloud = recognise(cloud, out);
    }
    if (suffix) {
        out->domain_suffix = g_strdup(suffix->host);
    } else if (cloud) {
        out->domain_suffix = g_strdup(cloud->suffix);
    }
    if (cloud) {
        out->cloud = g_strdup(cloud->name);
    } else {
        cloud = &unnamed;
    }
    if (out->domain_suffix && out->region) {
        derive(&out->obs, cloud->obs, out->region, out->domain_suffix);
        derive(&out->ims, cloud->ims, out->region, out->domain_suffix);
        derive(&out->iam, cloud->iam, out->region, out->domain_suffix);
    }
    return g_steal_pointer(&out);
}
