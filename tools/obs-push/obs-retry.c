/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do after an attempt: one table from (network error, HTTP status,
 * service code) to a verdict, and the waiting times.
 */
#include "obs-retry.h"

#include <string.h>

#include "obs-ims-codes.h"
#include "obs-time.h"

#define REDIRECTS_MAX 3
#define CLOCK_OFFSET_MAX (366 * 24 * G_GINT64_CONSTANT(3600))

/* What a code or status calls for, before it is known what was tried. */
typedef enum {
    DO_STOP,
    DO_RETRY,       /* the request was not carried out, or may be repeated */
    DO_RETRY_SLOW,
    DO_UNSURE,      /* as RETRY, but may have been carried out */
    DO_UNSURE_SLOW,
    DO_CLOCK,
    DO_RENEW,       /* other credentials may do */
    DO_UPLOAD_GONE,
    DO_FOLLOW,
} Action;

/* Codes of OBS. @error 0: by service, see default_error(). */
static const struct {
    const gchar *code;
    Action action;
    gint error;
    const gchar *advice;
} by_code[] = {
    /* damaged on the way */
    { "BadDigest", DO_RETRY, OBS_ERROR_TRANSFER, NULL },
    { "InvalidDigest", DO_RETRY, OBS_ERROR_TRANSFER, NULL },
    { "IncompleteBody", DO_RETRY, OBS_ERROR_TRANSFER, NULL },
    { "InvalidCRC64", DO_RETRY, OBS_ERROR_TRANSFER, NULL },
    { "XAmzContentSHA256Mismatch", DO_RETRY, OBS_ERROR_TRANSFER, NULL },
    { "RequestTimeout", DO_UNSURE, OBS_ERROR_TRANSFER, NULL },
    /* trouble or load on the other side */
    { "InternalError", DO_UNSURE, 0, NULL },
    { "ServiceUnavailable", DO_UNSURE_SLOW, 0, NULL },
    { "SlowDown", DO_UNSURE_SLOW, 0, NULL },
    { "TooManyRequests", DO_RETRY_SLOW, 0, NULL },
    /* who we are */
    { "RequestTimeTooSkewed", DO_CLOCK, OBS_ERROR_CREDENTIALS,
      "set the clock of this machine" },
    { "InvalidSecurity", DO_RENEW, OBS_ERROR_CREDENTIALS,
      "the security token is wrong or has run out: get new keys" },
    { "ExpiredToken", DO_RENEW, OBS_ERROR_CREDENTIALS,
      "the security token has run out: get new keys" },
    { "InvalidToken", DO_RENEW, OBS_ERROR_CREDENTIALS,
      "the security token is wrong or has run out: get new keys" },
    { "TokenRefreshRequired", DO_RENEW, OBS_ERROR_CREDENTIALS,
      "the security token has run out: get new keys" },
    { "InvalidAccessKeyId", DO_RENEW, OBS_ERROR_CREDENTIALS,
      "this cloud does not know the access key: check it, --cloud and "
      "--region" },
    { "SignatureDoesNotMatch", DO_STOP, OBS_ERROR_CREDENTIALS,
      "the secret key is wrong, or the server wants another --signature" },
    { "TooManyWrongSignature", DO_STOP, OBS_ERROR_CREDENTIALS,
      "wait some minutes and correct the secret key" },
    { "AccessDenied", DO_STOP, OBS_ERROR_CREDENTIALS,
      "the user may not do this: check its permissions and the bucket "
      "policy; an unfinished upload can only be continued by who began it" },
    /* bucket and object */
    { "NoSuchUpload", DO_UPLOAD_GONE, OBS_ERROR_TRANSFER,
      "the upload was ended or removed: run the command again" },
    { "NoSuchBucket", DO_STOP, OBS_ERROR_BUCKET,
      "create the bucket, or check its name, --region and --cloud" },
    { "NoSuchKey", DO_STOP, OBS_ERROR_BUCKET, "check the object's key" },
    { "PermanentRedirect", DO_STOP, OBS_ERROR_BUCKET,
      "the bucket is in another region: correct --region or --endpoint" },
    { "VirtualHostDomainRequired", DO_STOP, OBS_ERROR_BUCKET,
      "run without --path-style" },
    { "InArrearOrInsufficientBalance", DO_STOP, OBS_ERROR_BUCKET,
      "the account is in arrears" },
    { "InsufficientStorageSpace", DO_STOP, OBS_ERROR_BUCKET,
      "the quota of the bucket is used up" },
    { "InvalidObjectState", DO_STOP, OBS_ERROR_BUCKET,
      "the object is archived: restore it first" },
    { "ObjectAlreadyExists", DO_STOP, OBS_ERROR_BUCKET,
      "choose another key or run without --no-clobber" },
    { "PreconditionFailed", DO_STOP, OBS_ERROR_BUCKET,
      "the object has changed meanwhile" },
    { "OperationAborted", DO_STOP, OBS_ERROR_BUCKET,
      "another operation on it is under way: try again later" },
    { "InvalidBucketName", DO_STOP, OBS_ERROR_USAGE,
      "check the bucket name" },
    { "KeyTooLong", DO_STOP, OBS_ERROR_USAGE, "use a shorter key" },
    { "EntityTooSmall", DO_STOP, OBS_ERROR_TRANSFER,
      "abort the upload and run again with a larger --part-size" },
    { "EntityTooLarge", DO_STOP, OBS_ERROR_TRANSFER,
      "abort the upload and run again with a smaller --part-size" },
    { "InvalidPart", DO_STOP, OBS_ERROR_TRANSFER,
      "the server lost a part: abort the upload and run again" },
    { "InvalidPartOrder", DO_STOP, OBS_ERROR_TRANSFER,
      "abort the upload and run again" },
};

