/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and addresses: percent-encoding, obs:// arguments, endpoints, the
 * rules for bucket and key names, and URLs of requests. Pure.
 */
#ifndef OBS_URL_H
#define OBS_URL_H

#include "obs-types.h"

#define OBS_KEY_MAX 1024        /* bytes of UTF-8, by the OBS documentation */

/* For every object: a proxy that "knew" an image type might repack it. */
#define OBS_CONTENT_TYPE "application/octet-stream"

/*
 * Percent-encode bytewise: A-Z a-z 0-9 - _ . ~ stay, and "/" if @keep_slash;
 * all else becomes %XX in upper case. That is the one encoding which the wire
 * and all signatures of OBS, IMS and IAM agree on.
 */
gchar *obs_url_encode(const gchar *text, gboolean keep_slash);

/*
 * Split "obs://bucket/key" (s3:// too). The key is taken literally, nothing
 * is decoded. No key, or a key that ends with "/", gets the base name of
 * @file_name appended if that is not NULL (as cp does). The names are
 * validated. Fails with OBS_ERROR_USAGE. Free both results.
 */
gboolean obs_url_parse_object(const gchar *text, const gchar *file_name,
                              gchar **out_bucket, gchar **out_key,
                              GError **error);

/* "obs://bucket" or "obs://bucket/prefix", for lists; *out_prefix may be "". */
gboolean obs_url_parse_prefix(const gchar *text, gchar **out_bucket,
                              gchar **out_prefix, GError **error);

/*
 * Bucket: 3..63 of a-z 0-9 - ., begins and ends with a letter or digit, no
 * "..", ".-", "-.", not an IPv4 address. OBS_ERROR_USAGE.
 */
gboolean obs_url_check_bucket(const gchar *bucket, GError **error);

/*
 * Key: 1..1024 bytes of UTF-8, no control characters, no leading "/", no
 * "//", no "." or ".." segment (clients and proxies rewrite these in
 * a URL, which breaks the signature). With @for_import also no white space and
 * no ":" (image_url is "bucket:key"; IMG.0175). OBS_ERROR_USAGE.
 */
gboolean obs_url_check_key(const gchar *key, gboolean for_import,
                           GError **error);

/*
 * Key of the bitmap beside a RAW object: the extension after the last "/" is
 * replaced by ".mf", or ".mf" appended if there is none.
 */
gchar *obs_url_bitmap_key(const gchar *key);

/*
 * Parse "host", "host:port", "http://host:port/", "https://[::1]:9443". No
 * scheme means https. User, query, fragment or a path are refused:
 * OBS_ERROR_USAGE. @what names the option or variable in messages.
 */
ObsEndpoint *obs_url_parse_endpoint(const gchar *text, const gchar *what,
                                    GError **error);

/* "https://host:port" without trailing slash; port only if set. */
gchar *obs_url_endpoint_text(const ObsEndpoint *endpoint);

/* The port that a connection goes to: set, or the default of the scheme. */
guint16 obs_url_endpoint_port(const ObsEndpoint *endpoint);

/* TRUE for localhost, 127.0.0.0/8 and ::1. */
gboolean obs_url_host_is_loopback(const gchar *host);

/* TRUE for a literal IPv4 or IPv6 address: these can't be virtual-hosted. */
gboolean obs_url_host_is_address(const gchar *host);

/* The Host header that a request will carry: port only if not the default. */
gchar *obs_url_host_header(const ObsRequest *request);

/* Encoded path of the request as it goes over the wire; no query. */
gchar *obs_url_path(const ObsRequest *request);

/* "https://host:port/path?query" for libcurl. */
gchar *obs_url_build(const ObsRequest *request);

#endif
