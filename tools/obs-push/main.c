/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push: from the command line to a command and an exit code. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "obs-secret.h"

static int fail(const GError *error, gboolean json, gboolean resumes)
{
    g_autofree char *safe = obs_format_safe(error->message);
    int code = obs_error_exit_code(error);

    if (error->domain == G_OPTION_ERROR) {
        code = OBS_ERROR_USAGE;
    }
    if (json) {
        ObsEvent event = { .kind = OBS_EVENT_WARNING, .stage = "error",
                           .text = safe };
        g_autoptr(JsonObject) detail = json_object_new();
        g_autofree char *line = NULL;

        json_object_set_string_member(detail, "event", "error");
        json_object_set_int_member(detail, "exit_code", code);
        event.detail = detail;
        line = obs_format_json(&event, -1, g_get_real_time());
        printf("%s\n", line);
    }
    fprintf(stderr, "obs-push: %s\n", safe);
    if (code == OBS_ERROR_USAGE) {
        fprintf(stderr, "Try obs-push --help\n");
    } else if (resumes && (code == OBS_ERROR_INTERRUPTED ||
                           code == OBS_ERROR_DEADLINE ||
                           code == OBS_ERROR_TRANSFER)) {
        fprintf(stderr, "Nothing is lost: the same command goes on where "
                "this one ended\n");
    }
    return code;
}

static const ObsCommand *find_command(const char *name)
{
    for (const ObsCommand *c = obs_commands; c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static GOptionContext *make_context(const ObsCommand *command)
{
    GOptionContext *context = g_option_context_new(command->arguments);

    g_option_context_set_help_enabled(context, FALSE);
    for (const ObsOptionTable *t = obs_option_tables; t->entries; t++) {
        if (command->groups & t->group) {
            g_option_context_add_main_entries(context, t->entries, NULL);
        }
    }
    return context;
}

static gboolean count_args(const ObsCommand *command, guint n, GError **error)
{
    if (n >= command->min_args && n <= command->max_args) {
        return TRUE;
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                "%s: %s arguments; it takes %s", command->name,
                n < command->min_args ? "too few" : "too many",
                command->arguments);
    return FALSE;
}

static int run(const ObsCommand *command, int argc, char **argv)
{
    g_autoptr(GOptionContext) context = make_context(command);
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsApp) app = NULL;
    int code = 0;

    g_set_prgname(argv[0]);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        !count_args(command, argc - 1, &error) ||
        !obs_options_check(&obs_options, &error)) {
        return fail(error, obs_options.json, FALSE);
    }
    app = obs_app_new(&obs_options);
    if (!command->run(app, argv + 1, &error)) {
        obs_progress_clear(app->progress);
        code = fail(error, obs_options.json,
                    command->groups & OBS_OPTIONS_UPLOAD);
    }
    return code;
}

/* Writing to a full disk or a closed pipe must not look like success. */
static int close_output(int code)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
        fprintf(stderr, "obs-push: cannot write the output: %s\n",
                g_strerror(errno));
        return OBS_ERROR_FAILED;
    }
    return code;
}

static gboolean has_option(int argc, char **argv, const char *option)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], option) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* A word that can only be a command that there is not. */
static gboolean is_typo(const char *word)
{
    return word[0] != '-' && !strpbrk(word, "./") &&
           !g_file_test(word, G_FILE_TEST_EXISTS);
}

int main(int argc, char **argv)
{
    const ObsCommand *command;
    g_autofree char *name = NULL;

    setlocale(LC_ALL, "");
    /* A limit on file sizes and a reader that goes are errors, not deaths. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    obs_secret_init();

    command = argc > 1 ? find_command(argv[1]) : NULL;
    if (!command && has_option(argc, argv, "--long-options")) {
        obs_help_long_options(NULL);
        return close_output(0);
    }
    if (!command && has_option(argc, argv, "--long-options=commands")) {
        for (command = obs_commands; command->name; command++) {
            printf("%s\n", command->name);
        }
        return close_output(0);
    }
    if (!command && has_option(argc, argv, "--long-options=clouds")) {
        for (guint i = 0; obs_cloud_names()[i]; i++) {
            printf("%s\n", obs_cloud_names()[i]);
        }
        return close_output(0);
    }
    if (!command && has_option(argc, argv, "--help-man")) {
        obs_help_man();
        return close_output(0);
    }
    if (!command && has_option(argc, argv, "--version")) {
        printf("obs-push %s\n", OBS_PUSH_VERSION);
        return close_output(0);
    }
    if (argc < 2 || (!command && (has_option(argc, argv, "--help") ||
                                  has_option(argc, argv, "-h") ||
                                  strcmp(argv[1], "help") == 0))) {
        obs_help_overview();
        return close_output(argc < 2 ? OBS_ERROR_USAGE : 0);
    }
    if (command) {
        argc--;
        argv++;
    } else if (is_typo(argv[1]) &&
               (argc == 2 || !g_str_has_prefix(argv[2], "obs://"))) {
        g_autoptr(GError) error =
            g_error_new(OBS_ERROR, OBS_ERROR_USAGE,
                        "\"%s\" is neither a command nor a file", argv[1]);

        return close_output(fail(error, has_option(argc, argv, "--json"),
                                 FALSE));
    } else {
        command = &obs_commands[0];
    }
    if (has_option(argc, argv, "--long-options")) {
        obs_help_long_options(command);
        return close_output(0);
    }
    if (has_option(argc, argv, "--help") || has_option(argc, argv, "-h")) {
        obs_help_command(command);
        return close_output(0);
    }
    name = command == &obs_commands[0] ? g_strdup("obs-push")
           : g_strdup_printf("obs-push %s", command->name);
    argv[0] = name;
    return close_output(command->run_raw ? command->run_raw(argc, argv)
                                         : run(command, argc, argv));
}
