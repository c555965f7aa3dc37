/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a whole ZVHD2 image, read by its index, by walking over its
 * records, and checked
 *
 * An index segment alone is 512 KiB of mostly zeros, so an input is not the
 * image itself but says how to put it together (make-corpus.py writes this):
 *
 *     2 bytes          length of the image in pages of 4096
 *     then, again and again, up to the end of the input:
 *     4 bytes          offset in the image
 *     2 bytes          length n
 *     n bytes          what stands there; all else is zero
 *
 * All numbers little-endian.  See replay-main.c for running it on a corpus;
 * for libFuzzer: clang -fsanitize=fuzzer,address,undefined.
 */
#include <stdlib.h>
#include <string.h>

#include "zvhd2-codec.h"
#include "zvhd2-format.h"
#include "zvhd2-map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MAX_PAGES = 1024,
    MAX_LOOKUPS = 70000,
    MAX_EXPANDED = 3,           /* a block is at least 1 MiB */
    MAX_FINDINGS = 1000,
};

/* What must hold whatever the input was. */
static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

typedef struct Image {
    uint8_t *bytes;             /* of just its length, for ASan */
    size_t size;
    unsigned expanded;
} Image;

static unsigned number(const uint8_t *p, unsigned bytes)
{
    unsigned v = 0;

    for (unsigned i = 0; i < bytes; i++) {
        v |= (unsigned)p[i] << (8 * i);
    }
    return v;
}

static bool build(Image *im, const uint8_t *data, size_t size)
{
    if (size < 2) {
        return false;
    }
    im->size = (size_t)(number(data, 2) % (MAX_PAGES + 1)) * ZVHD2_ALIGN;
    im->bytes = calloc(im->size ? im->size : 1, 1);
    if (!im->bytes) {
        return false;
    }
    data += 2;
    size -= 2;
    while (size >= 6) {
        size_t at = number(data, 4);
        size_t n = number(data + 4, 2);

        data += 6;
        size -= 6;
        n = n < size ? n : size;
        if (at < im->size) {
            memcpy(im->bytes + at, data, n < im->size - at ? n : im->size - at);
        }
        data += n;
        size -= n;
    }
    return true;
}

static void told(const Zvhd2Finding *f)
{
    char text[64];

    must(f->rule > ZVHD2_OK && f->rule < ZVHD2_RULES);
    zvhd2_finding_text(f, text, sizeof(text));
    must(strlen(text) < sizeof(text));
}

static void read_record(Image *im, uint64_t at, uint32_t length,
                        uint32_t block, const Zvhd2Desc *d)
{
    Zvhd2Finding f;
    Zvhd2Record r;

    if (!zvhd2_record_check(im->bytes + at, length, at, block, d->block_size,
                            &r, &f)) {
        told(&f);
        return;
    }
    must(r.block == block);
    must(ZVHD2_RECORD_HEAD + (uint64_t)r.size + ZVHD2_RECORD_TAIL <= length);
    if (im->expanded++ < MAX_EXPANDED) {
        Zvhd2Codec *codec = zvhd2_codec_new((Zvhd2Method)d->method, 0);
        uint8_t *out = malloc(d->block_size);

        if (codec && out) {
            zvhd2_expand(codec, out, d->block_size,
                         im->bytes + at + ZVHD2_RECORD_HEAD, r.size);
        }
        free(out);
        zvhd2_codec_free(codec);
    }
}

static bool found(void *opaque, const Zvhd2Finding *f)
{
    told(f);
    return ++*(unsigned *)opaque < MAX_FINDINGS;
}

