/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file to one object, resumably: see upload.h. */
#include "upload-private.h"

#include "hasher.h"
#include "obs-url.h"
#include "upload-parts.h"
#include "upload-zero.h"

/* The journal is written this often while parts come in; what a kill loses
 * is found again in the server's list. */
#define SAVE_INTERVAL_MS 1000
#define PROGRESS_INTERVAL_MS 250
/* Rounds of "list what the server has, send what it lost". */
#define MAX_ROUNDS 3

void obs_upload_result_clear(ObsUploadResult *result)
{
    g_clear_pointer(&result->etag, g_free);
}

ObsPlan *obs_upload_plan(const ObsUploadSpec *spec, GError **error)
{
    if (spec->extents) {
        return obs_plan_new_sparse(spec->source->size, spec->part_size,
                                   (const ObsExtent *)spec->extents->data,
                                   spec->extents->len, error);
    }
    return obs_plan_new(spec->source->size, spec->part_size, error);
}

/* ---- journal ---- */

static void save_quietly(ObsUpload *u)
{
    g_autoptr(GError) error = NULL;

    if (!u->dirty) {
        return;
    }
    if (obs_journal_save(u->file, u->journal, &error)) {
        u->dirty = FALSE;
        return;
    }
    if (!u->save_failed) {
        u->save_failed = TRUE;
        obs_event_text(u->spec->events, OBS_EVENT_WARNING, "upload",
                       "%s; going on: a resumed run will ask the server what "
                       "it has", error->message);
    }
}

static void on_acked(gpointer data)
{
    ((ObsUpload *)data)->dirty = TRUE;
}

static gboolean on_save(gpointer data)
{
    save_quietly(data);
    return G_SOURCE_CONTINUE;
}

static gboolean on_progress(gpointer data)
{
    ObsUpload *u = data;
    guint64 done = obs_parts_done_bytes(u->journal) +
                   obs_http_in_flight(obs_client_http(u->spec->client));

    obs_event_bytes(u->spec->events, "upload",
                    MIN(done, u->journal->plan->size), u->journal->plan->size);
    return G_SOURCE_CONTINUE;
}

/* ---- the parts ---- */

static void set_up_zeros(ObsUpload *u, ObsPartsJob *job)
{
    g_autoptr(GError) error = NULL;
    gboolean wanted = FALSE;

    for (guint i = 0; i < u->journal->plan->parts->len; i++) {
        wanted |= !u->journal->states[i].done &&
                  g_array_index(u->journal->plan->parts, ObsPart, i).kind ==
                  OBS_PART_ZERO;
    }
    if (!wanted) {
        return;
    }
    if (!u->zero_md5s) {
        u->zero_md5s = obs_zero_sums(u->spec->client, u->journal->plan, NULL);
    }
    if (!u->zero_md5s) {
        return;
    }
    job->zero_md5s = u->zero_md5s;
    if (obs_zero_prepare(job, &error)) {
        job->zero_key = u->journal->zero_key;
        return;
    }
    if (!obs_client_stopped(u->spec->client)) {
        obs_event_text(u->spec->events, OBS_EVENT_WARNING, "upload",
                       "zeros can't be copied inside the cloud and are sent: "
                       "%s", error->message);
        obs_plan_send_all(u->journal->plan);
        u->dirty = TRUE;
    }
}

/* One round of bringing what is missing. */
static gboolean bring_parts(ObsUpload *u, gboolean *out_gone, GError **error)
{
    const ObsUploadSpec *spec = u->spec;
    ObsPartsResult result = { 0 };
    ObsPartsJob job = {
        .client = spec->client,
        .bucket = spec->bucket,
        .key = spec->key,
        .upload_id = u->journal->upload_id,
        .source = spec->source,
        .journal = u->journal,
        .stored = u->stored ? (char **)u->stored->pdata : NULL,
        .parallel = spec->parallel,
        .check_etag = !spec->encrypted,
        .events = spec->events,
        .acked = on_acked,
        .data = u,
    };
    guint save_id = g_timeout_add(SAVE_INTERVAL_MS, on_save, u);
    guint progress_id = g_timeout_add(PROGRESS_INTERVAL_MS, on_progress, u);
    gboolean ok;

    on_progress(u);
    set_up_zeros(u, &job);
    ok = obs_parts_run(&job, &result, error);
    g_source_remove(save_id);
    g_source_remove(progress_id);
    u->out->copied += result.copied;
    u->out->resumed += result.verified;
    *out_gone = result.gone;
    save_quietly(u);
    if (ok) {
        on_progress(u);
    }
    return ok && obs_source_check_unchanged(spec->source, error);
}

