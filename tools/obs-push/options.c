/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option table: see options.h. */
#include "options.h"

#include <string.h>

#include "obs-error.h"

ObsOptions obs_options;

gboolean obs_parse_size(const char *text, const char *option,
                        guint64 *out_bytes, GError **error)
{
    static const char units[] = "KMGT";
    g_autofree char *number = NULL;
    const char *unit = text + strspn(text, "0123456789");
    const char *which;
    guint64 value;
    guint shift = 0;
    const char *rest = unit;

    if (*unit && (which = strchr(units, g_ascii_toupper(*unit)))) {
        shift = 10 * (which - units + 1);
        rest = unit + 1;
        if (g_ascii_tolower(*rest) == 'i') {
            rest++;
        }
    }
    if (g_ascii_tolower(*rest) == 'b') {
        rest++;
    }
    number = g_strndup(text, unit - text);
    if (*rest || !g_ascii_string_to_unsigned(number, 10, 1,
                                             G_MAXINT64 >> shift, &value,
                                             NULL)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "%s: \"%s\" is no size; write for example 16MiB or 1G",
                    option, text);
        return FALSE;
    }
    *out_bytes = value << shift;
    return TRUE;
}

gboolean obs_parse_duration(const char *text, const char *option,
                            gint64 *out_seconds, GError **error)
{
    const char *unit = text + strspn(text, "0123456789");
    g_autofree char *number = g_strndup(text, unit - text);
    guint64 value, factor = 0;

    switch (*unit) {
    case '\0':
    case 's':
        factor = 1;
        break;
    case 'm':
        factor = 60;
        break;
    case 'h':
        factor = 3600;
        break;
    case 'd':
        factor = 86400;
        break;
    }
    if (!factor || (*unit && unit[1]) ||
        !g_ascii_string_to_unsigned(number, 10, 1, 86400 * 365 / factor,
                                    &value, NULL)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "%s: \"%s\" is no time; write for example 90s, 45m or 6h",
                    option, text);
        return FALSE;
    }
    *out_seconds = value * factor;
    return TRUE;
}

gboolean obs_parse_pair(const char *text, const char *option, char **out_key,
                        char **out_value, GError **error)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "%s: \"%s\" is not of the form key=value", option, text);
        return FALSE;
    }
    *out_key = g_strndup(text, equals - text);
    *out_value = g_strdup(equals + 1);
    return TRUE;
}

static gboolean on_size(const char *name, const char *value, gpointer data,
                        GError **error)
{
    guint64 *target = strcmp(name, "--part-size") == 0
                      ? &obs_options.part_size : &obs_options.limit_rate;

    return obs_parse_size(value, name, target, error);
}

static gboolean on_deadline(const char *name, const char *value,
                            gpointer data, GError **error)
{
    return obs_parse_duration(value, name, &obs_options.deadline, error);
}

#define O obs_options
#define FLAG(name, letter, field, help) \
    { name, letter, 0, G_OPTION_ARG_NONE, &O.field, help, NULL }
#define TEXT(name, field, help, arg) \
    { name, 0, 0, G_OPTION_ARG_STRING, &O.field, help, arg }
#define PATH(name, field, help, arg) \
    { name, 0, 0, G_OPTION_ARG_FILENAME, &O.field, help, arg }
#define NUMBER(name, letter, field, help, arg) \
    { name, letter, 0, G_OPTION_ARG_INT, &O.field, help, arg }
#define LIST(name, field, help, arg) \
    { name, 0, 0, G_OPTION_ARG_STRING_ARRAY, &O.field, help, arg }
#define CALL(name, function, help, arg) \
    { name, 0, 0, G_OPTION_ARG_CALLBACK, (gpointer)function, help, arg }

static const GOptionEntry output_entries[] = {
    FLAG("json", 0, json, "One JSON object a line, for programs"),
    FLAG("quiet", 'q', quiet, "Print results, warnings and errors only"),
    FLAG("verbose", 'v', verbose,
         "Show each request and answer, without secrets"),
    { NULL }
};

