/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The XML of OBS: a handful of answers read with GMarkup, one body written.
 * Answers are hostile: size, depth, counts and numbers are bounded. Elements
 * are matched by local name and parent, so a foreign namespace or an unknown
 * member does no harm. Pure.
 */
#ifndef OBS_XML_H
#define OBS_XML_H

#include <glib.h>

#include "obs-error.h"

#define OBS_XML_MAX_SIZE (16 * 1024 * 1024)
#define OBS_XML_MAX_DEPTH 16
#define OBS_XML_MAX_ENTRIES 10000   /* parts or uploads on one page */
#define OBS_XML_MAX_TEXT 8192       /* of one element, after decoding */

/*
 * All parsers: @text of @length bytes need not end with NUL. On failure they
 * return FALSE with OBS_ERROR_FAILED and leave the results untouched. A
 * document whose root is <Error> fails with a message that says so (look into
 * it with obs_xml_parse_error() first).
 */

/* InitiateMultipartUploadResult → upload id (1..1024 characters). */
gboolean obs_xml_parse_initiate(const gchar *text, gsize length,
                                gchar **out_upload_id, GError **error);

typedef struct {
    guint number;           /* 1..10000 */
    guint64 size;
    gchar *etag;            /* without quotes */
} ObsXmlPart;

/* One page of ListPartsResult. */
typedef struct {
    GPtrArray *parts;       /* ObsXmlPart, as sent */
    gchar *upload_id;
    gchar *storage_class;   /* NULL if absent */
    gboolean truncated;
    guint next_marker;      /* part-number-marker of the next page */
} ObsXmlPartList;

void obs_xml_part_list_free(ObsXmlPartList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsXmlPartList, obs_xml_part_list_free)

/*
 * @marker: what this page was asked with (0 for the first). A truncated page
 * whose next marker does not grow is an error, not an endless loop.
 */
ObsXmlPartList *obs_xml_parse_parts(const gchar *text, gsize length,
                                    guint marker, GError **error);

typedef struct {
    gchar *key;
    gchar *upload_id;
    gchar *initiated;       /* as sent, ISO 8601; NULL if absent */
    gchar *storage_class;
} ObsXmlUpload;

/* One page of ListMultipartUploadsResult. */
typedef struct {
    GPtrArray *uploads;     /* ObsXmlUpload */
    gboolean truncated;
    gchar *next_key_marker;
    gchar *next_upload_id_marker;
} ObsXmlUploadList;

void obs_xml_upload_list_free(ObsXmlUploadList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsXmlUploadList, obs_xml_upload_list_free)

/* The markers: what this page was asked with, NULL for the first. */
ObsXmlUploadList *obs_xml_parse_uploads(const gchar *text, gsize length,
                                        const gchar *key_marker,
                                        const gchar *upload_id_marker,
                                        GError **error);

/*
 * ListVersionsResult: ids (gchar *) of the versions and the delete markers of
 * @key on this page; other keys that begin alike are left out.
 */
GPtrArray *obs_xml_parse_versions(const gchar *text, gsize length,
                                  const gchar *key, GError **error);

/* CopyPartResult: the ETag, without quotes. */
gboolean obs_xml_parse_copy_part(const gchar *text, gsize length,
                                 gchar **out_etag, GError **error);

/* Members of an <Error> document; those absent are NULL. */
typedef struct {
    gchar *code;
    gchar *message;
    gchar *request_id;
    gchar *host_id;
    gchar *endpoint;
    gchar *resource;
} ObsXmlError;

void obs_xml_error_clear(ObsXmlError *error);

/* TRUE if the root is <Error> (however broken the rest). Never fails loudly. */
gboolean obs_xml_parse_error(const gchar *text, gsize length,
                             ObsXmlError *out_error);

/*
 * Body of Complete from @n ETags without quotes, part numbers 1..n. ETags
 * are sent in quotes, escaped.
 */
gchar *obs_xml_build_complete(const gchar *const *etags, guint n);

#endif
