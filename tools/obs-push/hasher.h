/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD5s of file ranges in a few threads, reported on the main loop.
 *
 * Content-MD5 stands before the body, so a part is read twice: here, and
 * again from the page cache a moment later when it is sent. The caller bounds
 * how far ahead it hashes.
 */
#ifndef OBS_HASHER_H
#define OBS_HASHER_H

#include "obs-etag.h"
#include "source.h"

typedef struct ObsHasher ObsHasher;

/* @error: the file could not be read; borrowed. Else @md5 is valid. */
typedef void (*ObsHashed)(guint tag, const ObsMd5 *md5, const GError *error,
                          gpointer user_data);

/* @source is borrowed. @threads 0: one for each CPU, but at most 8. */
ObsHasher *obs_hasher_new(const ObsSource *source, guint threads,
                          ObsHashed hashed, gpointer user_data);
/* Waits for the read that a thread is at; nobody is called back any more.
 * Not from within @hashed. */
void obs_hasher_free(ObsHasher *hasher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsHasher, obs_hasher_free)

guint obs_hasher_threads(const ObsHasher *hasher);

/* Queues a range; @tag comes back with the result. */
void obs_hasher_push(ObsHasher *hasher, guint tag, gint64 offset,
                     gint64 length);

/* Hashes the range now, in this thread. */
gboolean obs_hash_range(const ObsSource *source, gint64 offset, gint64 length,
                        ObsMd5 *out_md5, GError **error);

#endif
