/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings the missing parts of one multipart upload to the server: several in
 * flight, hashed a little ahead of being sent, copies made by the server
 * where the plan says zeros. What a server has acknowledged is noted in the
 * journal (in memory) and reported.
 */
#ifndef OBS_UPLOAD_PARTS_H
#define OBS_UPLOAD_PARTS_H

#include "client.h"
#include "event.h"
#include "obs-journal-format.h"
#include "source.h"

typedef struct {
    ObsClient *client;
    const char *bucket;
    const char *key;
    const char *upload_id;
    /* Sent parts are read from here; NULL if all parts are copies. */
    const ObsSource *source;
    /* Plan and state of the parts; only this file changes it meanwhile. */
    ObsJournal *journal;
    /*
     * For each part: ETag of what the server has although the journal knows
     * nothing of it, or NULL. Such a part is hashed and not sent if the MD5
     * is the same. The array itself may be NULL.
     */
    char **stored;
    /* Where zero parts are copied from: key in @bucket; NULL: send them. */
    const char *zero_key;
    /* MD5 of each zero part, by part index; others are not looked at. */
    const ObsMd5 *zero_md5s;
    guint parallel;             /* requests in flight at most */
    gboolean check_etag;        /* ETag of a part must be its MD5 */
    const ObsEvents *events;    /* notes only */
    /* A part has been acknowledged. */
    void (*acked)(gpointer data);
    gpointer data;
} ObsPartsJob;

typedef struct {
    guint64 copied;             /* bytes that the server copied */
    guint64 verified;           /* bytes found stored and right: @stored */
    gboolean gone;              /* failed because the upload id is no more */
} ObsPartsResult;

/*
 * Runs the main loop until all parts are done or one has failed for good; in
 * that case nothing is in flight any more when it returns. Copies that the
 * server refuses are sent instead; the plan in the journal then says so.
 */
gboolean obs_parts_run(const ObsPartsJob *job, ObsPartsResult *out,
                       GError **error);

/* Bytes of the file that are done: acknowledged before or now. */
guint64 obs_parts_done_bytes(const ObsJournal *journal);

#endif
