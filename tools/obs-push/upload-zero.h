/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The zero object: a helper beside the upload that consists of zeros, from
 * which the server itself copies the zero parts of a sparse image. Little of
 * it goes over the wire; it is deleted after use.
 */
#ifndef OBS_UPLOAD_ZERO_H
#define OBS_UPLOAD_ZERO_H

#include "upload-parts.h"

/* MD5 of each zero part by part index; free with g_free(). Runs a thread and
 * the main loop; NULL with @error when the client is stopped meanwhile. */
ObsMd5 *obs_zero_sums(ObsClient *client, const ObsPlan *plan, GError **error);

/*
 * Makes sure that the zero object of @job's journal stands, as the plan says:
 * an object left by an interrupted run is used if it is right. Notes key and
 * ETag in the journal and calls job->acked before anything is made that would
 * have to be cleaned up. FALSE with @error when it can't be made; the caller
 * then sends zeros instead.
 */
gboolean obs_zero_prepare(const ObsPartsJob *job, GError **error);

/*
 * Deletes it and any upload it was made by, as the journal tells; in a bucket
 * with versioning all its versions too, or, who may not, @events get a
 * warning. FALSE with @error when another try may do what is left.
 */
gboolean obs_zero_remove(ObsClient *client, ObsJournal *journal,
                         const ObsEvents *events, GError **error);

#endif
