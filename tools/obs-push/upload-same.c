/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --if-changed: would an upload make the object that is there already? Told
 * by content: the ETag is computed from the file as the upload would cut it.
 */
#include "hasher.h"
#include "storage.h"
#include "upload.h"

typedef struct {
    ObsMd5 *md5s;
    guint left;
    GError *error;
} Sums;

static void on_hashed(guint index, const ObsMd5 *md5, const GError *error,
                      gpointer user_data)
{
    Sums *sums = user_data;

    sums->left--;
    if (!error) {
        sums->md5s[index] = *md5;
    } else if (!sums->error) {
        sums->error = g_error_copy(error);
    }
}

/* MD5s of all parts of @plan; runs the main loop. */
static ObsMd5 *hash_parts(const ObsUploadSpec *spec, const ObsPlan *plan,
                          GError **error)
{
    Sums sums = { g_new0(ObsMd5, plan->parts->len), plan->parts->len, NULL };
    ObsHasher *hasher = obs_hasher_new(spec->source, 0, on_hashed, &sums);

    for (guint i = 0; i < plan->parts->len; i++) {
        const ObsPart *part = &g_array_index(plan->parts, ObsPart, i);

        obs_hasher_push(hasher, i, part->offset, part->length);
    }
    while (sums.left && !sums.error && !obs_client_stopped(spec->client)) {
        obs_event_bytes(spec->events, "compare",
                        plan->size * (plan->parts->len - sums.left) /
                        plan->parts->len, plan->size);
        g_main_context_iteration(NULL, TRUE);
    }
    obs_hasher_free(hasher);
    if (!sums.error && sums.left) {
        sums.error = g_error_copy(obs_client_stopped(spec->client));
    }
    if (sums.error) {
        g_propagate_error(error, sums.error);
        g_free(sums.md5s);
        return NULL;
    }
    return sums.md5s;
}

gboolean obs_upload_is_same(const ObsUploadSpec *spec, gboolean *out_same,
                            GError **error)
{
    ObsPlace place = { spec->client, spec->bucket, spec->key };
    g_auto(ObsObjectInfo) info = { 0 };
    g_autoptr(ObsPlan) plan = NULL;
    g_autofree ObsMd5 *md5s = NULL;
    g_autofree char *etag = NULL;
    guint64 part_size;
    char hex[OBS_MD5_HEX_SIZE];

    *out_same = FALSE;
    if (!obs_storage_head(&place, &info, error)) {
        return FALSE;
    }
    if (!info.exists || info.size != spec->source->size) {
        return TRUE;
    }
    if (!obs_plan_part_size(spec->source->size, spec->part_size, &part_size,
                            error)) {
        return FALSE;
    }
    if (obs_plan_single_put(spec->source->size, part_size)) {
        plan = obs_plan_new(spec->source->size, OBS_PART_MAX, error);
    } else {
        plan = obs_upload_plan(spec, error);
    }
    if (!plan) {
        return FALSE;
    }
    if (!obs_etag_is_md5(info.etag) && !obs_etag_is_multipart(info.etag)) {
        return TRUE;            /* encrypted: its ETag tells nothing */
    }
    md5s = hash_parts(spec, plan, error);
    if (!md5s) {
        return FALSE;
    }
    if (obs_etag_is_md5(info.etag) && plan->parts->len == 1) {
        obs_md5_to_hex(&md5s[0], hex);
        *out_same = obs_etag_equal(info.etag, hex);
        return TRUE;
    }
    etag = obs_etag_multipart(md5s, plan->parts->len);
    *out_same = obs_etag_equal(info.etag, etag);
    return TRUE;
}