/* Statuses without a code that is known. */
static const struct {
    guint status;
    Action action;
    gint error;
    const gchar *advice;
} by_status[] = {
    { 301, DO_STOP, OBS_ERROR_BUCKET,
      "the bucket is in another region: correct --region or --endpoint" },
    { 302, DO_FOLLOW, OBS_ERROR_BUCKET, "check the endpoint" },
    { 307, DO_FOLLOW, OBS_ERROR_BUCKET, "check the endpoint" },
    { 308, DO_FOLLOW, OBS_ERROR_BUCKET, "check the endpoint" },
    { 401, DO_RENEW, OBS_ERROR_CREDENTIALS,
      "check the credentials, --region and the project" },
    { 403, DO_STOP, OBS_ERROR_CREDENTIALS,
      "check the credentials and the user's permissions" },
    { 404, DO_STOP, OBS_ERROR_BUCKET,
      "check the endpoint, bucket and key" },
    { 407, DO_STOP, OBS_ERROR_BUCKET, "the proxy wants a password" },
    { 408, DO_UNSURE, 0, NULL },
    { 409, DO_STOP, OBS_ERROR_BUCKET, NULL },
    { 411, DO_STOP, OBS_ERROR_FAILED, NULL },
    { 412, DO_STOP, OBS_ERROR_BUCKET, "the object has changed meanwhile" },
    { 413, DO_STOP, OBS_ERROR_TRANSFER,
      "something in between refuses requests of this size: use a smaller "
      "--part-size" },
    { 416, DO_STOP, OBS_ERROR_FAILED, NULL },
    { 429, DO_RETRY_SLOW, 0, NULL },
    { 500, DO_UNSURE, 0, NULL },
    { 502, DO_UNSURE, 0, NULL },
    { 503, DO_UNSURE_SLOW, 0, NULL },
    { 504, DO_UNSURE, 0, NULL },
};

/* Where a failure counts if nothing better is known. */
static ObsErrorCode default_error(const ObsAttempt *attempt)
{
    switch (attempt->service) {
    case OBS_SERVICE_OBS:
        return attempt->part_of_upload ? OBS_ERROR_TRANSFER
                                       : OBS_ERROR_BUCKET;
    case OBS_SERVICE_IMS:
        return OBS_ERROR_REGISTER;
    default:
        return OBS_ERROR_CREDENTIALS;
    }
}

