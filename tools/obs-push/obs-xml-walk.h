/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking an XML document with bounds: GMarkup turned into calls "this element
 * has ended, this was its text". Private to obs-xml.c. GMarkup knows no
 * external entities.
 */
#ifndef OBS_XML_WALK_H
#define OBS_XML_WALK_H

#include <glib.h>

/*
 * An element has ended. @path: local names below the root, "Part/ETag"; "" for
 * the root itself. @text: its own text behind its last child. FALSE with
 * @error ends the walk.
 */
typedef gboolean (*ObsXmlElement)(const gchar *path, const gchar *text,
                                  gpointer data, GError **error);

/*
 * @roots: accepted names of the root, NULL-terminated. @out_root_seen (may be
 * NULL): the root was right, whatever came after. Bounds: obs-xml.h.
 */
gboolean obs_xml_walk(const gchar *text, gsize length,
                      const gchar *const *roots, ObsXmlElement func,
                      gpointer data, gboolean *out_root_seen,
                      GError **error);

/* "unusable XML answer: …" as OBS_ERROR_FAILED, on one clean line. */
void obs_xml_bad(GError **error, const gchar *format, ...)
    G_GNUC_PRINTF(2, 3);

#endif
