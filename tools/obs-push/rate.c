/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The token bucket behind --limit-rate: see rate.h. */
#include "rate.h"

void obs_rate_init(ObsRate *r, guint64 bytes_per_second, gint64 now_us)
{
    r->rate = bytes_per_second;
    r->tokens = 0;
    r->at = now_us;
}

gsize obs_rate_take(ObsRate *r, gsize want, gint64 now_us)
{
    double most;

    if (!r->rate) {
        return want;
    }
    /* At least one byte must fit, or a tiny limit would never send any. */
    most = MAX((double)r->rate * OBS_RATE_BURST_MS / 1000, 1.0);
    r->tokens += (double)r->rate * MAX(now_us - r->at, 0) / G_USEC_PER_SEC;
    r->tokens = MIN(r->tokens, most);
    r->at = now_us;
    if (r->tokens < 1) {
        return 0;
    }
    want = MIN((double)want, r->tokens);
    r->tokens -= want;
    return want;
}