static ObsOutcome outcome(const ObsAttempt *attempt, Action action,
                          gint error, const gchar *advice)
{
    ObsOutcome out = {
        .verdict = OBS_VERDICT_FATAL,
        .error = error ? (ObsErrorCode)error : default_error(attempt),
        .advice = advice,
    };

    switch (action) {
    case DO_STOP:
        break;
    case DO_RETRY_SLOW:
        out.slow_down = TRUE;
        out.verdict = OBS_VERDICT_RETRY;
        break;
    case DO_RETRY:
        out.verdict = OBS_VERDICT_RETRY;
        break;
    case DO_UNSURE_SLOW:
        out.slow_down = TRUE;
        out.verdict = attempt->repeat == OBS_REPEAT_SAFE
                      ? OBS_VERDICT_RETRY : OBS_VERDICT_UNCLEAR;
        break;
    case DO_UNSURE:
        out.verdict = attempt->repeat == OBS_REPEAT_SAFE
                      ? OBS_VERDICT_RETRY : OBS_VERDICT_UNCLEAR;
        break;
    case DO_CLOCK:
        if (!attempt->clock_fixed) {
            out.verdict = OBS_VERDICT_RETRY_CLOCK;
        }
        break;
    case DO_RENEW:
        if (attempt->renewable && !attempt->reauthenticated) {
            out.verdict = OBS_VERDICT_REAUTH;
        }
        break;
    case DO_UPLOAD_GONE:
        if (attempt->part_of_upload) {
            out.verdict = OBS_VERDICT_REISSUE;
        }
        break;
    case DO_FOLLOW:
        if (attempt->redirects < REDIRECTS_MAX) {
            out.verdict = OBS_VERDICT_REDIRECT;
        } else {
            out.advice = "the server redirects in circles: check the "
                         "endpoint";
        }
        break;
    }
    return out;
}

static ObsOutcome judge_network(const ObsAttempt *attempt, ObsNetError net)
{
    gint endpoint = attempt->part_of_upload ? OBS_ERROR_TRANSFER
                                            : OBS_ERROR_BUCKET;

    switch (net) {
    case OBS_NET_CONNECT:
        return outcome(attempt, DO_RETRY, endpoint,
                       "check the network, the endpoint and proxy settings");
    case OBS_NET_TLS_VERIFY:
        return outcome(attempt, DO_STOP, OBS_ERROR_BUCKET,
                       "the server's certificate is not trusted: give the "
                       "right --cacert");
    case OBS_NET_TLS:
        return outcome(attempt, DO_RETRY, endpoint,
                       "check that the endpoint speaks https");
    case OBS_NET_TIMEOUT:
    case OBS_NET_BROKEN:
        return outcome(attempt, DO_UNSURE, 0, "check the network");
    case OBS_NET_ABORTED:
    case OBS_NET_LOCAL:
    default:
        return outcome(attempt, DO_STOP, OBS_ERROR_FAILED, NULL);
    }
}

/*
 * The gateway's answer to a date that is too far off. A wrong signature gives
 * the same code and quotes the canonical request, so it names the header too.
 */
static gboolean is_sdk_clock_error(const ObsServiceError *error)
{
    g_autofree gchar *message = NULL;

    if (g_strcmp0(error->code, "APIGW.0301") || !error->message) {
        return FALSE;
    }
    message = g_ascii_strdown(error->message, -1);
    return strstr(message, "x-sdk-date") && !strstr(message, "canonical") &&
           !strstr(message, "verify");
}

/* FALSE if the code says nothing that its status does not say. */
static gboolean judge_code(const ObsAttempt *attempt,
                           const ObsServiceError *error, ObsOutcome *out)
{
    const ObsImsCode *ims;

    if (!error || !error->code) {
        return FALSE;
    }
    if (attempt->service == OBS_SERVICE_OBS) {
        for (guint i = 0; i < G_N_ELEMENTS(by_code); i++) {
            if (g_str_equal(error->code, by_code[i].code)) {
                *out = outcome(attempt, by_code[i].action, by_code[i].error,
                               by_code[i].advice);
                return TRUE;
            }
        }
        return FALSE;
    }
    if (is_sdk_clock_error(error)) {
        *out = outcome(attempt, DO_CLOCK, OBS_ERROR_CREDENTIALS,
                       "set the clock of this machine");
        return TRUE;
    }
    ims = obs_ims_code_find(error->code);
    if (ims && error->status < 500) {
        *out = outcome(attempt, ims->wait ? DO_RETRY_SLOW : DO_STOP,
                       ims->error, ims->advice);
        return TRUE;
    }
    return FALSE;
}

