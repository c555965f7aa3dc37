/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the data of a RAW image: see bitmap-scan.h. */
#include "bitmap-scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "obs-error.h"
#include "obs-url.h"

/* What a thread takes at a time; a block, if that is more */
#define UNIT_SIZE (4 * 1024 * 1024)
/* Data shows in the first bytes of a block nearly always, so that little is
 * read first; a block that begins with zeros is read in larger pieces */
#define FIRST_READ (16 * 1024)
#define NEXT_READ (512 * 1024)
#define MIN_THREADS 4u
#define MAX_THREADS 16u
#define TICK_US (G_USEC_PER_SEC / 5)

typedef struct {
    const ObsSource *source;
    guint32 granularity;
    GMutex lock;                /* all below */
    GCond ended;                /* running has become less */
    RawBitmap *map;
    gint64 cursor;              /* taken or skipped so far */
    gint64 data_end;            /* end of the data that cursor is in */
    guint running;
    gboolean stopped;
    GError *error;              /* the first one */
} Scan;

/* ------------------------------------------------------------------------ */
/* What to read next */

/* Moves the cursor over blocks that are marked already; lock held */
static void skip_marked(Scan *scan)
{
    gint64 granularity = scan->granularity;
    guint64 block = scan->cursor / granularity;

    if (block < raw_bitmap_blocks(scan->map) &&
        raw_bitmap_is_data(scan->map, block)) {
        guint64 next = raw_bitmap_next(scan->map, block, FALSE);

        scan->cursor = next >= raw_bitmap_blocks(scan->map)
                       ? scan->source->size : (gint64)next * granularity;
    }
}

/* The next piece of data to look at, within one unit */
static gboolean take_unit(Scan *scan, gint64 *out_start, gint64 *out_end)
{
    gint64 unit = MAX(scan->granularity, UNIT_SIZE);
    gint64 before;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&scan->lock);

    if (scan->stopped || scan->error) {
        return FALSE;
    }
    do {
        before = scan->cursor;
        skip_marked(scan);
        if (scan->cursor >= scan->data_end &&
            scan->cursor < scan->source->size) {
            scan->cursor = obs_source_next_data(scan->source, scan->cursor);
            if (scan->cursor < scan->source->size) {
                scan->data_end = obs_source_next_hole(scan->source,
                                                      scan->cursor);
            }
        }
    } while (scan->cursor != before);
    if (scan->cursor >= scan->source->size) {
        return FALSE;
    }
    *out_start = scan->cursor;
    *out_end = MIN(scan->data_end, (scan->cursor / unit + 1) * unit);
    scan->cursor = *out_end;
    return TRUE;
}

/* ------------------------------------------------------------------------ */
/* Reading */

static gboolean is_marked(Scan *scan, gint64 offset)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&scan->lock);

    return raw_bitmap_is_data(scan->map, offset / scan->granularity);
}

static void mark(Scan *scan, gint64 offset)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&scan->lock);

    raw_bitmap_mark(scan->map, offset, 1);
}

/* [start, end) lies within one block: reads until something is not zero */
static gboolean scan_block(Scan *scan, gint64 start, gint64 end,
                           guint8 *buffer, GError **error)
{
    gsize length = FIRST_READ;

    if (is_marked(scan, start)) {
        return TRUE;
    }
    for (gint64 at = start; at < end; at += length, length = NEXT_READ) {
        length = MIN((gint64)length, end - at);
        if (!obs_source_read(scan->source, at, buffer, length, error)) {
            return FALSE;
        }
        if (!raw_bitmap_all_zero(buffer, length)) {
            mark(scan, start);
            return TRUE;
        }
    }
    return TRUE;
}

static gboolean scan_units(Scan *scan, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(NEXT_READ);
    gint64 start, end;

    while (take_unit(scan, &start, &end)) {
        while (start < end) {
            gint64 block_end = MIN(end, (start / scan->granularity + 1) *
                                        scan->granularity);

            if (!scan_block(scan, start, block_end, buffer, error)) {
                return FALSE;
            }
            start = block_end;
        }
    }
    return TRUE;
}

static gpointer scan_thread(gpointer data)
{
    Scan *scan = data;
    GError *error = NULL;

    scan_units(scan, &error);
    g_mutex_lock(&scan->lock);
    if (error && !scan->error) {
        scan->error = g_steal_pointer(&error);
    }
    scan->running--;
    g_cond_signal(&scan->ended);
    g_mutex_unlock(&scan->lock);
    g_clear_error(&error);
    return NULL;
}

