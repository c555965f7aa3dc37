/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the journal of an upload
 *
 * Input: a journal without its last line. It is read as it is and again with
 * a right checksum under it, which the fuzzer would never find by itself. What
 * is accepted must be written back the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obs-journal-format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(gboolean condition)
{
    if (!condition) {
        abort();
    }
}

static ObsJournal *read_journal(const gchar *text, gsize size)
{
    GError *error = NULL;
    ObsJournal *journal = obs_journal_parse(text, size, &error);

    must((journal != NULL) == (error == NULL));
    if (error) {
        must(!strchr(error->message, '\n'));
        g_error_free(error);
    }
    return journal;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(ObsJournal) plain = read_journal((const gchar *)data, size);
    g_autoptr(ObsJournal) journal = NULL;
    g_autoptr(ObsJournal) again = NULL;
    g_autoptr(GString) first = NULL;
    g_autoptr(GString) second = NULL;
    g_autoptr(GString) text = g_string_new_len((const gchar *)data,
                                               (gssize)size);
    g_autofree gchar *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                                        data, size);

    g_string_append_printf(text, "end %s\n", sum);
    journal = read_journal(text->str, text->len);
    if (!journal) {
        return 0;
    }
    /* "%41" and "A" are the same text, so compare from the second time on. */
    first = obs_journal_format(journal);
    again = read_journal(first->str, first->len);
    must(again != NULL);
    second = obs_journal_format(again);
    must(g_str_equal(first->str, second->str));
    must(again->plan->send_bytes + again->plan->zero_bytes ==
         again->source.size);
    return 0;
}
