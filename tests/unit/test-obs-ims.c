/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Image service: every rule of a registration, the body that is sent, jobs,
 * lists, and suggestions.
 */
#include <string.h>

#include "obs-ims.h"
#include "obs-url.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static ObsEndpoint *ims(void)
{
    return obs_url_parse_endpoint("https://ims.example", "x", NULL);
}

static ObsResponse *answer(guint status, const gchar *body)
{
    ObsResponse *response = obs_response_new();

    response->status = status;
    if (body) {
        response->body = g_bytes_new(body, strlen(body));
    }
    return response;
}

/* A specification that is fine; a test spoils one field of it. */
static ObsImageSpec good_spec(void)
{
    return (ObsImageSpec){
        .kind = OBS_IMAGE_SYSTEM, .name = "web-01 v1.0_x",
        .os_version = "Ubuntu 22.04 server 64bit", .bucket = "bucket",
        .key = "images/disk.zvhd2", .virtual_size = 40 * GIB,
        .file_size = 10 * GIB,
    };
}

static GPtrArray *warnings_new(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

/* 0 if fine, else the error's code. */
static gint check(const ObsImageSpec *spec, guint *out_warnings)
{
    g_autoptr(GPtrArray) warnings = warnings_new();
    g_autoptr(GError) error = NULL;
    gboolean ok = obs_image_spec_check(spec, warnings, &error);

    g_assert_cmpint(ok, ==, error == NULL);
    *out_warnings = warnings->len;
    if (error) {
        g_assert_cmpint((gint)error->domain, ==, (gint)OBS_ERROR);
        g_assert_null(strchr(error->message, '\n'));
    }
    return error ? error->code : 0;
}

static void test_kinds(void)
{
    ObsImageKind kind;

    g_assert_true(obs_image_kind_parse("system", &kind));
    g_assert_cmpint(kind, ==, OBS_IMAGE_SYSTEM);
    g_assert_true(obs_image_kind_parse("bms", &kind));
    g_assert_cmpint(kind, ==, OBS_IMAGE_BMS);
    g_assert_true(obs_image_kind_parse("data", &kind));
    g_assert_cmpint(kind, ==, OBS_IMAGE_DATA);
    g_assert_false(obs_image_kind_parse("System", &kind));
}

static void test_min_disk(void)
{
    g_assert_cmpint(obs_image_min_disk(0), ==, 1);
    g_assert_cmpint(obs_image_min_disk(1), ==, 1);
    g_assert_cmpint(obs_image_min_disk(GIB), ==, 1);
    g_assert_cmpint(obs_image_min_disk(GIB + 1), ==, 2);
    g_assert_cmpint(obs_image_min_disk(1024 * GIB), ==, 1024);
    g_assert_cmpint(obs_image_min_disk(G_MAXUINT64), ==,
                    G_GINT64_CONSTANT(1) << 34);
}

static void test_names(void)
{
    g_autofree gchar *longest = g_strnfill(128, 'n');
    g_autofree gchar *too_long = g_strnfill(129, 'n');
    const struct {
        const gchar *name;
        gint code;
        guint warnings;
    } table[] = {
        { "a", 0, 0 }, { longest, 0, 0 }, { "镜像-1", 0, 1 },
        { NULL, 2, 0 }, { "", 2, 0 }, { too_long, 2, 0 }, { " a", 2, 0 },
        { "a ", 2, 0 }, { "a/b", 2, 0 }, { "a\tb", 2, 0 }, { "a\"b", 2, 0 },
        { "\xff", 2, 0 }, { "a→b", 2, 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        ObsImageSpec spec = good_spec();
        guint warnings;

        spec.name = table[i].name;
        g_assert_cmpint(check(&spec, &warnings), ==, table[i].code);
        g_assert_cmpuint(warnings, ==, table[i].warnings);
    }
}

static void test_texts(void)
{
    g_autofree gchar *longest = g_strnfill(1024, 'd');
    g_autofree gchar *too_long = g_strnfill(1025, 'd');
    g_autofree gchar *os_too_long = g_strnfill(256, 'o');
    const struct {
        const gchar *description, *os_version;
        gint code;
    } table[] = {
        { "fine & \"quoted\", é", "x", 0 }, { longest, "x", 0 },
        { "", "x", 0 }, { too_long, "x", 2 }, { "a<b", "x", 2 },
        { "a>b", "x", 2 }, { "a\rb", "x", 2 }, { "a\nb", "x", 2 },
        { "\xff", "x", 2 }, { NULL, "", 2 }, { NULL, NULL, 2 },
        { NULL, os_too_long, 2 }, { NULL, "\xff", 2 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        ObsImageSpec spec = good_spec();
        guint warnings;

        spec.description = table[i].description;
        spec.os_version = table[i].os_version;
        g_assert_cmpint(check(&spec, &warnings), ==, table[i].code);
    }
}

static void test_system_fields(void)
{
    static const struct {
        ObsImageKind kind;
        const gchar *os_version, *os_type, *architecture, *firmware,
                    *license, *project;
        gint code;
        guint warnings;
    } table[] = {
        { OBS_IMAGE_SYSTEM, "x", NULL, "arm", "uefi", NULL, "0", 0, 0 },
        { OBS_IMAGE_BMS, "x", NULL, "x86", "bios", NULL, UUID, 0, 0 },
        { OBS_IMAGE_SYSTEM, "Windows Server 2022", NULL, NULL, NULL, "byol",
          "", 0, 0 },
        { OBS_IMAGE_SYSTEM, "x", NULL, NULL, NULL, "byol", NULL, 0, 1 },
        { OBS_IMAGE_SYSTEM, "x", NULL, "arm", "bios", NULL, NULL, 2, 0 },
        { OBS_IMAGE_SYSTEM, "x", NULL, "ARM", NULL, NULL, NULL, 2, 0 },
        { OBS_IMAGE_SYSTEM, "x", NULL, NULL, "efi", NULL, NULL, 2, 0 },
        { OBS_IMAGE_SYSTEM, "x", NULL, NULL, NULL, "free", NULL, 2, 0 },
        { OBS_IMAGE_SYSTEM, "x", "Linux", NULL, NULL, NULL, NULL, 2, 0 },
        { OBS_IMAGE_SYSTEM, "x", NULL, NULL, NULL, NULL, "1", 2, 0 },
        { OBS_IMAGE_SYSTEM, "x", NULL, NULL, NULL, NULL, UUID "0", 2, 0 },
        { OBS_IMAGE_DATA, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0 },
        { OBS_IMAGE_DATA, NULL, "Windows", NULL, NULL, NULL, NULL, 0, 0 },
        { OBS_IMAGE_DATA, NULL, "BSD", NULL, NULL, NULL, NULL, 2, 0 },
        { OBS_IMAGE_DATA, "x", NULL, NULL, NULL, NULL, NULL, 2, 0 },
        { OBS_IMAGE_DATA, NULL, NULL, "x86", NULL, NULL, NULL, 2, 0 },
        { OBS_IMAGE_DATA, NULL, NULL, NULL, "bios", NULL, NULL, 2, 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        ObsImageSpec spec = good_spec();
        guint warnings;

        spec.kind = table[i].kind;
        spec.os_version = table[i].os_version;
        spec.os_type = table[i].os_type;
        spec.architecture = table[i].architecture;
        spec.firmware = table[i].firmware;
        spec.license_type = table[i].license;
        spec.enterprise_project_id = table[i].project;
        g_assert_cmpint(check(&spec, &warnings), ==, table[i].code);
        g_assert_cmpuint(warnings, ==, table[i].warnings);
    }
}

static void test_sizes(void)
{
    static const struct {
        gint64 min_disk;
        guint64 virtual_size, file_size;
        gint code;
        guint warnings;
    } table[] = {
        { 0, 40 * GIB, 1, 0, 0 },
        { 40, 40 * GIB, 1, 0, 0 },
        { 39, 40 * GIB, 1, 2, 0 },
        { 40, 40 * GIB + 1, 1, 2, 0 },
        { 40, 0, 1, 0, 0 },
        { 0, 0, 1, 2, 0 },
        { -1, 0, 1, 2, 0 },
        { 1025, 0, 1, 2, 0 },
        { 0, 1024 * GIB, 1, 0, 0 },
        { 0, 1024 * GIB + 1, 1, 3, 0 },
        { 0, G_MAXUINT64, 1, 3, 0 },
        { 0, 40 * GIB, 1024 * GIB, 0, 1 },
        { 0, 40 * GIB, 1024 * GIB + 1, 3, 0 },
        { 0, 40 * GIB, G_GUINT64_CONSTANT(1000000000000), 0, 0 },
        { 9, GIB, 1, 0, 1 },
        { 10, GIB, 1, 0, 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        ObsImageSpec spec = good_spec();
        guint warnings;

        spec.min_disk = table[i].min_disk;
        spec.virtual_size = table[i].virtual_size;
        spec.file_size = table[i].file_size;
        g_assert_cmpint(check(&spec, &warnings), ==, table[i].code);
        g_assert_cmpuint(warnings, ==, table[i].warnings);
    }
}

static void test_places(void)
{
    static const struct {
        const gchar *bucket, *key;
        gint code;
        guint warnings;
    } table[] = {
        { "bucket", "a/b", 0, 0 }, { "buc.ket", "a", 0, 1 },
        { "Bucket", "a", 2, 0 }, { "bucket", "a b", 2, 0 },
        { "bucket", "a:b", 2, 0 }, { "bucket", "/a", 2, 0 },
        { "bucket", "", 2, 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        ObsImageSpec spec = good_spec();
        guint warnings;

        spec.bucket = table[i].bucket;
        spec.key = table[i].key;
        g_assert_cmpint(check(&spec, &warnings), ==, table[i].code);
        g_assert_cmpuint(warnings, ==, table[i].warnings);
    }
}

#define K36 "abcdefghijklmnopqrstuvwxyz0123456789"
#define V43 K36 "_-ABCDE"

static void test_tags(void)
{
    static const struct {
        const gchar *tags[8];
        gint code;
    } table[] = {
        { { "a", "b" }, 0 }, { { K36, V43 }, 0 }, { { "a", "" }, 0 },
        { { "a", "1", "b", "1" }, 0 },
        { { "", "b" }, 2 }, { { K36 "x", "b" }, 2 }, { { "a", V43 "x" }, 2 },
        { { "a.b", "c" }, 2 }, { { "a", "b c" }, 2 }, { { "é", "c" }, 2 },
        { { "a", "1", "a", "2" }, 2 },
    };
    g_autoptr(GPtrArray) many = obs_pairs_new();
    ObsImageSpec spec = good_spec();
    guint warnings;

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GPtrArray) tags = obs_pairs_new();

        for (guint k = 0; table[i].tags[k]; k += 2) {
            obs_pairs_add(tags, table[i].tags[k], table[i].tags[k + 1]);
        }
        spec.tags = tags;
        g_assert_cmpint(check(&spec, &warnings), ==, table[i].code);
    }
    for (guint i = 0; i < 11; i++) {
        g_autofree gchar *name = g_strdup_printf("t%u", i);

        spec.tags = many;
        g_assert_cmpint(check(&spec, &warnings), ==, 0);
        obs_pairs_add(many, name, "v");
    }
    g_assert_cmpint(check(&spec, &warnings), ==, 2);
}

static void assert_body(const ObsImageSpec *spec, const gchar *body)
{
    g_autoptr(ObsEndpoint) endpoint = ims();
    g_autoptr(ObsRequest) request = obs_ims_import_request(endpoint, spec);
    gsize length;
    const gchar *data = g_bytes_get_data(request->body, &length);
    g_autofree gchar *text = g_strndup(data, length);
    g_autofree gchar *url = obs_url_build(request);

    g_assert_cmpstr(text, ==, body);
    g_assert_cmpstr(url, ==,
                    "https://ims.example/v2/cloudimages/quickimport/action");
    g_assert_cmpint(request->method, ==, OBS_METHOD_POST);
}

static void test_body(void)
{
    g_autoptr(GPtrArray) tags = obs_pairs_new();
    ObsImageSpec spec = good_spec();

    assert_body(&spec,
        "{\"name\":\"web-01 v1.0_x\",\"os_version\":\"Ubuntu 22.04 server "
        "64bit\",\"image_url\":\"bucket:images/disk.zvhd2\",\"min_disk\":40,"
        "\"type\":\"ECS\"}");

    obs_pairs_add(tags, "built-by", "obs-push");
    obs_pairs_add(tags, "empty", NULL);
    spec.kind = OBS_IMAGE_BMS;
    spec.min_disk = 50;
    spec.architecture = "arm";
    spec.firmware = "uefi";
    spec.license_type = "byol";
    spec.description = "say \"hi\"";
    spec.enterprise_project_id = "0";
    spec.tags = tags;
    assert_body(&spec,
        "{\"name\":\"web-01 v1.0_x\",\"os_version\":\"Ubuntu 22.04 server "
        "64bit\",\"image_url\":\"bucket:images/disk.zvhd2\",\"min_disk\":50,"
        "\"type\":\"BMS\",\"architecture\":\"arm\",\"hw_firmware_type\":"
        "\"uefi\",\"license_type\":\"byol\",\"description\":\"say \\\"hi\\\""
        "\",\"enterprise_project_id\":\"0\",\"image_tags\":[{\"key\":"
        "\"built-by\",\"value\":\"obs-push\"},{\"key\":\"empty\",\"value\":"
        "\"\"}]}");

    spec = good_spec();
    spec.kind = OBS_IMAGE_DATA;
    spec.os_version = NULL;
    assert_body(&spec,
        "{\"name\":\"web-01 v1.0_x\",\"image_url\":"
        "\"bucket:images/disk.zvhd2\",\"min_disk\":40,\"type\":\"DataImage\""
        ",\"os_type\":\"Linux\"}");
}

static void test_import_answer(void)
{
    static const struct {
        guint status;
        const gchar *body, *job;
        gint code;
    } table[] = {
        { 200, "{\"job_id\":\"8a12-_x\"}", "8a12-_x", 0 },
        { 200, "{\"job_id\":\"../x\"}", NULL, OBS_ERROR_REGISTER },
        { 200, "{\"job_id\":7}", NULL, OBS_ERROR_REGISTER },
        { 200, "{}", NULL, OBS_ERROR_REGISTER },
        { 200, "", NULL, OBS_ERROR_REGISTER },
        { 200, "<html>", NULL, OBS_ERROR_REGISTER },
        { 400, "{\"error\":{\"code\":\"IMG.0056\",\"message\":\"m\"}}", NULL,
          OBS_ERROR_USAGE },
        { 500, NULL, NULL, OBS_ERROR_REGISTER },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) response = answer(table[i].status,
                                                 table[i].body);
        g_autoptr(GError) error = NULL;
        g_autofree gchar *job = obs_ims_import_parse(response, &error);

        g_assert_cmpstr(job, ==, table[i].job);
        g_assert_cmpint(error ? error->code : 0, ==, table[i].code);
    }
}

static void test_job_paths(void)
{
    g_autoptr(ObsEndpoint) endpoint = ims();
    g_autoptr(ObsRequest) with = obs_ims_job_request(endpoint, "P", "J");
    g_autoptr(ObsRequest) without = obs_ims_job_request(endpoint, NULL, "J");
    static const struct {
        guint status;
        const gchar *body;
        gboolean wrong;
    } table[] = {
        { 404, NULL, TRUE }, { 410, NULL, TRUE },
        { 400, "{\"error_code\":\"APIGW.0101\"}", TRUE },
        { 400, "{\"error_code\":\"APIGW.0301\"}", FALSE },
        { 403, NULL, FALSE }, { 200, "{}", FALSE },
    };

    g_assert_cmpstr(with->path, ==, "/v1/P/jobs/J");
    g_assert_cmpstr(without->path, ==, "/v1/cloudimages/job/J");
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) response = answer(table[i].status,
                                                 table[i].body);

        g_assert_cmpint(obs_ims_job_wrong_path(response), ==,
                        table[i].wrong);
    }
}

static void test_jobs(void)
{
    static const struct {
        const gchar *body;
        ObsJobState state;
        gdouble progress;
        const gchar *image_id, *code, *reason;
    } table[] = {
        { "{\"status\":\"INIT\",\"entities\":{}}", OBS_JOB_RUNNING, -1 },
        { "{\"status\":\"RUNNING\",\"entities\":{\"process_percent\":0.4,"
          "\"current_task\":\"t\"}}", OBS_JOB_RUNNING, 0.4 },
        { "{\"status\":\"RUNNING\",\"entities\":{\"process_percent\":\"40\"}"
          "}", OBS_JOB_RUNNING, 0.4 },
        { "{\"status\":\"RUNNING\",\"entities\":{\"process_percent\":1e99}}",
          OBS_JOB_RUNNING, -1 },
        { "{\"status\":\"RUNNING\",\"entities\":{\"process_percent\":-1}}",
          OBS_JOB_RUNNING, -1 },
        { "{\"status\":\"RUNNING\",\"entities\":{\"process_percent\":\"nan\"}"
          "}", OBS_JOB_RUNNING, -1 },
        { "{\"status\":\"SOMETHING_NEW\"}", OBS_JOB_RUNNING, -1 },
        { "{\"status\":\"SUCCESS\",\"error_code\":null,\"fail_reason\":null,"
          "\"entities\":{\"image_id\":\"I-1\",\"process_percent\":1}}",
          OBS_JOB_SUCCESS, 1, "I-1" },
        { "{\"status\":\"SUCCESS\",\"entities\":{\"sub_jobs_result\":["
          "{\"status\":\"SUCCESS\",\"entities\":{\"image_id\":\"I-2\"}}]}}",
          OBS_JOB_SUCCESS, -1, "I-2" },
        { "{\"status\":\"SUCCESS\",\"entities\":{\"image_id\":\"a/b\"}}",
          OBS_JOB_SUCCESS, -1 },
        { "{\"status\":\"FAIL\",\"error_code\":\"IMG.0057\","
          "\"fail_reason\":\"bad file\",\"entities\":{}}", OBS_JOB_FAIL, -1,
          NULL, "IMG.0057", "bad file" },
        { "{\"status\":\"FAIL\",\"entities\":{\"sub_jobs_result\":["
          "{\"status\":\"SUCCESS\",\"error_code\":\"no\"},"
          "{\"status\":\"FAIL\",\"error_code\":\"IMG.0111\","
          "\"fail_reason\":\"too\\nlarge\"}]}}", OBS_JOB_FAIL, -1, NULL,
          "IMG.0111", "too large" },
        { "{\"status\":\"FAIL\",\"error_code\":\"\"}", OBS_JOB_FAIL, -1 },
        { "{\"status\":\"SUCCESS\",\"entities\":\"odd\"}", OBS_JOB_SUCCESS,
          -1 },
    };
    static const gchar *const bad[] = { "", "{}", "[]", "{\"status\":1}" };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) response = answer(200, table[i].body);
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsJob) job = obs_ims_job_parse(response, &error);

        g_test_message("row %u", i);
        g_assert_no_error(error);
        g_assert_cmpint(job->state, ==, table[i].state);
        g_assert_cmpfloat_with_epsilon(job->progress, table[i].progress,
                                       1e-9);
        g_assert_cmpstr(job->image_id, ==, table[i].image_id);
        g_assert_cmpstr(job->error_code, ==, table[i].code);
        g_assert_cmpstr(job->fail_reason, ==, table[i].reason);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(ObsResponse) response = answer(200, bad[i]);
        g_autoptr(GError) error = NULL;

        g_assert_null(obs_ims_job_parse(response, &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_REGISTER);
    }
}

