/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plain values that pass between policy and mechanism: an endpoint, a
 * request that can be signed, turned into a URL and sent, and its answer.
 * They own their members; nothing here does I/O.
 */
#ifndef OBS_TYPES_H
#define OBS_TYPES_H

#include <glib.h>

#include "obs-error.h"

/* A header or a query parameter. @value NULL: query name without "=". */
typedef struct {
    gchar *name;
    gchar *value;
} ObsPair;

/* An array that owns ObsPair elements. */
GPtrArray *obs_pairs_new(void);

/* Value of the first pair with this name (ASCII case ignored); NULL if none. */
const gchar *obs_pairs_get(const GPtrArray *pairs, const gchar *name);

/* Append a pair, keeping pairs of the same name. */
void obs_pairs_add(GPtrArray *pairs, const gchar *name, const gchar *value);

/* Drop all pairs of this name (case ignored), then append if @value != NULL. */
void obs_pairs_set(GPtrArray *pairs, const gchar *name, const gchar *value);

/* Where a service listens. @port 0 stands for the default of the scheme. */
typedef struct {
    gboolean https;
    gchar *host;        /* lower case; an IPv6 address without brackets */
    guint16 port;
} ObsEndpoint;

ObsEndpoint *obs_endpoint_copy(const ObsEndpoint *endpoint);
void obs_endpoint_free(ObsEndpoint *endpoint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsEndpoint, obs_endpoint_free)

typedef enum {
    OBS_METHOD_GET,
    OBS_METHOD_HEAD,
    OBS_METHOD_PUT,
    OBS_METHOD_POST,
    OBS_METHOD_DELETE,
} ObsMethod;

const gchar *obs_method_name(ObsMethod method);

typedef enum {
    OBS_SERVICE_OBS,        /* object storage: bucket, key, addressing */
    OBS_SERVICE_IMS,        /* image service: path */
    OBS_SERVICE_IAM,        /* identity service: path */
    OBS_SERVICE_METADATA,   /* 169.254.169.254: path; no proxy, short wait */
} ObsService;

typedef enum {
    OBS_ADDRESSING_VIRTUAL, /* https://bucket.endpoint/key */
    OBS_ADDRESSING_PATH,    /* https://endpoint/bucket/key */
    OBS_ADDRESSING_CUSTOM,  /* https://endpoint/key: the host is the bucket */
} ObsAddressing;

/*
 * One request, before signing. Text is decoded UTF-8: obs-url and obs-sign do
 * the percent-encoding, each as its consumer wants it.
 */
typedef struct {
    ObsMethod method;
    ObsService service;
    ObsEndpoint *endpoint;      /* without the bucket in front of the host */
    ObsAddressing addressing;   /* OBS only */
    gchar *bucket;              /* OBS only; NULL: list of buckets */
    gchar *key;                 /* OBS only; NULL: the bucket itself */
    gchar *path;                /* the others: begins with "/" */
    GPtrArray *query;           /* ObsPair */
    GPtrArray *headers;         /* ObsPair; without Host and authorization */
    GBytes *body;               /* NULL: none, or streamed by the caller */
} ObsRequest;

/* To OBS. @endpoint is copied; @bucket and @key as in ObsRequest. */
ObsRequest *obs_request_new_obs(ObsMethod method, const ObsEndpoint *endpoint,
                                ObsAddressing addressing, const gchar *bucket,
                                const gchar *key);

/* To another service. @endpoint is copied; @path begins with "/". */
ObsRequest *obs_request_new_path(ObsMethod method, ObsService service,
                                 const ObsEndpoint *endpoint,
                                 const gchar *path);

void obs_request_free(ObsRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsRequest, obs_request_free)

/* Set a JSON body and its Content-Type. The text is copied. */
void obs_request_set_json(ObsRequest *request, const gchar *json);

/* Why no usable HTTP answer came; set by whoever sent the request. */
typedef enum {
    OBS_NET_OK,             /* an HTTP status was received */
    OBS_NET_CONNECT,        /* no such host, refused…: nothing was sent */
    OBS_NET_TLS_VERIFY,     /* the certificate is not trusted */
    OBS_NET_TLS,            /* handshake failed; nothing was sent */
    OBS_NET_TIMEOUT,        /* stalled or took too long; may have arrived */
    OBS_NET_BROKEN,         /* connection lost under way; may have arrived */
    OBS_NET_ABORTED,        /* we stopped it: interrupt or source read error */
    OBS_NET_LOCAL,          /* out of memory, wrong option, bad URL, answer
                             * larger than anybody needs */
} ObsNetError;

/* One answer. With @net other than OBS_NET_OK the rest may be partial. */
typedef struct {
    ObsNetError net;
    gchar *net_message;         /* one line about @net, or NULL */
    guint status;               /* HTTP status, 0 if none came */
    GPtrArray *headers;         /* ObsPair, as received */
    GBytes *body;               /* NULL: none */
    gboolean body_truncated;    /* the body exceeded the receiver's bound */
} ObsResponse;

ObsResponse *obs_response_new(void);
void obs_response_free(ObsResponse *response);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsResponse, obs_response_free)

/* First header of that name or NULL. */
const gchar *obs_response_header(const ObsResponse *response,
                                 const gchar *name);

/*
 * Header "x-obs-<suffix>" or, failing that, "x-amz-<suffix>": OBS answers in
 * the dialect that it was asked in.
 */
const gchar *obs_response_obs_header(const ObsResponse *response,
                                     const gchar *suffix);

#endif
