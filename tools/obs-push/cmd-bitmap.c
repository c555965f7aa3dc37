/* SPDX-License-Identifier: GPL-2.0-or-later */
/* obs-push bitmap: see cmd-bitmap.h. */
#include "cmd-bitmap.h"

#include <stdio.h>
#include <string.h>

#include "app.h"
#include "bitmap-fit.h"
#include "bitmap-samples.h"
#include "bitmap-scan.h"
#include "obs-error.h"
#include "obs-url.h"

#define SHOWN_MAX 10u

static struct {
    gboolean verify, exact, force;
    char **fit;
    char *samples;
    char *layout;
    char *granularity, *bit_order, *set, *pad, *header;
} opt;

static const GOptionEntry entries[] = {
    { "verify", 0, 0, G_OPTION_ARG_NONE, &opt.verify,
      "Prove that the bitmap hides no data (exit code 0 or 1)", NULL },
    { "exact", 0, 0, G_OPTION_ARG_NONE, &opt.exact,
      "With --verify: nor may it call zeros data", NULL },
    { "fit", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt.fit,
      "Find the layout of this bitmap of RAW; may be repeated", "MF" },
    { "samples", 0, 0, G_OPTION_ARG_FILENAME, &opt.samples,
      "Make the RAW images that settle the layout", "DIR" },
    { "layout", 0, 0, G_OPTION_ARG_FILENAME, &opt.layout,
      "Layout file to use; with --fit: to write (default: MF with .layout)",
      "FILE" },
    { "granularity", 0, 0, G_OPTION_ARG_STRING, &opt.granularity,
      "Bytes per bit, 64K to 32M (default 2M)", "BYTES" },
    { "bit-order", 0, 0, G_OPTION_ARG_STRING, &opt.bit_order,
      "Bit of a byte's first block (default lsb)", "lsb|msb" },
    { "set", 0, 0, G_OPTION_ARG_STRING, &opt.set,
      "What a 1 means (default data)", "data|zero" },
    { "pad", 0, 0, G_OPTION_ARG_STRING, &opt.pad,
      "Fill up to a multiple of this, or none (default 4096)", "BYTES" },
    { "header", 0, 0, G_OPTION_ARG_STRING, &opt.header,
      "Hex bytes in front, and fields as size:be64, joined by dots "
      "(default none)", "PARTS" },
    { "force", 0, 0, G_OPTION_ARG_NONE, &opt.force,
      "Overwrite files that exist (an OVF manifest never)", NULL },
    { NULL }
};

const GOptionEntry *obs_bitmap_entries(void)
{
    return entries;
}

static gboolean usage(GError **error, const char *text)
{
    g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE, "bitmap: %s", text);
    return FALSE;
}

/* ------------------------------------------------------------------------ */
/* Layout */

static gboolean layout_is_given(void)
{
    return opt.granularity || opt.bit_order || opt.set || opt.pad ||
           opt.header;
}

/* The file first, then what adjusts it */
static gboolean read_layout(RawBitmapLayout *l, GError **error)
{
    const struct {
        const char *key, *value;
    } given[] = {
        { "granularity", opt.granularity }, { "bit-order", opt.bit_order },
        { "set", opt.set }, { "pad", opt.pad }, { "header", opt.header },
    };
    char why[RAW_BITMAP_FILE_ERR_MAX];

    raw_bitmap_layout_init(l);
    if (opt.layout && raw_bitmap_layout_load(l, opt.layout, why) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE, "--layout: %s", why);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(given); i++) {
        if (given[i].value &&
            raw_bitmap_layout_set(l, given[i].key, given[i].value, why) < 0) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE, "--%s", why);
            return FALSE;
        }
    }
    return TRUE;
}

static void warn_unconfirmed(const ObsBitmapWatch *watch)
{
    /* Somebody who brings a fitted layout knows what it comes from */
    if (!opt.layout) {
        obs_event_text(watch->events, OBS_EVENT_WARNING, "bitmap", "%s",
                       OBS_BITMAP_UNCONFIRMED);
    }
}

