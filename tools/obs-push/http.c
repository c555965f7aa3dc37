/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests on curl's multi interface: see http.h.
 */
#include "http.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "http-loop.h"
#include "rate.h"

/* Answers are lists and errors; the longest known is a page of 1000 parts or
 * the list of systems, both far under a megabyte. */
#define MAX_ANSWER (16 * 1024 * 1024)
#define MAX_HEADER_BYTES (256 * 1024)
/* One read() of the source and one send() of this size. */
#define SEND_BUFFER (256 * 1024L)

struct ObsHttp {
    ObsHttpLoop *loop;
    ObsHttpConfig config;
    char *ca_file;
    guint tick_id;              /* stall watch */
    GQueue running;             /* ObsHttpTransfer */
    gint64 total_sent;          /* of finished transfers */
    ObsRate rate;
    guint refill_id;            /* wakes what the rate limit has paused */
};

struct ObsHttpTransfer {
    ObsHttp *http;
    CURL *easy;
    struct curl_slist *headers;
    ObsBody body;
    gint64 pos;                 /* next byte of the body to hand over */
    gint64 started;             /* monotonic, microseconds */
    gint64 last_moved;
    gint64 seen;                /* bytes in both directions at last_moved */
    gint64 received;            /* header and body bytes of the answer */
    guint stall_timeout;
    guint total_timeout;
    gboolean paused;            /* by the rate limit */
    gboolean failed_early;      /* @result is final before curl has run */
    gboolean finish_queued;
    ObsHttpResult result;
    GByteArray *answer;         /* body received so far */
    char errbuf[CURL_ERROR_SIZE];
    ObsHttpDone done;
    gpointer user_data;
};

static void transfer_free(ObsHttpTransfer *t)
{
    ObsHttp *http = t->http;

    if (t->easy) {
        curl_multi_remove_handle(obs_http_loop_multi(http->loop), t->easy);
        curl_easy_cleanup(t->easy);
    }
    g_queue_remove(&http->running, t);
    /* Header lines carry signatures and tokens. */
    for (struct curl_slist *h = t->headers; h; h = h->next) {
        memset(h->data, 0, strlen(h->data));
    }
    curl_slist_free_all(t->headers);
    g_clear_pointer(&t->body.bytes, g_bytes_unref);
    g_clear_pointer(&t->result.response, obs_response_free);
    g_clear_pointer(&t->answer, g_byte_array_unref);
    g_free(t);
}

static gint64 easy_sent(CURL *easy)
{
    curl_off_t n = 0;

    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &n);
    return n;
}

static void set_failure(ObsHttpTransfer *t, ObsNetError net,
                        const char *message)
{
    ObsResponse *response = t->result.response;

    g_free(response->net_message);
    response->net = net;
    response->net_message = g_strdup(message);
    g_strdelimit(response->net_message, "\r\n", ' ');
}

static ObsNetError net_error_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:      /* curl only times connecting */
    case CURLE_INTERFACE_FAILED:
        return OBS_NET_CONNECT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CACERT_BADFILE:
        return OBS_NET_TLS_VERIFY;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_USE_SSL_FAILED:
        return OBS_NET_TLS;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_FAILED_INIT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_OUT_OF_MEMORY:
        return OBS_NET_LOCAL;
    default:
        return OBS_NET_BROKEN;
    }
}

/* Reports the end of @t. The user may start or cancel others meanwhile. */
static void transfer_finish(ObsHttpTransfer *t, CURLcode code)
{
    ObsHttp *http = t->http;
    ObsResponse *response = t->result.response;
    long status = 0;

    t->result.sent = easy_sent(t->easy);
    http->total_sent += t->result.sent;
    curl_multi_remove_handle(obs_http_loop_multi(http->loop), t->easy);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    response->status = status;
    if (response->net == OBS_NET_OK && code != CURLE_OK) {
        set_failure(t, net_error_of(code),
                    t->errbuf[0] ? t->errbuf : curl_easy_strerror(code));
    }
    if (response->net == OBS_NET_OK && status < 100) {
        set_failure(t, OBS_NET_BROKEN, "the server sent no HTTP status");
    }
    response->body = g_byte_array_free_to_bytes(g_steal_pointer(&t->answer));
    g_queue_remove(&http->running, t);
    t->done(&t->result, t->user_data);
    curl_easy_cleanup(t->easy);
    t->easy = NULL;
    transfer_free(t);
}

