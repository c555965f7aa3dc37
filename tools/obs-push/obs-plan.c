/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cutting a file into parts: sizes, counts, and which parts are zeros that
 * the server can copy by itself.
 */
#include "obs-plan.h"

/*
 * A copy takes the server a while and must not run into a timeout, and its
 * MD5 has to be computed here to check the answer: 1 GiB is quick for both.
 * Bigger copies only for files so large that there would be too many.
 */
#define COPY_USUAL OBS_GIB
#define COPIES_WANTED 2048

/* What the first PUT of zeros costs on the wire, at most. */
#define SEED_MAX (16 * OBS_MIB)

void obs_plan_free(ObsPlan *plan)
{
    if (plan) {
        g_clear_pointer(&plan->parts, g_array_unref);
        g_free(plan);
    }
}

static guint64 divide_up(guint64 value, guint64 unit)
{
    return value / unit + (value % unit != 0);
}

static gboolean check_requested(guint64 requested, GError **error)
{
    if (requested && (requested < OBS_PART_MIN || requested > OBS_PART_MAX)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "part size %" G_GUINT64_FORMAT " is not between 5 MiB "
                    "and 5 GiB", requested);
        return FALSE;
    }
    return TRUE;
}

/* What @size needs so that 10000 equal parts do; a multiple of 1 MiB. */
static guint64 needed_part_size(guint64 size)
{
    return divide_up(divide_up(size, OBS_PARTS_MAX), OBS_MIB) * OBS_MIB;
}

static guint64 wanted_part_size(guint64 requested)
{
    return requested ? divide_up(requested, OBS_MIB) * OBS_MIB
                     : OBS_PART_DEFAULT;
}

gboolean obs_plan_part_size(guint64 size, guint64 requested,
                            guint64 *out_part_size, GError **error)
{
    if (!check_requested(requested, error)) {
        return FALSE;
    }
    if (size > OBS_OBJECT_MAX) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "file of %" G_GUINT64_FORMAT " bytes is larger than an "
                    "object can be: 10000 parts of 5 GiB (48.8 TB)", size);
        return FALSE;
    }
    *out_part_size = MAX(wanted_part_size(requested), needed_part_size(size));
    return TRUE;
}

gboolean obs_plan_single_put(guint64 size, guint64 part_size)
{
    return size <= MAX(part_size, OBS_PART_DEFAULT);
}

static void add_part(ObsPlan *plan, guint64 offset, guint64 length,
                     ObsPartKind kind)
{
    const ObsPart part = { offset, length, kind };

    g_array_append_val(plan->parts, part);
    if (kind == OBS_PART_SEND) {
        plan->n_send++;
        plan->send_bytes += length;
    } else {
        plan->n_zero++;
        plan->zero_bytes += length;
    }
}

static ObsPlan *plan_alloc(guint64 size, guint64 part_size)
{
    ObsPlan *plan = g_new0(ObsPlan, 1);

    plan->size = size;
    plan->part_size = part_size;
    plan->parts = g_array_new(FALSE, FALSE, sizeof(ObsPart));
    return plan;
}

ObsPlan *obs_plan_new(guint64 size, guint64 requested, GError **error)
{
    ObsPlan *plan;
    guint64 part_size;

    if (!obs_plan_part_size(size, requested, &part_size, error)) {
        return NULL;
    }
    plan = plan_alloc(size, part_size);
    for (guint64 at = 0; at < size; at += part_size) {
        add_part(plan, at, MIN(part_size, size - at), OBS_PART_SEND);
    }
    if (size == 0) {
        add_part(plan, 0, 0, OBS_PART_SEND);
    }
    return plan;
}

/* ------------------------------------------------------------------------ */
/* Zero ranges */

static gboolean check_extents(guint64 size, const ObsExtent *data,
                              gsize n_data, GError **error)
{
    guint64 end = 0;

    for (gsize i = 0; i < n_data; i++) {
        if (data[i].offset < end || data[i].offset > size ||
            data[i].length > size - data[i].offset) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                        "data range %" G_GSIZE_FORMAT " at offset "
                        "%" G_GUINT64_FORMAT " is out of order or outside "
                        "of the file", i, data[i].offset);
            return FALSE;
        }
        end = data[i].offset + data[i].length;
    }
    return TRUE;
}