/* ------------------------------------------------------------------------ */
/* The four jobs */

static gboolean do_make(const char *raw, const char *mf,
                        const ObsBitmapWatch *watch, GError **error)
{
    g_autoptr(RawBitmap) map = NULL;
    RawBitmapLayout layout;
    guint64 data, blocks;

    if (!read_layout(&layout, error)) {
        return FALSE;
    }
    warn_unconfirmed(watch);
    if (!obs_bitmap_make(raw, mf, &layout, opt.force, watch, &map, error)) {
        return FALSE;
    }
    data = raw_bitmap_data_blocks(map);
    blocks = raw_bitmap_blocks(map);
    obs_event_text(watch->events, OBS_EVENT_STAGE, "bitmap",
                   "%s  %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                   " blocks of %u KiB hold data", mf, data, blocks,
                   layout.granularity / 1024);
    return TRUE;
}

/* One line for each run of blocks, until it is enough */
static void show_runs(const ObsBitmapWatch *watch, const RawBitmap *map,
                      const char *what)
{
    guint64 granularity = raw_bitmap_layout(map)->granularity;
    guint64 start = 0, length = 0;
    guint shown = 0;

    while (raw_bitmap_next_extent(map, start + length, &start, &length)) {
        if (shown++ == SHOWN_MAX) {
            obs_event_text(watch->events, OBS_EVENT_WARNING, "verify",
                           "%s: there are more", what);
            return;
        }
        obs_event_text(watch->events, OBS_EVENT_WARNING, "verify",
                       "%s: blocks %" G_GUINT64_FORMAT " to %"
                       G_GUINT64_FORMAT ", bytes %" G_GUINT64_FORMAT " to %"
                       G_GUINT64_FORMAT, what, start / granularity,
                       (start + length - 1) / granularity, start,
                       start + length - 1);
    }
}

static gboolean do_verify(const char *raw, const char *mf,
                          const ObsBitmapWatch *watch, GError **error)
{
    g_auto(ObsBitmapReport) report = { 0 };
    RawBitmapLayout layout;
    guint64 blocks;

    if (!read_layout(&layout, error) ||
        !obs_bitmap_verify(raw, mf, &layout, opt.exact, watch, &report,
                           error)) {
        return FALSE;
    }
    blocks = raw_bitmap_blocks(report.claimed);
    show_runs(watch, report.hidden, "data that is called zero");
    if (report.needless) {
        show_runs(watch, report.needless, "zeros that are called data");
    }
    if (report.hidden_num) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "%s is wrong: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                    " blocks hold data but are called zero; make it anew "
                    "before you upload it", mf, report.hidden_num, blocks);
        return FALSE;
    }
    if (report.needless_num) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "%s is safe but not exact: %" G_GUINT64_FORMAT " of %"
                    G_GUINT64_FORMAT " blocks are zero but called data", mf,
                    report.needless_num, blocks);
        return FALSE;
    }
    obs_event_text(watch->events, OBS_EVENT_STAGE, "verify",
                   "%s  hides no data: all of the %" G_GUINT64_FORMAT
                   " blocks (of %" G_GUINT64_FORMAT ") that it calls zero are "
                   "zero%s", mf,
                   blocks - raw_bitmap_data_blocks(report.claimed), blocks,
                   opt.exact ? ", and no others" : "");
    return TRUE;
}

static char *fitted_name(const char *mf)
{
    g_autofree char *name = obs_url_bitmap_key(mf);     /* ends in .mf */

    name[strlen(name) - strlen(".mf")] = '\0';
    return g_strconcat(name, ".layout", NULL);
}

