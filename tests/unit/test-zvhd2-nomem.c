/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lack of memory at every allocation of the pure modules: it is told, nothing
 * leaks (AddressSanitizer and valgrind look), and what there was still works
 *
 * Linked with -Wl,--wrap for malloc, calloc and realloc, which takes the calls
 * out of our own objects and leaves the libraries' alone.
 */
#include <errno.h>
#include <glib.h>

#include "zvhd2-codec.h"
#include "zvhd2-map.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool armed;
static unsigned until_failure;

static bool fails(void)
{
    return armed && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

enum { BLOCKS = 40000, RECORDS = 33000 };

static Zvhd2Desc desc;
static uint8_t *bitmap;
static uint8_t *index_bytes;

static bool ignore(void *opaque, const Zvhd2Finding *f)
{
    return true;
}

/* Each returns 0 when all went well, -ENOMEM when it was told so. */

static int use_map(void)
{
    Zvhd2Map *map = zvhd2_map_new(&desc);
    Zvhd2Finding f;
    int ret;

    if (!map) {
        return -ENOMEM;
    }
    ret = zvhd2_map_set_bitmap(map, bitmap, &f);
    g_assert_true(zvhd2_map_has_data(map, 1) == (ret == 0));
    for (uint32_t seg = 0; seg < desc.index_seg_num && ret == 0; seg++) {
        ret = zvhd2_map_set_segment(map, seg, index_bytes +
                                    (size_t)seg * ZVHD2_INDEX_SEG_SIZE);
    }
    if (ret == 0) {
        /* all records are in one place: it has to sort */
        ret = zvhd2_map_check(map, ignore, NULL);
    }
    zvhd2_map_free(map);
    return ret;
}

static int use_builder(void)
{
    Zvhd2Builder *b = zvhd2_builder_new(BLOCKS);
    Zvhd2Map *map = NULL;
    int ret = b ? 0 : -ENOMEM;
    uint32_t n;

    for (n = 0; n < RECORDS && ret == 0; n++) {
        const Zvhd2Entry e = { 4096 * (n + 1ull), n, 4096 };

        ret = zvhd2_builder_add(b, &e);
        /* a failed one has changed nothing */
        g_assert_cmpuint(zvhd2_builder_count(b), ==, n + (ret == 0));
    }
    if (ret == 0) {
        map = zvhd2_map_from_builder(b, &desc);
        ret = map ? 0 : -ENOMEM;
    }
    zvhd2_map_free(map);
    zvhd2_builder_free(b);
    return ret;
}

static int use_codec(void)
{
    Zvhd2Codec *codec = zvhd2_codec_new(ZVHD2_METHOD_ZSTD, 0);

    zvhd2_codec_free(codec);
    return codec ? 0 : -ENOMEM;
}

static void test_each(gconstpointer data)
{
    int (*const use)(void) = (int (*)(void))data;
    unsigned n = 0;
    int ret;

    do {
        until_failure = n;
        armed = true;
        ret = use();
        armed = false;
        g_assert_true(ret == 0 || ret == -ENOMEM);
        n++;
    } while (ret != 0);
    /* the first round must have failed, or nothing was wrapped */
    g_assert_cmpuint(n, >, 1);
    g_test_message("%u allocations", n - 1);
}

int main(int argc, char **argv)
{
    static const uint8_t uuid[16];

    g_test_init(&argc, &argv, NULL);
    zvhd2_desc_init(&desc, BLOCKS * (uint64_t)ZVHD2_DEFAULT_BLOCK_SIZE,
                    ZVHD2_DEFAULT_BLOCK_SIZE, ZVHD2_METHOD_ZSTD, uuid, 0);
    zvhd2_desc_finish(&desc, 4096 * (RECORDS + 1ull), RECORDS);
    bitmap = g_malloc0(desc.bitmap_size);
    index_bytes = g_malloc0(desc.index_size);
    for (uint32_t n = 0; n < RECORDS; n++) {
        const Zvhd2Entry e = { 4096, n, 4096 };

        bitmap[n / 8] |= (uint8_t)(1u << n % 8);
        zvhd2_entry_encode(&e, index_bytes + (size_t)n * 16);
    }
    g_test_add_data_func("/zvhd2/nomem/map", use_map, test_each);
    g_test_add_data_func("/zvhd2/nomem/builder", use_builder, test_each);
    g_test_add_data_func("/zvhd2/nomem/codec", use_codec, test_each);
    {
        int ret = g_test_run();

        g_free(bitmap);
        g_free(index_bytes);
        return ret;
    }
}
