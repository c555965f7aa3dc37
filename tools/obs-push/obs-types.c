/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life and small accessors of the values in obs-types.h.
 */
#include "obs-types.h"

#include <string.h>

#include <openssl/crypto.h>

static ObsPair *pair_new(const gchar *name, const gchar *value)
{
    ObsPair *pair = g_new(ObsPair, 1);

    pair->name = g_strdup(name);
    pair->value = g_strdup(value);
    return pair;
}

static void pair_free(gpointer data)
{
    ObsPair *pair = data;

    if (pair) {
        /* The value may be a token: nothing of it stays in freed memory. */
        if (pair->value) {
            OPENSSL_cleanse(pair->value, strlen(pair->value));
        }
        g_free(pair->name);
        g_free(pair->value);
        g_free(pair);
    }
}

GPtrArray *obs_pairs_new(void)
{
    return g_ptr_array_new_with_free_func(pair_free);
}

const gchar *obs_pairs_get(const GPtrArray *pairs, const gchar *name)
{
    for (guint i = 0; i < pairs->len; i++) {
        const ObsPair *pair = pairs->pdata[i];

        if (g_ascii_strcasecmp(pair->name, name) == 0) {
            return pair->value;
        }
    }
    return NULL;
}

void obs_pairs_add(GPtrArray *pairs, const gchar *name, const gchar *value)
{
    g_ptr_array_add(pairs, pair_new(name, value));
}

void obs_pairs_set(GPtrArray *pairs, const gchar *name, const gchar *value)
{
    guint i = 0;

    while (i < pairs->len) {
        const ObsPair *pair = pairs->pdata[i];

        if (g_ascii_strcasecmp(pair->name, name) == 0) {
            g_ptr_array_remove_index(pairs, i);
        } else {
            i++;
        }
    }
    if (value) {
        obs_pairs_add(pairs, name, value);
    }
}

ObsEndpoint *obs_endpoint_copy(const ObsEndpoint *endpoint)
{
    ObsEndpoint *copy;

    if (!endpoint) {
        return NULL;
    }
    copy = g_new0(ObsEndpoint, 1);
    copy->https = endpoint->https;
    copy->host = g_strdup(endpoint->host);
    copy->port = endpoint->port;
    return copy;
}

void obs_endpoint_free(ObsEndpoint *endpoint)
{
    if (endpoint) {
        g_free(endpoint->host);
        g_free(endpoint);
    }
}

const gchar *obs_method_name(ObsMethod method)
{
    switch (method) {
    case OBS_METHOD_GET:
        return "GET";
    case OBS_METHOD_HEAD:
        return "HEAD";
    case OBS_METHOD_PUT:
        return "PUT";
    case OBS_METHOD_POST:
        return "POST";
    case OBS_METHOD_DELETE:
        return "DELETE";
    }
    g_return_val_if_reached("GET");
}

/* Empty query, headers and body. */
static ObsRequest *request_new(ObsMethod method, ObsService service,
                               const ObsEndpoint *endpoint)
{
    ObsRequest *request = g_new0(ObsRequest, 1);

    request->method = method;
    request->service = service;
    request->endpoint = obs_endpoint_copy(endpoint);
    request->query = obs_pairs_new();
    request->headers = obs_pairs_new();
    return request;
}

ObsRequest *obs_request_new_obs(ObsMethod method, const ObsEndpoint *endpoint,
                                ObsAddressing addressing, const gchar *bucket,
                                const gchar *key)
{
    ObsRequest *request = request_new(method, OBS_SERVICE_OBS, endpoint);

    request->addressing = addressing;
    request->bucket = g_strdup(bucket);
    request->key = g_strdup(key);
    return request;
}

ObsRequest *obs_request_new_path(ObsMethod method, ObsService service,
                                 const ObsEndpoint *endpoint,
                                 const gchar *path)
{
    ObsRequest *request = request_new(method, service, endpoint);

    request->path = g_strdup(path);
    return request;
}

void obs_request_free(ObsRequest *request)
{
    if (!request) {
        return;
    }
    obs_endpoint_free(request->endpoint);
    g_free(request->bucket);
    g_free(request->key);
    g_free(request->path);
    g_ptr_array_unref(request->query);
    g_ptr_array_unref(request->headers);
    g_clear_pointer(&request->body, g_bytes_unref);
    g_free(request);
}

void obs_request_set_json(ObsRequest *request, const gchar *json)
{
    g_clear_pointer(&request->body, g_bytes_unref);
    request->body = g_bytes_new(json, strlen(json));
    obs_pairs_set(request->headers, "Content-Type", "application/json");
}

ObsResponse *obs_response_new(void)
{
    ObsResponse *response = g_new0(ObsResponse, 1);

    response->headers = obs_pairs_new();
    return response;
}

void obs_response_free(ObsResponse *response)
{
    if (!response) {
        return;
    }
    g_free(response->net_message);
    g_ptr_array_unref(response->headers);
    g_clear_pointer(&response->body, g_bytes_unref);
    g_free(response);
}

const gchar *obs_response_header(const ObsResponse *response,
                                 const gchar *name)
{
    return obs_pairs_get(response->headers, name);
}

const gchar *obs_response_obs_header(const ObsResponse *response,
                                     const gchar *suffix)
{
    g_autofree gchar *obs = g_strconcat("x-obs-", suffix, NULL);
    g_autofree gchar *amz = g_strconcat("x-amz-", suffix, NULL);
    const gchar *value = obs_pairs_get(response->headers, obs);

    return value ? value : obs_pairs_get(response->headers, amz);
}
