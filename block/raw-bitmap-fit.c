/* SPDX-License-Identifier: MIT */
/*
 * Finding the layout of a bitmap file from examples: raw-bitmap-fit.h.
 *
 * For each of the 40 ways to write the bits (granularity, bit order, meaning
 * of a 1) and each length of a header, the bits either stand in every file
 * right behind the header or they do not.  What is behind the bits has to be
 * zero and gives the padding; what is before them is split into fields and
 * constants.  Everything found is kept, ranked, and the ranks are shown.
 */
#include "raw-bitmap-fit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOUND_MAX 512u      /* candidates kept before ranking */
#define SPLITS_MAX 1024u    /* ways to split one header into fields */
#define MATCHES_MAX 256u    /* numbers recognised in one header */
#define HEADERS_MAX 256u    /* lengths of header for one way to write bits */

typedef struct Candidate {
    RawBitmapLayout layout;
    unsigned pad_rank;      /* 0 best */
    unsigned loose;         /* non-zero header bytes that no field explains */
    unsigned unaligned;     /* sum of misalignment() of the fields */
    unsigned width;         /* of all fields together */
} Candidate;

/* One pair under the way of writing bits that is being tried */
typedef struct Body {
    uint8_t *bits;
    size_t len;
} Body;

typedef struct Search {
    const RawBitmapPair *pair;
    unsigned pair_num;
    size_t header_max;      /* longest header that all files have room for */
    size_t *used;           /* [pair_num]: from here on the file is zero */
    Body *body;             /* [pair_num] */
    Candidate *found;
    unsigned found_num;
    bool truncated;
    RawBitmapFit *fit;
} Search;

/* --- ranking --- */

/* Which is more plausible: < 0 is a; 0: nothing tells */
static int compare_rank(const Candidate *a, const Candidate *b)
{
    if (a->pad_rank != b->pad_rank) {
        return a->pad_rank < b->pad_rank ? -1 : 1;
    }
    if (a->loose != b->loose) {
        return a->loose < b->loose ? -1 : 1;
    }
    if (a->layout.field_num != b->layout.field_num) {
        return a->layout.field_num < b->layout.field_num ? -1 : 1;
    }
    if (a->unaligned != b->unaligned) {
        return a->unaligned < b->unaligned ? -1 : 1;
    }
    return a->width > b->width ? -1 : a->width < b->width;
}

/* The same, and an order for those that nothing else tells apart */
static int compare_found(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    int rank = compare_rank(x, y);

    if (rank) {
        return rank;
    }
    if (x->layout.header_len != y->layout.header_len) {
        return x->layout.header_len < y->layout.header_len ? -1 : 1;
    }
    if (x->layout.granularity != y->layout.granularity) {
        return x->layout.granularity < y->layout.granularity ? -1 : 1;
    }
    if (x->layout.msb_first != y->layout.msb_first) {
        return x->layout.msb_first ? 1 : -1;
    }
    if (x->layout.set_means_zero != y->layout.set_means_zero) {
        return x->layout.set_means_zero ? 1 : -1;
    }
    return x->layout.pad < y->layout.pad ? -1 : x->layout.pad > y->layout.pad;
}

/* When there are too many the least plausible ones are forgotten. */
static void add_candidate(Search *s, const Candidate *c)
{
    unsigned at = s->found_num;

    if (at < FOUND_MAX) {
        s->found_num++;
    } else {
        s->truncated = true;
        at = 0;
        for (unsigned i = 1; i < FOUND_MAX; i++) {
            if (compare_found(&s->found[i], &s->found[at]) > 0) {
                at = i;
            }
        }
        if (compare_found(c, &s->found[at]) >= 0) {
            return;
        }
    }
    s->found[at] = *c;
}

/* --- header --- */

typedef struct Split {
    Search *s;
    const Candidate *base;  /* all but the header's content is filled in */
    RawBitmapField match[MATCHES_MAX];
    unsigned match_num;
    unsigned chosen[RAW_BITMAP_FIELDS_MAX];
    unsigned chosen_num;
    unsigned tried;
} Split;

