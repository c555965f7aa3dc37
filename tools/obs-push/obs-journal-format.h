/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of an upload as text: what is uploaded where, cut how, and
 * which parts are done. Pure: text ⇄ struct; writing it to disk safely and
 * locking are the caller's.
 *
 * Version 1 is lines of "name value…", values percent-encoded, one line per
 * part, closed by "end <sha256 of all bytes before>". A journal that was cut
 * off, edited or is of another version is refused, never guessed at. It holds
 * no secret.
 */
#ifndef OBS_JOURNAL_FORMAT_H
#define OBS_JOURNAL_FORMAT_H

#include "obs-etag.h"
#include "obs-plan.h"

#define OBS_JOURNAL_VERSION 1
#define OBS_JOURNAL_MAX_SIZE (8 * 1024 * 1024)

/* What tells whether a file is still the same. */
typedef struct {
    gchar *path;            /* canonical, as bytes of the file system */
    guint64 size;
    gint64 mtime_sec;
    guint32 mtime_nsec;
    guint64 inode;
    guint64 device;
} ObsSourceIdentity;

typedef struct {
    gboolean done;          /* the server has acknowledged it */
    gboolean has_md5;
    ObsMd5 md5;             /* of what was sent */
    gchar *etag;            /* as the server gave it, no quotes; NULL: none */
} ObsPartState;

typedef struct {
    ObsSourceIdentity source;
    gchar *endpoint;        /* "https://host:port" */
    gchar *bucket;
    gchar *key;
    gchar *upload_id;       /* NULL: not yet initiated */
    gchar *created;         /* ISO 8601, for lists */
    gchar *options;         /* opaque: digest of storage class, SSE, … */
    ObsPlan *plan;
    ObsPartState *states;   /* plan->parts->len of them */
    gchar *zero_key;        /* key of the zero object; NULL: none */
    gchar *zero_etag;       /* its ETag once it stands; NULL: not yet */
    gchar *zero_upload_id;  /* while it is being put together; NULL: none */
} ObsJournal;

/* Takes @plan over; everything else empty, no part done. */
ObsJournal *obs_journal_new(ObsPlan *plan);
void obs_journal_free(ObsJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsJournal, obs_journal_free)

/* Set part @index done (or not, with etag NULL and md5 NULL). */
void obs_journal_set_part(ObsJournal *journal, guint index,
                          const ObsMd5 *md5, const gchar *etag);

/* Text form. path, endpoint, bucket and key must be set. */
GString *obs_journal_format(const ObsJournal *journal);

/*
 * @text may hold anything. OBS_ERROR_FAILED with line number and reason; the
 * caller adds the file name and what to do.
 */
ObsJournal *obs_journal_parse(const gchar *text, gsize length,
                              GError **error);

/*
 * Is the file still the one in the journal? Returns NULL if so, else what
 * differs, as words for a message ("size 5 → 6, modified …"). Free it.
 */
gchar *obs_journal_source_changed(const ObsSourceIdentity *then,
                                  const ObsSourceIdentity *now);

/*
 * Base name of the journal of this upload: 32 hex digits (of a SHA-256 of
 * path, endpoint, bucket and key) plus ".journal". Free with g_free().
 */
gchar *obs_journal_file_name(const gchar *path, const gchar *endpoint,
                             const gchar *bucket, const gchar *key);

#endif
