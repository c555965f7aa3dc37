/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping secrets: memory that is locked, kept out of core dumps and wiped;
 * and what has to be blotted out before a request or an answer is shown.
 */
#ifndef OBS_SECRET_H
#define OBS_SECRET_H

#include "obs-types.h"

/*
 * Call once, before any secret is read, in the main thread: sets up the
 * locked heap and forbids core dumps and ptrace of this process. Returns FALSE
 * if the memory could not be locked (RLIMIT_MEMLOCK): secrets are then still
 * wiped, but could reach swap. Calling again is harmless.
 */
gboolean obs_secret_init(void);

/* Copy @text (@length bytes, -1: to its NUL) into wiped memory. NULL → NULL. */
gchar *obs_secret_dup(const gchar *text, gssize length);

/* @a and @b joined, likewise. */
gchar *obs_secret_concat(const gchar *a, const gchar *b);

/* Wipe and free what the two above gave. NULL is fine. */
void obs_secret_free(gchar *secret);

/* Wipe a string that other code allocated, in place, then g_free() it. */
void obs_secret_wipe_string(gchar *text);

/* Wipe the bytes behind a GBytes that we alone made; then unref it. */
void obs_secret_wipe_bytes(GBytes *bytes);

/*
 * "name: value" for a verbose log. The value is blotted out if it is secret:
 * Authorization, tokens, customer keys, cookies.
 */
gchar *obs_secret_redact_header(const gchar *name, const gchar *value);

/*
 * A URL for a verbose log: values of Signature, X-Amz-Signature, tokens and
 * a password before "@" are replaced by "***".
 */
gchar *obs_secret_redact_url(const gchar *url);

/*
 * A JSON or XML body for a verbose log: at most @max bytes, control characters
 * replaced, and the string after each key that holds a secret ("password",
 * "secret", "securitytoken", "passcode", "token"…) blotted out. Works on
 * broken and cut-off text as well: on doubt it hides.
 */
gchar *obs_secret_redact_body(const gchar *text, gsize length, gsize max);

#endif
