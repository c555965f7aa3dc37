/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign text made fit for a message.
 */
#ifndef OBS_TEXT_H
#define OBS_TEXT_H

#include <glib.h>

/*
 * A copy of @text (@length bytes, -1: to its NUL) for one line of a terminal:
 * valid UTF-8, no control or formatting characters, trimmed, and cut with "…"
 * after at most @max bytes. Free with g_free().
 */
gchar *obs_text_clean(const gchar *text, gssize length, gsize max);

#endif
