/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push uploads and obs-push abort: unfinished uploads, here and there. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "journal.h"
#include "obs-url.h"
#include "storage.h"
#include "upload.h"
#include "upload-parts.h"

/* ---- uploads ---- */

static void show_journal(ObsApp *app, const ObsJournalEntry *entry)
{
    const ObsJournal *j = entry->journal;
    g_autofree char *done = NULL;
    g_autofree char *size = NULL;
    g_autofree char *path = NULL;
    JsonObject *detail;

    if (!j) {
        obs_event_text(&app->events, OBS_EVENT_WARNING, "uploads", "%s",
                       entry->problem);
        return;
    }
    done = obs_format_size(obs_parts_done_bytes(j));
    size = obs_format_size(j->plan->size);
    path = g_utf8_make_valid(j->source.path, -1);
    detail = json_object_new();
    json_object_set_string_member(detail, "where", "here");
    json_object_set_string_member(detail, "file", path);
    json_object_set_string_member(detail, "bucket", j->bucket);
    json_object_set_string_member(detail, "key", j->key);
    json_object_set_string_member(detail, "endpoint", j->endpoint);
    json_object_set_int_member(detail, "done", obs_parts_done_bytes(j));
    json_object_set_int_member(detail, "total", j->plan->size);
    json_object_set_boolean_member(detail, "running", entry->locked);
    if (j->upload_id) {
        json_object_set_string_member(detail, "upload_id", j->upload_id);
    }
    obs_event_detail(&app->events, OBS_EVENT_RESULT, "here", detail,
                     "obs://%s/%s  %s of %s, begun %s, from %s%s", j->bucket,
                     j->key, done, size, j->created ? j->created : "-", path,
                     entry->locked ? "  (running)" : "");
}

static gboolean matches(const char *key, const char *prefix, gboolean exact)
{
    return exact ? strcmp(key, prefix) == 0 : g_str_has_prefix(key, prefix);
}

static gboolean show_remote(ObsApp *app, const char *bucket,
                            const char *prefix, GError **error)
{
    ObsPlace place = { app->client, bucket, NULL };
    g_autoptr(GPtrArray) uploads = obs_storage_list_uploads(&place, prefix,
                                                            error);

    if (!uploads) {
        return FALSE;
    }
    if (!uploads->len) {
        obs_event_text(&app->events, OBS_EVENT_NOTE, "server",
                       "no open upload");
    }
    for (guint i = 0; i < uploads->len; i++) {
        const ObsXmlUpload *u = g_ptr_array_index(uploads, i);
        JsonObject *detail = json_object_new();

        json_object_set_string_member(detail, "where", "server");
        json_object_set_string_member(detail, "bucket", bucket);
        json_object_set_string_member(detail, "key", u->key);
        json_object_set_string_member(detail, "upload_id", u->upload_id);
        if (u->initiated) {
            json_object_set_string_member(detail, "initiated", u->initiated);
        }
        obs_event_detail(&app->events, OBS_EVENT_RESULT, "server", detail,
                         "obs://%s/%s  begun %s, id %s", bucket, u->key,
                         u->initiated ? u->initiated : "-", u->upload_id);
    }
    return TRUE;
}

gboolean obs_cmd_uploads(ObsApp *app, char **args, GError **error)
{
    const ObsOptions *o = app->options;
    g_autoptr(GPtrArray) entries = obs_journal_list(o->state_dir, error);
    g_autofree char *bucket = NULL;
    g_autofree char *prefix = NULL;
    guint shown = 0;

    if (!entries ||
        (args[0] && !obs_url_parse_prefix(args[0], &bucket, &prefix,
                                          error))) {
        return FALSE;
    }
    for (guint i = 0; i < entries->len; i++) {
        const ObsJournalEntry *entry = g_ptr_array_index(entries, i);

        if (!bucket || !entry->journal ||
            (strcmp(entry->journal->bucket, bucket) == 0 &&
             matches(entry->journal->key, prefix, FALSE))) {
            show_journal(app, entry);
            shown++;
        }
    }
    if (!shown) {
        obs_event_text(&app->events, OBS_EVENT_NOTE, "here",
                       "no unfinished upload");
    }
    if (!bucket || o->local_only) {
        return TRUE;
    }
    return obs_app_connect(app, OBS_NEED_OBS, error) &&
           obs_app_probe(app, bucket, error) &&
           show_remote(app, bucket, prefix, error);
}

