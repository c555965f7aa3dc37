/* SPDX-License-Identifier: MIT */
/*
 * Broken rules in words: the names of the rules and one-line messages
 *
 * Apart from zvhd2-format.c so that what is checked and how it is told can be
 * read on their own.  The numbers printed are those of zvhd2.rst.
 */
#include <inttypes.h>
#include <stdio.h>

#include "zvhd2-format.h"

const char *zvhd2_rule_name(Zvhd2Rule rule)
{
    static const char *const names[ZVHD2_RULES] = {
        [ZVHD2_OK] = "no rule",
        [ZVHD2_R1_COOKIE] = "cookie",
        [ZVHD2_R2_CHECKSUM] = "checksum",
        [ZVHD2_R3_VERSION] = "version",
        [ZVHD2_R4_BLOCK_SIZE] = "block size",
        [ZVHD2_R5_DISK_SIZE] = "disk size",
        [ZVHD2_R6_BLOCK_COUNT] = "block count",
        [ZVHD2_R7_METHOD] = "method",
        [ZVHD2_R8_SEGMENTS] = "segments",
        [ZVHD2_R9_PLACES] = "places",
        [ZVHD2_R10_RECORD_COUNT] = "record count",
        [ZVHD2_R11_HEADER] = "header",
        [ZVHD2_R12_BITMAP_TAIL] = "bitmap tail",
        [ZVHD2_R13_BITMAP_COUNT] = "bitmap count",
        [ZVHD2_R14_ENTRY_BLOCK] = "entry block",
        [ZVHD2_R15_ENTRY_OFFSET] = "entry offset",
        [ZVHD2_R16_ENTRY_LENGTH] = "entry length",
        [ZVHD2_R17_OVERLAP] = "overlap",
        [ZVHD2_R18_GAP] = "gap",
        [ZVHD2_R19_UNUSED_ENTRY] = "unused entry",
        [ZVHD2_R20_PREFIX] = "record prefix",
        [ZVHD2_R21_RECORD_BLOCK] = "record block",
        [ZVHD2_R22_PAYLOAD_SIZE] = "payload size",
        [ZVHD2_R23_END_MARK] = "end mark",
        [ZVHD2_R24_EXPAND] = "expand",
        [ZVHD2_R25_END_OF_STREAM] = "end of stream",
    };

    return (unsigned)rule < ZVHD2_RULES ? names[rule] : "unknown rule";
}

