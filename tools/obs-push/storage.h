/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The single operations on object storage, each one call that blocks (runs
 * the main loop) until its final verdict. Uploading parts is upload-parts'.
 */
#ifndef OBS_STORAGE_H
#define OBS_STORAGE_H

#include "client.h"
#include "obs-etag.h"
#include "obs-xml.h"

/* One place in object storage, and who talks to it. All borrowed. */
typedef struct {
    ObsClient *client;
    const char *bucket;
    const char *key;            /* NULL: the bucket itself */
} ObsPlace;

typedef struct {
    gboolean exists;
    gint64 size;
    char *etag;                 /* normalized; "" if absent */
    char *upload_id;            /* NULL: not multipart, or not told */
    char *storage_class;        /* as sent; NULL: Standard */
} ObsObjectInfo;
void obs_object_info_clear(ObsObjectInfo *info);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ObsObjectInfo, obs_object_info_clear)

typedef struct {
    char *region;               /* NULL: not told */
    char *storage_class;        /* NULL: not told */
    gboolean file_system;       /* a parallel file system */
} ObsBucketInfo;
void obs_bucket_info_clear(ObsBucketInfo *info);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ObsBucketInfo, obs_bucket_info_clear)

/* FALSE for an absent bucket: OBS_ERROR_BUCKET. */
gboolean obs_storage_head_bucket(const ObsPlace *place, ObsBucketInfo *out,
                                 GError **error);
/* A missing object is no error: out->exists is FALSE. */
gboolean obs_storage_head(const ObsPlace *place, ObsObjectInfo *out,
                          GError **error);
/* Exactly @length bytes of the object at @offset; NULL with @error. */
GBytes *obs_storage_read(const ObsPlace *place, gint64 offset, gsize length,
                         GError **error);
/*
 * Deletes an object; a missing one is no error. *@out_kept: the bucket has
 * versioning, so only a delete marker was set and the bytes are still stored.
 */
gboolean obs_storage_delete(const ObsPlace *place, gboolean *out_kept,
                            GError **error);
/*
 * Deletes every version and delete marker of an object, for good. Spelled as
 * in S3, and tried with Ceph; of OBS it is known that it signs these queries.
 */
gboolean obs_storage_delete_versions(const ObsPlace *place, GError **error);

/*
 * A plain PUT of @body (@md5: of it). @headers: object headers, NULL: none.
 * @check_etag: the answer's ETag must be the MD5 (not so with SSE-KMS).
 */
gboolean obs_storage_put(const ObsPlace *place, const ObsBody *body,
                         const ObsMd5 *md5, const GPtrArray *headers,
                         gboolean check_etag, char **out_etag,
                         GError **error);

/* Starts a multipart upload. */
gboolean obs_storage_initiate(const ObsPlace *place, const GPtrArray *headers,
                              char **out_upload_id, GError **error);

typedef enum {
    OBS_LIST_OK,
    OBS_LIST_GONE,              /* there is no such upload (any more) */
    OBS_LIST_FAILED,            /* @error is set */
} ObsListResult;
/* All pages: array of ObsXmlPart in ascending order. */
ObsListResult obs_storage_list_parts(const ObsPlace *place,
                                     const char *upload_id,
                                     GPtrArray **out_parts, GError **error);

/* All open uploads whose key begins with @prefix: array of ObsXmlUpload. */
GPtrArray *obs_storage_list_uploads(const ObsPlace *place, const char *prefix,
                                    GError **error);

/* Ends the upload and drops its parts; gone already is no error. */
gboolean obs_storage_abort(const ObsPlace *place, const char *upload_id,
                           GError **error);

/*
 * Joins @n parts with these @etags (no quotes). An answer that leaves it
 * unclear is resolved by looking at the object: its upload id, or (where the
 * server does not tell that) size and ETag. @expected_etag NULL: can't be
 * known. On success *out_info is the finished object as a HEAD shows it.
 */
gboolean obs_storage_complete(const ObsPlace *place, const char *upload_id,
                              const char *const *etags, guint n,
                              gint64 size, const char *expected_etag,
                              ObsObjectInfo *out_info, GError **error);

/*
 * Is the object the one that @upload_id made? By its upload id, or by size
 * and ETag where the server tells none.
 */
gboolean obs_storage_made_by(const ObsObjectInfo *info, const char *upload_id,
                             gint64 size, const char *expected_etag);

#endif
