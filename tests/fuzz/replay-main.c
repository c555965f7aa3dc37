/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target over a corpus in plain CI, without a fuzzer
 *
 *     fuzz-TARGET [--mutate N] FILE|FOLDER...
 *
 * Each file is read whole, whatever its length, and handed over in a buffer
 * of just that length, so that AddressSanitizer and valgrind see a read past
 * its end.  --mutate N also tries N variants of each file, cut off or with
 * some bytes changed; the same ones every time.  The exit status is 1 if there
 * was nothing to run: an empty corpus tests nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long mutate;
static unsigned long files;
static unsigned long runs;

static void fail(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    exit(1);
}

static void *must_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p) {
        fail("replay", "out of memory");
    }
    return p;
}

/* xorshift64*: the same numbers everywhere */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = must_alloc(size);

    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    runs++;
}

static void run_variants(const uint8_t *data, size_t size)
{
    static const uint8_t telling[] = { 0, 1, 0x7f, 0x80, 0xff };
    uint8_t *copy = must_alloc(size);
    uint64_t state = 0x9e3779b97f4a7c15ull + size;

    for (unsigned long i = 0; i < mutate && size > 0; i++) {
        size_t length = size;
        unsigned changes = 1 + (unsigned)(random_next(&state) % 4);

        memcpy(copy, data, size);
        while (changes--) {
            uint64_t r = random_next(&state);
            size_t at = (size_t)(r % size);

            switch (r >> 60 & 3) {
            case 0:
                copy[at] ^= (uint8_t)(1u << (r >> 40 & 7));
                break;
            case 1:
                copy[at] = telling[(r >> 40) % sizeof(telling)];
                break;
            case 2:
                copy[at] = (uint8_t)(r >> 40);
                break;
            default:
                length = at;
                break;
            }
        }
        run(copy, length);
    }
    free(copy);
}

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0, room = 0;

    if (!f) {
        fail(path, strerror(errno));
    }
    for (;;) {
        size_t n;

        if (size == room) {
            uint8_t *more = realloc(data, room = room ? room * 2 : 4096);

            if (!more) {
                fail(path, "out of memory");
            }
            data = more;
        }
        n = fread(data + size, 1, room - size, f);
        if (n == 0) {
            break;
        }
        size += n;
    }
    if (ferror(f)) {
        fail(path, "read error");
    }
    fclose(f);
    /* so that a crash can be traced to its file */
    printf("%s: %zu bytes\n", path, size);
    fflush(stdout);
    run(data, size);
    run_variants(data, size);
    free(data);
    files++;
}

static void replay(const char *path)
{
    struct dirent **names;
    struct stat st;
    int n;

    if (stat(path, &st) < 0) {
        fail(path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        replay_file(path);
        return;
    }
    n = scandir(path, &names, NULL, alphasort);
    if (n < 0) {
        fail(path, strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            size_t size = strlen(path) + strlen(names[i]->d_name) + 2;
            char *inner = must_alloc(size);

            snprintf(inner, size, "%s/%s", path, names[i]->d_name);
            replay(inner);
            free(inner);
        }
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    int first = 1;

    if (argc > 2 && strcmp(argv[1], "--mutate") == 0) {
        char *end;

        mutate = strtoul(argv[2], &end, 10);
        if (*end) {
            fail(argv[2], "not a number");
        }
        first = 3;
    }
    if (first >= argc) {
        fprintf(stderr, "usage: %s [--mutate N] FILE|FOLDER...\n", argv[0]);
        return 1;
    }
    for (int i = first; i < argc; i++) {
        replay(argv[i]);
    }
    printf("%lu files, %lu runs\n", files, runs);
    return files ? 0 : 1;
}
