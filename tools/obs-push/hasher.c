/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MD5s of file ranges in a few threads: see hasher.h. */
#include "hasher.h"

#define MAX_THREADS 8
/* Small enough for a CPU's cache: hashing then does not read memory twice. */
#define READ_SIZE (256 * 1024)

struct ObsHasher {
    const ObsSource *source;
    GThreadPool *pool;
    guint threads;
    ObsHashed hashed;
    gpointer user_data;
    int stopping;               /* atomic: threads give up at the next read */
    GMutex lock;
    GQueue finished;            /* HashJob, under @lock */
    guint report_id;            /* idle source, under @lock */
};

typedef struct {
    guint tag;
    gint64 offset, length;
    ObsMd5 md5;
    GError *error;
} HashJob;

static void job_free(gpointer data)
{
    HashJob *job = data;

    g_clear_error(&job->error);
    g_free(job);
}

static gboolean hash(const ObsSource *source, gint64 offset, gint64 length,
                     int *stopping, ObsMd5 *out_md5, GError **error)
{
    g_autoptr(ObsMd5Context) md5 = obs_md5_new();
    g_autofree char *buffer = g_malloc(READ_SIZE);

    while (length > 0) {
        gsize n = MIN(length, READ_SIZE);

        if (stopping && g_atomic_int_get(stopping)) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_INTERRUPTED,
                        "interrupted");
            return FALSE;
        }
        if (!obs_source_read(source, offset, buffer, n, error)) {
            return FALSE;
        }
        obs_md5_update(md5, buffer, n);
        offset += n;
        length -= n;
    }
    obs_md5_peek(md5, out_md5);
    return TRUE;
}

gboolean obs_hash_range(const ObsSource *source, gint64 offset, gint64 length,
                        ObsMd5 *out_md5, GError **error)
{
    return hash(source, offset, length, NULL, out_md5, error);
}

static gboolean report(gpointer user_data)
{
    ObsHasher *h = user_data;
    GQueue finished;
    HashJob *job;

    g_mutex_lock(&h->lock);
    finished = h->finished;
    g_queue_init(&h->finished);
    h->report_id = 0;
    g_mutex_unlock(&h->lock);
    while ((job = g_queue_pop_head(&finished))) {
        h->hashed(job->tag, &job->md5, job->error, h->user_data);
        job_free(job);
    }
    return G_SOURCE_REMOVE;
}

static void work(gpointer data, gpointer user_data)
{
    HashJob *job = data;
    ObsHasher *h = user_data;

    hash(h->source, job->offset, job->length, &h->stopping, &job->md5,
         &job->error);
    g_mutex_lock(&h->lock);
    g_queue_push_tail(&h->finished, job);
    if (!h->report_id) {
        h->report_id = g_idle_add_full(G_PRIORITY_DEFAULT, report, h,
                                       NULL);
    }
    g_mutex_unlock(&h->lock);
}

ObsHasher *obs_hasher_new(const ObsSource *source, guint threads,
                          ObsHashed hashed, gpointer user_data)
{
    ObsHasher *h = g_new0(ObsHasher, 1);

    h->source = source;
    h->threads = threads ? threads
                         : CLAMP(g_get_num_processors(), 1, MAX_THREADS);
    h->hashed = hashed;
    h->user_data = user_data;
    g_mutex_init(&h->lock);
    g_queue_init(&h->finished);
    h->pool = g_thread_pool_new(work, h, h->threads, FALSE, NULL);
    return h;
}

void obs_hasher_free(ObsHasher *h)
{
    g_atomic_int_set(&h->stopping, 1);
    g_thread_pool_free(h->pool, FALSE, TRUE);
    g_clear_handle_id(&h->report_id, g_source_remove);
    g_queue_clear_full(&h->finished, job_free);
    g_mutex_clear(&h->lock);
    g_free(h);
}

guint obs_hasher_threads(const ObsHasher *h)
{
    return h->threads;
}

void obs_hasher_push(ObsHasher *h, guint tag, gint64 offset, gint64 length)
{
    HashJob *job = g_new0(HashJob, 1);

    job->tag = tag;
    job->offset = offset;
    job->length = length;
    g_thread_pool_push(h->pool, job, NULL);
}
