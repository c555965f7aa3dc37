/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pairs of files in, a layout or an explanation out: see bitmap-fit.h. */
#include "bitmap-fit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obs-error.h"
#include "raw-bitmap-fit.h"

#define SHOWN_MAX 20u

typedef struct {
    guint num;
    RawBitmapPair *pair;
    guint8 **bytes;             /* owns what pair[].mf points at */
    RawBitmap **map;
} Pairs;

static void pairs_clear(Pairs *p)
{
    for (guint i = 0; i < p->num; i++) {
        g_free(p->bytes[i]);
        raw_bitmap_free(p->map[i]);
    }
    g_clear_pointer(&p->pair, g_free);
    g_clear_pointer(&p->bytes, g_free);
    g_clear_pointer(&p->map, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pairs, pairs_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RawBitmapFit, raw_bitmap_fit_clear)

static gboolean fail_read(const char *path, int err, GError **error)
{
    g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "cannot read %s: %s",
                path, g_strerror(err));
    return FALSE;
}

/* The whole file, at most @max bytes */
static gboolean read_mf(const char *path, guint64 max, guint8 **out_bytes,
                        gsize *out_len, GError **error)
{
    g_autofree char *bytes = NULL;
    g_autoptr(GError) why = NULL;
    struct stat st;

    if (stat(path, &st) < 0) {
        return fail_read(path, errno, error);
    }
    if (S_ISREG(st.st_mode) && (guint64)st.st_size > max) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "%s has %" G_GINT64_FORMAT " bytes, more than any layout "
                    "makes of this image (%" G_GUINT64_FORMAT ")", path,
                    (gint64)st.st_size, max);
        return FALSE;
    }
    if (!S_ISREG(st.st_mode)) {
        return fail_read(path, EINVAL, error);
    }
    if (!g_file_get_contents(path, &bytes, out_len, &why)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "%s", why->message);
        return FALSE;
    }
    if (raw_bitmap_is_ovf_manifest((guint8 *)bytes, *out_len)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "%s is an OVF manifest, not a bitmap", path);
        return FALSE;
    }
    *out_bytes = (guint8 *)g_steal_pointer(&bytes);
    return TRUE;
}

static gboolean load_pair(Pairs *p, guint i, const char *mf_path,
                          const char *raw_path, const ObsBitmapWatch *watch,
                          GError **error)
{
    g_autoptr(ObsSource) source = obs_source_open(raw_path, error);
    RawBitmapLayout finest;
    guint64 max;

    if (!source) {
        return FALSE;
    }
    raw_bitmap_layout_init(&finest);
    finest.granularity = RAW_BITMAP_GRANULARITY_MIN;
    /* before the image is read, which takes longer */
    max = (guint64)source->size / RAW_BITMAP_GRANULARITY_MIN / 8 + 1 +
          RAW_BITMAP_HEADER_MAX + RAW_BITMAP_PAD_MAX;
    if (!read_mf(mf_path, max, &p->bytes[i], &p->pair[i].mf_len, error)) {
        return FALSE;
    }
    p->map[i] = obs_bitmap_of(source, &finest, watch, error);
    if (!p->map[i]) {
        return FALSE;
    }
    p->pair[i].mf = p->bytes[i];
    p->pair[i].map = p->map[i];
    return TRUE;
}

/* ------------------------------------------------------------------------ */
/* Answers */

static void show_layout(const ObsBitmapWatch *watch, const char *label,
                        const RawBitmapLayout *l)
{
    char text[RAW_BITMAP_TEXT_MAX];

    obs_event_text(watch ? watch->events : NULL, OBS_EVENT_NOTE, "fit",
                   "%s: %s", label, raw_bitmap_layout_text(l, ' ', text));
}

static void show_layouts(const ObsBitmapWatch *watch, const char *label,
                         const RawBitmapFit *fit, guint from, guint to)
{
    guint end = MIN(to, from + SHOWN_MAX);

    for (guint i = from; i < end; i++) {
        show_layout(watch, label, &fit->layout[i]);
    }
    if (to > end || (fit->truncated && to == fit->layout_num)) {
        obs_event_text(watch ? watch->events : NULL, OBS_EVENT_NOTE, "fit",
                       "%s: and %s%u more", label,
                       fit->truncated ? "at least " : "", to - end);
    }
}

static gboolean none_fits(const RawBitmapFit *fit, const char *const *mf_paths,
                          GError **error)
{
    char text[RAW_BITMAP_TEXT_MAX];

    g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                "no layout reproduces %s; what comes nearest, %s, differs in "
                "%" G_GUINT64_FORMAT " bytes, the first one at byte %"
                G_GUINT64_FORMAT " of %s", mf_paths[0],
                raw_bitmap_layout_text(&fit->nearest, ' ', text),
                fit->nearest_diffs, fit->nearest_offset,
                mf_paths[fit->nearest_pair]);
    return FALSE;
}

static gboolean cannot_tell(const RawBitmapFit *fit,
                            const char *const *mf_paths,
                            const ObsBitmapWatch *watch, GError **error)
{
    show_layouts(watch, "possible", fit, 0, fit->equal_num);
    g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                "%s can't tell %s%u layouts apart; the sample %s would: make "
                "it with --samples, have its bitmap made, and fit both pairs "
                "together", mf_paths[0], fit->truncated ? "at least " : "",
                fit->equal_num, raw_bitmap_sample(fit->sample)->name);
    return FALSE;
}

static gboolean answer(const RawBitmapFit *fit, const char *const *mf_paths,
                       const ObsBitmapWatch *watch, RawBitmapLayout *out,
                       GError **error)
{
    if (fit->layout_num == 0) {
        return none_fits(fit, mf_paths, error);
    }
    if (fit->equal_num > 1) {
        return cannot_tell(fit, mf_paths, watch, error);
    }
    *out = fit->layout[0];
    show_layout(watch, "reproduces every byte", out);
    if (fit->layout_num > 1) {
        show_layouts(watch, "less plausible, but not excluded", fit, 1,
                     fit->layout_num);
        obs_event_text(watch ? watch->events : NULL, OBS_EVENT_NOTE, "fit",
                       "the sample %s would exclude most of them "
                       "(--samples)", raw_bitmap_sample(fit->sample)->name);
    }
    return TRUE;
}

gboolean obs_bitmap_fit(const char *const *mf_paths,
                        const char *const *raw_paths,
                        const ObsBitmapWatch *watch, RawBitmapLayout *out,
                        GError **error)
{
    g_auto(Pairs) p = { .num = g_strv_length((char **)mf_paths) };
    g_auto(RawBitmapFit) fit = { 0 };

    p.pair = g_new0(RawBitmapPair, p.num);
    p.bytes = g_new0(guint8 *, p.num);
    p.map = g_new0(RawBitmap *, p.num);
    for (guint i = 0; i < p.num; i++) {
        if (!load_pair(&p, i, mf_paths[i], raw_paths[i], watch, error)) {
            return FALSE;
        }
    }
    if (raw_bitmap_fit(p.pair, p.num, &fit) < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "out of memory");
        return FALSE;
    }
    return answer(&fit, mf_paths, watch, out, error);
}
