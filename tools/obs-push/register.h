/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an object to an image: proving beforehand that it can succeed, asking
 * for the import exactly once, and waiting for its end. All block.
 */
#ifndef OBS_REGISTER_H
#define OBS_REGISTER_H

#include "client.h"
#include "event.h"
#include "obs-ims.h"

typedef struct {
    ObsClient *client;
    const char *project_id;
    const ObsEvents *events;
    guint poll_seconds;
} ObsRegistrar;

/*
 * Cheap calls that show what would go wrong after hours: the operating
 * system, the quota, the name. @allow_duplicate: an image of that name may
 * exist. *@out_known gets the ids of those that do (for obs_register_start).
 */
gboolean obs_register_preflight(const ObsRegistrar *r,
                                const ObsImageSpec *spec,
                                gboolean allow_duplicate, GStrv *out_known,
                                GError **error);

/*
 * Asks for the import. After an unclear answer the image is looked for by
 * name, and only if it does not show up is the call repeated. One of *out_job
 * and *out_image is set on success: the image, if only that could be found.
 */
gboolean obs_register_start(const ObsRegistrar *r, const ObsImageSpec *spec,
                            const char *const *known, char **out_job,
                            char **out_image, GError **error);

/*
 * Waits until the job has ended and the image is active. FAIL is
 * OBS_ERROR_REGISTER with the service's code and reason. *out_image: the id.
 */
gboolean obs_register_wait_job(const ObsRegistrar *r, const char *job_id,
                               char **out_image, GError **error);
/* The same for an image whose job is not known. */
gboolean obs_register_wait_image(const ObsRegistrar *r, const char *image_id,
                                 GError **error);

#endif
