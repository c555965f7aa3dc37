/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sending events: see event.h. */
#include "event.h"

static void send_event(const ObsEvents *events, const ObsEvent *event)
{
    if (events && events->func) {
        events->func(event, events->data);
    }
}

void obs_event_text(const ObsEvents *events, ObsEventKind kind,
                    const char *stage, const char *format, ...)
{
    g_autofree char *text = NULL;
    ObsEvent event = { .kind = kind, .stage = stage };
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    event.text = text;
    send_event(events, &event);
}

void obs_event_detail(const ObsEvents *events, ObsEventKind kind,
                      const char *stage, JsonObject *detail,
                      const char *format, ...)
{
    g_autofree char *text = NULL;
    ObsEvent event = { .kind = kind, .stage = stage, .detail = detail };
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    event.text = text;
    send_event(events, &event);
    json_object_unref(detail);
}

void obs_event_bytes(const ObsEvents *events, const char *stage,
                     guint64 done, guint64 total)
{
    ObsEvent event = {
        .kind = OBS_EVENT_PROGRESS, .stage = stage,
        .done = done, .total = total,
    };

    send_event(events, &event);
}

void obs_event_fraction(const ObsEvents *events, const char *stage,
                        double fraction, const char *text)
{
    ObsEvent event = {
        .kind = OBS_EVENT_PROGRESS, .stage = stage, .text = text,
        .fraction = fraction,
    };

    send_event(events, &event);
}
