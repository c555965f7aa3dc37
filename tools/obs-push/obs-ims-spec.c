/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be registered: checking it by the documented rules, and turning
 * it into the request.
 */
#include "obs-ims.h"

#include <string.h>

#include <json-glib/json-glib.h>

#include "obs-url.h"

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIN_DISK_MAX 1024
#define FILE_MAX (G_GUINT64_CONSTANT(1) << 40)
#define FILE_WARN G_GUINT64_CONSTANT(1000000000000)
#define NAME_MAX_CHARACTERS 128
#define DESCRIPTION_MAX_CHARACTERS 1024
#define OS_VERSION_MAX 255
#define TAGS_MAX 10
#define TAG_KEY_MAX 36
#define TAG_VALUE_MAX 43

static const struct {
    const gchar *name, *wire;
    ObsImageKind kind;
} kinds[] = {
    { "system", "ECS", OBS_IMAGE_SYSTEM },
    { "bms", "BMS", OBS_IMAGE_BMS },
    { "data", "DataImage", OBS_IMAGE_DATA },
};

gboolean obs_image_kind_parse(const gchar *text, ObsImageKind *out_kind)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (g_str_equal(text, kinds[i].name)) {
            *out_kind = kinds[i].kind;
            return TRUE;
        }
    }
    return FALSE;
}

gint64 obs_image_min_disk(guint64 virtual_size)
{
    return (gint64)MAX(virtual_size / GIB + (virtual_size % GIB != 0), 1);
}

static gint64 effective_min_disk(const ObsImageSpec *spec)
{
    return spec->min_disk ? spec->min_disk
                          : obs_image_min_disk(spec->virtual_size);
}

static gboolean fail(GError **error, const gchar *format, ...)
    G_GNUC_PRINTF(2, 3);

static gboolean fail(GError **error, const gchar *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error) {
        *error = g_error_new_valist(OBS_ERROR, OBS_ERROR_USAGE, format, args);
    }
    va_end(args);
    return FALSE;
}

/* One of the words, or NULL for "not given". */
static gboolean check_word(const gchar *value, const gchar *option,
                           const gchar *a, const gchar *b, GError **error)
{
    if (value && !g_str_equal(value, a) && !g_str_equal(value, b)) {
        return fail(error, "%s \"%s\" is neither %s nor %s", option, value, a,
                    b);
    }
    return TRUE;
}

static gboolean check_name(const gchar *name, GPtrArray *warnings,
                           GError **error)
{
    gboolean ascii = TRUE;
    glong length;

    if (!name || !*name) {
        return fail(error, "the image needs a --name");
    }
    if (!g_utf8_validate(name, -1, NULL)) {
        return fail(error, "the image name is not valid UTF-8");
    }
    length = g_utf8_strlen(name, -1);
    if (length > NAME_MAX_CHARACTERS) {
        return fail(error, "the image name has %ld characters; at most %d "
                    "are allowed", length, NAME_MAX_CHARACTERS);
    }
    if (name[0] == ' ' || name[strlen(name) - 1] == ' ') {
        return fail(error, "the image name must not begin or end with a "
                    "space");
    }
    for (const gchar *p = name; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (c >= 0x80 && g_unichar_isalpha(c)) {
            ascii = FALSE;
        } else if (c >= 0x80 || (!g_ascii_isalnum(*p) &&
                                 !strchr("-._ ", *p))) {
            return fail(error, "the image name has a forbidden character at "
                        "byte %d; use letters, digits, spaces and -._",
                        (int)(p - name));
        }
    }
    if (!ascii) {
        g_ptr_array_add(warnings,
                        g_strdup("the image name has letters that are not "
                                 "ASCII; some clouds refuse them"));
    }
    return TRUE;
}

static gboolean check_description(const gchar *text, GError **error)
{
    if (!text) {
        return TRUE;
    }
    if (!g_utf8_validate(text, -1, NULL)) {
        return fail(error, "the description is not valid UTF-8");
    }
    if (g_utf8_strlen(text, -1) > DESCRIPTION_MAX_CHARACTERS) {
        return fail(error, "the description has more than %d characters",
                    DESCRIPTION_MAX_CHARACTERS);
    }
    for (const gchar *p = text; *p; p = g_utf8_next_char(p)) {
        if (*p == '<' || *p == '>' || g_unichar_iscntrl(g_utf8_get_char(p))) {
            return fail(error, "the description has a line break, control "
                        "character, \"<\" or \">\" at byte %d",
                        (int)(p - text));
        }
    }
    return TRUE;
}

