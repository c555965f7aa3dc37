/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading JSON that a server sent, without trusting it.
 */
#include "obs-json.h"

#include <string.h>

#include "obs-error.h"
#include "obs-text.h"

/*
 * NULL if @text is one object or array that is not nested too deep, else what
 * is wrong. json-glib recurses, and of several values in a row it takes the
 * last one and leaks the others.
 */
static const gchar *check_outline(const gchar *text, gsize length)
{
    guint depth = 0;
    gboolean quoted = FALSE, seen = FALSE;

    for (gsize i = 0; i < length; i++) {
        if (quoted) {
            if (text[i] == '\\') {
                i++;
            } else if (text[i] == '"') {
                quoted = FALSE;
            }
        } else if (text[i] == '{' || text[i] == '[') {
            if (depth == 0 && seen) {
                return "has more than one value";
            }
            if (depth == OBS_JSON_MAX_DEPTH) {
                return "is nested too deep";
            }
            seen = TRUE;
            depth++;
        } else if (depth == 0 && !g_ascii_isspace(text[i])) {
            return "is not valid JSON";
        } else if (text[i] == '"') {
            quoted = TRUE;
        } else if (text[i] == '}' || text[i] == ']') {
            depth--;
        }
    }
    return seen && depth == 0 ? NULL : "is not valid JSON";
}

JsonNode *obs_json_parse(GBytes *body, const gchar *what, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) local = NULL;
    const gchar *text = NULL, *problem;
    gsize length = 0;
    JsonNode *root;

    if (body) {
        text = g_bytes_get_data(body, &length);
    }
    if (length == 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s is empty", what);
        return NULL;
    }
    if (length > OBS_JSON_MAX_SIZE) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "%s has %" G_GSIZE_FORMAT " bytes, more than is "
                    "plausible", what, length);
        return NULL;
    }
    problem = check_outline(text, length);
    if (problem) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s %s", what,
                    problem);
        return NULL;
    }
    if (!g_utf8_validate(text, (gssize)length, NULL)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "%s is not valid UTF-8", what);
        return NULL;
    }
    if (!json_parser_load_from_data(parser, text, (gssize)length, &local)) {
        /* The parser quotes what it could not read. */
        g_autofree gchar *reason = obs_text_clean(local->message, -1, 200);

        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "%s is not valid JSON: %s", what, reason);
        return NULL;
    }
    root = json_parser_get_root(parser);
    if (!root) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s is empty", what);
        return NULL;
    }
    return json_node_ref(root);
}

JsonObject *obs_json_object(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node)
                                                : NULL;
}

JsonArray *obs_json_array(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node)
                                               : NULL;
}

static JsonNode *member(JsonObject *object, const gchar *name)
{
    return object ? json_object_get_member(object, name) : NULL;
}

JsonObject *obs_json_get_object(JsonObject *object, const gchar *name)
{
    return obs_json_object(member(object, name));
}

JsonArray *obs_json_get_array(JsonObject *object, const gchar *name)
{
    return obs_json_array(member(object, name));
}

static GType value_type(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_VALUE(node)
           ? json_node_get_value_type(node) : G_TYPE_INVALID;
}

const gchar *obs_json_get_string(JsonObject *object, const gchar *name)
{
    JsonNode *node = member(object, name);

    return value_type(node) == G_TYPE_STRING ? json_node_get_string(node)
                                             : NULL;
}

gboolean obs_json_get_int(JsonObject *object, const gchar *name,
                          gint64 *out_value)
{
    JsonNode *node = member(object, name);

    if (value_type(node) == G_TYPE_INT64) {
        *out_value = json_node_get_int(node);
        return TRUE;
    }
    if (value_type(node) == G_TYPE_STRING) {
        return g_ascii_string_to_signed(json_node_get_string(node), 10,
                                        G_MININT64, G_MAXINT64, out_value,
                                        NULL);
    }
    return FALSE;
}

gboolean obs_json_get_double(JsonObject *object, const gchar *name,
                             gdouble *out_value)
{
    JsonNode *node = member(object, name);
    GType type = value_type(node);

    if (type == G_TYPE_INT64 || type == G_TYPE_DOUBLE) {
        *out_value = json_node_get_double(node);
        return TRUE;
    }
    if (type == G_TYPE_STRING) {
        const gchar *text = json_node_get_string(node);
        gchar *end;
        gdouble value = g_ascii_strtod(text, &end);

        if (end != text && !*end) {
            *out_value = value;
            return TRUE;
        }
    }
    return FALSE;
}

gchar *obs_json_dup_text(JsonObject *object, const gchar *name)
{
    gint64 number;
    const gchar *text = obs_json_get_string(object, name);

    if (text) {
        return g_strdup(text);
    }
    if (obs_json_get_int(object, name, &number)) {
        return g_strdup_printf("%" G_GINT64_FORMAT, number);
    }
    return NULL;
}
