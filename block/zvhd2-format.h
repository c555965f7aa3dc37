/* SPDX-License-Identifier: MIT */
/*
 * ZVHD2 bytes <-> host-order structs, and the rules that both must meet
 *
 * The layout and the numbered rules are in zvhd2.rst; ZVHD2_Rn below is rule
 * n there.  Everything in this file is pure: no I/O, no allocation, no QEMU,
 * no GLib.  Integers on disk are little-endian whatever the host is; a struct
 * here always holds host order, bytes always travel as uint8_t arrays.
 */
#ifndef ZVHD2_FORMAT_H
#define ZVHD2_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZVHD2_ALIGN             4096u       /* everything starts on this */
#define ZVHD2_DESC_SIZE         512u        /* descriptor in its 4096 bytes */
#define ZVHD2_RECORD_HEAD       48u         /* record prefix before payload */
#define ZVHD2_RECORD_TAIL       4u          /* "end\0" ends a record */
#define ZVHD2_INDEX_SEG_SIZE    524288u
#define ZVHD2_INDEX_ENTRY_SIZE  16u
#define ZVHD2_INDEX_SEG_ENTRIES 32768u
#define ZVHD2_BITMAP_SEG_SIZE   4096u
#define ZVHD2_BITMAP_SEG_BLOCKS 32768u
#define ZVHD2_MIN_BLOCK_SIZE    (1u << 20)
#define ZVHD2_MAX_BLOCK_SIZE    (32u << 20)
#define ZVHD2_DEFAULT_BLOCK_SIZE (2u << 20)
#define ZVHD2_GIB               (1ull << 30)
/* 64 TiB: above any cloud's disk; keeps every product far from 2^63 */
#define ZVHD2_MAX_DISK_SIZE     (1ull << 46)
#define ZVHD2_EPOCH             946684800ll /* 2000-01-01 in Unix time */

typedef enum {
    ZVHD2_METHOD_ZLIB = 0,
    ZVHD2_METHOD_ZSTD = 1,
} Zvhd2Method;

/* The rules of zvhd2.rst; the numbers are shown to users, never renumber. */
typedef enum {
    ZVHD2_OK = 0,
    /* descriptor (header, end marker, footer) */
    ZVHD2_R1_COOKIE = 1,
    ZVHD2_R2_CHECKSUM,
    ZVHD2_R3_VERSION,           /* ff_version, type, zvhd2_version */
    ZVHD2_R4_BLOCK_SIZE,
    ZVHD2_R5_DISK_SIZE,         /* orig_size, curr_size */
    ZVHD2_R6_BLOCK_COUNT,       /* max_blk_num against orig_size */
    ZVHD2_R7_METHOD,            /* compress_method, index kind */
    /* footer: where index and bitmap are */
    ZVHD2_R8_SEGMENTS,          /* segment sizes and counts agree */
    ZVHD2_R9_PLACES,            /* index, bitmap, footer follow each other */
    ZVHD2_R10_RECORD_COUNT,     /* non_zero_blk_num is possible */
    ZVHD2_R11_HEADER,           /* header agrees with footer */
    /* bitmap */
    ZVHD2_R12_BITMAP_TAIL,      /* no bit past max_blk_num */
    ZVHD2_R13_BITMAP_COUNT,     /* bits set == non_zero_blk_num */
    /* index */
    ZVHD2_R14_ENTRY_BLOCK,      /* entry belongs to its block */
    ZVHD2_R15_ENTRY_OFFSET,     /* aligned, inside the data area */
    ZVHD2_R16_ENTRY_LENGTH,     /* aligned, not over the worst case */
    ZVHD2_R17_OVERLAP,          /* records don't overlap */
    ZVHD2_R18_GAP,              /* records follow each other, ascending */
    ZVHD2_R19_UNUSED_ENTRY,     /* unused entries are zero */
    /* records */
    ZVHD2_R20_PREFIX,
    ZVHD2_R21_RECORD_BLOCK,     /* curr_blk is the block it is read for */
    ZVHD2_R22_PAYLOAD_SIZE,     /* size fits the record's length */
    ZVHD2_R23_END_MARK,
    ZVHD2_R24_EXPAND,           /* expands to exactly block_size bytes */
    ZVHD2_R25_END_OF_STREAM,    /* end marker follows the last record */
    ZVHD2_RULES                 /* one past the last rule */
} Zvhd2Rule;

