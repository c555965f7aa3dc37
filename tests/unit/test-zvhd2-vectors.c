/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images that the vendor's tool wrote: all of them read right, block by block,
 * with an index and without, and what we would write in their place is the same
 *
 * The images are not part of this tree.  ZVHD2_VECTORS names their folder
 * (default ../shared/vectors/zvhd2); without it the test is skipped.
 */
#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <zstd.h>

#include "zvhd2-codec.h"
#include "zvhd2-format.h"
#include "zvhd2-map.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Zvhd2Codec, zvhd2_codec_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Zvhd2Map, zvhd2_map_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Zvhd2Builder, zvhd2_builder_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ZSTD_DCtx, ZSTD_freeDCtx)

static char *folder;
static JsonObject *manifest;

/* One image, expanded into a file that is mapped. */
typedef struct Image {
    GMappedFile *file;
    const uint8_t *bytes;
    uint64_t size;
    Zvhd2Desc header;
    Zvhd2Desc footer;
    Zvhd2Map *map;
    JsonObject *want;           /* its part of the manifest */
} Image;

static void image_clear(Image *im)
{
    zvhd2_map_free(im->map);
    g_clear_pointer(&im->file, g_mapped_file_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Image, image_clear)

static void broken(const char *where, const Zvhd2Finding *f)
{
    char text[256];

    g_error("%s: %s", where, zvhd2_finding_text(f, text, sizeof(text)));
}

/* The image from its .zst, and a check that it is the one of the manifest. */
static GMappedFile *unpack(const char *name, const char *sha256)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *base = g_strconcat(name, ".zvhd2.zst", NULL);
    g_autofree char *source = g_build_filename(folder, base, NULL);
    g_autofree char *target = NULL;
    g_autofree uint8_t *out = g_malloc(ZSTD_DStreamOutSize());
    g_autoptr(GMappedFile) packed = NULL;
    g_autoptr(ZSTD_DCtx) dctx = ZSTD_createDCtx();
    g_autoptr(GError) error = NULL;
    GMappedFile *file;
    ZSTD_inBuffer in = { 0 };
    size_t more = 1;
    int fd;

    packed = g_mapped_file_new(source, FALSE, &error);
    g_assert_no_error(error);
    in.src = g_mapped_file_get_contents(packed);
    in.size = g_mapped_file_get_length(packed);

    fd = g_file_open_tmp("zvhd2-vector-XXXXXX", &target, &error);
    g_assert_no_error(error);
    while (more != 0 || in.pos < in.size) {
        ZSTD_outBuffer o = { out, ZSTD_DStreamOutSize(), 0 };

        more = ZSTD_decompressStream(dctx, &o, &in);
        if (ZSTD_isError(more) || (o.pos == 0 && in.pos == in.size)) {
            g_error("%s is no zstd file, or cut off", source);
        }
        g_checksum_update(sum, out, (gssize)o.pos);
        for (size_t done = 0; done < o.pos; ) {
            ssize_t n = write(fd, out + done, o.pos - done);

            if (n < 0 && errno != EINTR) {
                g_error("%s: %s", target, g_strerror(errno));
            }
            done += n > 0 ? (size_t)n : 0;
        }
    }
    g_assert_cmpstr(g_checksum_get_string(sum), ==, sha256);
    g_close(fd, NULL);
    file = g_mapped_file_new(target, FALSE, &error);
    g_assert_no_error(error);
    g_unlink(target);
    return file;
}

static bool no_finding(void *opaque, const Zvhd2Finding *f)
{
    broken(opaque, f);
    return false;
}

