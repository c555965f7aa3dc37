/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How events look: a bar that redraws itself on a terminal, plain lines
 * elsewhere, JSON lines for programs. The formatters are pure.
 */
#ifndef OBS_PROGRESS_H
#define OBS_PROGRESS_H

#include <stdio.h>

#include "event.h"

/* ---- pure formatters; results are freed with g_free() ---- */

/* "96.2 GiB", "512 B": at most four digits, binary units. */
char *obs_format_size(guint64 bytes);
/* "212 MiB/s"; negative or not finite: "- /s". */
char *obs_format_rate(double bytes_per_second);
/* "2:14", "1:02:14", "3d 4h"; negative: "-". Seconds. */
char *obs_format_time(double seconds);
/* "[████░░░░]" with @width cells (no brackets if 0); ASCII: "[####----]". */
char *obs_format_bar(double fraction, guint width, gboolean utf8);

typedef struct {
    const char *stage;
    guint64 done;
    guint64 total;              /* 0: @fraction counts */
    double fraction;            /* < 0: not known */
    double rate;                /* bytes a second; < 0: not known yet */
    const char *text;           /* may be NULL */
} ObsProgressView;

/*
 * One line without its end, at most @columns wide: the bar shrinks first,
 * then goes. @columns 0: no bar, for a log.
 */
char *obs_format_progress(const ObsProgressView *view, guint columns,
                          gboolean utf8);

/* An event as one line of JSON. @rate < 0: not known. */
char *obs_format_json(const ObsEvent *event, double rate, gint64 time_us);

/* Text safe for a terminal: control characters replaced. */
char *obs_format_safe(const char *text);

/* ---- speed over the last seconds ---- */

#define OBS_SPEED_SAMPLES 16
typedef struct {
    guint64 done[OBS_SPEED_SAMPLES];
    gint64 at[OBS_SPEED_SAMPLES];
    guint n;                    /* samples ever added */
} ObsSpeed;

/* Notes @done at @now_us; samples closer than half a second are dropped. A
 * @done that shrinks (a part is sent again) starts anew. */
void obs_speed_add(ObsSpeed *speed, guint64 done, gint64 now_us);
/* Bytes a second, or -1 while it can't be told. */
double obs_speed_rate(const ObsSpeed *speed);

/* ---- the renderer ---- */

typedef enum {
    OBS_RENDER_AUTO,            /* a bar if @out is a terminal, else plain */
    OBS_RENDER_PLAIN,
    OBS_RENDER_JSON,
    OBS_RENDER_QUIET,           /* warnings only */
} ObsRenderMode;

typedef struct ObsProgress ObsProgress;

/* @out: stages and progress; warnings and requests go to @err. Borrowed. */
ObsProgress *obs_progress_new(ObsRenderMode mode, FILE *out, FILE *err,
                              gboolean verbose);
/* Leaves the terminal on a fresh line. */
void obs_progress_free(ObsProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsProgress, obs_progress_free)

/* An ObsEventFunc with the ObsProgress as data. */
void obs_progress_event(const ObsEvent *event, gpointer progress);
/* Ends a bar that stands on the terminal, before somebody else writes. */
void obs_progress_clear(ObsProgress *progress);

#endif