/*
 * One broken rule: what and where, for a one-line message.
 * @offset: byte offset in the file; @block: block number or
 * ZVHD2_NO_BLOCK; @found and @want: the two values that disagree (meaning
 * depends on the rule; both 0 where there is nothing to show).
 */
#define ZVHD2_NO_BLOCK UINT32_MAX
typedef struct Zvhd2Finding {
    Zvhd2Rule rule;
    uint64_t offset;
    uint32_t block;
    uint64_t found;
    uint64_t want;
} Zvhd2Finding;

/* A descriptor in host order, constant fields left out. */
typedef struct Zvhd2Desc {
    uint32_t features;
    uint32_t ff_version;
    uint32_t timestamp;         /* seconds since ZVHD2_EPOCH */
    uint32_t crtr_ver;
    uint64_t orig_size;         /* bytes, multiple of 512 */
    uint64_t curr_size;         /* bytes; the disk size that readers show */
    uint32_t geometry;
    uint32_t type;
    uint8_t uuid[16];
    uint8_t zvhd2_version;      /* 1, or 0 = no index: sequential only */
    uint32_t block_size;
    uint32_t max_blk_num;
    uint64_t index_lba;         /* bytes, despite the field's name */
    uint64_t bitmap_lba;
    uint32_t index_size;
    uint32_t bitmap_size;
    uint32_t index_seg_size;
    uint32_t bitmap_seg_size;
    uint32_t index_seg_num;
    uint32_t bitmap_seg_num;
    uint32_t non_zero_blk_num;
    uint8_t index_sparse;       /* index_contains_zero_blk */
    uint8_t method;             /* Zvhd2Method */
} Zvhd2Desc;

typedef struct Zvhd2Record {
    uint32_t size;              /* payload bytes */
    uint32_t block;
} Zvhd2Record;

typedef struct Zvhd2Entry {
    uint64_t offset;            /* 0 in a sparse index: a zero block */
    uint32_t block;
    uint32_t length;
} Zvhd2Entry;

/* "checksum", "block size", ...: a short name for messages. Static string. */
const char *zvhd2_rule_name(Zvhd2Rule rule);

/*
 * Writes a one-line English message for @f into @buf (always terminated):
 * what is wrong, at which offset and block, and the rule's number, e.g.
 * "bad record prefix at offset 8192, block 7 (rule 20)".  Returns @buf.
 */
const char *zvhd2_finding_text(const Zvhd2Finding *f, char *buf, size_t size);

/*
 * Fills @f (NULL is fine) and returns false, so that a check can end with
 * "return zvhd2_broken(...)".
 */
bool zvhd2_broken(Zvhd2Finding *f, Zvhd2Rule rule, uint64_t offset,
                  uint32_t block, uint64_t found, uint64_t want);

/*
 * Fills @d for a new image: sizes, geometry, counts; index fields zero.
 * @size: guest size in bytes, multiple of 512, <= ZVHD2_MAX_DISK_SIZE;
 * @uuid: 16 random bytes; @unix_time: creation time.
 * Returns ZVHD2_OK, or the rule that the arguments break.
 */
Zvhd2Rule zvhd2_desc_init(Zvhd2Desc *d, uint64_t size, uint32_t block_size,
                          Zvhd2Method method, const uint8_t uuid[16],
                          int64_t unix_time);

/*
 * Completes @d (as left by zvhd2_desc_init) for the end marker
 * (zvhd2_end_marker_encode()) and the footer (zvhd2_desc_encode()) of an
 * image with @records records that ends its data area at @data_end (the
 * offset of the end marker; index follows 4096 later).  Dense index.
 */
void zvhd2_desc_finish(Zvhd2Desc *d, uint64_t data_end, uint32_t records);

/* Encodes @d with a right checksum; writes 4096 bytes, zeros after 512. */
void zvhd2_desc_encode(const Zvhd2Desc *d, uint8_t out[4096]);

/*
 * Encodes the end marker of a finished @d (4096 bytes): as the reference
 * does it, with the record count but without the places of index and bitmap.
 */
void zvhd2_end_marker_encode(const Zvhd2Desc *d, uint8_t out[4096]);

/* True if @in (at least 8 bytes) starts with a descriptor's cookie. */
bool zvhd2_is_cookie(const uint8_t *in);

/* True if @in (at least 12 bytes) starts with a record's prefix. */
bool zvhd2_is_record(const uint8_t *in);

/*
 * Decodes and validates rules 1-7 of a descriptor (512 bytes).
 * @check_sum: false for end markers, whose checksum the reference leaves
 * stale.  On failure returns false and fills @f (with @at as its offset);
 * @d is filled as far as bytes go if the cookie was right.
 */