/* Everything that a reader checks before it gives out data, and more. */
static void image_open(Image *im, const char *name)
{
    Zvhd2Finding f;

    im->want = json_object_get_object_member(manifest, name);
    im->file = unpack(name, json_object_get_string_member(im->want, "sha256"));
    im->bytes = (const uint8_t *)g_mapped_file_get_contents(im->file);
    im->size = g_mapped_file_get_length(im->file);
    g_assert_cmpuint(im->size, ==, (uint64_t)json_object_get_int_member(
                         im->want, "file_size"));

    if (!zvhd2_desc_decode(im->bytes, 0, true, &im->header, &f) ||
        !zvhd2_desc_decode(im->bytes + im->size - 4096, im->size - 4096, true,
                           &im->footer, &f) ||
        !zvhd2_footer_check(&im->footer, im->size, &f) ||
        !zvhd2_header_matches(&im->header, &im->footer, &f)) {
        broken(name, &f);
    }
    g_assert_cmpuint(im->footer.orig_size, ==,
                     (uint64_t)json_object_get_int_member(im->want,
                                                          "orig_size"));
    g_assert_cmpuint(im->footer.curr_size, ==,
                     (uint64_t)json_object_get_int_member(im->want,
                                                          "curr_size"));
    g_assert_cmpuint(im->footer.block_size, ==,
                     (uint64_t)json_object_get_int_member(im->want,
                                                          "block_size"));
    g_assert_cmpuint(im->footer.non_zero_blk_num, ==,
                     (uint64_t)json_object_get_int_member(im->want,
                                                          "non_zero_blocks"));

    im->map = zvhd2_map_new(&im->footer);
    if (zvhd2_map_set_bitmap(im->map, im->bytes + im->footer.bitmap_lba,
                             &f) < 0) {
        broken(name, &f);
    }
    for (uint32_t seg = 0; seg < im->footer.index_seg_num; seg++) {
        uint64_t at, end = im->footer.index_lba +
                           (seg + 1ull) * ZVHD2_INDEX_SEG_SIZE;
        uint32_t length;

        zvhd2_map_segment_range(im->map, seg, &at, &length);
        g_assert_cmpint(zvhd2_map_set_segment(im->map, seg, im->bytes + at),
                        ==, 0);
        if (!zvhd2_unused_check(im->bytes + at + length, end - at - length,
                                at + length, &f)) {
            broken(name, &f);
        }
    }
    g_assert_cmpint(zvhd2_map_check(im->map, no_finding, (void *)name), ==, 0);
}

/* What our writer makes of the same facts. */
static void check_descriptors(const Image *im)
{
    const uint64_t end = im->footer.index_lba - 4096;
    Zvhd2Finding f;
    uint8_t out[4096];
    Zvhd2Desc d;

    g_assert_cmpint(zvhd2_desc_init(&d, im->footer.orig_size,
                                    im->footer.block_size,
                                    (Zvhd2Method)im->footer.method,
                                    im->footer.uuid,
                                    ZVHD2_EPOCH + im->footer.timestamp),
                    ==, ZVHD2_OK);
    d.index_sparse = im->footer.index_sparse;
    zvhd2_desc_encode(&d, out);
    g_assert_cmpmem(im->bytes, 4096, out, 4096);

    g_assert_true(zvhd2_end_marker_check(im->bytes + end, end, &im->footer,
                                         &f));
    g_assert_true(zvhd2_end_count_check(im->bytes + end, end,
                                        im->footer.non_zero_blk_num, &f));
    if (!d.index_sparse) {
        zvhd2_desc_finish(&d, end, im->footer.non_zero_blk_num);
        zvhd2_desc_encode(&d, out);
        g_assert_cmpmem(im->bytes + im->size - 4096, 4096, out, 4096);
        zvhd2_end_marker_encode(&d, out);
        memcpy(out + 64, im->bytes + end + 64, 4);      /* the stale checksum */
        g_assert_cmpmem(im->bytes + end, 4096, out, 4096);
    }
}

/* Block number + 1 -> hash, as far as the manifest lists them. */
static GHashTable *wanted_blocks(const Image *im)
{
    JsonArray *list = json_object_get_array_member(im->want, "blocks");
    GHashTable *blocks = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonObject *b = json_array_get_object_element(list, i);

        g_hash_table_insert(blocks,
                            GUINT_TO_POINTER(json_object_get_int_member(
                                                 b, "block") + 1),
                            (void *)json_object_get_string_member(b, "sha256"));
    }
    return blocks;
}

/*
 * Every block of the disk.  The image with 32770 blocks has the same payload
 * everywhere; it is expanded once and then compared, as 64 GiB take minutes.
 */
static void check_blocks(const Image *im)
{
    const bool all_alike = json_object_has_member(im->want, "every_block");
    const uint32_t block_size = im->footer.block_size;
    g_autoptr(Zvhd2Codec) codec = zvhd2_codec_new(
        (Zvhd2Method)im->footer.method, 0);
    g_autoptr(GHashTable) want = wanted_blocks(im);
    g_autofree uint8_t *data = g_malloc(block_size);
    const uint8_t *known = NULL;
    uint32_t known_size = 0, seen = 0;

    for (uint32_t n = 0; n < im->footer.max_blk_num; n++) {
        const char *hash = g_hash_table_lookup(want, GUINT_TO_POINTER(n + 1));
        g_autofree char *got = NULL;
        Zvhd2Finding f;
        Zvhd2Record r;
        Zvhd2Entry e;
        uint32_t seg;
        Zvhd2Lookup found = zvhd2_map_lookup(im->map, n, &e, &seg, &f);

        if (!all_alike) {
            g_assert_cmpint(found, ==, hash ? ZVHD2_MAP_DATA : ZVHD2_MAP_ZERO);
        }
        if (found == ZVHD2_MAP_ZERO) {
            continue;
        }
        seen++;
        if (!zvhd2_record_check(im->bytes + e.offset, e.length, e.offset, n,
                                block_size, &r, &f)) {
            broken("record", &f);
        }
        if (all_alike && known && r.size == known_size &&
            memcmp(im->bytes + e.offset + 48, known, known_size) == 0) {
            continue;
        }
        g_assert_cmpint(zvhd2_expand(codec, data, block_size,
                                     im->bytes + e.offset + 48, r.size),
                        ==, 0);
        if (all_alike) {
            g_assert_cmphex(data[0], ==, 0xa5);
            g_assert_cmphex(data[1], ==, 0);
            g_assert_true(memcmp(data + 1, data + 2, block_size - 2) == 0);
            known = im->bytes + e.offset + 48;
            known_size = r.size;
        } else {
            got = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data,
                                              block_size);
            g_assert_cmpstr(got, ==, hash);
        }
    }
    g_assert_cmpuint(seen, ==, im->footer.non_zero_blk_num);
}

