/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An object store that throws everything away: what an upload costs when the
 * server costs nothing.
 *
 * Speaks as much S3 as the clients of the benchmark need, on loopback, one
 * thread a connection, any bucket, any signature. A body is discarded inside
 * the kernel when its MD5 came with it (Content-MD5 is believed); else it is
 * read to make the ETag, as clients compare that.
 *
 *     sink        prints its port on standard output and serves until killed
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_HEAD (64 * 1024)
#define MAX_PARTS 10000
#define MAX_OBJECTS 256
#define MD5_SIZE 16
#define PIECE (256 * 1024)
#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

typedef struct {
    bool there;
    uint64_t size;
    unsigned char md5[MD5_SIZE];
} Part;

/* An object, and while @upload is not 0 the unfinished upload of one */
typedef struct {
    char *path;                 /* NULL: a free place */
    unsigned upload;
    Part *parts;                /* MAX_PARTS of an unfinished upload */
    uint64_t size;
    char etag[64];
    char *metadata;             /* header lines to give back */
} Object;

typedef struct {
    int fd;
    char head[MAX_HEAD + 1];
    size_t have;                /* bytes in @head */
    size_t head_size;           /* of these are request line and fields */
    char *method, *path, *query;
    char *fields;               /* the lines after the request line */
    uint64_t length;            /* of the body */
    bool close;
    unsigned char md5[MD5_SIZE];        /* of the body */
    unsigned char piece[PIECE];
} Link;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Object objects[MAX_OBJECTS];     /* under @lock */
static unsigned last_upload;            /* under @lock */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void to_hex(const unsigned char *md5, char *hex)
{
    for (int i = 0; i < MD5_SIZE; i++) {
        sprintf(hex + 2 * i, "%02x", md5[i]);
    }
}

/* --- objects; the caller holds @lock --- */

/* @upload: 0 for a finished object */
static Object *find(const char *path, unsigned upload)
{
    for (int i = 0; i < MAX_OBJECTS; i++) {
        Object *o = &objects[i];

        if (o->path && o->upload == upload && strcmp(o->path, path) == 0) {
            return o;
        }
    }
    return NULL;
}

static void forget(Object *o)
{
    free(o->path);
    free(o->parts);
    free(o->metadata);
    memset(o, 0, sizeof(*o));
}

static Object *add(const char *path, unsigned upload)
{
    for (int i = 0; i < MAX_OBJECTS; i++) {
        Object *o = &objects[i];

        if (!o->path) {
            o->path = strdup(path);
            o->upload = upload;
            return o;
        }
    }
    fprintf(stderr, "sink: more than %d objects\n", MAX_OBJECTS);
    exit(1);
}

/* What an upload gives: size and MD5 of MD5s. */
static void complete(Object *o)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char md5[MD5_SIZE];
    int n = 0;

    EVP_DigestInit_ex(ctx, EVP_md5(), NULL);
    for (int i = 0; i < MAX_PARTS; i++) {
        if (o->parts[i].there) {
            EVP_DigestUpdate(ctx, o->parts[i].md5, MD5_SIZE);
            o->size += o->parts[i].size;
            n++;
        }
    }
    EVP_DigestFinal_ex(ctx, md5, NULL);
    EVP_MD_CTX_free(ctx);
    to_hex(md5, o->etag);
    sprintf(o->etag + 2 * MD5_SIZE, "-%d", n);
}

/* --- one request --- */

/* Value of a header field, in place, or NULL */
static const char *field(const Link *l, const char *name, size_t *size)
{
    size_t n = strlen(name);

    for (const char *line = l->fields; *line; ) {
        const char *end = strstr(line, "\r\n");

        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            line += n + 1;
            line += strspn(line, " \t");
            *size = end - line;
            return line;
        }
        line = end + 2;
    }
    return NULL;
}

static uint64_t number(const Link *l, const char *name)
{
    size_t size;
    const char *value = field(l, name, &size);

    return value ? strtoull(value, NULL, 10) : 0;
}

/* The lines of the user's metadata, which HEAD gives back */
static char *metadata(const Link *l)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);

    for (const char *line = l->fields; *line; ) {
        const char *end = strstr(line, "\r\n");

        if (strncasecmp(line, "x-amz-meta-", 11) == 0 ||
            strncasecmp(line, "x-obs-meta-", 11) == 0) {
            fwrite(line, 1, end + 2 - line, f);
        }
        line = end + 2;
    }
    fclose(f);
    return out;
}

/* The number that @name has in the query, or 0 */
static unsigned argument(const Link *l, const char *name)
{
    const char *at = strstr(l->query, name);

    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static bool send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        size -= n;
    }
    return true;
}

/* @more: header lines; @body NULL: no body, but the length of @length */
static bool answer(Link *l, int status, const char *more, const char *body,
                   uint64_t length)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    bool ok;

    if (body) {
        length = strlen(body);
    }
    fprintf(f, "HTTP/1.1 %d %s\r\nContent-Length: %llu\r\n"
            "x-amz-request-id: sink\r\n%s\r\n", status,
            status < 300 ? "OK" : "No", (unsigned long long)length, more);
    if (body && strcmp(l->method, "HEAD") != 0) {
        fputs(body, f);
    }
    fclose(f);
    ok = send_all(l->fd, text, size);
    free(text);
    return ok;
}

