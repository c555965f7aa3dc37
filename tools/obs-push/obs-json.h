/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading JSON that a server sent, without trusting it: bounded size and
 * nesting (json-glib recurses), and getters that accept a missing, null or
 * wrongly typed member as "not there". Pure.
 */
#ifndef OBS_JSON_H
#define OBS_JSON_H

#include <json-glib/json-glib.h>

#define OBS_JSON_MAX_SIZE (8 * 1024 * 1024)
#define OBS_JSON_MAX_DEPTH 32

/*
 * Parse @body (may be NULL). @what names the answer in messages, for example
 * "IMS job answer". OBS_ERROR_FAILED if it is not one object or array, too
 * big or too deep. Free with json_node_unref().
 */
JsonNode *obs_json_parse(GBytes *body, const gchar *what, GError **error);

/* The node as object or array, or NULL. */
JsonObject *obs_json_object(JsonNode *node);
JsonArray *obs_json_array(JsonNode *node);

/* Members of @object (which may be NULL). The text stays the object's. */
JsonObject *obs_json_get_object(JsonObject *object, const gchar *name);
JsonArray *obs_json_get_array(JsonObject *object, const gchar *name);
const gchar *obs_json_get_string(JsonObject *object, const gchar *name);

/* A number, or a string that is one; FALSE if it is neither. */
gboolean obs_json_get_int(JsonObject *object, const gchar *name,
                          gint64 *out_value);
gboolean obs_json_get_double(JsonObject *object, const gchar *name,
                             gdouble *out_value);

/* Like get_string, but a number is turned into text. Free with g_free(). */
gchar *obs_json_dup_text(JsonObject *object, const gchar *name);

#endif
