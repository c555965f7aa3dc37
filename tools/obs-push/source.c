/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that is uploaded: see source.h. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obs-error.h"

/* All but the path. A block device has no time of its own: its number and
 * size are all that can be told. */
static gboolean identify(int fd, const struct stat *st,
                         ObsSourceIdentity *identity)
{
    memset(identity, 0, sizeof(*identity));
    if (S_ISBLK(st->st_mode)) {
        guint64 bytes = 0;

        if (ioctl(fd, BLKGETSIZE64, &bytes) != 0 || bytes > G_MAXINT64) {
            return FALSE;
        }
        identity->size = bytes;
        identity->inode = st->st_rdev;
        return TRUE;
    }
    identity->size = st->st_size;
    identity->mtime_sec = st->st_mtim.tv_sec;
    identity->mtime_nsec = st->st_mtim.tv_nsec;
    identity->inode = st->st_ino;
    identity->device = st->st_dev;
    return TRUE;
}

ObsSource *obs_source_open(const char *path, GError **error)
{
    g_autoptr(ObsSource) source = g_new0(ObsSource, 1);
    struct stat st;
    char *real;

    source->path = g_strdup(path);
    /* Not blocking: a FIFO must be refused and not waited for. */
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source->fd < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE, "cannot open %s: %s",
                    path, g_strerror(errno));
        return NULL;
    }
    if (fstat(source->fd, &st) != 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE, "cannot stat %s: %s",
                    path, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "%s is neither a file nor a block device", path);
        return NULL;
    }
    if (!identify(source->fd, &st, &source->identity)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "cannot find the size of %s: %s", path,
                    g_strerror(errno));
        return NULL;
    }
    if (source->identity.size == 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE, "%s is empty", path);
        return NULL;
    }
    source->size = source->identity.size;
    real = realpath(path, NULL);
    if (!real) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "cannot resolve %s: %s", path, g_strerror(errno));
        return NULL;
    }
    source->identity.path = g_strdup(real);
    free(real);
    return g_steal_pointer(&source);
}

void obs_source_free(ObsSource *source)
{
    if (source->fd >= 0) {
        close(source->fd);
    }
    g_free(source->identity.path);
    g_free(source->path);
    g_free(source);
}

gboolean obs_source_check_unchanged(const ObsSource *source, GError **error)
{
    g_autofree char *changed = NULL;
    ObsSourceIdentity now;
    struct stat st;

    if (fstat(source->fd, &st) != 0 || !identify(source->fd, &st, &now)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE, "cannot stat %s: %s",
                    source->path, g_strerror(errno));
        return FALSE;
    }
    now.path = source->identity.path;
    changed = obs_journal_source_changed(&source->identity, &now);
    if (!changed) {
        /* The open file is the same; does the name still mean it? */
        if (stat(source->identity.path, &st) != 0 ||
            !identify(source->fd, &st, &now)) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                        "%s has gone while it was read: %s", source->path,
                        g_strerror(errno));
            return FALSE;
        }
        now.path = source->identity.path;
        changed = obs_journal_source_changed(&source->identity, &now);
    }
    if (changed) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "%s has changed while it was read: %s; upload it again "
                    "when nothing writes to it", source->path, changed);
        return FALSE;
    }
    return TRUE;
}

gboolean obs_source_read(const ObsSource *source, gint64 offset, void *buffer,
                         gsize length, GError **error)
{
    char *p = buffer;

    while (length > 0) {
        gssize got = pread(source->fd, p, length, offset);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                        "cannot read %s at offset %" G_GINT64_FORMAT ": %s",
                        source->path, offset,
                        got < 0 ? g_strerror(errno)
                                : "the file has become shorter");
            return FALSE;
        }
        p += got;
        offset += got;
        length -= got;
    }
    return TRUE;
}

gint64 obs_source_next_data(const ObsSource *source, gint64 offset)
{
    off_t at = lseek(source->fd, offset, SEEK_DATA);

    if (at >= 0) {
        return MIN(MAX((gint64)at, offset), source->size);
    }
    /* ENXIO: only a hole is left. Else the file system does not know. */
    return errno == ENXIO ? source->size : offset;
}

gint64 obs_source_next_hole(const ObsSource *source, gint64 offset)
{
    off_t at = lseek(source->fd, offset, SEEK_HOLE);

    return at > offset ? MIN((gint64)at, source->size) : source->size;
}
