/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journals on disk: one file for each upload under the state folder, written
 * whole to a temporary name, synced and renamed, so that a kill at any moment
 * leaves the last one or the one before. A lock beside it keeps a second
 * process away. What is in it: obs-journal-format.h.
 */
#ifndef OBS_JOURNAL_H
#define OBS_JOURNAL_H

#include "obs-journal-format.h"

typedef struct ObsJournalFile ObsJournalFile;

/* $XDG_STATE_HOME/obs-push or ~/.local/state/obs-push. Free with g_free(). */
char *obs_journal_default_dir(void);

/*
 * Takes the lock of the upload named by these four; makes the folder (0700)
 * if needed. OBS_ERROR_FAILED if another process holds it (its number is
 * told) or the folder can't be used. @dir NULL: default.
 */
ObsJournalFile *obs_journal_lock(const char *dir, const char *path,
                                 const char *endpoint, const char *bucket,
                                 const char *key, GError **error);
/* The same for a journal that is known by its file name in @dir. */
ObsJournalFile *obs_journal_lock_name(const char *dir, const char *name,
                                      GError **error);
/* Gives the lock back. The journal stays. */
void obs_journal_unlock(ObsJournalFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsJournalFile, obs_journal_unlock)

/* Path of the journal, for messages. */
const char *obs_journal_path(const ObsJournalFile *file);

/* NULL without an error: there is none. An unreadable one is an error. */
ObsJournal *obs_journal_load(ObsJournalFile *file, GError **error);
/* Durable when it returns TRUE; the former one stands when it doesn't. */
gboolean obs_journal_save(ObsJournalFile *file, const ObsJournal *journal,
                          GError **error);
gboolean obs_journal_remove(ObsJournalFile *file, GError **error);

typedef struct {
    char *name;                 /* file name in the folder */
    ObsJournal *journal;        /* NULL: it can't be read, see @problem */
    char *problem;
    gboolean locked;            /* a process works on it now */
} ObsJournalEntry;
void obs_journal_entry_free(ObsJournalEntry *entry);

/* All journals (ObsJournalEntry); a missing folder gives none. */
GPtrArray *obs_journal_list(const char *dir, GError **error);

#endif
