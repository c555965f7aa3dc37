/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets: nothing of them is left in what may be shown, and keys live as
 * long as someone holds them.
 */
#include <string.h>

#include "obs-creds.h"
#include "obs-secret.h"

static void test_memory(void)
{
    gchar *secret, *part, *joined;

    obs_secret_init();
    obs_secret_init();
    g_assert_null(obs_secret_dup(NULL, -1));
    secret = obs_secret_dup("secret", -1);
    part = obs_secret_dup("secret", 3);
    joined = obs_secret_concat("AWS4", secret);
    g_assert_cmpstr(secret, ==, "secret");
    g_assert_cmpstr(part, ==, "sec");
    g_assert_cmpstr(joined, ==, "AWS4secret");
    obs_secret_free(secret);
    obs_secret_free(part);
    obs_secret_free(joined);
    obs_secret_free(NULL);
    obs_secret_wipe_string(NULL);
    obs_secret_wipe_string(g_strdup("x"));
    obs_secret_wipe_bytes(NULL);
    obs_secret_wipe_bytes(g_bytes_new("x", 1));
}

/* More than the locked heap holds: plain memory serves, and nothing mixes. */
static void test_heap_full(void)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    g_autofree gchar *text = g_strnfill(4000, 's');

    for (guint i = 0; i < 200; i++) {
        g_ptr_array_add(all, obs_secret_dup(text, -1));
    }
    for (guint i = 0; i < all->len; i++) {
        g_assert_cmpstr(all->pdata[i], ==, text);
        obs_secret_free(all->pdata[i]);
    }
}

