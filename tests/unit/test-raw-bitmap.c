/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RAW bitmap: layout text, map, encoding, file, fitting. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "raw-bitmap-file.h"
#include "raw-bitmap-fit.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RawBitmap, raw_bitmap_free)

static RawBitmapLayout layout_of(const char *text)
{
    RawBitmapLayout l;
    char err[RAW_BITMAP_ERR_MAX] = "";

    if (raw_bitmap_layout_parse(&l, text, strlen(text), err) < 0) {
        g_error("%s: %s", text, err);
    }
    return l;
}

static RawBitmap *map_of(const char *layout, guint64 size)
{
    RawBitmapLayout l = layout_of(layout);
    RawBitmap *b = NULL;
    char err[RAW_BITMAP_ERR_MAX];

    g_assert_cmpint(raw_bitmap_new(&l, size, &b, err), ==, 0);
    return b;
}

static GBytes *encoded(const RawBitmap *b)
{
    gsize len = raw_bitmap_file_size(b);
    guint8 *bytes = g_malloc(len);

    raw_bitmap_encode(b, bytes);
    return g_bytes_new_take(bytes, len);
}

/* ------------------------------------------------------------------------ */
/* Layout text */

static void test_layout_default(void)
{
    char text[RAW_BITMAP_TEXT_MAX];
    RawBitmapLayout l, empty = layout_of("");

    raw_bitmap_layout_init(&l);
    g_assert_cmpstr(raw_bitmap_layout_text(&l, ' ', text), ==,
                    "granularity=2097152 bit-order=lsb set=data pad=4096 "
                    "header=none");
    g_assert_true(raw_bitmap_layout_equal(&l, &empty));
}

static void test_layout_round_trip(void)
{
    static const char *const texts[] = {
        "granularity=65536\nbit-order=msb\nset=zero\npad=none\nheader=00\n",
        "granularity=33554432\nbit-order=lsb\nset=data\npad=16777216\n"
        "header=size:be64.block:le32.count:be32.size:le32\n",
        "granularity=2097152\nbit-order=lsb\nset=zero\npad=2\n"
        "header=4d46.count:le64.00ff.block:be64.01\n",
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        RawBitmapLayout l = layout_of(texts[i]), again;
        char text[RAW_BITMAP_TEXT_MAX];

        g_assert_cmpstr(raw_bitmap_layout_text(&l, '\n', text), ==, texts[i]);
        again = layout_of(text);
        g_assert_true(raw_bitmap_layout_equal(&l, &again));
        again = layout_of("granularity=128K");
        g_assert_false(raw_bitmap_layout_equal(&l, &again));
    }
}

/* The longest header, with as many fields as fit, stays within its text */
static void test_layout_longest(void)
{
    g_autoptr(GString) header = g_string_new("header=");
    char text[RAW_BITMAP_TEXT_MAX], err[RAW_BITMAP_ERR_MAX];
    gsize len = 0;
    RawBitmapLayout l;

    for (guint i = 0; i < RAW_BITMAP_FIELDS_MAX; i++) {
        g_string_append(header, "ff.count:be32.");
        len += 5;
    }
    while (len++ < RAW_BITMAP_HEADER_MAX) {
        g_string_append(header, "ab");
    }
    l = layout_of(header->str);
    g_assert_cmpuint(l.header_len, ==, RAW_BITMAP_HEADER_MAX);
    g_assert_cmpuint(strlen(raw_bitmap_layout_text(&l, '\n', text)), <,
                     sizeof(text));
    g_string_append(header, "00");
    g_assert_cmpint(raw_bitmap_layout_parse(&l, header->str, header->len,
                                            err), ==, -EINVAL);
}

static void test_layout_forgiving(void)
{
    RawBitmapLayout a = layout_of("# comment\r\n\n  granularity=2M  \r\n"
                                  "\tpad=4k\nset=data");
    RawBitmapLayout b = layout_of("header=none\npad=4K\n");

    g_assert_true(raw_bitmap_layout_equal(&a, &b));
}

