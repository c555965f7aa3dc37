/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of the signing code share. Private to obs-sign*.c.
 */
#ifndef OBS_SIGN_PRIVATE_H
#define OBS_SIGN_PRIVATE_H

#include "obs-sign.h"

#define OBS_SHA1_SIZE 20
#define OBS_SHA256_SIZE 32

/*
 * Canonical headers: lower-case names, values trimmed (and runs of blanks
 * collapsed if @collapse), values of one name joined by ",", sorted by name.
 * Takes ObsPair arrays; returns one that is owned by the caller.
 */
GPtrArray *obs_sign_canonical_headers(const GPtrArray *headers,
                                      gboolean collapse);

/* Lower-case hex, to free with g_free(). */
gchar *obs_sign_hex(const guint8 *bytes, gsize length);

/* The methods with a canonical request: V4, SDK and SDK_LEGACY. */
GPtrArray *obs_sign_sha256_headers(const ObsRequest *request,
                                   const ObsCredentials *credentials,
                                   const ObsSignOptions *options,
                                   ObsSignTrace *trace);

/* V4 in the query. */
gchar *obs_sign_v4_url(const ObsRequest *request,
                       const ObsCredentials *credentials,
                       const ObsSignOptions *options, gint64 lifetime,
                       ObsSignTrace *trace);

#endif
