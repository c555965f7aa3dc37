/* SPDX-License-Identifier: MIT */
/*
 * The bitmap that goes beside a RAW image: bits in memory and their encoding.
 * The parameters of the layout as text are in raw-bitmap-layout.c.
 */
#include "raw-bitmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64u

struct RawBitmap {
    RawBitmapLayout layout;
    uint64_t raw_size;
    uint64_t blocks;
    uint64_t words;
    uint64_t bits[];    /* block n: bit n % 64 of word n / 64; 1 = data */
};

static uint64_t div_round_up(uint64_t n, uint64_t d)
{
    return n / d + (n % d != 0);
}

static uint64_t field_value(const RawBitmap *b, RawBitmapFieldKind kind)
{
    switch (kind) {
    case RAW_BITMAP_FIELD_SIZE:
        return b->raw_size;
    case RAW_BITMAP_FIELD_BLOCK:
        return b->layout.granularity;
    case RAW_BITMAP_FIELD_COUNT:
        break;
    }
    return b->blocks;
}

int raw_bitmap_new(const RawBitmapLayout *l, uint64_t raw_size,
                   RawBitmap **out, char *err)
{
    uint64_t blocks = div_round_up(raw_size, l->granularity);
    uint64_t words = div_round_up(blocks, WORD_BITS);
    RawBitmap *b;

    if (blocks > RAW_BITMAP_BLOCKS_MAX) {
        snprintf(err, RAW_BITMAP_ERR_MAX,
                 "an image of %" PRIu64 " bytes has more than %" PRIu64
                 " blocks of %" PRIu32 " bytes: use a larger granularity",
                 raw_size, RAW_BITMAP_BLOCKS_MAX, l->granularity);
        return -EFBIG;
    }
    b = calloc(1, sizeof(*b) + words * sizeof(b->bits[0]));
    if (!b) {
        snprintf(err, RAW_BITMAP_ERR_MAX,
                 "out of memory for a bitmap of %" PRIu64 " blocks", blocks);
        return -ENOMEM;
    }
    b->layout = *l;
    b->raw_size = raw_size;
    b->blocks = blocks;
    b->words = words;
    for (unsigned i = 0; i < l->field_num; i++) {
        const RawBitmapField *f = &l->field[i];
        uint64_t value = field_value(b, f->kind);

        if (f->width < 8 && value >> (8 * f->width)) {
            snprintf(err, RAW_BITMAP_ERR_MAX,
                     "%" PRIu64 " does not fit into the %u-bit field at byte "
                     "%u of the bitmap's header", value, 8u * f->width,
                     f->offset);
            free(b);
            return -EOVERFLOW;
        }
    }
    *out = b;
    return 0;
}

void raw_bitmap_free(RawBitmap *b)
{
    free(b);
}

const RawBitmapLayout *raw_bitmap_layout(const RawBitmap *b)
{
    return &b->layout;
}

uint64_t raw_bitmap_raw_size(const RawBitmap *b)
{
    return b->raw_size;
}

uint64_t raw_bitmap_blocks(const RawBitmap *b)
{
    return b->blocks;
}

uint64_t raw_bitmap_data_blocks(const RawBitmap *b)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < b->words; i++) {
        n += __builtin_popcountll(b->bits[i]);
    }
    return n;
}

void raw_bitmap_mark(RawBitmap *b, uint64_t offset, uint64_t length)
{
    uint64_t first, last;

    if (offset >= b->raw_size || length == 0) {
        return;
    }
    if (length > b->raw_size - offset) {
        length = b->raw_size - offset;
    }
    first = offset / b->layout.granularity;
    last = (offset + length - 1) / b->layout.granularity;
    for (uint64_t w = first / WORD_BITS; w <= last / WORD_BITS; w++) {
        uint64_t mask = UINT64_MAX;

        if (w == first / WORD_BITS) {
            mask &= UINT64_MAX << first % WORD_BITS;
        }
        if (w == last / WORD_BITS) {
            mask &= UINT64_MAX >> (WORD_BITS - 1 - last % WORD_BITS);
        }
        b->bits[w] |= mask;
    }
}

bool raw_bitmap_is_data(const RawBitmap *b, uint64_t block)
{
    return b->bits[block / WORD_BITS] >> block % WORD_BITS & 1;
}

