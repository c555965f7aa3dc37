/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pure: the token bucket behind --limit-rate. Time is handed in.
 */
#ifndef OBS_RATE_H
#define OBS_RATE_H

#include <glib.h>

/* How long a pause may be saved up and then be used at once. */
#define OBS_RATE_BURST_MS 100

typedef struct {
    guint64 rate;               /* bytes a second; 0: no limit */
    double tokens;              /* bytes that may be sent now */
    gint64 at;                  /* when @tokens was counted, microseconds */
} ObsRate;

void obs_rate_init(ObsRate *r, guint64 bytes_per_second, gint64 now_us);
/* How many of @want bytes may be sent now; they are taken off. 0: wait. */
gsize obs_rate_take(ObsRate *r, gsize want, gint64 now_us);

#endif
