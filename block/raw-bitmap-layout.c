/* SPDX-License-Identifier: MIT */
/* The layout parameters of a RAW bitmap as text, and back: raw-bitmap.h. */
#include "raw-bitmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const field_name[] = {
    [RAW_BITMAP_FIELD_SIZE] = "size",
    [RAW_BITMAP_FIELD_BLOCK] = "block",
    [RAW_BITMAP_FIELD_COUNT] = "count",
};
#define FIELD_KINDS (sizeof(field_name) / sizeof(field_name[0]))

void raw_bitmap_layout_init(RawBitmapLayout *l)
{
    memset(l, 0, sizeof(*l));
    l->granularity = RAW_BITMAP_GRANULARITY_DEFAULT;
    l->pad = RAW_BITMAP_PAD_DEFAULT;
}

bool raw_bitmap_layout_equal(const RawBitmapLayout *a,
                             const RawBitmapLayout *b)
{
    if (a->granularity != b->granularity || a->msb_first != b->msb_first ||
        a->set_means_zero != b->set_means_zero || a->pad != b->pad ||
        a->header_len != b->header_len || a->field_num != b->field_num ||
        memcmp(a->header, b->header, a->header_len)) {
        return false;
    }
    for (unsigned i = 0; i < a->field_num; i++) {
        const RawBitmapField *f = &a->field[i], *g = &b->field[i];

        if (f->kind != g->kind || f->offset != g->offset ||
            f->width != g->width || f->big_endian != g->big_endian) {
            return false;
        }
    }
    return true;
}

/* --- from text --- */

/* At least the start of a hostile value goes into the message, printable */
static void quote(const char *s, size_t len, char out[48])
{
    size_t n = 0;

    while (n < len && n < 40) {
        out[n] = s[n] >= ' ' && s[n] <= '~' ? s[n] : '?';
        n++;
    }
    memcpy(out + n, n < len ? "..." : "", n < len ? 4 : 1);
}

static int bad_value(const char *key, const char *value, const char *want,
                     char *err)
{
    char shown[48];

    quote(value, strlen(value), shown);
    snprintf(err, RAW_BITMAP_ERR_MAX, "%s: '%s' is not %s", key, shown, want);
    return -EINVAL;
}

/* Decimal with optional K or M; false on anything else or above UINT32_MAX */
static bool parse_bytes(const char *s, uint32_t *out)
{
    uint64_t n = 0;

    if (*s < '0' || *s > '9') {
        return false;
    }
    for (; *s >= '0' && *s <= '9'; s++) {
        n = n * 10 + (*s - '0');
        if (n > UINT32_MAX) {
            return false;
        }
    }
    if (*s == 'K' || *s == 'k') {
        n <<= 10;
        s++;
    } else if (*s == 'M' || *s == 'm') {
        n <<= 20;
        s++;
    }
    if (*s || n > UINT32_MAX) {
        return false;
    }
    *out = n;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends hex bytes s[0..len) to @l; NULL if fine, else what is wrong */
static const char *add_hex(RawBitmapLayout *l, const char *s, size_t len)
{
    if (len == 0 || len % 2) {
        return "pairs of hex digits";
    }
    if (len / 2 > RAW_BITMAP_HEADER_MAX - l->header_len) {
        return "shorter than 4096 bytes";
    }
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_digit(s[i]), low = hex_digit(s[i + 1]);

        if (high < 0 || low < 0) {
            return "hex bytes or a field such as size:be64";
        }
        l->header[l->header_len++] = high << 4 | low;
    }
    return NULL;
}

/* Is s[0..len) a field?  If so, fills @f but its offset. */
static bool parse_field(const char *s, size_t len, RawBitmapField *f)
{
    for (unsigned kind = 0; kind < FIELD_KINDS; kind++) {
        size_t n = strlen(field_name[kind]);

        if (len != n + 5 || memcmp(s, field_name[kind], n) || s[n] != ':') {
            continue;
        }
        s += n + 1;
        f->kind = kind;
        f->big_endian = s[0] == 'b';
        f->width = s[2] == '3' ? 4 : 8;
        return (!memcmp(s, "le", 2) || !memcmp(s, "be", 2)) &&
               (!memcmp(s + 2, "32", 2) || !memcmp(s + 2, "64", 2));
    }
    return false;
}

static const char *add_field(RawBitmapLayout *l, RawBitmapField f)
{
    if (l->field_num == RAW_BITMAP_FIELDS_MAX) {
        return "of at most 16 fields";
    }
    if (f.width > RAW_BITMAP_HEADER_MAX - l->header_len) {
        return "shorter than 4096 bytes";
    }
    f.offset = l->header_len;
    l->field[l->field_num++] = f;
    memset(l->header + l->header_len, 0, f.width);
    l->header_len += f.width;
    return NULL;
}

static int set_header(RawBitmapLayout *l, const char *value, char *err)
{
    RawBitmapLayout new = *l;

    new.header_len = 0;
    new.field_num = 0;
    memset(new.header, 0, sizeof(new.header));
    if (strcmp(value, "none")) {
        const char *s = value;

        for (;;) {
            size_t len = strcspn(s, ".");
            RawBitmapField f;
            const char *want;

            if (parse_field(s, len, &f)) {
                want = add_field(&new, f);
            } else {
                want = add_hex(&new, s, len);
            }
            if (want) {
                char part[48];

                quote(s, len, part);
                snprintf(err, RAW_BITMAP_ERR_MAX,
                         "header: at '%s': the header has to be %s", part,
                         want);
                return -EINVAL;
            }
            if (!s[len]) {
                break;
            }
            s += len + 1;
        }
    }
    *l = new;
    return 0;
}

