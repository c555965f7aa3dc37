/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Help, manual page and completion words, all made from the command table and
 * the option tables: none of them can say what the program does not do.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"

#define WIDTH 79
#define OPTION_COLUMN 30

static const struct {
    int code;
    const char *meaning;
} exit_codes[] = {
    { 0, "Success." },
    { OBS_ERROR_FAILED, "A failure that has no number of its own." },
    { OBS_ERROR_USAGE, "Options, arguments or names are wrong." },
    { OBS_ERROR_SOURCE,
      "The image file is missing, damaged, of a wrong format or has "
      "changed." },
    { OBS_ERROR_CREDENTIALS,
      "No credentials, or they are refused or lack a right." },
    { OBS_ERROR_BUCKET,
      "The bucket or object: missing, in another region, there already." },
    { OBS_ERROR_TRANSFER,
      "The transfer broke off; the same command resumes." },
    { OBS_ERROR_REGISTER,
      "The image service refused the image or the import failed." },
    { OBS_ERROR_DEADLINE, "--deadline has passed; the same command resumes." },
    { OBS_ERROR_INTERRUPTED,
      "Interrupted by SIGINT or SIGTERM; the same command resumes." },
};

static const struct {
    const char *names;
    const char *meaning;
} environment[] = {
    { "OBS_ACCESS_KEY_ID, OBS_SECRET_ACCESS_KEY, OBS_SECURITY_TOKEN",
      "Keys. Also taken, in this order: HUAWEICLOUD_SDK_AK/SK, "
      "CLOUD_SDK_AK/SK, OTCCLOUD_SDK_AK/SK, HW_ACCESS_KEY/HW_SECRET_KEY, "
      "OS_ACCESS_KEY/OS_SECRET_KEY and AWS_ACCESS_KEY_ID/"
      "AWS_SECRET_ACCESS_KEY." },
    { "OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME, "
      "OS_PROJECT_NAME, OS_PROJECT_DOMAIN_NAME, OS_TOKEN, OS_CLOUD",
      "Login with a password, a token or clouds.yaml: keys are then fetched "
      "from IAM." },
    { "HW_REGION_NAME, OS_REGION_NAME", "Region, if --region is not given." },
    { "HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "Proxies, as curl takes them." },
    { "XDG_STATE_HOME", "Where the journals are kept." },
};

static const struct {
    const char *name;
    const char *meaning;
} files[] = {
    { "~/.local/state/obs-push/",
      "Journals of unfinished uploads. They hold no secret." },
    { "~/.obsutilconfig",
      "Keys and endpoint of obsutil, unless it has encrypted the keys." },
    { "~/.huaweicloud/credentials", "Profiles of the vendor's SDKs." },
    { "clouds.yaml, ~/.config/openstack/clouds.yaml",
      "Logins of OpenStack tools, chosen by --os-cloud or OS_CLOUD." },
};

/* ---- plain text ---- */

static void wrap(const char *text, guint indent, guint column)
{
    g_auto(GStrv) paragraphs = g_strsplit(text, "\n\n", -1);

    for (guint p = 0; paragraphs[p]; p++) {
        g_auto(GStrv) words = g_strsplit_set(paragraphs[p], " \n", -1);

        if (p) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        for (guint i = 0; words[i]; i++) {
            guint length = g_utf8_strlen(words[i], -1);

            if (!length) {
                continue;
            }
            if (column > indent && column + 1 + length > WIDTH) {
                printf("\n%*s", indent, "");
                column = indent;
            } else if (column > indent) {
                printf(" ");
                column++;
            }
            printf("%s", words[i]);
            column += length;
        }
        printf("\n");
    }
}

static void print_option(const GOptionEntry *e)
{
    g_autoptr(GString) left = g_string_new("  ");

    if (e->short_name) {
        g_string_append_printf(left, "-%c, ", e->short_name);
    }
    g_string_append_printf(left, "--%s", e->long_name);
    if (e->arg_description) {
        g_string_append_printf(left, "=%s", e->arg_description);
    }
    if (left->len >= OPTION_COLUMN) {
        printf("%s\n%*s", left->str, OPTION_COLUMN, "");
    } else {
        printf("%-*s", OPTION_COLUMN, left->str);
    }
    wrap(e->description, OPTION_COLUMN, OPTION_COLUMN);
}

static void print_options(const char *title, const GOptionEntry *entries)
{
    printf("\n%s:\n", title);
    for (const GOptionEntry *e = entries; e->long_name; e++) {
        print_option(e);
    }
}

static void print_examples(const ObsCommand *command)
{
    g_auto(GStrv) lines = g_strsplit(command->examples, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        if (*lines[i]) {
            printf("  %s\n", lines[i]);
        }
    }
}

/* "obs-push", or "obs-push check". */
static char *call_name(const ObsCommand *command)
{
    return command == obs_commands ? g_strdup("obs-push")
           : g_strdup_printf("obs-push %s", command->name);
}

void obs_help_command(const ObsCommand *command)
{
    g_autofree char *name = call_name(command);

    printf("Examples:\n");
    print_examples(command);
    printf("\nUsage: %s [OPTION...] %s\n\n", name, command->arguments);
    wrap(command->description, 0, 0);
    if (command->raw_entries) {
        print_options("Options", command->raw_entries());
    }
    for (const ObsOptionTable *t = obs_option_tables; t->entries; t++) {
        if (command->groups & t->group) {
            print_options(t->title, t->entries);
        }
    }
}

void obs_help_overview(void)
{
    printf("Bring a disk image to an OBS bucket and make it a private "
           "image.\n\nExamples:\n");
    for (const ObsCommand *c = obs_commands; c->name; c++) {
        g_auto(GStrv) lines = g_strsplit(c->examples, "\n", 2);

        printf("  %s\n", lines[0]);
    }
    printf("\nUsage:\n  obs-push [OPTION...] %s\n  obs-push COMMAND "
           "[OPTION...] [ARGUMENT...]\n\nCommands:\n",
           obs_commands[0].arguments);
    for (const ObsCommand *c = obs_commands; c->name; c++) {
        printf("  %-12s  ", c->name);
        wrap(c->summary, 16, 16);
    }
    printf("\nobs-push COMMAND --help tells the options of a command, the "
           "manual page\nobs-push(1) all of them, exit codes, environment "
           "and files.\n");
}

void obs_help_long_options(const ObsCommand *command)
{
    const GOptionEntry *e;

    printf("--help\n");
    if (!command) {
        printf("--version\n");
        command = obs_commands;
    }
    if (command->raw_entries) {
        for (e = command->raw_entries(); e->long_name; e++) {
            printf("--%s\n", e->long_name);
        }
    }
    for (const ObsOptionTable *t = obs_option_tables; t->entries; t++) {
        if (!(command->groups & t->group)) {
            continue;
        }
        for (e = t->entries; e->long_name; e++) {
            printf("--%s\n", e->long_name);
        }
    }
}

/* ---- manual page (man macros) ---- */

/* Text with what roff would take as markup escaped. */
static void roff(const char *text)
{
    gboolean start = TRUE;

    for (const char *p = text; *p; p++) {
        if (*p == '\n' && p[1] == '\n') {
            printf("\n.PP\n");
            p++;
            start = TRUE;
            continue;
        }
        if (start && (*p == '.' || *p == '\'')) {
            printf("\\&");
        }
        if (*p == '\\') {
            printf("\\e");
        } else if (*p == '-') {
            printf("\\-");
        } else {
            putchar(*p);
        }
        start = *p == '\n';
    }
    printf("\n");
}

static void roff_options(const GOptionEntry *entries)
{
    for (const GOptionEntry *e = entries; e->long_name; e++) {
        g_autofree char *name = g_strdup_printf("--%s", e->long_name);

        printf(".TP\n.B ");
        if (e->short_name) {
            printf("\\-%c, ", e->short_name);
        }
        for (const char *p = name; *p; p++) {
            printf(*p == '-' ? "\\-" : "%c", *p);
        }
        if (e->arg_description) {
            printf("=\\fI%s\\fR", e->arg_description);
        }
        printf("\n");
        roff(e->description);
    }
}

static void roff_examples(const ObsCommand *c)
{
    g_auto(GStrv) lines = g_strsplit(c->examples, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        if (*lines[i]) {
            printf(".PP\n.nf\n.RS\n");
            roff(lines[i]);
            printf(".RE\n.fi\n");
        }
    }
}

void obs_help_man(void)
{
    printf(".\\\" Made by obs-push --help-man; do not edit.\n"
           ".TH OBS\\-PUSH 1 \"\" \"obs\\-push %s\" \"User Commands\"\n"
           ".SH NAME\nobs\\-push \\- bring a disk image to an OBS bucket and "
           "make it a private image\n.SH SYNOPSIS\n", OBS_PUSH_VERSION);
    for (const ObsCommand *c = obs_commands; c->name; c++) {
        g_autofree char *name = call_name(c);

        printf(".B ");
        roff(name);
        printf("[\\fIOPTION\\fR...] ");
        roff(c->arguments);
        printf(".br\n");
    }
    printf(".SH EXAMPLES\n");
    roff_examples(obs_commands);
    printf(".SH COMMANDS\n");
    for (const ObsCommand *c = obs_commands; c->name; c++) {
        g_autofree char *call = g_strdup_printf("%s %s", c->name,
                                                c->arguments);

        printf(".SS ");
        roff(call);
        roff(c->description);
        if (c != obs_commands) {
            roff_examples(c);
        }
        printf(".PP\nOptions:");
        if (c->raw_entries) {
            printf(" those below,");
        }
        for (const ObsOptionTable *t = obs_option_tables; t->entries; t++) {
            if (c->groups & t->group) {
                printf(" \\fI%s\\fR,", t->title);
            }
        }
        printf(" \\fB\\-\\-help\\fR.\n");
        if (c->raw_entries) {
            roff_options(c->raw_entries());
        }
    }
    printf(".SH OPTIONS\nSizes are binary: 16MiB, 16M and 16MB are the "
           "same.\n");
    for (const ObsOptionTable *t = obs_option_tables; t->entries; t++) {
        printf(".SS ");
        roff(t->title);
        roff_options(t->entries);
    }
    printf(".SS Everywhere\n.TP\n.B \\-\\-help\nShow the examples and options "
           "of a command.\n.TP\n.B \\-\\-version\nShow the version.\n");
    printf(".SH CREDENTIALS\n");
    roff("The first that yields something wins: --credentials-file, "
         "--profile or --os-cloud; the environment; ~/.obsutilconfig; "
         "~/.huaweicloud/credentials; clouds.yaml or OS_* with a password or "
         "token; the metadata service of the machine. No secret is ever "
         "taken from the command line, written to a log or a journal.");
    printf(".SH \"EXIT STATUS\"\n");
    for (guint i = 0; i < G_N_ELEMENTS(exit_codes); i++) {
        printf(".TP\n.B %d\n", exit_codes[i].code);
        roff(exit_codes[i].meaning);
    }
    printf(".SH ENVIRONMENT\n");
    for (guint i = 0; i < G_N_ELEMENTS(environment); i++) {
        printf(".TP\n.B ");
        roff(environment[i].names);
        roff(environment[i].meaning);
    }
    printf(".SH FILES\n");
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        printf(".TP\n.I ");
        roff(files[i].name);
        roff(files[i].meaning);
    }
    printf(".SH \"SEE ALSO\"\n.BR qemu\\-img (1)\n");
}
