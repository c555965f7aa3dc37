/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The missing parts of a multipart upload: see upload-parts.h. */
#include "upload-parts.h"

#include <string.h>

#include "hasher.h"
#include "obs-url.h"
#include "obs-xml.h"

/* How often a part is sent whose ETag comes back wrong. */
#define MAX_MISMATCHES 3
/* Ranges hashed and not yet sent, besides one for each thread. */
#define HASH_AHEAD 2

typedef struct {
    const ObsPartsJob *job;
    ObsPartsResult *out;
    ObsHasher *hasher;          /* NULL without a source */
    GQueue to_copy;             /* part indexes, as pointers */
    GQueue to_hash;
    GQueue to_send;             /* hashed */
    guint hashing;
    GHashTable *flying;         /* Map<index, Flight> */
    guint8 *mismatches;         /* by part index */
    guint window;               /* in flight at most, now */
    guint since_change;         /* parts done since @window changed */
    gboolean pumping;
    GError *error;
} Run;

typedef struct {
    Run *run;
    guint index;
    gboolean copy;
    ObsCall *call;
} Flight;

static void pump(Run *run);

static const ObsPart *part_at(Run *run, guint index)
{
    return &g_array_index(run->job->journal->plan->parts, ObsPart, index);
}

guint64 obs_parts_done_bytes(const ObsJournal *journal)
{
    guint64 done = 0;

    for (guint i = 0; i < journal->plan->parts->len; i++) {
        if (journal->states[i].done) {
            done += g_array_index(journal->plan->parts, ObsPart, i).length;
        }
    }
    return done;
}

/* ---- ends ---- */

static void run_fail(Run *run, GError *error)
{
    /* Later ones are mostly echoes of the first. */
    if (run->error) {
        g_error_free(error);
        return;
    }
    run->error = error;
}

/* A failure that a changed file explains better than the server does. */
static void part_failed(Run *run, const GError *error)
{
    GError *changed = NULL;

    if (run->job->source && !obs_client_stopped(run->job->client) &&
        !obs_source_check_unchanged(run->job->source, &changed)) {
        run_fail(run, changed);
        return;
    }
    run_fail(run, g_error_copy(error));
}

static void part_done(Run *run, guint index, const ObsMd5 *md5,
                      const char *etag)
{
    obs_journal_set_part(run->job->journal, index, md5, etag);
    if (run->job->acked) {
        run->job->acked(run->job->data);
    }
}

/* ---- how many at once ---- */

static void mind_the_server(Run *run, gboolean slowed)
{
    run->since_change++;
    if (slowed) {
        if (run->since_change >= run->window && run->window > 1) {
            run->window /= 2;
            run->since_change = 0;
        }
    } else if (run->since_change >= 2 * run->window &&
               run->window < run->job->parallel) {
        run->window++;
        run->since_change = 0;
    }
}

/* ---- requests ---- */

static ObsRequest *part_request(Run *run, guint index)
{
    const ObsPartsJob *job = run->job;
    g_autofree char *number = g_strdup_printf("%u", index + 1);
    ObsRequest *request = obs_client_request(job->client, OBS_METHOD_PUT,
                                             job->bucket, job->key);

    obs_pairs_add(request->query, "partNumber", number);
    obs_pairs_add(request->query, "uploadId", job->upload_id);
    return request;
}

static void on_part(ObsReply *r, gpointer user_data);

static void fly(Run *run, guint index, gboolean copy, ObsCallSpec *spec)
{
    Flight *flight = g_new(Flight, 1);

    flight->run = run;
    flight->index = index;
    flight->copy = copy;
    spec->part_of_upload = TRUE;
    flight->call = obs_client_call(run->job->client, spec, on_part, flight);
    g_hash_table_insert(run->flying, GUINT_TO_POINTER(index), flight);
}

static void send_part(Run *run, guint index)
{
    const ObsPart *part = part_at(run, index);
    g_autofree char *md5 =
        obs_md5_to_base64(&run->job->journal->states[index].md5);
    g_autofree char *what = g_strdup_printf("upload part %u of %s", index + 1,
                                            run->job->key);
    ObsCallSpec spec = {
        .request = part_request(run, index),
        .what = what,
        .body = {
            .kind = OBS_BODY_FILE,
            .fd = run->job->source->fd,
            .offset = part->offset,
            .length = part->length,
        },
    };

    obs_pairs_set(spec.request->headers, "Content-MD5", md5);
    fly(run, index, FALSE, &spec);
}

