/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes RAW samples: see bitmap-samples.h. */
#include "bitmap-samples.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "obs-error.h"
#include "raw-bitmap-fit.h"

#define WRITE_SIZE (1024 * 1024)

static gboolean fail(const char *path, GError **error)
{
    int saved = errno;

    g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "cannot write %s: %s",
                path, g_strerror(saved));
    return FALSE;
}

static gboolean write_extent(int fd, const char *path,
                             const RawBitmapExtent *extent,
                             const ObsBitmapWatch *watch, GError **error)
{
    g_autofree guint8 *ones = g_malloc(WRITE_SIZE);
    guint64 end = extent->offset + extent->length;

    memset(ones, 0xff, WRITE_SIZE);
    for (guint64 at = extent->offset; at < end;) {
        gssize n = pwrite(fd, ones, MIN(end - at, WRITE_SIZE), at);

        if (n < 0 && errno != EINTR) {
            return fail(path, error);
        }
        at += MAX(n, 0);
        if (watch && watch->stop && watch->stop(watch->stop_data)) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_INTERRUPTED,
                        "interrupted while writing %s", path);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean fill_sample(int fd, const char *path,
                            const RawBitmapSample *sample,
                            const ObsBitmapWatch *watch, GError **error)
{
    if (ftruncate(fd, sample->size) < 0) {
        return fail(path, error);
    }
    for (guint i = 0; i < sample->extent_num; i++) {
        if (!write_extent(fd, path, &sample->extent[i], watch, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean make_sample(const char *folder, const RawBitmapSample *sample,
                            gboolean replace, const ObsBitmapWatch *watch,
                            GError **error)
{
    g_autofree char *path = g_build_filename(folder, sample->name, NULL);
    gboolean ok;
    int fd;

    if (replace) {
        unlink(path);       /* what can't be removed fails in the next line */
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return fail(path, error);
    }
    ok = fill_sample(fd, path, sample, watch, error);
    if (close(fd) < 0 && ok) {
        ok = fail(path, error);
    }
    if (!ok) {
        unlink(path);
        return FALSE;
    }
    if (watch) {
        obs_event_text(watch->events, OBS_EVENT_STAGE, "sample", "%s  %s",
                       path, sample->what);
    }
    return TRUE;
}

gboolean obs_bitmap_make_samples(const char *folder, gboolean replace,
                                 const ObsBitmapWatch *watch, GError **error)
{
    if (g_mkdir_with_parents(folder, 0777) < 0) {
        return fail(folder, error);
    }
    for (guint i = 0; i < raw_bitmap_sample_count(); i++) {
        if (!make_sample(folder, raw_bitmap_sample(i), replace, watch,
                         error)) {
            return FALSE;
        }
    }
    return TRUE;
}
