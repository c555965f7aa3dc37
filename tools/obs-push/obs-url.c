/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and addresses: percent-encoding, obs:// arguments, endpoints, the
 * rules for bucket and key names, URLs of requests.
 */
#include "obs-url.h"

#include <string.h>

gchar *obs_url_encode(const gchar *text, gboolean keep_slash)
{
    static const gchar hex[] = "0123456789ABCDEF";
    GString *out = g_string_sized_new(strlen(text) + 16);

    for (const guchar *p = (const guchar *)text; *p; p++) {
        if (g_ascii_isalnum(*p) || strchr("-_.~", *p) ||
            (keep_slash && *p == '/')) {
            g_string_append_c(out, *p);
        } else {
            g_string_append_c(out, '%');
            g_string_append_c(out, hex[*p >> 4]);
            g_string_append_c(out, hex[*p & 15]);
        }
    }
    return g_string_free(out, FALSE);
}

/* ------------------------------------------------------------------------ */
/* Buckets, keys and the arguments that name them */

gboolean obs_url_check_bucket(const gchar *bucket, GError **error)
{
    gsize length = strlen(bucket);

    if (length < 3 || length > 63) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "bucket name has %" G_GSIZE_FORMAT " characters; "
                    "3 to 63 are allowed", length);
        return FALSE;
    }
    for (gsize i = 0; i < length; i++) {
        gchar c = bucket[i];

        if (!g_ascii_islower(c) && !g_ascii_isdigit(c) && c != '-' &&
            c != '.') {
            g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                        "bucket name has a forbidden character at position "
                        "%" G_GSIZE_FORMAT "; only a-z, 0-9, \"-\" and \".\" "
                        "are allowed", i + 1);
            return FALSE;
        }
    }
    if (!g_ascii_isalnum(bucket[0]) || !g_ascii_isalnum(bucket[length - 1])) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "bucket name \"%s\" must begin and end with a letter or "
                    "digit", bucket);
        return FALSE;
    }
    if (strstr(bucket, "..") || strstr(bucket, ".-") ||
        strstr(bucket, "-.")) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "bucket name \"%s\" must not contain \"..\", \".-\" or "
                    "\"-.\"", bucket);
        return FALSE;
    }
    if (obs_url_host_is_address(bucket)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "bucket name \"%s\" must not look like an IP address",
                    bucket);
        return FALSE;
    }
    return TRUE;
}

/* The rules that hold for the beginning of a key as well: a prefix. */
static gboolean check_key_text(const gchar *key, GError **error)
{
    if (strlen(key) > OBS_KEY_MAX) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "object key has %" G_GSIZE_FORMAT " bytes; at most %d "
                    "are allowed", strlen(key), OBS_KEY_MAX);
        return FALSE;
    }
    if (!g_utf8_validate(key, -1, NULL)) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_USAGE,
                            "object key is not valid UTF-8");
        return FALSE;
    }
    for (const gchar *p = key; *p; p = g_utf8_next_char(p)) {
        if (g_unichar_iscntrl(g_utf8_get_char(p))) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                        "object key has a control character at byte %d",
                        (int)(p - key));
            return FALSE;
        }
    }
    if (key[0] == '/') {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "object key \"%s\" must not begin with \"/\"", key);
        return FALSE;
    }
    return TRUE;
}

gboolean obs_url_check_key(const gchar *key, gboolean for_import,
                           GError **error)
{
    g_auto(GStrv) segments = NULL;

    if (!*key) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_USAGE,
                            "object key is empty");
        return FALSE;
    }
    if (!check_key_text(key, error)) {
        return FALSE;
    }
    segments = g_strsplit(key, "/", -1);
    for (gchar **s = segments; *s; s++) {
        if (!**s) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                        "object key \"%s\" must not end with \"/\" or "
                        "contain \"//\"", key);
            return FALSE;
        }
        if (g_str_equal(*s, ".") || g_str_equal(*s, "..")) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                        "object key \"%s\" must not have \"%s\" between "
                        "slashes", key, *s);
            return FALSE;
        }
    }
    if (!for_import) {
        return TRUE;
    }
    for (const gchar *p = key; *p; p = g_utf8_next_char(p)) {
        if (*p == ':' || g_unichar_isspace(g_utf8_get_char(p))) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                        "object key \"%s\" has a space or \":\", which the "
                        "image service refuses in folder and file names "
                        "(IMG.0175): choose another key", key);
            return FALSE;
        }
    }
    return TRUE;
}

