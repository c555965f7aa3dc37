/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by upload.c (the course of an upload) and upload-resume.c (where it
 * begins: anew, or with what an earlier run has left); nobody else includes
 * it.
 */
#ifndef OBS_UPLOAD_PRIVATE_H
#define OBS_UPLOAD_PRIVATE_H

#include "journal.h"
#include "storage.h"
#include "upload.h"

typedef struct {
    const ObsUploadSpec *spec;
    ObsUploadResult *out;
    ObsPlace place;
    ObsJournalFile *file;
    ObsJournal *journal;
    GPtrArray *stored;          /* see ObsPartsJob */
    ObsMd5 *zero_md5s;
    gboolean dirty;             /* journal differs from that on disk */
    gboolean save_failed;       /* and the user knows */
    gint64 sent_before;
} ObsUpload;

/* Plan, journal, upload id. When it fails nothing is left, here or there. */
gboolean obs_upload_begin(ObsUpload *u, GError **error);
/*
 * Like obs_upload_begin(), but with the spec's upload_id and the parts that
 * the server has of it: those of our size are compared by hash, others are
 * sent again. The server's upload is never dropped when this fails.
 */
gboolean obs_upload_adopt(ObsUpload *u, GError **error);
/* Drops what u->journal tells of, and begins. */
gboolean obs_upload_start_over(ObsUpload *u, GError **error);
/*
 * Goes on with u->journal as far as the server confirms it; *out_done: there
 * is nothing left to do, the object stands. Begins anew where the spec or the
 * server leaves no choice.
 */
gboolean obs_upload_resume(ObsUpload *u, gboolean *out_done, GError **error);

/*
 * Takes the server's word for what it has, as far as it can be compared:
 * acknowledged parts that it still has stay done; parts that it has and the
 * journal does not know are noted in u->stored, to be compared by hash.
 * Returns how many parts that were done are not (any more).
 */
guint obs_upload_merge_list(ObsUpload *u, const GPtrArray *parts);

/* The ETag that the object must get, from the MD5s of its parts; NULL while
 * one is not known. Free with g_free(). */
char *obs_upload_expected_etag(const ObsUpload *u);

#endif
