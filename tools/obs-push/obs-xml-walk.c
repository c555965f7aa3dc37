/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking an XML document with bounds.
 */
#include "obs-xml-walk.h"

#include <string.h>

#include "obs-text.h"
#include "obs-xml.h"

typedef struct {
    const gchar *const *roots;  /* accepted names of the root */
    GString *path;
    GString *text;              /* of the innermost open element */
    guint depth;
    gboolean root_seen;
    ObsXmlElement func;
    gpointer data;
} Walk;

/*
 * The reason may quote the document, so it is made fit for one line. GMarkup
 * even quotes single bytes of a longer character.
 */
void obs_xml_bad(GError **error, const gchar *format, ...)
{
    g_autofree gchar *raw = NULL;
    g_autofree gchar *text = NULL;
    va_list args;

    va_start(args, format);
    raw = g_strdup_vprintf(format, args);
    va_end(args);
    text = obs_text_clean(raw, -1, 300);
    g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "unusable XML answer: %s",
                text);
}

static const gchar *local_name(const gchar *name)
{
    const gchar *colon = strrchr(name, ':');

    return colon ? colon + 1 : name;
}

static void on_start(GMarkupParseContext *context, const gchar *name,
                     const gchar **attributes, const gchar **values,
                     gpointer data, GError **error)
{
    Walk *walk = data;
    const gchar *local = local_name(name);

    if (walk->depth == OBS_XML_MAX_DEPTH) {
        obs_xml_bad(error, "more than %d elements inside each other",
                    OBS_XML_MAX_DEPTH);
        return;
    }
    if (strlen(local) > 128) {
        obs_xml_bad(error, "element name of %" G_GSIZE_FORMAT " bytes",
                    strlen(local));
        return;
    }
    if (walk->depth == 0) {
        if (g_str_equal(local, "Error") &&
            !g_strv_contains(walk->roots, "Error")) {
            obs_xml_bad(error, "it reports an error in place of a result");
            return;
        }
        if (!g_strv_contains(walk->roots, local)) {
            obs_xml_bad(error, "<%s> where <%s> was expected", local,
                        walk->roots[0]);
            return;
        }
        walk->root_seen = TRUE;
    } else {
        g_string_append_printf(walk->path, "%s%s", walk->path->len ? "/" : "",
                               local);
    }
    walk->depth++;
    g_string_truncate(walk->text, 0);
}

static void on_text(GMarkupParseContext *context, const gchar *text,
                    gsize length, gpointer data, GError **error)
{
    Walk *walk = data;

    if (length > OBS_XML_MAX_TEXT - walk->text->len) {
        obs_xml_bad(error, "more than %d bytes of text in %s", OBS_XML_MAX_TEXT,
                    walk->path->str);
        return;
    }
    g_string_append_len(walk->text, text, (gssize)length);
}

static void on_end(GMarkupParseContext *context, const gchar *name,
                   gpointer data, GError **error)
{
    Walk *walk = data;
    gchar *slash;

    if (!walk->func(walk->path->str, walk->text->str, walk->data, error)) {
        return;
    }
    slash = strrchr(walk->path->str, '/');
    g_string_truncate(walk->path,
                      slash ? (gsize)(slash - walk->path->str) : 0);
    g_string_truncate(walk->text, 0);
    walk->depth--;
}

gboolean obs_xml_walk(const gchar *text, gsize length,
                      const gchar *const *roots, ObsXmlElement func,
                      gpointer data, gboolean *out_root_seen,
                      GError **error)
{
    static const GMarkupParser parser = {
        .start_element = on_start, .end_element = on_end, .text = on_text,
    };
    Walk walk = {
        .roots = roots, .path = g_string_new(NULL),
        .text = g_string_new(NULL), .func = func, .data = data,
    };
    g_autoptr(GError) local = NULL;
    g_autoptr(GMarkupParseContext) context = NULL;
    gboolean ok;

    context = g_markup_parse_context_new(&parser,
                                         G_MARKUP_TREAT_CDATA_AS_TEXT, &walk,
                                         NULL);
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    if (length == 0) {
        obs_xml_bad(&local, "it is empty");
        ok = FALSE;
    } else if (length > OBS_XML_MAX_SIZE) {
        obs_xml_bad(&local, "it has more than %d bytes", OBS_XML_MAX_SIZE);
        ok = FALSE;
    } else if (!g_utf8_validate(text, (gssize)length, NULL)) {
        /* GMarkup lets broken names through. */
        obs_xml_bad(&local, "it is not valid UTF-8");
        ok = FALSE;
    } else {
        ok = g_markup_parse_context_parse(context, text, (gssize)length,
                                          &local) &&
             g_markup_parse_context_end_parse(context, &local);
    }
    g_string_free(walk.path, TRUE);
    g_string_free(walk.text, TRUE);
    if (out_root_seen) {
        *out_root_seen = walk.root_seen;
    }
    if (!ok && local->domain == OBS_ERROR) {
        g_propagate_error(error, g_steal_pointer(&local));
    } else if (!ok) {
        obs_xml_bad(error, "%s", local->message);
    }
    return ok;
}
