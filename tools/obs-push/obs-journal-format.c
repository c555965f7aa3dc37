/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of an upload as text.
 *
 * The lines stand in a fixed order, so the reader is one function per line
 * and nothing can be missing, doubled or unknown:
 *
 *     obs-push-journal 1
 *     path /data/image%20one.raw
 *     size 107374182400
 *     mtime 1767323045 123456789
 *     inode 1234 66306
 *     endpoint https://obs.eu-de.otc.t-systems.com
 *     bucket images
 *     key dir/image.raw
 *     created 2026-01-02T03:04:05Z
 *     options 9f86d081
 *     upload 00000163D40171ED8DF4050919BD02B8     or "-"
 *     zeros 16777216 1073741824                   seed and size, or "0 0"
 *     zero-object KEY ETAG UPLOAD-ID              each may be "-"
 *     parts 16777216 2                            part size and count
 *     S 16777216 MD5 ETAG                         sent; done
 *     Z 1073741824 - -                            zeros; not done
 *     end SHA-256 of all bytes above
 *
 * Text is percent-encoded, so a "-" alone can stand for "none" (a text that
 * is just "-" is written as %2D).
 */
#include "obs-journal-format.h"

#include <string.h>

#include "obs-url.h"

#define HEAD "obs-push-journal"
#define NONE "-"
#define SHA256_HEX 64
#define FIELDS_MAX 4

ObsJournal *obs_journal_new(ObsPlan *plan)
{
    ObsJournal *journal = g_new0(ObsJournal, 1);

    journal->plan = plan;
    journal->states = g_new0(ObsPartState, plan->parts->len);
    return journal;
}

void obs_journal_free(ObsJournal *journal)
{
    if (!journal) {
        return;
    }
    for (guint i = 0; journal->states && i < journal->plan->parts->len; i++) {
        g_free(journal->states[i].etag);
    }
    g_free(journal->states);
    obs_plan_free(journal->plan);
    g_free(journal->source.path);
    g_free(journal->endpoint);
    g_free(journal->bucket);
    g_free(journal->key);
    g_free(journal->upload_id);
    g_free(journal->created);
    g_free(journal->options);
    g_free(journal->zero_key);
    g_free(journal->zero_etag);
    g_free(journal->zero_upload_id);
    g_free(journal);
}

void obs_journal_set_part(ObsJournal *journal, guint index, const ObsMd5 *md5,
                          const gchar *etag)
{
    ObsPartState *state = &journal->states[index];

    g_free(state->etag);
    state->etag = g_strdup(etag);
    state->done = etag != NULL;
    state->has_md5 = md5 != NULL;
    if (md5) {
        state->md5 = *md5;
    }
}

/* ------------------------------------------------------------------------ */
/* Writing */

/* " encoded" or " -" for NULL. */
static void add_text(GString *out, const gchar *text)
{
    g_autofree gchar *encoded = NULL;

    if (!text) {
        g_string_append(out, " " NONE);
        return;
    }
    encoded = obs_url_encode(text, TRUE);
    g_string_append_printf(out, " %s", g_str_equal(encoded, NONE) ? "%2D"
                                                                  : encoded);
}

static void add_line(GString *out, const gchar *name, const gchar *text)
{
    g_string_append(out, name);
    add_text(out, text);
    g_string_append_c(out, '\n');
}

static void add_part(GString *out, const ObsPart *part,
                     const ObsPartState *state)
{
    gchar hex[OBS_MD5_HEX_SIZE] = NONE;

    if (state->done && state->has_md5) {
        obs_md5_to_hex(&state->md5, hex);
    }
    g_string_append_printf(out, "%c %" G_GUINT64_FORMAT " %s",
                           part->kind == OBS_PART_SEND ? 'S' : 'Z',
                           part->length, hex);
    add_text(out, state->done ? state->etag : NULL);
    g_string_append_c(out, '\n');
}

