/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zero object: see upload-zero.h. */
#include "upload-zero.h"

#include <string.h>

#include "obs-url.h"
#include "storage.h"

/* ---- MD5s of zero parts ---- */

typedef struct {
    guint64 *lengths;
    ObsMd5 *md5s;
    gsize n;
    int done;                   /* atomic */
    int references;             /* atomic: the thread and its starter */
} Sums;

static void sums_unref(Sums *sums)
{
    if (g_atomic_int_dec_and_test(&sums->references)) {
        g_free(sums->lengths);
        g_free(sums->md5s);
        g_free(sums);
    }
}

static gpointer sum_up(gpointer data)
{
    Sums *sums = data;

    obs_md5_of_zeros(sums->lengths, sums->n, sums->md5s);
    g_atomic_int_set(&sums->done, 1);
    sums_unref(sums);
    g_main_context_wakeup(NULL);
    return NULL;
}

ObsMd5 *obs_zero_sums(ObsClient *client, const ObsPlan *plan, GError **error)
{
    Sums *sums = g_new0(Sums, 1);
    ObsMd5 *by_part = NULL;
    gsize k = 0;

    sums->lengths = g_new(guint64, plan->n_zero + 1);
    sums->md5s = g_new0(ObsMd5, plan->n_zero + 1);
    for (guint i = 0; i < plan->parts->len; i++) {
        const ObsPart *part = &g_array_index(plan->parts, ObsPart, i);

        if (part->kind == OBS_PART_ZERO) {
            sums->lengths[sums->n++] = part->length;
        }
    }
    sums->references = 2;
    g_thread_unref(g_thread_new("zero-md5", sum_up, sums));
    while (!g_atomic_int_get(&sums->done) && !obs_client_stopped(client)) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (!g_atomic_int_get(&sums->done)) {
        g_propagate_error(error, g_error_copy(obs_client_stopped(client)));
        sums_unref(sums);
        return NULL;
    }
    by_part = g_new0(ObsMd5, plan->parts->len);
    for (guint i = 0; i < plan->parts->len; i++) {
        if (g_array_index(plan->parts, ObsPart, i).kind == OBS_PART_ZERO) {
            by_part[i] = sums->md5s[k++];
        }
    }
    sums_unref(sums);
    return by_part;
}

/* ---- the object ---- */

static void note(const ObsPartsJob *job)
{
    if (job->acked) {
        job->acked(job->data);
    }
}

/* An array of copies of @seed bytes each that make up @size. */
static ObsPlan *plan_copies(guint64 size, guint64 seed, GError **error)
{
    GArray *parts = g_array_new(FALSE, FALSE, sizeof(ObsPart));

    for (guint64 offset = 0; offset < size; offset += seed) {
        ObsPart part = { offset, MIN(seed, size - offset), OBS_PART_ZERO };

        g_array_append_val(parts, part);
    }
    return obs_plan_from_parts(size, seed, parts, seed, size, error);
}

/* The multipart upload of the zero object over its own seed. */
static gboolean put_together(const ObsPartsJob *job, const ObsPlace *place,
                             GError **error)
{
    ObsJournal *outer = job->journal;
    ObsPlan *plan = plan_copies(outer->plan->zero_size,
                                outer->plan->zero_seed, error);
    g_autoptr(ObsJournal) journal = NULL;
    g_autofree ObsMd5 *sums = NULL;
    g_autofree ObsMd5 *md5s = NULL;
    g_autofree char *expected = NULL;
    g_autofree const char **etags = NULL;
    g_auto(ObsObjectInfo) info = { 0 };
    ObsPartsResult result = { 0 };
    ObsPartsJob copies = *job;
    guint n;

    if (!plan) {
        return FALSE;
    }
    n = plan->parts->len;
    journal = obs_journal_new(plan);
    sums = obs_zero_sums(job->client, plan, error);
    if (!sums || !obs_storage_initiate(place, NULL, &outer->zero_upload_id,
                                       error)) {
        return FALSE;
    }
    note(job);
    copies.key = copies.zero_key = place->key;
    copies.upload_id = outer->zero_upload_id;
    copies.source = NULL;
    copies.journal = journal;
    copies.stored = NULL;
    copies.zero_md5s = sums;
    copies.acked = NULL;
    if (!obs_parts_run(&copies, &result, error)) {
        return FALSE;
    }
    etags = g_new0(const char *, n + 1);
    md5s = g_new0(ObsMd5, n);
    for (guint i = 0; i < n; i++) {
        etags[i] = journal->states[i].etag;
        md5s[i] = sums[i];
    }
    expected = obs_etag_multipart(md5s, n);
    if (!obs_storage_complete(place, outer->zero_upload_id, etags, n,
                              outer->plan->zero_size, expected, &info,
                              error)) {
        return FALSE;
    }
    g_clear_pointer(&outer->zero_upload_id, g_free);
    g_free(outer->zero_etag);
    outer->zero_etag = g_strdup(info.etag);
    if (info.size != (gint64)outer->plan->zero_size) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                    "the zero object has %" G_GINT64_FORMAT " bytes",
                    info.size);
        return FALSE;
    }
    return TRUE;
}