/* What is wrong, with the two values where they help. */
static void finding_what(const Zvhd2Finding *f, char *buf, size_t size)
{
    const uint64_t found = f->found;
    const uint64_t want = f->want;

    switch (f->rule) {
    case ZVHD2_R1_COOKIE:
        snprintf(buf, size, "no ZVHD2 descriptor");
        break;
    case ZVHD2_R2_CHECKSUM:
        snprintf(buf, size, "descriptor checksum is 0x%08" PRIx64
                 " but its bytes give 0x%08" PRIx64, found, want);
        break;
    case ZVHD2_R3_VERSION:
        snprintf(buf, size, "unsupported version or type 0x%" PRIx64
                 ", expected 0x%" PRIx64, found, want);
        break;
    case ZVHD2_R4_BLOCK_SIZE:
        snprintf(buf, size, "block size %" PRIu64
                 " is no power of two from 1 MiB to 32 MiB", found);
        break;
    case ZVHD2_R5_DISK_SIZE:
        snprintf(buf, size, "impossible disk size: original %" PRIu64
                 ", current %" PRIu64, found, want);
        break;
    case ZVHD2_R6_BLOCK_COUNT:
        snprintf(buf, size, "block count is %" PRIu64
                 " but the disk size gives %" PRIu64, found, want);
        break;
    case ZVHD2_R7_METHOD:
        snprintf(buf, size, "unknown compression method or index kind %"
                 PRIu64, found);
        break;
    case ZVHD2_R8_SEGMENTS:
        snprintf(buf, size, "size or number of segments is %" PRIu64
                 ", expected %" PRIu64, found, want);
        break;
    case ZVHD2_R9_PLACES:
        snprintf(buf, size, "index, bitmap and footer do not fit the file:"
                 " %" PRIu64 ", expected %" PRIu64, found, want);
        break;
    case ZVHD2_R10_RECORD_COUNT:
        snprintf(buf, size, "%" PRIu64 " records claimed, at most %" PRIu64
                 " are possible", found, want);
        break;
    case ZVHD2_R11_HEADER:
        snprintf(buf, size, "header and footer disagree (%" PRIu64 ", %"
                 PRIu64 ")", found, want);
        break;
    case ZVHD2_R12_BITMAP_TAIL:
        snprintf(buf, size, "bitmap has a bit past the last block");
        break;
    case ZVHD2_R13_BITMAP_COUNT:
        snprintf(buf, size, "bitmap has %" PRIu64
                 " blocks but the footer counts %" PRIu64, found, want);
        break;
    case ZVHD2_R14_ENTRY_BLOCK:
        snprintf(buf, size, "index entry names block %" PRIu64
                 ", expected %" PRIu64, found, want);
        break;
    case ZVHD2_R15_ENTRY_OFFSET:
        snprintf(buf, size, "index entry points to %" PRIu64
                 ", unaligned or outside the records, which end at %" PRIu64,
                 found, want);
        break;
    case ZVHD2_R16_ENTRY_LENGTH:
        snprintf(buf, size, "index entry has length %" PRIu64
                 ", unaligned or over %" PRIu64, found, want);
        break;
    case ZVHD2_R17_OVERLAP:
        snprintf(buf, size, "record at %" PRIu64
                 " overlaps another that ends at %" PRIu64, found, want);
        break;
    case ZVHD2_R18_GAP:
        snprintf(buf, size, "records do not follow each other: %" PRIu64
                 ", expected %" PRIu64, found, want);
        break;
    case ZVHD2_R19_UNUSED_ENTRY:
        snprintf(buf, size, "unused index entry is not zero");
        break;
    case ZVHD2_R20_PREFIX:
        snprintf(buf, size, "bad record prefix");
        break;
    case ZVHD2_R21_RECORD_BLOCK:
        snprintf(buf, size, "record names block %" PRIu64 ", expected %s%"
                 PRIu64, found, f->block == ZVHD2_NO_BLOCK ? "less than " : "",
                 want);
        break;
    case ZVHD2_R22_PAYLOAD_SIZE:
        snprintf(buf, size, "payload of %" PRIu64
                 " bytes does not fit its record of %" PRIu64, found, want);
        break;
    case ZVHD2_R23_END_MARK:
        snprintf(buf, size, "no end mark in the record's last bytes");
        break;
    case ZVHD2_R24_EXPAND:
        snprintf(buf, size, "payload does not expand to exactly one block");
        break;
    case ZVHD2_R25_END_OF_STREAM:
        if (found == want) {
            snprintf(buf, size, "no end marker of this image after the last"
                     " record");
        } else {
            snprintf(buf, size, "end marker does not fit this image: %" PRIu64
                     ", expected %" PRIu64, found, want);
        }
        break;
    default:
        snprintf(buf, size, "%s", zvhd2_rule_name(f->rule));
        break;
    }
}

const char *zvhd2_finding_text(const Zvhd2Finding *f, char *buf, size_t size)
{
    char what[160];
    char block[24] = "";

    if (size == 0) {
        return buf;
    }
    finding_what(f, what, sizeof(what));
    if (f->block != ZVHD2_NO_BLOCK) {
        snprintf(block, sizeof(block), ", block %" PRIu32, f->block);
    }
    snprintf(buf, size, "%s at offset %" PRIu64 "%s (rule %d)", what,
             f->offset, block, (int)f->rule);
    return buf;
}
