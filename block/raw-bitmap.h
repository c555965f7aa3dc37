/* SPDX-License-Identifier: MIT */
/*
 * The bitmap file (.mf) that goes beside a RAW image for fast import
 *
 * One bit per block tells whether the block has to be fetched (data) or is
 * all zero.  THE LAYOUT OF THE FILE IS NOT PUBLISHED: the default is the
 * bitmap of ZVHD2 (block/zvhd2.rst), which the service's reader knows; the
 * parameters below cover the plausible others, and raw-bitmap-fit.h finds
 * them from a file made by the vendor's generator.
 *
 * One rule is above all others: a bit may say "zero" only for a block known
 * to be zero.  A new bitmap says "zero" everywhere; whoever builds one marks
 * what is data, and what may be data.
 *
 * Pure: no I/O (raw-bitmap-file.h has that), no QEMU, no GLib, so that
 * qemu-img, obs-push and the tests share it.  Nothing here locks: calls on
 * one RawBitmap have to be serialised by the caller, also raw_bitmap_mark().
 */
#ifndef RAW_BITMAP_H
#define RAW_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAW_BITMAP_GRANULARITY_MIN      (64u * 1024)
#define RAW_BITMAP_GRANULARITY_MAX      (32u * 1024 * 1024)
#define RAW_BITMAP_GRANULARITY_DEFAULT  (2u * 1024 * 1024)
#define RAW_BITMAP_PAD_DEFAULT          4096u
#define RAW_BITMAP_PAD_MAX              (16u * 1024 * 1024)
#define RAW_BITMAP_HEADER_MAX           4095u
#define RAW_BITMAP_FIELDS_MAX           16u
/* Bounds memory (256 MiB): 4 PiB of RAW at 2 MiB, 128 TiB at 64 KiB */
#define RAW_BITMAP_BLOCKS_MAX           (UINT64_C(1) << 31)
/* Room for raw_bitmap_layout_text() of any layout, with the final NUL */
#define RAW_BITMAP_TEXT_MAX             (9u * 1024)
/* Room for any message this module writes */
#define RAW_BITMAP_ERR_MAX              256u

/* --- layout --- */

typedef enum {
    RAW_BITMAP_FIELD_SIZE,      /* length of the RAW image in bytes */
    RAW_BITMAP_FIELD_BLOCK,     /* granularity in bytes */
    RAW_BITMAP_FIELD_COUNT,     /* number of blocks */
} RawBitmapFieldKind;

/* A number in the header that is computed for each image */
typedef struct RawBitmapField {
    RawBitmapFieldKind kind;
    uint16_t offset;            /* in the header */
    uint8_t width;              /* bytes: 4 or 8 */
    bool big_endian;
} RawBitmapField;

/*
 * How a bitmap file is laid out: header, then ceil(size / granularity) bits
 * (unused bits of the last byte are 0), then 0 bytes until the bitmap
 * without the header is a multiple of pad.
 */
typedef struct RawBitmapLayout {
    uint32_t granularity;       /* bytes; a power of two in MIN..MAX */
    bool msb_first;             /* block 0 is bit 7 (true) or bit 0 (false) */
    bool set_means_zero;        /* a 1 says zero (true) or data (false) */
    uint32_t pad;               /* bytes, 1 (none) .. PAD_MAX */
    uint32_t header_len;        /* 0 (none) .. HEADER_MAX */
    uint32_t field_num;         /* 0 .. FIELDS_MAX */
    RawBitmapField field[RAW_BITMAP_FIELDS_MAX];    /* ascending, disjoint */
    uint8_t header[RAW_BITMAP_HEADER_MAX];  /* constant bytes; 0 in fields */
} RawBitmapLayout;

/* The default: granularity=2M bit-order=lsb set=data pad=4096 header=none */
void raw_bitmap_layout_init(RawBitmapLayout *l);

/*
 * Sets one parameter from text:
 *   granularity   bytes, or with suffix K or M
 *   bit-order     lsb | msb
 *   set           data | zero
 *   pad           none | bytes (suffix K or M)
 *   header        none | parts joined by '.': hex bytes, or a field
 *                 size|block|count + ':' + le|be + 32|64,
 *                 e.g. 4d460100.size:be64.block:be32
 * Returns 0; -ENOENT for an unknown @key; -EINVAL for a bad value.  On error
 * @l is unchanged and @err (RAW_BITMAP_ERR_MAX bytes) holds one line.
 */