static void test_job_error(void)
{
    static const struct {
        const gchar *code, *reason, *says;
    } table[] = {
        { "IMG.0057", "why", "import job J failed: IMG.0057: why (the object "
          "is missing, empty" },
        { "IMG.7777", "why", "import job J failed: IMG.7777: why" },
        { NULL, NULL, "import job J failed without a reason" },
        { "IMG.0111", NULL, "shrink the disk" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        const ObsJob job = {
            .state = OBS_JOB_FAIL, .error_code = (gchar *)table[i].code,
            .fail_reason = (gchar *)table[i].reason,
        };
        g_autoptr(GError) error = obs_ims_job_error(&job, "J");

        g_assert_error(error, OBS_ERROR, OBS_ERROR_REGISTER);
        g_assert_nonnull(strstr(error->message, table[i].says));
    }
}

static void test_quota(void)
{
    static const struct {
        const gchar *body;
        gint64 used, quota;
        gboolean ok;
    } table[] = {
        { "{\"quotas\":{\"resources\":[{\"type\":\"x\"},{\"type\":\"image\","
          "\"used\":5,\"quota\":50,\"min\":0,\"max\":100}]}}", 5, 50, TRUE },
        { "{\"quotas\":{\"resources\":[{\"type\":\"image\",\"used\":\"5\","
          "\"quota\":-1}]}}", 5, -1, TRUE },
        { "{\"quotas\":{\"resources\":[{\"type\":\"image\",\"used\":5}]}}",
          0, 0, FALSE },
        { "{\"quotas\":{\"resources\":[]}}", 0, 0, FALSE },
        { "{}", 0, 0, FALSE }, { "[]", 0, 0, FALSE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsResponse) response = answer(200, table[i].body);
        gint64 used = 0, quota = 0;

        g_assert_cmpint(obs_ims_quota_parse(response, &used, &quota, NULL),
                        ==, table[i].ok);
        g_assert_cmpint(used, ==, table[i].used);
        g_assert_cmpint(quota, ==, table[i].quota);
    }
}

static void test_images(void)
{
    g_autoptr(ObsResponse) response =
        answer(200, "{\"images\":[{\"id\":\"I-1\",\"name\":\"n\",\"status\":"
               "\"active\",\"disk_format\":\"zvhd2\",\"min_disk\":40,"
               "\"__image_size\":\"1024\",\"created_at\":\"c\"},"
               "{\"id\":\"../\"},7,null,{\"id\":\"I-2\"}]}");
    g_autoptr(ObsResponse) none = answer(200, "{\"images\":[]}");
    g_autoptr(ObsResponse) odd = answer(200, "{}");
    g_autoptr(GPtrArray) images = obs_ims_images_parse(response, NULL);
    g_autoptr(GPtrArray) empty = obs_ims_images_parse(none, NULL);
    g_autoptr(ObsEndpoint) endpoint = ims();
    g_autoptr(ObsRequest) by_id = obs_ims_images_request(endpoint, "I", NULL);
    g_autoptr(ObsRequest) by_name = obs_ims_images_request(endpoint, NULL,
                                                           "a b");
    g_autofree gchar *id_url = obs_url_build(by_id);
    g_autofree gchar *name_url = obs_url_build(by_name);
    const ObsImage *image;

    g_assert_cmpuint(images->len, ==, 2);
    image = images->pdata[0];
    g_assert_cmpstr(image->id, ==, "I-1");
    g_assert_cmpstr(image->name, ==, "n");
    g_assert_cmpstr(image->status, ==, "active");
    g_assert_cmpstr(image->disk_format, ==, "zvhd2");
    g_assert_cmpstr(image->size_text, ==, "1024");
    g_assert_cmpint(image->min_disk, ==, 40);
    g_assert_cmpuint(empty->len, ==, 0);
    g_assert_null(obs_ims_images_parse(odd, NULL));
    g_assert_cmpstr(id_url, ==, "https://ims.example/v2/cloudimages?id=I");
    g_assert_cmpstr(name_url, ==, "https://ims.example/v2/cloudimages"
                    "?__imagetype=private&name=a%20b");
}

#define VERSION(name) "{\"os_version\":\"" name "\",\"os_bit\":64,"         \
    "\"os_type\":\"Linux\"}"

static const gchar os_list[] =
    "[{\"platform\":\"Ubuntu\",\"version_list\":["
    VERSION("Ubuntu 22.04 server 64bit") ","
    VERSION("Ubuntu 20.04 server 64bit") ","
    VERSION("Ubuntu 20.04 server 64bit(40GB)") ","
    VERSION("Ubuntu 18.04 server 64bit") "]},"
    "{\"platform\":\"CentOS\",\"version_list\":["
    VERSION("CentOS 7.6 64bit") "," VERSION("CentOS 7.6 64bit") ","
    VERSION("evil\\u001b[2J") ",7,null]},"
    "{\"platform\":\"Windows\",\"version_list\":["
    VERSION("Windows Server 2019 Datacenter 64bit") "]},"
    "null,{\"platform\":\"none\"}]";

static void test_os_versions(void)
{
    g_autoptr(ObsResponse) response = answer(200, os_list);
    g_autoptr(ObsResponse) odd = answer(200, "{}");
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) versions = obs_ims_os_versions_parse(response,
                                                              &error);
    g_autoptr(ObsEndpoint) endpoint = ims();
    g_autoptr(ObsRequest) request = obs_ims_os_versions_request(endpoint,
                                                                "x86");
    g_autofree gchar *url = obs_url_build(request);
    const ObsOsVersion *found;

    g_assert_no_error(error);
    g_assert_cmpuint(versions->len, ==, 7);
    found = obs_ims_os_version_find(versions, "CentOS 7.6 64bit");
    g_assert_nonnull(found);
    g_assert_cmpstr(found->platform, ==, "CentOS");
    g_assert_cmpstr(found->os_type, ==, "Linux");
    g_assert_cmpint(found->bits, ==, 64);
    g_assert_null(obs_ims_os_version_find(versions, "centos 7.6 64bit"));
    g_assert_null(obs_ims_os_versions_parse(odd, NULL));
    g_assert_cmpstr(url, ==,
                    "https://ims.example/v1/cloudimages/os_version?tag=x86");
}

