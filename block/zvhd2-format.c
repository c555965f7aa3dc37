/* SPDX-License-Identifier: MIT */
/*
 * ZVHD2 bytes <-> host-order structs, and the rules that both must meet
 *
 * Bytes are put together and taken apart by shifts, so that neither the
 * host's byte order nor its alignment matters.  Every value that comes from
 * a file is bounded before it is used in arithmetic.
 *
 * This file is built without QEMU's and GLib's include paths too, for
 * programs that only need the format; that is why qemu/osdep.h is not here.
 */
#include <string.h>

#include "zvhd2-format.h"

/* Where the fields of a descriptor are. */
enum {
    D_COOKIE = 0,
    D_FEATURES = 8,
    D_FF_VERSION = 12,
    D_DATA_OFFSET = 16,
    D_TIMESTAMP = 24,
    D_CRTR_APP = 28,
    D_CRTR_VER = 32,
    D_ORIG_SIZE = 40,
    D_CURR_SIZE = 48,
    D_GEOMETRY = 56,
    D_TYPE = 60,
    D_CHECKSUM = 64,
    D_UUID = 68,
    D_ZVHD2_VERSION = 87,
    D_BLOCK_SIZE = 88,
    D_MAX_BLK_NUM = 92,
    D_INDEX_LBA = 96,
    D_BITMAP_LBA = 104,
    D_INDEX_SIZE = 112,
    D_BITMAP_SIZE = 116,
    D_INDEX_SEG_SIZE = 120,
    D_BITMAP_SEG_SIZE = 124,
    D_INDEX_SEG_NUM = 128,
    D_BITMAP_SEG_NUM = 132,
    D_NON_ZERO_BLK_NUM = 136,
    D_INDEX_SPARSE = 140,
    D_METHOD = 141,
};

/* Where the fields of a record's prefix are. */
enum {
    P_PREFIX = 0,
    P_SIZE = 12,
    P_BLOCK = 16,
};

#define FEATURES        2u
#define FF_VERSION      0x00010000u
#define CRTR_VER        0x00010004u
#define TYPE            4u
#define COOKIE_CMP      6u              /* only these bytes are compared */

static const uint8_t cookie[8] = { 'z', '2', 's', 't', 'r', 'm', 0, 0 };
static const uint8_t crtr_app[4] = { 't', 'a', 'p', 0 };
static const uint8_t prefix[12] = {
    'h', 'w', 's', 't', 'r', 'e', 'a', 'm', ' ', 'b', 'g', 0
};
static const uint8_t end_mark[ZVHD2_RECORD_TAIL] = { 'e', 'n', 'd', 0 };

/* --- bytes --- */

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static uint64_t div_up(uint64_t n, uint64_t d)
{
    return n / d + (n % d != 0);
}

/* --- findings --- */

bool zvhd2_broken(Zvhd2Finding *f, Zvhd2Rule rule, uint64_t offset,
                  uint32_t block, uint64_t found, uint64_t want)
{
    if (f) {
        *f = (Zvhd2Finding) {
            .rule = rule,
            .offset = offset,
            .block = block,
            .found = found,
            .want = want,
        };
    }
    return false;
}

/* --- descriptor --- */

static bool block_size_ok(uint32_t block_size)
{
    return block_size >= ZVHD2_MIN_BLOCK_SIZE &&
           block_size <= ZVHD2_MAX_BLOCK_SIZE &&
           (block_size & (block_size - 1)) == 0;
}

/*
 * Cylinders, heads and sectors as the VHD specification derives them from a
 * disk size.  Nobody boots from it; it is here because the reference has it.
 */
static uint32_t geometry(uint64_t size)
{
    const uint64_t max_chs = 65535ull * 16 * 255;
    uint64_t sectors = size / 512;
    uint64_t tracks;
    uint32_t heads, spt;

    if (sectors > max_chs) {
        sectors = max_chs;
    }
    if (sectors >= 65535ull * 16 * 63) {
        spt = 255;
        heads = 16;
        tracks = sectors / spt;
    } else {
        spt = 17;
        tracks = sectors / spt;
        heads = (uint32_t)div_up(tracks, 1024);
        if (heads < 4) {
            heads = 4;
        }
        if (heads > 16 || tracks >= heads * 1024) {
            spt = 31;
            heads = 16;
            tracks = sectors / spt;
        }
        if (tracks >= heads * 1024) {
            spt = 63;
            heads = 16;
            tracks = sectors / spt;
        }
    }
    return (uint32_t)(tracks / heads) << 16 | heads << 8 | spt;
}

