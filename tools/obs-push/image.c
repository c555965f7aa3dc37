/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is this file, and is it sound: see image.h. */
#include "image.h"

#include <errno.h>
#include <string.h>

#include "progress.h"
#include "zvhd2-codec.h"
#include "zvhd2-map.h"

#define SECTOR 512
#define PROGRESS_BLOCKS 64

typedef struct {
    Zvhd2Desc footer;
    Zvhd2Map *map;
} Opened;

static void opened_clear(Opened *o)
{
    g_clear_pointer(&o->map, zvhd2_map_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Opened, opened_clear)

static gboolean broken(const ObsSource *source, const Zvhd2Finding *finding,
                       GError **error)
{
    char text[256];

    g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                "%s is a damaged ZVHD2 image: %s; convert it again",
                source->path, zvhd2_finding_text(finding, text,
                                                 sizeof(text)));
    return FALSE;
}

static gboolean no_memory(GError **error)
{
    g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "out of memory");
    return FALSE;
}

static gboolean read_footer(const ObsSource *source, Opened *o,
                            GError **error)
{
    guint8 head[ZVHD2_DESC_SIZE];
    guint8 foot[ZVHD2_DESC_SIZE];
    Zvhd2Desc header;
    Zvhd2Finding finding;
    gint64 at = source->size - ZVHD2_ALIGN;

    if (!obs_source_read(source, 0, head, sizeof(head), error)) {
        return FALSE;
    }
    if (!zvhd2_desc_decode(head, 0, true, &header, &finding)) {
        return broken(source, &finding, error);
    }
    if (source->size % ZVHD2_ALIGN) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "%s is cut off: %" G_GINT64_FORMAT " bytes are no "
                    "multiple of %u; copy or convert it again", source->path,
                    source->size, ZVHD2_ALIGN);
        return FALSE;
    }
    if (at >= ZVHD2_ALIGN &&
        !obs_source_read(source, at, foot, sizeof(foot), error)) {
        return FALSE;
    }
    if (at < ZVHD2_ALIGN || !zvhd2_is_cookie(foot)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "%s has no footer: its conversion did not finish or the "
                    "file was cut off; convert it again", source->path);
        return FALSE;
    }
    if (!zvhd2_desc_decode(foot, at, true, &o->footer, &finding) ||
        !zvhd2_footer_check(&o->footer, source->size, &finding) ||
        !zvhd2_header_matches(&header, &o->footer, &finding)) {
        return broken(source, &finding, error);
    }
    return TRUE;
}

static gboolean read_map(const ObsSource *source, Opened *o, GError **error)
{
    g_autofree guint8 *bytes = g_malloc(MAX(o->footer.bitmap_size, 1u));
    Zvhd2Finding finding;
    int ret;

    o->map = zvhd2_map_new(&o->footer);
    if (!o->map) {
        return no_memory(error);
    }
    if (!obs_source_read(source, o->footer.bitmap_lba, bytes,
                         o->footer.bitmap_size, error)) {
        return FALSE;
    }
    ret = zvhd2_map_set_bitmap(o->map, bytes, &finding);
    if (ret < 0) {
        return ret == -EINVAL ? broken(source, &finding, error)
                              : no_memory(error);
    }
    for (guint32 seg = 0; seg < o->footer.index_seg_num; seg++) {
        g_autofree guint8 *entries = NULL;
        uint64_t offset;
        uint32_t length;

        zvhd2_map_segment_range(o->map, seg, &offset, &length);
        entries = g_malloc(MAX(length, 1u));
        if (!obs_source_read(source, offset, entries, length, error)) {
            return FALSE;
        }
        if (zvhd2_map_set_segment(o->map, seg, entries) < 0) {
            return no_memory(error);
        }
    }
    return TRUE;
}

static bool on_finding(void *opaque, const Zvhd2Finding *finding)
{
    *(Zvhd2Finding *)opaque = *finding;
    return false;
}

static gboolean open_zvhd2(const ObsSource *source, Opened *o, GError **error)
{
    Zvhd2Finding finding = { .rule = ZVHD2_OK };

    if (!read_footer(source, o, error) || !read_map(source, o, error)) {
        return FALSE;
    }
    if (zvhd2_map_check(o->map, on_finding, &finding) == -ENOMEM) {
        return no_memory(error);
    }
    return finding.rule == ZVHD2_OK || broken(source, &finding, error);
}

/* ---- what else it might be ---- */

static const struct {
    const char *name;
    guint offset;
    const char *magic;
    guint length;
} foreign[] = {
    { "qcow2", 0, "QFI\xfb", 4 },
    { "VMDK", 0, "KDMV", 4 },
    { "VMDK", 0, "COWD", 4 },
    { "VMDK", 0, "# Disk DescriptorFile", 21 },
    { "VHDX", 0, "vhdxfile", 8 },
    { "VHD", 0, "conectix", 8 },
    { "QED", 0, "QED\0", 4 },
    { "VDI", 64, "\x7f\x10\xda\xbe", 4 },
    { "gzip", 0, "\x1f\x8b\x08", 3 },
    { "xz", 0, "\xfd" "7zXZ", 5 },
    { "zstd", 0, "\x28\xb5\x2f\xfd", 4 },
    { "zip", 0, "PK\x03\x04", 4 },
};