static gboolean do_fit(const char *const *raws, const ObsBitmapWatch *watch,
                       GError **error)
{
    g_autofree char *name = opt.layout ? g_strdup(opt.layout)
                                       : fitted_name(opt.fit[0]);
    char why[RAW_BITMAP_FILE_ERR_MAX];
    RawBitmapLayout layout;

    /* Before the images are read, which may take long */
    if (raw_bitmap_file_check(name, opt.force, why) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "cannot save the layout: %s", why);
        return FALSE;
    }
    if (!obs_bitmap_fit((const char *const *)opt.fit, raws, watch, &layout,
                        error)) {
        return FALSE;
    }
    if (raw_bitmap_layout_save(&layout, name, opt.force, why) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s", why);
        return FALSE;
    }
    obs_event_text(watch->events, OBS_EVENT_STAGE, "fit", "%s  written; for "
                   "--layout, and for -o bitmap-layout= of qemu-img", name);
    return TRUE;
}

/* ------------------------------------------------------------------------ */
/* Command line */

static gboolean check_options(guint n, GError **error)
{
    if (!!opt.fit + !!opt.samples + !!opt.verify > 1) {
        return usage(error, "--verify, --fit and --samples exclude each "
                     "other");
    }
    if (opt.exact && !opt.verify) {
        return usage(error, "--exact goes with --verify");
    }
    if (layout_is_given() && (opt.fit || opt.samples)) {
        return usage(error, "a layout is given, but not used, with --fit or "
                     "--samples");
    }
    if (opt.samples && (opt.layout || n > 0)) {
        return usage(error, "--samples takes nothing but its folder");
    }
    if (opt.fit && n != g_strv_length(opt.fit)) {
        return usage(error, "--fit needs one RAW image for each MF");
    }
    if (!opt.fit && !opt.samples && (n < 1 || n > 2)) {
        return usage(error, "it takes " OBS_BITMAP_ARGUMENTS);
    }
    return TRUE;
}

static gboolean run(ObsApp *app, char **args, GError **error)
{
    const ObsBitmapWatch watch = {
        .events = &app->events, .stop = obs_app_interrupted, .stop_data = app,
    };
    g_autofree char *mf = NULL;

    if (opt.samples) {
        return obs_bitmap_make_samples(opt.samples, opt.force, &watch, error);
    }
    if (opt.fit) {
        return do_fit((const char *const *)args, &watch, error);
    }
    mf = args[1] ? g_strdup(args[1]) : obs_bitmap_name(args[0]);
    return opt.verify ? do_verify(args[0], mf, &watch, error)
                      : do_make(args[0], mf, &watch, error);
}

static GOptionContext *make_context(void)
{
    GOptionContext *context = g_option_context_new(OBS_BITMAP_ARGUMENTS);

    g_option_context_set_summary(context, OBS_BITMAP_DESCRIPTION
                                 "\n\nExamples:\n" OBS_BITMAP_EXAMPLES);
    g_option_context_add_main_entries(context, entries, NULL);
    for (const ObsOptionTable *t = obs_option_tables; t->entries; t++) {
        if (t->group == OBS_OPTIONS_OUTPUT) {
            g_option_context_add_main_entries(context, t->entries, NULL);
        }
    }
    return context;
}

int obs_cmd_bitmap(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = make_context();
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsApp) app = NULL;
    g_autofree char *safe = NULL;
    int code;

    g_set_prgname(argv[0]);
    if (g_option_context_parse(context, &argc, &argv, &error) &&
        check_options(argc - 1, &error) &&
        obs_options_check(&obs_options, &error)) {
        app = obs_app_new(&obs_options);
        run(app, argv + 1, &error);
        obs_progress_clear(app->progress);
    }
    if (!error) {
        return 0;
    }
    safe = obs_format_safe(error->message);
    code = error->domain == G_OPTION_ERROR ? OBS_ERROR_USAGE
                                           : obs_error_exit_code(error);
    fprintf(stderr, "obs-push: %s\n", safe);
    if (code == OBS_ERROR_USAGE) {
        fprintf(stderr, "Try obs-push bitmap --help\n");
    }
    return code;
}