static bool is_number_at(const uint8_t *at, uint64_t value, unsigned width,
                         bool big_endian)
{
    if (width < 8 && value >> (8 * width)) {
        return false;
    }
    for (unsigned k = 0; k < width; k++) {
        if (at[big_endian ? width - 1 - k : k] !=
            (uint8_t)(value >> (8 * k))) {
            return false;
        }
    }
    return true;
}

static uint64_t pair_value(const RawBitmapPair *p, RawBitmapFieldKind kind,
                           uint32_t granularity)
{
    uint64_t size = raw_bitmap_raw_size(p->map);

    switch (kind) {
    case RAW_BITMAP_FIELD_SIZE:
        return size;
    case RAW_BITMAP_FIELD_BLOCK:
        return granularity;
    case RAW_BITMAP_FIELD_COUNT:
        break;
    }
    return size / granularity + (size % granularity != 0);
}

static bool field_matches(const Search *s, const RawBitmapField *f,
                          uint32_t granularity)
{
    for (unsigned i = 0; i < s->pair_num; i++) {
        if (!is_number_at(s->pair[i].mf + f->offset,
                          pair_value(&s->pair[i], f->kind, granularity),
                          f->width, f->big_endian)) {
            return false;
        }
    }
    return true;
}

/* Every number in the header that could be a field, by offset, wide first */
static void find_matches(Split *t)
{
    static const RawBitmapFieldKind kinds[] = {
        RAW_BITMAP_FIELD_SIZE, RAW_BITMAP_FIELD_BLOCK, RAW_BITMAP_FIELD_COUNT,
    };
    const RawBitmapLayout *l = &t->base->layout;

    for (unsigned at = 0; at < l->header_len; at++) {
        for (unsigned width = 8; width >= 4; width -= 4) {
            for (unsigned k = 0; k < 6 && at + width <= l->header_len; k++) {
                RawBitmapField f = {
                    .kind = kinds[k / 2], .offset = at, .width = width,
                    .big_endian = k % 2,
                };

                if (!field_matches(t->s, &f, l->granularity)) {
                    continue;
                }
                if (t->match_num == MATCHES_MAX) {
                    t->s->truncated = true;
                    return;
                }
                t->match[t->match_num++] = f;
            }
        }
    }
}

/* Formats that people design have their numbers at multiples of their size */
static unsigned misalignment(const RawBitmapField *f)
{
    if (f->offset % f->width == 0) {
        return 0;
    }
    return f->offset % 4 == 0 ? 1 : f->offset % 2 == 0 ? 2 : 3;
}

/* The chosen fields; what is left has to be the same in every file */
static void try_split(Split *t)
{
    Search *s = t->s;
    Candidate c = *t->base;
    RawBitmapLayout *l = &c.layout;
    unsigned n = 0;

    for (unsigned at = 0; at < l->header_len;) {
        const RawBitmapField *f =
            n < t->chosen_num ? &t->match[t->chosen[n]] : NULL;

        if (f && f->offset == at) {
            c.unaligned += misalignment(f);
            c.width += f->width;
            l->field[n++] = *f;
            at += f->width;
            continue;
        }
        for (unsigned i = 1; i < s->pair_num; i++) {
            if (s->pair[i].mf[at] != s->pair[0].mf[at]) {
                return;
            }
        }
        l->header[at] = s->pair[0].mf[at];
        c.loose += l->header[at] != 0;
        at++;
    }
    l->field_num = n;
    add_candidate(s, &c);
}

/* Every set of fields that do not overlap, those with many fields first */
static void choose(Split *t, unsigned from, unsigned end)
{
    if (t->tried == SPLITS_MAX) {
        t->s->truncated = true;
        return;
    }
    for (unsigned m = from; m < t->match_num; m++) {
        const RawBitmapField *f = &t->match[m];

        if (f->offset >= end && t->chosen_num < RAW_BITMAP_FIELDS_MAX) {
            t->chosen[t->chosen_num++] = m;
            choose(t, m + 1, f->offset + f->width);
            t->chosen_num--;
        }
    }
    if (t->tried < SPLITS_MAX) {
        t->tried++;
        try_split(t);
    }
}

