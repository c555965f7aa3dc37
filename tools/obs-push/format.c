/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pure half of progress.h: numbers and events as text. */
#include <math.h>
#include <string.h>

#include "progress.h"

#define STAGE_WIDTH 8
#define MAX_BAR 40
#define MIN_BAR 5

static char *format_scaled(double value, const char *suffix)
{
    static const char *const units[] = {
        "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
    };
    guint unit = 0;
    int decimals;

    while (value >= 1023.95 && unit < G_N_ELEMENTS(units) - 1) {
        value /= 1024;
        unit++;
    }
    decimals = unit == 0 || value >= 99.95 ? 0 : 1;
    return g_strdup_printf("%.*f %s%s", decimals, value, units[unit], suffix);
}

char *obs_format_size(guint64 bytes)
{
    return format_scaled(bytes, "");
}

char *obs_format_rate(double bytes_per_second)
{
    if (!isfinite(bytes_per_second) || bytes_per_second < 0) {
        return g_strdup("- /s");
    }
    return format_scaled(bytes_per_second, "/s");
}

char *obs_format_time(double seconds)
{
    gint64 s;

    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        return g_strdup("-");
    }
    s = seconds + 0.5;
    if (s >= 48 * 3600) {
        return g_strdup_printf("%" G_GINT64_FORMAT "d %" G_GINT64_FORMAT "h",
                               s / 86400, s % 86400 / 3600);
    }
    if (s >= 3600) {
        return g_strdup_printf("%d:%02d:%02d", (int)(s / 3600),
                               (int)(s % 3600 / 60), (int)(s % 60));
    }
    return g_strdup_printf("%d:%02d", (int)(s / 60), (int)(s % 60));
}

char *obs_format_bar(double fraction, guint width, gboolean utf8)
{
    g_autoptr(GString) bar = g_string_new(NULL);
    guint full;

    if (width == 0) {
        return g_strdup("");
    }
    full = CLAMP(fraction, 0, 1) * width;
    g_string_append_c(bar, '[');
    for (guint i = 0; i < width; i++) {
        if (utf8) {
            g_string_append(bar, i < full ? "█" : "░");
        } else {
            g_string_append_c(bar, i < full ? '#' : '-');
        }
    }
    g_string_append_c(bar, ']');
    return g_strdup(bar->str);
}

/* Bytes: "71 %  68.4 / 96.2 GiB  212 MiB/s  ETA 2:14"; else "40 %  text". */
static char *format_numbers(const ObsProgressView *view)
{
    g_autoptr(GString) text = g_string_new(NULL);
    double fraction = view->fraction;

    if (view->total) {
        fraction = (double)view->done / view->total;
    }
    if (fraction >= 0) {
        /* 100 % is said when it is true, not when it rounds to it. */
        g_string_append_printf(text, "%3d %%",
                               (int)(CLAMP(fraction, 0, 1) * 100));
    }
    if (view->total) {
        g_autofree char *done = obs_format_size(view->done);
        g_autofree char *total = obs_format_size(view->total);
        const char *du = strchr(done, ' ');
        const char *tu = strchr(total, ' ');

        if (strcmp(du, tu) == 0) {
            done[du - done] = '\0';
        }
        g_string_append_printf(text, "  %s / %s", done, total);
        if (view->rate >= 0) {
            g_autofree char *rate = obs_format_rate(view->rate);
            g_autofree char *eta = obs_format_time(
                view->rate > 0 ? (view->total - view->done) / view->rate
                               : -1);

            g_string_append_printf(text, "  %s  ETA %s", rate, eta);
        }
    }
    if (view->text) {
        g_autofree char *safe = obs_format_safe(view->text);

        g_string_append_printf(text, "%s%s", text->len ? "  " : "", safe);
    }
    return g_strdup(text->str);
}

static char *cut(const char *text, guint columns)
{
    if (columns && g_utf8_strlen(text, -1) > columns) {
        return g_utf8_substring(text, 0, columns);
    }
    return g_strdup(text);
}

