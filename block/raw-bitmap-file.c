/* SPDX-License-Identifier: MIT */
/* Saves and loads RAW bitmaps and their layouts: raw-bitmap-file.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* O_TMPFILE */
#endif
#include "raw-bitmap-file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERR_MAX RAW_BITMAP_FILE_ERR_MAX
#define MANIFEST_LOOK 4096

/* What the file is called in messages */
static const char BITMAP[] = "bitmap";
static const char LAYOUT[] = "layout file";

static int fail(int err_no, const char *doing, const char *what,
                const char *path, char *err)
{
    snprintf(err, ERR_MAX, "cannot %s the %s '%.800s': %s", doing, what, path,
             strerror(err_no));
    return -err_no;
}

static ssize_t read_at_most(int fd, void *buf, size_t max)
{
    size_t done = 0;

    while (done < max) {
        ssize_t n = read(fd, (char *)buf + done, max - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        done += n;
    }
    return done;
}

static int write_all(int fd, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, buf, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        buf += n;
        len -= n;
    }
    return 0;
}

/* --- where to --- */

/* The folder of @path; malloc'ed, NULL on lack of memory */
static char *folder_of(const char *path)
{
    char *copy = strdup(path);
    char *folder = copy ? strdup(dirname(copy)) : NULL;

    free(copy);
    return folder;
}

/*
 * @path without a symbolic link at its end: renaming has to replace the file
 * that the link means, not the link.  malloc'ed; NULL with errno set.
 */
static char *resolve(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        return realpath(path, NULL);
    }
    return strdup(path);
}

static int check_existing(const char *path, const char *what, bool replace,
                          char *err)
{
    uint8_t start[MANIFEST_LOOK];
    struct stat st;
    ssize_t n;
    int fd;

    if (lstat(path, &st) < 0) {
        return errno == ENOENT ? 0 : fail(errno, "examine", what, path, err);
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(err, ERR_MAX, "cannot write the %s '%.800s': it exists and "
                 "is not a regular file", what, path);
        return -EINVAL;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return fail(errno, "examine", what, path, err);
    }
    n = read_at_most(fd, start, sizeof(start));
    close(fd);
    if (n < 0) {
        return fail(-n, "examine", what, path, err);
    }
    if (raw_bitmap_is_ovf_manifest(start, n)) {
        snprintf(err, ERR_MAX, "will not write the %s '%.800s': it is an OVF "
                 "manifest (text with checksums); choose another name", what,
                 path);
        return -EPERM;
    }
    if (!replace) {
        snprintf(err, ERR_MAX, "the %s '%.800s' exists already", what, path);
        return -EEXIST;
    }
    return 0;
}

/* @path: resolved */
static int check_target(const char *path, const char *what, bool replace,
                        char *err)
{
    char *folder;
    int ret = check_existing(path, what, replace, err);

    if (ret < 0) {
        return ret;
    }
    folder = folder_of(path);
    if (!folder) {
        return fail(ENOMEM, "write", what, path, err);
    }
    ret = access(folder, W_OK | X_OK) < 0 ? errno : 0;
    free(folder);
    return ret ? fail(ret, "write", what, path, err) : 0;
}

int raw_bitmap_file_check(const char *path, bool replace, char *err)
{
    char *real = resolve(path);
    int ret;

    if (!real) {
        return fail(errno, "write", BITMAP, path, err);
    }
    ret = check_target(real, BITMAP, replace, err);
    free(real);
    return ret;
}

/* --- saving --- */

typedef struct Save {
    const char *path;           /* resolved */
    const uint8_t *bytes;
    size_t len;
    bool replace;
    const char *raw_path;       /* may be NULL */
} Save;

