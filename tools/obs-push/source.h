/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that is uploaded: opened once, read by offset from any thread,
 * its holes found without reading, and proof that it has not changed.
 */
#ifndef OBS_SOURCE_H
#define OBS_SOURCE_H

#include <glib.h>

#include "obs-journal-format.h"

typedef struct {
    char *path;                 /* as the user gave it, for messages */
    int fd;                     /* read-only */
    gint64 size;                /* bytes */
    ObsSourceIdentity identity; /* .path: absolute, no symbolic links */
} ObsSource;

/*
 * A regular file or a block device. OBS_ERROR_SOURCE when it is missing,
 * unreadable, of another kind or empty.
 */
ObsSource *obs_source_open(const char *path, GError **error);
void obs_source_free(ObsSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsSource, obs_source_free)

/*
 * FALSE with OBS_ERROR_SOURCE when size, modification time or inode are no
 * longer those of the opening, of the open file or of what the path names
 * now.
 */
gboolean obs_source_check_unchanged(const ObsSource *source, GError **error);

/*
 * Reads exactly @length bytes at @offset. Blocks; any thread. An error names
 * the offset; a file that ends early is one (OBS_ERROR_SOURCE).
 */
gboolean obs_source_read(const ObsSource *source, gint64 offset, void *buffer,
                         gsize length, GError **error);

/*
 * The first offset at or after @offset that may hold data (the size of the
 * file if there is only a hole). Where holes are unknown: @offset.
 */
gint64 obs_source_next_data(const ObsSource *source, gint64 offset);

/* The end of the data that begins at @offset: the next hole, or the size. */
gint64 obs_source_next_hole(const ObsSource *source, gint64 offset);

#endif