GString *obs_journal_format(const ObsJournal *journal)
{
    const ObsSourceIdentity *source = &journal->source;
    const ObsPlan *plan = journal->plan;
    GString *out = g_string_sized_new(1024 + (gsize)plan->parts->len * 96);
    g_autofree gchar *sum = NULL;

    g_string_append_printf(out, HEAD " %d\n", OBS_JOURNAL_VERSION);
    add_line(out, "path", source->path);
    g_string_append_printf(out, "size %" G_GUINT64_FORMAT "\n", source->size);
    g_string_append_printf(out, "mtime %" G_GINT64_FORMAT " %u\n",
                           source->mtime_sec, source->mtime_nsec);
    g_string_append_printf(out, "inode %" G_GUINT64_FORMAT " %"
                           G_GUINT64_FORMAT "\n", source->inode,
                           source->device);
    add_line(out, "endpoint", journal->endpoint);
    add_line(out, "bucket", journal->bucket);
    add_line(out, "key", journal->key);
    add_line(out, "created", journal->created);
    add_line(out, "options", journal->options);
    add_line(out, "upload", journal->upload_id);
    g_string_append_printf(out, "zeros %" G_GUINT64_FORMAT " %"
                           G_GUINT64_FORMAT "\n", plan->zero_seed,
                           plan->zero_size);
    g_string_append(out, "zero-object");
    add_text(out, journal->zero_key);
    add_text(out, journal->zero_etag);
    add_text(out, journal->zero_upload_id);
    g_string_append_printf(out, "\nparts %" G_GUINT64_FORMAT " %u\n",
                           plan->part_size, plan->parts->len);
    for (guint i = 0; i < plan->parts->len; i++) {
        add_part(out, &g_array_index(plan->parts, ObsPart, i),
                 &journal->states[i]);
    }
    sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                      (const guchar *)out->str, out->len);
    g_string_append_printf(out, "end %s\n", sum);
    return out;
}

/* ------------------------------------------------------------------------ */
/* Reading */

typedef struct {
    gchar **lines;
    guint next;             /* index of the next line */
} Reader;

static gboolean bad_line(const Reader *reader, const gchar *reason,
                         GError **error)
{
    g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED, "line %u: %s",
                reader->next, reason);
    return FALSE;
}

/* Split the next line, which must have this name and number of fields. */
static gchar **next_line(Reader *reader, const gchar *name, guint n_fields,
                         GError **error)
{
    const gchar *line = reader->lines[reader->next];
    g_auto(GStrv) fields = NULL;

    reader->next += line != NULL;
    fields = g_strsplit(line ? line : "", " ", FIELDS_MAX + 1);
    if (g_strv_length(fields) != n_fields + 1 ||
        (name && !g_str_equal(fields[0], name))) {
        g_autofree gchar *reason = g_strdup_printf("\"%s\" with %u values "
                                                   "was expected",
                                                   name ? name : "S or Z",
                                                   n_fields);

        bad_line(reader, reason, error);
        return NULL;
    }
    return g_steal_pointer(&fields);
}

/* Decode a field that is not optional. NULL after an error. */
static gchar *decode(const Reader *reader, const gchar *field, GError **error)
{
    g_autofree gchar *text = g_uri_unescape_string(field, NULL);

    if (!text || !*text) {
        bad_line(reader, "text that can't be decoded", error);
        return NULL;
    }
    return g_steal_pointer(&text);
}

/* The same, but "-" gives NULL. */
static gboolean decode_optional(const Reader *reader, const gchar *field,
                                gchar **out_text, GError **error)
{
    if (g_str_equal(field, NONE)) {
        *out_text = NULL;
        return TRUE;
    }
    *out_text = decode(reader, field, error);
    return *out_text != NULL;
}

static gboolean parse_u64(const Reader *reader, const gchar *field,
                          guint64 max, guint64 *out_value, GError **error)
{
    if (!g_ascii_string_to_unsigned(field, 10, 0, max, out_value, NULL)) {
        return bad_line(reader, "not a number, or too large", error);
    }
    return TRUE;
}

static gboolean read_text(Reader *reader, const gchar *name, gchar **out_text,
                          GError **error)
{
    g_auto(GStrv) fields = next_line(reader, name, 1, error);

    return fields && decode_optional(reader, fields[1], out_text, error);
}