static gboolean check_tag_text(const gchar *text, gsize max)
{
    if (strlen(text) > max) {
        return FALSE;
    }
    for (; *text; text++) {
        if (!g_ascii_isalnum(*text) && *text != '_' && *text != '-') {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_tags(const GPtrArray *tags, GError **error)
{
    for (guint i = 0; tags && i < tags->len; i++) {
        const ObsPair *tag = tags->pdata[i];

        if (i == TAGS_MAX) {
            return fail(error, "more than %d tags", TAGS_MAX);
        }
        if (!*tag->name || !check_tag_text(tag->name, TAG_KEY_MAX)) {
            return fail(error, "the key of tag %u must be 1 to %d letters, "
                        "digits, \"_\" or \"-\"", i + 1, TAG_KEY_MAX);
        }
        if (tag->value && !check_tag_text(tag->value, TAG_VALUE_MAX)) {
            return fail(error, "the value of tag \"%s\" must be at most %d "
                        "letters, digits, \"_\" or \"-\"", tag->name,
                        TAG_VALUE_MAX);
        }
        for (guint k = 0; k < i; k++) {
            const ObsPair *other = tags->pdata[k];

            if (g_str_equal(other->name, tag->name)) {
                return fail(error, "tag \"%s\" is given twice", tag->name);
            }
        }
    }
    return TRUE;
}

/* "0" or 8-4-4-4-12 hex digits. */
static gboolean check_enterprise_project(const gchar *id, GError **error)
{
    if (id && *id && !g_str_equal(id, "0") && !g_uuid_string_is_valid(id)) {
        return fail(error, "enterprise project \"%s\" is neither 0 nor a "
                    "UUID", id);
    }
    return TRUE;
}

static gboolean check_disk(const ObsImageSpec *spec, GPtrArray *warnings,
                           GError **error)
{
    gint64 needed = obs_image_min_disk(spec->virtual_size);
    gint64 min_disk = effective_min_disk(spec);
    gboolean windows = spec->os_version &&
                       g_str_has_prefix(spec->os_version, "Windows");

    if (spec->file_size > FILE_MAX) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "the file has %" G_GUINT64_FORMAT " bytes; the image "
                    "service imports at most 1 TB", spec->file_size);
        return FALSE;
    }
    if (needed > MIN_DISK_MAX) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_SOURCE,
                    "the disk in the image has %" G_GINT64_FORMAT " GiB; "
                    "images can have at most %d", needed, MIN_DISK_MAX);
        return FALSE;
    }
    if (!spec->min_disk && !spec->virtual_size) {
        return fail(error, "the size of the disk in the image is not known: "
                    "give --min-disk");
    }
    if (min_disk < 1 || min_disk > MIN_DISK_MAX) {
        return fail(error, "--min-disk %" G_GINT64_FORMAT " is not between 1 "
                    "and %d GB", min_disk, MIN_DISK_MAX);
    }
    if (spec->virtual_size && min_disk < needed) {
        return fail(error, "--min-disk %" G_GINT64_FORMAT " is smaller than "
                    "the disk in the image: at least %" G_GINT64_FORMAT
                    " GB are needed", min_disk, needed);
    }
    if (spec->file_size > FILE_WARN) {
        g_ptr_array_add(warnings,
                        g_strdup("the file is larger than 10^12 bytes; the "
                                 "image service may count its limit of 1 TB "
                                 "that way"));
    }
    if (spec->kind == OBS_IMAGE_SYSTEM && min_disk < (windows ? 20 : 10)) {
        g_ptr_array_add(warnings,
            g_strdup_printf("some clouds want a --min-disk of at least %d "
                            "for this system", windows ? 20 : 10));
    }
    return TRUE;
}

