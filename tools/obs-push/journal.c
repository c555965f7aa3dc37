/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Journals on disk: see journal.h. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct ObsJournalFile {
    char *dir;
    char *path;
    char *temporary;
    char *lock_path;
    int lock;                   /* descriptor that holds the flock */
};

char *obs_journal_default_dir(void)
{
    return g_build_filename(g_get_user_state_dir(), "obs-push", NULL);
}

/* Writes who holds the lock into it, for the message of the other process. */
static void sign_lock(int fd)
{
    g_autofree char *text = g_strdup_printf("%ld\n", (long)getpid());
    gssize length = strlen(text);

    /* Only a courtesy: a full disk must not keep us from working. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, length, 0) != length) {
        return;
    }
}

static long lock_owner(int fd)
{
    char text[32];
    gssize length = pread(fd, text, sizeof(text) - 1, 0);

    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    return g_ascii_strtoll(text, NULL, 10);
}

/*
 * The holder unlinks the lock file when it goes, so whoever waited for the
 * old file has locked a name that is no more: look again and start over.
 */
static int take_lock(const char *path, GError **error)
{
    for (;;) {
        struct stat mine, named;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                        "cannot create the lock %s: %s", path,
                        g_strerror(errno));
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) {
                long owner = lock_owner(fd);
                g_autofree char *who = owner
                    ? g_strdup_printf(" (process %ld)", owner) : g_strdup("");

                g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                            "another obs-push%s is at work on this upload; "
                            "wait for it or end it", who);
            } else {
                g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                            "cannot lock %s: %s", path, g_strerror(errno));
            }
            close(fd);
            return -1;
        }
        if (fstat(fd, &mine) == 0 && stat(path, &named) == 0 &&
            mine.st_ino == named.st_ino && mine.st_dev == named.st_dev) {
            sign_lock(fd);
            return fd;
        }
        close(fd);
    }
}

ObsJournalFile *obs_journal_lock_name(const char *dir, const char *name,
                                      GError **error)
{
    g_autofree char *usual = obs_journal_default_dir();
    ObsJournalFile *file;
    int lock;
    g_autofree char *lock_path = NULL;

    dir = dir ? dir : usual;
    if (g_mkdir_with_parents(dir, 0700) != 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "cannot make the state folder %s: %s; without it an "
                    "upload could not be resumed (set XDG_STATE_HOME to "
                    "another one)", dir, g_strerror(errno));
        return NULL;
    }
    lock_path = g_strdup_printf("%s/%s.lock", dir, name);
    lock = take_lock(lock_path, error);
    if (lock < 0) {
        return NULL;
    }
    file = g_new0(ObsJournalFile, 1);
    file->dir = g_strdup(dir);
    file->path = g_build_filename(dir, name, NULL);
    file->temporary = g_strdup_printf("%s.tmp", file->path);
    file->lock_path = g_steal_pointer(&lock_path);
    file->lock = lock;
    return file;
}

ObsJournalFile *obs_journal_lock(const char *dir, const char *path,
                                 const char *endpoint, const char *bucket,
                                 const char *key, GError **error)
{
    g_autofree char *name = obs_journal_file_name(path, endpoint, bucket,
                                                  key);

    return obs_journal_lock_name(dir, name, error);
}

void obs_journal_unlock(ObsJournalFile *file)
{
    unlink(file->lock_path);
    close(file->lock);
    g_free(file->dir);
    g_free(file->path);
    g_free(file->temporary);
    g_free(file->lock_path);
    g_free(file);
}

const char *obs_journal_path(const ObsJournalFile *file)
{
    return file->path;
}

static ObsJournal *load_path(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    struct stat st;
    ObsJournal *journal;
    gsize length;

    if (stat(path, &st) != 0 && errno == ENOENT) {
        return NULL;
    }
    if (st.st_size > OBS_JOURNAL_MAX_SIZE) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "the journal %s is too large to be one", path);
        return NULL;
    }
    if (!g_file_get_contents(path, &text, &length, error)) {
        (*error)->domain = OBS_ERROR;
        (*error)->code = OBS_ERROR_FAILED;
        return NULL;
    }
    journal = obs_journal_parse(text, length, error);
    if (!journal) {
        g_prefix_error(error, "the journal %s is of no use: ", path);
    }
    return journal;
}

ObsJournal *obs_journal_load(ObsJournalFile *file, GError **error)
{
    GError *local = NULL;
    ObsJournal *journal = load_path(file->path, &local);

    if (local) {
        g_propagate_error(error, local);
    }
    return journal;
}

static gboolean write_all(int fd, const char *data, gsize length)
{
    while (length > 0) {
        gssize done = write(fd, data, length);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return FALSE;
        }
        data += done;
        length -= done;
    }
    return TRUE;
}

static gboolean sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

gboolean obs_journal_save(ObsJournalFile *file, const ObsJournal *journal,
                          GError **error)
{
    g_autoptr(GString) text = obs_journal_format(journal);
    int fd = open(file->temporary,
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  0600);
    gboolean ok = fd >= 0 && write_all(fd, text->str, text->len) &&
                  fsync(fd) == 0;
    int reason = errno;

    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = FALSE;
        reason = errno;
    }
    if (ok && rename(file->temporary, file->path) != 0) {
        ok = FALSE;
        reason = errno;
    }
    if (ok && !sync_dir(file->dir)) {
        ok = FALSE;
        reason = errno;
    }
    if (!ok) {
        unlink(file->temporary);
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "cannot write the journal %s: %s", file->path,
                    g_strerror(reason));
    }
    return ok;
}

gboolean obs_journal_remove(ObsJournalFile *file, GError **error)
{
    if (unlink(file->path) != 0 && errno != ENOENT) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "cannot remove the journal %s: %s", file->path,
                    g_strerror(errno));
        return FALSE;
    }
    sync_dir(file->dir);
    return TRUE;
}

/* ---- lists ---- */

void obs_journal_entry_free(ObsJournalEntry *entry)
{
    g_free(entry->name);
    g_free(entry->problem);
    g_clear_pointer(&entry->journal, obs_journal_free);
    g_free(entry);
}

static gboolean is_locked(const char *dir, const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/%s.lock", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    gboolean locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 &&
                      errno == EWOULDBLOCK;

    if (fd >= 0) {
        close(fd);
    }
    return locked;
}

GPtrArray *obs_journal_list(const char *dir, GError **error)
{
    g_autofree char *usual = obs_journal_default_dir();
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(
        (GDestroyNotify)obs_journal_entry_free);
    g_autoptr(GDir) folder = NULL;
    g_autoptr(GError) local = NULL;
    const char *name;

    dir = dir ? dir : usual;
    folder = g_dir_open(dir, 0, &local);
    if (!folder) {
        if (g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
            return g_steal_pointer(&entries);
        }
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "cannot read the state folder: %s", local->message);
        return NULL;
    }
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_autoptr(GError) problem = NULL;
        ObsJournalEntry *entry;

        if (!g_str_has_suffix(name, ".journal")) {
            continue;
        }
        entry = g_new0(ObsJournalEntry, 1);
        entry->name = g_strdup(name);
        entry->journal = load_path(path, &problem);
        entry->problem = problem ? g_strdup(problem->message) : NULL;
        entry->locked = is_locked(dir, name);
        g_ptr_array_add(entries, entry);
    }
    return g_steal_pointer(&entries);
}
