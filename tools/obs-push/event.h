/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine tells the outside while it works: one callback, from the
 * main loop. How that looks is progress.c's.
 */
#ifndef OBS_EVENT_H
#define OBS_EVENT_H

#include <json-glib/json-glib.h>

typedef enum {
    OBS_EVENT_STAGE,            /* a step is done: one line that stays */
    OBS_EVENT_RESULT,           /* an entry of a list that was asked for */
    OBS_EVENT_PROGRESS,         /* a step goes on: replaces the one before */
    OBS_EVENT_NOTE,             /* worth knowing; stays */
    OBS_EVENT_WARNING,          /* worth acting on; stays */
    OBS_EVENT_RETRY,            /* an attempt failed and is repeated */
    OBS_EVENT_REQUEST,          /* -v: a request or an answer */
} ObsEventKind;

typedef struct {
    ObsEventKind kind;
    const char *stage;          /* "check", "upload", "register", … */
    const char *text;           /* for people; may be NULL with numbers */
    /* PROGRESS only; @total 0: not a matter of bytes. */
    guint64 done;
    guint64 total;
    double fraction;            /* when @total is 0: 0..1, < 0: not known */
    JsonObject *detail;         /* for programs; may be NULL; borrowed */
} ObsEvent;

typedef void (*ObsEventFunc)(const ObsEvent *event, gpointer data);

typedef struct {
    ObsEventFunc func;
    gpointer data;
} ObsEvents;

/* Sends an event of text alone. @events may be NULL: nobody listens. */
void obs_event_text(const ObsEvents *events, ObsEventKind kind,
                    const char *stage, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* The same with facts for programs; @detail is taken over. */
void obs_event_detail(const ObsEvents *events, ObsEventKind kind,
                      const char *stage, JsonObject *detail,
                      const char *format, ...) G_GNUC_PRINTF(5, 6);
/* How far a transfer is, in bytes. */
void obs_event_bytes(const ObsEvents *events, const char *stage,
                     guint64 done, guint64 total);
/* How far a step without bytes is; @fraction < 0: not known. */
void obs_event_fraction(const ObsEvents *events, const char *stage,
                        double fraction, const char *text);

#endif
