/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part sizes and plans: the limits of OBS at both ends, and for sparse files
 * that every plan covers the file, keeps all data and obeys every rule.
 */
#include "obs-plan.h"

#define TIB (G_GUINT64_CONSTANT(1) << 40)

static void test_part_size(void)
{
    static const struct {
        guint64 size, requested, part_size;
    } table[] = {
        { 0, 0, 16 * OBS_MIB },
        { 1, 0, 16 * OBS_MIB },
        { 10000 * 16 * OBS_MIB, 0, 16 * OBS_MIB },
        { 10000 * 16 * OBS_MIB + 1, 0, 17 * OBS_MIB },
        { G_GUINT64_CONSTANT(1000000000000), 0, 96 * OBS_MIB },
        { TIB, 0, 105 * OBS_MIB },
        { TIB, 512 * OBS_MIB, 512 * OBS_MIB },
        { 1, 5 * OBS_MIB, 5 * OBS_MIB },
        { 1, 5 * OBS_MIB + 1, 6 * OBS_MIB },
        { OBS_OBJECT_MAX, 0, 5 * OBS_GIB },
        { 1, 5 * OBS_GIB, 5 * OBS_GIB },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        guint64 part_size = 0;

        g_assert_true(obs_plan_part_size(table[i].size, table[i].requested,
                                         &part_size, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(part_size, ==, table[i].part_size);
    }
}

static void test_part_size_refused(void)
{
    static const struct {
        guint64 size, requested;
        gint code;
    } table[] = {
        { 1, 1, OBS_ERROR_USAGE },
        { 1, 5 * OBS_MIB - 1, OBS_ERROR_USAGE },
        { 1, 5 * OBS_GIB + 1, OBS_ERROR_USAGE },
        { 1, G_MAXUINT64, OBS_ERROR_USAGE },
        { OBS_OBJECT_MAX + 1, 0, OBS_ERROR_SOURCE },
        { G_MAXUINT64, 0, OBS_ERROR_SOURCE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        guint64 part_size = 7;

        g_assert_false(obs_plan_part_size(table[i].size, table[i].requested,
                                          &part_size, &error));
        g_assert_error(error, OBS_ERROR, table[i].code);
        g_assert_cmpuint(part_size, ==, 7);
    }
}

static void test_single_put(void)
{
    g_assert_true(obs_plan_single_put(0, 16 * OBS_MIB));
    g_assert_true(obs_plan_single_put(16 * OBS_MIB, 16 * OBS_MIB));
    g_assert_false(obs_plan_single_put(16 * OBS_MIB + 1, 16 * OBS_MIB));
    g_assert_true(obs_plan_single_put(16 * OBS_MIB, 5 * OBS_MIB));
    g_assert_true(obs_plan_single_put(5 * OBS_GIB, 5 * OBS_GIB));
    g_assert_false(obs_plan_single_put(5 * OBS_GIB + 1, 5 * OBS_GIB));
}

/* Whatever the plan: it covers the file, and no rule is broken. */
static void check_plan(const ObsPlan *plan, const ObsExtent *data,
                       gsize n_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsPlan) again = NULL;
    guint64 send = 0, zero = 0;
    gsize next = 0;

    again = obs_plan_from_parts(plan->size, plan->part_size,
                                g_array_copy(plan->parts), plan->zero_seed,
                                plan->zero_size, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(again->send_bytes, ==, plan->send_bytes);
    g_assert_cmpuint(again->zero_bytes, ==, plan->zero_bytes);
    g_assert_cmpuint(again->n_send, ==, plan->n_send);
    g_assert_cmpuint(again->n_zero, ==, plan->n_zero);

    for (guint i = 0; i < plan->parts->len; i++) {
        const ObsPart *part = &g_array_index(plan->parts, ObsPart, i);
        guint64 end = part->offset + part->length;

        if (part->kind == OBS_PART_SEND) {
            send += part->length;
            g_assert_cmpuint(part->length, <=, plan->part_size);
            g_assert_true(part->length == plan->part_size ||
                          end == plan->size);
            continue;
        }
        zero += part->length;
        while (next < n_data &&
               data[next].offset + data[next].length <= part->offset) {
            next++;
        }
        /* No byte of data may lie in what is copied from zeros. */
        g_assert_true(next == n_data || data[next].length == 0 ||
                      data[next].offset >= end);
    }
    g_assert_cmpuint(send + zero, ==, plan->size);
}

static void test_plain(void)
{
    static const guint64 sizes[] = {
        0, 1, 16 * OBS_MIB, 16 * OBS_MIB + 1, TIB, TIB + 511, OBS_OBJECT_MAX,
        OBS_OBJECT_MAX - 1,
    };

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsPlan) plan = obs_plan_new(sizes[i], 0, &error);
        const ObsExtent all = { 0, sizes[i] };

        g_assert_no_error(error);
        check_plan(plan, &all, 1);
        g_assert_cmpuint(plan->n_zero, ==, 0);
        for (guint p = 0; p < plan->parts->len; p++) {
            g_assert_cmpuint(g_array_index(plan->parts, ObsPart, p).offset,
                             ==, p * plan->part_size);
        }
    }
}

static ObsPlan *sparse(guint64 size, guint64 requested, const ObsExtent *data,
                       gsize n_data)
{
    g_autoptr(GError) error = NULL;
    ObsPlan *plan = obs_plan_new_sparse(size, requested, data, n_data,
                                        &error);

    g_assert_no_error(error);
    check_plan(plan, data, n_data);
    return plan;
}

/* An empty disk of 1 TiB: next to nothing on the wire, few requests. */
static void test_all_zero(void)
{
    g_autoptr(ObsPlan) plan = sparse(TIB, 0, NULL, 0);

    g_assert_cmpuint(plan->n_send, ==, 0);
    g_assert_cmpuint(plan->zero_bytes, ==, TIB);
    g_assert_cmpuint(plan->parts->len, <=, 2048);
    g_assert_cmpuint(plan->zero_seed, ==, 16 * OBS_MIB);
    g_assert_cmpuint(plan->zero_size / plan->zero_seed, <=, 128);
}

static void test_largest_empty(void)
{
    g_autoptr(ObsPlan) plan = sparse(OBS_OBJECT_MAX, 0, NULL, 0);

    g_assert_cmpuint(plan->n_send, ==, 0);
    g_assert_cmpuint(plan->parts->len, <=, OBS_PARTS_MAX);
}

static void test_few_bytes_far_apart(void)
{
    const ObsExtent data[] = {
        { 0, 1 }, { 100 * OBS_GIB + 5, 4096 }, { 500 * OBS_GIB, OBS_MIB },
        { TIB - 1, 1 },
    };
    g_autoptr(ObsPlan) plan = sparse(TIB, 0, data, G_N_ELEMENTS(data));

    /* A plain plan would need parts of 105 MiB; a sparse one does not. */
    g_assert_cmpuint(plan->part_size, ==, 16 * OBS_MIB);
    g_assert_cmpuint(plan->n_send, ==, 4);
    g_assert_cmpuint(plan->send_bytes, ==, 4 * 16 * OBS_MIB);
}

static void test_extent_over_grid_lines(void)
{
    const ObsExtent data[] = {
        { 16 * OBS_MIB - 1, 2 },                    /* cells 0 and 1 */
        { 100 * OBS_MIB, 0 },                       /* empty: no data */
        { 160 * OBS_MIB, 16 * OBS_MIB },            /* cell 10, exactly */
        { 180 * OBS_MIB, 1 }, { 181 * OBS_MIB, 1 }, /* both in cell 11 */
    };
    g_autoptr(ObsPlan) plan = sparse(200 * OBS_MIB + 3, 0, data,
                                     G_N_ELEMENTS(data));

    g_assert_cmpuint(plan->n_send, ==, 4);
    g_assert_cmpuint(plan->n_zero, ==, 2);
    g_assert_cmpuint(plan->zero_bytes, ==, 8 * 16 * OBS_MIB +
                     200 * OBS_MIB + 3 - 192 * OBS_MIB);
    g_assert_cmpuint(plan->zero_size, ==, 128 * OBS_MIB);
}

static void test_not_worth_it(void)
{
    const ObsExtent data[] = { { 0, 100 * OBS_MIB } };
    g_autoptr(ObsPlan) some = sparse(150 * OBS_MIB, 0, data, 1);
    g_autoptr(ObsPlan) more = sparse(250 * OBS_MIB, 0, data, 1);

    g_assert_cmpuint(some->n_zero, ==, 0);
    g_assert_cmpuint(some->zero_size, ==, 0);
    g_assert_cmpuint(more->n_zero, ==, 1);
}

/* Every second cell has data: too many parts, so the cells must grow. */
static void test_too_scattered(void)
{
    g_autofree ObsExtent *data = g_new(ObsExtent, 32768);
    g_autoptr(ObsPlan) plan = NULL;

    for (guint i = 0; i < 32768; i++) {
        data[i].offset = i * 32 * OBS_MIB;
        data[i].length = 512;
    }
    plan = sparse(TIB, 0, data, 32768);
    g_assert_cmpuint(plan->parts->len, <=, OBS_PARTS_MAX);
    g_assert_cmpuint(plan->part_size, >, 16 * OBS_MIB);
    g_assert_cmpuint(plan->part_size, <=, 105 * OBS_MIB);
}

static void test_random(void)
{
    for (guint round = 0; round < 300; round++) {
        guint64 size = ((guint64)g_test_rand_int() << 16 |
                        (guint64)(g_test_rand_int() & 0xffff)) % (3 * TIB);
        guint n = (guint)g_test_rand_int_range(0, 200);
        g_autofree ObsExtent *data = g_new(ObsExtent, n + 1);
        g_autoptr(ObsPlan) plan = NULL;
        guint64 at = 0;
        guint used = 0;

        for (guint i = 0; i < n && at < size; i++) {
            guint64 gap = g_test_rand_double_range(0, (gdouble)size / n * 2);
            guint64 length = g_test_rand_double_range(0, (gdouble)size / n);

            if (g_test_rand_bit()) {
                length %= OBS_MIB;
            }
            if (gap > size - at) {
                break;
            }
            at += gap;
            data[used].offset = at;
            data[used].length = MIN(length, size - at);
            at += data[used].length;
            used++;
        }
        plan = sparse(size, (guint64)g_test_rand_int_range(5, 64) * OBS_MIB,
                      data, used);
        g_assert_cmpuint(plan->parts->len, <=, OBS_PARTS_MAX);
        obs_plan_send_all(plan);
        g_assert_cmpuint(plan->send_bytes, ==, size);
        g_assert_cmpuint(plan->n_zero, ==, 0);
    }
}

static void test_bad_extents(void)
{
    static const ObsExtent bad[][2] = {
        { { 10, 10 }, { 15, 1 } },
        { { 10, 10 }, { 5, 1 } },
        { { 0, 1 }, { 101, 0 } },
        { { 0, 1 }, { 100, 1 } },
        { { 0, 1 }, { 50, G_MAXUINT64 } },
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(obs_plan_new_sparse(100, 0, bad[i], 2, &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
    }
}

static void test_from_parts_refuses(void)
{
    static const struct {
        guint64 size, part_size;
        ObsPart parts[3];
        guint n;
        guint64 seed, zero;
    } table[] = {
        { 10, 16 * OBS_MIB, { { 0, 10, 0 } }, 0, 0, 0 },
        { 10, OBS_MIB, { { 0, 10, 0 } }, 1, 0, 0 },
        { 10, 16 * OBS_MIB, { { 0, 9, 0 } }, 1, 0, 0 },
        { 10, 16 * OBS_MIB, { { 0, 11, 0 } }, 1, 0, 0 },
        { 10, 16 * OBS_MIB, { { 1, 9, 0 } }, 1, 0, 0 },
        { 10, 16 * OBS_MIB, { { 0, 10, 7 } }, 1, 0, 0 },
        { 10, 16 * OBS_MIB, { { 0, 10, OBS_PART_ZERO } }, 1, 0, 0 },
        { 10, 16 * OBS_MIB, { { 0, 10, OBS_PART_ZERO } }, 1, 5, 10 },
        { 10, 16 * OBS_MIB, { { 0, 10, OBS_PART_ZERO } }, 1, 11, 10 },
        { 10, 16 * OBS_MIB, { { 0, 10, 0 } }, 1, 0, 10 },
        { 12 * OBS_MIB, 16 * OBS_MIB,
          { { 0, OBS_MIB, 0 }, { OBS_MIB, 11 * OBS_MIB, 0 } }, 2, 0, 0 },
        { 6 * OBS_GIB, 16 * OBS_MIB,
          { { 0, 5 * OBS_GIB + 1, 0 },
            { 5 * OBS_GIB + 1, OBS_GIB - 1, 0 } }, 2, 0, 0 },
        { 6 * OBS_MIB, 16 * OBS_MIB,
          { { 0, 6 * OBS_MIB, 0 }, { 6 * OBS_MIB, 0, 0 } }, 2, 0, 0 },
        { 10, 16 * OBS_MIB, { { 0, G_MAXUINT64, 0 } }, 1, 0, 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        GArray *parts = g_array_new(FALSE, FALSE, sizeof(ObsPart));

        g_array_append_vals(parts, table[i].parts, table[i].n);
        g_assert_null(obs_plan_from_parts(table[i].size, table[i].part_size,
                                          parts, table[i].seed,
                                          table[i].zero, &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/part-size", test_part_size);
    g_test_add_func("/plan/part-size-refused", test_part_size_refused);
    g_test_add_func("/plan/single-put", test_single_put);
    g_test_add_func("/plan/plain", test_plain);
    g_test_add_func("/plan/all-zero", test_all_zero);
    g_test_add_func("/plan/largest-empty", test_largest_empty);
    g_test_add_func("/plan/few-bytes-far-apart", test_few_bytes_far_apart);
    g_test_add_func("/plan/extent-over-grid-lines",
                    test_extent_over_grid_lines);
    g_test_add_func("/plan/not-worth-it", test_not_worth_it);
    g_test_add_func("/plan/too-scattered", test_too_scattered);
    g_test_add_func("/plan/random", test_random);
    g_test_add_func("/plan/bad-extents", test_bad_extents);
    g_test_add_func("/plan/from-parts-refuses", test_from_parts_refuses);
    return g_test_run();
}
