/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far "check, upload, register, wait" has come beyond the upload, so that
 * the same command does neither upload nor register twice. A small key file
 * beside the journal, replaced atomically, removed when the image is there.
 */
#ifndef OBS_RECORD_H
#define OBS_RECORD_H

#include "obs-journal-format.h"

typedef struct {
    ObsSourceIdentity source;   /* .path is not kept */
    char *etag;                 /* of the finished object; NULL: no record */
    char *image_name;           /* what @job_id imports; NULL: none */
    char *job_id;               /* NULL: not registered yet */
} ObsRecord;
void obs_record_clear(ObsRecord *record);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ObsRecord, obs_record_clear)

/* Path of the record of this upload. @dir NULL: the usual state folder. */
char *obs_record_path(const char *dir, const char *source,
                      const char *endpoint, const char *bucket,
                      const char *key);

/* A missing or unreadable record is an empty one. */
void obs_record_load(const char *path, ObsRecord *out);
/* FALSE with OBS_ERROR_FAILED. */
gboolean obs_record_save(const char *path, const ObsRecord *record,
                         GError **error);
void obs_record_remove(const char *path);

#endif