static void split_header(Search *s, const Candidate *base)
{
    Split t = { .s = s, .base = base };

    find_matches(&t);
    choose(&t, 0, 0);
}

/* --- padding --- */

/* Would padding to multiples of @pad make all files as long as they are? */
static bool pad_fits(const Search *s, size_t header_len, size_t pad)
{
    for (unsigned i = 0; i < s->pair_num; i++) {
        size_t area = s->pair[i].mf_len - header_len;

        if (area % pad || area - s->body[i].len >= pad) {
            return false;
        }
    }
    return true;
}

static unsigned rank_pad(size_t pad)
{
    if (pad == 1 || pad == RAW_BITMAP_PAD_DEFAULT) {
        return 0;
    }
    if (pad & (pad - 1)) {
        return 3;
    }
    return pad >= 512 ? 1 : 2;
}

static void try_pad(Search *s, const RawBitmapLayout *l, size_t pad)
{
    Candidate c = { .layout = *l };

    if (pad <= RAW_BITMAP_PAD_MAX && pad_fits(s, l->header_len, pad)) {
        c.layout.pad = pad;
        c.pad_rank = rank_pad(pad);
        split_header(s, &c);
    }
}

/* Only a divisor of the first file's bitmap area can be its padding */
static void try_pads(Search *s, const RawBitmapLayout *l)
{
    size_t area = s->pair[0].mf_len - l->header_len;

    for (size_t d = 1; d <= area / d; d++) {
        if (area % d == 0) {
            try_pad(s, l, d);
            if (area / d != d) {
                try_pad(s, l, area / d);
            }
        }
    }
}

/* --- bits --- */

static void free_bodies(Search *s)
{
    for (unsigned i = 0; i < s->pair_num; i++) {
        free(s->body[i].bits);
        s->body[i].bits = NULL;
    }
}

static int make_bodies(Search *s, const RawBitmapLayout *l)
{
    for (unsigned i = 0; i < s->pair_num; i++) {
        char err[RAW_BITMAP_ERR_MAX];
        RawBitmap *b;
        int ret = raw_bitmap_convert(s->pair[i].map, l, &b, err);

        if (ret < 0) {
            return ret;
        }
        s->body[i].len = raw_bitmap_file_size(b);
        s->body[i].bits = malloc(s->body[i].len);
        if (s->body[i].bits) {
            raw_bitmap_encode(b, s->body[i].bits);
        }
        raw_bitmap_free(b);
        if (!s->body[i].bits) {
            return -ENOMEM;
        }
    }
    return 0;
}

static bool bits_follow(const Search *s, size_t header_len)
{
    for (unsigned i = 0; i < s->pair_num; i++) {
        const RawBitmapPair *p = &s->pair[i];
        const Body *b = &s->body[i];

        if (p->mf_len < header_len || p->mf_len - header_len < b->len ||
            header_len + b->len < s->used[i] ||
            memcmp(p->mf + header_len, b->bits, b->len)) {
            return false;
        }
    }
    return true;
}

/* Without a header: how far is it off?  Padded as comes closest in length. */
static void note_nearest(Search *s, const RawBitmapLayout *l)
{
    RawBitmapFit *fit = s->fit;
    uint64_t diffs = 0, offset = 0;
    unsigned which = 0;

    for (unsigned i = 0; i < s->pair_num; i++) {
        const RawBitmapPair *p = &s->pair[i];
        uint64_t area = (s->body[i].len + (uint64_t)l->pad - 1) / l->pad *
                        l->pad;

        for (uint64_t at = 0; at < p->mf_len || at < area; at++) {
            uint8_t wanted = at < s->body[i].len ? s->body[i].bits[at] : 0;

            if (at < p->mf_len && at < area && p->mf[at] == wanted) {
                continue;
            }
            if (diffs++ == 0) {
                which = i;
                offset = at;
            }
        }
    }
    if (diffs < fit->nearest_diffs) {
        fit->nearest = *l;
        fit->nearest_diffs = diffs;
        fit->nearest_pair = which;
        fit->nearest_offset = offset;
    }
}

