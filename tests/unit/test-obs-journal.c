/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journal text: what is written is read back the same; whatever else is
 * read is refused. Also the comparison of files and the name of a journal.
 */
#include <string.h>

#include "obs-journal-format.h"

#define MD5_HEX "0123456789abcdef0123456789abcdef"

/* 100 MiB of data, then 1 GiB of zeros, then 5 bytes. */
static ObsJournal *example(void)
{
    const ObsExtent data[] = {
        { 0, 100 * OBS_MIB }, { 1124 * OBS_MIB, 5 },
    };
    g_autoptr(GError) error = NULL;
    ObsPlan *plan = obs_plan_new_sparse(1124 * OBS_MIB + 5, 0, data, 2,
                                        &error);
    ObsJournal *journal;
    ObsMd5 md5;

    g_assert_no_error(error);
    journal = obs_journal_new(plan);
    journal->source.path = g_strdup("/data/im age\n%\xff-1.raw");
    journal->source.size = plan->size;
    journal->source.mtime_sec = -5;
    journal->source.mtime_nsec = 999999999;
    journal->source.inode = G_MAXUINT64;
    journal->source.device = 66306;
    journal->endpoint = g_strdup("http://127.0.0.1:9000");
    journal->bucket = g_strdup("my-bucket");
    journal->key = g_strdup("dir/im age é.raw");
    journal->created = g_strdup("2026-01-02T03:04:05Z");
    journal->options = g_strdup("-");
    journal->upload_id = g_strdup("00000163D40171ED");
    journal->zero_key = g_strdup("dir/zeros");
    journal->zero_etag = g_strdup(MD5_HEX "-64");
    g_assert_true(obs_md5_from_hex(MD5_HEX, &md5));
    obs_journal_set_part(journal, 0, &md5, MD5_HEX);
    obs_journal_set_part(journal, 2, NULL, "some\"etag");
    obs_journal_set_part(journal, 3, &md5, MD5_HEX);
    obs_journal_set_part(journal, 3, NULL, NULL);
    return journal;
}

static void test_round_trip(void)
{
    g_autoptr(ObsJournal) journal = example();
    g_autoptr(GString) text = obs_journal_format(journal);
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsJournal) back = obs_journal_parse(text->str, text->len,
                                                   &error);
    g_autoptr(GString) again = NULL;

    g_assert_no_error(error);
    again = obs_journal_format(back);
    g_assert_cmpstr(again->str, ==, text->str);

    g_assert_cmpstr(back->source.path, ==, journal->source.path);
    g_assert_cmpuint(back->source.size, ==, journal->source.size);
    g_assert_cmpint(back->source.mtime_sec, ==, -5);
    g_assert_cmpuint(back->source.mtime_nsec, ==, 999999999);
    g_assert_cmpuint(back->source.inode, ==, G_MAXUINT64);
    g_assert_cmpuint(back->source.device, ==, 66306);
    g_assert_cmpstr(back->endpoint, ==, journal->endpoint);
    g_assert_cmpstr(back->bucket, ==, "my-bucket");
    g_assert_cmpstr(back->key, ==, "dir/im age é.raw");
    g_assert_cmpstr(back->upload_id, ==, "00000163D40171ED");
    g_assert_cmpstr(back->options, ==, "-");
    g_assert_cmpstr(back->zero_key, ==, "dir/zeros");
    g_assert_cmpstr(back->zero_etag, ==, MD5_HEX "-64");
    g_assert_null(back->zero_upload_id);
    g_assert_cmpuint(back->plan->parts->len, ==, journal->plan->parts->len);
    g_assert_cmpuint(back->plan->zero_bytes, ==, journal->plan->zero_bytes);
    g_assert_cmpuint(back->plan->zero_seed, ==, journal->plan->zero_seed);
    g_assert_true(back->states[0].done);
    g_assert_true(back->states[0].has_md5);
    g_assert_cmpmem(&back->states[0].md5, OBS_MD5_SIZE,
                    &journal->states[0].md5, OBS_MD5_SIZE);
    g_assert_cmpstr(back->states[0].etag, ==, MD5_HEX);
    g_assert_false(back->states[1].done);
    g_assert_true(back->states[2].done);
    g_assert_false(back->states[2].has_md5);
    g_assert_cmpstr(back->states[2].etag, ==, "some\"etag");
    g_assert_false(back->states[3].done);
}