Zvhd2Rule zvhd2_desc_init(Zvhd2Desc *d, uint64_t size, uint32_t block_size,
                          Zvhd2Method method, const uint8_t uuid[16],
                          int64_t unix_time)
{
    int64_t age;

    if (size % 512 != 0 || size > ZVHD2_MAX_DISK_SIZE) {
        return ZVHD2_R5_DISK_SIZE;
    }
    if (!block_size_ok(block_size)) {
        return ZVHD2_R4_BLOCK_SIZE;
    }
    if (method != ZVHD2_METHOD_ZLIB && method != ZVHD2_METHOD_ZSTD) {
        return ZVHD2_R7_METHOD;
    }

    /* a clock outside the field's 136 years must not wrap around */
    if (unix_time < ZVHD2_EPOCH) {
        age = 0;
    } else if (unix_time - ZVHD2_EPOCH > UINT32_MAX) {
        age = UINT32_MAX;
    } else {
        age = unix_time - ZVHD2_EPOCH;
    }

    *d = (Zvhd2Desc) {
        .features = FEATURES,
        .ff_version = FF_VERSION,
        .timestamp = (uint32_t)age,
        .crtr_ver = CRTR_VER,
        .orig_size = size,
        .curr_size = div_up(size, ZVHD2_GIB) * ZVHD2_GIB,
        .geometry = geometry(size),
        .type = TYPE,
        .zvhd2_version = 1,
        .block_size = block_size,
        .max_blk_num = (uint32_t)div_up(size, block_size),
        .method = (uint8_t)method,
    };
    memcpy(d->uuid, uuid, sizeof(d->uuid));
    return ZVHD2_OK;
}

static uint32_t index_segments(const Zvhd2Desc *d)
{
    return (uint32_t)div_up(d->index_sparse ? d->max_blk_num
                                            : d->non_zero_blk_num,
                            ZVHD2_INDEX_SEG_ENTRIES);
}

static uint32_t bitmap_segments(const Zvhd2Desc *d)
{
    return (uint32_t)div_up(d->max_blk_num, ZVHD2_BITMAP_SEG_BLOCKS);
}

void zvhd2_desc_finish(Zvhd2Desc *d, uint64_t data_end, uint32_t records)
{
    d->index_sparse = 0;
    d->non_zero_blk_num = records;
    d->index_seg_size = ZVHD2_INDEX_SEG_SIZE;
    d->bitmap_seg_size = ZVHD2_BITMAP_SEG_SIZE;
    d->index_seg_num = index_segments(d);
    d->bitmap_seg_num = bitmap_segments(d);
    d->index_size = d->index_seg_num * ZVHD2_INDEX_SEG_SIZE;
    d->bitmap_size = d->bitmap_seg_num * ZVHD2_BITMAP_SEG_SIZE;
    d->index_lba = data_end + ZVHD2_ALIGN;
    d->bitmap_lba = d->index_lba + d->index_size;
}

/* Ones' complement of the sum of all bytes but the checksum's own. */
static uint32_t checksum(const uint8_t desc[ZVHD2_DESC_SIZE])
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < ZVHD2_DESC_SIZE; i++) {
        if (i < D_CHECKSUM || i >= D_CHECKSUM + 4) {
            sum += desc[i];
        }
    }
    return ~sum;
}