char *obs_format_progress(const ObsProgressView *view, guint columns,
                          gboolean utf8)
{
    g_autofree char *numbers = format_numbers(view);
    g_autofree char *bar = NULL;
    g_autofree char *line = NULL;
    double fraction = view->total ? (double)view->done / view->total
                                  : view->fraction;
    gint room;

    /* Stage, space, bar in brackets, two spaces, numbers. */
    room = (gint)columns - (STAGE_WIDTH + 1) - 4 -
           (gint)g_utf8_strlen(numbers, -1);
    if (columns && fraction >= 0 && room >= MIN_BAR) {
        bar = obs_format_bar(fraction, MIN(room, MAX_BAR), utf8);
    }
    line = g_strdup_printf("%-*s %s%s%s", STAGE_WIDTH, view->stage,
                           bar ? bar : "", bar ? "  " : "", numbers);
    return cut(line, columns);
}

char *obs_format_safe(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *safe = g_string_new(NULL);

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        g_string_append_unichar(safe, g_unichar_iscntrl(c) && c != '\n'
                                      ? '?' : c);
    }
    return g_string_free(safe, FALSE);
}

static const char *event_name(ObsEventKind kind)
{
    switch (kind) {
    case OBS_EVENT_STAGE:
        return "stage";
    case OBS_EVENT_RESULT:
        return "result";
    case OBS_EVENT_PROGRESS:
        return "progress";
    case OBS_EVENT_NOTE:
        return "note";
    case OBS_EVENT_WARNING:
        return "warning";
    case OBS_EVENT_RETRY:
        return "retry";
    case OBS_EVENT_REQUEST:
        return "request";
    }
    return "unknown";
}

char *obs_format_json(const ObsEvent *event, double rate, gint64 time_us)
{
    g_autoptr(JsonObject) object = json_object_new();
    g_autoptr(JsonNode) node = NULL;

    json_object_set_string_member(object, "event", event_name(event->kind));
    json_object_set_string_member(object, "stage", event->stage);
    json_object_set_double_member(object, "time", time_us / 1e6);
    if (event->text) {
        g_autofree char *valid = g_utf8_make_valid(event->text, -1);

        json_object_set_string_member(object, "text", valid);
    }
    if (event->kind == OBS_EVENT_PROGRESS && event->total) {
        json_object_set_int_member(object, "done", event->done);
        json_object_set_int_member(object, "total", event->total);
        if (rate >= 0) {
            json_object_set_int_member(object, "rate", rate);
        }
    } else if (event->kind == OBS_EVENT_PROGRESS && event->fraction >= 0) {
        json_object_set_double_member(object, "fraction", event->fraction);
    }
    if (event->detail) {
        g_autoptr(GList) names = json_object_get_members(event->detail);

        for (GList *l = names; l; l = l->next) {
            json_object_set_member(object, l->data,
                json_node_copy(json_object_get_member(event->detail,
                                                      l->data)));
        }
    }
    node = json_node_init_object(json_node_alloc(), object);
    return json_to_string(node, FALSE);
}

/* ---- speed ---- */

void obs_speed_add(ObsSpeed *speed, guint64 done, gint64 now_us)
{
    guint last = (speed->n + OBS_SPEED_SAMPLES - 1) % OBS_SPEED_SAMPLES;

    if (speed->n > 0) {
        if (done < speed->done[last]) {
            speed->n = 0;
        } else if (now_us - speed->at[last] < G_USEC_PER_SEC / 2) {
            return;
        }
    }
    speed->done[speed->n % OBS_SPEED_SAMPLES] = done;
    speed->at[speed->n % OBS_SPEED_SAMPLES] = now_us;
    /* Kept small enough never to wrap: only the remainder matters. */
    speed->n++;
    if (speed->n >= 3 * OBS_SPEED_SAMPLES) {
        speed->n -= OBS_SPEED_SAMPLES;
    }
}

double obs_speed_rate(const ObsSpeed *speed)
{
    guint held = MIN(speed->n, OBS_SPEED_SAMPLES);
    guint first = (speed->n - held) % OBS_SPEED_SAMPLES;
    guint last = (speed->n + OBS_SPEED_SAMPLES - 1) % OBS_SPEED_SAMPLES;

    if (held < 2 || speed->at[last] <= speed->at[first]) {
        return -1;
    }
    return (double)(speed->done[last] - speed->done[first]) * G_USEC_PER_SEC /
           (speed->at[last] - speed->at[first]);
}