ObsOutcome obs_retry_judge(const ObsAttempt *attempt,
                           const ObsResponse *response,
                           const ObsServiceError *service_error)
{
    ObsOutcome out;

    if (response->net != OBS_NET_OK) {
        return judge_network(attempt, response->net);
    }
    if (judge_code(attempt, service_error, &out)) {
        return out;
    }
    if (response->status >= 200 && response->status < 300) {
        if (!service_error || !service_error->code) {
            return (ObsOutcome){ .verdict = OBS_VERDICT_OK };
        }
        /* 200 with an <Error> that we don't know: nobody knows what is. */
        return outcome(attempt, DO_UNSURE, 0, NULL);
    }
    for (guint i = 0; i < G_N_ELEMENTS(by_status); i++) {
        if (by_status[i].status == response->status) {
            /* 404 of a JSON service is about a path, not about a bucket. */
            gboolean path = response->status == 404 &&
                            attempt->service != OBS_SERVICE_OBS;

            return outcome(attempt, by_status[i].action,
                           path ? 0 : by_status[i].error,
                           path ? "check the endpoint and the region"
                                : by_status[i].advice);
        }
    }
    return outcome(attempt, DO_STOP, 0, NULL);
}

GError *obs_retry_error(const ObsOutcome *result, const gchar *what,
                        const ObsResponse *response,
                        const ObsServiceError *service_error)
{
    g_autofree gchar *text = NULL;
    GString *message = g_string_new(what);
    GError *error;

    if (response && response->net != OBS_NET_OK) {
        text = g_strdup(response->net_message ? response->net_message
                                              : "no answer");
    } else if (service_error) {
        text = obs_service_error_text(service_error);
    }
    if (text) {
        g_string_append_printf(message, ": %s", text);
    }
    if (service_error && service_error->endpoint) {
        g_string_append_printf(message, "; the right endpoint is %s",
                               service_error->endpoint);
    }
    if (result->advice) {
        g_string_append_printf(message, "; %s", result->advice);
    }
    error = g_error_new_literal(OBS_ERROR, (gint)result->error, message->str);
    g_string_free(message, TRUE);
    return error;
}

/* ------------------------------------------------------------------------ */
/* Waiting */

const ObsRetryPolicy obs_retry_default = {
    .max_attempts = 10,
    .base_ms = 500,
    .cap_ms = 30 * 1000,
    .retry_after_cap_ms = 10 * 60 * 1000,
};

/* Milliseconds that a Retry-After asks for; 0 if it can't be understood. */
static gint64 retry_after_ms(const gchar *header, gint64 now)
{
    g_autofree gchar *text = NULL;
    guint64 seconds;
    gint64 until;

    if (!header) {
        return 0;
    }
    text = g_strstrip(g_strdup(header));
    if (g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT32, &seconds, NULL)) {
        return (gint64)seconds * 1000;
    }
    if (obs_time_parse_http(text, &until) && until > now) {
        return (until - now) * 1000;
    }
    return 0;
}

ObsDelay obs_retry_delay(const ObsRetryPolicy *policy, guint failed,
                         gboolean slow_down, const gchar *retry_after,
                         gint64 now, gdouble random01, gint64 left_ms,
                         gint64 *out_ms)
{
    gint64 asked = retry_after_ms(retry_after, now);
    gint64 bound = policy->base_ms;
    gint64 delay;

    if (failed >= policy->max_attempts) {
        return OBS_DELAY_ATTEMPTS;
    }
    if (asked > policy->retry_after_cap_ms) {
        return OBS_DELAY_TOO_LONG;
    }
    for (guint i = 1; i < failed && bound < policy->cap_ms; i++) {
        bound *= 2;
    }
    bound = MIN(bound, policy->cap_ms);
    random01 = CLAMP(random01, 0.0, 1.0);
    delay = slow_down ? bound / 2 + (gint64)(random01 * (gdouble)(bound / 2))
                      : (gint64)(random01 * (gdouble)bound);
    if (asked) {
        /* Not all who were told the same second should come back in it. */
        delay = MAX(delay, asked + (gint64)(random01 * 1000));
    }
    if (left_ms >= 0 && delay >= left_ms) {
        return OBS_DELAY_DEADLINE;
    }
    *out_ms = delay;
    return OBS_DELAY_WAIT;
}

gboolean obs_retry_clock_offset(const gchar *date_header, gint64 now,
                                gint64 *out_offset)
{
    gint64 server;

    if (!obs_time_parse_http(date_header, &server) ||
        server - now > CLOCK_OFFSET_MAX || now - server > CLOCK_OFFSET_MAX) {
        return FALSE;
    }
    *out_offset = server - now;
    return TRUE;
}
