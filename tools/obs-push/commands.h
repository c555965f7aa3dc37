/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command table: what there is, what it takes, and who does it.
 */
#ifndef OBS_COMMANDS_H
#define OBS_COMMANDS_H

#include "app.h"

typedef struct {
    const char *name;
    const char *arguments;      /* "FILE obs://BUCKET/KEY" */
    const char *summary;        /* one line for the list */
    const char *description;    /* paragraphs for --help and the manual */
    const char *examples;       /* lines, indented by nobody yet */
    guint groups;               /* ObsOptionGroups */
    guint min_args, max_args;
    /* FALSE with @error, whose code becomes the exit code. */
    gboolean (*run)(ObsApp *app, char **args, GError **error);
    /* Instead: a command that parses its own arguments, and its options. */
    int (*run_raw)(int argc, char **argv);
    const GOptionEntry *(*raw_entries)(void);
} ObsCommand;

/* Ended by one without a name. The first, "push", is what is done when no
 * command is named. */
extern const ObsCommand obs_commands[];

gboolean obs_cmd_push(ObsApp *app, char **args, GError **error);
gboolean obs_cmd_check(ObsApp *app, char **args, GError **error);
gboolean obs_cmd_upload(ObsApp *app, char **args, GError **error);
gboolean obs_cmd_register(ObsApp *app, char **args, GError **error);
gboolean obs_cmd_wait(ObsApp *app, char **args, GError **error);
gboolean obs_cmd_uploads(ObsApp *app, char **args, GError **error);
gboolean obs_cmd_abort(ObsApp *app, char **args, GError **error);
gboolean obs_cmd_os_versions(ObsApp *app, char **args, GError **error);
gboolean obs_cmd_config(ObsApp *app, char **args, GError **error);

/* --help-man: the whole manual page on stdout. */
void obs_help_man(void);
/* --long-options: "--name" lines of a command, or of the program. */
void obs_help_long_options(const ObsCommand *command);
/* The list of commands with examples, for --help without a command. */
void obs_help_overview(void);
/* --help of one command: examples first. */
void obs_help_command(const ObsCommand *command);

#endif
