/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict table, the waiting times and the clock offset.
 */
#include <string.h>

#include "obs-ims-codes.h"
#include "obs-retry.h"

#define OBS OBS_SERVICE_OBS
#define IMS OBS_SERVICE_IMS
#define IAM OBS_SERVICE_IAM
#define SAFE OBS_REPEAT_SAFE
#define LOOK OBS_REPEAT_LOOK_FIRST

typedef struct {
    ObsAttempt attempt;
    ObsNetError net;
    guint status;
    const gchar *code, *message;
    ObsVerdict verdict;
    gint error;             /* 0: not compared */
    gboolean slow;
} Row;

static const Row rows[] = {
    /* fine */
    { { OBS, SAFE }, 0, 200, NULL, NULL, OBS_VERDICT_OK },
    { { OBS, LOOK }, 0, 204, NULL, NULL, OBS_VERDICT_OK },
    { { OBS, SAFE }, 0, 206, NULL, NULL, OBS_VERDICT_OK },
    { { IAM, SAFE }, 0, 201, NULL, NULL, OBS_VERDICT_OK },
    /* 200 with an error inside */
    { { OBS, LOOK }, 0, 200, "InternalError", NULL, OBS_VERDICT_UNCLEAR },
    { { OBS, SAFE }, 0, 200, "InternalError", NULL, OBS_VERDICT_RETRY },
    { { OBS, SAFE }, 0, 200, "AccessDenied", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_CREDENTIALS },
    { { OBS, LOOK }, 0, 200, "Strange", NULL, OBS_VERDICT_UNCLEAR },
    /* network */
    { { OBS, LOOK }, OBS_NET_CONNECT, 0, NULL, NULL, OBS_VERDICT_RETRY,
      OBS_ERROR_BUCKET },
    { { OBS, LOOK, TRUE }, OBS_NET_CONNECT, 0, NULL, NULL,
      OBS_VERDICT_RETRY, OBS_ERROR_TRANSFER },
    { { OBS, SAFE }, OBS_NET_TLS, 0, NULL, NULL, OBS_VERDICT_RETRY },
    { { OBS, SAFE }, OBS_NET_TLS_VERIFY, 0, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE, TRUE }, OBS_NET_BROKEN, 0, NULL, NULL,
      OBS_VERDICT_RETRY, OBS_ERROR_TRANSFER },
    { { OBS, LOOK, TRUE }, OBS_NET_BROKEN, 0, NULL, NULL,
      OBS_VERDICT_UNCLEAR, OBS_ERROR_TRANSFER },
    { { IMS, LOOK }, OBS_NET_TIMEOUT, 0, NULL, NULL, OBS_VERDICT_UNCLEAR,
      OBS_ERROR_REGISTER },
    { { OBS, SAFE }, OBS_NET_TIMEOUT, 200, NULL, NULL, OBS_VERDICT_RETRY },
    { { OBS, SAFE }, OBS_NET_ABORTED, 0, NULL, NULL, OBS_VERDICT_FATAL },
    { { OBS, SAFE }, OBS_NET_LOCAL, 0, NULL, NULL, OBS_VERDICT_FATAL },
    /* redirects */
    { { OBS, SAFE }, 0, 307, "TemporaryRedirect", NULL,
      OBS_VERDICT_REDIRECT },
    { { OBS, LOOK }, 0, 302, NULL, NULL, OBS_VERDICT_REDIRECT },
    { { OBS, SAFE, .redirects = 2 }, 0, 307, NULL, NULL,
      OBS_VERDICT_REDIRECT },
    { { OBS, SAFE, .redirects = 3 }, 0, 307, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE }, 0, 301, "PermanentRedirect", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE }, 0, 301, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE }, 0, 304, NULL, NULL, OBS_VERDICT_FATAL },
    /* damaged on the way */
    { { OBS, SAFE, TRUE }, 0, 400, "BadDigest", NULL, OBS_VERDICT_RETRY,
      OBS_ERROR_TRANSFER },
    { { OBS, SAFE, TRUE }, 0, 400, "IncompleteBody", NULL,
      OBS_VERDICT_RETRY },
    { { OBS, SAFE, TRUE }, 0, 400, "InvalidCRC64", NULL,
      OBS_VERDICT_RETRY },
    { { OBS, SAFE, TRUE }, 0, 400, "RequestTimeout", NULL,
      OBS_VERDICT_RETRY },
    /* wrong for ever */
    { { OBS, LOOK, TRUE }, 0, 400, "EntityTooSmall", NULL,
      OBS_VERDICT_FATAL, OBS_ERROR_TRANSFER },
    { { OBS, SAFE }, 0, 400, "InvalidBucketName", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_USAGE },
    { { OBS, SAFE }, 0, 400, "Unheard", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE }, 0, 403, "AccessDenied", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_CREDENTIALS },
    { { OBS, SAFE }, 0, 403, "SignatureDoesNotMatch", NULL,
      OBS_VERDICT_FATAL, OBS_ERROR_CREDENTIALS },
    { { OBS, SAFE }, 0, 403, "VirtualHostDomainRequired", NULL,
      OBS_VERDICT_FATAL, OBS_ERROR_BUCKET },
    { { OBS, SAFE, .head = TRUE }, 0, 403, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_CREDENTIALS },
    { { OBS, SAFE }, 0, 404, "NoSuchBucket", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE, .head = TRUE }, 0, 404, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE }, 0, 409, "OperationAborted", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE }, 0, 412, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_BUCKET },
    { { OBS, SAFE }, 0, 501, NULL, NULL, OBS_VERDICT_FATAL },
    { { OBS, SAFE }, 0, 100, NULL, NULL, OBS_VERDICT_FATAL },
    { { OBS, SAFE }, 0, 0, NULL, NULL, OBS_VERDICT_FATAL },
    /* the upload is gone: only where there is one */
    { { OBS, SAFE, TRUE }, 0, 404, "NoSuchUpload", NULL,
      OBS_VERDICT_REISSUE, OBS_ERROR_TRANSFER },
    { { OBS, SAFE }, 0, 404, "NoSuchUpload", NULL, OBS_VERDICT_FATAL },
    { { OBS, SAFE, TRUE }, 0, 404, NULL, NULL, OBS_VERDICT_FATAL },
    /* clock: once */
    { { OBS, SAFE }, 0, 403, "RequestTimeTooSkewed", NULL,
      OBS_VERDICT_RETRY_CLOCK, OBS_ERROR_CREDENTIALS },
    { { OBS, SAFE, .clock_fixed = TRUE }, 0, 403, "RequestTimeTooSkewed",
      NULL, OBS_VERDICT_FATAL, OBS_ERROR_CREDENTIALS },
    { { IMS, SAFE }, 0, 401, "APIGW.0301", "Incorrect IAM authentication "
      "information: x-sdk-date is out of range", OBS_VERDICT_RETRY_CLOCK },
    { { IMS, SAFE }, 0, 401, "APIGW.0301", "Incorrect IAM authentication "
      "information: verify aksk signature fail, canonical request: GET|/|"
      "x-sdk-date:20260102T030405Z|", OBS_VERDICT_FATAL,
      OBS_ERROR_CREDENTIALS },
    /* renewal: once, and only if there is a way */
    { { OBS, SAFE, .renewable = TRUE }, 0, 403, "InvalidAccessKeyId", NULL,
      OBS_VERDICT_REAUTH },
    { { OBS, SAFE, .renewable = TRUE, .reauthenticated = TRUE }, 0, 403,
      "InvalidAccessKeyId", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_CREDENTIALS },
    { { OBS, SAFE }, 0, 403, "InvalidSecurity", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_CREDENTIALS },
    { { OBS, SAFE, .renewable = TRUE }, 0, 400, "ExpiredToken", NULL,
      OBS_VERDICT_REAUTH },
    { { IMS, LOOK, .renewable = TRUE }, 0, 401, NULL, "The token must be "
      "updated", OBS_VERDICT_REAUTH },
    { { IMS, LOOK }, 0, 401, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_CREDENTIALS },
    /* load */
    { { OBS, SAFE }, 0, 503, "SlowDown", NULL, OBS_VERDICT_RETRY,
      OBS_ERROR_BUCKET, TRUE },
    { { OBS, LOOK }, 0, 503, "SlowDown", NULL, OBS_VERDICT_UNCLEAR, 0,
      TRUE },
    { { OBS, LOOK }, 0, 429, "TooManyRequests", NULL, OBS_VERDICT_RETRY, 0,
      TRUE },
    { { IMS, LOOK }, 0, 429, NULL, NULL, OBS_VERDICT_RETRY,
      OBS_ERROR_REGISTER, TRUE },
    { { IMS, LOOK }, 0, 400, "IMG.0060", NULL, OBS_VERDICT_RETRY,
      OBS_ERROR_REGISTER, TRUE },
    { { OBS, SAFE }, 0, 500, NULL, NULL, OBS_VERDICT_RETRY },
    { { OBS, SAFE }, 0, 502, NULL, NULL, OBS_VERDICT_RETRY },
    { { OBS, SAFE }, 0, 504, NULL, NULL, OBS_VERDICT_RETRY },
    { { OBS, SAFE }, 0, 408, NULL, NULL, OBS_VERDICT_RETRY },
    { { IMS, LOOK }, 0, 500, "IMG.0057", NULL, OBS_VERDICT_UNCLEAR },
    { { IMS, LOOK }, 0, 502, NULL, NULL, OBS_VERDICT_UNCLEAR,
      OBS_ERROR_REGISTER },
    /* image service */
    { { IMS, LOOK }, 0, 400, "IMG.0056", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_USAGE },
    { { IMS, LOOK }, 0, 400, "IMG.9999", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_REGISTER },
    { { IMS, SAFE }, 0, 404, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_REGISTER },
    { { IAM, SAFE }, 0, 404, NULL, NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_CREDENTIALS },
    /* a code of OBS means nothing elsewhere */
    { { IMS, SAFE }, 0, 404, "NoSuchUpload", NULL, OBS_VERDICT_FATAL,
      OBS_ERROR_REGISTER },
};

