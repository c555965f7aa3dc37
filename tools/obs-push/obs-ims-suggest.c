/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Did you mean …": the nearest spellings in the list of supported systems.
 */
#include "obs-ims.h"

#include <string.h>

#define COMPARED_MAX 255

/* A word more or less weighs as much as this many letters. */
#define WORD_WEIGHT 4

/* Edit distance in bytes: names are ASCII but for rare exceptions. */
static guint distance(const gchar *a, const gchar *b)
{
    guint row[COMPARED_MAX + 1];
    gsize na = MIN(strlen(a), COMPARED_MAX), nb = MIN(strlen(b),
                                                      COMPARED_MAX);

    for (gsize k = 0; k <= nb; k++) {
        row[k] = (guint)k;
    }
    for (gsize i = 1; i <= na; i++) {
        guint diagonal = row[0];

        row[0] = (guint)i;
        for (gsize k = 1; k <= nb; k++) {
            guint replaced = diagonal + (a[i - 1] != b[k - 1]);

            diagonal = row[k];
            row[k] = MIN(replaced, MIN(row[k], row[k - 1]) + 1);
        }
    }
    return row[nb];
}

/* How many of @words are none of the words in @text. */
static guint missing_words(gchar **words, const gchar *text)
{
    g_auto(GStrv) others = g_strsplit_set(text, " ()-_", -1);
    guint missing = 0;

    for (; *words; words++) {
        if (**words &&
            !g_strv_contains((const gchar *const *)others, *words)) {
            missing++;
        }
    }
    return missing;
}

typedef struct {
    const gchar *name;
    guint cost;
} Candidate;

static gint compare_cost(gconstpointer a, gconstpointer b)
{
    const Candidate *ca = a, *cb = b;

    if (ca->cost != cb->cost) {
        return ca->cost < cb->cost ? -1 : 1;
    }
    return strcmp(ca->name, cb->name);
}

gchar **obs_ims_os_version_suggest(const GPtrArray *versions,
                                   const gchar *os_version, guint max)
{
    g_autofree gchar *wanted = g_ascii_strdown(os_version, -1);
    g_auto(GStrv) words = g_strsplit_set(wanted, " ()-_", -1);
    g_autoptr(GArray) candidates = g_array_new(FALSE, FALSE,
                                               sizeof(Candidate));
    g_autoptr(GPtrArray) out = g_ptr_array_new();
    guint n_words = 0;

    for (guint i = 0; words[i]; i++) {
        n_words += *words[i] != '\0';
    }
    for (guint i = 0; i < versions->len; i++) {
        const ObsOsVersion *version = versions->pdata[i];
        g_autofree gchar *name = g_ascii_strdown(version->os_version, -1);
        guint letters = distance(wanted, name);
        guint missing = missing_words(words, name);
        gsize length = MAX(strlen(wanted), strlen(name));
        const Candidate candidate = {
            version->os_version, letters + WORD_WEIGHT * missing,
        };

        /* Neither a word in common nor a third of the letters: no help. */
        if (missing < n_words || letters * 3 <= length * 2) {
            g_array_append_val(candidates, candidate);
        }
    }
    g_array_sort(candidates, compare_cost);
    for (guint i = 0; i < candidates->len && out->len < max; i++) {
        const gchar *name = g_array_index(candidates, Candidate, i).name;

        if (!out->len || g_strcmp0(out->pdata[out->len - 1], name)) {
            g_ptr_array_add(out, g_strdup(name));
        }
    }
    g_ptr_array_add(out, NULL);
    return (gchar **)g_ptr_array_free(g_steal_pointer(&out), FALSE);
}
