/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The renderer of events: see progress.h. */
#include "progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A log gets a line of progress this often, a terminal and a program more. */
#define PLAIN_INTERVAL (10 * G_USEC_PER_SEC)
#define JSON_INTERVAL G_USEC_PER_SEC
#define BAR_INTERVAL (G_USEC_PER_SEC / 5)

struct ObsProgress {
    ObsRenderMode mode;         /* never AUTO */
    gboolean bar;
    gboolean utf8;
    gboolean verbose;
    FILE *out;
    FILE *err;
    gboolean bar_stands;
    char *stage;                /* of the progress shown last */
    gint64 shown_at;
    ObsSpeed speed;
};

ObsProgress *obs_progress_new(ObsRenderMode mode, FILE *out, FILE *err,
                              gboolean verbose)
{
    ObsProgress *p = g_new0(ObsProgress, 1);
    const char *term = g_getenv("TERM");

    p->out = out;
    p->err = err;
    p->verbose = verbose;
    p->utf8 = g_get_charset(NULL);
    p->mode = mode == OBS_RENDER_AUTO ? OBS_RENDER_PLAIN : mode;
    p->bar = mode == OBS_RENDER_AUTO && isatty(fileno(out)) && term &&
             strcmp(term, "dumb") != 0;
    return p;
}

void obs_progress_clear(ObsProgress *p)
{
    if (p->bar_stands) {
        fputs("\r\033[K", p->out);
        fflush(p->out);
        p->bar_stands = FALSE;
    }
}

void obs_progress_free(ObsProgress *p)
{
    obs_progress_clear(p);
    g_free(p->stage);
    g_free(p);
}

static guint columns(ObsProgress *p)
{
    struct winsize size;

    if (ioctl(fileno(p->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
        return size.ws_col - 1;
    }
    return 79;
}

static void show_line(ObsProgress *p, FILE *file, const char *prefix,
                      const char *text)
{
    g_autofree char *safe = obs_format_safe(text);

    obs_progress_clear(p);
    fprintf(file, "%s%s\n", prefix, safe);
    fflush(file);
}

static void show_progress(ObsProgress *p, const ObsEvent *event, gint64 now)
{
    g_autofree char *line = NULL;
    gint64 interval = p->bar ? BAR_INTERVAL : PLAIN_INTERVAL;
    gboolean first = g_strcmp0(p->stage, event->stage) != 0;
    ObsProgressView view = {
        .stage = event->stage, .done = event->done, .total = event->total,
        .fraction = event->fraction, .text = event->text,
    };

    if (p->mode == OBS_RENDER_JSON) {
        interval = JSON_INTERVAL;
    }
    if (first) {
        g_free(p->stage);
        p->stage = g_strdup(event->stage);
        memset(&p->speed, 0, sizeof(p->speed));
        p->shown_at = 0;
        /* A log does not need to hear that nothing is done yet. */
        if (p->mode == OBS_RENDER_PLAIN && !p->bar) {
            p->shown_at = now;
        }
    }
    obs_speed_add(&p->speed, event->done, now);
    if (p->mode == OBS_RENDER_QUIET ||
        (p->shown_at && now - p->shown_at < interval)) {
        return;
    }
    p->shown_at = now;
    view.rate = obs_speed_rate(&p->speed);
    if (p->mode == OBS_RENDER_JSON) {
        line = obs_format_json(event, view.rate, g_get_real_time());
        fprintf(p->out, "%s\n", line);
    } else if (p->bar) {
        line = obs_format_progress(&view, columns(p), p->utf8);
        fprintf(p->out, "\r\033[K%s", line);
        p->bar_stands = TRUE;
    } else {
        line = obs_format_progress(&view, 0, FALSE);
        fprintf(p->out, "%s\n", line);
    }
    fflush(p->out);
}

void obs_progress_event(const ObsEvent *event, gpointer data)
{
    ObsProgress *p = data;
    g_autofree char *line = NULL;

    if (event->kind == OBS_EVENT_PROGRESS) {
        show_progress(p, event, g_get_monotonic_time());
        return;
    }
    if (event->kind == OBS_EVENT_REQUEST ||
        (event->kind == OBS_EVENT_RETRY && p->mode != OBS_RENDER_JSON)) {
        /* Retries are the network's daily life: shown to who asks for them. */
        if (p->verbose) {
            show_line(p, p->err, "", event->text);
        }
        return;
    }
    if (p->mode == OBS_RENDER_JSON) {
        line = obs_format_json(event, -1, g_get_real_time());
        fprintf(p->out, "%s\n", line);
        fflush(p->out);
        return;
    }
    switch (event->kind) {
    case OBS_EVENT_WARNING:
        show_line(p, p->err, "obs-push: warning: ", event->text);
        break;
    case OBS_EVENT_RESULT:
    case OBS_EVENT_STAGE:
    case OBS_EVENT_NOTE:
        if (p->mode != OBS_RENDER_QUIET ||
            event->kind == OBS_EVENT_RESULT) {
            line = g_strdup_printf("%-8s %s", event->stage, event->text);
            show_line(p, p->out, "", line);
        }
        break;
    default:
        break;
    }
}