static void test_judge(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Row *row = &rows[i];
        g_autoptr(ObsResponse) response = obs_response_new();
        const ObsServiceError service = {
            .status = row->status, .code = (gchar *)row->code,
            .message = (gchar *)row->message,
        };
        ObsOutcome out;

        g_test_message("row %u: %u %s", i, row->status,
                       row->code ? row->code : "");
        response->net = row->net;
        response->status = row->status;
        out = obs_retry_judge(&row->attempt, response, &service);
        g_assert_cmpint(out.verdict, ==, row->verdict);
        g_assert_cmpint(out.slow_down, ==, row->slow);
        if (row->error) {
            g_assert_cmpint((gint)out.error, ==, row->error);
        }
        if (out.verdict != OBS_VERDICT_OK) {
            g_assert_cmpint((gint)out.error, >, 0);
        }
        /* Without a code the answer must be judged by its status alone. */
        if (!row->code && !row->message) {
            ObsOutcome plain = obs_retry_judge(&row->attempt, response, NULL);

            g_assert_cmpint(plain.verdict, ==, row->verdict);
        }
    }
}

static void test_error_text(void)
{
    g_autoptr(ObsResponse) response = obs_response_new();
    const ObsServiceError service = {
        .status = 301, .code = (gchar *)"PermanentRedirect",
        .message = (gchar *)"elsewhere", .request_id = (gchar *)"R",
        .endpoint = (gchar *)"obs.eu-nl.example",
    };
    const ObsOutcome outcome = {
        .verdict = OBS_VERDICT_FATAL, .error = OBS_ERROR_BUCKET,
        .advice = "do this",
    };
    g_autoptr(GError) error = NULL;

    response->status = 301;
    error = obs_retry_error(&outcome, "upload part 7", response, &service);
    g_assert_error(error, OBS_ERROR, OBS_ERROR_BUCKET);
    g_assert_cmpstr(error->message, ==,
                    "upload part 7: 301 PermanentRedirect: elsewhere "
                    "(request R); the right endpoint is obs.eu-nl.example; "
                    "do this");
    g_clear_error(&error);
    response->net = OBS_NET_CONNECT;
    response->net_message = g_strdup("refused");
    error = obs_retry_error(&outcome, "upload part 7", response, NULL);
    g_assert_cmpstr(error->message, ==, "upload part 7: refused; do this");
}