/* Content, age and durability; the name comes after that */
static int fill(int fd, const Save *s)
{
    struct stat raw, own;
    int ret = write_all(fd, s->bytes, s->len);

    if (ret < 0) {
        return ret;
    }
    if (s->raw_path && stat(s->raw_path, &raw) == 0) {
        /* Another machine's clock (a network file system) may be ahead */
        if (fstat(fd, &own) < 0) {
            return -errno;
        }
        if (raw.st_mtim.tv_sec > own.st_mtim.tv_sec ||
            (raw.st_mtim.tv_sec == own.st_mtim.tv_sec &&
             raw.st_mtim.tv_nsec > own.st_mtim.tv_nsec)) {
            struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, raw.st_mtim };

            if (futimens(fd, t) < 0) {
                return -errno;
            }
        }
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* A name beside @path that nobody has; @make returns 0 or -errno */
static int with_temporary_name(const char *path, char *name, size_t size,
                               int (*make)(const char *name, void *opaque),
                               void *opaque)
{
    int ret = -EEXIST;

    for (unsigned i = 0; i < 1000 && ret == -EEXIST; i++) {
        snprintf(name, size, "%s.%ld-%u.tmp", path, (long)getpid(), i);
        ret = make(name, opaque);
    }
    return ret;
}

static int link_fd(const char *name, void *opaque)
{
    char proc[64];

    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", *(int *)opaque);
    return linkat(AT_FDCWD, proc, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0
           ? -errno : 0;
}

static int create_named(const char *name, void *opaque)
{
    int *fd = opaque;

    *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return *fd < 0 ? -errno : 0;
}

/* Gives the finished file @temporary its name; @temporary is gone after it */
static int take_place(const Save *s, const char *temporary)
{
    int ret = 0;

    if (s->replace) {
        ret = rename(temporary, s->path) < 0 ? -errno : 0;
    } else if (link(temporary, s->path) == 0) {
        unlink(temporary);
        return 0;
    } else if (errno == EEXIST) {
        ret = -EEXIST;
    } else {
        /* No hard links here (FAT): the check beforehand has to do */
        ret = rename(temporary, s->path) < 0 ? -errno : 0;
    }
    if (ret < 0) {
        unlink(temporary);
    }
    return ret;
}

/*
 * With a file that has no name until it is complete, which vanishes with the
 * process however that ends.  -EOPNOTSUPP: not here, do it another way.
 */
static int save_unnamed(const Save *s, const char *folder, char *name,
                        size_t size)
{
    int fd = -1, ret;

#ifdef O_TMPFILE
    fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
#endif
    if (fd < 0) {
        return -EOPNOTSUPP;
    }
    ret = fill(fd, s);
    if (ret == 0) {
        ret = link_fd(s->path, &fd);
        if (ret == -EEXIST && s->replace) {
            ret = with_temporary_name(s->path, name, size, link_fd, &fd);
            if (ret == 0) {
                ret = take_place(s, name);
            }
        } else if (ret < 0 && ret != -EEXIST) {
            ret = -EOPNOTSUPP;      /* no /proc, perhaps */
        }
    }
    close(fd);
    return ret;
}

static int save_named(const Save *s, char *name, size_t size)
{
    int fd = -1;
    int ret = with_temporary_name(s->path, name, size, create_named, &fd);

    if (ret < 0) {
        return ret;
    }
    ret = fill(fd, s);
    if (close(fd) < 0 && ret == 0) {
        ret = -errno;               /* NFS tells of a full disk here */
    }
    if (ret < 0) {
        unlink(name);
        return ret;
    }
    return take_place(s, name);
}

/* The new name has to survive a power failure as well */
static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ret = 0;

    if (fd < 0) {
        return 0;       /* writable but not readable: can't be asked for */
    }
    if (fsync(fd) < 0 && errno != EINVAL) {
        ret = -errno;
    }
    close(fd);
    return ret;
}

static int save_resolved(const Save *s, const char *what, char *err)
{
    size_t size = strlen(s->path) + 64;
    char *folder = folder_of(s->path);
    char *name = malloc(size);
    int ret = -ENOMEM;

    if (folder && name) {
        ret = save_unnamed(s, folder, name, size);
        if (ret == -EOPNOTSUPP) {
            ret = save_named(s, name, size);
        }
        if (ret == 0) {
            ret = sync_folder(folder);
            if (ret < 0) {
                unlink(s->path);    /* failed is failed: nothing remains */
            }
        }
    }
    free(folder);
    free(name);
    return ret < 0 ? fail(-ret, "write", what, s->path, err) : 0;
}

static int save(const char *path, const uint8_t *bytes, size_t len,
                bool replace, const char *raw_path, const char *what,
                char *err)
{
    char *real = resolve(path);
    int ret;

    if (!real) {
        return fail(errno, "write", what, path, err);
    }
    ret = check_target(real, what, replace, err);
    if (ret == 0) {
        Save s = {
            .path = real, .bytes = bytes, .len = len, .replace = replace,
            .raw_path = raw_path,
        };

        ret = save_resolved(&s, what, err);
    }
    free(real);
    return ret;
}

int raw_bitmap_file_save(const RawBitmap *b, const char *path, bool replace,
                         const char *raw_path, char *err)
{
    uint64_t len = raw_bitmap_file_size(b);
    uint8_t *bytes = malloc(len ? len : 1);
    int ret;

    if (!bytes) {
        return fail(ENOMEM, "write", BITMAP, path, err);
    }
    raw_bitmap_encode(b, bytes);
    ret = save(path, bytes, len, replace, raw_path, BITMAP, err);
    free(bytes);
    return ret;
}

int raw_bitmap_layout_save(const RawBitmapLayout *l, const char *path,
                           bool replace, char *err)
{
    char text[RAW_BITMAP_TEXT_MAX];

    raw_bitmap_layout_text(l, '\n', text);
    return save(path, (const uint8_t *)text, strlen(text), replace, NULL,
                LAYOUT, err);
}

/* --- loading --- */

/* At most @max bytes into @buf; what there is beyond shows as @max bytes */
static ssize_t load(const char *path, const char *what, void *buf, size_t max,
                    char *err)
{
    struct stat st;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return fail(errno, "read", what, path, err);
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        n = -EISDIR;
    } else {
        n = read_at_most(fd, buf, max);
    }
    close(fd);
    return n < 0 ? fail(-n, "read", what, path, err) : n;
}