static bool answer_xml(Link *l, int status, const char *format, ...)
{
    char *body = NULL;
    va_list args;
    bool ok;

    va_start(args, format);
    if (vasprintf(&body, format, args) < 0) {
        die("sink: vasprintf");
    }
    va_end(args);
    ok = answer(l, status, "Content-Type: application/xml\r\n", body, 0);
    free(body);
    return ok;
}

static bool answer_gone(Link *l, const char *code)
{
    return answer_xml(l, 404, XML "<Error><Code>%s</Code></Error>", code);
}

/* Reads up to the empty line; false at the end of the connection. */
static bool read_head(Link *l)
{
    char *end, *space;

    for (;;) {
        ssize_t n;

        l->head[l->have] = '\0';
        end = strstr(l->head, "\r\n\r\n");
        if (end) {
            break;
        }
        n = recv(l->fd, l->head + l->have, MAX_HEAD - l->have, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        l->have += n;
    }
    l->head_size = end + 4 - l->head;
    l->fields = strstr(l->head, "\r\n") + 2;
    /* the last field keeps its line end, the empty line goes */
    end[2] = '\0';
    l->fields[-2] = '\0';
    l->method = l->head;
    space = strchr(l->method, ' ');
    if (!space) {
        return false;
    }
    *space = '\0';
    l->path = space + 1;
    space = strchr(l->path, ' ');
    if (!space) {
        return false;
    }
    *space = '\0';
    l->query = strchr(l->path, '?');
    if (l->query) {
        *l->query++ = '\0';
    } else {
        l->query = l->path + strlen(l->path);
    }
    return true;
}

/* Takes the body off the connection and sets l->md5. */
static bool read_body(Link *l)
{
    size_t early = l->have - l->head_size;
    uint64_t left = l->length;
    size_t size;
    const char *known = field(l, "Content-MD5", &size);
    EVP_MD_CTX *ctx = NULL;
    bool ok = true;

    if (field(l, "Expect", &size) &&
        !send_all(l->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25)) {
        return false;
    }
    if (known) {
        unsigned char out[27];

        if (EVP_DecodeBlock(out, (const unsigned char *)known, 24) != 18) {
            return false;
        }
        memcpy(l->md5, out, MD5_SIZE);
    } else {
        ctx = EVP_MD_CTX_new();
        EVP_DigestInit_ex(ctx, EVP_md5(), NULL);
    }
    if (early > left) {
        early = left;
    }
    if (ctx) {
        EVP_DigestUpdate(ctx, l->head + l->head_size, early);
    }
    left -= early;
    while (left) {
        /* Linux drops what it would have copied if MSG_TRUNC is given */
        ssize_t n = ctx ? recv(l->fd, l->piece, left < PIECE ? left : PIECE, 0)
                        : recv(l->fd, NULL, left < (1u << 30) ? left : 1u << 30,
                               MSG_TRUNC);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            ok = false;
            break;
        }
        if (ctx) {
            EVP_DigestUpdate(ctx, l->piece, n);
        }
        left -= n;
    }
    if (ctx) {
        EVP_DigestFinal_ex(ctx, l->md5, NULL);
        EVP_MD_CTX_free(ctx);
    }
    return ok;
}

/* The pieces of an upload */
static bool serve_upload(Link *l)
{
    unsigned id = argument(l, "uploadId=");
    unsigned part = argument(l, "partNumber=");
    char hex[2 * MD5_SIZE + 1], *list = NULL;
    size_t size;
    Object *o, *old;
    FILE *f;
    bool ok;

    pthread_mutex_lock(&lock);
    o = find(l->path, id);
    if (!id || !o) {
        pthread_mutex_unlock(&lock);
        return answer_gone(l, "NoSuchUpload");
    }
    if (strcmp(l->method, "PUT") == 0 && part && part <= MAX_PARTS) {
        Part *p = &o->parts[part - 1];
        char line[64];

        p->there = true;
        p->size = l->length;
        memcpy(p->md5, l->md5, MD5_SIZE);
        pthread_mutex_unlock(&lock);
        to_hex(l->md5, hex);
        snprintf(line, sizeof(line), "ETag: \"%s\"\r\n", hex);
        return answer(l, 200, line, "", 0);
    }
    if (strcmp(l->method, "POST") == 0) {
        old = find(l->path, 0);
        if (old) {
            forget(old);
        }
        complete(o);
        free(o->parts);
        o->parts = NULL;
        o->upload = 0;
        memcpy(l->piece, o->etag, sizeof(o->etag));
        pthread_mutex_unlock(&lock);
        return answer_xml(l, 200, XML "<CompleteMultipartUploadResult"
                          NAMESPACE "><ETag>&quot;%s&quot;</ETag>"
                          "</CompleteMultipartUploadResult>",
                          (char *)l->piece);
    }
    if (strcmp(l->method, "DELETE") == 0) {
        forget(o);
        pthread_mutex_unlock(&lock);
        return answer(l, 204, "", NULL, 0);
    }
    f = open_memstream(&list, &size);
    for (int i = 0; i < MAX_PARTS; i++) {
        if (o->parts[i].there) {
            to_hex(o->parts[i].md5, hex);
            fprintf(f, "<Part><PartNumber>%d</PartNumber><ETag>&quot;%s"
                    "&quot;</ETag><Size>%llu</Size></Part>", i + 1, hex,
                    (unsigned long long)o->parts[i].size);
        }
    }
    pthread_mutex_unlock(&lock);
    fclose(f);
    ok = answer_xml(l, 200, XML "<ListPartsResult" NAMESPACE ">%s"
                    "<IsTruncated>false</IsTruncated></ListPartsResult>",
                    list);
    free(list);
    return ok;
}

