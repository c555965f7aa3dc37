/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers, lines and JSON as obs-push shows them; speed; the rate limit. */
#include <math.h>
#include <string.h>

#include "progress.h"
#include "rate.h"

static void test_size(void)
{
    static const struct {
        guint64 bytes;
        const char *text;
    } cases[] = {
        { 0, "0 B" }, { 1, "1 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" },
        { 1536, "1.5 KiB" }, { 1048575, "1.0 MiB" }, { 1048576, "1.0 MiB" },
        { 104857600, "100 MiB" }, { 1073741824, "1.0 GiB" },
        { 103293747789, "96.2 GiB" }, { 1099511627776, "1.0 TiB" },
        { G_MAXUINT64, "16.0 EiB" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = obs_format_size(cases[i].bytes);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_rate_text(void)
{
    static const struct {
        double rate;
        const char *text;
    } cases[] = {
        { 0, "0 B/s" }, { 222298112, "212 MiB/s" }, { -1, "- /s" },
        { INFINITY, "- /s" }, { NAN, "- /s" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = obs_format_rate(cases[i].rate);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_time(void)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        { 0, "0:00" }, { 59.4, "0:59" }, { 59.6, "1:00" }, { 134, "2:14" },
        { 3600, "1:00:00" }, { 3725, "1:02:05" }, { 48 * 3600, "2d 0h" },
        { 90 * 3600, "3d 18h" }, { -1, "-" }, { INFINITY, "-" },
        { NAN, "-" }, { 1e12, "-" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = obs_format_time(cases[i].seconds);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_bar(void)
{
    static const struct {
        double fraction;
        guint width;
        gboolean utf8;
        const char *text;
    } cases[] = {
        { 0, 4, FALSE, "[----]" }, { 1, 4, FALSE, "[####]" },
        { 0.5, 4, FALSE, "[##--]" }, { 0.99, 4, FALSE, "[###-]" },
        { 7, 4, FALSE, "[####]" }, { -3, 4, FALSE, "[----]" },
        { 0.5, 4, TRUE, "[██░░]" }, { 0.5, 0, TRUE, "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = obs_format_bar(cases[i].fraction,
                                               cases[i].width,
                                               cases[i].utf8);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_line(void)
{
    ObsProgressView view = {
        .stage = "upload", .done = 73443450880, .total = 103293747789,
        .rate = 222298112,
    };
    g_autofree char *log = obs_format_progress(&view, 0, FALSE);
    g_autofree char *bar = obs_format_progress(&view, 90, FALSE);

    g_assert_cmpstr(log, ==, "upload    71 %  68.4 / 96.2 GiB  212 MiB/s  "
                    "ETA 2:14");
    g_assert_cmpstr(bar, ==, "upload   [########################----------]  "
                    " 71 %  68.4 / 96.2 GiB  212 MiB/s  ETA 2:14");
}

static void test_line_never_too_long(void)
{
    ObsProgressView view = {
        .stage = "upload", .done = 1, .total = G_MAXUINT64, .rate = 1,
        .text = "a text that is rather long for a narrow terminal — ü",
    };

    for (guint columns = 1; columns < 200; columns++) {
        for (gboolean utf8 = FALSE; utf8 <= TRUE; utf8++) {
            g_autofree char *line = obs_format_progress(&view, columns, utf8);

            g_assert_cmpint(g_utf8_strlen(line, -1), <=, columns);
            g_assert_true(g_utf8_validate(line, -1, NULL));
        }
    }
}

static void test_line_without_bytes(void)
{
    ObsProgressView view = {
        .stage = "register", .fraction = 0.4, .rate = -1,
        .text = "job 8a12  importing",
    };
    g_autofree char *known = obs_format_progress(&view, 0, FALSE);
    g_autofree char *unknown = NULL;

    g_assert_cmpstr(known, ==, "register  40 %  job 8a12  importing");
    view.fraction = -1;
    unknown = obs_format_progress(&view, 79, TRUE);
    g_assert_cmpstr(unknown, ==, "register job 8a12  importing");
}

/* 100 % is said only when it is true. */
static void test_almost_done(void)
{
    ObsProgressView view = {
        .stage = "upload", .done = 999999, .total = 1000000, .rate = -1,
    };
    g_autofree char *line = obs_format_progress(&view, 0, FALSE);

    g_assert_nonnull(strstr(line, " 99 %"));
}

static void test_safe(void)
{
    g_autofree char *escapes = obs_format_safe("a\x1b[2Jb\rc\nd\x7f");
    g_autofree char *c1 = obs_format_safe("x\xc2\x9by");
    g_autofree char *broken = obs_format_safe("x\xffy");

    g_assert_cmpstr(escapes, ==, "a?[2Jb?c\nd?");
    g_assert_cmpstr(c1, ==, "x?y");
    g_assert_true(g_utf8_validate(broken, -1, NULL));
}

static JsonObject *parse(const char *line, JsonParser *parser)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(strchr(line, '\n'));
    json_parser_load_from_data(parser, line, -1, &error);
    g_assert_no_error(error);
    return json_node_get_object(json_parser_get_root(parser));
}

static void test_json(void)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(JsonObject) detail = json_object_new();
    ObsEvent event = {
        .kind = OBS_EVENT_PROGRESS, .stage = "upload", .done = 5, .total = 9,
    };
    g_autofree char *progress = obs_format_json(&event, 3.7, 1500000);
    g_autofree char *stage = NULL;
    JsonObject *o = parse(progress, parser);

    g_assert_cmpstr(json_object_get_string_member(o, "event"), ==,
                    "progress");
    g_assert_cmpint(json_object_get_int_member(o, "done"), ==, 5);
    g_assert_cmpint(json_object_get_int_member(o, "total"), ==, 9);
    g_assert_cmpint(json_object_get_int_member(o, "rate"), ==, 3);
    g_assert_cmpfloat(json_object_get_double_member(o, "time"), ==, 1.5);

    json_object_set_string_member(detail, "key", "a\"b");
    event = (ObsEvent){ .kind = OBS_EVENT_STAGE, .stage = "check",
                        .text = "line\nline \xff", .detail = detail };
    stage = obs_format_json(&event, -1, 0);
    o = parse(stage, parser);
    g_assert_cmpstr(json_object_get_string_member(o, "key"), ==, "a\"b");
    g_assert_true(g_str_has_prefix(json_object_get_string_member(o, "text"),
                                   "line\nline"));
    g_assert_false(json_object_has_member(o, "rate"));
}

static void test_speed(void)
{
    ObsSpeed speed = { 0 };

    g_assert_cmpfloat(obs_speed_rate(&speed), ==, -1);
    obs_speed_add(&speed, 0, 1000000);
    g_assert_cmpfloat(obs_speed_rate(&speed), ==, -1);
    /* Too soon after the last: not a sample. */
    obs_speed_add(&speed, 500, 1100000);
    g_assert_cmpfloat(obs_speed_rate(&speed), ==, -1);
    obs_speed_add(&speed, 2000, 2000000);
    g_assert_cmpfloat(obs_speed_rate(&speed), ==, 2000);
    /* A part is sent again. */
    obs_speed_add(&speed, 1000, 3000000);
    g_assert_cmpfloat(obs_speed_rate(&speed), ==, -1);
}

static void test_speed_is_of_the_last_seconds(void)
{
    ObsSpeed speed = { 0 };
    gint64 now = 0;
    guint64 done = 0;

    for (guint i = 0; i < 100; i++, now += G_USEC_PER_SEC) {
        obs_speed_add(&speed, done, now);
        done += i < 50 ? 1000000 : 10;
    }
    g_assert_cmpfloat(obs_speed_rate(&speed), ==, 10);
}

static void test_bucket(void)
{
    ObsRate r;
    gsize sent = 0;

    obs_rate_init(&r, 0, 0);
    g_assert_cmpuint(obs_rate_take(&r, 12345, 0), ==, 12345);

    obs_rate_init(&r, 1000000, 0);
    g_assert_cmpuint(obs_rate_take(&r, 1000, 0), ==, 0);
    /* A long pause is not saved up: at most a tenth of a second's worth. */
    g_assert_cmpuint(obs_rate_take(&r, 1 << 30, 60 * G_USEC_PER_SEC), ==,
                     100000);
    for (gint64 t = 0; t < 10 * G_USEC_PER_SEC; t += 7000) {
        sent += obs_rate_take(&r, 1 << 20, 60 * G_USEC_PER_SEC + t);
    }
    g_assert_cmpuint(sent, >, 9900000);
    g_assert_cmpuint(sent, <=, 10000000);
}

/* A limit of a few bytes still sends some; a clock that jumps does no harm. */
static void test_bucket_edges(void)
{
    ObsRate r;
    gsize sent = 0;

    obs_rate_init(&r, 1, 0);
    for (gint64 t = 0; t <= 10 * G_USEC_PER_SEC; t += G_USEC_PER_SEC / 2) {
        sent += obs_rate_take(&r, 100, t);
    }
    g_assert_cmpuint(sent, >=, 9);
    g_assert_cmpuint(sent, <=, 10);
    g_assert_cmpuint(obs_rate_take(&r, 100, 0), <=, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/progress/size", test_size);
    g_test_add_func("/progress/rate", test_rate_text);
    g_test_add_func("/progress/time", test_time);
    g_test_add_func("/progress/bar", test_bar);
    g_test_add_func("/progress/line", test_line);
    g_test_add_func("/progress/line/width", test_line_never_too_long);
    g_test_add_func("/progress/line/no-bytes", test_line_without_bytes);
    g_test_add_func("/progress/line/almost-done", test_almost_done);
    g_test_add_func("/progress/safe", test_safe);
    g_test_add_func("/progress/json", test_json);
    g_test_add_func("/progress/speed", test_speed);
    g_test_add_func("/progress/speed/window",
                    test_speed_is_of_the_last_seconds);
    g_test_add_func("/rate/bucket", test_bucket);
    g_test_add_func("/rate/edges", test_bucket_edges);
    return g_test_run();
}