int raw_bitmap_file_load(const RawBitmapLayout *l, uint64_t raw_size,
                         const char *path, RawBitmap **out, char *err)
{
    char why[RAW_BITMAP_ERR_MAX];
    RawBitmap *empty;
    uint8_t *bytes;
    size_t max;
    ssize_t n;
    int ret = raw_bitmap_new(l, raw_size, &empty, why);

    if (ret < 0) {
        snprintf(err, ERR_MAX, "'%.700s': %s", path, why);
        return ret;
    }
    max = raw_bitmap_file_size(empty) + 1;
    raw_bitmap_free(empty);
    bytes = malloc(max);
    if (!bytes) {
        return fail(ENOMEM, "read", BITMAP, path, err);
    }
    n = load(path, BITMAP, bytes, max, err);
    if (n < 0) {
        free(bytes);
        return n;
    }
    if (raw_bitmap_is_ovf_manifest(bytes, n)) {
        snprintf(err, ERR_MAX, "'%.800s' is an OVF manifest, not a bitmap",
                 path);
        ret = -EINVAL;
    } else if ((size_t)n == max) {
        snprintf(err, ERR_MAX, "'%.700s': the file is longer than the %zu "
                 "bytes that this layout needs for an image of %" PRIu64
                 " bytes", path, max - 1, raw_size);
        ret = -EINVAL;
    } else {
        ret = raw_bitmap_decode(l, raw_size, bytes, n, out, why);
        if (ret < 0) {
            snprintf(err, ERR_MAX, "'%.700s': %s", path, why);
        }
    }
    free(bytes);
    return ret;
}

int raw_bitmap_layout_load(RawBitmapLayout *l, const char *path, char *err)
{
    char text[2 * RAW_BITMAP_TEXT_MAX], why[RAW_BITMAP_ERR_MAX];
    ssize_t n = load(path, LAYOUT, text, sizeof(text), err);

    if (n < 0) {
        return n;
    }
    if (n == sizeof(text)) {
        snprintf(err, ERR_MAX, "'%.800s' is too long for a layout file", path);
        return -EINVAL;
    }
    if (raw_bitmap_layout_parse(l, text, n, why) < 0) {
        snprintf(err, ERR_MAX, "'%.700s': %s", path, why);
        return -EINVAL;
    }
    return 0;
}