static int set_granularity(RawBitmapLayout *l, const char *value, char *err)
{
    uint32_t n;

    if (!parse_bytes(value, &n) || n < RAW_BITMAP_GRANULARITY_MIN ||
        n > RAW_BITMAP_GRANULARITY_MAX || (n & (n - 1))) {
        return bad_value("granularity", value,
                         "a power of two from 64K to 32M", err);
    }
    l->granularity = n;
    return 0;
}

static int set_pad(RawBitmapLayout *l, const char *value, char *err)
{
    uint32_t n = 1;

    if (strcmp(value, "none") &&
        (!parse_bytes(value, &n) || n < 1 || n > RAW_BITMAP_PAD_MAX)) {
        return bad_value("pad", value, "none or 1 to 16M bytes", err);
    }
    l->pad = n;
    return 0;
}

static int set_choice(bool *out, const char *key, const char *value,
                      const char *no, const char *yes, char *err)
{
    char want[32];

    if (strcmp(value, no) && strcmp(value, yes)) {
        snprintf(want, sizeof(want), "%s or %s", no, yes);
        return bad_value(key, value, want, err);
    }
    *out = !strcmp(value, yes);
    return 0;
}

int raw_bitmap_layout_set(RawBitmapLayout *l, const char *key,
                          const char *value, char *err)
{
    char shown[48];

    if (!strcmp(key, "granularity")) {
        return set_granularity(l, value, err);
    }
    if (!strcmp(key, "bit-order")) {
        return set_choice(&l->msb_first, key, value, "lsb", "msb", err);
    }
    if (!strcmp(key, "set")) {
        return set_choice(&l->set_means_zero, key, value, "data", "zero",
                          err);
    }
    if (!strcmp(key, "pad")) {
        return set_pad(l, value, err);
    }
    if (!strcmp(key, "header")) {
        return set_header(l, value, err);
    }
    quote(key, strlen(key), shown);
    snprintf(err, RAW_BITMAP_ERR_MAX,
             "'%s' is no layout parameter (there are granularity, bit-order, "
             "set, pad, header)", shown);
    return -ENOENT;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

int raw_bitmap_layout_parse(RawBitmapLayout *l, const char *text, size_t len,
                            char *err)
{
    RawBitmapLayout new;
    unsigned line = 0;

    raw_bitmap_layout_init(&new);
    for (size_t at = 0; at < len;) {
        const char *s = text + at;
        const char *nl = memchr(s, '\n', len - at);
        size_t n = nl ? (size_t)(nl - s) : len - at;
        char copy[RAW_BITMAP_TEXT_MAX], why[RAW_BITMAP_ERR_MAX];
        char *value;

        line++;
        at += n + 1;
        while (n > 0 && is_space(s[n - 1])) {
            n--;
        }
        while (n > 0 && is_space(*s)) {
            s++;
            n--;
        }
        if (n == 0 || *s == '#') {
            continue;
        }
        if (n >= sizeof(copy) || memchr(s, 0, n) || !memchr(s, '=', n)) {
            snprintf(err, RAW_BITMAP_ERR_MAX,
                     "line %u is not key=value", line);
            return -EINVAL;
        }
        memcpy(copy, s, n);
        copy[n] = 0;
        value = strchr(copy, '=');
        *value++ = 0;
        if (raw_bitmap_layout_set(&new, copy, value, why) < 0) {
            snprintf(err, RAW_BITMAP_ERR_MAX, "line %u: %.200s", line, why);
            return -EINVAL;
        }
    }
    *l = new;
    return 0;
}

/* --- to text --- */

static char *append(char *at, const char *s)
{
    size_t n = strlen(s);

    memcpy(at, s, n + 1);
    return at + n;
}

static char *header_text(const RawBitmapLayout *l, char *at)
{
    const RawBitmapField *f = l->field, *end = l->field + l->field_num;
    bool in_hex = false;

    if (!l->header_len) {
        return append(at, "none");
    }
    for (uint32_t i = 0; i < l->header_len;) {
        bool is_field = f < end && f->offset == i;

        if (i && !(in_hex && !is_field)) {
            *at++ = '.';
        }
        if (is_field) {
            at += sprintf(at, "%s:%s%u", field_name[f->kind],
                          f->big_endian ? "be" : "le", 8u * f->width);
            i += f->width;
            f++;
        } else {
            at += sprintf(at, "%02x", l->header[i++]);
        }
        in_hex = !is_field;
    }
    *at = 0;
    return at;
}

char *raw_bitmap_layout_text(const RawBitmapLayout *l, char sep, char *buf)
{
    char *at = buf;

    at += sprintf(at, "granularity=%" PRIu32 "%cbit-order=%s%cset=%s%c",
                  l->granularity, sep, l->msb_first ? "msb" : "lsb", sep,
                  l->set_means_zero ? "zero" : "data", sep);
    if (l->pad == 1) {
        at += sprintf(at, "pad=none%cheader=", sep);
    } else {
        at += sprintf(at, "pad=%" PRIu32 "%cheader=", l->pad, sep);
    }
    at = header_text(l, at);
    if (sep == '\n') {
        append(at, "\n");
    }
    return buf;
}