static gboolean refuse_foreign(const ObsSource *source, const guint8 *head,
                               gsize length, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(foreign); i++) {
        if (foreign[i].offset + foreign[i].length <= length &&
            memcmp(head + foreign[i].offset, foreign[i].magic,
                   foreign[i].length) == 0) {
            g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                        "%s is %s, and fast import takes only ZVHD2 and RAW; "
                        "convert it with qemu-img convert -O zvhd2",
                        source->path, foreign[i].name);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean obs_image_inspect(const ObsSource *source, ObsImageInfo *out,
                           GError **error)
{
    guint8 head[4096] = { 0 };
    gsize length = MIN((gint64)sizeof(head), source->size);
    g_auto(Opened) opened = { 0 };

    memset(out, 0, sizeof(*out));
    out->file_size = source->size;
    if (!obs_source_read(source, 0, head, length, error)) {
        return FALSE;
    }
    if (length >= ZVHD2_DESC_SIZE && zvhd2_is_cookie(head)) {
        out->format = OBS_FORMAT_ZVHD2;
        if (!open_zvhd2(source, &opened, error)) {
            return FALSE;
        }
        out->disk_size = opened.footer.curr_size;
        out->zstd = opened.footer.method == ZVHD2_METHOD_ZSTD;
        out->block_size = opened.footer.block_size;
        out->records = opened.footer.non_zero_blk_num;
        return TRUE;
    }
    if (!refuse_foreign(source, head, length, error)) {
        return FALSE;
    }
    if (g_str_has_suffix(source->path, ".zvhd2")) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "%s is no ZVHD2 image despite its name; convert it again",
                    source->path);
        return FALSE;
    }
    if (source->size % SECTOR) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "%s is neither ZVHD2 nor a RAW disk: %" G_GINT64_FORMAT
                    " bytes are no multiple of %d", source->path,
                    source->size, SECTOR);
        return FALSE;
    }
    out->format = OBS_FORMAT_RAW;
    out->disk_size = source->size;
    return TRUE;
}

char *obs_image_describe(const ObsImageInfo *info)
{
    g_autofree char *disk = obs_format_size(info->disk_size);
    g_autofree char *file = obs_format_size(info->file_size);

    if (info->format == OBS_FORMAT_RAW) {
        return g_strdup_printf("RAW, %s disk", disk);
    }
    return g_strdup_printf("ZVHD2, %s, %s disk, %s file",
                           info->zstd ? "zstd" : "zlib", disk, file);
}

/* ---- every record ---- */

typedef struct {
    const ObsSource *source;
    Opened *opened;
    Zvhd2Codec *codec;
    guint8 *record;
    guint8 *block;
} Deep;

static gboolean check_record(Deep *d, guint32 block, GError **error)
{
    const Zvhd2Desc *footer = &d->opened->footer;
    Zvhd2Finding finding;
    Zvhd2Record record;
    Zvhd2Entry entry;
    uint32_t seg;

    switch (zvhd2_map_lookup(d->opened->map, block, &entry, &seg, &finding)) {
    case ZVHD2_MAP_ZERO:
        return TRUE;
    case ZVHD2_MAP_BAD:
        return broken(d->source, &finding, error);
    case ZVHD2_MAP_NEED_SEGMENT:
        g_assert_not_reached();
    case ZVHD2_MAP_DATA:
        break;
    }
    /* The lookup has bounded the length by zvhd2_record_max(). */
    if (!obs_source_read(d->source, entry.offset, d->record, entry.length,
                         error)) {
        return FALSE;
    }
    if (!zvhd2_record_check(d->record, entry.length, entry.offset, block,
                            footer->block_size, &record, &finding)) {
        return broken(d->source, &finding, error);
    }
    if (zvhd2_expand(d->codec, d->block, footer->block_size,
                     d->record + ZVHD2_RECORD_HEAD, record.size) < 0) {
        finding = (Zvhd2Finding){ .rule = ZVHD2_R24_EXPAND,
                                  .offset = entry.offset, .block = block };
        return broken(d->source, &finding, error);
    }
    return TRUE;
}

gboolean obs_image_inspect_records(const ObsSource *source,
                                   const ObsEvents *events,
                                   gboolean (*stop)(gpointer), gpointer data,
                                   GError **error)
{
    g_auto(Opened) opened = { 0 };
    Deep d = { .source = source, .opened = &opened };
    gboolean ok = TRUE;

    if (!open_zvhd2(source, &opened, error)) {
        return FALSE;
    }
    d.codec = zvhd2_codec_new(opened.footer.method, 0);
    if (!d.codec) {
        return no_memory(error);
    }
    d.record = g_malloc(zvhd2_record_max(opened.footer.block_size));
    d.block = g_malloc(opened.footer.block_size);
    for (guint32 n = 0; ok && n < opened.footer.max_blk_num; n++) {
        ok = check_record(&d, n, error);
        if (n % PROGRESS_BLOCKS == 0) {
            obs_event_bytes(events, "check",
                            (guint64)n * opened.footer.block_size,
                            opened.footer.orig_size);
            if (stop && stop(data)) {
                g_set_error(error, OBS_ERROR, OBS_ERROR_INTERRUPTED,
                            "interrupted");
                ok = FALSE;
            }
        }
    }
    zvhd2_codec_free(d.codec);
    g_free(d.record);
    g_free(d.block);
    return ok;
}