uint64_t raw_bitmap_next(const RawBitmap *b, uint64_t block, bool data)
{
    uint64_t w = block / WORD_BITS;
    uint64_t mask = UINT64_MAX << block % WORD_BITS;

    for (; w < b->words; w++) {
        uint64_t word = (data ? b->bits[w] : ~b->bits[w]) & mask;

        if (word) {
            block = w * WORD_BITS + __builtin_ctzll(word);
            /* Bits past the last block are 0, that is "zero" */
            return block < b->blocks ? block : b->blocks;
        }
        mask = UINT64_MAX;
    }
    return b->blocks;
}

bool raw_bitmap_next_extent(const RawBitmap *b, uint64_t offset,
                            uint64_t *start, uint64_t *length)
{
    uint64_t granularity = b->layout.granularity;
    uint64_t first, end;

    if (offset >= b->raw_size) {
        return false;
    }
    first = raw_bitmap_next(b, offset / granularity, true);
    if (first >= b->blocks) {
        return false;
    }
    end = raw_bitmap_next(b, first, false);
    *start = first * granularity;
    if (*start < offset) {
        *start = offset;
    }
    *length = (end == b->blocks ? b->raw_size : end * granularity) - *start;
    return true;
}

int raw_bitmap_convert(const RawBitmap *b, const RawBitmapLayout *l,
                       RawBitmap **out, char *err)
{
    uint64_t start = 0, length = 0;
    int ret = raw_bitmap_new(l, b->raw_size, out, err);

    if (ret < 0) {
        return ret;
    }
    while (raw_bitmap_next_extent(b, start + length, &start, &length)) {
        raw_bitmap_mark(*out, start, length);
    }
    return 0;
}

bool raw_bitmap_all_zero(const void *buf, size_t len)
{
    static const uint8_t zeros[16];
    const uint8_t *p = buf;

    if (len <= sizeof(zeros)) {
        return !memcmp(p, zeros, len);
    }
    /*
     * If the first 16 bytes are zero and each byte equals the one 16 before
     * it, all are.  memcmp is as fast as the machine's vectors allow.
     */
    return !memcmp(p, zeros, sizeof(zeros)) &&
           !memcmp(p, p + sizeof(zeros), len - sizeof(zeros));
}

/* --- bytes --- */

static uint64_t body_size(const RawBitmap *b)
{
    return div_round_up(b->blocks, 8);
}

uint64_t raw_bitmap_file_size(const RawBitmap *b)
{
    uint64_t pad = b->layout.pad;

    return b->layout.header_len + div_round_up(body_size(b), pad) * pad;
}

static void encode_header(const RawBitmap *b, uint8_t *out)
{
    const RawBitmapLayout *l = &b->layout;

    memcpy(out, l->header, l->header_len);
    for (unsigned i = 0; i < l->field_num; i++) {
        const RawBitmapField *f = &l->field[i];
        uint64_t value = field_value(b, f->kind);

        for (unsigned k = 0; k < f->width; k++) {
            unsigned at = f->big_endian ? f->width - 1 - k : k;

            out[f->offset + at] = value >> (8 * k);
        }
    }
}

static uint8_t reverse_bits(uint8_t v)
{
    v = (v & 0xf0) >> 4 | (v & 0x0f) << 4;
    v = (v & 0xcc) >> 2 | (v & 0x33) << 2;
    return (v & 0xaa) >> 1 | (v & 0x55) << 1;
}

/* Bits of byte @at that belong to a block, as lsb order has them */
static uint8_t used_bits(const RawBitmap *b, uint64_t at)
{
    uint64_t left = b->blocks - at * 8;

    return left < 8 ? (1u << left) - 1 : 0xff;
}

/* Between "lsb, 1 = data" and the layout's byte; it is its own reverse */
static uint8_t swap_byte(const RawBitmap *b, uint8_t v)
{
    return b->layout.msb_first ? reverse_bits(v) : v;
}

void raw_bitmap_encode(const RawBitmap *b, uint8_t *out)
{
    uint64_t body = body_size(b);

    encode_header(b, out);
    out += b->layout.header_len;
    for (uint64_t i = 0; i < body; i++) {
        uint8_t v = b->bits[i / 8] >> (8 * (i % 8));

        if (b->layout.set_means_zero) {
            v = ~v & used_bits(b, i);
        }
        out[i] = swap_byte(b, v);
    }
    memset(out + body, 0,
           raw_bitmap_file_size(b) - b->layout.header_len - body);
}