static void on_ended(CURL *easy, CURLcode code)
{
    ObsHttpTransfer *t;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
    transfer_finish(t, code);
}

/* ---- rate limit ---- */

static gboolean on_refill(gpointer user_data)
{
    ObsHttp *http = user_data;
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();

    http->refill_id = 0;
    for (GList *l = http->running.head; l; l = l->next) {
        ObsHttpTransfer *t = l->data;

        if (t->paused) {
            g_ptr_array_add(waiting, t);
        }
    }
    for (guint i = 0; i < waiting->len; i++) {
        ObsHttpTransfer *t = g_ptr_array_index(waiting, i);

        t->paused = FALSE;
        t->last_moved = g_get_monotonic_time();
        curl_easy_pause(t->easy, CURLPAUSE_CONT);
    }
    /* The first to read takes the tokens; let another be first next time. */
    if (http->running.length > 1) {
        g_queue_push_tail(&http->running,
                          g_queue_pop_head(&http->running));
    }
    obs_http_loop_collect(http->loop);
    return G_SOURCE_REMOVE;
}

/* ---- callbacks of one transfer ---- */

static size_t on_read(char *buffer, size_t size, size_t count, void *user_data)
{
    ObsHttpTransfer *t = user_data;
    ObsHttp *http = t->http;
    gsize want = MIN((gint64)(size * count), t->body.length - t->pos);
    gssize got;

    if (!want) {
        return 0;
    }
    want = obs_rate_take(&http->rate, want, g_get_monotonic_time());
    if (!want) {
        if (!http->refill_id) {
            http->refill_id = g_timeout_add(OBS_RATE_BURST_MS / 4, on_refill,
                                            http);
        }
        t->paused = TRUE;
        return CURL_READFUNC_PAUSE;
    }
    switch (t->body.kind) {
    case OBS_BODY_BYTES:
        memcpy(buffer,
               (const char *)g_bytes_get_data(t->body.bytes, NULL) + t->pos,
               want);
        got = want;
        break;
    case OBS_BODY_ZEROS:
        memset(buffer, 0, want);
        got = want;
        break;
    case OBS_BODY_FILE:
        do {
            got = pread(t->body.fd, buffer, want, t->body.offset + t->pos);
        } while (got < 0 && errno == EINTR);
        if (got <= 0) {
            g_autofree char *text = g_strdup_printf(
                "cannot read the file at offset %" G_GINT64_FORMAT ": %s",
                t->body.offset + t->pos,
                got < 0 ? g_strerror(errno) : "it has become shorter");

            set_failure(t, OBS_NET_ABORTED, text);
            return CURL_READFUNC_ABORT;
        }
        break;
    default:
        return 0;
    }
    t->pos += got;
    return got;
}

static int on_seek(void *user_data, curl_off_t offset, int origin)
{
    ObsHttpTransfer *t = user_data;

    if (origin != SEEK_SET || offset < 0 || offset > t->body.length) {
        return CURL_SEEKFUNC_FAIL;
    }
    t->pos = offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *user_data)
{
    ObsHttpTransfer *t = user_data;
    gsize length = size * count;
    g_autofree char *text = g_strndup(line, length);
    char *colon = strchr(text, ':');

    t->received += length;
    if (t->received > MAX_ANSWER + MAX_HEADER_BYTES) {
        return 0;
    }
    if (g_str_has_prefix(text, "HTTP/")) {
        /* The final answer follows a 100 or a proxy's: forget theirs. */
        g_ptr_array_set_size(t->result.response->headers, 0);
        return length;
    }
    if (!colon || colon == text) {
        return length;
    }
    *colon = '\0';
    obs_pairs_add(t->result.response->headers, g_strstrip(text),
                  g_strstrip(colon + 1));
    return length;
}