/* Parts until the server's own list has them all. */
static gboolean bring_all(ObsUpload *u, gboolean *out_gone, GError **error)
{
    for (guint round = 0; round < MAX_ROUNDS; round++) {
        g_autoptr(GPtrArray) parts = NULL;
        guint lost;

        if (!bring_parts(u, out_gone, error)) {
            return FALSE;
        }
        switch (obs_storage_list_parts(&u->place, u->journal->upload_id,
                                       &parts, error)) {
        case OBS_LIST_FAILED:
            return FALSE;
        case OBS_LIST_GONE:
            *out_gone = TRUE;
            g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                        "the server has dropped the upload of %s",
                        u->spec->key);
            return FALSE;
        case OBS_LIST_OK:
            break;
        }
        lost = obs_upload_merge_list(u, parts);
        if (!lost) {
            return TRUE;
        }
        obs_event_text(u->spec->events, OBS_EVENT_WARNING, "upload",
                       "the server has lost %u parts; sending them again",
                       lost);
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                "the server loses parts of %s that it had acknowledged",
                u->spec->key);
    return FALSE;
}

/* ---- the end ---- */

static gboolean object_is_right(ObsUpload *u, const ObsObjectInfo *info,
                                const char *expected, GError **error)
{
    const char *key = u->spec->key;

    if (!info->exists || info->size != u->spec->source->size) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                    "%s is not whole on the server: %" G_GINT64_FORMAT
                    " bytes there, %" G_GINT64_FORMAT " here; delete it and "
                    "upload again", key, info->exists ? info->size : 0,
                    u->spec->source->size);
        return FALSE;
    }
    if (!u->spec->encrypted && expected && *info->etag &&
        obs_etag_is_multipart(info->etag) &&
        !obs_etag_equal(info->etag, expected)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_TRANSFER,
                    "%s is not what was sent: its ETag is %s and must be %s; "
                    "delete it and upload again", key, info->etag, expected);
        return FALSE;
    }
    return TRUE;
}

static gboolean complete(ObsUpload *u, GError **error)
{
    guint n = u->journal->plan->parts->len;
    g_autofree const char **etags = g_new0(const char *, n + 1);
    g_autofree char *expected = obs_upload_expected_etag(u);
    g_auto(ObsObjectInfo) info = { 0 };

    if (u->spec->no_clobber) {
        if (!obs_storage_head(&u->place, &info, error)) {
            return FALSE;
        }
        if (info.exists) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_BUCKET,
                        "%s has appeared meanwhile and is not replaced; "
                        "abort this upload or choose another name",
                        u->spec->key);
            return FALSE;
        }
    }
    for (guint i = 0; i < n; i++) {
        etags[i] = u->journal->states[i].etag;
    }
    if (!obs_storage_complete(&u->place, u->journal->upload_id, etags, n,
                              u->spec->source->size, expected, &info,
                              error)) {
        return FALSE;
    }
    u->out->etag = g_strdup(info.etag);
    return object_is_right(u, &info, expected, error);
}

/* The object stands: nothing that fails now makes it less so. */
static void clean_up(ObsUpload *u)
{
    g_autoptr(GError) error = NULL;

    if (!obs_zero_remove(u->spec->client, u->journal, u->spec->events,
                         &error)) {
        obs_event_text(u->spec->events, OBS_EVENT_WARNING, "upload",
                       "the helper object %s is left in the bucket: %s",
                       u->journal->zero_key, error->message);
        g_clear_error(&error);
    }
    if (!obs_journal_remove(u->file, &error)) {
        obs_event_text(u->spec->events, OBS_EVENT_WARNING, "upload", "%s",
                       error->message);
    }
}