/* ------------------------------------------------------------------------ */
/* All of it */

/* Waits for the threads, telling the watcher how far they are */
static void watch_threads(Scan *scan, const ObsBitmapWatch *watch)
{
    g_mutex_lock(&scan->lock);
    while (scan->running) {
        gint64 done;

        g_cond_wait_until(&scan->ended, &scan->lock,
                          g_get_monotonic_time() + TICK_US);
        done = scan->cursor;
        g_mutex_unlock(&scan->lock);
        if (watch && watch->events) {
            obs_event_bytes(watch->events, "bitmap", done,
                            scan->source->size);
        }
        if (watch && watch->stop && watch->stop(watch->stop_data)) {
            g_mutex_lock(&scan->lock);
            scan->stopped = TRUE;
            g_mutex_unlock(&scan->lock);
        }
        g_mutex_lock(&scan->lock);
    }
    g_mutex_unlock(&scan->lock);
}

static void run_threads(Scan *scan, const ObsBitmapWatch *watch)
{
    GThread *thread[MAX_THREADS];
    /* More than CPUs: while one waits for the device another compares */
    guint wanted = CLAMP(2 * g_get_num_processors(), MIN_THREADS,
                         MAX_THREADS);
    guint n = 0;

    scan->running = wanted;
    while (n < wanted) {
        thread[n] = g_thread_try_new("scan", scan_thread, scan, NULL);
        if (!thread[n]) {
            break;
        }
        n++;
    }
    if (n == 0) {
        scan->running = 1;
        scan_thread(scan);
    } else if (n < wanted) {
        g_mutex_lock(&scan->lock);
        scan->running -= wanted - n;
        g_mutex_unlock(&scan->lock);
    }
    watch_threads(scan, watch);
    while (n > 0) {
        g_thread_join(thread[--n]);
    }
}

gboolean obs_bitmap_scan(const ObsSource *source, RawBitmap *map,
                         const ObsBitmapWatch *watch, GError **error)
{
    Scan scan = {
        .source = source, .map = map,
        .granularity = raw_bitmap_layout(map)->granularity,
    };

    g_assert((gint64)raw_bitmap_raw_size(map) == source->size);
    g_mutex_init(&scan.lock);
    g_cond_init(&scan.ended);
    /* Each read is as long as it is meant to be; the kernel must not add to
     * it what will be skipped */
    posix_fadvise(source->fd, 0, 0, POSIX_FADV_RANDOM);
    run_threads(&scan, watch);
    posix_fadvise(source->fd, 0, 0, POSIX_FADV_NORMAL);
    g_mutex_clear(&scan.lock);
    g_cond_clear(&scan.ended);

    if (scan.error) {
        g_propagate_error(error, scan.error);
        return FALSE;
    }
    if (scan.stopped) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_INTERRUPTED,
                    "interrupted while reading %s", source->path);
        return FALSE;
    }
    return obs_source_check_unchanged(source, error);
}

RawBitmap *obs_bitmap_of(const ObsSource *source,
                         const RawBitmapLayout *layout,
                         const ObsBitmapWatch *watch, GError **error)
{
    g_autoptr(RawBitmap) map = NULL;
    RawBitmapLayout standard;
    char why[RAW_BITMAP_ERR_MAX];

    raw_bitmap_layout_init(&standard);
    if (raw_bitmap_new(layout ? layout : &standard, source->size, &map,
                       why) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s: %s",
                    source->path, why);
        return NULL;
    }
    if (!obs_bitmap_scan(source, map, watch, error)) {
        return NULL;
    }
    return g_steal_pointer(&map);
}

/* ------------------------------------------------------------------------ */
/* With the file */

char *obs_bitmap_name(const char *raw_path)
{
    return obs_url_bitmap_key(raw_path);
}

static gboolean fail_save(int code, const char *why, GError **error)
{
    g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s%s", why,
                code == -EEXIST ? "; --force overwrites it" : "");
    return FALSE;
}