/* Largest copy: a multiple of @part_size, so that copies end on the grid. */
static guint64 copy_size(guint64 size, guint64 part_size)
{
    guint64 wanted = CLAMP(size / COPIES_WANTED, COPY_USUAL, OBS_PART_MAX);

    return MAX(wanted / part_size, 1) * part_size;
}

/* Walks the file in runs of cells with data and of cells without. */
typedef struct {
    guint64 size, part_size;
    const ObsExtent *data;
    gsize n_data, next;     /* extents before @next lie behind @at */
    guint64 at;             /* on the grid */
} Cells;

/* The next run; FALSE at the end of the file. */
static gboolean next_run(Cells *c, guint64 *out_end, ObsPartKind *out_kind)
{
    guint64 first, end;

    if (c->at >= c->size) {
        return FALSE;
    }
    while (c->next < c->n_data &&
           (c->data[c->next].length == 0 ||
            c->data[c->next].offset + c->data[c->next].length <= c->at)) {
        c->next++;
    }
    if (c->next == c->n_data) {
        *out_end = c->at = c->size;
        *out_kind = OBS_PART_ZERO;
        return TRUE;
    }
    first = MAX(c->data[c->next].offset, c->at);
    first -= first % c->part_size;
    if (first > c->at) {
        *out_end = c->at = first;
        *out_kind = OBS_PART_ZERO;
        return TRUE;
    }
    /* Up to the end of the cell in which the extent ends. */
    end = c->data[c->next].offset + c->data[c->next].length;
    end = divide_up(end, c->part_size) * c->part_size;
    *out_end = c->at = MIN(end, c->size);
    *out_kind = OBS_PART_SEND;
    return TRUE;
}

static Cells cells_start(guint64 size, guint64 part_size,
                         const ObsExtent *data, gsize n_data)
{
    return (Cells){ size, part_size, data, n_data, 0, 0 };
}

/* Number of parts with this part size. */
static guint64 count_parts(guint64 size, guint64 part_size,
                           const ObsExtent *data, gsize n_data)
{
    Cells cells = cells_start(size, part_size, data, n_data);
    guint64 max_copy = copy_size(size, part_size);
    guint64 count = 0, start = 0, end;
    ObsPartKind kind;

    while (next_run(&cells, &end, &kind)) {
        count += divide_up(end - start,
                           kind == OBS_PART_SEND ? part_size : max_copy);
        start = end;
    }
    return count;
}

/*
 * The smallest part size we find from @low up that gives no more than 10000
 * parts. @high always does: not even a plain file has more cells. The count
 * need not fall steadily in between, so this is not always the very smallest.
 */