static const GOptionEntry connect_entries[] = {
    TEXT("region", region, "Region of bucket and image", "NAME"),
    TEXT("cloud", cloud, "huawei, huawei-eu, otc, otc-swiss, "
         "flexible-engine or another known cloud", "NAME"),
    TEXT("cloud-suffix", cloud_suffix,
         "Hosts are SERVICE.REGION.SUFFIX", "SUFFIX"),
    TEXT("endpoint", endpoint, "Address of the object storage", "URL"),
    TEXT("ims-endpoint", ims_endpoint, "Address of the image service", "URL"),
    TEXT("iam-endpoint", iam_endpoint, "Address of the identity service",
         "URL"),
    FLAG("path-style", 0, path_style,
         "Bucket in the path and not in the host name"),
    TEXT("signature", signature,
         "Protocol of the object storage: obs, v2 or v4 (default: asked of "
         "the bucket)", "NAME"),
    TEXT("ims-signature", ims_signature,
         "Signature for the image service: sdk or legacy (default: sdk, and "
         "legacy if that is refused)", "NAME"),
    PATH("cacert", cacert, "Trust the authorities in this PEM file", "FILE"),
    PATH("credentials-file", credentials_file,
         "Read keys from this file (INI profile or obsutil style)", "FILE"),
    TEXT("profile", profile, "Section of the credentials file", "NAME"),
    TEXT("os-cloud", os_cloud, "Entry of clouds.yaml", "NAME"),
    FLAG("no-metadata", 0, no_metadata,
         "Never ask the metadata service for keys"),
    TEXT("metadata-endpoint", metadata_endpoint,
         "Address of the metadata service", "URL"),
    TEXT("project-id", project_id, "Project, if IAM should not be asked",
         "ID"),
    NUMBER("connect-timeout", 0, connect_timeout,
           "Seconds for connecting (default 15)", "SECONDS"),
    NUMBER("timeout", 0, timeout,
           "Seconds without a byte before a request is given up (default 60)",
           "SECONDS"),
    NUMBER("retries", 0, retries,
           "Attempts of each request (default 10)", "N"),
    CALL("deadline", on_deadline,
         "Stop after this time, resumably: 90s, 45m, 6h", "TIME"),
    { NULL }
};

static const GOptionEntry state_entries[] = {
    PATH("state-dir", state_dir,
         "Where journals of unfinished uploads are kept "
         "(default $XDG_STATE_HOME/obs-push)", "DIR"),
    { NULL }
};

static const GOptionEntry upload_entries[] = {
    CALL("part-size", on_size,
         "Size of a part, grown as needed (default 16MiB)", "SIZE"),
    NUMBER("parallel", 'j', parallel, "Requests in flight (default 8)", "N"),
    CALL("limit-rate", on_size, "Upload at most so much a second", "SIZE"),
    TEXT("storage-class", storage_class,
         "STANDARD, WARM or COLD; images need STANDARD", "CLASS"),
    TEXT("acl", acl, "Canned access rule of the object, e.g. private",
         "NAME"),
    TEXT("sse", sse, "Encrypt on the server: AES256, kms or kms:KEYID",
         "METHOD"),
    LIST("meta", meta, "Metadata of the object, may be repeated",
         "KEY=VALUE"),
    FLAG("no-clobber", 0, no_clobber, "Fail if the object exists"),
    FLAG("if-changed", 0, if_changed,
         "Upload only if the object differs from the file"),
    FLAG("restart", 0, restart,
         "Drop what an interrupted upload has left and begin anew"),
    TEXT("upload-id", upload_id,
         "Go on with this unfinished upload, begun by another tool or on "
         "another machine; see uploads", "ID"),
    { NULL }
};

static const GOptionEntry raw_entries[] = {
    PATH("bitmap", bitmap, "Bitmap of the RAW image (default: its name with "
         ".mf; made if missing)", "FILE"),
    FLAG("no-bitmap", 0, no_bitmap, "A RAW image without bitmap"),
    PATH("layout", layout, "Layout of the bitmap, as found by bitmap --fit",
         "FILE"),
    { NULL }
};

static const GOptionEntry image_entries[] = {
    TEXT("name", name, "Name of the image", "NAME"),
    TEXT("type", type, "system (default), data or bms", "TYPE"),
    TEXT("os-version", os_version,
         "Operating system as the service spells it; see os-versions",
         "NAME"),
    TEXT("os-type", os_type, "Linux or Windows, for data images", "NAME"),
    { "min-disk", 0, 0, G_OPTION_ARG_INT64, &O.min_disk,
      "Smallest disk in GB (default: what the image needs)", "GB" },
    TEXT("description", description, "Description of the image", "TEXT"),
    TEXT("architecture", architecture, "x86 or arm", "NAME"),
    TEXT("firmware", firmware, "bios or uefi", "NAME"),
    LIST("tag", tags, "Tag of the image, may be repeated", "KEY=VALUE"),
    TEXT("enterprise-project", enterprise_project, "Enterprise project",
         "ID"),
    FLAG("duplicate-name", 0, duplicate_name,
         "Go on although there is an image of this name"),
    TEXT("license-type", license_type, "platform or byol (Windows)", "NAME"),
    { NULL }
};

