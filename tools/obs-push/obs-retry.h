/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do after an attempt: one table from (network error, HTTP status,
 * service code) to a verdict, and the waiting times. Pure: no clock, no
 * random source, no sleep of its own.
 */
#ifndef OBS_RETRY_H
#define OBS_RETRY_H

#include "obs-service-error.h"
#include "obs-types.h"

typedef enum {
    OBS_VERDICT_OK,
    OBS_VERDICT_RETRY,          /* the same request, after obs_retry_delay() */
    OBS_VERDICT_RETRY_CLOCK,    /* set the clock offset, then once more */
    OBS_VERDICT_REAUTH,         /* fetch new credentials, then once more */
    OBS_VERDICT_REDIRECT,       /* ask obs_url_redirect(), sign, send again */
    OBS_VERDICT_REISSUE,        /* the upload id is gone: HEAD, else anew */
    OBS_VERDICT_UNCLEAR,        /* may have been done: look before repeating */
    OBS_VERDICT_FATAL,          /* stop and report */
} ObsVerdict;

/* What may be done with a request whose fate is unknown. */
typedef enum {
    OBS_REPEAT_SAFE,            /* GET, HEAD, PUT of an object or part … */
    OBS_REPEAT_LOOK_FIRST,      /* Complete, quickimport: UNCLEAR, not RETRY */
} ObsRepeat;

/* How a verdict is reached: what was asked, and what has been tried. */
typedef struct {
    ObsService service;
    ObsRepeat repeat;
    gboolean part_of_upload;    /* has an upload id: NoSuchUpload matters */
    gboolean head;              /* HEAD: 404 has no code to tell what is gone */
    gboolean clock_fixed;       /* RETRY_CLOCK was already followed once */
    gboolean reauthenticated;   /* REAUTH was already followed once */
    gboolean renewable;         /* there is a way to get new credentials */
    guint redirects;            /* followed so far; 3 is the limit */
} ObsAttempt;

typedef struct {
    ObsVerdict verdict;
    gboolean slow_down;         /* the server asks for fewer requests */
    ObsErrorCode error;         /* exit code if it ends here */
    const gchar *advice;        /* what the user can do; static; may be NULL */
} ObsOutcome;

/*
 * The table. @service_error may be NULL for a network error or a 2xx; a 2xx
 * whose @service_error has a code is judged by that code (200 with <Error>).
 */
ObsOutcome obs_retry_judge(const ObsAttempt *attempt,
                           const ObsResponse *response,
                           const ObsServiceError *service_error);

/*
 * A GError for a final outcome: "what: 403 AccessDenied: … (request …);
 * advice". @what says what was being done, with key or part number.
 */
GError *obs_retry_error(const ObsOutcome *outcome, const gchar *what,
                        const ObsResponse *response,
                        const ObsServiceError *service_error);

typedef struct {
    guint max_attempts;         /* attempts in all, at least 1 */
    guint base_ms;              /* first delay is random in 0..base */
    guint cap_ms;               /* upper bound of the doubling */
    guint retry_after_cap_ms;   /* longest Retry-After that is waited for */
} ObsRetryPolicy;

/* 10 attempts, 500 ms, 30 s, 10 min. */
extern const ObsRetryPolicy obs_retry_default;

typedef enum {
    OBS_DELAY_WAIT,             /* wait *out_ms */
    OBS_DELAY_ATTEMPTS,         /* too many attempts */
    OBS_DELAY_DEADLINE,         /* the wait would pass the deadline */
    OBS_DELAY_TOO_LONG,         /* the server asks for more than the cap */
} ObsDelay;

/*
 * How long to wait before the next attempt. @failed counts the attempts that
 * failed so far (1 after the first). Full jitter: @random01 in [0,1) times
 * min(cap, base << (failed-1)); with @slow_down at least half of it.
 * @retry_after: the header, seconds or HTTP date, or NULL; it is a lower
 * bound (plus up to a second of jitter). @now: epoch seconds for a date.
 * @left_ms: time left until the deadline, -1: none.
 */
ObsDelay obs_retry_delay(const ObsRetryPolicy *policy, guint failed,
                         gboolean slow_down, const gchar *retry_after,
                         gint64 now, gdouble random01, gint64 left_ms,
                         gint64 *out_ms);

/*
 * Offset to add to the local clock, from the Date header of an answer. FALSE
 * if there is none or it is more than a year off (then it is no clock).
 */
gboolean obs_retry_clock_offset(const gchar *date_header, gint64 now,
                                gint64 *out_offset);

#endif
