/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clouds and regions to addresses, both ways.
 */
#include "obs-endpoint.h"
#include "obs-url.h"

static void assert_endpoint(const ObsEndpoint *endpoint, const gchar *text)
{
    g_autofree gchar *got = endpoint ? obs_url_endpoint_text(endpoint) : NULL;

    g_assert_cmpstr(got, ==, text);
}

static void test_resolve(void)
{
    static const struct {
        ObsEndpointSettings in;
        const gchar *obs, *ims, *iam, *region, *suffix, *cloud;
    } table[] = {
        { { .cloud = "huawei", .region = "cn-north-4" },
          "https://obs.cn-north-4.myhuaweicloud.com",
          "https://ims.cn-north-4.myhuaweicloud.com",
          "https://iam.cn-north-4.myhuaweicloud.com",
          "cn-north-4", "myhuaweicloud.com", "huawei" },
        { { .cloud = "huawei-eu", .region = "eu-west-101" },
          "https://obs.eu-west-101.myhuaweicloud.eu",
          "https://ims.eu-west-101.myhuaweicloud.eu",
          "https://iam.eu-west-101.myhuaweicloud.eu",
          "eu-west-101", "myhuaweicloud.eu", "huawei-eu" },
        { { .cloud = "otc", .region = "eu-nl" },
          "https://obs.eu-nl.otc.t-systems.com",
          "https://ims.eu-nl.otc.t-systems.com",
          "https://iam.eu-nl.otc.t-systems.com",
          "eu-nl", "otc.t-systems.com", "otc" },
        { { .cloud = "otc-swiss", .region = "eu-ch2" },
          "https://obs.eu-ch2.sc.otc.t-systems.com",
          "https://ims.eu-ch2.sc.otc.t-systems.com",
          "https://iam-pub.eu-ch2.sc.otc.t-systems.com",
          "eu-ch2", "sc.otc.t-systems.com", "otc-swiss" },
        { { .cloud = "flexible-engine", .region = "eu-west-0" },
          "https://oss.eu-west-0.prod-cloud-ocb.orange-business.com",
          "https://ims.eu-west-0.prod-cloud-ocb.orange-business.com",
          "https://iam.eu-west-0.prod-cloud-ocb.orange-business.com",
          "eu-west-0", "prod-cloud-ocb.orange-business.com",
          "flexible-engine" },
        { { .cloud = "cloud-ru", .region = "ru-moscow-1" },
          "https://obs.ru-moscow-1.hc.sbercloud.ru",
          "https://ims.ru-moscow-1.hc.sbercloud.ru",
          "https://iam.ru-moscow-1.hc.sbercloud.ru",
          "ru-moscow-1", "hc.sbercloud.ru", "cloud-ru" },
        /* a foreign cloud of the same make */
        { { .cloud_suffix = "cloud.example", .region = "r1" },
          "https://obs.r1.cloud.example", "https://ims.r1.cloud.example",
          "https://iam.r1.cloud.example", "r1", "cloud.example", NULL },
        /* one address of a known cloud gives the others */
        { { .obs_endpoint = "obs.eu-de.otc.t-systems.com" },
          "https://obs.eu-de.otc.t-systems.com",
          "https://ims.eu-de.otc.t-systems.com",
          "https://iam.eu-de.otc.t-systems.com",
          "eu-de", "otc.t-systems.com", "otc" },
        { { .iam_endpoint =
                "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3" },
          "https://obs.eu-ch2.sc.otc.t-systems.com",
          "https://ims.eu-ch2.sc.otc.t-systems.com",
          "https://iam-pub.eu-ch2.sc.otc.t-systems.com",
          "eu-ch2", "sc.otc.t-systems.com", "otc-swiss" },
        /* an address without region needs the region */
        { { .iam_endpoint = "https://iam.myhuaweicloud.com/v3/",
            .region = "ap-southeast-1" },
          "https://obs.ap-southeast-1.myhuaweicloud.com",
          "https://ims.ap-southeast-1.myhuaweicloud.com",
          "https://iam.myhuaweicloud.com",
          "ap-southeast-1", "myhuaweicloud.com", "huawei" },
        { { .iam_endpoint = "https://iam.myhuaweicloud.com" },
          NULL, NULL, "https://iam.myhuaweicloud.com", NULL,
          "myhuaweicloud.com", "huawei" },
        /* what is given is never replaced */
        { { .cloud = "otc", .region = "eu-de",
            .obs_endpoint = "http://127.0.0.1:9000" },
          "http://127.0.0.1:9000", "https://ims.eu-de.otc.t-systems.com",
          "https://iam.eu-de.otc.t-systems.com", "eu-de",
          "otc.t-systems.com", "otc" },
        { { .obs_endpoint = "http://127.0.0.1:9000", .region = "x1" },
          "http://127.0.0.1:9000", NULL, NULL, "x1", NULL, NULL },
        { { .obs_endpoint = "", .cloud = "", .region = "" },
          NULL, NULL, NULL, NULL, NULL, NULL },
        /* not the suffix itself, and not a look-alike */
        { { .obs_endpoint = "obs.eu-de.evilotc.t-systems.com.example" },
          "https://obs.eu-de.evilotc.t-systems.com.example", NULL, NULL,
          NULL, NULL, NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsEndpoints) out = obs_endpoints_resolve(&table[i].in,
                                                            &error);

        g_assert_no_error(error);
        assert_endpoint(out->obs, table[i].obs);
        assert_endpoint(out->ims, table[i].ims);
        assert_endpoint(out->iam, table[i].iam);
        g_assert_cmpstr(out->region, ==, table[i].region);
        g_assert_cmpstr(out->domain_suffix, ==, table[i].suffix);
        g_assert_cmpstr(out->cloud, ==, table[i].cloud);
    }
}

static void test_refused(void)
{
    static const ObsEndpointSettings table[] = {
        { .cloud = "azure" },
        { .cloud = "otc", .region = "eu de" },
        { .cloud = "otc", .region = "eu-de.evil.example" },
        { .cloud = "otc", .region = "-x" },
        { .region = "x" },
        { .obs_endpoint = "ftp://host" },
        { .obs_endpoint = "https://host/path" },
        { .ims_endpoint = "https://host?x=1" },
        { .iam_endpoint = "https://user:secret@host" },
        { .cloud_suffix = "a/b", .region = "r1" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(obs_endpoints_resolve(&table[i], &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_USAGE);
        g_assert_null(g_strstr_len(error->message, -1, "secret"));
    }
}

/* The names for help and completion are those that resolve. */
static void test_names(void)
{
    for (const gchar *const *name = obs_cloud_names(); *name; name++) {
        const ObsEndpointSettings settings = {
            .cloud = *name, .region = "eu-1",
        };
        g_autoptr(ObsEndpoints) out = obs_endpoints_resolve(&settings, NULL);

        g_assert_nonnull(out);
        g_assert_cmpstr(out->cloud, ==, *name);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoint/resolve", test_resolve);
    g_test_add_func("/endpoint/refused", test_refused);
    g_test_add_func("/endpoint/names", test_names);
    return g_test_run();
}