int raw_bitmap_layout_set(RawBitmapLayout *l, const char *key,
                          const char *value, char *err);

/*
 * Reads "key=value" lines (blank lines and lines starting with '#' are
 * skipped, spaces at both ends ignored) as raw_bitmap_layout_text() writes
 * them; parameters not named get their default.  @text: @len bytes, any
 * content.  Returns 0, or -EINVAL with @err filled and @l unchanged.
 */
int raw_bitmap_layout_parse(RawBitmapLayout *l, const char *text, size_t len,
                            char *err);

/*
 * Writes the layout as text; each parameter is followed by @sep ('\n' for a
 * file, ' ' for a message; no @sep at the end unless it is '\n').  @buf: room
 * for RAW_BITMAP_TEXT_MAX bytes.  Returns @buf.
 */
char *raw_bitmap_layout_text(const RawBitmapLayout *l, char sep, char *buf);

bool raw_bitmap_layout_equal(const RawBitmapLayout *a,
                             const RawBitmapLayout *b);

/* --- bitmap in memory --- */

typedef struct RawBitmap RawBitmap;

/*
 * A bitmap for a RAW image of @raw_size bytes, all blocks zero.  @l is
 * copied.  Returns 0 with *out set; -ENOMEM; -EFBIG (more blocks than
 * RAW_BITMAP_BLOCKS_MAX); -EOVERFLOW (a number does not fit its field of the
 * header).  @err (RAW_BITMAP_ERR_MAX bytes) then holds one line.
 */
int raw_bitmap_new(const RawBitmapLayout *l, uint64_t raw_size,
                   RawBitmap **out, char *err);
void raw_bitmap_free(RawBitmap *b);             /* NULL is fine */

const RawBitmapLayout *raw_bitmap_layout(const RawBitmap *b);
uint64_t raw_bitmap_raw_size(const RawBitmap *b);
uint64_t raw_bitmap_blocks(const RawBitmap *b);
uint64_t raw_bitmap_data_blocks(const RawBitmap *b);    /* counts: O(blocks) */

/*
 * Marks every block that [@offset, @offset + @length) touches as data.  The
 * range is cut at the end of the image; it may not wrap.
 */
void raw_bitmap_mark(RawBitmap *b, uint64_t offset, uint64_t length);

/* Is @block (< blocks) data? */
bool raw_bitmap_is_data(const RawBitmap *b, uint64_t block);

/* First block >= @block that is (not) data, or the number of blocks. */
uint64_t raw_bitmap_next(const RawBitmap *b, uint64_t block, bool data);

/*
 * Range of bytes of the first run of data blocks at or after @offset, cut at
 * the end of the image.  Returns false if there is none.
 */
bool raw_bitmap_next_extent(const RawBitmap *b, uint64_t offset,
                            uint64_t *start, uint64_t *length);

/*
 * The same map under another layout.  With a larger granularity a block is
 * data if one of its parts is; a smaller one takes over what the larger
 * said.  Errors as raw_bitmap_new().
 */
int raw_bitmap_convert(const RawBitmap *b, const RawBitmapLayout *l,
                       RawBitmap **out, char *err);

/* Is every byte 0?  Any alignment; @len may be 0 (true). */
bool raw_bitmap_all_zero(const void *buf, size_t len);

/* --- bytes --- */

/* Length of the file in bytes: header + bits + padding. */
uint64_t raw_bitmap_file_size(const RawBitmap *b);

/* Writes the whole file into @out, raw_bitmap_file_size() bytes. */
void raw_bitmap_encode(const RawBitmap *b, uint8_t *out);

/*
 * The reverse.  @len bytes at @bytes must be exactly what encode can make
 * for an image of @raw_size: header, length, zero padding and unused bits are
 * checked.  Returns 0 with *out set, -EINVAL (not such a file, *err says
 * what and where), or an error of raw_bitmap_new().
 */
int raw_bitmap_decode(const RawBitmapLayout *l, uint64_t raw_size,
                      const uint8_t *bytes, size_t len, RawBitmap **out,
                      char *err);

/*
 * Does the text look like an OVF manifest ("SHA256(file)= ...", also SHA1,
 * SHA512, MD5), which has the same file name extension?  @len bytes from the
 * start of the file; 4096 are plenty.
 */
bool raw_bitmap_is_ovf_manifest(const uint8_t *bytes, size_t len);

#endif /* RAW_BITMAP_H */
