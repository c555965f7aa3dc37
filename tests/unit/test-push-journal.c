/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Journals and records on disk: whole at any moment, locked, listed. */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal.h"
#include "record.h"

typedef struct {
    char *dir;
} Fixture;

static void set_up(Fixture *f, gconstpointer unused)
{
    f->dir = g_dir_make_tmp("push-journal-XXXXXX", NULL);
    g_assert_nonnull(f->dir);
}

static void tear_down(Fixture *f, gconstpointer unused)
{
    g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(f->dir, name, NULL);

        g_unlink(path);
    }
    g_rmdir(f->dir);
    g_free(f->dir);
}

static guint count_files(Fixture *f)
{
    g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    return n;
}

static ObsJournal *make_journal(void)
{
    ObsJournal *j = obs_journal_new(obs_plan_new(100 * OBS_MIB, 0, NULL));

    j->source.path = g_strdup("/disk.raw");
    j->source.size = 100 * OBS_MIB;
    j->endpoint = g_strdup("https://obs.example.com");
    j->bucket = g_strdup("bucket");
    j->key = g_strdup("key");
    j->upload_id = g_strdup("UPLOAD");
    return j;
}

static ObsJournalFile *lock(Fixture *f, GError **error)
{
    return obs_journal_lock(f->dir, "/disk.raw", "https://obs.example.com",
                            "bucket", "key", error);
}

static void test_round_trip(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsJournalFile) file = lock(f, &error);
    g_autoptr(ObsJournal) journal = make_journal();
    g_autoptr(ObsJournal) back = NULL;
    ObsMd5 md5 = { { 1, 2, 3 } };
    GStatBuf st;

    g_assert_no_error(error);
    g_assert_null(obs_journal_load(file, &error));
    g_assert_no_error(error);
    obs_journal_set_part(journal, 3, &md5, "etag");
    g_assert_true(obs_journal_save(file, journal, &error));
    g_assert_no_error(error);
    back = obs_journal_load(file, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(back->upload_id, ==, "UPLOAD");
    g_assert_true(back->states[3].done);
    g_assert_false(back->states[2].done);
    g_assert_cmpint(g_stat(obs_journal_path(file), &st), ==, 0);
    g_assert_cmpint(st.st_mode & 077, ==, 0);
    g_assert_true(obs_journal_remove(file, &error));
    g_assert_true(obs_journal_remove(file, &error));    /* is no error */
    g_assert_null(obs_journal_load(file, &error));
    g_assert_no_error(error);
}

static void test_damaged(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsJournalFile) file = lock(f, &error);
    g_autoptr(ObsJournal) journal = make_journal();
    g_autofree char *text = NULL;
    gsize length;

    g_assert_true(obs_journal_save(file, journal, &error));
    g_assert_true(g_file_get_contents(obs_journal_path(file), &text, &length,
                                      NULL));
    for (gsize cut = 0; cut < length; cut += 7) {
        g_assert_true(g_file_set_contents(obs_journal_path(file), text, cut,
                                          NULL));
        g_assert_null(obs_journal_load(file, &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, obs_journal_path(file)));
        g_clear_error(&error);
    }
}

/* A killed writer leaves a temporary file: it is not taken for a journal. */
static void test_left_temporary(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsJournalFile) file = lock(f, &error);
    g_autoptr(ObsJournal) journal = make_journal();
    g_autoptr(ObsJournal) back = NULL;
    g_autofree char *temporary = g_strdup_printf("%s.tmp",
                                                 obs_journal_path(file));

    g_assert_true(g_file_set_contents(temporary, "half", 4, NULL));
    g_assert_null(obs_journal_load(file, &error));
    g_assert_no_error(error);
    g_assert_true(obs_journal_save(file, journal, &error));
    back = obs_journal_load(file, &error);
    g_assert_no_error(error);
    g_assert_nonnull(back);
}

static void test_full_disk_keeps_the_former(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsJournalFile) file = lock(f, &error);
    g_autoptr(ObsJournal) journal = make_journal();
    g_autoptr(ObsJournal) back = NULL;
    struct rlimit limit = { 16, RLIM_INFINITY };
    struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
    ObsMd5 md5 = { { 1 } };

    g_assert_true(obs_journal_save(file, journal, &error));
    obs_journal_set_part(journal, 0, &md5, "etag");
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    g_assert_false(obs_journal_save(file, journal, &error));
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &none), ==, 0);
    g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, g_strerror(EFBIG)));
    g_clear_error(&error);
    back = obs_journal_load(file, &error);
    g_assert_no_error(error);
    g_assert_false(back->states[0].done);
    g_assert_cmpuint(count_files(f), ==, 2);    /* no temporary file */
}