static void test_layout_bad(void)
{
    static const char *const bad[] = {
        "granularity=0", "granularity=1M1", "granularity=-1",
        "granularity=64M", "granularity=32K", "granularity=98304",
        "granularity=18446744073709551616", "granularity= 65536",
        "granularity=4294967296", "granularity", "=", "=1",
        "bit-order=LSB", "bit-order=", "set=ones", "pad=0", "pad=-1",
        "pad=16777217", "pad=4096M", "pad=1G", "header=", "header=0",
        "header=zz", "header=00.", "header=.00", "header=00..00",
        "header=size", "header=size:be", "header=size:be16",
        "header=size:xe64", "header=size:be64x", "header=Size:be64",
        "header=count:le640", "colour=red", "x",
        "header=size:be64.size:be64.size:be64.size:be64.size:be64.size:be64."
        "size:be64.size:be64.size:be64.size:be64.size:be64.size:be64.size:be64"
        ".size:be64.size:be64.size:be64.size:be64",
    };
    RawBitmapLayout l = layout_of("granularity=1M"), before = l;
    char err[RAW_BITMAP_ERR_MAX];

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        err[0] = 0;
        g_assert_cmpint(raw_bitmap_layout_parse(&l, bad[i], strlen(bad[i]),
                                                err), ==, -EINVAL);
        g_assert_true(raw_bitmap_layout_equal(&l, &before));
        g_assert_nonnull(strstr(err, "line 1"));
        g_assert_null(strchr(err, '\n'));
    }
    g_assert_cmpint(raw_bitmap_layout_parse(&l, "pad=1\0", 6, err), ==,
                    -EINVAL);
    g_assert_cmpint(raw_bitmap_layout_set(&l, "nothing", "1", err), ==,
                    -ENOENT);
    g_assert_cmpint(raw_bitmap_layout_set(&l, "pad", "x", err), ==, -EINVAL);
}

/* ------------------------------------------------------------------------ */
/* Map */

/* Against an array of booleans, with random marks */
static void test_map_random(void)
{
    for (guint round = 0; round < 200; round++) {
        guint64 g = 65536u << g_test_rand_int_range(0, 4);
        guint64 size = g_test_rand_int_range(1, 1 << 27);
        guint64 blocks = (size + g - 1) / g;
        g_autofree char *text =
            g_strdup_printf("granularity=%" G_GUINT64_FORMAT, g);
        g_autoptr(RawBitmap) b = map_of(text, size);
        g_autofree gboolean *model = g_new0(gboolean, blocks + 1);
        guint64 start = 0, length = 0, data = 0;

        g_assert_cmpuint(raw_bitmap_blocks(b), ==, blocks);
        for (gint n = g_test_rand_int_range(0, 12); n > 0; n--) {
            guint64 at = g_test_rand_int_range(0, size);
            guint64 len = g_test_rand_int_range(0, 3) == 0
                ? 1 : g_test_rand_int_range(0, 4 * g);

            raw_bitmap_mark(b, at, len);
            for (guint64 i = at; i < MIN(at + len, size);
                 i = (i / g + 1) * g) {
                model[i / g] = TRUE;
            }
        }
        for (guint64 i = 0; i < blocks; i++) {
            guint64 d = i, z = i;

            g_assert_cmpint(raw_bitmap_is_data(b, i), ==, model[i]);
            data += model[i];
            while (d < blocks && !model[d]) {
                d++;
            }
            while (z < blocks && model[z]) {
                z++;
            }
            g_assert_cmpuint(raw_bitmap_next(b, i, true), ==, d);
            g_assert_cmpuint(raw_bitmap_next(b, i, false), ==, z);
        }
        g_assert_cmpuint(raw_bitmap_data_blocks(b), ==, data);
        while (raw_bitmap_next_extent(b, start + length, &start, &length)) {
            g_assert_cmpuint(length, >, 0);
            g_assert_cmpuint(start + length, <=, size);
            for (guint64 i = start / g; i * g < start + length; i++) {
                g_assert_true(model[i]);
                data--;
            }
        }
        g_assert_cmpuint(data, ==, 0);
    }
}