gboolean obs_bitmap_make(const char *raw_path, const char *mf_path,
                         const RawBitmapLayout *layout, gboolean replace,
                         const ObsBitmapWatch *watch, RawBitmap **out,
                         GError **error)
{
    g_autoptr(ObsSource) source = obs_source_open(raw_path, error);
    g_autoptr(RawBitmap) map = NULL;
    char why[RAW_BITMAP_FILE_ERR_MAX];
    struct stat st;
    int code;

    if (!source) {
        return FALSE;
    }
    /* Before the work as well as after it */
    code = raw_bitmap_file_check(mf_path, replace, why);
    if (code < 0) {
        return fail_save(code, why, error);
    }
    if (stat(mf_path, &st) == 0 && st.st_ino == source->identity.inode &&
        st.st_dev == source->identity.device) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "%s is the image itself", mf_path);
        return FALSE;
    }
    map = obs_bitmap_of(source, layout, watch, error);
    if (!map) {
        return FALSE;
    }
    code = raw_bitmap_file_save(map, mf_path, replace, raw_path, why);
    if (code < 0) {
        return fail_save(code, why, error);
    }
    if (out) {
        *out = g_steal_pointer(&map);
    }
    return TRUE;
}

void obs_bitmap_report_clear(ObsBitmapReport *report)
{
    g_clear_pointer(&report->claimed, raw_bitmap_free);
    g_clear_pointer(&report->hidden, raw_bitmap_free);
    g_clear_pointer(&report->needless, raw_bitmap_free);
}

static RawBitmap *copy_map(const RawBitmap *map, GError **error)
{
    RawBitmap *copy = NULL;
    char why[RAW_BITMAP_ERR_MAX];

    if (raw_bitmap_convert(map, raw_bitmap_layout(map), &copy, why) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s", why);
    }
    return copy;
}

/* A new map of the blocks that are data in @a but not in @b */
static RawBitmap *only_in(const RawBitmap *a, const RawBitmap *b,
                          guint64 *out_num, GError **error)
{
    guint64 granularity = raw_bitmap_layout(a)->granularity;
    guint64 blocks = raw_bitmap_blocks(a);
    RawBitmap *only = NULL;
    char why[RAW_BITMAP_ERR_MAX];

    if (raw_bitmap_new(raw_bitmap_layout(a), raw_bitmap_raw_size(a), &only,
                       why) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s", why);
        return NULL;
    }
    for (guint64 n = raw_bitmap_next(a, 0, TRUE); n < blocks;
         n = raw_bitmap_next(a, n + 1, TRUE)) {
        if (!raw_bitmap_is_data(b, n)) {
            raw_bitmap_mark(only, n * granularity, 1);
        }
    }
    *out_num = raw_bitmap_data_blocks(only);
    return only;
}

static gboolean compare(const ObsSource *source, gboolean exact,
                        const ObsBitmapWatch *watch, ObsBitmapReport *report,
                        GError **error)
{
    g_autoptr(RawBitmap) actual = NULL;

    if (exact) {
        actual = obs_bitmap_of(source, raw_bitmap_layout(report->claimed),
                               watch, error);
        if (!actual) {
            return FALSE;
        }
        report->needless = only_in(report->claimed, actual,
                                   &report->needless_num, error);
        if (!report->needless) {
            return FALSE;
        }
    } else {
        /* What is marked beforehand is not read */
        actual = copy_map(report->claimed, error);
        if (!actual || !obs_bitmap_scan(source, actual, watch, error)) {
            return FALSE;
        }
    }
    report->hidden = only_in(actual, report->claimed, &report->hidden_num,
                             error);
    return report->hidden != NULL;
}

gboolean obs_bitmap_verify(const char *raw_path, const char *mf_path,
                           const RawBitmapLayout *layout, gboolean exact,
                           const ObsBitmapWatch *watch,
                           ObsBitmapReport *report, GError **error)
{
    g_autoptr(ObsSource) source = obs_source_open(raw_path, error);
    RawBitmapLayout standard;
    char why[RAW_BITMAP_FILE_ERR_MAX];

    memset(report, 0, sizeof(*report));
    if (!source) {
        return FALSE;
    }
    raw_bitmap_layout_init(&standard);
    if (raw_bitmap_file_load(layout ? layout : &standard, source->size,
                             mf_path, &report->claimed, why) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s", why);
        return FALSE;
    }
    if (!compare(source, exact, watch, report, error)) {
        obs_bitmap_report_clear(report);
        return FALSE;
    }
    return TRUE;
}