/* All answers of a map; what they say must lie inside the image. */
static void use_map(Image *im, Zvhd2Map *map, const Zvhd2Desc *d)
{
    unsigned findings = 0;
    uint32_t n = 0;
    bool data;

    for (uint32_t block = 0; block < d->max_blk_num && n < MAX_LOOKUPS; n++) {
        uint32_t run = zvhd2_map_run(map, block, d->max_blk_num - block,
                                     &data);
        Zvhd2Finding f;
        Zvhd2Entry e;
        uint32_t seg;

        must(run >= 1 && run <= d->max_blk_num - block);
        must(zvhd2_map_has_data(map, block) == data);
        if (!data) {
            block += run;
            continue;
        }
        switch (zvhd2_map_lookup(map, block, &e, &seg, &f)) {
        case ZVHD2_MAP_DATA:
            must(e.block == block && e.offset >= ZVHD2_ALIGN);
            must(e.offset <= im->size && e.length <= im->size - e.offset);
            read_record(im, e.offset, e.length, block, d);
            break;
        case ZVHD2_MAP_BAD:
            told(&f);
            break;
        default:
            abort();            /* all is loaded, and it has data */
        }
        block++;
    }
    must(zvhd2_map_check(map, found, &findings) == 0);
}

static void by_index(Image *im, const Zvhd2Desc *header)
{
    const uint64_t at = im->size - ZVHD2_ALIGN;
    Zvhd2Finding f;
    Zvhd2Desc d;
    Zvhd2Map *map;

    /* a wrong checksum is told, but must not keep the fuzzer out */
    if (!zvhd2_desc_decode(im->bytes + at, at, true, &d, &f)) {
        told(&f);
    }
    if (!zvhd2_desc_decode(im->bytes + at, at, false, &d, &f) ||
        !zvhd2_footer_check(&d, im->size, &f)) {
        told(&f);
        return;
    }
    if (!zvhd2_header_matches(header, &d, &f)) {
        told(&f);
    }
    must(d.index_lba + d.index_size + d.bitmap_size + ZVHD2_ALIGN == im->size);
    if (!zvhd2_end_marker_check(im->bytes + d.index_lba - ZVHD2_ALIGN,
                                d.index_lba - ZVHD2_ALIGN, &d, &f)) {
        told(&f);
    }

    map = zvhd2_map_new(&d);
    must(map != NULL);
    if (zvhd2_map_set_bitmap(map, im->bytes + d.bitmap_lba, &f) < 0) {
        told(&f);
    } else {
        for (uint32_t seg = 0; seg < d.index_seg_num; seg++) {
            uint64_t offset;
            uint32_t length;

            zvhd2_map_segment_range(map, seg, &offset, &length);
            must(offset >= d.index_lba && offset + length <= d.bitmap_lba);
            must(zvhd2_map_set_segment(map, seg, im->bytes + offset) == 0);
        }
        use_map(im, map, &d);
    }
    zvhd2_map_free(map);
}

static void by_walking(Image *im, const Zvhd2Desc *header)
{
    Zvhd2Builder *b = zvhd2_builder_new(header->max_blk_num);
    uint64_t at = ZVHD2_ALIGN;
    Zvhd2Map *map;

    must(b != NULL);
    while (at + ZVHD2_DESC_SIZE <= im->size) {
        Zvhd2Finding f;
        Zvhd2Record r;
        Zvhd2Item item = zvhd2_scan_item(im->bytes + at, at, header, &r, &f);
        Zvhd2Entry e;

        if (item == ZVHD2_ITEM_BAD) {
            told(&f);
        }
        if (item != ZVHD2_ITEM_RECORD) {
            break;
        }
        e = (Zvhd2Entry) {
            .offset = at, .block = r.block,
            .length = zvhd2_record_length(r.size),
        };
        must(e.length >= ZVHD2_ALIGN && e.length % ZVHD2_ALIGN == 0);
        must(r.block < header->max_blk_num);
        if (e.length > im->size - at || zvhd2_builder_add(b, &e) < 0) {
            break;
        }
        at += e.length;
    }
    map = zvhd2_map_from_builder(b, header);
    must(map != NULL);
    use_map(im, map, header);
    zvhd2_map_free(map);
    zvhd2_builder_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Image im = { 0 };
    Zvhd2Finding f;
    Zvhd2Desc header;

    if (!build(&im, data, size)) {
        return 0;
    }
    if (im.size >= ZVHD2_ALIGN) {
        if (zvhd2_desc_decode(im.bytes, 0, false, &header, &f)) {
            by_walking(&im, &header);
        } else {
            told(&f);
            header = (Zvhd2Desc) { 0 };
        }
        by_index(&im, &header);
    }
    free(im.bytes);
    return 0;
}