static gboolean read_numbers(Reader *reader, const gchar *name, guint n,
                             guint64 out_values[], GError **error)
{
    g_auto(GStrv) fields = next_line(reader, name, n, error);

    if (!fields) {
        return FALSE;
    }
    for (guint i = 0; i < n; i++) {
        if (!parse_u64(reader, fields[i + 1], G_MAXUINT64, &out_values[i],
                       error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean read_mtime(Reader *reader, ObsSourceIdentity *source,
                           GError **error)
{
    g_auto(GStrv) fields = next_line(reader, "mtime", 2, error);
    guint64 nsec;

    if (!fields) {
        return FALSE;
    }
    if (!g_ascii_string_to_signed(fields[1], 10, G_MININT64, G_MAXINT64,
                                  &source->mtime_sec, NULL)) {
        return bad_line(reader, "not a number", error);
    }
    if (!parse_u64(reader, fields[2], 999999999, &nsec, error)) {
        return FALSE;
    }
    source->mtime_nsec = (guint32)nsec;
    return TRUE;
}

static gboolean read_source(Reader *reader, ObsSourceIdentity *source,
                            GError **error)
{
    guint64 numbers[2];

    if (!read_text(reader, "path", &source->path, error) ||
        !read_numbers(reader, "size", 1, &source->size, error) ||
        !read_mtime(reader, source, error) ||
        !read_numbers(reader, "inode", 2, numbers, error)) {
        return FALSE;
    }
    source->inode = numbers[0];
    source->device = numbers[1];
    return source->path ? TRUE : bad_line(reader, "no path", error);
}

/* Upload ids and ETags go into requests: one plain word. */
static gboolean check_word(const Reader *reader, const gchar *text,
                           GError **error)
{
    if (text && strlen(text) > 1024) {
        return bad_line(reader, "a word that is too long", error);
    }
    for (; text && *text; text++) {
        if (!g_ascii_isgraph(*text)) {
            return bad_line(reader, "a word with odd characters", error);
        }
    }
    return TRUE;
}

static gboolean check_target(const Reader *reader, const ObsJournal *journal,
                             GError **error)
{
    g_autoptr(ObsEndpoint) endpoint = NULL;
    g_autofree gchar *text = NULL;

    if (!journal->endpoint || !journal->bucket || !journal->key) {
        return bad_line(reader, "no endpoint, bucket or key", error);
    }
    if (!g_utf8_validate(journal->endpoint, -1, NULL) ||
        !(endpoint = obs_url_parse_endpoint(journal->endpoint, "endpoint",
                                            NULL)) ||
        !obs_url_check_bucket(journal->bucket, NULL) ||
        !obs_url_check_key(journal->key, FALSE, NULL) ||
        (journal->zero_key &&
         !obs_url_check_key(journal->zero_key, FALSE, NULL))) {
        return bad_line(reader, "an impossible endpoint, bucket or key",
                        error);
    }
    text = obs_url_endpoint_text(endpoint);
    if (!g_str_equal(text, journal->endpoint)) {
        return bad_line(reader, "an impossible endpoint", error);
    }
    return check_word(reader, journal->upload_id, error) &&
           check_word(reader, journal->created, error) &&
           check_word(reader, journal->options, error) &&
           check_word(reader, journal->zero_etag, error) &&
           check_word(reader, journal->zero_upload_id, error);
}

static gboolean read_target(Reader *reader, ObsJournal *journal,
                            GError **error)
{
    return read_text(reader, "endpoint", &journal->endpoint, error) &&
           read_text(reader, "bucket", &journal->bucket, error) &&
           read_text(reader, "key", &journal->key, error) &&
           read_text(reader, "created", &journal->created, error) &&
           read_text(reader, "options", &journal->options, error) &&
           read_text(reader, "upload", &journal->upload_id, error);
}

static gboolean read_zero_object(Reader *reader, ObsJournal *journal,
                                 GError **error)
{
    g_auto(GStrv) fields = next_line(reader, "zero-object", 3, error);

    return fields &&
           decode_optional(reader, fields[1], &journal->zero_key, error) &&
           decode_optional(reader, fields[2], &journal->zero_etag, error) &&
           decode_optional(reader, fields[3], &journal->zero_upload_id,
                           error);
}

static gboolean read_part(Reader *reader, guint64 offset, GArray *parts,
                          ObsPartState *state, GError **error)
{
    g_auto(GStrv) fields = next_line(reader, NULL, 3, error);
    ObsPart part = { .offset = offset };

    if (!fields) {
        return FALSE;
    }
    if (g_str_equal(fields[0], "S")) {
        part.kind = OBS_PART_SEND;
    } else if (g_str_equal(fields[0], "Z")) {
        part.kind = OBS_PART_ZERO;
    } else {
        return bad_line(reader, "a part of no known kind", error);
    }
    if (!parse_u64(reader, fields[1], OBS_PART_MAX, &part.length, error) ||
        !decode_optional(reader, fields[3], &state->etag, error) ||
        !check_word(reader, state->etag, error)) {
        return FALSE;
    }
    state->done = state->etag != NULL;
    state->has_md5 = !g_str_equal(fields[2], NONE);
    if (state->has_md5 &&
        (!state->done || !obs_md5_from_hex(fields[2], &state->md5))) {
        return bad_line(reader, "a checksum that can't be", error);
    }
    g_array_append_val(parts, part);
    return TRUE;
}

/* The plan and the states of its parts. */
static gboolean read_parts(Reader *reader, ObsJournal *journal,
                           const guint64 zeros[2], GError **error)
{
    g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(ObsPart));
    g_autoptr(GPtrArray) etags = g_ptr_array_new_with_free_func(g_free);
    g_autofree ObsPartState *states = NULL;
    guint64 numbers[2], offset = 0;

    if (!read_numbers(reader, "parts", 2, numbers, error)) {
        return FALSE;
    }
    if (numbers[1] < 1 || numbers[1] > OBS_PARTS_MAX) {
        return bad_line(reader, "an impossible number of parts", error);
    }
    states = g_new0(ObsPartState, numbers[1]);
    for (guint i = 0; i < numbers[1]; i++) {
        gboolean ok = read_part(reader, offset, parts, &states[i], error);

        g_ptr_array_add(etags, states[i].etag);
        if (!ok) {
            return FALSE;
        }
        /* At most 10000 times 5 GiB: no overflow. */
        offset += g_array_index(parts, ObsPart, i).length;
    }
    journal->plan = obs_plan_from_parts(journal->source.size, numbers[0],
                                        g_steal_pointer(&parts), zeros[0],
                                        zeros[1], error);
    if (!journal->plan) {
        return FALSE;
    }
    g_ptr_array_set_free_func(etags, NULL);
    journal->states = g_steal_pointer(&states);
    return TRUE;
}

/* Cut off and verify the last line. NULL after an error. */
static gchar *check_sum(const gchar *text, gsize length, GError **error)
{
    const gsize tail = strlen("end ") + SHA256_HEX + 1;
    g_autofree gchar *end = NULL;
    g_autofree gchar *sum = NULL;
    g_autofree gchar *expected = NULL;

    if (length > OBS_JOURNAL_MAX_SIZE) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_FAILED,
                            "larger than any journal can be");
        return NULL;
    }
    if (length < sizeof(HEAD) || memcmp(text, HEAD " ", sizeof(HEAD))) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_FAILED,
                            "not a journal of obs-push");
        return NULL;
    }
    if (length < tail || memchr(text, '\0', length)) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_FAILED,
                            "cut off or damaged");
        return NULL;
    }
    sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                      (const guchar *)text, length - tail);
    expected = g_strdup_printf("end %s\n", sum);
    end = g_strndup(text + length - tail, tail);
    if (!g_str_equal(end, expected)) {
        g_set_error_literal(error, OBS_ERROR, OBS_ERROR_FAILED,
                            "cut off or damaged (the checksum is wrong)");
        return NULL;
    }
    return g_strndup(text, length - tail);
}