/* "obs://bucket[/rest]" → bucket (checked) and rest ("" if none). */
static gboolean split_url(const gchar *text, gchar **out_bucket,
                          const gchar **out_rest, GError **error)
{
    g_autofree gchar *bucket = NULL;
    const gchar *start, *slash;

    if (g_ascii_strncasecmp(text, "obs://", 6) == 0) {
        start = text + 6;
    } else if (g_ascii_strncasecmp(text, "s3://", 5) == 0) {
        start = text + 5;
    } else {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "\"%s\" is no object address: write obs://bucket/key",
                    text);
        return FALSE;
    }
    slash = strchr(start, '/');
    bucket = slash ? g_strndup(start, slash - start) : g_strdup(start);
    if (!obs_url_check_bucket(bucket, error)) {
        g_prefix_error(error, "%s: ", text);
        return FALSE;
    }
    *out_bucket = g_steal_pointer(&bucket);
    *out_rest = slash ? slash + 1 : "";
    return TRUE;
}

gboolean obs_url_parse_object(const gchar *text, const gchar *file_name,
                              gchar **out_bucket, gchar **out_key,
                              GError **error)
{
    g_autofree gchar *bucket = NULL;
    g_autofree gchar *key = NULL;
    const gchar *rest;

    if (!split_url(text, &bucket, &rest, error)) {
        return FALSE;
    }
    if (file_name && (!*rest || g_str_has_suffix(rest, "/"))) {
        g_autofree gchar *base = g_path_get_basename(file_name);

        key = g_strconcat(rest, base, NULL);
    } else {
        key = g_strdup(rest);
    }
    if (!obs_url_check_key(key, FALSE, error)) {
        g_prefix_error(error, "%s: ", text);
        return FALSE;
    }
    *out_bucket = g_steal_pointer(&bucket);
    *out_key = g_steal_pointer(&key);
    return TRUE;
}

gboolean obs_url_parse_prefix(const gchar *text, gchar **out_bucket,
                              gchar **out_prefix, GError **error)
{
    g_autofree gchar *bucket = NULL;
    const gchar *rest;

    if (!split_url(text, &bucket, &rest, error)) {
        return FALSE;
    }
    if (!check_key_text(rest, error)) {
        g_prefix_error(error, "%s: ", text);
        return FALSE;
    }
    *out_bucket = g_steal_pointer(&bucket);
    *out_prefix = g_strdup(rest);
    return TRUE;
}

/* The last "." of the last segment, unless that is its first character. */
static const gchar *key_extension(const gchar *key)
{
    const gchar *slash = strrchr(key, '/');
    const gchar *base = slash ? slash + 1 : key;
    const gchar *dot = strrchr(base, '.');

    return dot && dot != base ? dot : NULL;
}

gchar *obs_url_bitmap_key(const gchar *key)
{
    const gchar *dot = key_extension(key);
    gsize length = dot ? (gsize)(dot - key) : strlen(key);

    return g_strdup_printf("%.*s.mf", (int)length, key);
}

/* ------------------------------------------------------------------------ */
/* Endpoints */