static void test_map_edges(void)
{
    g_autoptr(RawBitmap) b = map_of("", 2 * MIB * 64 + 1);
    guint64 start, length;

    g_assert_cmpuint(raw_bitmap_blocks(b), ==, 65);
    raw_bitmap_mark(b, 2 * MIB * 64 + 1, 1);            /* past the end */
    raw_bitmap_mark(b, 5, 0);
    raw_bitmap_mark(b, UINT64_MAX, UINT64_MAX);
    g_assert_cmpuint(raw_bitmap_data_blocks(b), ==, 0);
    g_assert_cmpuint(raw_bitmap_next(b, 65, true), ==, 65);
    g_assert_cmpuint(raw_bitmap_next(b, 1000, false), ==, 65);
    g_assert_false(raw_bitmap_next_extent(b, 0, &start, &length));
    raw_bitmap_mark(b, 2 * MIB * 64, UINT64_MAX);
    g_assert_true(raw_bitmap_next_extent(b, 7, &start, &length));
    g_assert_cmpuint(start, ==, 2 * MIB * 64);
    g_assert_cmpuint(length, ==, 1);
    g_assert_false(raw_bitmap_next_extent(b, 2 * MIB * 64 + 1, &start,
                                          &length));
    raw_bitmap_mark(b, 0, UINT64_MAX);
    g_assert_cmpuint(raw_bitmap_data_blocks(b), ==, 65);
    g_assert_true(raw_bitmap_next_extent(b, 3, &start, &length));
    g_assert_cmpuint(start, ==, 3);
    g_assert_cmpuint(start + length, ==, 2 * MIB * 64 + 1);
}

static void test_map_limits(void)
{
    RawBitmapLayout l = layout_of("granularity=64K");
    char err[RAW_BITMAP_ERR_MAX];
    RawBitmap *b = NULL;

    g_assert_cmpint(raw_bitmap_new(&l, (RAW_BITMAP_BLOCKS_MAX << 16) + 1, &b,
                                   err), ==, -EFBIG);
    g_assert_cmpint(raw_bitmap_new(&l, UINT64_MAX, &b, err), ==, -EFBIG);
    l = layout_of("header=00.size:le32");
    g_assert_cmpint(raw_bitmap_new(&l, 4 * GIB - 1, &b, err), ==, 0);
    raw_bitmap_free(b);
    g_assert_cmpint(raw_bitmap_new(&l, 4 * GIB, &b, err), ==, -EOVERFLOW);
    g_assert_nonnull(strstr(err, "32-bit field at byte 1 "));
    b = map_of("", 0);
    g_assert_cmpuint(raw_bitmap_file_size(b), ==, 0);
    g_assert_cmpuint(raw_bitmap_next(b, 0, true), ==, 0);
    raw_bitmap_free(b);
}

static void test_map_convert(void)
{
    g_autoptr(RawBitmap) fine = map_of("granularity=64K", 9 * MIB + 5);
    RawBitmapLayout l = layout_of("granularity=2M");
    g_autoptr(RawBitmap) coarse = NULL;
    g_autoptr(RawBitmap) back = NULL;
    char err[RAW_BITMAP_ERR_MAX];

    raw_bitmap_mark(fine, 4 * MIB - 1, 2);
    raw_bitmap_mark(fine, 9 * MIB + 4, 1);
    g_assert_cmpint(raw_bitmap_convert(fine, &l, &coarse, err), ==, 0);
    g_assert_cmpuint(raw_bitmap_data_blocks(coarse), ==, 3);
    g_assert_true(raw_bitmap_is_data(coarse, 1));
    g_assert_true(raw_bitmap_is_data(coarse, 2));
    g_assert_true(raw_bitmap_is_data(coarse, 4));
    g_assert_cmpint(raw_bitmap_convert(coarse, raw_bitmap_layout(fine), &back,
                                       err), ==, 0);
    g_assert_cmpuint(raw_bitmap_data_blocks(back), ==, 32 + 32 + 17);
}

