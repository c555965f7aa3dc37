/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option table: every option of every command once, in groups that
 * commands pick from. --help, the manual page and the completion are all made
 * from it.
 */
#ifndef OBS_OPTIONS_H
#define OBS_OPTIONS_H

#include <glib.h>

typedef enum {
    OBS_OPTIONS_OUTPUT = 1 << 0,
    OBS_OPTIONS_CONNECT = 1 << 1,
    OBS_OPTIONS_STATE = 1 << 2,
    OBS_OPTIONS_UPLOAD = 1 << 3,
    OBS_OPTIONS_RAW = 1 << 4,
    OBS_OPTIONS_IMAGE = 1 << 5,
    OBS_OPTIONS_JOB = 1 << 6,
    OBS_OPTIONS_DRY = 1 << 7,
    OBS_OPTIONS_CHECK = 1 << 8,
    OBS_OPTIONS_LOCAL = 1 << 9,
} ObsOptionGroups;

/* What the command line said; text is NULL and numbers 0 where it did not. */
typedef struct {
    /* output */
    gboolean json, quiet, verbose;
    /* connect */
    char *cloud, *cloud_suffix, *region;
    char *endpoint, *ims_endpoint, *iam_endpoint, *metadata_endpoint;
    gboolean path_style;
    char *signature, *ims_signature;
    char *cacert, *credentials_file, *profile, *os_cloud, *project_id;
    gboolean no_metadata;
    int connect_timeout, timeout, retries;
    gint64 deadline;            /* seconds */
    /* state */
    char *state_dir;
    /* upload */
    guint64 part_size, limit_rate;
    int parallel;
    char *storage_class, *acl, *sse;
    char **meta;
    gboolean no_clobber, if_changed, restart;
    char *upload_id;
    /* raw */
    gboolean no_bitmap;
    char *bitmap, *layout;
    /* image */
    char *name, *type, *os_version, *os_type, *description;
    char *architecture, *firmware, *enterprise_project, *license_type;
    char **tags;
    gint64 min_disk;
    gboolean duplicate_name;
    /* job */
    gboolean wait, no_wait;
    int poll_interval;
    /* dry */
    gboolean dry_run;
    /* check */
    gboolean deep;
    /* local: uploads, abort */
    gboolean local_only, all;
} ObsOptions;

/* The one instance: GOptionEntry tables point into it. */
extern ObsOptions obs_options;

typedef struct {
    ObsOptionGroups group;
    const char *title;          /* "Connection", for help and manual */
    const GOptionEntry *entries;
} ObsOptionTable;

/* All tables, ended by one without entries. */
extern const ObsOptionTable obs_option_tables[];

/* "16MiB", "16M", "64KB", "1G", "4096": binary units, KB = KiB as obsutil has
 * it. FALSE with OBS_ERROR_USAGE naming @option. */
gboolean obs_parse_size(const char *text, const char *option,
                        guint64 *out_bytes, GError **error);
/* "90", "90s", "45m", "6h", "2d" in seconds. */
gboolean obs_parse_duration(const char *text, const char *option,
                            gint64 *out_seconds, GError **error);
/* Splits "key=value" at the first "=", key not empty. */
gboolean obs_parse_pair(const char *text, const char *option, char **out_key,
                        char **out_value, GError **error);

/* What the table itself can't say: combinations and ranges. */
gboolean obs_options_check(const ObsOptions *options, GError **error);

#endif