#define DATE "Fri, 02 Jan 2026 03:04:05 GMT"
#define NOW 1767323045

static void test_delay(void)
{
    static const struct {
        guint failed;
        gboolean slow;
        const gchar *after;
        gint64 now;
        gdouble random01;
        gint64 left;
        ObsDelay result;
        gint64 ms;
    } table[] = {
        /* full jitter: anything from nothing to the bound */
        { 1, FALSE, NULL, NOW, 0.0, -1, OBS_DELAY_WAIT, 0 },
        { 1, FALSE, NULL, NOW, 0.5, -1, OBS_DELAY_WAIT, 250 },
        { 1, FALSE, NULL, NOW, 1.0, -1, OBS_DELAY_WAIT, 500 },
        { 2, FALSE, NULL, NOW, 1.0, -1, OBS_DELAY_WAIT, 1000 },
        { 5, FALSE, NULL, NOW, 1.0, -1, OBS_DELAY_WAIT, 8000 },
        { 7, FALSE, NULL, NOW, 1.0, -1, OBS_DELAY_WAIT, 30000 },
        { 9, FALSE, NULL, NOW, 1.0, -1, OBS_DELAY_WAIT, 30000 },
        { 10, FALSE, NULL, NOW, 0.0, -1, OBS_DELAY_ATTEMPTS, 0 },
        { G_MAXUINT, FALSE, NULL, NOW, 0, -1, OBS_DELAY_ATTEMPTS, 0 },
        /* asked to slow down: never less than half */
        { 1, TRUE, NULL, NOW, 0.0, -1, OBS_DELAY_WAIT, 250 },
        { 9, TRUE, NULL, NOW, 0.0, -1, OBS_DELAY_WAIT, 15000 },
        { 9, TRUE, NULL, NOW, 1.0, -1, OBS_DELAY_WAIT, 30000 },
        /* Retry-After: a lower bound */
        { 1, FALSE, "7", NOW, 0.0, -1, OBS_DELAY_WAIT, 7000 },
        { 1, FALSE, " 7 ", NOW, 0.5, -1, OBS_DELAY_WAIT, 7500 },
        { 9, FALSE, "1", NOW, 1.0, -1, OBS_DELAY_WAIT, 30000 },
        { 1, FALSE, DATE, NOW - 9, 0.0, -1, OBS_DELAY_WAIT, 9000 },
        { 1, FALSE, DATE, NOW + 9, 0.0, -1, OBS_DELAY_WAIT, 0 },
        { 1, FALSE, "600", NOW, 0.0, -1, OBS_DELAY_WAIT, 600000 },
        { 1, FALSE, "601", NOW, 0.0, -1, OBS_DELAY_TOO_LONG, 0 },
        { 1, FALSE, DATE, NOW - 100000, 0.0, -1, OBS_DELAY_TOO_LONG, 0 },
        { 1, FALSE, "-5", NOW, 0.0, -1, OBS_DELAY_WAIT, 0 },
        { 1, FALSE, "99999999999999999999", NOW, 0.0, -1, OBS_DELAY_WAIT,
          0 },
        { 1, FALSE, "soon", NOW, 0.0, -1, OBS_DELAY_WAIT, 0 },
        /* the deadline */
        { 1, FALSE, NULL, NOW, 1.0, 501, OBS_DELAY_WAIT, 500 },
        { 1, FALSE, NULL, NOW, 1.0, 500, OBS_DELAY_DEADLINE, 0 },
        { 1, FALSE, NULL, NOW, 0.0, 0, OBS_DELAY_DEADLINE, 0 },
        { 1, FALSE, "60", NOW, 0.0, 30000, OBS_DELAY_DEADLINE, 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        gint64 ms = -7;

        g_test_message("row %u", i);
        g_assert_cmpint(obs_retry_delay(&obs_retry_default, table[i].failed,
                                        table[i].slow, table[i].after,
                                        table[i].now, table[i].random01,
                                        table[i].left, &ms), ==,
                        table[i].result);
        g_assert_cmpint(ms, ==, table[i].result == OBS_DELAY_WAIT
                        ? table[i].ms : -7);
    }
}

static void test_clock(void)
{
    gint64 offset = 7;

    g_assert_true(obs_retry_clock_offset(DATE, NOW, &offset));
    g_assert_cmpint(offset, ==, 0);
    g_assert_true(obs_retry_clock_offset(DATE, NOW - 3600, &offset));
    g_assert_cmpint(offset, ==, 3600);
    g_assert_true(obs_retry_clock_offset(DATE, NOW + 86400, &offset));
    g_assert_cmpint(offset, ==, -86400);
    g_assert_false(obs_retry_clock_offset(NULL, NOW, &offset));
    g_assert_false(obs_retry_clock_offset("yesterday", NOW, &offset));
    g_assert_false(obs_retry_clock_offset(DATE, 0, &offset));
    g_assert_cmpint(offset, ==, -86400);
}

static void test_ims_codes(void)
{
    gsize n;
    const ObsImsCode *codes = obs_ims_codes(&n);

    g_assert_cmpuint(n, >, 25);
    for (gsize i = 0; i < n; i++) {
        g_assert_true(obs_ims_code_find(codes[i].code) == &codes[i]);
        g_assert_true(g_str_has_prefix(codes[i].code, "IMG."));
        g_assert_cmpuint(strlen(codes[i].meaning), >, 10);
        g_assert_cmpuint(strlen(codes[i].advice), >, 10);
        g_assert_cmpint((gint)codes[i].error, >, OBS_ERROR_FAILED);
    }
    g_assert_null(obs_ims_code_find(NULL));
    g_assert_null(obs_ims_code_find("IMG.1"));
}

static void test_exit_codes(void)
{
    static const gint codes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 130 };

    g_assert_cmpint(obs_error_exit_code(NULL), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autoptr(GError) error = g_error_new(OBS_ERROR, codes[i], "x");

        g_assert_cmpint(obs_error_exit_code(error), ==, codes[i]);
    }
    {
        g_autoptr(GError) odd = g_error_new(OBS_ERROR, 9, "x");
        g_autoptr(GError) foreign = g_error_new(G_FILE_ERROR, 3, "x");

        g_assert_cmpint(obs_error_exit_code(odd), ==, 1);
        g_assert_cmpint(obs_error_exit_code(foreign), ==, 1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/retry/judge", test_judge);
    g_test_add_func("/retry/error-text", test_error_text);
    g_test_add_func("/retry/delay", test_delay);
    g_test_add_func("/retry/clock", test_clock);
    g_test_add_func("/retry/ims-codes", test_ims_codes);
    g_test_add_func("/error/exit-codes", test_exit_codes);
    return g_test_run();
}
