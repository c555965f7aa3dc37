/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push FILE obs://…: check, upload, register and wait in one. */
#include "commands.h"
#include "obs-url.h"
#include "record.h"
#include "steps.h"
#include "storage.h"

typedef struct {
    ObsApp *app;
    ObsItem item;
    ObsImageSpec spec;
    GPtrArray *tags;
    GStrv known;                /* images of that name from before */
    char *record_path;
    ObsRecord record;
} Push;

static void push_clear(Push *p)
{
    obs_item_clear(&p->item);
    g_clear_pointer(&p->tags, g_ptr_array_unref);
    g_clear_pointer(&p->known, g_strfreev);
    g_clear_pointer(&p->record_path, g_free);
    obs_record_clear(&p->record);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Push, push_clear)

static gboolean save_record(Push *p, GError **error)
{
    p->record.source = p->item.source->identity;
    return obs_record_save(p->record_path, &p->record, error);
}

/*
 * A run that was broken off after the upload has left a record: is its object
 * still there, and the file still the same?
 */
static gboolean find_record(Push *p, gboolean *out_uploaded, GError **error)
{
    ObsPlace place = { p->app->client, p->item.bucket, p->item.key };
    g_auto(ObsObjectInfo) info = { 0 };
    g_autofree char *changed = NULL;
    g_autofree char *endpoint = obs_url_endpoint_text(p->app->endpoints->obs);

    *out_uploaded = FALSE;
    p->record_path = obs_record_path(p->app->options->state_dir,
                                     p->item.source->identity.path, endpoint,
                                     p->item.bucket, p->item.key);
    obs_record_load(p->record_path, &p->record);
    p->record.source.path = p->item.source->identity.path;
    if (p->record.etag && !p->app->options->restart) {
        changed = obs_journal_source_changed(&p->record.source,
                                             &p->item.source->identity);
        if (!obs_storage_head(&place, &info, error)) {
            return FALSE;
        }
        *out_uploaded = !changed && info.exists &&
                        info.size == p->item.source->size &&
                        obs_etag_equal(info.etag, p->record.etag);
    }
    if (!*out_uploaded) {
        obs_record_clear(&p->record);
    }
    return TRUE;
}

/* A job of that run, for this image. A failed one is forgotten. */
static gboolean has_job(const Push *p)
{
    return p->record.job_id &&
           g_strcmp0(p->record.image_name, p->spec.name) == 0;
}

static gboolean note_upload(Push *p, GError **error)
{
    ObsPlace place = { p->app->client, p->item.bucket, p->item.key };
    g_auto(ObsObjectInfo) info = { 0 };

    if (!obs_storage_head(&place, &info, error)) {
        return FALSE;
    }
    p->record.etag = g_strdup(info.etag);
    return save_record(p, error);
}

static gboolean wait_for(Push *p, const char *job, const char *image,
                         GError **error)
{
    GError *local = NULL;

    if (obs_step_wait(p->app, job, image, p->spec.name, &local)) {
        obs_record_remove(p->record_path);
        return TRUE;
    }
    if (local->code == OBS_ERROR_REGISTER) {
        /* The next run registers again, and does not upload again. */
        g_clear_pointer(&p->record.job_id, g_free);
        save_record(p, NULL);
    }
    g_propagate_error(error, local);
    return FALSE;
}

static gboolean register_and_wait(Push *p, GError **error)
{
    g_autofree char *job = NULL;
    g_autofree char *image = NULL;

    if (!obs_step_register(p->app, &p->spec, (const char *const *)p->known,
                           &job, &image, error)) {
        return FALSE;
    }
    p->record.job_id = g_strdup(job);
    g_free(p->record.image_name);
    p->record.image_name = g_strdup(p->spec.name);
    if (!save_record(p, error)) {
        return FALSE;
    }
    if (p->app->options->no_wait) {
        if (p->app->options->quiet) {
            printf("%s\n", job ? job : image);
        }
        obs_record_remove(p->record_path);
        return TRUE;
    }
    return wait_for(p, job, image, error);
}

gboolean obs_cmd_push(ObsApp *app, char **args, GError **error)
{
    g_auto(Push) p = { .app = app };
    gboolean uploaded;

    p.tags = obs_pairs_new();
    if (!obs_step_check(app, args[0], args[1], TRUE, &p.item, error) ||
        !obs_step_spec(app, &p.item, p.tags, &p.spec, error) ||
        !obs_app_connect(app, OBS_NEED_OBS | OBS_NEED_IMS, error) ||
        !obs_app_probe(app, p.item.bucket, error) ||
        !find_record(&p, &uploaded, error)) {
        return FALSE;
    }
    if (has_job(&p)) {
        g_autofree char *job = g_strdup(p.record.job_id);

        obs_event_text(&app->events, OBS_EVENT_NOTE, "register",
                       "an earlier run has started job %s", job);
        return wait_for(&p, job, NULL, error);
    }
    if (!obs_step_preflight(app, &p.spec, &p.known, error)) {
        return FALSE;
    }
    if (uploaded) {
        obs_event_text(&app->events, OBS_EVENT_NOTE, "upload",
                       "obs://%s/%s  uploaded by an earlier run",
                       p.item.bucket, p.item.key);
    } else if (!obs_step_bitmap(app, &p.item, FALSE, error) ||
               !obs_step_upload(app, &p.item, error)) {
        return FALSE;
    }
    if (app->options->dry_run) {
        obs_event_text(&app->events, OBS_EVENT_STAGE, "register",
                       "%s  would be registered (dry run)", p.spec.name);
        return TRUE;
    }
    return (uploaded || note_upload(&p, error)) &&
           register_and_wait(&p, error);
}
