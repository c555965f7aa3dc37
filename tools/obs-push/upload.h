/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file to one object, resumably: a single PUT for a small one, else
 * begin or resume → parts → compare the server's list → complete → look at
 * the finished object. Everything blocks (runs the main loop).
 */
#ifndef OBS_UPLOAD_H
#define OBS_UPLOAD_H

#include "client.h"
#include "event.h"
#include "obs-journal-format.h"
#include "source.h"

typedef struct {
    ObsClient *client;
    const ObsSource *source;
    const char *bucket;
    const char *key;
    /* Storage class, ACL, encryption, metadata: ObsPair in OBS spelling. */
    const GPtrArray *headers;
    gboolean encrypted;         /* SSE asked for: ETags need not be MD5s */
    guint64 part_size;          /* 0: default */
    guint parallel;
    /* RAW: where data may be (ObsExtent); all else is zeros. NULL: all. */
    const GArray *extents;
    gboolean restart;           /* drop what an earlier run left */
    gboolean no_clobber;        /* the object must not exist */
    const char *upload_id;      /* go on with it, who ever began it; NULL */
    const char *state_dir;      /* NULL: the usual */
    const ObsEvents *events;
} ObsUploadSpec;

typedef struct {
    guint64 size;
    guint64 wire;               /* body bytes that left this machine */
    guint64 copied;             /* bytes that the server copied */
    guint64 resumed;            /* bytes that an earlier run had brought */
    guint parts;                /* 0: a single PUT */
    gboolean was_complete;      /* an earlier run had done it all */
    char *etag;
} ObsUploadResult;
void obs_upload_result_clear(ObsUploadResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ObsUploadResult, obs_upload_result_clear)

/*
 * On failure what has been brought so far stays on the server and in the
 * journal, unless it is of no use: the same call resumes. OBS_ERROR_SOURCE
 * when the file is not the one of an earlier, unfinished upload.
 */
gboolean obs_upload_run(const ObsUploadSpec *spec, ObsUploadResult *out,
                        GError **error);

/*
 * Is the object at the place what this upload would make? Hashes the file if
 * sizes agree. @out_same FALSE where it can't be known.
 */
gboolean obs_upload_is_same(const ObsUploadSpec *spec, gboolean *out_same,
                            GError **error);

/* How the file would be cut, for --dry-run and for the bounds. */
ObsPlan *obs_upload_plan(const ObsUploadSpec *spec, GError **error);

/*
 * Forgets an unfinished upload on the server and here: its parts, its zero
 * object, its journal. @journal is that of @name in @state_dir.
 */
gboolean obs_upload_discard(ObsClient *client, ObsJournal *journal,
                            const ObsEvents *events, GError **error);

#endif