static void copy_part(Run *run, guint index)
{
    const ObsPartsJob *job = run->job;
    const ObsPart *part = part_at(run, index);
    g_autofree char *key = obs_url_encode(job->zero_key, TRUE);
    g_autofree char *from = g_strdup_printf("%s/%s", job->bucket, key);
    g_autofree char *range =
        g_strdup_printf("bytes=0-%" G_GUINT64_FORMAT, part->length - 1);
    g_autofree char *what = g_strdup_printf("copy zeros to part %u of %s",
                                            index + 1, job->key);
    ObsCallSpec spec = {
        .request = part_request(run, index),
        .what = what,
    };

    obs_pairs_set(spec.request->headers, "x-obs-copy-source", from);
    obs_pairs_set(spec.request->headers, "x-obs-copy-source-range", range);
    fly(run, index, TRUE, &spec);
}

/* The server won't copy: all that were to be copied are sent. */
static void send_instead(Run *run, guint index, const char *reason)
{
    GQueue *copies = &run->to_copy;
    gpointer other;

    if (run->job->journal->plan->n_zero) {
        obs_event_text(run->job->events, OBS_EVENT_WARNING, "upload",
                       "the server does not copy zeros by itself (%s); "
                       "sending them", reason);
        obs_plan_send_all(run->job->journal->plan);
    }
    g_queue_push_tail(&run->to_hash, GUINT_TO_POINTER(index));
    while ((other = g_queue_pop_head(copies))) {
        g_queue_push_tail(&run->to_hash, other);
    }
}

/* No to copying as such, where sending may still work. */
static gboolean is_refusal(const ObsReply *reply)
{
    guint status = obs_reply_status(reply);

    return status && (status < 500 || status == 501) &&
           reply->error->code != OBS_ERROR_DEADLINE;
}

static void copy_answered(Run *run, guint index, ObsReply *reply)
{
    const ObsMd5 *md5 = &run->job->zero_md5s[index];
    g_autofree char *etag = NULL;
    g_autofree char *reason = NULL;
    char hex[OBS_MD5_HEX_SIZE];
    const char *body;
    gsize length;

    if (reply->verdict == OBS_VERDICT_OK) {
        body = obs_reply_body(reply, &length);
        obs_md5_to_hex(md5, hex);
        if (obs_xml_parse_copy_part(body, length, &etag, NULL) &&
            (!run->job->check_etag || obs_etag_equal(etag, hex))) {
            run->out->copied += part_at(run, index)->length;
            part_done(run, index, md5, etag);
            return;
        }
        reason = g_strdup("its copy is not what was asked for");
    } else if (is_refusal(reply)) {
        reason = obs_service_error_text(reply->service_error);
    } else {
        part_failed(run, reply->error);
        return;
    }
    if (!run->job->source) {
        run_fail(run, g_error_new(OBS_ERROR, OBS_ERROR_TRANSFER, "%s",
                                  reason));
        return;
    }
    send_instead(run, index, reason);
}

static void send_answered(Run *run, guint index, ObsReply *reply)
{
    const ObsMd5 md5 = run->job->journal->states[index].md5;
    const char *etag = obs_response_header(reply->response, "ETag");
    g_autofree char *plain = obs_etag_normalize(etag ? etag : "");
    char hex[OBS_MD5_HEX_SIZE];

    obs_md5_to_hex(&md5, hex);
    if (*plain && (!run->job->check_etag || obs_etag_equal(plain, hex))) {
        part_done(run, index, &md5, plain);
        return;
    }
    if (++run->mismatches[index] < MAX_MISMATCHES) {
        obs_event_text(run->job->events, OBS_EVENT_WARNING, "upload",
                       "part %u: the server stored something else (ETag %s, "
                       "MD5 sent %s); sending it again", index + 1, plain,
                       hex);
        g_queue_push_head(&run->to_send, GUINT_TO_POINTER(index));
        return;
    }
    run_fail(run, g_error_new(OBS_ERROR, OBS_ERROR_TRANSFER,
             "part %u: the server stores something else than what is sent "
             "(ETag %s, MD5 sent %s), %d times; something between here and "
             "there changes the data", index + 1, plain, hex,
             MAX_MISMATCHES));
}

static void on_part(ObsReply *r, gpointer user_data)
{
    g_autoptr(ObsReply) reply = r;
    g_autofree Flight *flight = user_data;
    Run *run = flight->run;
    guint index = flight->index;

    g_hash_table_remove(run->flying, GUINT_TO_POINTER(index));
    mind_the_server(run, reply->slowed);
    if (obs_client_stopped(run->job->client)) {
        part_failed(run, obs_client_stopped(run->job->client));
    } else if (reply->verdict == OBS_VERDICT_REISSUE) {
        run->out->gone = TRUE;
        part_failed(run, reply->error);
    } else if (flight->copy) {
        copy_answered(run, index, reply);
    } else if (reply->verdict == OBS_VERDICT_OK) {
        send_answered(run, index, reply);
    } else {
        part_failed(run, reply->error);
    }
    pump(run);
}

