/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums of what is uploaded: MD5 of a part, the ETag of a multipart
 * object from the MD5s of its parts, and comparing with what a server says.
 */
#ifndef OBS_ETAG_H
#define OBS_ETAG_H

#include <glib.h>

#define OBS_MD5_SIZE 16
#define OBS_MD5_HEX_SIZE 33     /* with NUL */

typedef struct {
    guint8 bytes[OBS_MD5_SIZE];
} ObsMd5;

/* A running MD5. Feed as the data passes by. */
typedef struct ObsMd5Context ObsMd5Context;
ObsMd5Context *obs_md5_new(void);
void obs_md5_update(ObsMd5Context *context, const void *data, gsize length);
/* The digest so far; the context may be fed further. */
void obs_md5_peek(const ObsMd5Context *context, ObsMd5 *out_md5);
void obs_md5_free(ObsMd5Context *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsMd5Context, obs_md5_free)

/* MD5 of one buffer. */
void obs_md5_of(const void *data, gsize length, ObsMd5 *out_md5);

/*
 * MD5s of runs of zero bytes, all in one pass as long as the longest of
 * @lengths (any order). Costs about 1.5 s per GiB.
 */
void obs_md5_of_zeros(const guint64 *lengths, gsize n, ObsMd5 *out_md5s);

void obs_md5_to_hex(const ObsMd5 *md5, gchar out_hex[OBS_MD5_HEX_SIZE]);
gboolean obs_md5_from_hex(const gchar *hex, ObsMd5 *out_md5);

/* Content-MD5: base64 of the binary digest. Free with g_free(). */
gchar *obs_md5_to_base64(const ObsMd5 *md5);

/* "hex-N" of a multipart object. @n >= 1. Free with g_free(). */
gchar *obs_etag_multipart(const ObsMd5 *parts, guint n);

/* TRUE if both are the same but for quotes, white space around, and case. */
gboolean obs_etag_equal(const gchar *a, const gchar *b);

/* Copy without quotes and white space around, lower case. */
gchar *obs_etag_normalize(const gchar *etag);

/*
 * Does @etag look like an MD5 ("32 hex") or multipart ETag ("32 hex-N")? With
 * SSE it may be something else, then it can't be compared.
 */
gboolean obs_etag_is_md5(const gchar *etag);
gboolean obs_etag_is_multipart(const gchar *etag);

#endif
