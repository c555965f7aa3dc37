/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an upload begins: see upload-private.h. */
#include "upload-private.h"

#include <string.h>

#include "obs-url.h"
#include "upload-parts.h"
#include "upload-zero.h"

/* What must be the same when an upload is resumed, as a short digest. */
static char *digest_options(const ObsUploadSpec *spec)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; spec->headers && i < spec->headers->len; i++) {
        const ObsPair *pair = g_ptr_array_index(spec->headers, i);

        g_string_append_printf(text, "%s:%s\n", pair->name, pair->value);
    }
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str,
                                         text->len);
}

/* u->journal for @plan, which it takes over; saved nowhere yet. */
static void new_journal(ObsUpload *u, ObsPlan *plan)
{
    const ObsUploadSpec *spec = u->spec;
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();

    u->journal = obs_journal_new(plan);
    u->journal->source = spec->source->identity;
    u->journal->source.path = g_strdup(spec->source->identity.path);
    u->journal->endpoint =
        obs_url_endpoint_text(obs_client_endpoints(spec->client)->obs);
    u->journal->bucket = g_strdup(spec->bucket);
    u->journal->key = g_strdup(spec->key);
    u->journal->created = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
    u->journal->options = digest_options(spec);
}

gboolean obs_upload_begin(ObsUpload *u, GError **error)
{
    const ObsUploadSpec *spec = u->spec;
    g_autoptr(GError) failed = NULL;
    ObsPlan *plan = obs_upload_plan(spec, error);

    if (!plan) {
        return FALSE;
    }
    new_journal(u, plan);
    /* Before anything exists on the server: a full disk shows itself now. */
    if (!obs_journal_save(u->file, u->journal, error)) {
        return FALSE;
    }
    if (!obs_storage_initiate(&u->place, spec->headers,
                              &u->journal->upload_id, error)) {
        obs_journal_remove(u->file, NULL);
        return FALSE;
    }
    if (!obs_journal_save(u->file, u->journal, &failed)) {
        obs_storage_abort(&u->place, u->journal->upload_id, NULL);
        obs_journal_remove(u->file, NULL);
        g_propagate_error(error, g_steal_pointer(&failed));
        return FALSE;
    }
    return TRUE;
}

gboolean obs_upload_discard(ObsClient *client, ObsJournal *journal,
                            const ObsEvents *events, GError **error)
{
    ObsPlace place = { client, journal->bucket, journal->key };

    return (!journal->upload_id ||
            obs_storage_abort(&place, journal->upload_id, error)) &&
           obs_zero_remove(client, journal, events, error);
}

gboolean obs_upload_start_over(ObsUpload *u, GError **error)
{
    if (!obs_upload_discard(u->spec->client, u->journal, u->spec->events,
                            error)) {
        g_prefix_error(error, "cannot drop the earlier upload: ");
        return FALSE;
    }
    g_clear_pointer(&u->journal, obs_journal_free);
    g_clear_pointer(&u->zero_md5s, g_free);
    return obs_journal_remove(u->file, error) && obs_upload_begin(u, error);
}

char *obs_upload_expected_etag(const ObsUpload *u)
{
    guint n = u->journal->plan->parts->len;
    g_autofree ObsMd5 *md5s = g_new0(ObsMd5, n);

    for (guint i = 0; i < n; i++) {
        if (!u->journal->states[i].has_md5) {
            return NULL;
        }
        md5s[i] = u->journal->states[i].md5;
    }
    return obs_etag_multipart(md5s, n);
}

/* The upload id is gone: because it was completed and the answer was lost? */
static gboolean already_complete(ObsUpload *u, gboolean *out_done,
                                 GError **error)
{
    g_auto(ObsObjectInfo) info = { 0 };
    g_autofree char *etag = obs_upload_expected_etag(u);

    *out_done = FALSE;
    if (!obs_storage_head(&u->place, &info, error)) {
        return FALSE;
    }
    if (obs_storage_made_by(&info, u->journal->upload_id,
                            u->journal->plan->size, etag)) {
        *out_done = TRUE;
        g_free(u->out->etag);
        u->out->etag = g_strdup(info.etag);
    }
    return TRUE;
}

guint obs_upload_merge_list(ObsUpload *u, const GPtrArray *parts)
{
    ObsJournal *journal = u->journal;
    guint n = journal->plan->parts->len;
    guint lost = 0;

    g_clear_pointer(&u->stored, g_ptr_array_unref);
    u->stored = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_set_size(u->stored, n);
    for (guint i = 0; i < parts->len; i++) {
        const ObsXmlPart *part = g_ptr_array_index(parts, i);
        guint index = part->number - 1;

        if (index < n && part->size ==
            g_array_index(journal->plan->parts, ObsPart, index).length) {
            g_free(u->stored->pdata[index]);
            u->stored->pdata[index] = obs_etag_normalize(part->etag);
        }
    }
    for (guint i = 0; i < n; i++) {
        const char *etag = u->stored->pdata[i];

        if (!journal->states[i].done) {
            continue;
        }
        if (!etag || !obs_etag_equal(etag, journal->states[i].etag)) {
            obs_journal_set_part(journal, i, NULL, NULL);
            u->dirty = TRUE;
            lost++;
        }
    }
    return lost;
}