static void test_lock_excludes_other_processes(Fixture *f,
                                               gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    ObsJournalFile *file = lock(f, &error);
    g_autofree char *me = g_strdup_printf("process %d", getpid());
    /* or valgrind takes in the child for lost what only registers had */
    static gpointer volatile G_GNUC_UNUSED kept[3];
    int status;
    pid_t pid;

    g_assert_nonnull(file);
    kept[0] = file;
    kept[1] = me;
    for (int held = 1; held >= 0; held--) {
        pid = fork();
        if (pid == 0) {
            ObsJournalFile *other = lock(f, &error);
            gboolean told = error && strstr(error->message, me);

            kept[2] = other;
            _exit(other ? 0 : told ? 1 : 2);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(WEXITSTATUS(status), ==, held);
        if (held) {
            obs_journal_unlock(file);
        }
    }
}

/* The lock dies with its process, whatever that leaves behind. */
static void test_lock_of_a_killed_process(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsJournalFile) file = NULL;
    int ready[2];
    char byte;
    pid_t pid;

    g_assert_cmpint(pipe(ready), ==, 0);
    pid = fork();
    if (pid == 0) {
        if (!lock(f, NULL) || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        pause();
    }
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    g_assert_null(lock(f, &error));
    g_clear_error(&error);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    file = lock(f, &error);
    g_assert_no_error(error);
    g_assert_nonnull(file);
    close(ready[0]);
    close(ready[1]);
}

static void test_list(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsJournalFile) file = lock(f, &error);
    g_autoptr(ObsJournal) journal = make_journal();
    g_autoptr(GPtrArray) entries = NULL;
    g_autoptr(GPtrArray) none = NULL;
    g_autofree char *bad = g_build_filename(f->dir, "bad.journal", NULL);
    g_autofree char *other = g_build_filename(f->dir, "note.txt", NULL);
    g_autofree char *missing = g_build_filename(f->dir, "missing", NULL);
    guint good = 0;

    g_assert_true(obs_journal_save(file, journal, &error));
    g_assert_true(g_file_set_contents(bad, "junk", 4, NULL));
    g_assert_true(g_file_set_contents(other, "junk", 4, NULL));
    entries = obs_journal_list(f->dir, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(entries->len, ==, 2);
    for (guint i = 0; i < entries->len; i++) {
        ObsJournalEntry *entry = g_ptr_array_index(entries, i);

        g_assert_true(!entry->journal == !!entry->problem);
        if (entry->journal) {
            g_assert_true(entry->locked);
            good++;
        }
    }
    g_assert_cmpuint(good, ==, 1);
    none = obs_journal_list(missing, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(none->len, ==, 0);
}

static void test_record(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = obs_record_path(f->dir, "/disk.raw", "https://e",
                                            "bucket", "key");
    g_autofree char *other = obs_record_path(f->dir, "/disk.raw", "https://e",
                                             "bucket", "key2");
    ObsRecord record = {
        .source = { .size = G_MAXUINT64, .mtime_sec = -5, .mtime_nsec = 7,
                    .inode = G_MAXUINT64, .device = 3 },
        .etag = (char *)"abc-3", .job_id = (char *)"job",
    };
    g_auto(ObsRecord) back = { { 0 } };

    g_assert_cmpstr(path, !=, other);
    obs_record_load(path, &back);
    g_assert_null(back.etag);
    g_assert_true(obs_record_save(path, &record, &error));
    g_assert_no_error(error);
    obs_record_load(path, &back);
    g_assert_cmpstr(back.etag, ==, "abc-3");
    g_assert_cmpstr(back.job_id, ==, "job");
    g_assert_null(back.image_name);
    record.source.path = back.source.path = (char *)"/disk.raw";
    g_assert_null(obs_journal_source_changed(&record.source, &back.source));
    g_assert_true(g_file_set_contents(path, "[push 1\nsize=x", -1, NULL));
    obs_record_clear(&back);
    obs_record_load(path, &back);
    g_assert_null(back.etag);
    obs_record_remove(path);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

#define ADD(name, function) \
    g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/journal/round-trip", test_round_trip);
    ADD("/journal/damaged", test_damaged);
    ADD("/journal/left-temporary", test_left_temporary);
    ADD("/journal/full-disk", test_full_disk_keeps_the_former);
    ADD("/journal/lock/excludes", test_lock_excludes_other_processes);
    ADD("/journal/lock/killed", test_lock_of_a_killed_process);
    ADD("/journal/list", test_list);
    ADD("/record", test_record);
    return g_test_run();
}