static bool serve_bucket(Link *l)
{
    if (strstr(l->query, "location")) {
        return answer_xml(l, 200, XML "<LocationConstraint" NAMESPACE "/>");
    }
    if (strcmp(l->method, "GET") == 0) {
        const char *name = strncmp(l->query, "uploads", 7) == 0
                           ? "ListMultipartUploadsResult" : "ListBucketResult";

        return answer_xml(l, 200, XML "<%s" NAMESPACE "><IsTruncated>false"
                          "</IsTruncated></%s>", name, name);
    }
    return answer(l, 200, "", "", 0);
}

static bool serve_object(Link *l)
{
    char etag[64], *more = NULL;
    uint64_t size = 0;
    Object *o;
    bool ok;

    pthread_mutex_lock(&lock);
    o = find(l->path, 0);
    if (strcmp(l->method, "PUT") == 0) {
        if (!o) {
            o = add(l->path, 0);
        }
        o->size = l->length;
        to_hex(l->md5, o->etag);
        free(o->metadata);
        o->metadata = metadata(l);
    } else if (strcmp(l->method, "DELETE") == 0) {
        if (o) {
            forget(o);
        }
        pthread_mutex_unlock(&lock);
        return answer(l, 204, "", NULL, 0);
    } else if (!o || strcmp(l->method, "HEAD") != 0) {
        /* what was thrown away cannot be got */
        pthread_mutex_unlock(&lock);
        return answer_gone(l, "NoSuchKey");
    } else {
        size = o->size;
    }
    memcpy(etag, o->etag, sizeof(etag));
    if (asprintf(&more, "ETag: \"%s\"\r\n"
                 "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n%s", etag,
                 o->metadata) < 0) {
        die("sink: asprintf");
    }
    pthread_mutex_unlock(&lock);
    ok = answer(l, 200, more, NULL, size);
    free(more);
    return ok;
}

static bool serve(Link *l)
{
    const char *slash = strchr(l->path + 1, '/');
    unsigned id;

    if (!slash || !slash[1]) {
        return serve_bucket(l);
    }
    if (strncmp(l->query, "uploads", 7) == 0 &&
        strcmp(l->method, "POST") == 0) {
        Object *o;

        pthread_mutex_lock(&lock);
        id = ++last_upload;
        o = add(l->path, id);
        o->parts = calloc(MAX_PARTS, sizeof(Part));
        o->metadata = metadata(l);
        pthread_mutex_unlock(&lock);
        return answer_xml(l, 200, XML "<InitiateMultipartUploadResult"
                          NAMESPACE "><Bucket>b</Bucket><Key>%s</Key>"
                          "<UploadId>%u</UploadId>"
                          "</InitiateMultipartUploadResult>", slash + 1, id);
    }
    if (strstr(l->query, "uploadId=")) {
        return serve_upload(l);
    }
    return serve_object(l);
}

static void *serve_link(void *opaque)
{
    Link *l = opaque;
    size_t size, used;

    while (read_head(l)) {
        const char *coding = field(l, "Transfer-Encoding", &size);
        const char *wish = field(l, "Connection", &size);

        if (coding) {
            answer(l, 411, "", "", 0);
            break;
        }
        l->close = wish && strncasecmp(wish, "close", 5) == 0;
        l->length = number(l, "Content-Length");
        if (!read_body(l) || !serve(l) || l->close) {
            break;
        }
        used = l->head_size;
        used += l->length < l->have - used ? l->length : l->have - used;
        memmove(l->head, l->head + used, l->have - used);
        l->have -= used;
    }
    close(l->fd);
    free(l);
    return NULL;
}

int main(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
        listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        die("sink: cannot listen on 127.0.0.1");
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        Link *l = calloc(1, sizeof(*l));
        pthread_t thread;
        int on = 1;

        if (!l) {
            die("sink: calloc");
        }
        l->fd = accept(fd, NULL, NULL);
        if (l->fd < 0) {
            free(l);
            continue;
        }
        setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (pthread_create(&thread, NULL, serve_link, l) != 0) {
            die("sink: pthread_create");
        }
        pthread_detach(thread);
    }
}