static size_t on_write(char *data, size_t size, size_t count, void *user_data)
{
    ObsHttpTransfer *t = user_data;
    gsize length = size * count;

    t->received += length;
    if (length > MAX_ANSWER - t->answer->len) {
        t->result.response->body_truncated = TRUE;
        set_failure(t, OBS_NET_LOCAL, "the answer is larger than 16 MiB");
        return 0;
    }
    g_byte_array_append(t->answer, (const guint8 *)data, length);
    return length;
}

/* ---- stall watch ---- */

static ObsHttpTransfer *find_stalled(ObsHttp *http)
{
    gint64 now = g_get_monotonic_time();

    for (GList *l = http->running.head; l; l = l->next) {
        ObsHttpTransfer *t = l->data;
        gint64 seen;
        curl_off_t wait = 0;

        if (t->failed_early) {
            continue;
        }
        seen = easy_sent(t->easy) + t->received;
        curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &wait);
        /* Waiting for a free connection or connecting has its own limit. */
        if (seen != t->seen || t->paused || !wait) {
            t->seen = seen;
            t->last_moved = now;
        }
        if (t->stall_timeout &&
            now - t->last_moved >= t->stall_timeout * G_USEC_PER_SEC) {
            g_autofree char *text =
                g_strdup_printf("no byte moved for %u s", t->stall_timeout);

            set_failure(t, OBS_NET_TIMEOUT, text);
            return t;
        }
        if (t->total_timeout &&
            now - t->started >= t->total_timeout * G_USEC_PER_SEC) {
            g_autofree char *text =
                g_strdup_printf("no answer within %u s", t->total_timeout);

            set_failure(t, OBS_NET_TIMEOUT, text);
            return t;
        }
    }
    return NULL;
}

static gboolean on_tick(gpointer user_data)
{
    ObsHttp *http = user_data;
    ObsHttpTransfer *t;

    while ((t = find_stalled(http))) {
        transfer_finish(t, CURLE_OPERATION_TIMEDOUT);
    }
    return G_SOURCE_CONTINUE;
}

/* ---- requests ---- */

static gboolean on_failed_early(gpointer user_data)
{
    ObsHttpTransfer *t = user_data;

    t->finish_queued = FALSE;
    transfer_finish(t, CURLE_FAILED_INIT);
    return G_SOURCE_REMOVE;
}

static CURLcode set_up_body(ObsHttpTransfer *t, const char *method)
{
    CURL *e = t->easy;
    CURLcode rc = CURLE_OK;

    if (strcmp(method, "HEAD") == 0) {
        return curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    }
    if (t->body.kind == OBS_BODY_NONE && strcmp(method, "GET") == 0) {
        return curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    }
    if (t->body.kind != OBS_BODY_NONE) {
        rc = curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        if (!rc) {
            rc = curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE,
                                  (curl_off_t)t->body.length);
        }
    }
    return rc ? rc : curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
}

static CURLcode set_up(ObsHttpTransfer *t, const ObsHttpRequest *request)
{
    CURL *e = t->easy;
    ObsHttp *http = t->http;
    CURLcode rc = CURLE_OK;

#define SET(option, value) \
    do { \
        if (!rc) { \
            rc = curl_easy_setopt(e, option, value); \
        } \
    } while (0)

    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_ERRORBUFFER, t->errbuf);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    /* A key may hold "/../": what is signed is what must be sent. */
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_CONNECTTIMEOUT, (long)http->config.connect_timeout);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
    SET(CURLOPT_USERAGENT, "obs-push/" OBS_PUSH_VERSION);
    SET(CURLOPT_HTTPHEADER, t->headers);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, t);
    SET(CURLOPT_SEEKFUNCTION, on_seek);
    SET(CURLOPT_SEEKDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_write);
    SET(CURLOPT_WRITEDATA, t);
    if (http->ca_file) {
        SET(CURLOPT_CAINFO, http->ca_file);
    }
    if (request->fresh_connection) {
        SET(CURLOPT_FRESH_CONNECT, 1L);
    }
    if (request->direct) {
        SET(CURLOPT_NOPROXY, "*");
    }