static void try_headers(Search *s, RawBitmapLayout *l)
{
    unsigned fits = 0;

    for (uint32_t h = 0; h <= s->header_max; h++) {
        if (!bits_follow(s, h)) {
            continue;
        }
        if (fits++ == HEADERS_MAX) {
            s->truncated = true;        /* bits that are all the same */
            return;
        }
        l->header_len = h;
        try_pads(s, l);
    }
}

static void try_nearest(Search *s, RawBitmapLayout *l)
{
    note_nearest(s, l);
    l->pad = RAW_BITMAP_PAD_DEFAULT;
    note_nearest(s, l);
}

/* Calls @test for each way to write bits, with the bodies made for it */
static int each_way(Search *s, void (*test)(Search *s, RawBitmapLayout *l))
{
    int ret = 0;

    for (uint32_t g = RAW_BITMAP_GRANULARITY_MIN;
         ret == 0 && g <= RAW_BITMAP_GRANULARITY_MAX; g *= 2) {
        for (unsigned way = 0; ret == 0 && way < 4; way++) {
            RawBitmapLayout l;

            raw_bitmap_layout_init(&l);
            l.granularity = g;
            l.msb_first = way & 1;
            l.set_means_zero = way & 2;
            l.pad = 1;
            ret = make_bodies(s, &l);
            if (ret == 0) {
                test(s, &l);
            }
            free_bodies(s);
        }
    }
    return ret;
}

/* --- result --- */

static int take_result(Search *s)
{
    RawBitmapFit *fit = s->fit;
    unsigned n = s->found_num;

    fit->truncated = s->truncated || n > RAW_BITMAP_FIT_MAX;
    if (n == 0) {
        return 0;
    }
    qsort(s->found, n, sizeof(s->found[0]), compare_found);
    if (n > RAW_BITMAP_FIT_MAX) {
        n = RAW_BITMAP_FIT_MAX;
    }
    fit->layout = calloc(n, sizeof(fit->layout[0]));
    if (!fit->layout) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < n; i++) {
        fit->layout[i] = s->found[i].layout;
        if (compare_rank(&s->found[0], &s->found[i]) == 0) {
            fit->equal_num = i + 1;
        }
    }
    fit->layout_num = n;
    return 0;
}

/* --- all of it --- */

static void look_at_files(Search *s)
{
    for (unsigned i = 0; i < s->pair_num; i++) {
        const RawBitmapPair *p = &s->pair[i];

        if (p->mf_len < s->header_max) {
            s->header_max = p->mf_len;
        }
        s->used[i] = p->mf_len;
        while (s->used[i] > 0 && !p->mf[s->used[i] - 1]) {
            s->used[i]--;
        }
    }
}

int raw_bitmap_fit(const RawBitmapPair *pair, unsigned pair_num,
                   RawBitmapFit *fit)
{
    Search s = { .pair = pair, .pair_num = pair_num, .fit = fit,
                 .header_max = RAW_BITMAP_HEADER_MAX };
    int ret = -ENOMEM;

    memset(fit, 0, sizeof(*fit));
    fit->sample = -1;
    fit->nearest_diffs = UINT64_MAX;
    s.used = calloc(pair_num, sizeof(s.used[0]));
    s.body = calloc(pair_num, sizeof(s.body[0]));
    s.found = calloc(FOUND_MAX, sizeof(s.found[0]));
    if (s.used && s.body && s.found) {
        look_at_files(&s);
        ret = each_way(&s, try_headers);
        if (ret == 0 && s.found_num == 0) {
            ret = each_way(&s, try_nearest);
        }
    }
    if (ret == 0) {
        ret = take_result(&s);
    }
    if (ret == 0) {
        ret = raw_bitmap_fit_weigh(fit);
    }
    free(s.used);
    free(s.body);
    free(s.found);
    if (ret < 0) {
        raw_bitmap_fit_clear(fit);
    }
    return ret;
}

void raw_bitmap_fit_clear(RawBitmapFit *fit)
{
    free(fit->layout);
    memset(fit, 0, sizeof(*fit));
}