/* First byte that differs, or @len */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t i = 0;

    while (i < len && a[i] == b[i]) {
        i++;
    }
    return i;
}

static int check_frame(const RawBitmap *b, const uint8_t *bytes, size_t len,
                       char *err)
{
    uint8_t header[RAW_BITMAP_HEADER_MAX];
    size_t header_len = b->layout.header_len;
    size_t end = header_len + body_size(b);
    size_t at;

    if (len != raw_bitmap_file_size(b)) {
        snprintf(err, RAW_BITMAP_ERR_MAX,
                 "the file has %zu bytes, but this layout needs %" PRIu64
                 " for an image of %" PRIu64 " bytes", len,
                 raw_bitmap_file_size(b), b->raw_size);
        return -EINVAL;
    }
    encode_header(b, header);
    at = first_difference(header, bytes, header_len);
    if (at < header_len) {
        snprintf(err, RAW_BITMAP_ERR_MAX,
                 "byte %zu of the header is 0x%02x, not 0x%02x as the layout "
                 "says", at, bytes[at], header[at]);
        return -EINVAL;
    }
    if (!raw_bitmap_all_zero(bytes + end, len - end)) {
        at = end;
        while (!bytes[at]) {
            at++;
        }
        snprintf(err, RAW_BITMAP_ERR_MAX,
                 "byte %zu is 0x%02x, but padding starts at %zu and has to "
                 "be zero", at, bytes[at], end);
        return -EINVAL;
    }
    return 0;
}

int raw_bitmap_decode(const RawBitmapLayout *l, uint64_t raw_size,
                      const uint8_t *bytes, size_t len, RawBitmap **out,
                      char *err)
{
    RawBitmap *b;
    int ret = raw_bitmap_new(l, raw_size, &b, err);

    if (ret < 0) {
        return ret;
    }
    ret = check_frame(b, bytes, len, err);
    if (ret < 0) {
        free(b);
        return ret;
    }
    bytes += l->header_len;
    for (uint64_t i = 0; i < body_size(b); i++) {
        uint8_t used = used_bits(b, i);
        uint8_t v = swap_byte(b, bytes[i]);

        if (v & ~used) {
            snprintf(err, RAW_BITMAP_ERR_MAX,
                     "byte %" PRIu64 " has bits set for blocks past the last "
                     "one, %" PRIu64, l->header_len + i, b->blocks - 1);
            free(b);
            return -EINVAL;
        }
        if (l->set_means_zero) {
            v = ~v & used;
        }
        b->bits[i / 8] |= (uint64_t)v << (8 * (i % 8));
    }
    *out = b;
    return 0;
}

/* --- the other kind of .mf --- */

static size_t skip_blanks(const uint8_t *s, size_t at, size_t len)
{
    while (at < len && (s[at] == ' ' || s[at] == '\t')) {
        at++;
    }
    return at;
}

/* "SHA256(", "SHA1 (", "sha-512(", "MD5(" at the start of a line? */
static bool is_digest_line(const uint8_t *s, size_t len)
{
    static const char *const name[] = { "SHA", "MD5" };
    size_t at = skip_blanks(s, 0, len);

    for (unsigned n = 0; n < sizeof(name) / sizeof(name[0]); n++) {
        size_t k = 0;

        while (k < 3 && at + k < len && (s[at + k] & 0xdf) ==
               ((unsigned char)name[n][k] & 0xdf)) {
            k++;
        }
        if (k < 3) {
            continue;
        }
        k += at;
        while (k < len && (s[k] == '-' || (s[k] >= '0' && s[k] <= '9'))) {
            k++;
        }
        k = skip_blanks(s, k, len);
        if (k < len && s[k] == '(') {
            return true;
        }
    }
    return false;
}

bool raw_bitmap_is_ovf_manifest(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    if (len >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3)) {
        at = 3;     /* byte order mark */
    }
    while (at < len) {
        const uint8_t *end;

        if (is_digest_line(bytes + at, len - at)) {
            return true;
        }
        end = memchr(bytes + at, '\n', len - at);
        if (!end) {
            break;
        }
        at = end + 1 - bytes;
    }
    return false;
}