#undef SET
    return rc ? rc : set_up_body(t, request->method);
}

ObsHttpTransfer *obs_http_start(ObsHttp *http, const ObsHttpRequest *request,
                                ObsHttpDone done, gpointer user_data)
{
    ObsHttpTransfer *t = g_new0(ObsHttpTransfer, 1);
    CURLcode rc;
    CURLMcode mrc;

    t->http = http;
    t->done = done;
    t->user_data = user_data;
    t->body = request->body;
    if (t->body.kind == OBS_BODY_BYTES) {
        g_bytes_ref(t->body.bytes);
        t->body.length = g_bytes_get_size(t->body.bytes);
    } else {
        t->body.bytes = NULL;
    }
    t->stall_timeout = request->stall_timeout ? request->stall_timeout
                                              : http->config.stall_timeout;
    t->total_timeout = request->total_timeout;
    t->started = t->last_moved = g_get_monotonic_time();
    t->result.response = obs_response_new();
    t->answer = g_byte_array_new();
    for (guint i = 0; request->headers && request->headers[i]; i++) {
        t->headers = curl_slist_append(t->headers, request->headers[i]);
    }
    t->headers = curl_slist_append(t->headers, "Expect:");
    t->easy = curl_easy_init();
    if (!t->easy) {
        g_error("libcurl is out of memory");
    }
    g_queue_push_tail(&http->running, t);
    rc = set_up(t, request);
    if (!rc) {
        mrc = curl_multi_add_handle(obs_http_loop_multi(http->loop), t->easy);
        if (mrc) {
            rc = CURLE_FAILED_INIT;
        }
    }
    if (rc) {
        set_failure(t, net_error_of(rc), curl_easy_strerror(rc));
        t->failed_early = TRUE;
        t->finish_queued = TRUE;
        g_idle_add(on_failed_early, t);
    }
    return t;
}

void obs_http_cancel(ObsHttpTransfer *t)
{
    if (t->finish_queued) {
        g_idle_remove_by_data(t);
    }
    t->http->total_sent += easy_sent(t->easy);
    transfer_free(t);
}

gint64 obs_http_in_flight(ObsHttp *http)
{
    gint64 sum = 0;

    for (GList *l = http->running.head; l; l = l->next) {
        sum += easy_sent(((ObsHttpTransfer *)l->data)->easy);
    }
    return sum;
}

gint64 obs_http_total_sent(ObsHttp *http)
{
    return http->total_sent + obs_http_in_flight(http);
}

ObsHttp *obs_http_new(const ObsHttpConfig *config, GError **error)
{
    g_autoptr(ObsHttp) http = g_new0(ObsHttp, 1);

    g_queue_init(&http->running);
    http->config = *config;
    http->config.ca_file = http->ca_file = g_strdup(config->ca_file);
    obs_rate_init(&http->rate, config->limit_rate, g_get_monotonic_time());
    if (http->ca_file && access(http->ca_file, R_OK) != 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "cannot read the CA file %s: %s", http->ca_file,
                    g_strerror(errno));
        return NULL;
    }
    http->loop = obs_http_loop_new(config->max_connections, on_ended);
    if (!http->loop) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "libcurl cannot be initialised");
        return NULL;
    }
    http->tick_id = g_timeout_add(500, on_tick, http);
    return g_steal_pointer(&http);
}

void obs_http_free(ObsHttp *http)
{
    ObsHttpTransfer *t;

    while ((t = g_queue_peek_head(&http->running))) {
        obs_http_cancel(t);
    }
    g_clear_pointer(&http->loop, obs_http_loop_free);
    g_clear_handle_id(&http->tick_id, g_source_remove);
    g_clear_handle_id(&http->refill_id, g_source_remove);
    g_free(http->ca_file);
    g_free(http);
}