void zvhd2_desc_encode(const Zvhd2Desc *d, uint8_t out[4096])
{
    memset(out, 0, ZVHD2_ALIGN);
    memcpy(out + D_COOKIE, cookie, sizeof(cookie));
    put32(out + D_FEATURES, d->features);
    put32(out + D_FF_VERSION, d->ff_version);
    put64(out + D_DATA_OFFSET, UINT64_MAX);
    put32(out + D_TIMESTAMP, d->timestamp);
    memcpy(out + D_CRTR_APP, crtr_app, sizeof(crtr_app));
    put32(out + D_CRTR_VER, d->crtr_ver);
    put64(out + D_ORIG_SIZE, d->orig_size);
    put64(out + D_CURR_SIZE, d->curr_size);
    put32(out + D_GEOMETRY, d->geometry);
    put32(out + D_TYPE, d->type);
    memcpy(out + D_UUID, d->uuid, sizeof(d->uuid));
    out[D_ZVHD2_VERSION] = d->zvhd2_version;
    put32(out + D_BLOCK_SIZE, d->block_size);
    put32(out + D_MAX_BLK_NUM, d->max_blk_num);
    put64(out + D_INDEX_LBA, d->index_lba);
    put64(out + D_BITMAP_LBA, d->bitmap_lba);
    put32(out + D_INDEX_SIZE, d->index_size);
    put32(out + D_BITMAP_SIZE, d->bitmap_size);
    put32(out + D_INDEX_SEG_SIZE, d->index_seg_size);
    put32(out + D_BITMAP_SEG_SIZE, d->bitmap_seg_size);
    put32(out + D_INDEX_SEG_NUM, d->index_seg_num);
    put32(out + D_BITMAP_SEG_NUM, d->bitmap_seg_num);
    put32(out + D_NON_ZERO_BLK_NUM, d->non_zero_blk_num);
    out[D_INDEX_SPARSE] = d->index_sparse;
    out[D_METHOD] = d->method;
    put32(out + D_CHECKSUM, checksum(out));
}

void zvhd2_end_marker_encode(const Zvhd2Desc *d, uint8_t out[4096])
{
    Zvhd2Desc marker = *d;

    marker.index_lba = 0;
    marker.bitmap_lba = 0;
    marker.index_size = 0;
    marker.bitmap_size = 0;
    marker.index_seg_size = 0;
    marker.bitmap_seg_size = 0;
    marker.index_seg_num = 0;
    marker.bitmap_seg_num = 0;
    zvhd2_desc_encode(&marker, out);
}

bool zvhd2_is_cookie(const uint8_t *in)
{
    return memcmp(in, cookie, COOKIE_CMP) == 0;
}

bool zvhd2_is_record(const uint8_t *in)
{
    return memcmp(in, prefix, sizeof(prefix)) == 0;
}

static void desc_parse(const uint8_t in[512], Zvhd2Desc *d)
{
    *d = (Zvhd2Desc) {
        .features = get32(in + D_FEATURES),
        .ff_version = get32(in + D_FF_VERSION),
        .timestamp = get32(in + D_TIMESTAMP),
        .crtr_ver = get32(in + D_CRTR_VER),
        .orig_size = get64(in + D_ORIG_SIZE),
        .curr_size = get64(in + D_CURR_SIZE),
        .geometry = get32(in + D_GEOMETRY),
        .type = get32(in + D_TYPE),
        .zvhd2_version = in[D_ZVHD2_VERSION],
        .block_size = get32(in + D_BLOCK_SIZE),
        .max_blk_num = get32(in + D_MAX_BLK_NUM),
        .index_lba = get64(in + D_INDEX_LBA),
        .bitmap_lba = get64(in + D_BITMAP_LBA),
        .index_size = get32(in + D_INDEX_SIZE),
        .bitmap_size = get32(in + D_BITMAP_SIZE),
        .index_seg_size = get32(in + D_INDEX_SEG_SIZE),
        .bitmap_seg_size = get32(in + D_BITMAP_SEG_SIZE),
        .index_seg_num = get32(in + D_INDEX_SEG_NUM),
        .bitmap_seg_num = get32(in + D_BITMAP_SEG_NUM),
        .non_zero_blk_num = get32(in + D_NON_ZERO_BLK_NUM),
        .index_sparse = in[D_INDEX_SPARSE],
        .method = in[D_METHOD],
    };
    memcpy(d->uuid, in + D_UUID, sizeof(d->uuid));
}