static gboolean host_name_ok(const gchar *host)
{
    gsize length = strlen(host);

    if (length == 0 || length > 253 || host[0] == '.' || host[0] == '-' ||
        host[length - 1] == '.' || host[length - 1] == '-' ||
        strstr(host, "..")) {
        return FALSE;
    }
    for (const gchar *p = host; *p; p++) {
        if (!g_ascii_isalnum(*p) && *p != '-' && *p != '.' && *p != '_') {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean is_ipv6(const gchar *host)
{
    return strchr(host, ':') && !strchr(host, '%') &&
           g_hostname_is_ip_address(host);
}

gboolean obs_url_host_is_address(const gchar *host)
{
    return is_ipv6(host) ||
           (!strchr(host, ':') && g_hostname_is_ip_address(host));
}

gboolean obs_url_host_is_loopback(const gchar *host)
{
    return g_ascii_strcasecmp(host, "localhost") == 0 ||
           g_str_equal(host, "::1") ||
           (g_str_has_prefix(host, "127.") && obs_url_host_is_address(host));
}

/* "", ":port" → port; FALSE for anything else. */
static gboolean parse_port(const gchar *text, guint16 *out_port)
{
    guint64 value;

    if (!*text) {
        *out_port = 0;
        return TRUE;
    }
    if (*text != ':' ||
        !g_ascii_string_to_unsigned(text + 1, 10, 1, G_MAXUINT16, &value,
                                    NULL)) {
        return FALSE;
    }
    *out_port = (guint16)value;
    return TRUE;
}

ObsEndpoint *obs_url_parse_endpoint(const gchar *text, const gchar *what,
                                    GError **error)
{
    g_autoptr(ObsEndpoint) endpoint = g_new0(ObsEndpoint, 1);
    g_autofree gchar *rest = NULL;
    gchar *host, *after;
    gboolean ok;

    endpoint->https = TRUE;
    if (g_ascii_strncasecmp(text, "https://", 8) == 0) {
        text += 8;
    } else if (g_ascii_strncasecmp(text, "http://", 7) == 0) {
        text += 7;
        endpoint->https = FALSE;
    } else if (strstr(text, "://")) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "%s \"%s\": only http:// and https:// are known", what,
                    text);
        return NULL;
    }
    if (strchr(text, '@')) {
        /* Do not quote the text: it may hold a password. */
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "%s must not hold a user or password", what);
        return NULL;
    }

    rest = g_strdup(text);
    if (g_str_has_suffix(rest, "/")) {
        rest[strlen(rest) - 1] = '\0';
    }
    if (rest[0] == '[') {
        gchar *end = strchr(rest, ']');

        host = rest + 1;
        after = end ? end + 1 : rest;
        ok = end != NULL;
        if (end) {
            *end = '\0';
            ok = is_ipv6(host);
        }
    } else {
        gchar *colon = strchr(rest, ':');

        host = rest;
        after = colon ? colon : rest + strlen(rest);
        ok = TRUE;
    }
    if (ok) {
        ok = parse_port(after, &endpoint->port);
        if (rest[0] != '[') {
            *after = '\0';
            ok = ok && host_name_ok(host);
        }
    }
    if (!ok) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "%s \"%s\" is no address: write [https://]host[:port]",
                    what, text);
        return NULL;
    }
    endpoint->host = g_ascii_strdown(host, -1);
    return g_steal_pointer(&endpoint);
}

static guint16 default_port(gboolean https)
{
    return https ? 443 : 80;
}

guint16 obs_url_endpoint_port(const ObsEndpoint *endpoint)
{
    return endpoint->port ? endpoint->port : default_port(endpoint->https);
}

/* "host" or "host:port", the port only if it is not the default. */
static gchar *host_and_port(const gchar *host, const ObsEndpoint *endpoint)
{
    const gchar *open = strchr(host, ':') ? "[" : "";
    const gchar *close = *open ? "]" : "";

    if (obs_url_endpoint_port(endpoint) == default_port(endpoint->https)) {
        return g_strconcat(open, host, close, NULL);
    }
    return g_strdup_printf("%s%s%s:%u", open, host, close, endpoint->port);
}

gchar *obs_url_endpoint_text(const ObsEndpoint *endpoint)
{
    g_autofree gchar *host = host_and_port(endpoint->host, endpoint);

    return g_strconcat(endpoint->https ? "https://" : "http://", host, NULL);
}

/* ------------------------------------------------------------------------ */
/* URLs of requests */

gchar *obs_url_host_header(const ObsRequest *request)
{
    g_autofree gchar *host = NULL;

    if (request->service == OBS_SERVICE_OBS && request->bucket &&
        request->addressing == OBS_ADDRESSING_VIRTUAL) {
        host = g_strconcat(request->bucket, ".", request->endpoint->host,
                           NULL);
    } else {
        host = g_strdup(request->endpoint->host);
    }
    return host_and_port(host, request->endpoint);
}

gchar *obs_url_path(const ObsRequest *request)
{
    g_autofree gchar *key = NULL;

    if (request->service != OBS_SERVICE_OBS) {
        return obs_url_encode(request->path, TRUE);
    }
    if (request->key) {
        key = obs_url_encode(request->key, TRUE);
    }
    if (request->bucket && request->addressing == OBS_ADDRESSING_PATH) {
        return g_strconcat("/", request->bucket, key ? "/" : NULL, key, NULL);
    }
    return g_strconcat("/", key, NULL);
}

gchar *obs_url_build(const ObsRequest *request)
{
    g_autofree gchar *host = obs_url_host_header(request);
    g_autofree gchar *path = obs_url_path(request);
    GString *url = g_string_new(request->endpoint->https ? "https://"
                                                         : "http://");

    g_string_append(url, host);
    g_string_append(url, path);
    for (guint i = 0; i < request->query->len; i++) {
        const ObsPair *pair = request->query->pdata[i];
        g_autofree gchar *name = obs_url_encode(pair->name, FALSE);

        g_string_append_c(url, i ? '&' : '?');
        g_string_append(url, name);
        if (pair->value) {
            g_autofree gchar *value = obs_url_encode(pair->value, FALSE);

            g_string_append_c(url, '=');
            g_string_append(url, value);
        }
    }
    return g_string_free(url, FALSE);
}