static void test_header(void)
{
    static const gchar *const table[][3] = {
        { "Content-Type", "text/plain", "Content-Type: text/plain" },
        { "Authorization", "OBS AK1:c2ln", "Authorization: OBS AK1:***" },
        { "authorization", "AWS AK1:c2ln", "authorization: AWS AK1:***" },
        { "Authorization", "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, "
          "Signature=abc", "Authorization: SDK-HMAC-SHA256 Access=AK, "
          "SignedHeaders=host, Signature=***" },
        { "Authorization", "Basic dXNlcjpwYXNz", "Authorization: ***" },
        { "Authorization", "OBS nothing", "Authorization: ***" },
        { "X-Auth-Token", "t", "X-Auth-Token: ***" },
        { "x-subject-token", "t", "x-subject-token: ***" },
        { "X-Security-Token", "t", "X-Security-Token: ***" },
        { "x-obs-security-token", "t", "x-obs-security-token: ***" },
        { "X-AMZ-Security-Token", "t", "X-AMZ-Security-Token: ***" },
        { "X-Metadata-Token", "t", "X-Metadata-Token: ***" },
        { "X-Metadata-Token-Ttl-Seconds", "9",
          "X-Metadata-Token-Ttl-Seconds: 9" },
        { "x-obs-server-side-encryption-customer-key", "k",
          "x-obs-server-side-encryption-customer-key: ***" },
        { "x-obs-server-side-encryption-customer-key-MD5", "k",
          "x-obs-server-side-encryption-customer-key-MD5: ***" },
        { "x-obs-server-side-encryption-kms-key-id", "k",
          "x-obs-server-side-encryption-kms-key-id: k" },
        { "Set-Cookie", "a=b", "Set-Cookie: ***" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree gchar *text = obs_secret_redact_header(table[i][0],
                                                          table[i][1]);

        g_assert_cmpstr(text, ==, table[i][2]);
    }
}

static void test_url(void)
{
    static const gchar *const table[][2] = {
        { "https://h/k?partNumber=1&uploadId=U",
          "https://h/k?partNumber=1&uploadId=U" },
        { "https://h/k?AccessKeyId=A&Expires=1&Signature=s%3D",
          "https://h/k?AccessKeyId=A&Expires=1&Signature=***" },
        { "https://h/k?X-Amz-Signature=s&X-Amz-Date=d",
          "https://h/k?X-Amz-Signature=***&X-Amz-Date=d" },
        { "https://h/k?x-obs-security-token=s#f",
          "https://h/k?x-obs-security-token=***#f" },
        { "https://user:pass@h/k", "https://***@h/k" },
        { "https://u:p@ss@h/k@x?a=b@c", "https://***@h/k@x?a=b@c" },
        { "h/k?signature", "h/k?signature" },
        { "", "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree gchar *text = obs_secret_redact_url(table[i][0]);

        g_assert_cmpstr(text, ==, table[i][1]);
    }
}

static void test_body(void)
{
    static const gchar *const table[][2] = {
        { "{\"name\":\"a\",\"min_disk\":40}",
          "{\"name\":\"a\",\"min_disk\":40}" },
        { "{\"access\":\"A\",\"secret\":\"S3CR\",\"securitytoken\" : \"S3CR\""
          ",\"expires_at\":\"x\"}",
          "{\"access\":\"A\",\"secret\":***,\"securitytoken\" : ***"
          ",\"expires_at\":\"x\"}" },
        { "{\"password\":{\"user\":{\"name\":\"u\",\"password\":\"S3CR\"}},"
          "\"scope\":1}", "{\"password\":***,\"scope\":1}" },
        { "{\"token\":{\"id\":\"S3CR}\"},\"b\":[]}",
          "{\"token\":***,\"b\":[]}" },
        { "{\"methods\":[\"token\"],\"a\":1}",
          "{\"methods\":[\"token\"],\"a\":1}" },
        { "{\"passcode\":123456,\"a\":1}", "{\"passcode\":***,\"a\":1}" },
        { "{\"password\":\"a\\\"S3CR\",\"b\":1}", "{\"password\":***,\"b\":1}" },
        /* cut off anywhere */
        { "{\"password\":\"S3CR", "{\"password\":***" },
        { "{\"password\":", "{\"password\":" },
        { "{\"password\"", "{\"password\"" },
        { "{\"token\":{\"id\":\"S3CR", "{\"token\":***" },
        { "{\"token\":[\"S3CR\\", "{\"token\":***" },
        /* a gateway that quotes our headers */
        { "canonical request: GET|/|x-security-token:S3CR|host:h",
          "canonical request: GET|/|x-security-token:***|host:h" },
        { "a\nx-obs-security-token:S3CR\nb", "a x-obs-security-token:*** b" },
        { "<SecretAccessKey>S3CR</SecretAccessKey><A>b</A>",
          "<SecretAccessKey>***</SecretAccessKey><A>b</A>" },
        { "{\\\"password\\\":\\\"S3CR\\\"}", "{\\\"password\\\":\\***" },
        { "The token must be updated", "The token must be updated" },
        { "\x1b[31m\xff", " [31m\xef\xbf\xbd" },
        { "", "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree gchar *text =
            obs_secret_redact_body(table[i][0], strlen(table[i][0]), 1000);

        g_assert_cmpstr(text, ==, table[i][1]);
        g_assert_null(strstr(text, "S3CR"));
    }
    {
        g_autofree gchar *cut = obs_secret_redact_body("aéb", 4, 2);
        g_autofree gchar *nul = obs_secret_redact_body("a\0b", 3, 9);

        g_assert_cmpstr(cut, ==, "a…");
        g_assert_cmpstr(nul, ==, "a b");
    }
}

/* Whatever is cut or garbled, the word itself must not come through. */
static void test_body_random(void)
{
    static const gchar text[] =
        "{\"auth\":{\"password\":{\"user\":{\"password\":\"S3CR\"}},"
        "\"token\" : [ \"S3CR\" ], \"secret\":\"x\\\"S3CR\"}}";

    for (guint i = 0; i < 2000; i++) {
        gsize length = (gsize)g_test_rand_int_range(0, sizeof(text));
        g_autofree gchar *shown = obs_secret_redact_body(text, length, 1000);

        g_assert_null(strstr(shown, "S3C"));
    }
}

static void test_credentials(void)
{
    ObsCredentials *keys = obs_credentials_new("ak", "sk", "", 0);
    ObsCredentials *other = obs_credentials_ref(keys);

    g_assert_null(keys->security_token);
    obs_credentials_unref(keys);
    g_assert_cmpstr(other->secret_key, ==, "sk");
    obs_credentials_unref(other);
    obs_credentials_unref(NULL);
}

static void test_due(void)
{
    static const struct {
        gint64 issued, expires, now;
        gboolean due;
    } table[] = {
        { 0, 0, G_MAXINT32, FALSE },            /* permanent */
        { 1000, 4600, 3999, FALSE },            /* an hour: 10 minutes early */
        { 1000, 4600, 4000, TRUE },
        { 1000, 1900, 1599, FALSE },            /* 15 minutes: a third */
        { 1000, 1900, 1600, TRUE },
        { 1000, 900, 899, FALSE },              /* nonsense from a server */
        { 1000, 900, 900, TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsCredentials) keys =
            obs_credentials_new("a", "s", "t", table[i].expires);

        g_assert_cmpint(obs_credentials_due(keys, table[i].issued,
                                            table[i].now), ==, table[i].due);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/secret/memory", test_memory);
    g_test_add_func("/secret/heap-full", test_heap_full);
    g_test_add_func("/secret/header", test_header);
    g_test_add_func("/secret/url", test_url);
    g_test_add_func("/secret/body", test_body);
    g_test_add_func("/secret/body-random", test_body_random);
    g_test_add_func("/secret/credentials", test_credentials);
    g_test_add_func("/secret/due", test_due);
    return g_test_run();
}