static guint64 fit_part_size(guint64 size, guint64 low, guint64 high,
                             const ObsExtent *data, gsize n_data)
{
    if (count_parts(size, low, data, n_data) <= OBS_PARTS_MAX) {
        return low;
    }
    while (high - low > OBS_MIB) {
        guint64 middle = low + (high - low) / OBS_MIB / 2 * OBS_MIB;

        if (count_parts(size, middle, data, n_data) <= OBS_PARTS_MAX) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

/*
 * The zero object as long as the longest copy. Built from a seed: with
 * K = zero_size / zero_seed copies of it, so that neither the wire nor the
 * number of requests suffers.
 */
static void size_zero_object(ObsPlan *plan)
{
    guint64 longest = 0;

    for (guint i = 0; i < plan->parts->len; i++) {
        const ObsPart *part = &g_array_index(plan->parts, ObsPart, i);

        if (part->kind == OBS_PART_ZERO) {
            longest = MAX(longest, part->length);
        }
    }
    plan->zero_size = longest;
    plan->zero_seed = MIN(longest, SEED_MAX);
}

ObsPlan *obs_plan_new_sparse(guint64 size, guint64 requested,
                             const ObsExtent *data, gsize n_data,
                             GError **error)
{
    g_autoptr(ObsPlan) plan = NULL;
    guint64 part_size, max_copy, start = 0, end;
    ObsPartKind kind;
    Cells cells;

    if (!obs_plan_part_size(size, requested, &part_size, error) ||
        !check_extents(size, data, n_data, error)) {
        return NULL;
    }
    part_size = fit_part_size(size, wanted_part_size(requested), part_size,
                              data, n_data);
    max_copy = copy_size(size, part_size);
    plan = plan_alloc(size, part_size);
    cells = cells_start(size, part_size, data, n_data);
    while (next_run(&cells, &end, &kind)) {
        guint64 step = kind == OBS_PART_SEND ? part_size : max_copy;

        for (; start < end; start += MIN(step, end - start)) {
            add_part(plan, start, MIN(step, end - start), kind);
        }
    }
    if (plan->zero_bytes < OBS_ZERO_WORTH) {
        return obs_plan_new(size, requested, error);
    }
    size_zero_object(plan);
    return g_steal_pointer(&plan);
}

void obs_plan_send_all(ObsPlan *plan)
{
    for (guint i = 0; i < plan->parts->len; i++) {
        g_array_index(plan->parts, ObsPart, i).kind = OBS_PART_SEND;
    }
    plan->n_send += plan->n_zero;
    plan->send_bytes += plan->zero_bytes;
    plan->n_zero = 0;
    plan->zero_bytes = 0;
    plan->zero_seed = plan->zero_size = 0;
}

/* ------------------------------------------------------------------------ */

/* NULL, or what is wrong with part @index of @plan. */
static const gchar *bad_part(const ObsPlan *plan, guint index,
                             guint64 offset, guint count)
{
    const ObsPart *part = &g_array_index(plan->parts, ObsPart, index);

    if (part->kind != OBS_PART_SEND && part->kind != OBS_PART_ZERO) {
        return "it is of no known kind";
    }
    if (part->offset != offset) {
        return "it does not begin where the one before ends";
    }
    if (part->length > plan->size - offset) {
        return "it ends past the end of the file";
    }
    if (part->length > OBS_PART_MAX) {
        return "it is larger than 5 GiB";
    }
    if (index + 1 < count && part->length < OBS_PART_MIN) {
        return "it is smaller than 5 MiB";
    }
    if (part->kind == OBS_PART_ZERO && part->length > plan->zero_size) {
        return "it is longer than the zero object";
    }
    return NULL;
}

ObsPlan *obs_plan_from_parts(guint64 size, guint64 part_size, GArray *parts,
                             guint64 zero_seed, guint64 zero_size,
                             GError **error)
{
    g_autoptr(ObsPlan) plan = g_new0(ObsPlan, 1);
    guint64 offset = 0;

    plan->size = size;
    plan->part_size = part_size;
    plan->parts = parts;
    plan->zero_seed = zero_seed;
    plan->zero_size = zero_size;
    if (parts->len < 1 || parts->len > OBS_PARTS_MAX ||
        part_size < OBS_PART_MIN || part_size > OBS_PART_MAX ||
        zero_size > OBS_PART_MAX || zero_seed > zero_size ||
        (zero_seed == 0) != (zero_size == 0) ||
        (zero_seed < zero_size && zero_seed < OBS_PART_MIN)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "impossible plan: %u parts of %" G_GUINT64_FORMAT
                    " bytes, zero object of %" G_GUINT64_FORMAT " bytes from "
                    "%" G_GUINT64_FORMAT, parts->len, part_size, zero_size,
                    zero_seed);
        return NULL;
    }
    for (guint i = 0; i < parts->len; i++) {
        const ObsPart *part = &g_array_index(parts, ObsPart, i);
        const gchar *reason = bad_part(plan, i, offset, parts->len);

        if (!reason && part->length == 0 && size) {
            reason = "it is empty";
        }
        if (reason) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                        "impossible plan: part %u at %" G_GUINT64_FORMAT
                        ": %s", i + 1, part->offset, reason);
            return NULL;
        }
        if (part->kind == OBS_PART_SEND) {
            plan->n_send++;
            plan->send_bytes += part->length;
        } else {
            plan->n_zero++;
            plan->zero_bytes += part->length;
        }
        offset += part->length;
    }
    if (offset != size) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "impossible plan: the parts end at %" G_GUINT64_FORMAT
                    ", the file at %" G_GUINT64_FORMAT, offset, size);
        return NULL;
    }
    return g_steal_pointer(&plan);
}