static gboolean run_multipart(ObsUpload *u, GError **error)
{
    gboolean done = FALSE;
    gboolean gone = FALSE;
    GError *local = NULL;
    gboolean ok;

    if (u->journal) {
        ok = obs_upload_resume(u, &done, error);
    } else if (u->spec->upload_id) {
        ok = obs_upload_adopt(u, error);
    } else {
        ok = obs_upload_begin(u, error);
    }
    if (!ok) {
        return FALSE;
    }
    u->out->was_complete = done;
    if (!done && !bring_all(u, &gone, &local)) {
        if (!gone || obs_client_stopped(u->spec->client)) {
            g_propagate_error(error, local);
            return FALSE;
        }
        /* Once: a server that does it again is asked no more. */
        obs_event_text(u->spec->events, OBS_EVENT_WARNING, "upload",
                       "%s; beginning anew", local->message);
        g_clear_error(&local);
        u->out->resumed = 0;
        g_clear_pointer(&u->stored, g_ptr_array_unref);
        if (!obs_upload_start_over(u, error) || !bring_all(u, &gone, error)) {
            return FALSE;
        }
    }
    u->out->parts = u->journal->plan->parts->len;
    if (!done && !complete(u, error)) {
        return FALSE;
    }
    clean_up(u);
    return TRUE;
}

static gboolean run_single(ObsUpload *u, GError **error)
{
    const ObsUploadSpec *spec = u->spec;
    ObsBody body = {
        .kind = OBS_BODY_FILE,
        .fd = spec->source->fd,
        .length = spec->source->size,
    };
    guint id;
    ObsMd5 md5;
    gboolean ok;
    g_autoptr(GPtrArray) headers = obs_pairs_new();

    if (!obs_hash_range(spec->source, 0, spec->source->size, &md5, error)) {
        return FALSE;
    }
    for (guint i = 0; spec->headers && i < spec->headers->len; i++) {
        const ObsPair *pair = g_ptr_array_index(spec->headers, i);

        obs_pairs_add(headers, pair->name, pair->value);
    }
    u->journal = obs_journal_new(obs_plan_new(spec->source->size,
                                              OBS_PART_MAX, NULL));
    id = g_timeout_add(PROGRESS_INTERVAL_MS, on_progress, u);
    ok = obs_storage_put(&u->place, &body, &md5, headers, !spec->encrypted,
                         &u->out->etag, error);
    g_source_remove(id);
    return ok && obs_source_check_unchanged(spec->source, error);
}

gboolean obs_upload_run(const ObsUploadSpec *spec, ObsUploadResult *out,
                        GError **error)
{
    ObsUpload u = {
        .spec = spec, .out = out,
        .place = { spec->client, spec->bucket, spec->key },
    };
    g_autofree char *endpoint =
        obs_url_endpoint_text(obs_client_endpoints(spec->client)->obs);
    ObsHttp *http = obs_client_http(spec->client);
    GError *local = NULL;
    guint64 part_size;
    gboolean ok;

    if (!obs_plan_part_size(spec->source->size, spec->part_size, &part_size,
                            error)) {
        return FALSE;
    }
    u.file = obs_journal_lock(spec->state_dir, spec->source->identity.path,
                              endpoint, spec->bucket, spec->key, error);
    if (!u.file) {
        return FALSE;
    }
    u.journal = obs_journal_load(u.file, &local);
    if (local && spec->restart) {
        g_clear_error(&local);
        obs_journal_remove(u.file, NULL);
    }
    out->size = spec->source->size;
    u.sent_before = obs_http_total_sent(http);
    if (local) {
        g_propagate_prefixed_error(error, local, "cannot resume; give "
                                   "--restart to begin anew: ");
        ok = FALSE;
    } else if (!u.journal && !spec->upload_id &&
               obs_plan_single_put(spec->source->size, part_size)) {
        ok = run_single(&u, error);
    } else {
        ok = run_multipart(&u, error);
        if (!ok && u.journal && u.journal->upload_id) {
            save_quietly(&u);
        }
    }
    out->wire = obs_http_total_sent(http) - u.sent_before;
    g_clear_pointer(&u.stored, g_ptr_array_unref);
    g_free(u.zero_md5s);
    g_clear_pointer(&u.journal, obs_journal_free);
    obs_journal_unlock(u.file);
    return ok;
}