ObsJournal *obs_journal_parse(const gchar *text, gsize length, GError **error)
{
    g_autofree gchar *body = check_sum(text, length, error);
    g_auto(GStrv) lines = NULL;
    g_autoptr(ObsJournal) journal = NULL;
    guint64 version, zeros[2];
    Reader reader = { NULL };

    if (!body) {
        return NULL;
    }
    lines = g_strsplit(body, "\n", -1);
    reader.lines = lines;
    journal = g_new0(ObsJournal, 1);
    if (!read_numbers(&reader, HEAD, 1, &version, error)) {
        return NULL;
    }
    if (version != OBS_JOURNAL_VERSION) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_FAILED,
                    "journal version %" G_GUINT64_FORMAT "; this obs-push "
                    "knows %d", version, OBS_JOURNAL_VERSION);
        return NULL;
    }
    if (!read_source(&reader, &journal->source, error) ||
        !read_target(&reader, journal, error) ||
        !read_numbers(&reader, "zeros", 2, zeros, error) ||
        !read_zero_object(&reader, journal, error) ||
        !check_target(&reader, journal, error) ||
        !read_parts(&reader, journal, zeros, error)) {
        return NULL;
    }
    /* The text ends with a line break, so one empty string is left. */
    if (!lines[reader.next] || *lines[reader.next] ||
        lines[reader.next + 1]) {
        reader.next++;
        bad_line(&reader, "more lines than expected", error);
        return NULL;
    }
    return g_steal_pointer(&journal);
}

/* ------------------------------------------------------------------------ */

gchar *obs_journal_source_changed(const ObsSourceIdentity *then,
                                  const ObsSourceIdentity *now)
{
    GString *out = g_string_new(NULL);

    if (then->size != now->size) {
        g_string_append_printf(out, "size %" G_GUINT64_FORMAT " → %"
                               G_GUINT64_FORMAT, then->size, now->size);
    }
    if (then->mtime_sec != now->mtime_sec ||
        then->mtime_nsec != now->mtime_nsec) {
        g_string_append_printf(out, "%smodified since",
                               out->len ? ", " : "");
    }
    /* The device's number may change with a reboot, so it does not count. */
    if (then->inode != now->inode) {
        g_string_append_printf(out, "%sanother file (inode %" G_GUINT64_FORMAT
                               " → %" G_GUINT64_FORMAT ")",
                               out->len ? ", " : "", then->inode, now->inode);
    }
    return g_string_free(out, out->len == 0);
}

gchar *obs_journal_file_name(const gchar *path, const gchar *endpoint,
                             const gchar *bucket, const gchar *key)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    const gchar *parts[] = { path, endpoint, bucket, key };

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        /* With its NUL, so that "ab","c" is not "a","bc". */
        g_checksum_update(sum, (const guchar *)parts[i],
                          (gssize)strlen(parts[i]) + 1);
    }
    return g_strdup_printf("%.32s.journal", g_checksum_get_string(sum));
}
