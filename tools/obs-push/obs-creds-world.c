/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real environment and files, for the search for credentials.
 */
#include "obs-creds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obs-secret.h"

#define FILE_MAX (1024 * 1024)

static const gchar *real_getenv(const gchar *name, gpointer data)
{
    return g_getenv(name);
}

static gboolean fail_errno(const gchar *path, gint number, GError **error)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(number),
                "%s: %s", path, g_strerror(number));
    return FALSE;
}

static gboolean real_read_file(const gchar *path, gchar **out_text,
                               guint *out_mode, gpointer data, GError **error)
{
    gint fd = open(path, O_RDONLY | O_CLOEXEC);
    gint number = 0;
    struct stat st;
    gchar *text;
    gsize length = 0;
    gssize got = 0;

    if (fd < 0) {
        return fail_errno(path, errno, error);
    }
    if (fstat(fd, &st) < 0) {
        number = errno;
    } else if (S_ISDIR(st.st_mode)) {
        number = EISDIR;
    } else if (st.st_size > FILE_MAX) {
        number = EFBIG;
    }
    if (number) {
        close(fd);
        return fail_errno(path, number, error);
    }
    /* One byte more than allowed tells a file that grows or has no size. */
    text = g_malloc0(FILE_MAX + 2);
    while (length <= FILE_MAX) {
        got = read(fd, text + length, FILE_MAX + 1 - length);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            break;
        }
        length += (gsize)MAX(got, 0);
    }
    number = got < 0 ? errno : length > FILE_MAX ? EFBIG : 0;
    close(fd);
    if (number) {
        obs_secret_wipe_string(text);
        return fail_errno(path, number, error);
    }
    *out_text = text;
    /* A pipe's mode says nothing about who can read the secret. */
    *out_mode = S_ISREG(st.st_mode) ? st.st_mode & 07777 : 0;
    return TRUE;
}

const ObsCredsWorld *obs_creds_world(void)
{
    static ObsCredsWorld world = {
        .getenv = real_getenv, .read_file = real_read_file,
    };

    if (!world.home) {
        world.home = g_get_home_dir();
    }
    return &world;
}