bool zvhd2_desc_decode(const uint8_t in[512], uint64_t at, bool check_sum,
                       Zvhd2Desc *d, Zvhd2Finding *f);

/*
 * Rules 8-10: the footer's index fields against each other and against
 * @file_size (bytes); rule 3 for a footer that says it has no index.  @d must
 * have passed zvhd2_desc_decode().  What holds afterwards: index, bitmap and
 * footer fill the file from index_lba to its end, so that memory in
 * proportion to index_size and bitmap_size is justified by the file.
 */
bool zvhd2_footer_check(const Zvhd2Desc *d, uint64_t file_size,
                        Zvhd2Finding *f);

/*
 * Rule 11: sizes, block size, method, index kind, version and uuid of header
 * and footer agree.
 */
bool zvhd2_header_matches(const Zvhd2Desc *header, const Zvhd2Desc *footer,
                          Zvhd2Finding *f);

/*
 * Rule 25: the 512 bytes at @at are the end marker of the image that
 * @desc (header or footer) describes.  The marker's checksum is not looked
 * at: the reference leaves it stale.
 */
bool zvhd2_end_marker_check(const uint8_t in[512], uint64_t at,
                            const Zvhd2Desc *desc, Zvhd2Finding *f);

/*
 * Rule 25, for who has counted: an end marker that counts records counts
 * @records of them.  @in has passed zvhd2_end_marker_check().
 */
bool zvhd2_end_count_check(const uint8_t in[512], uint64_t at,
                           uint32_t records, Zvhd2Finding *f);

/*
 * Record length on disk for a payload: 48 + @size + 4, rounded up to 4096.
 * A @size whose length is no uint32_t gives the largest aligned one, which
 * is over every zvhd2_record_max().
 */
uint32_t zvhd2_record_length(uint32_t size);

/*
 * Longest record that a block of @block_size can justify (rule 16): the
 * payload may be a quarter larger than the block.
 */
uint32_t zvhd2_record_max(uint32_t block_size);

/* Writes the 48 bytes before the payload. */
void zvhd2_record_encode(const Zvhd2Record *r, uint8_t out[48]);

/*
 * Writes zeros and the end mark after a payload of @size bytes that stands
 * at @record + 48; @record has room for zvhd2_record_length(@size) bytes.
 */
void zvhd2_record_seal(uint8_t *record, uint32_t size);

/*
 * Decodes the 48-byte prefix at file offset @at; rules 20 and 22 (size
 * within zvhd2_record_max(@block_size)).
 */
bool zvhd2_record_decode(const uint8_t in[48], uint64_t at,
                         uint32_t block_size, Zvhd2Record *r,
                         Zvhd2Finding *f);

/*
 * Validates a whole record of @length bytes at file offset @at that the
 * index gives for @block: rules 20-23.  The payload is at @in + 48.
 */
bool zvhd2_record_check(const uint8_t *in, uint32_t length, uint64_t at,
                        uint32_t block, uint32_t block_size,
                        Zvhd2Record *r, Zvhd2Finding *f);

/*
 * One step of walking the records in file order, for images without an
 * index and for rebuilding a lost one.  @head: the first 512 bytes at offset
 * @at (a multiple of 4096, first 4096); @header: the image's header.
 *
 * ZVHD2_ITEM_RECORD: @r is filled, rules 20-22 hold for the prefix; the next
 *   item is at @at + zvhd2_record_length(r->size), and @r->block is less
 *   than max_blk_num.  Payload and end mark are not seen here: use
 *   zvhd2_record_check().  That blocks ascend is zvhd2_builder_add()'s rule.
 * ZVHD2_ITEM_END: this image's end marker.
 * ZVHD2_ITEM_BAD: neither; @f says why.
 */
typedef enum {
    ZVHD2_ITEM_RECORD,
    ZVHD2_ITEM_END,
    ZVHD2_ITEM_BAD,
} Zvhd2Item;

Zvhd2Item zvhd2_scan_item(const uint8_t head[512], uint64_t at,
                          const Zvhd2Desc *header, Zvhd2Record *r,
                          Zvhd2Finding *f);

void zvhd2_entry_encode(const Zvhd2Entry *e, uint8_t out[16]);
void zvhd2_entry_decode(const uint8_t in[16], Zvhd2Entry *e);

#endif /* ZVHD2_FORMAT_H */
