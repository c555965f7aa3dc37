/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names, addresses, URLs, redirects, and the small values they are made of.
 */
#include <string.h>

#include "obs-redirect.h"
#include "obs-time.h"
#include "obs-url.h"

static void test_encode(void)
{
    static const gchar *const table[][3] = {
        /* plain, slash kept, slash encoded */
        { "", "", "" },
        { "AZaz09-_.~", "AZaz09-_.~", "AZaz09-_.~" },
        { "a/b c", "a/b%20c", "a%2Fb%20c" },
        { "é+&=!*'()", "%C3%A9%2B%26%3D%21%2A%27%28%29",
          "%C3%A9%2B%26%3D%21%2A%27%28%29" },
        { "%41\x7f", "%2541%7F", "%2541%7F" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree gchar *kept = obs_url_encode(table[i][0], TRUE);
        g_autofree gchar *all = obs_url_encode(table[i][0], FALSE);
        g_autofree gchar *back = g_uri_unescape_string(all, NULL);

        g_assert_cmpstr(kept, ==, table[i][1]);
        g_assert_cmpstr(all, ==, table[i][2]);
        g_assert_cmpstr(back, ==, table[i][0]);
    }
}

static void test_bucket(void)
{
    static const gchar *const good[] = {
        "abc", "a-b.c9", "000", "a1234567890123456789012345678901234567890123"
        "4567890123456789012",
    };
    static const gchar *const bad[] = {
        "", "ab", "Abc", "a_b", "a b", "-ab", "ab-", ".ab", "ab.", "a..b",
        "a.-b", "a-.b", "1.2.3.4", "127.0.0.1", "äbc", "a/b", "a\nb",
        "a12345678901234567890123456789012345678901234567890123456789012345",
    };

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_true(obs_url_check_bucket(good[i], &error));
        g_assert_no_error(error);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(obs_url_check_bucket(bad[i], &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
        g_assert_null(strchr(error->message, '\n'));
    }
}

static void test_key(void)
{
    g_autofree gchar *longest = g_strnfill(1024, 'k');
    g_autofree gchar *too_long = g_strnfill(1025, 'k');
    const struct {
        const gchar *key;
        gboolean good, import;
    } table[] = {
        { "a", TRUE, TRUE },
        { "images/disk.zvhd2", TRUE, TRUE },
        { "..a/b../.c", TRUE, TRUE },
        { "é~!*'()", TRUE, TRUE },
        { longest, TRUE, TRUE },
        { "a b", TRUE, FALSE },
        { "a:b", TRUE, FALSE },
        { "a\xc2\xa0" "b", TRUE, FALSE },       /* no-break space */
        { too_long, FALSE, FALSE },
        { "", FALSE, FALSE },
        { "/a", FALSE, FALSE },
        { "a/", FALSE, FALSE },
        { "a//b", FALSE, FALSE },
        { "a/../b", FALSE, FALSE },
        { "./a", FALSE, FALSE },
        { "a/..", FALSE, FALSE },
        { "..", FALSE, FALSE },
        { "a\tb", FALSE, FALSE },
        { "a\x7f", FALSE, FALSE },
        { "a\xc2\x85", FALSE, FALSE },          /* a C1 control */
        { "\xff", FALSE, FALSE },
        { "\xc0\xaf", FALSE, FALSE },           /* overlong "/" */
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(obs_url_check_key(table[i].key, FALSE, &error), ==,
                        table[i].good);
        g_assert_cmpint(error == NULL, ==, table[i].good);
        g_clear_error(&error);
        g_assert_cmpint(obs_url_check_key(table[i].key, TRUE, &error), ==,
                        table[i].import);
        g_assert_cmpint(error == NULL, ==, table[i].import);
    }
}

static void test_parse_object(void)
{
    static const struct {
        const gchar *text, *file, *bucket, *key;
    } table[] = {
        { "obs://bucket/a/b", NULL, "bucket", "a/b" },
        { "OBS://bucket/a%20b?c#d", NULL, "bucket", "a%20b?c#d" },
        { "s3://bucket/k", "x/file", "bucket", "k" },
        { "obs://bucket", "x/file", "bucket", "file" },
        { "obs://bucket/", "file", "bucket", "file" },
        { "obs://bucket/dir/", "/x/file", "bucket", "dir/file" },
        { "obs://bucket", NULL, NULL, NULL },
        { "obs://bucket/dir/", NULL, NULL, NULL },
        { "obs://bucket/", "/x/..", NULL, NULL },
        { "obs:///key", NULL, NULL, NULL },
        { "obs://", NULL, NULL, NULL },
        { "obs:/bucket/key", NULL, NULL, NULL },
        { "https://bucket/key", NULL, NULL, NULL },
        { "bucket/key", NULL, NULL, NULL },
        { "obs://Bucket/key", NULL, NULL, NULL },
        { "obs://bucket//key", NULL, NULL, NULL },
        { "obs://bucket/a/../b", NULL, NULL, NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *bucket = NULL;
        g_autofree gchar *key = NULL;
        gboolean ok = obs_url_parse_object(table[i].text, table[i].file,
                                           &bucket, &key, &error);

        g_assert_cmpint(ok, ==, table[i].bucket != NULL);
        g_assert_cmpint(error == NULL, ==, ok);
        g_assert_cmpstr(bucket, ==, table[i].bucket);
        g_assert_cmpstr(key, ==, table[i].key);
    }
}

static void test_parse_prefix(void)
{
    static const struct {
        const gchar *text, *bucket, *prefix;
    } table[] = {
        { "obs://bucket", "bucket", "" },
        { "obs://bucket/", "bucket", "" },
        { "obs://bucket/a/", "bucket", "a/" },
        { "obs://bucket/\xff", NULL, NULL },
        { "obs://b", NULL, NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *bucket = NULL;
        g_autofree gchar *prefix = NULL;

        g_assert_cmpint(obs_url_parse_prefix(table[i].text, &bucket, &prefix,
                                             &error), ==,
                        table[i].bucket != NULL);
        g_assert_cmpstr(bucket, ==, table[i].bucket);
        g_assert_cmpstr(prefix, ==, table[i].prefix);
    }
}

static void test_bitmap_key(void)
{
    static const gchar *const table[][2] = {
        { "image01.raw", "image01.mf" },
        { "dir.d/image", "dir.d/image.mf" },
        { "dir/a.b.img", "dir/a.b.mf" },
        { ".hidden", ".hidden.mf" },
        { "dir/.hidden", "dir/.hidden.mf" },
        { "a.", "a.mf" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree gchar *key = obs_url_bitmap_key(table[i][0]);

        g_assert_cmpstr(key, ==, table[i][1]);
    }
}

static void test_endpoint(void)
{
    static const gchar *const good[][2] = {
        { "obs.eu-de.otc.t-systems.com",
          "https://obs.eu-de.otc.t-systems.com" },
        { "HTTPS://OBS.Example.com/", "https://obs.example.com" },
        { "http://127.0.0.1:7480", "http://127.0.0.1:7480" },
        { "http://h:80", "http://h" },
        { "https://h:80", "https://h:80" },
        { "https://h:443/", "https://h" },
        { "localhost:9000", "https://localhost:9000" },
        { "http://[::1]:9443", "http://[::1]:9443" },
        { "[2001:db8::1]", "https://[2001:db8::1]" },
        { "my_host:1", "https://my_host:1" },
    };
    static const gchar *const bad[] = {
        "", "/", "http://", "https:///x", "ftp://h", "h/path", "h?q", "h#f",
        "h:0", "h:65536", "h:x", "h:", "h:1:2", "-h", "h-", ".h", "h.",
        "a..b", "h h", "user@h", "user:password@h", "[::1", "[::1]x",
        "[h]", "[1.2.3.4]", "::1", "[fe80::1%eth0]", "hé", "h\n", "h%41",
    };

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsEndpoint) endpoint =
            obs_url_parse_endpoint(good[i][0], "--endpoint", &error);
        g_autofree gchar *text = NULL;

        g_assert_no_error(error);
        text = obs_url_endpoint_text(endpoint);
        g_assert_cmpstr(text, ==, good[i][1]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", bad[i]);
        g_assert_null(obs_url_parse_endpoint(bad[i], "--endpoint", &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
        g_assert_null(strstr(error->message, "password@"));
    }
}

static void test_hosts(void)
{
    static const struct {
        const gchar *host;
        gboolean loopback, address;
    } table[] = {
        { "localhost", TRUE, FALSE }, { "LOCALHOST", TRUE, FALSE },
        { "127.0.0.1", TRUE, TRUE }, { "127.9.9.9", TRUE, TRUE },
        { "::1", TRUE, TRUE }, { "127.evil.example", FALSE, FALSE },
        { "127.0.0.1.evil.example", FALSE, FALSE },
        { "10.0.0.1", FALSE, TRUE }, { "::2", FALSE, TRUE },
        { "localhost.evil.example", FALSE, FALSE },
        { "obs.example.com", FALSE, FALSE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_assert_cmpint(obs_url_host_is_loopback(table[i].host), ==,
                        table[i].loopback);
        g_assert_cmpint(obs_url_host_is_address(table[i].host), ==,
                        table[i].address);
    }
}

static ObsRequest *request_on(const gchar *endpoint_text,
                              ObsAddressing addressing, const gchar *bucket,
                              const gchar *key)
{
    g_autoptr(ObsEndpoint) endpoint =
        obs_url_parse_endpoint(endpoint_text, "x", NULL);

    g_assert_nonnull(endpoint);
    return obs_request_new_obs(OBS_METHOD_GET, endpoint, addressing, bucket,
                               key);
}

#define VIRTUAL OBS_ADDRESSING_VIRTUAL
#define PATH OBS_ADDRESSING_PATH
#define CUSTOM OBS_ADDRESSING_CUSTOM

static void test_build(void)
{
    static const struct {
        const gchar *endpoint;
        ObsAddressing addressing;
        const gchar *bucket, *key, *url, *host;
    } table[] = {
        { "o.example", VIRTUAL, "b-1", "a b/c",
          "https://b-1.o.example/a%20b/c?u&n=a%2Fb%3D", "b-1.o.example" },
        { "http://o.example:81", VIRTUAL, "b-1", NULL,
          "http://b-1.o.example:81/?u&n=a%2Fb%3D", "b-1.o.example:81" },
        { "http://127.0.0.1:7480", PATH, "b-1", "k",
          "http://127.0.0.1:7480/b-1/k?u&n=a%2Fb%3D", "127.0.0.1:7480" },
        { "http://[::1]", PATH, "b-1", NULL,
          "http://[::1]/b-1?u&n=a%2Fb%3D", "[::1]" },
        { "https://o.example:443", CUSTOM, "b-1", "k",
          "https://o.example/k?u&n=a%2Fb%3D", "o.example" },
        { "o.example", VIRTUAL, NULL, NULL,
          "https://o.example/?u&n=a%2Fb%3D", "o.example" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsRequest) request =
            request_on(table[i].endpoint, table[i].addressing,
                       table[i].bucket, table[i].key);
        g_autofree gchar *url = NULL;
        g_autofree gchar *host = NULL;

        obs_pairs_add(request->query, "u", NULL);
        obs_pairs_add(request->query, "n", "a/b=");
        url = obs_url_build(request);
        host = obs_url_host_header(request);
        g_assert_cmpstr(url, ==, table[i].url);
        g_assert_cmpstr(host, ==, table[i].host);
    }
    {
        g_autoptr(ObsEndpoint) endpoint =
            obs_url_parse_endpoint("ims.example", "x", NULL);
        g_autoptr(ObsRequest) request =
            obs_request_new_path(OBS_METHOD_GET, OBS_SERVICE_IMS, endpoint,
                                 "/v1/a b");
        g_autofree gchar *url = obs_url_build(request);

        g_assert_cmpstr(url, ==, "https://ims.example/v1/a%20b");
    }
}

#define OTC "obs.eu-de.otc.t-systems.com"
#define SUFFIX "otc.t-systems.com"

static void test_redirect(void)
{
    static const struct {
        const gchar *endpoint;
        ObsAddressing addressing;
        const gchar *key, *location, *suffix;
        const gchar *result;            /* NULL: refused */
        ObsAddressing result_addressing;
    } table[] = {
        /* the same cloud, both styles */
        { OTC, VIRTUAL, "k", "https://bkt.obs.eu-nl.otc.t-systems.com/k?x=1",
          SUFFIX, "https://obs.eu-nl.otc.t-systems.com", VIRTUAL },
        { OTC, VIRTUAL, "a b", "https://obs.eu-nl.otc.t-systems.com/bkt/a%20b",
          SUFFIX, "https://obs.eu-nl.otc.t-systems.com", PATH },
        { OTC, PATH, "k", "https://bkt.obs.eu-nl.otc.t-systems.com/k", SUFFIX,
          "https://obs.eu-nl.otc.t-systems.com", VIRTUAL },
        { OTC, VIRTUAL, NULL, "https://BKT.obs.eu-nl.otc.t-systems.com/",
          SUFFIX, "https://obs.eu-nl.otc.t-systems.com", VIRTUAL },
        { OTC, PATH, NULL, "https://" OTC "/bkt", SUFFIX, "https://" OTC,
          PATH },
        { OTC, PATH, NULL, "https://" OTC "/bkt/", SUFFIX, "https://" OTC,
          PATH },
        { OTC, VIRTUAL, "k", "https://bkt." OTC ":443/k", SUFFIX,
          "https://" OTC, VIRTUAL },
        { OTC, CUSTOM, "k", "https://x.otc.t-systems.com/k", SUFFIX,
          "https://x.otc.t-systems.com", CUSTOM },
        /* without a known suffix: the endpoint itself and what is below */
        { "o.example", VIRTUAL, "k", "https://bkt.o.example/k", NULL,
          "https://o.example", VIRTUAL },
        { "o.example", VIRTUAL, "k", "https://bkt.r2.o.example/k", NULL,
          "https://r2.o.example", VIRTUAL },
        { "o.example", VIRTUAL, "k", "https://bkt.p.example/k", NULL, NULL },
        { "o.example:8443", VIRTUAL, "k", "https://bkt.o.example:8443/k",
          NULL, "https://o.example:8443", VIRTUAL },
        { "http://o.example", VIRTUAL, "k", "https://bkt.o.example/k", NULL,
          "https://o.example", VIRTUAL },
        /* loopback stays on loopback, any port */
        { "http://127.0.0.1:7480", PATH, "k",
          "http://127.0.0.1:7481/bkt/k", NULL, "http://127.0.0.1:7481",
          PATH },
        { "http://127.0.0.1:7480", PATH, "k", "http://localhost:1/bkt/k",
          NULL, "http://localhost:1", PATH },
        { "http://127.0.0.1:7480", PATH, "k", "http://[::1]:7480/bkt/k",
          NULL, "http://[::1]:7480", PATH },
        { "http://127.0.0.1:7480", PATH, "k", "http://10.0.0.1/bkt/k", NULL,
          NULL },
        { "http://127.0.0.1:7480", PATH, "k", "http://evil.example/bkt/k",
          "evil.example", NULL },
        /* leaving https, domain, port */
        { OTC, VIRTUAL, "k", "http://bkt." OTC "/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https://bkt.evil.example/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https://bkt.evilotc.t-systems.com/k", SUFFIX,
          NULL },
        { OTC, VIRTUAL, "k", "https://bkt." OTC ".evil.example/k", SUFFIX,
          NULL },
        { OTC, VIRTUAL, "k", "https://bkt." OTC ":8443/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https://bkt." OTC ":80/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https://127.0.0.1/bkt/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https://169.254.169.254/bkt/k", SUFFIX, NULL },
        /* tricks with the syntax */
        { OTC, VIRTUAL, "k", "https://bkt." OTC "@evil.example/k", SUFFIX,
          NULL },
        { OTC, VIRTUAL, "k", "https://u:p@bkt." OTC "/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https://evil.example\\." OTC "/k", SUFFIX,
          NULL },
        { OTC, VIRTUAL, "k", "https://evil.example%2F." OTC "/k", SUFFIX,
          NULL },
        { OTC, VIRTUAL, "k", "https://evil.example%00." OTC "/k", SUFFIX,
          NULL },
        { OTC, VIRTUAL, "k", "//bkt." OTC "/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", NULL, SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "file:///etc/passwd", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "gopher://bkt." OTC "/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https:///k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https://bkt." OTC ":0/k", SUFFIX, NULL },
        { OTC, VIRTUAL, "k", "https://bkt." OTC ":99999/k", SUFFIX, NULL },
        /* another bucket */
        { OTC, VIRTUAL, "k", "https://other." OTC "/k", SUFFIX, NULL },
        { OTC, PATH, "k", "https://" OTC "/other/k", SUFFIX, NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsRequest) request =
            request_on(table[i].endpoint, table[i].addressing, "bkt",
                       table[i].key);
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsEndpoint) to = NULL;
        g_autofree gchar *text = NULL;
        ObsAddressing addressing = CUSTOM;
        gboolean ok;

        g_test_message("row %u: %s", i,
                       table[i].location ? table[i].location : "(none)");
        ok = obs_url_redirect(request, table[i].location, table[i].suffix,
                              &to, &addressing, &error);
        g_assert_cmpint(ok, ==, table[i].result != NULL);
        if (!ok) {
            g_assert_error(error, OBS_ERROR, OBS_ERROR_BUCKET);
            g_assert_null(to);
            continue;
        }
        g_assert_no_error(error);
        text = obs_url_endpoint_text(to);
        g_assert_cmpstr(text, ==, table[i].result);
        g_assert_cmpint(addressing, ==, table[i].result_addressing);
    }
}

/* A bucket that is called like the service's host label. */
static void test_redirect_bucket_obs(void)
{
    g_autoptr(ObsEndpoint) endpoint = obs_url_parse_endpoint(OTC, "x", NULL);
    g_autoptr(ObsRequest) request =
        obs_request_new_obs(OBS_METHOD_GET, endpoint, PATH, "obs", "k");
    g_autoptr(ObsEndpoint) to = NULL;
    ObsAddressing addressing;

    g_assert_true(obs_url_redirect(request, "https://" OTC "/obs/k", SUFFIX,
                                   &to, &addressing, NULL));
    g_assert_cmpstr(to->host, ==, OTC);
    g_assert_cmpint(addressing, ==, PATH);
}

static void test_pairs(void)
{
    g_autoptr(GPtrArray) pairs = obs_pairs_new();
    g_autoptr(ObsResponse) response = obs_response_new();

    obs_pairs_add(pairs, "A", "1");
    obs_pairs_add(pairs, "a", "2");
    obs_pairs_add(pairs, "b", NULL);
    g_assert_cmpstr(obs_pairs_get(pairs, "a"), ==, "1");
    g_assert_null(obs_pairs_get(pairs, "b"));
    obs_pairs_set(pairs, "a", "3");
    g_assert_cmpuint(pairs->len, ==, 2);
    g_assert_cmpstr(obs_pairs_get(pairs, "A"), ==, "3");
    obs_pairs_set(pairs, "a", NULL);
    g_assert_cmpuint(pairs->len, ==, 1);

    obs_pairs_add(response->headers, "X-Amz-Request-Id", "amz");
    g_assert_cmpstr(obs_response_obs_header(response, "request-id"), ==,
                    "amz");
    obs_pairs_add(response->headers, "x-obs-request-id", "obs");
    g_assert_cmpstr(obs_response_obs_header(response, "request-id"), ==,
                    "obs");
    g_assert_cmpstr(obs_response_header(response, "X-OBS-REQUEST-ID"), ==,
                    "obs");
}

static void test_time(void)
{
    static const gchar *const bad_http[] = {
        NULL, "", "Fri, 2 Jan 2026 03:04:05 GMT",
        "Fri, 02 Foo 2026 03:04:05 GMT", "Fri, 32 Jan 2026 03:04:05 GMT",
        "Fri, 02 Jan 2026 25:04:05 GMT", "Fri, 02 Jan 2026 03:04:05 CET",
        "Fri, 02 Jan 2026 03:04:05 GMT ", "Friday, 02-Jan-26 03:04:05 GMT",
        "Fri, 02 Jan 2026 03:04:05 GM\xff",
    };
    static const struct {
        const gchar *text;
        gint64 time;
    } iso[] = {
        { "2026-01-02T03:04:05.000000Z", 1767323045 },
        { "2026-01-02T03:04:05Z", 1767323045 },
        { "2026-01-02T05:04:05.5+02:00", 1767323045 },
        { "2026-01-02T03:04:05", 1767323045 },
    };
    static const gchar *const bad_iso[] = {
        NULL, "", "tomorrow", "2026-13-02T03:04:05Z", "1767323045",
    };
    g_autofree gchar *http = obs_time_http(1767323045);
    g_autofree gchar *basic = obs_time_basic(1767323045);
    gint64 time = 0;

    g_assert_cmpstr(http, ==, "Fri, 02 Jan 2026 03:04:05 GMT");
    g_assert_cmpstr(basic, ==, "20260102T030405Z");
    g_assert_true(obs_time_parse_http(http, &time));
    g_assert_cmpint(time, ==, 1767323045);
    for (guint i = 0; i < G_N_ELEMENTS(bad_http); i++) {
        g_assert_false(obs_time_parse_http(bad_http[i], &time));
    }
    for (guint i = 0; i < G_N_ELEMENTS(iso); i++) {
        g_assert_true(obs_time_parse_iso(iso[i].text, &time));
        g_assert_cmpint(time, ==, iso[i].time);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad_iso); i++) {
        g_assert_false(obs_time_parse_iso(bad_iso[i], &time));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/url/encode", test_encode);
    g_test_add_func("/url/bucket", test_bucket);
    g_test_add_func("/url/key", test_key);
    g_test_add_func("/url/parse-object", test_parse_object);
    g_test_add_func("/url/parse-prefix", test_parse_prefix);
    g_test_add_func("/url/bitmap-key", test_bitmap_key);
    g_test_add_func("/url/endpoint", test_endpoint);
    g_test_add_func("/url/hosts", test_hosts);
    g_test_add_func("/url/build", test_build);
    g_test_add_func("/redirect/table", test_redirect);
    g_test_add_func("/redirect/bucket-obs", test_redirect_bucket_obs);
    g_test_add_func("/types/pairs", test_pairs);
    g_test_add_func("/time", test_time);
    return g_test_run();
}
