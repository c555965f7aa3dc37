/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums: known MD5s, ETags of multipart objects, runs of zeros, and how
 * loosely ETags are compared.
 */
#include <string.h>

#include "obs-etag.h"

static void test_known(void)
{
    static const struct {
        const gchar *text, *hex, *base64;
    } table[] = {
        { "", "d41d8cd98f00b204e9800998ecf8427e",
          "1B2M2Y8AsgTpgAmY7PhCfg==" },
        { "a", "0cc175b9c0f1b6a831c399e269772661",
          "DMF1ucDxtqgxw5niaXcmYQ==" },
        { "message digest", "f96b697d7cb7938d525a2f31aaf161d0",
          "+WtpfXy3k41SWi8xqvFh0A==" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        gchar hex[OBS_MD5_HEX_SIZE];
        ObsMd5 md5, back;
        g_autofree gchar *base64 = NULL;

        obs_md5_of(table[i].text, strlen(table[i].text), &md5);
        obs_md5_to_hex(&md5, hex);
        base64 = obs_md5_to_base64(&md5);
        g_assert_cmpstr(hex, ==, table[i].hex);
        g_assert_cmpstr(base64, ==, table[i].base64);
        g_assert_true(obs_md5_from_hex(hex, &back));
        g_assert_cmpmem(&md5, sizeof(md5), &back, sizeof(back));
    }
}

static void test_peek_goes_on(void)
{
    g_autoptr(ObsMd5Context) context = obs_md5_new();
    ObsMd5 first, whole, expected;

    obs_md5_update(context, "message ", 8);
    obs_md5_peek(context, &first);
    obs_md5_update(context, "digest", 6);
    obs_md5_peek(context, &whole);
    obs_md5_of("message digest", 14, &expected);
    g_assert_cmpmem(&whole, sizeof(whole), &expected, sizeof(expected));
    obs_md5_of("message ", 8, &expected);
    g_assert_cmpmem(&first, sizeof(first), &expected, sizeof(expected));
}

static void test_zeros(void)
{
    static const guint64 lengths[] = { 5242880, 0, 123, 1048577, 123 };
    static const gchar *const hex[] = {
        "5f363e0e58a95f06cbe9bbc662c5dfb6", NULL,
        "b1fec41621e338896e2d26f232a6b006", NULL,
        "b1fec41621e338896e2d26f232a6b006",
    };
    ObsMd5 md5s[G_N_ELEMENTS(lengths)];

    obs_md5_of_zeros(lengths, G_N_ELEMENTS(lengths), md5s);
    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autofree guint8 *zeros = g_malloc0(lengths[i] + 1);
        ObsMd5 expected;

        obs_md5_of(zeros, lengths[i], &expected);
        g_assert_cmpmem(&md5s[i], sizeof(ObsMd5), &expected,
                        sizeof(expected));
        if (hex[i]) {
            gchar text[OBS_MD5_HEX_SIZE];

            obs_md5_to_hex(&md5s[i], text);
            g_assert_cmpstr(text, ==, hex[i]);
        }
    }
}

static void test_multipart(void)
{
    static const struct {
        const gchar *parts[3];
        guint n;
        const gchar *etag;
    } table[] = {
        { { "e09c80c42fda55f9d992e59ca6b3307d",
            "a21075a36eeddd084e17611a238c7101" }, 2,
          "94bfe67beece4111821a3daf596d366f-2" },
        { { "5d41402abc4b2a76b9719d911017c592" }, 1,
          "62109206880d38a4010a98e11243924a-1" },
        { { "5f363e0e58a95f06cbe9bbc662c5dfb6",
            "5f363e0e58a95f06cbe9bbc662c5dfb6",
            "b1fec41621e338896e2d26f232a6b006" }, 3,
          "45fa5de2e526edc77d74b79790d4c089-3" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        ObsMd5 parts[3];
        g_autofree gchar *etag = NULL;

        for (guint p = 0; p < table[i].n; p++) {
            g_assert_true(obs_md5_from_hex(table[i].parts[p], &parts[p]));
        }
        etag = obs_etag_multipart(parts, table[i].n);
        g_assert_cmpstr(etag, ==, table[i].etag);
    }
}

static void test_shapes(void)
{
#define HEX "0123456789abcdef0123456789ABCDEF"
    static const struct {
        const gchar *etag;
        gboolean md5, multipart;
    } table[] = {
        { HEX, TRUE, FALSE },
        { "\"" HEX "\"", TRUE, FALSE },
        { HEX "-1", FALSE, TRUE },
        { "\"" HEX "-10000\"", FALSE, TRUE },
        { HEX "-10001", FALSE, FALSE },
        { HEX "-0", FALSE, FALSE },
        { HEX "-", FALSE, FALSE },
        { HEX "0", FALSE, FALSE },
        { "", FALSE, FALSE },
        { "\"", FALSE, FALSE },
        { "0123", FALSE, FALSE },
    };
    ObsMd5 md5;

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_assert_cmpint(obs_etag_is_md5(table[i].etag), ==, table[i].md5);
        g_assert_cmpint(obs_etag_is_multipart(table[i].etag), ==,
                        table[i].multipart);
    }
    g_assert_true(obs_etag_equal("\"" HEX "\"", " " HEX " "));
    g_assert_true(obs_etag_equal("\"ABC\"", "abc"));
    g_assert_false(obs_etag_equal(HEX, HEX "-1"));
    g_assert_false(obs_md5_from_hex("0123", &md5));
    g_assert_false(obs_md5_from_hex("g123456789abcdef0123456789abcdef",
                                    &md5));
    g_assert_false(obs_md5_from_hex(HEX "0", &md5));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/etag/known", test_known);
    g_test_add_func("/etag/peek-goes-on", test_peek_goes_on);
    g_test_add_func("/etag/zeros", test_zeros);
    g_test_add_func("/etag/multipart", test_multipart);
    g_test_add_func("/etag/shapes", test_shapes);
    return g_test_run();
}