bool zvhd2_desc_decode(const uint8_t in[512], uint64_t at, bool check_sum,
                       Zvhd2Desc *d, Zvhd2Finding *f)
{
    uint64_t blocks;

    if (!zvhd2_is_cookie(in)) {
        return zvhd2_broken(f, ZVHD2_R1_COOKIE, at, ZVHD2_NO_BLOCK, 0, 0);
    }
    desc_parse(in, d);
    if (check_sum && get32(in + D_CHECKSUM) != checksum(in)) {
        return zvhd2_broken(f, ZVHD2_R2_CHECKSUM, at + D_CHECKSUM,
                            ZVHD2_NO_BLOCK, get32(in + D_CHECKSUM),
                            checksum(in));
    }
    if (d->ff_version != FF_VERSION) {
        return zvhd2_broken(f, ZVHD2_R3_VERSION, at + D_FF_VERSION,
                            ZVHD2_NO_BLOCK, d->ff_version, FF_VERSION);
    }
    if (d->type != TYPE) {
        return zvhd2_broken(f, ZVHD2_R3_VERSION, at + D_TYPE,
                            ZVHD2_NO_BLOCK, d->type, TYPE);
    }
    if (d->zvhd2_version > 1) {
        return zvhd2_broken(f, ZVHD2_R3_VERSION, at + D_ZVHD2_VERSION,
                            ZVHD2_NO_BLOCK, d->zvhd2_version, 1);
    }
    if (!block_size_ok(d->block_size)) {
        return zvhd2_broken(f, ZVHD2_R4_BLOCK_SIZE, at + D_BLOCK_SIZE,
                            ZVHD2_NO_BLOCK, d->block_size, 0);
    }
    if (d->orig_size % 512 != 0 || d->curr_size % 512 != 0 ||
        d->orig_size > d->curr_size || d->curr_size > ZVHD2_MAX_DISK_SIZE) {
        return zvhd2_broken(f, ZVHD2_R5_DISK_SIZE, at + D_ORIG_SIZE,
                            ZVHD2_NO_BLOCK, d->orig_size, d->curr_size);
    }
    blocks = div_up(d->orig_size, d->block_size);
    if (d->max_blk_num != blocks) {
        return zvhd2_broken(f, ZVHD2_R6_BLOCK_COUNT, at + D_MAX_BLK_NUM,
                            ZVHD2_NO_BLOCK, d->max_blk_num, blocks);
    }
    if (d->index_sparse > 1) {
        return zvhd2_broken(f, ZVHD2_R7_METHOD, at + D_INDEX_SPARSE,
                            ZVHD2_NO_BLOCK, d->index_sparse, 1);
    }
    if (d->method != ZVHD2_METHOD_ZLIB && d->method != ZVHD2_METHOD_ZSTD) {
        return zvhd2_broken(f, ZVHD2_R7_METHOD, at + D_METHOD,
                            ZVHD2_NO_BLOCK, d->method, ZVHD2_METHOD_ZSTD);
    }
    return true;
}

/* --- footer --- */

bool zvhd2_footer_check(const Zvhd2Desc *d, uint64_t file_size,
                        Zvhd2Finding *f)
{
    const uint64_t at = file_size < ZVHD2_ALIGN ? 0 : file_size - ZVHD2_ALIGN;
    const uint32_t index_segs = index_segments(d);
    const uint32_t bitmap_segs = bitmap_segments(d);
    const struct {
        unsigned field;
        uint32_t found;
        uint64_t want;
    } segments[] = {
        { D_INDEX_SEG_SIZE, d->index_seg_size, ZVHD2_INDEX_SEG_SIZE },
        { D_BITMAP_SEG_SIZE, d->bitmap_seg_size, ZVHD2_BITMAP_SEG_SIZE },
        { D_INDEX_SEG_NUM, d->index_seg_num, index_segs },
        { D_BITMAP_SEG_NUM, d->bitmap_seg_num, bitmap_segs },
        { D_INDEX_SIZE, d->index_size,
          (uint64_t)index_segs * ZVHD2_INDEX_SEG_SIZE },
        { D_BITMAP_SIZE, d->bitmap_size,
          (uint64_t)bitmap_segs * ZVHD2_BITMAP_SEG_SIZE },
    };
    uint64_t room;

    if (d->zvhd2_version != 1) {
        return zvhd2_broken(f, ZVHD2_R3_VERSION, at + D_ZVHD2_VERSION,
                            ZVHD2_NO_BLOCK, d->zvhd2_version, 1);
    }
    if (d->non_zero_blk_num > d->max_blk_num) {
        return zvhd2_broken(f, ZVHD2_R10_RECORD_COUNT, at + D_NON_ZERO_BLK_NUM,
                            ZVHD2_NO_BLOCK, d->non_zero_blk_num,
                            d->max_blk_num);
    }
    for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        if (segments[i].found != segments[i].want) {
            return zvhd2_broken(f, ZVHD2_R8_SEGMENTS, at + segments[i].field,
                                ZVHD2_NO_BLOCK, segments[i].found,
                                segments[i].want);
        }
    }

    /* Only subtractions of what is known to be smaller: nothing can wrap. */
    if (d->index_lba % ZVHD2_ALIGN != 0 || d->index_lba < 2 * ZVHD2_ALIGN ||
        d->index_lba > file_size) {
        return zvhd2_broken(f, ZVHD2_R9_PLACES, at + D_INDEX_LBA,
                            ZVHD2_NO_BLOCK, d->index_lba, 2 * ZVHD2_ALIGN);
    }
    if (d->bitmap_lba < d->index_lba ||
        d->bitmap_lba - d->index_lba != d->index_size) {
        return zvhd2_broken(f, ZVHD2_R9_PLACES, at + D_BITMAP_LBA,
                            ZVHD2_NO_BLOCK, d->bitmap_lba,
                            d->index_lba + d->index_size);
    }
    if (file_size < d->bitmap_lba ||
        file_size - d->bitmap_lba != (uint64_t)d->bitmap_size + ZVHD2_ALIGN) {
        return zvhd2_broken(f, ZVHD2_R9_PLACES, at, ZVHD2_NO_BLOCK, file_size,
                            d->bitmap_lba + d->bitmap_size + ZVHD2_ALIGN);
    }

    room = (d->index_lba - 2 * ZVHD2_ALIGN) / ZVHD2_ALIGN;
    if (d->non_zero_blk_num > room) {
        return zvhd2_broken(f, ZVHD2_R10_RECORD_COUNT, at + D_NON_ZERO_BLK_NUM,
                            ZVHD2_NO_BLOCK, d->non_zero_blk_num, room);
    }
    return true;
}