static void test_suggest(void)
{
    static const struct {
        const gchar *wanted, *first;
    } table[] = {
        { "ubuntu 22.04 server 64bit", "Ubuntu 22.04 server 64bit" },
        { "Ubuntu 22.04", "Ubuntu 22.04 server 64bit" },
        { "Ubuntu-20.04", "Ubuntu 20.04 server 64bit" },
        { "Centos7.6", "CentOS 7.6 64bit" },
        { "Windows 2019", "Windows Server 2019 Datacenter 64bit" },
        { "zzz", NULL },
        { "", NULL },
    };
    g_autoptr(ObsResponse) response = answer(200, os_list);
    g_autoptr(GPtrArray) versions = obs_ims_os_versions_parse(response, NULL);
    g_autofree gchar *huge = g_strnfill(100000, 'u');
    g_auto(GStrv) none = obs_ims_os_version_suggest(versions, huge, 3);
    g_auto(GStrv) two = obs_ims_os_version_suggest(versions, "64bit", 2);

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_auto(GStrv) names = obs_ims_os_version_suggest(versions,
                                                         table[i].wanted, 3);

        g_test_message("%s", table[i].wanted);
        g_assert_cmpstr(names[0], ==, table[i].first);
        g_assert_cmpuint(g_strv_length(names), <=, 3);
    }
    g_assert_cmpuint(g_strv_length(two), ==, 2);
    g_assert_cmpstr(two[0], !=, two[1]);
    g_assert_nonnull(none);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ims/kinds", test_kinds);
    g_test_add_func("/ims/min-disk", test_min_disk);
    g_test_add_func("/ims/names", test_names);
    g_test_add_func("/ims/texts", test_texts);
    g_test_add_func("/ims/system-fields", test_system_fields);
    g_test_add_func("/ims/sizes", test_sizes);
    g_test_add_func("/ims/places", test_places);
    g_test_add_func("/ims/tags", test_tags);
    g_test_add_func("/ims/body", test_body);
    g_test_add_func("/ims/import-answer", test_import_answer);
    g_test_add_func("/ims/job-paths", test_job_paths);
    g_test_add_func("/ims/jobs", test_jobs);
    g_test_add_func("/ims/job-error", test_job_error);
    g_test_add_func("/ims/quota", test_quota);
    g_test_add_func("/ims/images", test_images);
    g_test_add_func("/ims/os-versions", test_os_versions);
    g_test_add_func("/ims/suggest", test_suggest);
    return g_test_run();
}