static void test_largest(void)
{
    g_autoptr(GError) error = NULL;
    ObsPlan *plan = obs_plan_new(OBS_OBJECT_MAX, 0, &error);
    g_autoptr(ObsJournal) journal = NULL;
    g_autoptr(ObsJournal) back = NULL;
    g_autoptr(GString) text = NULL;
    g_autofree gchar *path = g_strnfill(4095, '\xff');
    ObsMd5 md5 = { { 0 } };

    g_assert_no_error(error);
    journal = obs_journal_new(plan);
    journal->source.path = g_strconcat("/", path, NULL);
    journal->source.size = OBS_OBJECT_MAX;
    journal->endpoint = g_strdup("https://obs.example.com");
    journal->bucket = g_strdup("bucket");
    journal->key = g_strnfill(1024, 'k');
    for (guint i = 0; i < plan->parts->len; i++) {
        obs_journal_set_part(journal, i, &md5, MD5_HEX);
    }
    text = obs_journal_format(journal);
    g_assert_cmpuint(text->len, <, OBS_JOURNAL_MAX_SIZE);
    back = obs_journal_parse(text->str, text->len, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(back->plan->parts->len, ==, 10000);
    g_assert_cmpstr(back->source.path, ==, journal->source.path);
}

static void assert_refused(const gchar *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsJournal) journal = obs_journal_parse(text, length, &error);

    g_assert_null(journal);
    g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
}

/* A journal that was cut off at any place, or has any byte changed. */
static void test_damaged(void)
{
    g_autoptr(ObsJournal) journal = example();
    g_autoptr(GString) text = obs_journal_format(journal);

    for (gsize length = 0; length < text->len; length++) {
        assert_refused(text->str, length);
    }
    for (gsize i = 0; i < text->len; i++) {
        gchar before = text->str[i];

        text->str[i] = (gchar)(before ^ 1);
        assert_refused(text->str, text->len);
        text->str[i] = '\0';
        assert_refused(text->str, text->len);
        text->str[i] = before;
    }
    g_string_append_c(text, '\n');
    assert_refused(text->str, text->len);
}

/* Replace the first @from by @to and put a right checksum under it. */
static void forge(GString *text, const gchar *from, const gchar *to)
{
    gchar *end = strstr(text->str, "\nend ");
    gchar *place;
    g_autofree gchar *sum = NULL;

    g_assert_nonnull(end);
    g_string_truncate(text, (gsize)(end + 1 - text->str));
    place = strstr(text->str, from);
    g_assert_nonnull(place);
    {
        gssize at = place - text->str;

        g_string_erase(text, at, (gssize)strlen(from));
        g_string_insert(text, at, to);
    }
    sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                      (const guchar *)text->str, text->len);
    g_string_append_printf(text, "end %s\n", sum);
}