/* Do @a (at offset @at) and @b describe the same disk? */
static bool same_disk(const Zvhd2Desc *a, uint64_t at, const Zvhd2Desc *b,
                      Zvhd2Rule rule, Zvhd2Finding *f)
{
    const struct {
        unsigned field;
        uint64_t a, b;
    } same[] = {
        { D_ORIG_SIZE, a->orig_size, b->orig_size },
        { D_CURR_SIZE, a->curr_size, b->curr_size },
        { D_BLOCK_SIZE, a->block_size, b->block_size },
        { D_ZVHD2_VERSION, a->zvhd2_version, b->zvhd2_version },
        { D_INDEX_SPARSE, a->index_sparse, b->index_sparse },
        { D_METHOD, a->method, b->method },
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (same[i].a != same[i].b) {
            return zvhd2_broken(f, rule, at + same[i].field, ZVHD2_NO_BLOCK,
                                same[i].a, same[i].b);
        }
    }
    if (memcmp(a->uuid, b->uuid, sizeof(a->uuid)) != 0) {
        return zvhd2_broken(f, rule, at + D_UUID, ZVHD2_NO_BLOCK, 0, 0);
    }
    return true;
}

bool zvhd2_header_matches(const Zvhd2Desc *header, const Zvhd2Desc *footer,
                          Zvhd2Finding *f)
{
    return same_disk(header, 0, footer, ZVHD2_R11_HEADER, f);
}

bool zvhd2_end_marker_check(const uint8_t in[512], uint64_t at,
                            const Zvhd2Desc *desc, Zvhd2Finding *f)
{
    Zvhd2Desc marker;

    if (!zvhd2_desc_decode(in, at, false, &marker, f)) {
        if (f) {
            f->rule = ZVHD2_R25_END_OF_STREAM;
        }
        return false;
    }
    return same_disk(&marker, at, desc, ZVHD2_R25_END_OF_STREAM, f);
}

bool zvhd2_end_count_check(const uint8_t in[512], uint64_t at,
                           uint32_t records, Zvhd2Finding *f)
{
    const uint32_t count = get32(in + D_NON_ZERO_BLK_NUM);

    if (count != 0 && count != records) {
        return zvhd2_broken(f, ZVHD2_R25_END_OF_STREAM,
                            at + D_NON_ZERO_BLK_NUM, ZVHD2_NO_BLOCK, count,
                            records);
    }
    return true;
}

/* --- records --- */

uint32_t zvhd2_record_length(uint32_t size)
{
    uint64_t length = (uint64_t)size + ZVHD2_RECORD_HEAD + ZVHD2_RECORD_TAIL;

    length = div_up(length, ZVHD2_ALIGN) * ZVHD2_ALIGN;
    return length > UINT32_MAX ? UINT32_MAX - (ZVHD2_ALIGN - 1)
                               : (uint32_t)length;
}