/* The same image by walking over its records, as if it had no index. */
static void check_walk(const Image *im)
{
    g_autoptr(Zvhd2Builder) b = zvhd2_builder_new(im->header.max_blk_num);
    g_autoptr(Zvhd2Map) map = NULL;
    g_autofree uint8_t *index = g_malloc(ZVHD2_INDEX_SEG_SIZE);
    uint8_t bitmap[ZVHD2_BITMAP_SEG_SIZE];
    uint64_t at = 4096;
    Zvhd2Finding f;
    Zvhd2Record r;
    Zvhd2Item item;

    while ((item = zvhd2_scan_item(im->bytes + at, at, &im->header, &r, &f)) ==
           ZVHD2_ITEM_RECORD) {
        const Zvhd2Entry e = {
            .offset = at, .block = r.block,
            .length = zvhd2_record_length(r.size),
        };

        g_assert_cmpint(zvhd2_builder_add(b, &e), ==, 0);
        at += e.length;
    }
    if (item == ZVHD2_ITEM_BAD) {
        broken("walk", &f);
    }
    g_assert_cmpuint(at, ==, im->footer.index_lba - 4096);

    for (uint32_t seg = 0; seg < im->footer.bitmap_seg_num; seg++) {
        zvhd2_builder_bitmap(b, seg, bitmap);
        g_assert_cmpmem(bitmap, sizeof(bitmap), im->bytes +
                        im->footer.bitmap_lba + seg * sizeof(bitmap),
                        sizeof(bitmap));
    }
    for (uint32_t seg = 0;
         !im->footer.index_sparse && seg < im->footer.index_seg_num; seg++) {
        zvhd2_builder_index(b, seg, index);
        g_assert_true(memcmp(index, im->bytes + im->footer.index_lba +
                             (uint64_t)seg * ZVHD2_INDEX_SEG_SIZE,
                             ZVHD2_INDEX_SEG_SIZE) == 0);
    }

    map = zvhd2_map_from_builder(b, &im->header);
    for (uint32_t n = 0; n < im->header.max_blk_num; n++) {
        Zvhd2Entry e = { 0 }, same = { 0 };
        uint32_t seg;

        g_assert_cmpint(zvhd2_map_lookup(map, n, &e, &seg, &f), ==,
                        zvhd2_map_lookup(im->map, n, &same, &seg, &f));
        g_assert_cmpuint(e.offset, ==, same.offset);
        g_assert_cmpuint(e.length, ==, same.length);
    }
}

static void test_image(gconstpointer name)
{
    g_auto(Image) im = { 0 };

    if (!manifest) {
        g_test_skip("no vendor images (../shared/vectors)");
        return;
    }
    image_open(&im, name);
    check_descriptors(&im);
    check_blocks(&im);
    check_walk(&im);
}

static void test_manifest(void)
{
    if (!manifest) {
        g_test_skip("no vendor images (../shared/vectors)");
        return;
    }
    g_assert_cmpuint(json_object_get_size(manifest), >=, 8);
}

int main(int argc, char **argv)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *path = NULL;
    const char *env = g_getenv("ZVHD2_VECTORS");

    g_test_init(&argc, &argv, NULL);
    folder = g_strdup(env ? env : "../shared/vectors/zvhd2");
    path = g_build_filename(folder, "manifest.json", NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GList) names = NULL;

        json_parser_load_from_file(parser, path, &error);
        g_assert_no_error(error);
        manifest = json_node_get_object(json_parser_get_root(parser));
        names = json_object_get_members(manifest);
        for (GList *n = names; n; n = n->next) {
            g_autofree char *test = g_strconcat("/zvhd2/vectors/", n->data,
                                                NULL);

            g_test_add_data_func_full(test, g_strdup(n->data), test_image,
                                      g_free);
        }
    }
    g_test_add_func("/zvhd2/vectors/manifest", test_manifest);
    {
        int ret = g_test_run();

        g_free(folder);
        return ret;
    }
}