/* Text under a right checksum that still makes no sense. */
static void test_forged(void)
{
    static const gchar *const table[][2] = {
        { "obs-push-journal 1", "obs-push-journal 2" },
        { "obs-push-journal 1", "obs-push-journal 1 1" },
        { "obs-push-journal 1", "obs-push-journal x" },
        { "\npath /data", "\npath  /data" },
        { "\npath /data/im%20age", "\npath %00" },
        { "\npath /data", "\nPATH /data" },
        { "\nsize 1178599429", "\nsize 1178599430" },
        { "\nsize 1178599429", "\nsize -1" },
        { "\nsize 1178599429", "\nsize 99999999999999999999" },
        { "\nsize 1178599429", "\nsize 1178599429\nsize 1178599429" },
        { "\nmtime -5 999999999", "\nmtime -5 1000000000" },
        { "\nmtime -5 999999999", "\nmtime 5" },
        { "\nbucket my-bucket", "\nbucket -" },
        { "\nbucket my-bucket", "\nbucket My-Bucket" },
        { "\nkey dir/", "\nkey /dir/" },
        { "\nkey dir/", "\nkey ../" },
        { "\nkey dir/", "\nkey dir%0A/" },
        { "\nkey dir/", "\nkey dir%FF/" },
        { "\nendpoint http%3A", "\nendpoint ftp%3A" },
        { "\nendpoint http%3A", "\nendpoint HTTP%3A" },
        { "\nupload 0000", "\nupload 00%2000" },
        { "\nupload 0000", "\nupload 00%0d%0a" },
        { "\nzeros 16777216 ", "\nzeros 0 " },
        { "\nzeros 16777216 ", "\nzeros 1 " },
        { "\nzero-object dir/zeros", "\nzero-object /zeros" },
        { "\nzero-object dir/zeros", "\nzero-object" },
        { "\nparts 16777216 ", "\nparts 1048576 " },
        { "\nparts 16777216 ", "\nparts 16777216 99999999999 " },
        { "\nS 16777216", "\nX 16777216" },
        { "\nS 16777216", "\nZ 1677721" },
        { "\nS 16777216", "\nS 16777217" },
        { "\nS 16777216 - -", "\nS 16777216 " MD5_HEX " -" },
        { "\nS 16777216 - -", "\nS 16777216 0123 abc" },
        { "\nS 16777216 - -", "\nS 16777216 - - -" },
        { "\nS 16777216 - -\n", "\n" },
        { "\nS 16777216 - -\n", "\nS 16777216 - -\n\n" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsJournal) journal = example();
        g_autoptr(GString) text = obs_journal_format(journal);

        forge(text, table[i][0], table[i][1]);
        assert_refused(text->str, text->len);
    }
    {
        /* The forging itself does no harm. */
        g_autoptr(ObsJournal) journal = example();
        g_autoptr(GString) text = obs_journal_format(journal);
        g_autoptr(ObsJournal) back = NULL;

        forge(text, "\ncreated 2026", "\ncreated 2027");
        back = obs_journal_parse(text->str, text->len, NULL);
        g_assert_nonnull(back);
    }
}

static void test_messages(void)
{
    g_autoptr(ObsJournal) journal = example();
    g_autoptr(GString) text = obs_journal_format(journal);
    g_autoptr(GError) error = NULL;

    forge(text, "\nmtime -5", "\nmtime x");
    g_assert_null(obs_journal_parse(text->str, text->len, &error));
    g_assert_cmpstr(error->message, ==, "line 4: not a number");
    g_clear_error(&error);
    g_assert_null(obs_journal_parse("{}", 2, &error));
    g_assert_cmpstr(error->message, ==, "not a journal of obs-push");
}

static void test_source_changed(void)
{
    const ObsSourceIdentity then = { (gchar *)"/a", 5, 10, 20, 30, 40 };
    ObsSourceIdentity now = then;
    static const gchar *const words[] = {
        "size 5 → 6", "modified since", "modified since",
        "another file (inode 30 → 31)",
    };

    now.device = 41;
    g_assert_null(obs_journal_source_changed(&then, &now));
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autofree gchar *text = NULL;

        now = then;
        now.size += i == 0;
        now.mtime_sec += i == 1;
        now.mtime_nsec += i == 2;
        now.inode += i == 3;
        text = obs_journal_source_changed(&then, &now);
        g_assert_cmpstr(text, ==, words[i]);
    }
}

static void test_file_name(void)
{
    g_autofree gchar *name = obs_journal_file_name("/a", "e", "b", "k");
    g_autofree gchar *same = obs_journal_file_name("/a", "e", "b", "k");
    g_autofree gchar *other = obs_journal_file_name("/a", "eb", "", "k");

    g_assert_cmpuint(strlen(name), ==, 32 + strlen(".journal"));
    g_assert_cmpstr(name, ==, same);
    g_assert_cmpstr(name, !=, other);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/journal/round-trip", test_round_trip);
    g_test_add_func("/journal/largest", test_largest);
    g_test_add_func("/journal/damaged", test_damaged);
    g_test_add_func("/journal/forged", test_forged);
    g_test_add_func("/journal/messages", test_messages);
    g_test_add_func("/journal/source-changed", test_source_changed);
    g_test_add_func("/journal/file-name", test_file_name);
    return g_test_run();
}
