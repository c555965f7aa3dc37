/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The date spellings of HTTP and of the clouds' signatures, independent of
 * the locale. All times are seconds since 1970, UTC.
 */
#ifndef OBS_TIME_H
#define OBS_TIME_H

#include <glib.h>

/* "Fri, 02 Jan 2026 03:04:05 GMT" (RFC 1123). Free with g_free(). */
gchar *obs_time_http(gint64 time);

/* "20260102T030405Z" (ISO 8601 basic). Free with g_free(). */
gchar *obs_time_basic(gint64 time);

/* Parse RFC 1123, "Fri, 02 Jan 2026 03:04:05 GMT". FALSE on anything else. */
gboolean obs_time_parse_http(const gchar *text, gint64 *out_time);

/* Parse ISO 8601 with Z or offset, as in "expires_at"; fractions dropped. */
gboolean obs_time_parse_iso(const gchar *text, gint64 *out_time);

#endif