static void on_hashed(guint index, const ObsMd5 *md5, const GError *error,
                      gpointer user_data)
{
    Run *run = user_data;
    const ObsPartsJob *job = run->job;
    char hex[OBS_MD5_HEX_SIZE];

    run->hashing--;
    if (error) {
        part_failed(run, error);
        pump(run);
        return;
    }
    obs_md5_to_hex(md5, hex);
    if (job->stored && job->stored[index] &&
        obs_etag_equal(job->stored[index], hex)) {
        run->out->verified += part_at(run, index)->length;
        part_done(run, index, md5, hex);
    } else {
        job->journal->states[index].has_md5 = TRUE;
        job->journal->states[index].md5 = *md5;
        g_queue_push_tail(&run->to_send, GUINT_TO_POINTER(index));
    }
    pump(run);
}

static guint pop(GQueue *queue)
{
    return GPOINTER_TO_UINT(g_queue_pop_head(queue));
}

/* Starts whatever may be started now. */
static void pump(Run *run)
{
    if (run->pumping || run->error) {
        return;
    }
    run->pumping = TRUE;
    while (g_hash_table_size(run->flying) < run->window &&
           !g_queue_is_empty(&run->to_send)) {
        send_part(run, pop(&run->to_send));
    }
    while (g_hash_table_size(run->flying) < run->window &&
           !g_queue_is_empty(&run->to_copy)) {
        copy_part(run, pop(&run->to_copy));
    }
    while (run->hasher && !g_queue_is_empty(&run->to_hash) &&
           run->hashing + run->to_send.length <
           obs_hasher_threads(run->hasher) + HASH_AHEAD) {
        guint index = pop(&run->to_hash);
        const ObsPart *part = part_at(run, index);

        run->hashing++;
        obs_hasher_push(run->hasher, index, part->offset, part->length);
    }
    run->pumping = FALSE;
}

/* The server has the right copy already, made by an interrupted run. */
static gboolean is_stored_zero(Run *run, guint index)
{
    char hex[OBS_MD5_HEX_SIZE];

    if (!run->job->stored || !run->job->stored[index] ||
        !run->job->zero_md5s) {
        return FALSE;
    }
    obs_md5_to_hex(&run->job->zero_md5s[index], hex);
    return obs_etag_equal(run->job->stored[index], hex);
}

static void sort_parts(Run *run)
{
    const ObsJournal *journal = run->job->journal;

    for (guint i = 0; i < journal->plan->parts->len; i++) {
        const ObsPart *part = part_at(run, i);

        if (journal->states[i].done) {
            continue;
        }
        if (part->kind == OBS_PART_ZERO && is_stored_zero(run, i)) {
            run->out->verified += part->length;
            part_done(run, i, &run->job->zero_md5s[i], run->job->stored[i]);
        } else if (part->kind == OBS_PART_ZERO && run->job->zero_key) {
            g_queue_push_tail(&run->to_copy, GUINT_TO_POINTER(i));
        } else {
            g_queue_push_tail(&run->to_hash, GUINT_TO_POINTER(i));
        }
    }
}

static gboolean busy(Run *run)
{
    if (run->error) {
        return FALSE;
    }
    return g_hash_table_size(run->flying) || run->hashing ||
           run->to_copy.length || run->to_hash.length || run->to_send.length;
}

gboolean obs_parts_run(const ObsPartsJob *job, ObsPartsResult *out,
                       GError **error)
{
    Run run = { .job = job, .out = out, .window = MAX(job->parallel, 1) };
    GHashTableIter iter;
    gpointer flight;

    g_queue_init(&run.to_copy);
    g_queue_init(&run.to_hash);
    g_queue_init(&run.to_send);
    run.flying = g_hash_table_new(NULL, NULL);
    run.mismatches = g_new0(guint8, job->journal->plan->parts->len);
    if (job->source) {
        run.hasher = obs_hasher_new(job->source, 0, on_hashed, &run);
    }
    sort_parts(&run);
    pump(&run);
    while (busy(&run)) {
        if (obs_client_stopped(job->client)) {
            part_failed(&run, obs_client_stopped(job->client));
            break;
        }
        g_main_context_iteration(NULL, TRUE);
    }
    g_hash_table_iter_init(&iter, run.flying);
    while (g_hash_table_iter_next(&iter, NULL, &flight)) {
        obs_call_cancel(((Flight *)flight)->call);
        g_free(flight);
    }
    g_hash_table_unref(run.flying);
    g_clear_pointer(&run.hasher, obs_hasher_free);
    g_queue_clear(&run.to_copy);
    g_queue_clear(&run.to_hash);
    g_queue_clear(&run.to_send);
    g_free(run.mismatches);
    if (run.error) {
        g_propagate_error(error, run.error);
        return FALSE;
    }
    return TRUE;
}
