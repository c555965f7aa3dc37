/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far a push has come beyond the upload: see record.h. */
#include "record.h"

#include <glib/gstdio.h>
#include <string.h>

#include "journal.h"

#define GROUP "push 1"

void obs_record_clear(ObsRecord *record)
{
    g_clear_pointer(&record->etag, g_free);
    g_clear_pointer(&record->image_name, g_free);
    g_clear_pointer(&record->job_id, g_free);
}

char *obs_record_path(const char *dir, const char *source,
                      const char *endpoint, const char *bucket,
                      const char *key)
{
    g_autofree char *usual = obs_journal_default_dir();
    g_autofree char *name = obs_journal_file_name(source, endpoint, bucket,
                                                  key);
    g_autofree char *base = g_strndup(name,
                                      strlen(name) - strlen(".journal"));
    g_autofree char *file = g_strdup_printf("%s.push", base);

    return g_build_filename(dir ? dir : usual, file, NULL);
}

void obs_record_load(const char *path, ObsRecord *out)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    memset(out, 0, sizeof(*out));
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL)) {
        return;
    }
    out->source.size = g_key_file_get_uint64(file, GROUP, "size", NULL);
    out->source.mtime_sec = g_key_file_get_int64(file, GROUP, "mtime", NULL);
    out->source.mtime_nsec = g_key_file_get_uint64(file, GROUP, "mtime-ns",
                                                   NULL);
    out->source.inode = g_key_file_get_uint64(file, GROUP, "inode", NULL);
    out->source.device = g_key_file_get_uint64(file, GROUP, "device", NULL);
    out->etag = g_key_file_get_string(file, GROUP, "etag", NULL);
    out->image_name = g_key_file_get_string(file, GROUP, "image", NULL);
    out->job_id = g_key_file_get_string(file, GROUP, "job", NULL);
}

gboolean obs_record_save(const char *path, const ObsRecord *record,
                         GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *text = NULL;
    g_autoptr(GError) local = NULL;
    gsize length;

    g_key_file_set_uint64(file, GROUP, "size", record->source.size);
    g_key_file_set_int64(file, GROUP, "mtime", record->source.mtime_sec);
    g_key_file_set_uint64(file, GROUP, "mtime-ns",
                          record->source.mtime_nsec);
    g_key_file_set_uint64(file, GROUP, "inode", record->source.inode);
    g_key_file_set_uint64(file, GROUP, "device", record->source.device);
    g_key_file_set_string(file, GROUP, "etag", record->etag);
    if (record->image_name) {
        g_key_file_set_string(file, GROUP, "image", record->image_name);
    }
    if (record->job_id) {
        g_key_file_set_string(file, GROUP, "job", record->job_id);
    }
    text = g_key_file_to_data(file, &length, NULL);
    if (!g_file_set_contents_full(path, text, length,
                                  G_FILE_SET_CONTENTS_CONSISTENT |
                                  G_FILE_SET_CONTENTS_DURABLE, 0600,
                                  &local)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "cannot note how far it has come: %s", local->message);
        return FALSE;
    }
    return TRUE;
}

void obs_record_remove(const char *path)
{
    g_unlink(path);
}
