/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures: canonical strings and the headers or URL that carry them, for
 * OBS, AWS V2 and V4 (OBS speaks both) and SDK-HMAC-SHA256 (IMS, IAM; plain
 * and with credential scope). Pure: request, keys and time in, text out.
 * Rules and vectors: the API signing guides of the vendor; AWS V4 as S3.
 */
#ifndef OBS_SIGN_H
#define OBS_SIGN_H

#include "obs-creds.h"
#include "obs-types.h"

typedef enum {
    OBS_SIGN_NONE,          /* send as it is */
    OBS_SIGN_OBS,           /* Authorization: OBS ak:sig (HMAC-SHA1) */
    OBS_SIGN_AWS_V2,        /* Authorization: AWS ak:sig */
    OBS_SIGN_AWS_V4,        /* AWS4-HMAC-SHA256, service s3 */
    OBS_SIGN_SDK,           /* SDK-HMAC-SHA256 Access=… */
    OBS_SIGN_SDK_LEGACY,    /* SDK-HMAC-SHA256 Credential=…/sdk_request */
} ObsSignMethod;

/* "obs", "v2", "v4", "sdk", "legacy" as options spell them; FALSE if none. */
gboolean obs_sign_method_parse(const gchar *text, ObsSignMethod *out_method);
const gchar *obs_sign_method_name(ObsSignMethod method);

typedef struct {
    ObsSignMethod method;
    gint64 time;                /* epoch seconds, clock offset included */
    /*
     * Which header carries the time. FALSE: Date for OBS and V2, x-amz-date
     * for V4. TRUE: the other one of the two. SDK always has X-Sdk-Date.
     */
    gboolean other_date;
    /* V4 and legacy scope. NULL and "" are alike, and us-east-1 for V4. */
    const gchar *region;
    const gchar *service;       /* legacy scope; NULL: "" */
    /*
     * Hex SHA-256 of the body for V4. NULL: hash of request->body, or
     * UNSIGNED-PAYLOAD if that is NULL and the method is PUT or POST.
     */
    const gchar *payload_hash;
} ObsSignOptions;

/*
 * What went into a signature, for --verbose and for tests. It may hold a
 * security token: show it through obs_secret_redact_body() only.
 */
typedef struct {
    gchar *canonical_request;   /* NULL for OBS and V2 */
    gchar *string_to_sign;
    gchar *signature;
} ObsSignTrace;

void obs_sign_trace_clear(ObsSignTrace *trace);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ObsSignTrace, obs_sign_trace_clear)

/*
 * Sign @request. Returns the headers to send besides request->headers (owned
 * array of ObsPair): date, security token, content hash, Authorization. The
 * request must not carry any of these already. Host is never in it: it is
 * signed where the method wants it, as obs_url_host_header() gives it.
 * Sign each attempt anew. @trace may be NULL; clear it after use.
 *
 * All of request->headers are covered by V4 and SDK; only Content-MD5,
 * Content-Type and the x-obs-/x-amz- ones by OBS and V2. So the sender must
 * not let libcurl add its own Content-Type.
 *
 * OBS_ERROR_FAILED if a header or query holds a line break or NUL.
 */
GPtrArray *obs_sign_headers(const ObsRequest *request,
                            const ObsCredentials *credentials,
                            const ObsSignOptions *options,
                            ObsSignTrace *trace, GError **error);

/*
 * A URL that carries its signature in the query, good for @lifetime seconds
 * from options->time: OBS, AWS V2 and V4 (V4: at most 7 days). Whoever uses
 * it has to send request->headers unchanged.
 */
gchar *obs_sign_url(const ObsRequest *request,
                    const ObsCredentials *credentials,
                    const ObsSignOptions *options, gint64 lifetime,
                    ObsSignTrace *trace, GError **error);

/*
 * Requests are built in the OBS dialect (x-obs-…). For AWS methods rename
 * these headers to x-amz-… and translate the storage classes (WARM to
 * STANDARD_IA, COLD to GLACIER). Nothing to do for the others. Call once.
 */
void obs_sign_translate(ObsRequest *request, ObsSignMethod method);

/*
 * For a request authorised by a token in place of keys: X-Auth-Token. The
 * returned pair array is to be treated as secret by the sender.
 */
GPtrArray *obs_sign_token_headers(const gchar *token);

#endif
