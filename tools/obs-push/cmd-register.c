/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push register and obs-push wait: from an uploaded object to an image. */
#include <string.h>

#include "commands.h"
#include "obs-url.h"
#include "steps.h"
#include "storage.h"
#include "zvhd2-format.h"

static gboolean not_an_image(const ObsPlace *place, const char *why,
                             GError **error)
{
    g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                "obs://%s/%s can't be imported: %s; upload a good image with "
                "obs-push upload", place->bucket, place->key, why);
    return FALSE;
}

/* Header and footer of a ZVHD2 object by two small reads. */
static gboolean inspect_zvhd2(const ObsPlace *place, GBytes *head,
                              ObsImageInfo *info, GError **error)
{
    g_autoptr(GBytes) foot = NULL;
    Zvhd2Finding finding;
    Zvhd2Desc header, footer;
    gint64 at = (gint64)info->file_size - ZVHD2_ALIGN;
    char text[256];

    if (at < ZVHD2_ALIGN || info->file_size % ZVHD2_ALIGN) {
        return not_an_image(place, "it is cut off", error);
    }
    foot = obs_storage_read(place, at, ZVHD2_DESC_SIZE, error);
    if (!foot) {
        return FALSE;
    }
    if (!zvhd2_desc_decode(g_bytes_get_data(head, NULL), 0, true, &header,
                           &finding) ||
        !zvhd2_desc_decode(g_bytes_get_data(foot, NULL), at, true, &footer,
                           &finding) ||
        !zvhd2_footer_check(&footer, info->file_size, &finding) ||
        !zvhd2_header_matches(&header, &footer, &finding)) {
        return not_an_image(place, zvhd2_finding_text(&finding, text,
                                                      sizeof(text)), error);
    }
    info->format = OBS_FORMAT_ZVHD2;
    info->disk_size = footer.curr_size;
    info->zstd = footer.method == ZVHD2_METHOD_ZSTD;
    return TRUE;
}

static gboolean inspect_raw(ObsApp *app, const ObsPlace *place,
                            ObsImageInfo *info, GError **error)
{
    g_autofree char *key = obs_url_bitmap_key(place->key);
    ObsPlace bitmap = { place->client, place->bucket, key };
    g_auto(ObsObjectInfo) there = { 0 };

    if (g_str_has_suffix(place->key, ".zvhd2")) {
        return not_an_image(place, "it is no ZVHD2 image despite its name",
                            error);
    }
    if (info->file_size % 512) {
        return not_an_image(place, "it is neither ZVHD2 nor a RAW disk",
                            error);
    }
    info->format = OBS_FORMAT_RAW;
    info->disk_size = info->file_size;
    if (app->options->no_bitmap) {
        return TRUE;
    }
    if (!obs_storage_head(&bitmap, &there, error)) {
        return FALSE;
    }
    return there.exists ||
           not_an_image(place, "the bitmap of the RAW image is not beside it",
                        error);
}

static gboolean inspect_object(ObsApp *app, ObsItem *item, GError **error)
{
    ObsPlace place = { app->client, item->bucket, item->key };
    g_auto(ObsObjectInfo) info = { 0 };
    g_autoptr(GBytes) head = NULL;
    g_autofree char *text = NULL;

    if (!obs_storage_head(&place, &info, error)) {
        return FALSE;
    }
    if (!info.exists) {
        return not_an_image(&place, "there is no such object", error);
    }
    if (info.storage_class &&
        g_ascii_strcasecmp(info.storage_class, "STANDARD") != 0) {
        return not_an_image(&place, "its storage class is not STANDARD",
                            error);
    }
    if (info.size < ZVHD2_DESC_SIZE) {
        return not_an_image(&place, "it is too small", error);
    }
    item->info.file_size = info.size;
    head = obs_storage_read(&place, 0, ZVHD2_DESC_SIZE, error);
    if (!head ||
        !(zvhd2_is_cookie(g_bytes_get_data(head, NULL))
          ? inspect_zvhd2(&place, head, &item->info, error)
          : inspect_raw(app, &place, &item->info, error))) {
        return FALSE;
    }
    text = obs_image_describe(&item->info);
    obs_event_text(&app->events, OBS_EVENT_STAGE, "check",
                   "obs://%s/%s  %s", item->bucket, item->key, text);
    return TRUE;
}

gboolean obs_cmd_register(ObsApp *app, char **args, GError **error)
{
    g_auto(ObsItem) item = { 0 };
    g_autoptr(GPtrArray) tags = obs_pairs_new();
    g_auto(GStrv) known = NULL;
    g_autofree char *job = NULL;
    g_autofree char *image = NULL;
    ObsImageSpec spec;

    if (!obs_url_parse_object(args[0], NULL, &item.bucket, &item.key,
                              error) ||
        !obs_app_connect(app, OBS_NEED_OBS | OBS_NEED_IMS, error) ||
        !obs_app_probe(app, item.bucket, error) ||
        !inspect_object(app, &item, error) ||
        !obs_step_spec(app, &item, tags, &spec, error) ||
        !obs_step_preflight(app, &spec, &known, error)) {
        return FALSE;
    }
    if (app->options->dry_run) {
        obs_event_text(&app->events, OBS_EVENT_STAGE, "register",
                       "%s  would be registered (dry run)", spec.name);
        return TRUE;
    }
    if (!obs_step_register(app, &spec, (const char *const *)known, &job,
                           &image, error)) {
        return FALSE;
    }
    if (app->options->wait) {
        return obs_step_wait(app, job, image, spec.name, error);
    }
    if (app->options->quiet) {
        printf("%s\n", job ? job : image);
    }
    return TRUE;
}

gboolean obs_cmd_wait(ObsApp *app, char **args, GError **error)
{
    const char *job = args[0];

    if (!*job || strlen(job) > 128 ||
        strspn(job, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_") !=
        strlen(job)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "\"%s\" is no job number", job);
        return FALSE;
    }
    return obs_app_connect(app, OBS_NEED_IMS, error) &&
           obs_step_wait(app, job, NULL, NULL, error);
}
