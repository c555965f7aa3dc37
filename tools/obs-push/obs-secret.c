/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping secrets: memory that is locked, kept out of core dumps and wiped;
 * and what has to be blotted out before a request or an answer is shown.
 */
#include "obs-secret.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <openssl/crypto.h>

/* Tokens are several KB each, and a renewal holds two of them for a while. */
#define SECURE_HEAP_SIZE (256 * 1024)
#define BLOT "***"

gboolean obs_secret_init(void)
{
    static gboolean done, locked;

    if (done) {
        return locked;
    }
    done = TRUE;
    /* 1: locked; 2: usable, but the memory could not be locked. */
    locked = CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, 0) == 1;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
#ifndef __SANITIZE_ADDRESS__
    /* LeakSanitizer attaches to its own process, which this would forbid. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    return locked;
}

static gchar *secret_alloc(gsize size)
{
    gchar *memory = OPENSSL_secure_malloc(size);

    if (!memory) {
        /* The locked heap is full: better in plain memory than not at all. */
        memory = OPENSSL_malloc(size);
    }
    if (!memory) {
        g_error("out of memory for a secret of %" G_GSIZE_FORMAT " bytes",
                size);
    }
    return memory;
}

gchar *obs_secret_dup(const gchar *text, gssize length)
{
    gsize size;
    gchar *copy;

    if (!text) {
        return NULL;
    }
    size = length < 0 ? strlen(text) : (gsize)length;
    copy = secret_alloc(size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

gchar *obs_secret_concat(const gchar *a, const gchar *b)
{
    gsize a_length = strlen(a), b_length = strlen(b);
    gchar *joined = secret_alloc(a_length + b_length + 1);

    memcpy(joined, a, a_length);
    memcpy(joined + a_length, b, b_length + 1);
    return joined;
}

void obs_secret_free(gchar *secret)
{
    if (secret) {
        /* Also right for memory that did not come from the locked heap. */
        OPENSSL_secure_clear_free(secret, strlen(secret) + 1);
    }
}

void obs_secret_wipe_string(gchar *text)
{
    if (text) {
        OPENSSL_cleanse(text, strlen(text));
        g_free(text);
    }
}

void obs_secret_wipe_bytes(GBytes *bytes)
{
    if (bytes) {
        gsize size;
        gconstpointer data = g_bytes_get_data(bytes, &size);

        /* GBytes promises not to change; the last owner may break that. */
        if (size) {
            OPENSSL_cleanse((gpointer)data, size);
        }
        g_bytes_unref(bytes);
    }
}

/* ------------------------------------------------------------------------ */
/* Headers and URLs */

static gboolean equals_any(const gchar *text, const gchar *const *list)
{
    for (; *list; list++) {
        if (g_ascii_strcasecmp(text, *list) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* Must this header's value never be shown? */
static gboolean is_secret_header(const gchar *name)
{
    static const gchar *const names[] = {
        "authorization", "proxy-authorization", "x-auth-token",
        "x-subject-token", "x-security-token", "x-obs-security-token",
        "x-amz-security-token", "x-metadata-token", "cookie", "set-cookie",
        NULL,
    };
    g_autofree gchar *lower = g_ascii_strdown(name, -1);

    return equals_any(lower, names) || strstr(lower, "-customer-key");
}

gchar *obs_secret_redact_header(const gchar *name, const gchar *value)
{
    const gchar *end = NULL;

    if (!is_secret_header(name)) {
        return g_strdup_printf("%s: %s", name, value);
    }
    if (g_ascii_strcasecmp(name, "authorization") == 0) {
        /* Who signed what is no secret, and what one has to know in doubt. */
        end = strstr(value, "Signature=");
        if (end) {
            end += strlen("Signature=");
        } else if (g_str_has_prefix(value, "OBS ") ||
                   g_str_has_prefix(value, "AWS ")) {
            end = strchr(value, ':');
            end = end ? end + 1 : NULL;
        }
    }
    return g_strdup_printf("%s: %.*s" BLOT, name,
                           end ? (int)(end - value) : 0, value);
}

gchar *obs_secret_redact_url(const gchar *url)
{
    static const gchar *const names[] = {
        "signature", "x-amz-signature", "x-amz-security-token",
        "x-obs-security-token", "x-auth-token", "token", "password", NULL,
    };
    GString *out = g_string_new(NULL);
    const gchar *authority = strstr(url, "://");
    const gchar *p = url;

    if (authority) {
        const gchar *at;
        gsize length;

        authority += 3;
        length = strcspn(authority, "/?#");
        at = g_strrstr_len(authority, (gssize)length, "@");
        if (at) {
            g_string_append_len(out, url, authority - url);
            g_string_append(out, BLOT);
            p = at;
        }
    }
    while (*p) {
        gsize length = strcspn(p, "?&#");
        const gchar *equals = memchr(p, '=', length);
        g_autofree gchar *name = NULL;

        if (equals) {
            name = g_strndup(p, equals - p);
        }
        if (name && equals_any(name, names)) {
            g_string_append_printf(out, "%s=" BLOT, name);
        } else {
            g_string_append_len(out, p, length);
        }
        p += length;
        if (*p) {
            g_string_append_c(out, *p++);
        }
    }
    return g_string_free(out, FALSE);
}

/* ------------------------------------------------------------------------ */
/* Bodies */

/* Length of a secret's name at @p, 0 if none begins here. */
static gsize secret_name(const gchar *p, const gchar *end)
{
    static const gchar *const words[] = {
        "password", "passcode", "secret", "token", "signature",
        "customer-key",
    };

    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize length = strlen(words[i]);

        if ((gsize)(end - p) >= length &&
            g_ascii_strncasecmp(p, words[i], length) == 0) {
            while (p + length < end &&
                   (g_ascii_isalnum(p[length]) || p[length] == '_' ||
                    p[length] == '-')) {
                length++;
            }
            return length;
        }
    }
    return 0;
}

static const gchar *skip_any(const gchar *p, const gchar *end,
                             const gchar *set)
{
    while (p < end && *p && strchr(set, *p)) {
        p++;
    }
    return p;
}

/* End of the JSON value, XML text or header value that begins at @p. */
static const gchar *skip_value(const gchar *p, const gchar *end)
{
    gint depth = 0;
    gboolean quoted = FALSE;

    if (p < end && (*p == '{' || *p == '[' || *p == '"')) {
        for (; p < end; p++) {
            if (*p == '\\') {
                p++;
            } else if (*p == '"') {
                quoted = !quoted;
            } else if (!quoted && (*p == '{' || *p == '[')) {
                depth++;
            } else if (!quoted && (*p == '}' || *p == ']')) {
                depth--;
            }
            if (p < end && !quoted && depth <= 0) {
                return p + 1;
            }
        }
        return end;
    }
    while (p < end && !strchr(",}]&|<\"\\\n", *p)) {
        p++;
    }
    return p;
}

gchar *obs_secret_redact_body(const gchar *text, gsize length, gsize max)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree gchar *valid = NULL;
    const gchar *p = text, *end = text + length;

    while (p < end) {
        gsize name = secret_name(p, end);
        const gchar *after, *value;

        if (!name) {
            g_string_append_c(out, *p && !g_ascii_iscntrl(*p) ? *p : ' ');
            p++;
            continue;
        }
        g_string_append_len(out, p, name);
        p += name;
        /* What may stand between a name and its value: ": " or \": or > */
        after = skip_any(p, end, "\\\" \t\r\n");
        value = skip_any(after, end, ":=>");
        if (value == after) {
            continue;
        }
        value = skip_any(value, end, "\\ \t\r\n");
        if (value < end && *value != '<') {
            g_string_append_len(out, p, value - p);
            g_string_append(out, BLOT);
        } else {
            g_string_append_len(out, p, value - p);
        }
        p = skip_value(value, end);
    }
    valid = g_utf8_make_valid(out->str, (gssize)out->len);
    for (gchar *c = valid; *c; c++) {
        if (g_ascii_iscntrl(*c)) {
            *c = ' ';
        }
    }
    if (strlen(valid) > max) {
        gsize cut = max;

        while (cut && ((guchar)valid[cut] & 0xc0) == 0x80) {
            cut--;
        }
        valid[cut] = '\0';
        return g_strconcat(valid, "…", NULL);
    }
    return g_steal_pointer(&valid);
}
