/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cutting a file into parts: sizes, counts, and which parts are zeros that
 * the server can copy by itself. Pure arithmetic; all sizes are bytes.
 *
 * The file lies on a grid of equal cells of part_size bytes, the last one
 * shorter. A cell with data is one part that is sent. Neighbouring cells
 * without data are joined into copies (up to max_copy). So every sent part
 * has the same size, every part but the file's last is at least part_size
 * long (as S3 and OBS demand), and the plan follows from a few numbers and
 * the zero ranges alone. For a plain file part n starts at n × part_size.
 */
#ifndef OBS_PLAN_H
#define OBS_PLAN_H

#include <glib.h>

#include "obs-error.h"

#define OBS_MIB (G_GUINT64_CONSTANT(1) << 20)
#define OBS_GIB (G_GUINT64_CONSTANT(1) << 30)

#define OBS_PARTS_MAX 10000u
#define OBS_PART_MIN (5 * OBS_MIB)          /* S3's rule; OBS: 100 KB */
#define OBS_PART_MAX (5 * OBS_GIB)          /* also of a copy and a plain PUT */
#define OBS_PART_DEFAULT (16 * OBS_MIB)
/* 10000 parts of 5 GiB, which the documentation rounds to "48.8 TB". */
#define OBS_OBJECT_MAX (OBS_PARTS_MAX * OBS_PART_MAX)

typedef enum {
    OBS_PART_SEND,          /* bytes go over the wire */
    OBS_PART_ZERO,          /* copied from the zero object inside the cloud */
} ObsPartKind;

typedef struct {
    guint64 offset;
    guint64 length;
    ObsPartKind kind;
} ObsPart;

/* A range of a file that holds data; all else reads as zeros. */
typedef struct {
    guint64 offset;
    guint64 length;
} ObsExtent;

typedef struct {
    guint64 size;           /* of the file */
    guint64 part_size;      /* grid cell; multiple of 1 MiB */
    GArray *parts;          /* ObsPart; part number is index + 1 */
    guint n_send, n_zero;
    guint64 send_bytes, zero_bytes;
    /*
     * The zero object for the copies: an object of zero_size zeros. It is
     * made of zero_seed bytes that go over the wire in one PUT and, if
     * zero_size is more, of a multipart upload of copies of that seed.
     * Both 0 if n_zero is 0.
     */
    guint64 zero_seed;
    guint64 zero_size;
} ObsPlan;

void obs_plan_free(ObsPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObsPlan, obs_plan_free)

/*
 * Part size for @size: @requested (0: the default; rounded up to 1 MiB, must
 * be OBS_PART_MIN..OBS_PART_MAX: OBS_ERROR_USAGE), or more where 10000 parts
 * would not do. OBS_ERROR_SOURCE if @size is over OBS_OBJECT_MAX.
 */
gboolean obs_plan_part_size(guint64 size, guint64 requested,
                            guint64 *out_part_size, GError **error);

/* TRUE if one PUT is better than multipart: @size <= max(part_size, 16 MiB). */
gboolean obs_plan_single_put(guint64 size, guint64 part_size);

/* All parts are sent. An empty file gives one part of length 0. */
ObsPlan *obs_plan_new(guint64 size, guint64 requested, GError **error);

/*
 * Plan with zero ranges. @data: @n_data extents, ascending, not overlapping,
 * inside the file (violations: OBS_ERROR_FAILED); a last extent that ends past
 * @size is not allowed. Gives a plan without zero parts if copying would save
 * less than it costs (see OBS_ZERO_WORTH). The part size starts at
 * @requested and grows only as the number of parts demands, so a sparse file
 * of 1 TiB keeps small parts.
 */
ObsPlan *obs_plan_new_sparse(guint64 size, guint64 requested,
                             const ObsExtent *data, gsize n_data,
                             GError **error);

/* Zero cells must save at least this much for the extra object. */
#define OBS_ZERO_WORTH (64 * OBS_MIB)

/*
 * Turn zero parts into sent ones, where a server refuses copies. A zero part
 * may be up to 5 GiB, and stays one part: it is sent as such.
 */
void obs_plan_send_all(ObsPlan *plan);

/*
 * Rebuild and check a plan from stored parts (journal): they must cover the
 * file without gap, obey the limits above and the number of parts. Takes
 * @parts over (also on failure). OBS_ERROR_FAILED.
 */
ObsPlan *obs_plan_from_parts(guint64 size, guint64 part_size, GArray *parts,
                             guint64 zero_seed, guint64 zero_size,
                             GError **error);

#endif
