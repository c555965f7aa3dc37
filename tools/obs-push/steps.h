/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps that commands are made of, each with the line that it leaves:
 * check, upload, register, wait.
 */
#ifndef OBS_STEPS_H
#define OBS_STEPS_H

#include "app.h"
#include "image.h"
#include "obs-ims.h"
#include "source.h"
#include "upload.h"

/* One image on its way; zero-initialised, cleared at the end. */
typedef struct {
    ObsSource *source;
    ObsImageInfo info;
    gboolean is_image;          /* ZVHD2 or RAW; else just a file */
    GArray *extents;            /* RAW: ObsExtent with data; NULL: all */
    char *bitmap_path;          /* RAW: its bitmap; NULL: none */
    char *bucket;
    char *key;
} ObsItem;
void obs_item_clear(ObsItem *item);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ObsItem, obs_item_clear)

/*
 * Opens the file and checks what can be told without reading all of it. @must_import: it has to be something that fast
 * import takes; else any file will do, and only a damaged ZVHD2 is refused.
 * @url NULL: local check only.
 */
gboolean obs_step_check(ObsApp *app, const char *path, const char *url,
                        gboolean must_import, ObsItem *out, GError **error);

/*
 * The bitmap of a RAW image, see obs_raw_bitmap(); nothing for others. Reads
 * the image, so it comes after all that can be found out cheaply.
 */
gboolean obs_step_bitmap(ObsApp *app, ObsItem *item, gboolean only_verify,
                         GError **error);

/* Object (and bitmap) to the bucket; --no-clobber and --if-changed obeyed. */
gboolean obs_step_upload(ObsApp *app, ObsItem *item, GError **error);

/* What to register, from the options; checked. Borrows from both. @item's
 * bucket, key and info are used. */
gboolean obs_step_spec(ObsApp *app, const ObsItem *item, GPtrArray *tags,
                       ObsImageSpec *out, GError **error);

/* Before the upload: can the import succeed? See register.h. */
gboolean obs_step_preflight(ObsApp *app, const ObsImageSpec *spec,
                            GStrv *out_known, GError **error);

/* Registers; *out_job or *out_image is set. */
gboolean obs_step_register(ObsApp *app, const ObsImageSpec *spec,
                           const char *const *known, char **out_job,
                           char **out_image, GError **error);

/* Waits for the job (NULL: for @image_id) and tells the image. */
gboolean obs_step_wait(ObsApp *app, const char *job_id, const char *image_id,
                       const char *name, GError **error);

#endif
