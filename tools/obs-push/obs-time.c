/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The date spellings of HTTP and of the clouds' signatures.
 *
 * strftime() would follow the locale, so names come from our own tables.
 */
#include "obs-time.h"

#include <string.h>

static const gchar days[7][4] = {
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
};

static const gchar months[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

gchar *obs_time_http(gint64 time)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(time);

    g_return_val_if_fail(date, NULL);
    return g_strdup_printf("%s, %02d %s %04d %02d:%02d:%02d GMT",
                           days[g_date_time_get_day_of_week(date) - 1],
                           g_date_time_get_day_of_month(date),
                           months[g_date_time_get_month(date) - 1],
                           g_date_time_get_year(date),
                           g_date_time_get_hour(date),
                           g_date_time_get_minute(date),
                           g_date_time_get_second(date));
}

gchar *obs_time_basic(gint64 time)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(time);

    g_return_val_if_fail(date, NULL);
    return g_strdup_printf("%04d%02d%02dT%02d%02d%02dZ",
                           g_date_time_get_year(date),
                           g_date_time_get_month(date),
                           g_date_time_get_day_of_month(date),
                           g_date_time_get_hour(date),
                           g_date_time_get_minute(date),
                           g_date_time_get_second(date));
}

/* @n digits at @text as a number, -1 if one of them is none. */
static gint digits(const gchar *text, guint n)
{
    gint value = 0;

    for (guint i = 0; i < n; i++) {
        if (!g_ascii_isdigit(text[i])) {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

gboolean obs_time_parse_http(const gchar *text, gint64 *out_time)
{
    /*                 0123456789012345678901234567 8 */
    /*                 Fri, 02 Jan 2026 03:04:05 GMT  */
    static const gchar shape[] = "aaa, dd aaa dddd dd:dd:dd GMT";
    g_autoptr(GDateTime) date = NULL;
    gint month;

    if (!text || strlen(text) != sizeof(shape) - 1) {
        return FALSE;
    }
    for (gsize i = 0; shape[i]; i++) {
        if (shape[i] == 'a' ? !g_ascii_isalpha(text[i])
            : shape[i] == 'd' ? !g_ascii_isdigit(text[i])
            : text[i] != shape[i]) {
            return FALSE;
        }
    }
    for (month = 0; month < 12; month++) {
        if (strncmp(text + 8, months[month], 3) == 0) {
            break;
        }
    }
    /* The day of the week says nothing new; a wrong one does no harm. */
    if (month == 12) {
        return FALSE;
    }
    date = g_date_time_new_utc(digits(text + 12, 4), month + 1,
                               digits(text + 5, 2), digits(text + 17, 2),
                               digits(text + 20, 2), digits(text + 23, 2));
    if (!date) {
        return FALSE;
    }
    *out_time = g_date_time_to_unix(date);
    return TRUE;
}

gboolean obs_time_parse_iso(const gchar *text, gint64 *out_time)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) date = NULL;

    if (!text || strlen(text) > 64 ||
        !(date = g_date_time_new_from_iso8601(text, utc))) {
        return FALSE;
    }
    *out_time = g_date_time_to_unix(date);
    return TRUE;
}