/* Of parts that the server has, compared by now or not. */
static guint64 stored_bytes(const ObsUpload *u)
{
    guint64 bytes = 0;

    for (guint i = 0; i < u->stored->len; i++) {
        if (u->stored->pdata[i]) {
            bytes += g_array_index(u->journal->plan->parts, ObsPart,
                                   i).length;
        }
    }
    return bytes;
}

static void tell_resumed(const ObsUpload *u)
{
    g_autofree char *size = g_format_size_full(stored_bytes(u),
                                               G_FORMAT_SIZE_IEC_UNITS);

    obs_event_text(u->spec->events, OBS_EVENT_NOTE, "upload",
                   "resuming: the server has %s already", size);
}

/*
 * The part size that whoever began an upload has used: that of its largest
 * part, since only the last one may be smaller. 0 (ours) where that is no
 * size that we could use.
 */
static guint64 part_size_of(const GPtrArray *parts)
{
    guint64 most = 0;

    for (guint i = 0; i < parts->len; i++) {
        most = MAX(most, ((const ObsXmlPart *)g_ptr_array_index(parts,
                                                                i))->size);
    }
    return most >= OBS_PART_MIN && most <= OBS_PART_MAX && most % OBS_MIB == 0
           ? most : 0;
}

gboolean obs_upload_adopt(ObsUpload *u, GError **error)
{
    const ObsUploadSpec *spec = u->spec;
    g_autoptr(GPtrArray) parts = NULL;
    ObsPlan *plan;

    switch (obs_storage_list_parts(&u->place, spec->upload_id, &parts,
                                   error)) {
    case OBS_LIST_FAILED:
        return FALSE;
    case OBS_LIST_GONE:
        g_set_error(error, OBS_ERROR, OBS_ERROR_BUCKET,
                    "obs://%s/%s has no unfinished upload %s; obs-push "
                    "uploads obs://%s/ lists those there are", spec->bucket,
                    spec->key, spec->upload_id, spec->bucket);
        return FALSE;
    case OBS_LIST_OK:
        break;
    }
    /* Others lay parts end to end, so no room is left for copied zeros. */
    plan = obs_plan_new(spec->source->size, spec->part_size
                        ? spec->part_size : part_size_of(parts), error);
    if (!plan) {
        return FALSE;
    }
    new_journal(u, plan);
    u->journal->upload_id = g_strdup(spec->upload_id);
    if (!obs_journal_save(u->file, u->journal, error)) {
        g_clear_pointer(&u->journal, obs_journal_free);
        return FALSE;
    }
    obs_upload_merge_list(u, parts);
    tell_resumed(u);
    return TRUE;
}

/* What an earlier run has left may be used, must not be, or is finished. */
gboolean obs_upload_resume(ObsUpload *u, gboolean *out_done, GError **error)
{
    const ObsUploadSpec *spec = u->spec;
    g_autofree char *changed =
        obs_journal_source_changed(&u->journal->source,
                                   &spec->source->identity);
    g_autofree char *options = digest_options(spec);
    g_autoptr(GPtrArray) parts = NULL;

    if (spec->restart) {
        return obs_upload_start_over(u, error);
    }
    if (spec->upload_id && g_strcmp0(spec->upload_id,
                                     u->journal->upload_id) != 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "%s has an unfinished upload of its own to obs://%s/%s "
                    "(id %s); go on with it without --upload-id, or drop it "
                    "with obs-push abort", spec->source->path, spec->bucket,
                    spec->key, u->journal->upload_id
                    ? u->journal->upload_id : "-");
        return FALSE;
    }
    if (changed) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "%s has changed since its upload began (%s): %s; put the "
                    "old file back, or give --restart to drop what was "
                    "uploaded and begin anew", spec->source->path,
                    u->journal->created, changed);
        return FALSE;
    }
    if (g_strcmp0(options, u->journal->options) != 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "the upload of %s was begun with another storage class, "
                    "ACL, encryption or metadata; give the same options "
                    "again, or --restart to begin anew", spec->source->path);
        return FALSE;
    }
    if (!u->journal->upload_id) {
        return obs_upload_start_over(u, error);
    }
    switch (obs_storage_list_parts(&u->place, u->journal->upload_id, &parts,
                                   error)) {
    case OBS_LIST_FAILED:
        return FALSE;
    case OBS_LIST_GONE:
        if (!already_complete(u, out_done, error)) {
            return FALSE;
        }
        if (*out_done) {
            return TRUE;
        }
        obs_event_text(spec->events, OBS_EVENT_WARNING, "upload",
                       "the server has dropped the earlier upload; beginning "
                       "anew");
        return obs_upload_start_over(u, error);
    case OBS_LIST_OK:
        break;
    }
    obs_upload_merge_list(u, parts);
    u->out->resumed = obs_parts_done_bytes(u->journal);
    tell_resumed(u);
    return TRUE;
}
