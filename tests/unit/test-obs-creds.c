/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for credentials: its order, every family of variables, the file
 * formats, and what the user is told when something can't be used.
 */
#include <string.h>

#include <glib/gstdio.h>

#include "obs-creds-file.h"
#include "obs-secret.h"

/* A world of a few variables and files. */
typedef struct {
    const gchar *env[16];           /* name, value … */
    const gchar *files[8];          /* path, content … */
    guint mode;                     /* of the files; 0: 0600 */
} Fake;

static const gchar *fake_getenv(const gchar *name, gpointer data)
{
    const Fake *fake = data;

    for (guint i = 0; i + 1 < G_N_ELEMENTS(fake->env) && fake->env[i];
         i += 2) {
        if (g_str_equal(fake->env[i], name)) {
            return fake->env[i + 1];
        }
    }
    return NULL;
}

static gboolean fake_read_file(const gchar *path, gchar **out_text,
                               guint *out_mode, gpointer data, GError **error)
{
    const Fake *fake = data;

    for (guint i = 0; i + 1 < G_N_ELEMENTS(fake->files) && fake->files[i];
         i += 2) {
        if (g_str_equal(fake->files[i], path)) {
            *out_text = g_strdup(fake->files[i + 1]);
            *out_mode = fake->mode ? fake->mode : 0600;
            return TRUE;
        }
    }
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "%s: not there",
                path);
    return FALSE;
}

static ObsLogin *find(const Fake *fake, const ObsCredsOptions *options,
                      GError **error)
{
    const ObsCredsOptions none = { NULL };
    const ObsCredsWorld world = {
        .getenv = fake_getenv, .read_file = fake_read_file, .home = "/h",
        .data = (gpointer)fake,
    };

    return obs_login_find(options ? options : &none, &world, error);
}

#define OBSUTIL "/h/.obsutilconfig"
#define PROFILES "/h/.huaweicloud/credentials"
#define CLOUDS "/h/.config/openstack/clouds.yaml"
#define PLAIN "endpoint=obs.eu-de.otc.t-systems.com\nak=FILEAK\nsk=FILESK\n"
#define PROFILE "[basic]\nak = PROFAK\nsk = PROFSK\nproject_id = P1\n"

