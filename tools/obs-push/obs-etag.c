/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums of what is uploaded: MD5 of a part, the ETag of a multipart
 * object from the MD5s of its parts, and comparing with what a server says.
 */
#include "obs-etag.h"

#include <string.h>

#include <openssl/evp.h>

#define ZEROS_SIZE (1024 * 1024)

struct ObsMd5Context {
    EVP_MD_CTX *evp;
};

ObsMd5Context *obs_md5_new(void)
{
    ObsMd5Context *context = g_new0(ObsMd5Context, 1);

    context->evp = EVP_MD_CTX_new();
    /* Fails where a FIPS policy forbids MD5, which OBS can't do without. */
    if (!context->evp || !EVP_DigestInit_ex(context->evp, EVP_md5(), NULL)) {
        g_error("MD5 is not available in this OpenSSL; OBS needs it");
    }
    return context;
}

void obs_md5_update(ObsMd5Context *context, const void *data, gsize length)
{
    EVP_DigestUpdate(context->evp, data, length);
}

void obs_md5_peek(const ObsMd5Context *context, ObsMd5 *out_md5)
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();

    if (!copy || !EVP_MD_CTX_copy_ex(copy, context->evp) ||
        !EVP_DigestFinal_ex(copy, out_md5->bytes, NULL)) {
        g_error("out of memory for an MD5 context");
    }
    EVP_MD_CTX_free(copy);
}

void obs_md5_free(ObsMd5Context *context)
{
    if (context) {
        EVP_MD_CTX_free(context->evp);
        g_free(context);
    }
}

void obs_md5_of(const void *data, gsize length, ObsMd5 *out_md5)
{
    g_autoptr(ObsMd5Context) context = obs_md5_new();

    obs_md5_update(context, data, length);
    obs_md5_peek(context, out_md5);
}

static gint compare_indirect(gconstpointer a, gconstpointer b, gpointer data)
{
    const guint64 *lengths = data;
    guint64 la = lengths[*(const gsize *)a], lb = lengths[*(const gsize *)b];

    return la < lb ? -1 : la > lb;
}

void obs_md5_of_zeros(const guint64 *lengths, gsize n, ObsMd5 *out_md5s)
{
    g_autoptr(ObsMd5Context) context = obs_md5_new();
    g_autofree guint8 *zeros = g_malloc0(ZEROS_SIZE);
    g_autofree gsize *order = g_new(gsize, n);
    guint64 done = 0;

    for (gsize i = 0; i < n; i++) {
        order[i] = i;
    }
    g_qsort_with_data(order, (gint)n, sizeof(*order), compare_indirect,
                      (gpointer)lengths);
    for (gsize i = 0; i < n; i++) {
        while (done < lengths[order[i]]) {
            gsize step = MIN(ZEROS_SIZE, lengths[order[i]] - done);

            obs_md5_update(context, zeros, step);
            done += step;
        }
        obs_md5_peek(context, &out_md5s[order[i]]);
    }
}

void obs_md5_to_hex(const ObsMd5 *md5, gchar out_hex[OBS_MD5_HEX_SIZE])
{
    static const gchar digits[] = "0123456789abcdef";

    for (guint i = 0; i < OBS_MD5_SIZE; i++) {
        out_hex[2 * i] = digits[md5->bytes[i] >> 4];
        out_hex[2 * i + 1] = digits[md5->bytes[i] & 15];
    }
    out_hex[2 * OBS_MD5_SIZE] = '\0';
}

gboolean obs_md5_from_hex(const gchar *hex, ObsMd5 *out_md5)
{
    ObsMd5 md5;

    if (strlen(hex) != OBS_MD5_HEX_SIZE - 1) {
        return FALSE;
    }
    for (guint i = 0; i < OBS_MD5_SIZE; i++) {
        gint high = g_ascii_xdigit_value(hex[2 * i]);
        gint low = g_ascii_xdigit_value(hex[2 * i + 1]);

        if (high < 0 || low < 0) {
            return FALSE;
        }
        md5.bytes[i] = (guint8)(high << 4 | low);
    }
    *out_md5 = md5;
    return TRUE;
}

gchar *obs_md5_to_base64(const ObsMd5 *md5)
{
    return g_base64_encode(md5->bytes, OBS_MD5_SIZE);
}

gchar *obs_etag_multipart(const ObsMd5 *parts, guint n)
{
    gchar hex[OBS_MD5_HEX_SIZE];
    ObsMd5 md5;

    G_STATIC_ASSERT(sizeof(ObsMd5) == OBS_MD5_SIZE);
    obs_md5_of(parts, (gsize)n * sizeof(*parts), &md5);
    obs_md5_to_hex(&md5, hex);
    return g_strdup_printf("%s-%u", hex, n);
}

gchar *obs_etag_normalize(const gchar *etag)
{
    g_autofree gchar *text = g_strstrip(g_strdup(etag));
    gsize length = strlen(text);

    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text[length - 1] = '\0';
        return g_ascii_strdown(text + 1, -1);
    }
    return g_ascii_strdown(text, -1);
}

gboolean obs_etag_equal(const gchar *a, const gchar *b)
{
    g_autofree gchar *na = obs_etag_normalize(a);
    g_autofree gchar *nb = obs_etag_normalize(b);

    return g_str_equal(na, nb);
}

static gboolean starts_with_md5(const gchar *text)
{
    for (guint i = 0; i < OBS_MD5_HEX_SIZE - 1; i++) {
        if (!g_ascii_isxdigit(text[i])) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean obs_etag_is_md5(const gchar *etag)
{
    g_autofree gchar *text = obs_etag_normalize(etag);

    return starts_with_md5(text) && !text[OBS_MD5_HEX_SIZE - 1];
}

gboolean obs_etag_is_multipart(const gchar *etag)
{
    g_autofree gchar *text = obs_etag_normalize(etag);

    return starts_with_md5(text) && text[OBS_MD5_HEX_SIZE - 1] == '-' &&
           g_ascii_string_to_unsigned(text + OBS_MD5_HEX_SIZE, 10, 1, 10000,
                                      NULL, NULL);
}