static gboolean still_there(const ObsPlace *place, const ObsJournal *journal)
{
    g_auto(ObsObjectInfo) info = { 0 };

    return journal->zero_etag &&
           obs_storage_head(place, &info, NULL) && info.exists &&
           info.size == (gint64)journal->plan->zero_size &&
           obs_etag_equal(info.etag, journal->zero_etag);
}

gboolean obs_zero_prepare(const ObsPartsJob *job, GError **error)
{
    ObsJournal *journal = job->journal;
    const ObsPlan *plan = journal->plan;
    ObsPlace place = { job->client, job->bucket, NULL };
    ObsBody body = { .kind = OBS_BODY_ZEROS, .length = plan->zero_seed };
    g_autofree char *etag = NULL;
    ObsMd5 md5;

    if (!journal->zero_key) {
        /* Beside the object, where the same rights hold; unlike any name. */
        journal->zero_key = g_strdup_printf(
            "%s.obs-push-zeros-%08x",
            strlen(job->key) <= OBS_KEY_MAX - 32 ? job->key : "image",
            g_random_int());
        note(job);
    }
    place.key = journal->zero_key;
    if (still_there(&place, journal)) {
        return TRUE;
    }
    obs_md5_of_zeros(&plan->zero_seed, 1, &md5);
    if (!obs_storage_put(&place, &body, &md5, NULL, job->check_etag, &etag,
                         error)) {
        return FALSE;
    }
    if (plan->zero_size > plan->zero_seed) {
        if (!put_together(job, &place, error)) {
            return FALSE;
        }
    } else {
        g_free(journal->zero_etag);
        journal->zero_etag = g_steal_pointer(&etag);
    }
    note(job);
    return TRUE;
}

gboolean obs_zero_remove(ObsClient *client, ObsJournal *journal,
                         const ObsEvents *events, GError **error)
{
    g_autoptr(GError) failed = NULL;
    ObsPlace place = { client, journal->bucket, journal->zero_key };
    gboolean kept;

    if (!journal->zero_key) {
        return TRUE;
    }
    if (journal->zero_upload_id &&
        !obs_storage_abort(&place, journal->zero_upload_id, error)) {
        return FALSE;
    }
    if (!obs_storage_delete(&place, &kept, error)) {
        return FALSE;
    }
    /*
     * Not everybody who may write may also list or delete versions; that will
     * not change, but what broke off can be tried again.
     */
    if (kept && !obs_storage_delete_versions(&place, &failed)) {
        if (g_error_matches(failed, OBS_ERROR, OBS_ERROR_TRANSFER) ||
            g_error_matches(failed, OBS_ERROR, OBS_ERROR_DEADLINE) ||
            g_error_matches(failed, OBS_ERROR, OBS_ERROR_INTERRUPTED)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return FALSE;
        }
        obs_event_text(events, OBS_EVENT_WARNING, "upload",
                       "old versions of the helper object %s are left in the "
                       "bucket: %s", journal->zero_key, failed->message);
    }
    g_clear_pointer(&journal->zero_upload_id, g_free);
    g_clear_pointer(&journal->zero_etag, g_free);
    g_clear_pointer(&journal->zero_key, g_free);
    return TRUE;
}
