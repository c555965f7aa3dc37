/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redirects: which one may be followed with a signature in hand.
 */
#include "obs-redirect.h"

#include <string.h>

#include "obs-url.h"

#define LOCATION_MAX 8192

static gboolean host_inside(const gchar *host, const gchar *domain)
{
    gsize host_length = strlen(host), length = strlen(domain);

    return g_str_equal(host, domain) ||
           (host_length > length + 1 &&
            host[host_length - length - 1] == '.' &&
            g_str_has_suffix(host, domain));
}

/* NULL if the signature may be sent to @to, else why not. */
static const gchar *refuse_target(const ObsEndpoint *from,
                                  const ObsEndpoint *to,
                                  const gchar *domain_suffix)
{
    guint16 port = obs_url_endpoint_port(to);

    if (from->https && !to->https) {
        return "it leaves https";
    }
    if (obs_url_host_is_loopback(from->host)) {
        return obs_url_host_is_loopback(to->host) ||
               host_inside(to->host, from->host)
               ? NULL : "it leaves this machine";
    }
    if (obs_url_host_is_address(to->host)
        ? !g_str_equal(to->host, from->host)
        : !host_inside(to->host, from->host) &&
          !(domain_suffix && host_inside(to->host, domain_suffix))) {
        return "it leaves the domain of the cloud";
    }
    if (to->port && port != (to->https ? 443 : 80) &&
        port != obs_url_endpoint_port(from)) {
        return "it goes to an unusual port";
    }
    return NULL;
}

/* Take the bucket out of the new address, wherever it stands. */
static gboolean find_bucket(const ObsRequest *request, const gchar *path,
                            ObsEndpoint *to, ObsAddressing *out_addressing)
{
    g_autofree gchar *by_path = NULL;
    g_autofree gchar *label = NULL;

    if (request->service != OBS_SERVICE_OBS || !request->bucket ||
        request->addressing == OBS_ADDRESSING_CUSTOM) {
        *out_addressing = request->addressing;
        return TRUE;
    }
    /*
     * The path decides first: with a bucket called "obs" the host of a
     * path-style address begins with the bucket's name, too.
     */
    by_path = g_strconcat("/", request->bucket, "/", request->key, NULL);
    if (g_str_equal(path, by_path) ||
        (!request->key && g_str_has_prefix(by_path, path) &&
         strlen(path) + 1 == strlen(by_path))) {
        *out_addressing = OBS_ADDRESSING_PATH;
        return TRUE;
    }
    label = g_strconcat(request->bucket, ".", NULL);
    if (g_str_has_prefix(to->host, label)) {
        gchar *host = g_strdup(to->host + strlen(label));

        g_free(to->host);
        to->host = host;
        *out_addressing = OBS_ADDRESSING_VIRTUAL;
        return TRUE;
    }
    return FALSE;
}

/* Scheme, host and port of @uri, checked as strictly as one from the user. */
static ObsEndpoint *endpoint_of(GUri *uri, GError **error)
{
    const gchar *host = g_uri_get_host(uri);
    g_autofree gchar *text = NULL;

    if (!host || !*host || g_uri_get_port(uri) == 0) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_BUCKET,
                            "redirect without a host");
        return NULL;
    }
    text = g_uri_join(G_URI_FLAGS_ENCODED, g_uri_get_scheme(uri), NULL, host,
                      g_uri_get_port(uri), "", NULL, NULL);
    return obs_url_parse_endpoint(text, "redirect target", error);
}

gboolean obs_url_redirect(const ObsRequest *request, const gchar *location,
                          const gchar *domain_suffix,
                          ObsEndpoint **out_endpoint,
                          ObsAddressing *out_addressing, GError **error)
{
    g_autoptr(GUri) uri = NULL;
    g_autoptr(ObsEndpoint) to = NULL;
    g_autofree gchar *target = NULL;
    ObsAddressing addressing = request->addressing;
    const gchar *reason;

    if (!location || strlen(location) > LOCATION_MAX ||
        !(uri = g_uri_parse(location, G_URI_FLAGS_NONE, NULL))) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_BUCKET,
                            "redirect without a usable Location");
        return FALSE;
    }
    if (g_uri_get_userinfo(uri)) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_BUCKET,
                            "refusing a redirect that holds a user name");
        return FALSE;
    }
    to = endpoint_of(uri, error);
    if (!to) {
        if (error) {
            (*error)->code = OBS_ERROR_BUCKET;
        }
        return FALSE;
    }
    /* Path and query stay out of messages: they may carry a signature. */
    target = obs_url_endpoint_text(to);
    reason = refuse_target(request->endpoint, to, domain_suffix);
    if (!reason && !find_bucket(request, g_uri_get_path(uri), to,
                                &addressing)) {
        reason = "it does not name the bucket";
    }
    if (reason) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_BUCKET,
                    "refusing the redirect to %s: %s", target, reason);
        return FALSE;
    }
    *out_endpoint = g_steal_pointer(&to);
    *out_addressing = addressing;
    return TRUE;
}