static gboolean check_system(const ObsImageSpec *spec, GPtrArray *warnings,
                             GError **error)
{
    if (spec->kind == OBS_IMAGE_DATA) {
        if (spec->os_version || spec->architecture || spec->firmware ||
            spec->license_type) {
            return fail(error, "--os-version, --architecture, --firmware and "
                        "--license-type are not for data images");
        }
        return check_word(spec->os_type, "--os-type", "Linux", "Windows",
                          error);
    }
    if (!spec->os_version || !*spec->os_version) {
        return fail(error, "a system image needs --os-version: "
                    "\"obs-push os-versions\" lists the names");
    }
    if (strlen(spec->os_version) > OS_VERSION_MAX ||
        !g_utf8_validate(spec->os_version, -1, NULL)) {
        return fail(error, "--os-version is too long or not valid UTF-8");
    }
    if (spec->os_type) {
        return fail(error, "--os-type is for data images only; a system "
                    "image has --os-version");
    }
    if (!check_word(spec->architecture, "--architecture", "x86", "arm",
                    error) ||
        !check_word(spec->firmware, "--firmware", "bios", "uefi", error) ||
        !check_word(spec->license_type, "--license-type", "platform", "byol",
                    error)) {
        return FALSE;
    }
    if (g_strcmp0(spec->architecture, "arm") == 0 &&
        g_strcmp0(spec->firmware, "bios") == 0) {
        return fail(error, "--architecture arm can't have --firmware bios");
    }
    if (spec->license_type && !g_str_has_prefix(spec->os_version,
                                                "Windows")) {
        g_ptr_array_add(warnings,
                        g_strdup("--license-type matters for Windows only"));
    }
    return TRUE;
}

gboolean obs_image_spec_check(const ObsImageSpec *spec, GPtrArray *warnings,
                              GError **error)
{
    if (!check_name(spec->name, warnings, error) ||
        !check_description(spec->description, error) ||
        !check_system(spec, warnings, error) ||
        !obs_url_check_bucket(spec->bucket, error) ||
        !obs_url_check_key(spec->key, TRUE, error) ||
        !check_disk(spec, warnings, error) ||
        !check_tags(spec->tags, error) ||
        !check_enterprise_project(spec->enterprise_project_id, error)) {
        return FALSE;
    }
    if (strchr(spec->bucket, '.')) {
        g_ptr_array_add(warnings,
                        g_strdup("it is not known whether the image service "
                                 "takes buckets with \".\" in the name"));
    }
    return TRUE;
}

/* ------------------------------------------------------------------------ */

static void add_text(JsonBuilder *builder, const gchar *name,
                     const gchar *value)
{
    if (value) {
        json_builder_set_member_name(builder, name);
        json_builder_add_string_value(builder, value);
    }
}

static void add_tags(JsonBuilder *builder, const GPtrArray *tags)
{
    if (!tags || !tags->len) {
        return;
    }
    json_builder_set_member_name(builder, "image_tags");
    json_builder_begin_array(builder);
    for (guint i = 0; i < tags->len; i++) {
        const ObsPair *tag = tags->pdata[i];

        json_builder_begin_object(builder);
        add_text(builder, "key", tag->name);
        add_text(builder, "value", tag->value ? tag->value : "");
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

ObsRequest *obs_ims_import_request(const ObsEndpoint *ims,
                                   const ObsImageSpec *spec)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree gchar *url = g_strconcat(spec->bucket, ":", spec->key, NULL);
    g_autofree gchar *json = NULL;
    ObsRequest *request;

    json_builder_begin_object(builder);
    add_text(builder, "name", spec->name);
    add_text(builder, "os_version", spec->os_version);
    add_text(builder, "image_url", url);
    json_builder_set_member_name(builder, "min_disk");
    json_builder_add_int_value(builder, effective_min_disk(spec));
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (kinds[i].kind == spec->kind) {
            add_text(builder, "type", kinds[i].wire);
        }
    }
    if (spec->kind == OBS_IMAGE_DATA) {
        add_text(builder, "os_type", spec->os_type ? spec->os_type : "Linux");
    }
    add_text(builder, "architecture", spec->architecture);
    add_text(builder, "hw_firmware_type", spec->firmware);
    add_text(builder, "license_type", spec->license_type);
    add_text(builder, "description", spec->description);
    if (spec->enterprise_project_id && *spec->enterprise_project_id) {
        add_text(builder, "enterprise_project_id",
                 spec->enterprise_project_id);
    }
    add_tags(builder, spec->tags);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    json_generator_set_root(generator, root);
    json = json_generator_to_data(generator, NULL);

    request = obs_request_new_path(OBS_METHOD_POST, OBS_SERVICE_IMS, ims,
                                   "/v2/cloudimages/quickimport/action");
    obs_request_set_json(request, json);
    return request;
}
