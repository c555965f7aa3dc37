/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, times, pairs and combinations on obs-push's command line. */
#include <string.h>

#include "obs-error.h"
#include "options.h"

static void test_size(void)
{
    static const struct {
        const char *text;
        guint64 bytes;          /* 0: refused */
    } cases[] = {
        { "1", 1 }, { "4096", 4096 }, { "5B", 5 }, { "64K", 65536 },
        { "64KB", 65536 }, { "64KiB", 65536 }, { "16m", 16 << 20 },
        { "16MiB", 16 << 20 }, { "1G", 1 << 30 },
        { "2TiB", G_GUINT64_CONSTANT(2) << 40 },
        { "8388607T", G_GUINT64_CONSTANT(8388607) << 40 },
        { "", 0 }, { "0", 0 }, { "-1", 0 }, { "+1", 0 }, { "1.5G", 0 },
        { "G", 0 }, { "1 G", 0 }, { "1Gx", 0 }, { "1GiBB", 0 }, { "1X", 0 },
        { "8388608T", 0 }, { "99999999999999999999", 0 }, { " 1", 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        guint64 bytes = 0;

        if (obs_parse_size(cases[i].text, "--x", &bytes, &error)) {
            g_assert_cmpuint(bytes, ==, cases[i].bytes);
        } else {
            g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
            g_assert_true(g_str_has_prefix(error->message, "--x: "));
            g_assert_cmpuint(cases[i].bytes, ==, 0);
        }
    }
}

static void test_duration(void)
{
    static const struct {
        const char *text;
        gint64 seconds;         /* 0: refused */
    } cases[] = {
        { "1", 1 }, { "90s", 90 }, { "45m", 2700 }, { "6h", 21600 },
        { "2d", 172800 }, { "365d", 31536000 },
        { "", 0 }, { "0", 0 }, { "-1s", 0 }, { "1w", 0 }, { "1hh", 0 },
        { "366d", 0 }, { "99999999999999999999", 0 }, { "m", 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        gint64 seconds = 0;

        if (obs_parse_duration(cases[i].text, "--x", &seconds, &error)) {
            g_assert_cmpint(seconds, ==, cases[i].seconds);
        } else {
            g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
            g_assert_cmpint(cases[i].seconds, ==, 0);
        }
    }
}

static void test_pair(void)
{
    static const struct {
        const char *text, *key, *value;
    } cases[] = {
        { "a=b", "a", "b" }, { "a=", "a", "" }, { "a=b=c", "a", "b=c" },
        { "=b", NULL, NULL }, { "ab", NULL, NULL }, { "", NULL, NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *key = NULL;
        g_autofree char *value = NULL;

        if (obs_parse_pair(cases[i].text, "--x", &key, &value, &error)) {
            g_assert_cmpstr(key, ==, cases[i].key);
            g_assert_cmpstr(value, ==, cases[i].value);
        } else {
            g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
            g_assert_null(cases[i].key);
        }
    }
}

static void test_combinations(void)
{
    static const struct {
        ObsOptions options;
        const char *refused;    /* NULL: fine */
    } cases[] = {
        { { .parallel = 0 }, NULL },
        { { .json = TRUE, .verbose = TRUE }, NULL },
        { { .json = TRUE, .quiet = TRUE }, "--quiet" },
        { { .wait = TRUE, .no_wait = TRUE }, "--no-wait" },
        { { .no_clobber = TRUE, .if_changed = TRUE }, "--if-changed" },
        { { .no_bitmap = TRUE, .bitmap = (char *)"x" }, "--no-bitmap" },
        { { .parallel = -1 }, "--parallel" },
        { { .parallel = 257 }, "--parallel" },
        { { .parallel = 256 }, NULL },
        { { .retries = 1001 }, "--retries" },
        { { .min_disk = -1 }, "--min-disk" },
        { { .sse = (char *)"kms:key" }, NULL },
        { { .sse = (char *)"KMS" }, "--sse" },
        { { .signature = (char *)"v4" }, NULL },
        { { .signature = (char *)"v3" }, "--signature" },
        { { .storage_class = (char *)"standard" }, "--storage-class" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        gboolean fine = obs_options_check(&cases[i].options, &error);

        g_assert_true(fine == !cases[i].refused);
        if (!fine) {
            g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
            g_assert_nonnull(strstr(error->message, cases[i].refused));
        }
    }
}

/* Two options of one name would make one of them unreachable. */
static void test_names_are_unique(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) letters = g_hash_table_new(NULL, NULL);

    for (const ObsOptionTable *t = obs_option_tables; t->entries; t++) {
        for (const GOptionEntry *e = t->entries; e->long_name; e++) {
            g_assert_true(g_hash_table_add(names, (char *)e->long_name));
            g_assert_nonnull(e->description);
            g_assert_true(!e->short_name ||
                g_hash_table_add(letters, GINT_TO_POINTER(e->short_name)));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/size", test_size);
    g_test_add_func("/options/duration", test_duration);
    g_test_add_func("/options/pair", test_pair);
    g_test_add_func("/options/combinations", test_combinations);
    g_test_add_func("/options/names", test_names_are_unique);
    return g_test_run();
}
