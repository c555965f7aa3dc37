/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signs requests with obs-push's own signer, for comparison with the vendor's:
 * one JSON object a line on standard input, one Authorization a line out.
 *
 *   {"sign": "obs|v2|sdk", "method": "PUT", "host": …, "bucket": …, "key": …,
 *    "path": …, "query": [[name, value or null]…], "headers": [[…]…],
 *    "body": …, "ak": …, "sk": …, "token": …, "time": epoch seconds}
 */
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "obs-sign.h"

static const gchar *text(JsonObject *o, const gchar *name)
{
    return json_object_get_string_member_with_default(o, name, NULL);
}

static void add_pairs(GPtrArray *to, JsonObject *o, const gchar *name)
{
    JsonArray *list = json_object_get_array_member(o, name);

    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonArray *pair = json_array_get_array_element(list, i);
        gboolean bare = json_array_get_null_element(pair, 1);

        obs_pairs_add(to, json_array_get_string_element(pair, 0),
                      bare ? NULL : json_array_get_string_element(pair, 1));
    }
}

static ObsMethod method_of(const gchar *name)
{
    ObsMethod m = OBS_METHOD_GET;

    while (m < OBS_METHOD_DELETE && g_strcmp0(obs_method_name(m), name)) {
        m++;
    }
    return m;
}

static gboolean sign_line(const gchar *line, GError **error)
{
    g_autoptr(JsonNode) node = json_from_string(line, error);
    JsonObject *o = node ? json_node_get_object(node) : NULL;
    ObsSignOptions options = { 0 };
    ObsEndpoint endpoint = { .https = TRUE };
    g_autoptr(ObsRequest) request = NULL;
    g_autoptr(ObsCredentials) keys = NULL;
    g_autoptr(GPtrArray) added = NULL;
    ObsMethod method;

    if (!o) {
        return FALSE;
    }
    if (!obs_sign_method_parse(text(o, "sign"), &options.method)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE, "no such signature");
        return FALSE;
    }
    options.time = json_object_get_int_member(o, "time");
    endpoint.host = (gchar *)text(o, "host");
    method = method_of(text(o, "method"));
    if (text(o, "bucket")) {
        request = obs_request_new_obs(method, &endpoint,
                                      OBS_ADDRESSING_VIRTUAL,
                                      text(o, "bucket"), text(o, "key"));
    } else {
        request = obs_request_new_path(method, OBS_SERVICE_IMS, &endpoint,
                                       text(o, "path"));
    }
    add_pairs(request->query, o, "query");
    add_pairs(request->headers, o, "headers");
    if (text(o, "body")) {
        request->body = g_bytes_new(text(o, "body"),
                                    strlen(text(o, "body")));
    }
    obs_sign_translate(request, options.method);
    keys = obs_credentials_new(text(o, "ak"), text(o, "sk"),
                               text(o, "token"), 0);
    added = obs_sign_headers(request, keys, &options, NULL, error);
    if (!added) {
        return FALSE;
    }
    puts(obs_pairs_get(added, "Authorization"));
    return TRUE;
}

int main(void)
{
    g_autoptr(GError) error = NULL;
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        if (!sign_line(line, &error)) {
            fprintf(stderr, "sign-lines: %s\n",
                    error ? error->message : "not an object");
            return 1;
        }
    }
    free(line);
    return 0;
}