uint32_t zvhd2_record_max(uint32_t block_size)
{
    if (block_size > ZVHD2_MAX_BLOCK_SIZE) {
        block_size = ZVHD2_MAX_BLOCK_SIZE;
    }
    return zvhd2_record_length(block_size + block_size / 4);
}

void zvhd2_record_encode(const Zvhd2Record *r, uint8_t out[48])
{
    memset(out, 0, ZVHD2_RECORD_HEAD);
    memcpy(out + P_PREFIX, prefix, sizeof(prefix));
    put32(out + P_SIZE, r->size);
    put32(out + P_BLOCK, r->block);
}

void zvhd2_record_seal(uint8_t *record, uint32_t size)
{
    const size_t used = (size_t)ZVHD2_RECORD_HEAD + size;
    const size_t mark = zvhd2_record_length(size) - ZVHD2_RECORD_TAIL;

    memset(record + used, 0, mark - used);
    memcpy(record + mark, end_mark, sizeof(end_mark));
}

bool zvhd2_record_decode(const uint8_t in[48], uint64_t at,
                         uint32_t block_size, Zvhd2Record *r,
                         Zvhd2Finding *f)
{
    const uint32_t max = zvhd2_record_max(block_size);

    if (!zvhd2_is_record(in)) {
        return zvhd2_broken(f, ZVHD2_R20_PREFIX, at, ZVHD2_NO_BLOCK, 0, 0);
    }
    r->size = get32(in + P_SIZE);
    r->block = get32(in + P_BLOCK);
    if (r->size == 0 || zvhd2_record_length(r->size) > max) {
        return zvhd2_broken(f, ZVHD2_R22_PAYLOAD_SIZE, at + P_SIZE, r->block,
                            r->size, max);
    }
    return true;
}

bool zvhd2_record_check(const uint8_t *in, uint32_t length, uint64_t at,
                        uint32_t block, uint32_t block_size,
                        Zvhd2Record *r, Zvhd2Finding *f)
{
    if (length < ZVHD2_ALIGN) {
        return zvhd2_broken(f, ZVHD2_R16_ENTRY_LENGTH, at, block, length,
                            zvhd2_record_max(block_size));
    }
    if (!zvhd2_record_decode(in, at, block_size, r, f)) {
        if (f) {
            f->block = block;       /* rather than what the record claims */
        }
        return false;
    }
    if (r->block != block) {
        return zvhd2_broken(f, ZVHD2_R21_RECORD_BLOCK, at + P_BLOCK, block,
                            r->block, block);
    }
    if (zvhd2_record_length(r->size) != length) {
        return zvhd2_broken(f, ZVHD2_R22_PAYLOAD_SIZE, at + P_SIZE, block,
                            r->size, length);
    }
    if (memcmp(in + length - ZVHD2_RECORD_TAIL, end_mark,
               sizeof(end_mark)) != 0) {
        return zvhd2_broken(f, ZVHD2_R23_END_MARK,
                            at + length - ZVHD2_RECORD_TAIL, block, 0, 0);
    }
    return true;
}

Zvhd2Item zvhd2_scan_item(const uint8_t head[512], uint64_t at,
                          const Zvhd2Desc *header, Zvhd2Record *r,
                          Zvhd2Finding *f)
{
    if (zvhd2_is_cookie(head)) {
        return zvhd2_end_marker_check(head, at, header, f) ? ZVHD2_ITEM_END
                                                           : ZVHD2_ITEM_BAD;
    }
    if (!zvhd2_record_decode(head, at, header->block_size, r, f)) {
        return ZVHD2_ITEM_BAD;
    }
    if (r->block >= header->max_blk_num) {
        zvhd2_broken(f, ZVHD2_R21_RECORD_BLOCK, at + P_BLOCK, ZVHD2_NO_BLOCK,
                     r->block, header->max_blk_num);
        return ZVHD2_ITEM_BAD;
    }
    return ZVHD2_ITEM_RECORD;
}

/* --- index entries --- */

void zvhd2_entry_encode(const Zvhd2Entry *e, uint8_t out[16])
{
    put64(out, e->offset);
    put32(out + 8, e->block);
    put32(out + 12, e->length);
}

void zvhd2_entry_decode(const uint8_t in[16], Zvhd2Entry *e)
{
    e->offset = get64(in);
    e->block = get32(in + 8);
    e->length = get32(in + 12);
}
