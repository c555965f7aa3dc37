/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign text made fit for a message.
 */
#include "obs-text.h"

gchar *obs_text_clean(const gchar *text, gssize length, gsize max)
{
    g_autofree gchar *valid = g_utf8_make_valid(text, length);
    GString *out = g_string_new(NULL);

    for (const gchar *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (g_unichar_iscntrl(c) || g_unichar_type(c) == G_UNICODE_FORMAT) {
            c = ' ';
        }
        if (out->len + (gsize)g_unichar_to_utf8(c, NULL) > max) {
            g_string_append(out, "…");
            break;
        }
        g_string_append_unichar(out, c);
    }
    return g_strstrip(g_string_free(out, FALSE));
}