static void test_order(void)
{
    static const struct {
        Fake fake;
        ObsCredsOptions options;
        ObsLoginKind kind;
        const gchar *access, *secret, *token, *origin;
    } table[] = {
        /* 2: each family of variables */
        { { { "OBS_ACCESS_KEY_ID", "A", "OBS_SECRET_ACCESS_KEY", "S",
              "OBS_SECURITY_TOKEN", "T" } }, { 0 }, OBS_LOGIN_KEYS,
          "A", "S", "T", "environment (OBS_ACCESS_KEY_ID)" },
        { { { "HUAWEICLOUD_SDK_AK", "A", "HUAWEICLOUD_SDK_SK", "S",
              "HUAWEICLOUD_SDK_SECURITY_TOKEN", "T" } }, { 0 },
          OBS_LOGIN_KEYS, "A", "S", "T",
          "environment (HUAWEICLOUD_SDK_AK)" },
        { { { "CLOUD_SDK_AK", "A", "CLOUD_SDK_SK", "S" } }, { 0 },
          OBS_LOGIN_KEYS, "A", "S", NULL, "environment (CLOUD_SDK_AK)" },
        { { { "OTCCLOUD_SDK_AK", "A", "OTCCLOUD_SDK_SK", "S" } }, { 0 },
          OBS_LOGIN_KEYS, "A", "S", NULL, "environment (OTCCLOUD_SDK_AK)" },
        { { { "HW_ACCESS_KEY", "A", "HW_SECRET_KEY", "S",
              "HW_SECURITY_TOKEN", "T" } }, { 0 }, OBS_LOGIN_KEYS,
          "A", "S", "T", "environment (HW_ACCESS_KEY)" },
        { { { "OS_ACCESS_KEY", "A", "OS_SECRET_KEY", "S",
              "OS_SECURITY_TOKEN", "T" } }, { 0 }, OBS_LOGIN_KEYS,
          "A", "S", "T", "environment (OS_ACCESS_KEY)" },
        { { { "OS_ACCESS_KEY_ID", "A", "OS_ACCESS_KEY_SECRET", "S" } },
          { 0 }, OBS_LOGIN_KEYS, "A", "S", NULL,
          "environment (OS_ACCESS_KEY_ID)" },
        { { { "OS_AK", "A", "OS_SK", "S" } }, { 0 }, OBS_LOGIN_KEYS, "A",
          "S", NULL, "environment (OS_AK)" },
        { { { "AWS_ACCESS_KEY_ID", "A", "AWS_SECRET_ACCESS_KEY", "S",
              "AWS_SESSION_TOKEN", "T" } }, { 0 }, OBS_LOGIN_KEYS,
          "A", "S", "T", "environment (AWS_ACCESS_KEY_ID)" },
        /* the first family wins, and its token is not taken elsewhere */
        { { { "AWS_ACCESS_KEY_ID", "A2", "AWS_SECRET_ACCESS_KEY", "S2",
              "AWS_SESSION_TOKEN", "T2", "OBS_ACCESS_KEY_ID", "A",
              "OBS_SECRET_ACCESS_KEY", "S" } }, { 0 }, OBS_LOGIN_KEYS,
          "A", "S", NULL, "environment (OBS_ACCESS_KEY_ID)" },
        /* an empty variable is not set */
        { { { "OBS_ACCESS_KEY_ID", "", "OBS_SECRET_ACCESS_KEY", "",
              "HW_ACCESS_KEY", "A", "HW_SECRET_KEY", "S" } }, { 0 },
          OBS_LOGIN_KEYS, "A", "S", NULL, "environment (HW_ACCESS_KEY)" },
        /* environment before files */
        { { { "HW_ACCESS_KEY", "A", "HW_SECRET_KEY", "S" },
            { OBSUTIL, PLAIN } }, { 0 }, OBS_LOGIN_KEYS, "A", "S", NULL,
          "environment (HW_ACCESS_KEY)" },
        /* 3 and 4 */
        { { { NULL }, { OBSUTIL, PLAIN, PROFILES, PROFILE } }, { 0 },
          OBS_LOGIN_KEYS, "FILEAK", "FILESK", NULL, OBSUTIL },
        { { { NULL }, { PROFILES, PROFILE } }, { 0 }, OBS_LOGIN_KEYS,
          "PROFAK", "PROFSK", NULL, PROFILES },
        { { { "HUAWEICLOUD_SDK_CREDENTIALS_FILE", "/x" },
            { "/x", PROFILE } }, { 0 }, OBS_LOGIN_KEYS, "PROFAK", "PROFSK",
          NULL, "/x" },
        { { { NULL }, { PROFILES, "[global]\nak=GA\nsk=GS\n" } }, { 0 },
          OBS_LOGIN_KEYS, "GA", "GS", NULL, PROFILES },
        /* 5, after the files */
        { { { "OS_TOKEN", "T" }, { PROFILES, PROFILE } }, { 0 },
          OBS_LOGIN_KEYS, "PROFAK", "PROFSK", NULL, PROFILES },
        { { { "OS_TOKEN", "T" } }, { 0 }, OBS_LOGIN_TOKEN, NULL, NULL, NULL,
          "environment (OS_TOKEN)" },
        { { { "OS_USERNAME", "u", "OS_PASSWORD", "p" } }, { 0 },
          OBS_LOGIN_PASSWORD, NULL, NULL, NULL,
          "environment (OS_USERNAME)" },
        { { { "OS_CLOUD", "c", "OS_TOKEN", "T" },
            { CLOUDS, "clouds:\n  c:\n    auth: {ak: YA, sk: YS}\n" } },
          { 0 }, OBS_LOGIN_KEYS, "YA", "YS", NULL, CLOUDS " (cloud c)" },
        /* 6 */
        { { { NULL } }, { 0 }, OBS_LOGIN_METADATA, NULL, NULL, NULL,
          "metadata service of this machine" },
        /* 1: options beat all */
        { { { "OBS_ACCESS_KEY_ID", "A", "OBS_SECRET_ACCESS_KEY", "S" },
            { "/f", "ak=FA\nsk=FS\ntoken=FT" } }, { .file = "/f" },
          OBS_LOGIN_KEYS, "FA", "FS", "FT", "/f" },
        { { { NULL }, { "/f", "[a]\nak=1\nsk=2\n[b]\nak=3\nsk=4\n" } },
          { .file = "/f", .profile = "b" }, OBS_LOGIN_KEYS, "3", "4", NULL,
          "/f" },
        { { { NULL }, { PROFILES, "[p]\nak=5\nsk=6\nsecurity_token=7" } },
          { .profile = "p" }, OBS_LOGIN_KEYS, "5", "6", "7", PROFILES },
        { { { "OS_CLIENT_CONFIG_FILE", "/y" },
            { "/y", "clouds: {c: {auth: {ak: 8, sk: 9}}}" } },
          { .os_cloud = "c" }, OBS_LOGIN_KEYS, "8", "9", NULL,
          "/y (cloud c)" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsLogin) login = find(&table[i].fake, &table[i].options,
                                         &error);

        g_test_message("row %u", i);
        g_assert_no_error(error);
        g_assert_cmpint(login->kind, ==, table[i].kind);
        g_assert_cmpstr(login->origin, ==, table[i].origin);
        g_assert_cmpint(login->keys != NULL, ==, table[i].access != NULL);
        g_assert_cmpuint(login->notes->len, ==, 0);
        if (login->keys) {
            g_assert_cmpstr(login->keys->access_key, ==, table[i].access);
            g_assert_cmpstr(login->keys->secret_key, ==, table[i].secret);
            g_assert_cmpstr(login->keys->security_token, ==, table[i].token);
        }
    }
}