/* ---- abort ---- */

typedef struct {
    ObsApp *app;
    const char *bucket;
    const char *key;            /* or prefix, with --all */
    const char *upload_id;      /* NULL: any */
    gboolean exact;
    guint dropped;
} Abort;

static void tell_drop(Abort *a, const char *key, const char *id)
{
    a->dropped++;
    obs_event_text(&a->app->events, OBS_EVENT_STAGE, "abort",
                   "obs://%s/%s  %s%s", a->bucket, key, id ? id : "-",
                   a->app->options->dry_run ? "  (dry run)" : "");
}

static gboolean is_meant(const Abort *a, const ObsJournal *j,
                         const char *endpoint)
{
    return j && strcmp(j->bucket, a->bucket) == 0 &&
           strcmp(j->endpoint, endpoint) == 0 &&
           matches(j->key, a->key, a->exact) &&
           (!a->upload_id || g_strcmp0(j->upload_id, a->upload_id) == 0);
}

/* With the lock held: a running upload is not pulled from under its feet. */
static gboolean drop_journal(Abort *a, const char *name, GError **error)
{
    g_autoptr(ObsJournalFile) file =
        obs_journal_lock_name(a->app->options->state_dir, name, error);
    g_autoptr(ObsJournal) journal = NULL;
    g_autofree char *id = NULL;
    GError *local = NULL;

    if (!file) {
        return FALSE;
    }
    journal = obs_journal_load(file, &local);
    if (!journal) {
        g_propagate_error(error, local);
        return local == NULL;
    }
    id = g_strdup(journal->upload_id);
    if (!a->app->options->dry_run &&
        (!obs_upload_discard(a->app->client, journal, &a->app->events,
                             error) ||
         !obs_journal_remove(file, error))) {
        return FALSE;
    }
    tell_drop(a, journal->key, id);
    return TRUE;
}

static gboolean drop_journals(Abort *a, GError **error)
{
    g_autoptr(GPtrArray) entries =
        obs_journal_list(a->app->options->state_dir, error);
    g_autofree char *endpoint =
        obs_url_endpoint_text(a->app->endpoints->obs);

    if (!entries) {
        return FALSE;
    }
    for (guint i = 0; i < entries->len; i++) {
        const ObsJournalEntry *entry = g_ptr_array_index(entries, i);

        if (is_meant(a, entry->journal, endpoint) &&
            !drop_journal(a, entry->name, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* What is open on the server and in none of our journals. */
static gboolean drop_remote(Abort *a, GError **error)
{
    ObsPlace place = { a->app->client, a->bucket, NULL };
    g_autoptr(GPtrArray) uploads =
        obs_storage_list_uploads(&place, a->key, error);

    if (!uploads) {
        return FALSE;
    }
    for (guint i = 0; i < uploads->len; i++) {
        const ObsXmlUpload *u = g_ptr_array_index(uploads, i);

        if (!matches(u->key, a->key, a->exact) ||
            (a->upload_id && strcmp(u->upload_id, a->upload_id) != 0)) {
            continue;
        }
        place.key = u->key;
        if (!a->app->options->dry_run &&
            !obs_storage_abort(&place, u->upload_id, error)) {
            return FALSE;
        }
        tell_drop(a, u->key, u->upload_id);
    }
    return TRUE;
}

gboolean obs_cmd_abort(ObsApp *app, char **args, GError **error)
{
    g_autofree char *bucket = NULL;
    g_autofree char *prefix = NULL;
    Abort a = { .app = app };

    if (!obs_url_parse_prefix(args[0], &bucket, &prefix, error)) {
        return FALSE;
    }
    if (!*prefix && !app->options->all) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "abort: name the key, or give --all for every unfinished "
                    "upload of the bucket");
        return FALSE;
    }
    a.bucket = bucket;
    a.key = prefix;
    a.upload_id = args[1];
    a.exact = !app->options->all;
    if (!obs_app_connect(app, OBS_NEED_OBS, error) ||
        !obs_app_probe(app, bucket, error) || !drop_journals(&a, error) ||
        (!app->options->local_only && !drop_remote(&a, error))) {
        return FALSE;
    }
    if (!a.dropped) {
        obs_event_text(&app->events, OBS_EVENT_NOTE, "abort",
                       "there is no unfinished upload of obs://%s/%s",
                       bucket, prefix);
    }
    return TRUE;
}