static const GOptionEntry job_entries[] = {
    FLAG("wait", 0, wait, "Wait until the image is there"),
    FLAG("no-wait", 0, no_wait, "Return once the import has begun"),
    NUMBER("poll-interval", 0, poll_interval,
           "Seconds between two looks at the job (default 10)", "SECONDS"),
    { NULL }
};

static const GOptionEntry dry_entries[] = {
    FLAG("dry-run", 'n', dry_run, "Do all checks and change nothing"),
    { NULL }
};

static const GOptionEntry check_entries[] = {
    FLAG("deep", 0, deep, "Read and expand every block as well"),
    { NULL }
};

static const GOptionEntry local_entries[] = {
    FLAG("local", 0, local_only, "Only what this machine knows of"),
    FLAG("all", 0, all, "All that the arguments match"),
    { NULL }
};

const ObsOptionTable obs_option_tables[] = {
    { OBS_OPTIONS_IMAGE, "Image", image_entries },
    { OBS_OPTIONS_JOB, "Waiting", job_entries },
    { OBS_OPTIONS_UPLOAD, "Upload", upload_entries },
    { OBS_OPTIONS_RAW, "RAW images", raw_entries },
    { OBS_OPTIONS_CHECK, "Checking", check_entries },
    { OBS_OPTIONS_LOCAL, "Selection", local_entries },
    { OBS_OPTIONS_DRY, "Rehearsal", dry_entries },
    { OBS_OPTIONS_CONNECT, "Connection and credentials", connect_entries },
    { OBS_OPTIONS_STATE, "State", state_entries },
    { OBS_OPTIONS_OUTPUT, "Output", output_entries },
    { 0, NULL, NULL }
};

static gboolean in_range(const char *option, int value, int most,
                         GError **error)
{
    /* 0: not given, or given as 0, which means nothing either. */
    if (value >= 0 && value <= most) {
        return TRUE;
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                "%s must be 1 to %d", option, most);
    return FALSE;
}

static gboolean one_of(const char *option, const char *value,
                       const char *const *allowed, GError **error)
{
    g_autofree char *list = NULL;

    if (!value || g_strv_contains(allowed, value)) {
        return TRUE;
    }
    list = g_strjoinv(", ", (char **)allowed);
    g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                "%s: \"%s\" is none of %s", option, value, list);
    return FALSE;
}

gboolean obs_options_check(const ObsOptions *o, GError **error)
{
    static const char *const signatures[] = { "obs", "v2", "v4", NULL };
    static const char *const ims_signatures[] = { "sdk", "legacy", NULL };
    static const char *const classes[] = {
        "STANDARD", "WARM", "COLD", "DEEP_ARCHIVE", "INTELLIGENT_TIERING",
        NULL
    };

    if (o->json && o->quiet) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--json and --quiet exclude each other");
        return FALSE;
    }
    if (o->wait && o->no_wait) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--wait and --no-wait exclude each other");
        return FALSE;
    }
    if (o->no_clobber && o->if_changed) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--no-clobber and --if-changed exclude each other");
        return FALSE;
    }
    if (o->upload_id && (o->restart || o->if_changed || o->storage_class ||
                         o->acl || o->sse || o->meta)) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--upload-id excludes --restart and --if-changed; storage "
                    "class, ACL, encryption and metadata are those that the "
                    "upload was begun with");
        return FALSE;
    }
    if (o->no_bitmap && o->bitmap) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--bitmap and --no-bitmap exclude each other");
        return FALSE;
    }
    if (o->sse && strcmp(o->sse, "AES256") != 0 &&
        strcmp(o->sse, "kms") != 0 && !g_str_has_prefix(o->sse, "kms:")) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--sse: \"%s\" is none of AES256, kms, kms:KEYID",
                    o->sse);
        return FALSE;
    }
    if (o->min_disk < 0) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_USAGE,
                    "--min-disk can't be negative");
        return FALSE;
    }
    return one_of("--signature", o->signature, signatures, error) &&
           one_of("--ims-signature", o->ims_signature, ims_signatures,
                  error) &&
           one_of("--storage-class", o->storage_class, classes, error) &&
           in_range("--parallel", o->parallel, 256, error) &&
           in_range("--retries", o->retries, 1000, error) &&
           in_range("--timeout", o->timeout, 86400, error) &&
           in_range("--connect-timeout", o->connect_timeout, 3600, error) &&
           in_range("--poll-interval", o->poll_interval, 3600, error);
}