/* What an obsutil of the vendor leaves: base64 of whole AES blocks. */
#define ENCRYPTED                                                           \
    "ak=q0Rk1x9Jb2Vq0Rk1x9Jb2UdPZ3Kq0Rk1x9Jb2Vq0Rk0=\n"                     \
    "sk=q0Rk1x9Jb2Vq0Rk1x9Jb2UdPZ3Kq0Rk1x9Jb2Vq0Rk1"                        \
    "x9Jb2Vq0Rk1x9Jb2UdPZ3A==\n"

static void test_refused(void)
{
    static const struct {
        Fake fake;
        ObsCredsOptions options;
        const gchar *says;
    } table[] = {
        { { { "OBS_ACCESS_KEY_ID", "A" } }, { 0 },
          "OBS_ACCESS_KEY_ID is set but OBS_SECRET_ACCESS_KEY is not" },
        { { { "OS_SK", "S" } }, { 0 },
          "OS_SK is set but OS_ACCESS_KEY is not" },
        { { { "OS_USERNAME", "u" } }, { 0 }, "OS_PASSWORD is not" },
        { { { "OS_CLOUD", "c" } }, { 0 }, "there is no clouds.yaml" },
        { { { "OS_CLOUD", "d" }, { CLOUDS, "clouds: {c: {}}" } }, { 0 },
          "has no cloud \"d\"" },
        { { { NULL } }, { .no_metadata = TRUE },
          "no credentials found (environment: no OBS_ACCESS_KEY_ID" },
        { { { NULL }, { OBSUTIL, ENCRYPTED } }, { .no_metadata = TRUE },
          "encrypted by obsutil, only obsutil can read it" },
        { { { NULL } }, { .file = "/f" }, "/f: not there" },
        { { { NULL }, { "/f", ENCRYPTED } }, { .file = "/f" },
          "encrypted by obsutil" },
        { { { NULL }, { "/f", "" } }, { .file = "/f" },
          "has no ak= and sk=" },
        { { { NULL }, { "/f", PROFILE } },
          { .file = "/f", .profile = "x" }, "has no section [x]" },
        { { { NULL }, { PROFILES, "[basic]\nak=1\n" } }, { 0 },
          "section [basic] lacks \"sk\"" },
        { { { NULL }, { PROFILES, "[basic]\nak=\nsk=2\n" } }, { 0 },
          "section [basic] lacks \"ak\"" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("row %u", i);
        g_assert_null(find(&table[i].fake, &table[i].options, &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS);
        g_assert_nonnull(strstr(error->message, table[i].says));
    }
}

/* An encrypted file is passed over, but not in silence. */
static void test_notes(void)
{
    const Fake encrypted = {
        { NULL }, { OBSUTIL, ENCRYPTED, PROFILES, PROFILE }, 0,
    };
    const Fake open = { { NULL }, { PROFILES, PROFILE }, 0644 };
    const Fake nothing = { { NULL } };
    g_autoptr(ObsLogin) first = find(&encrypted, NULL, NULL);
    g_autoptr(ObsLogin) second = find(&open, NULL, NULL);
    g_autoptr(ObsLogin) third = find(&nothing, NULL, NULL);

    g_assert_cmpstr(first->keys->access_key, ==, "PROFAK");
    g_assert_cmpuint(first->notes->len, ==, 1);
    g_assert_nonnull(strstr(first->notes->pdata[0],
                            "obsutil has encrypted the keys"));
    g_assert_cmpuint(second->notes->len, ==, 1);
    g_assert_cmpstr(second->notes->pdata[0], ==,
                    PROFILES " can be read by other users (mode 0644): "
                    "chmod 600 it");
    g_assert_cmpint(third->kind, ==, OBS_LOGIN_METADATA);
    g_assert_nonnull(strstr(third->looked_at, PROFILES ": not there"));
}

static void test_completed(void)
{
    const Fake fake = {
        { "HW_REGION_NAME", "eu-de", "OS_PROJECT_ID", "P2",
          "OS_PROJECT_NAME", "N", "OS_AUTH_URL", "https://iam/v3",
          "OS_CACERT", "/ca", "OS_PROJECT_DOMAIN_NAME", "D",
          "OS_PROJECT_DOMAIN_ID", "DI" },
        { PROFILES, PROFILE }, 0,
    };
    g_autoptr(ObsLogin) login = find(&fake, NULL, NULL);

    g_assert_cmpstr(login->region, ==, "eu-de");
    g_assert_cmpstr(login->project_id, ==, "P1");   /* the file's own */
    g_assert_cmpstr(login->project_name, ==, "N");
    g_assert_cmpstr(login->iam_endpoint, ==, "https://iam/v3");
    g_assert_cmpstr(login->cacert, ==, "/ca");
    g_assert_cmpstr(login->project_domain_name, ==, "D");
    g_assert_cmpstr(login->project_domain_id, ==, "DI");
}

static void test_password_login(void)
{
    const Fake fake = {
        { "OS_USERNAME", "u", "OS_USER_ID", "I", "OS_PASSWORD", "p",
          "OS_DOMAIN_NAME", "D", "OS_PASSCODE", "123456" }, { NULL }, 0,
    };
    g_autoptr(ObsLogin) login = find(&fake, NULL, NULL);

    g_assert_cmpstr(login->user_name, ==, "u");
    g_assert_cmpstr(login->user_id, ==, "I");
    g_assert_cmpstr(login->password, ==, "p");
    g_assert_cmpstr(login->passcode, ==, "123456");
    g_assert_cmpstr(login->user_domain_name, ==, "D");
}

static ObsLogin *new_login(void)
{
    return g_new0(ObsLogin, 1);
}

static void test_obsutil(void)
{
    static const struct {
        const gchar *text;
        ObsObsutilState state;
        const gchar *access, *endpoint;
    } table[] = {
        { PLAIN, OBS_OBSUTIL_KEYS, "FILEAK",
          "obs.eu-de.otc.t-systems.com" },
        { "# ak=no\n; ak=no\n ak = A \r\nsk=S=/+\r\nnonsense\n=x\n",
          OBS_OBSUTIL_KEYS, "A", NULL },
        { "ak=A\nak=B\nsk=S", OBS_OBSUTIL_KEYS, "B", NULL },
        { "ak=\nsk=S", OBS_OBSUTIL_UNSET, NULL, NULL },
        { "ak=A", OBS_OBSUTIL_UNSET, NULL, NULL },
        { "", OBS_OBSUTIL_UNSET, NULL, NULL },
        { "ak=*** Provide your Access Key ***\n"
          "sk=*** Provide your Secret Key ***\n"
          "endpoint=*** Provide your Endpoint ***\n", OBS_OBSUTIL_UNSET,
          NULL, NULL },
        { ENCRYPTED "endpoint=e.example\n", OBS_OBSUTIL_ENCRYPTED, NULL,
          "e.example" },
        /* the shape of real keys: 20 and 40 letters */
        { "ak=ABCDEFGHIJKLMNOPQRST\n"
          "sk=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN", OBS_OBSUTIL_KEYS,
          "ABCDEFGHIJKLMNOPQRST", NULL },
        /* 24 letters that are base64, but of 18 bytes */
        { "ak=ABCDEFGHIJKLMNOPQRSTUVWX\nsk=s", OBS_OBSUTIL_KEYS,
          "ABCDEFGHIJKLMNOPQRSTUVWX", NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(ObsLogin) login = new_login();

        g_assert_cmpint(obs_creds_parse_obsutil(table[i].text, login), ==,
                        table[i].state);
        g_assert_cmpstr(login->obs_endpoint, ==, table[i].endpoint);
        g_assert_cmpint(login->keys != NULL, ==, table[i].access != NULL);
        if (login->keys) {
            g_assert_cmpstr(login->keys->access_key, ==, table[i].access);
        }
    }
}

static void test_profile(void)
{
    static const gchar text[] =
        "ak=outside\nsk=outside\n"
        "[basic]\r\nak = A\r\nsk = S\r\nsecurity_token = T\r\n"
        "project_id = P\r\ndomain_id = D\r\niam_endpoint = https://i\r\n"
        "region = r1\r\n"
        "[other]\nak=B\nsk=C\n";
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsLogin) login = new_login();

    g_assert_true(obs_creds_text_is_profile(text));
    g_assert_false(obs_creds_text_is_profile(PLAIN));
    g_assert_true(obs_creds_parse_profile(text, NULL, "f", login, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(login->keys->access_key, ==, "A");
    g_assert_cmpstr(login->keys->secret_key, ==, "S");
    g_assert_cmpstr(login->keys->security_token, ==, "T");
    g_assert_cmpstr(login->project_id, ==, "P");
    g_assert_cmpstr(login->iam_endpoint, ==, "https://i");
    g_assert_cmpstr(login->region, ==, "r1");
}

static void test_clouds(void)
{
    static const gchar text[] =
        "# comment\n"
        "clouds:\n"
        "  one:\n"
        "    auth:\n"
        "      auth_url: https://iam.eu-de.otc.t-systems.com/v3\n"
        "      username: 'user name'\n"
        "      password: \"p: #x\"\n"
        "      user_domain_name: OTC00000000001\n"
        "      project_name: eu-de_sub\n"
        "      project_domain_name: PD\n"
        "      project_domain_id: PDI\n"
        "    region_name: eu-de\n"
        "    cacert: /ca.pem\n"
        "  two:\n"
        "    auth: &shared {token: TTT, project_id: P, domain_name: D}\n"
        "  three:\n"
        "    auth: *shared\n"
        "  four: {auth: {access_key: A, secret_key: S,"
        " security_token: T}}\n"
        "  five: {auth: {username: u}}\n"
        "  six: text\n";
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsLogin) one = new_login();
    g_autoptr(ObsLogin) three = new_login();
    g_autoptr(ObsLogin) four = new_login();

    g_assert_true(obs_creds_parse_clouds(text, "one", "f", one, &error));
    g_assert_no_error(error);
    g_assert_cmpint(one->kind, ==, OBS_LOGIN_PASSWORD);
    g_assert_cmpstr(one->user_name, ==, "user name");
    g_assert_cmpstr(one->password, ==, "p: #x");
    g_assert_cmpstr(one->user_domain_name, ==, "OTC00000000001");
    g_assert_cmpstr(one->project_name, ==, "eu-de_sub");
    g_assert_cmpstr(one->project_domain_name, ==, "PD");
    g_assert_cmpstr(one->project_domain_id, ==, "PDI");
    g_assert_cmpstr(one->region, ==, "eu-de");
    g_assert_cmpstr(one->cacert, ==, "/ca.pem");
    g_assert_cmpstr(one->iam_endpoint, ==,
                    "https://iam.eu-de.otc.t-systems.com/v3");

    g_assert_true(obs_creds_parse_clouds(text, "three", "f", three, NULL));
    g_assert_cmpint(three->kind, ==, OBS_LOGIN_TOKEN);
    g_assert_cmpstr(three->token, ==, "TTT");
    g_assert_cmpstr(three->project_id, ==, "P");
    g_assert_cmpstr(three->user_domain_name, ==, "D");

    g_assert_true(obs_creds_parse_clouds(text, "four", "f", four, NULL));
    g_assert_cmpint(four->kind, ==, OBS_LOGIN_KEYS);
    g_assert_cmpstr(four->keys->security_token, ==, "T");
}

static void test_clouds_refused(void)
{
    g_autofree gchar *deep = g_strnfill(1000, '[');
    const struct {
        const gchar *text, *cloud;
    } table[] = {
        { "", "c" }, { "clouds:", "c" }, { "[1, 2]", "c" },
        { "clouds: [c]", "c" }, { "clouds: {c: text}", "c" },
        { "clouds: {c: {auth: {username: u}}}", "c" },
        { "clouds: {c: {auth: {ak: a}}}", "c" },
        { "clouds: {c: {auth: [ak, sk]}}", "c" },
        { "clouds: {c: {auth: {ak: [x], sk: {y: z}}}}", "c" },
        { "clouds: {c: {auth: {ak: \"a\\0b\", sk: s}}}", "c" },
        { "clouds: {c: {auth: {password: SECRET", "c" },
        { "\tclouds: x", "c" }, { "a: *nowhere", "c" }, { deep, "c" },
        { "clouds: {c: {auth: {ak: a, sk: b}}}", "d" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsLogin) login = new_login();

        g_test_message("row %u", i);
        g_assert_false(obs_creds_parse_clouds(table[i].text, table[i].cloud,
                                              "f", login, &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS);
        g_assert_null(strstr(error->message, "SECRET"));
    }
}

static void test_real_world(void)
{
    const ObsCredsWorld *world = obs_creds_world();
    g_autoptr(GError) error = NULL;
    g_autofree gchar *folder = g_dir_make_tmp("obs-creds-XXXXXX", &error);
    g_autofree gchar *path = g_build_filename(folder, "file", NULL);
    g_autofree gchar *big = g_strnfill(1024 * 1024 + 1, 'x');
    gchar *text = NULL;
    guint mode = 0;

    g_assert_no_error(error);
    g_assert_true(g_file_set_contents(path, "ak=1", -1, &error));
    g_assert_cmpint(g_chmod(path, 0640), ==, 0);
    g_assert_true(world->read_file(path, &text, &mode, world->data, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, "ak=1");
    g_assert_cmpuint(mode, ==, 0640);
    obs_secret_wipe_string(text);

    g_assert_true(g_file_set_contents(path, big, -1, &error));
    g_assert_false(world->read_file(path, &text, &mode, world->data,
                                    &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED);
    g_clear_error(&error);
    g_assert_false(world->read_file(folder, &text, &mode, world->data,
                                    &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
    g_clear_error(&error);
    g_assert_false(world->read_file("/dev/zero", &text, &mode, world->data,
                                    &error));
    g_clear_error(&error);
    g_unlink(path);
    g_assert_false(world->read_file(path, &text, &mode, world->data,
                                    &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/creds/order", test_order);
    g_test_add_func("/creds/refused", test_refused);
    g_test_add_func("/creds/notes", test_notes);
    g_test_add_func("/creds/completed", test_completed);
    g_test_add_func("/creds/password-login", test_password_login);
    g_test_add_func("/creds/obsutil", test_obsutil);
    g_test_add_func("/creds/profile", test_profile);
    g_test_add_func("/creds/clouds", test_clouds);
    g_test_add_func("/creds/clouds-refused", test_clouds_refused);
    g_test_add_func("/creds/real-world", test_real_world);
    return g_test_run();
}