static void test_all_zero(void)
{
    g_autofree guint8 *buf = g_malloc0(300);

    for (gsize len = 0; len < 200; len++) {
        gsize at = g_test_rand_int_range(0, 64);

        g_assert_true(raw_bitmap_all_zero(buf + at, len));
        buf[at + len] = 1;                  /* just behind */
        if (at) {
            buf[at - 1] = 1;                /* just before */
        }
        g_assert_true(raw_bitmap_all_zero(buf + at, len));
        for (gsize k = 0; k < len; k++) {
            buf[at + k] = 0x80;
            g_assert_false(raw_bitmap_all_zero(buf + at, len));
            buf[at + k] = 0;
        }
        memset(buf, 0, 300);
    }
}

/* ------------------------------------------------------------------------ */
/* Bytes */

static void assert_hex(const RawBitmap *b, const char *want)
{
    g_autoptr(GBytes) bytes = encoded(b);
    g_autoptr(GString) hex = g_string_new(NULL);
    gsize len;
    const guint8 *p = g_bytes_get_data(bytes, &len);

    for (gsize i = 0; i < len; i++) {
        g_string_append_printf(hex, "%02x", p[i]);
    }
    g_assert_cmpstr(hex->str, ==, want);
}

static void test_encode(void)
{
    static const struct {
        const char *layout, *want;
    } t[] = {
        /* 11 blocks of 64 KiB; data in 0, 2, 9, 10 */
        { "pad=none", "0506" },
        { "pad=none\nbit-order=msb", "a060" },
        { "pad=none\nset=zero", "fa01" },
        { "pad=none\nset=zero\nbit-order=msb", "5f80" },
        { "pad=8", "0506000000000000" },
        { "pad=2", "0506" },
        { "pad=3\nheader=ff", "ff050600" },
        { "pad=none\nheader=aa.size:be32.block:le32.count:be64.bb",
          "aa000a0001" "00000100" "000000000000000b" "bb0506" },
        { "pad=none\nheader=size:le64", "01000a0000000000" "0506" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(t); i++) {
        g_autofree char *text = g_strconcat("granularity=64K\n", t[i].layout,
                                            NULL);
        g_autoptr(RawBitmap) b = map_of(text, 10 * 65536 + 1);

        raw_bitmap_mark(b, 0, 1);
        raw_bitmap_mark(b, 3 * 65536 - 1, 1);
        raw_bitmap_mark(b, 10 * 65536 - 1, 2);
        assert_hex(b, t[i].want);
    }
}

static void test_decode(void)
{
    RawBitmapLayout l = layout_of("granularity=64K\npad=32\nset=zero\n"
                                  "header=4d.count:le32\nbit-order=msb");
    guint64 size = 91 * 65536 - 7;

    for (guint round = 0; round < 50; round++) {
        g_autoptr(RawBitmap) b = NULL;
        g_autoptr(RawBitmap) back = NULL;
        g_autoptr(GBytes) bytes = NULL;
        g_autofree guint8 *copy = NULL;
        char err[RAW_BITMAP_ERR_MAX];
        gsize len;

        g_assert_cmpint(raw_bitmap_new(&l, size, &b, err), ==, 0);
        for (guint i = 0; i < 30; i++) {
            raw_bitmap_mark(b, g_test_rand_int_range(0, size), 1);
        }
        bytes = encoded(b);
        len = g_bytes_get_size(bytes);
        copy = g_memdup2(g_bytes_get_data(bytes, NULL), len);
        g_assert_cmpint(raw_bitmap_decode(&l, size, copy, len, &back, err),
                        ==, 0);
        for (guint i = 0; i < 91; i++) {
            g_assert_cmpint(raw_bitmap_is_data(b, i), ==,
                            raw_bitmap_is_data(back, i));
        }
        /* Each bit that does not stand for a block is checked */
        for (guint bit = 0; bit < len * 8; bit++) {
            gboolean is_block = bit >= 5 * 8 && bit < 5 * 8 + 91;
            RawBitmap *bad = NULL;

            copy[bit / 8] ^= 0x80 >> bit % 8;
            g_assert_cmpint(raw_bitmap_decode(&l, size, copy, len, &bad, err),
                            ==, is_block ? 0 : -EINVAL);
            if (is_block) {
                raw_bitmap_free(bad);
            }
            copy[bit / 8] ^= 0x80 >> bit % 8;
        }
        for (gsize wrong = 0; wrong < len; wrong++) {
            RawBitmap *bad;

            g_assert_cmpint(raw_bitmap_decode(&l, size, copy, wrong, &bad,
                                              err), ==, -EINVAL);
        }
    }
}

static void test_manifest(void)
{
    static const char *const yes[] = {
        "SHA256(a.ovf)= 00", "SHA1(a)=", "sha1 (x) = 1", "SHA-256(x)= 1",
        "\nSHA256(a)= 0", "\r\n  SHA512(x)", "\xef\xbb\xbfMD5(x)= 1",
        "comment\nSHA384(x)= 1",
    };
    static const char *const no[] = {
        "", "SHA", "SHA256", "SHA256 a", "MD", "(", "granularity=2M\n",
        "xSHA256(a)= 0", "SH\nA1(x)",
    };

    for (guint i = 0; i < G_N_ELEMENTS(yes); i++) {
        g_assert_true(raw_bitmap_is_ovf_manifest((const guint8 *)yes[i],
                                                 strlen(yes[i])));
    }
    for (guint i = 0; i < G_N_ELEMENTS(no); i++) {
        /* exactly as long as it says: valgrind and ASan see a read beyond */
        g_autofree guint8 *copy = g_memdup2(no[i], strlen(no[i]));

        g_assert_false(raw_bitmap_is_ovf_manifest(copy, strlen(no[i])));
    }
}

/* ------------------------------------------------------------------------ */
/* File */

static void test_file(void)
{
    g_autofree char *folder = g_dir_make_tmp("raw-bitmap-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "a.mf", NULL);
    g_autofree char *raw = g_build_filename(folder, "a.raw", NULL);
    g_autofree char *in_none = g_build_filename(folder, "none", "a", NULL);
    g_autoptr(RawBitmap) b = map_of("", GIB);
    RawBitmapLayout l = layout_of("");
    RawBitmap *back = NULL;
    char err[RAW_BITMAP_FILE_ERR_MAX];
    time_t soon = time(NULL) + 1000;
    struct timespec later[2] = { { .tv_sec = soon }, { .tv_sec = soon } };
    struct stat st;

    raw_bitmap_mark(b, 700 * MIB, 1);
    g_assert_true(g_file_set_contents(raw, "x", 1, NULL));
    g_assert_cmpint(utimensat(AT_FDCWD, raw, later, 0), ==, 0);
    g_assert_cmpint(raw_bitmap_file_check(path, false, err), ==, 0);
    g_assert_cmpint(raw_bitmap_file_save(b, path, false, raw, err), ==, 0);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 4096);
    g_assert_cmpint(st.st_mtim.tv_sec, ==, soon);
    g_assert_cmpint(raw_bitmap_file_save(b, path, false, NULL, err), ==,
                    -EEXIST);
    g_assert_cmpint(raw_bitmap_file_save(b, path, true, NULL, err), ==, 0);
    g_assert_cmpint(raw_bitmap_file_load(&l, GIB, path, &back, err), ==, 0);
    g_assert_cmpuint(raw_bitmap_next(back, 0, true), ==, 350);
    raw_bitmap_free(back);
    g_assert_cmpint(raw_bitmap_file_load(&l, 65 * GIB, path, &back, err), ==,
                    -EINVAL);
    g_assert_cmpint(raw_bitmap_file_load(&l, GIB, in_none, &back, err), ==,
                    -ENOENT);
    g_assert_cmpint(raw_bitmap_file_load(&l, GIB, folder, &back, err), ==,
                    -EISDIR);
    g_assert_cmpint(raw_bitmap_file_save(b, in_none, true, NULL, err), ==,
                    -ENOENT);
    g_assert_cmpint(raw_bitmap_file_save(b, folder, true, NULL, err), ==,
                    -EINVAL);
    g_assert_true(g_file_set_contents(path, "SHA1(x)= 0\n", -1, NULL));
    g_assert_cmpint(raw_bitmap_file_save(b, path, true, NULL, err), ==,
                    -EPERM);
    g_assert_cmpint(raw_bitmap_file_load(&l, GIB, path, &back, err), ==,
                    -EINVAL);
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_cmpint(unlink(raw), ==, 0);
    g_assert_cmpint(rmdir(folder), ==, 0);      /* and nothing else is left */
}

static void test_layout_file(void)
{
    g_autofree char *folder = g_dir_make_tmp("raw-bitmap-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "a", NULL);
    g_autofree char *noise = g_strnfill(30000, '#');
    RawBitmapLayout l = layout_of("pad=77\nheader=00.size:be64"), back;
    char err[RAW_BITMAP_FILE_ERR_MAX];

    g_assert_cmpint(raw_bitmap_layout_save(&l, path, false, err), ==, 0);
    g_assert_cmpint(raw_bitmap_layout_save(&l, path, false, err), ==,
                    -EEXIST);
    g_assert_cmpint(raw_bitmap_layout_load(&back, path, err), ==, 0);
    g_assert_true(raw_bitmap_layout_equal(&l, &back));
    g_assert_true(g_file_set_contents(path, noise, -1, NULL));
    g_assert_cmpint(raw_bitmap_layout_load(&back, path, err), ==, -EINVAL);
    g_assert_cmpint(raw_bitmap_layout_load(&back, folder, err), ==, -EISDIR);
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_cmpint(rmdir(folder), ==, 0);
}

/* ------------------------------------------------------------------------ */
/* Fitting */

static void fit_one(const char *layout, guint64 size, const guint64 *data,
                    RawBitmapFit *fit)
{
    RawBitmapLayout l = layout_of(layout);
    g_autoptr(RawBitmap) map = map_of("granularity=64K", size);
    g_autoptr(RawBitmap) b = NULL;
    g_autoptr(GBytes) bytes = NULL;
    RawBitmapPair pair = { .map = map };
    char err[RAW_BITMAP_ERR_MAX];

    for (; *data != UINT64_MAX; data++) {
        raw_bitmap_mark(map, *data, 1);
    }
    g_assert_cmpint(raw_bitmap_convert(map, &l, &b, err), ==, 0);
    bytes = encoded(b);
    pair.mf = g_bytes_get_data(bytes, &pair.mf_len);
    g_assert_cmpint(raw_bitmap_fit(&pair, 1, fit), ==, 0);
}

static void test_fit(void)
{
    static const char *const layouts[] = {
        "", "granularity=64K\nbit-order=msb\nset=zero\npad=none",
        "header=4d46.size:be64.0001\npad=none\ngranularity=32M",
        "header=ffffffff.block:le32.count:be64.01\ngranularity=512K\nset=zero",
    };
    static const guint64 data[] = { 0, 5 * MIB, 9 * MIB, 700 * MIB,
                                    GIB + 77 * MIB, 3 * GIB, UINT64_MAX };

    for (guint i = 0; i < G_N_ELEMENTS(layouts); i++) {
        RawBitmapLayout want = layout_of(layouts[i]);
        char got[RAW_BITMAP_TEXT_MAX], expected[RAW_BITMAP_TEXT_MAX];
        RawBitmapFit fit;

        fit_one(layouts[i], 3 * GIB + 512, data, &fit);
        g_assert_cmpuint(fit.equal_num, ==, 1);
        g_assert_cmpstr(raw_bitmap_layout_text(&fit.layout[0], ' ', got), ==,
                        raw_bitmap_layout_text(&want, ' ', expected));
        raw_bitmap_fit_clear(&fit);
    }
}

static void test_fit_undecided(void)
{
    static const guint64 none[] = { UINT64_MAX };
    static const guint64 first[] = { 0, UINT64_MAX };
    RawBitmapFit fit;

    fit_one("", GIB, none, &fit);
    g_assert_cmpuint(fit.equal_num, >=, 20);
    g_assert_cmpint(fit.sample, >=, 0);
    raw_bitmap_fit_clear(&fit);
    /* a file of nothing but zeros must not take for ever */
    fit_one("granularity=64K\npad=16M", 1024 * GIB, none, &fit);
    g_assert_cmpuint(fit.equal_num, >, 1);
    raw_bitmap_fit_clear(&fit);
    /* one block: all granularities look alike, but not the order of bits */
    fit_one("bit-order=msb", 65536, first, &fit);
    g_assert_cmpuint(fit.equal_num, ==, 10);
    for (guint i = 0; i < 10; i++) {
        g_assert_true(fit.layout[i].msb_first);
    }
    raw_bitmap_fit_clear(&fit);
}

static void test_fit_none(void)
{
    g_autoptr(RawBitmap) map = map_of("granularity=64K", GIB);
    guint8 junk[70];
    RawBitmapPair pair = { .mf = junk, .mf_len = sizeof(junk), .map = map };
    RawBitmapFit fit;

    memset(junk, 0x55, sizeof(junk));
    raw_bitmap_mark(map, 0, 1);
    g_assert_cmpint(raw_bitmap_fit(&pair, 1, &fit), ==, 0);
    g_assert_cmpuint(fit.layout_num, ==, 0);
    g_assert_cmpuint(fit.nearest_diffs, <=, 70);
    raw_bitmap_fit_clear(&fit);
    pair.mf_len = 0;
    g_assert_cmpint(raw_bitmap_fit(&pair, 1, &fit), ==, 0);
    g_assert_cmpuint(fit.layout_num, ==, 0);
    raw_bitmap_fit_clear(&fit);
}

static void test_samples(void)
{
    guint64 end = 0;

    g_assert_cmpuint(raw_bitmap_sample_count(), ==, 21);
    for (guint i = 0; i < raw_bitmap_sample_count(); i++) {
        const RawBitmapSample *s = raw_bitmap_sample(i);

        end = 0;
        for (guint k = 0; k < s->extent_num; k++) {
            g_assert_cmpuint(s->extent[k].offset, >=, end);
            end = s->extent[k].offset + s->extent[k].length;
        }
        g_assert_cmpuint(end, <=, s->size);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/raw-bitmap/layout/default", test_layout_default);
    g_test_add_func("/raw-bitmap/layout/round-trip", test_layout_round_trip);
    g_test_add_func("/raw-bitmap/layout/longest", test_layout_longest);
    g_test_add_func("/raw-bitmap/layout/forgiving", test_layout_forgiving);
    g_test_add_func("/raw-bitmap/layout/bad", test_layout_bad);
    g_test_add_func("/raw-bitmap/map/random", test_map_random);
    g_test_add_func("/raw-bitmap/map/edges", test_map_edges);
    g_test_add_func("/raw-bitmap/map/limits", test_map_limits);
    g_test_add_func("/raw-bitmap/map/convert", test_map_convert);
    g_test_add_func("/raw-bitmap/all-zero", test_all_zero);
    g_test_add_func("/raw-bitmap/encode", test_encode);
    g_test_add_func("/raw-bitmap/decode", test_decode);
    g_test_add_func("/raw-bitmap/manifest", test_manifest);
    g_test_add_func("/raw-bitmap/file", test_file);
    g_test_add_func("/raw-bitmap/layout-file", test_layout_file);
    g_test_add_func("/raw-bitmap/fit/unique", test_fit);
    g_test_add_func("/raw-bitmap/fit/undecided", test_fit_undecided);
    g_test_add_func("/raw-bitmap/fit/none", test_fit_none);
    g_test_add_func("/raw-bitmap/samples", test_samples);
    return g_test_run();
}
