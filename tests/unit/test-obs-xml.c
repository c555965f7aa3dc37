/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OBS's XML: good answers in several dialects, and everything that must not
 * be believed: wrong roots, missing or impossible members, endless lists,
 * depth, size, entities.
 */
#include <string.h>

#include "obs-xml.h"

#define NS "xmlns=\"http://obs.example.com/doc/2015-06-30/\""

static void test_initiate(void)
{
    static const gchar *const good[][2] = {
        { "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
          "<InitiateMultipartUploadResult " NS "><Bucket>b</Bucket>"
          "<Key>k</Key><UploadId>0123ABC</UploadId>"
          "</InitiateMultipartUploadResult>", "0123ABC" },
        { "\xef\xbb\xbf<x:InitiateMultipartUploadResult xmlns:x=\"u\">\n"
          "  <x:UploadId>a~b&amp;c</x:UploadId>\n"
          "</x:InitiateMultipartUploadResult>\n", "a~b&c" },
        /* only the id at the right place counts */
        { "<InitiateMultipartUploadResult><Extra><UploadId>no</UploadId>"
          "</Extra><UploadId>yes</UploadId><More/>"
          "</InitiateMultipartUploadResult>", "yes" },
        { "<InitiateMultipartUploadResult><UploadId><![CDATA[c]]></UploadId>"
          "</InitiateMultipartUploadResult>", "c" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *id = NULL;

        g_assert_true(obs_xml_parse_initiate(good[i][0], strlen(good[i][0]),
                                             &id, &error));
        g_assert_no_error(error);
        g_assert_cmpstr(id, ==, good[i][1]);
    }
}

static void test_initiate_refused(void)
{
    static const gchar *const bad[] = {
        "", " ", "x", "<", "{\"UploadId\":\"x\"}",
        "<html><body>proxy</body></html>",
        "<InitiateMultipartUploadResult>",
        "<InitiateMultipartUploadResult/>",
        "<InitiateMultipartUploadResult><UploadId/>"
        "</InitiateMultipartUploadResult>",
        "<InitiateMultipartUploadResult><UploadId>a b</UploadId>"
        "</InitiateMultipartUploadResult>",
        "<InitiateMultipartUploadResult><UploadId>a&#10;b</UploadId>"
        "</InitiateMultipartUploadResult>",
        "<InitiateMultipartUploadResult><UploadId>&unknown;</UploadId>"
        "</InitiateMultipartUploadResult>",
        "<InitiateMultipartUploadResult><UploadId>\xff</UploadId>"
        "</InitiateMultipartUploadResult>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><InitiateMultipartUploadResult>"
        "<UploadId>&b;</UploadId></InitiateMultipartUploadResult>",
        "<Error><Code>AccessDenied</Code></Error>",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        gchar *id = NULL;

        g_assert_false(obs_xml_parse_initiate(bad[i], strlen(bad[i]), &id,
                                              &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
        g_assert_null(id);
        g_assert_null(strchr(error->message, '\n'));
    }
}

#define PART(number, size, etag)                                            \
    "<Part><PartNumber>" number "</PartNumber><LastModified>x"              \
    "</LastModified><ETag>" etag "</ETag><Size>" size "</Size></Part>"

static ObsXmlPartList *parts(const gchar *inside, guint marker,
                             GError **error)
{
    g_autofree gchar *text = g_strdup_printf("<ListPartsResult " NS
                                             ">%s</ListPartsResult>", inside);

    return obs_xml_parse_parts(text, strlen(text), marker, error);
}

static void test_parts(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsXmlPartList) list =
        parts("<Bucket>b</Bucket><UploadId>U</UploadId>"
              "<Initiator><ID>i</ID></Initiator>"
              "<StorageClass>STANDARD</StorageClass>"
              "<NextPartNumberMarker>7</NextPartNumberMarker>"
              "<IsTruncated>true</IsTruncated>"
              PART("3", "5242880", "\"ABC\"")
              PART("7", "0", "&quot;def&quot;"), 2, &error);
    const ObsXmlPart *part;

    g_assert_no_error(error);
    g_assert_cmpuint(list->parts->len, ==, 2);
    part = list->parts->pdata[0];
    g_assert_cmpuint(part->number, ==, 3);
    g_assert_cmpuint(part->size, ==, 5242880);
    g_assert_cmpstr(part->etag, ==, "abc");
    part = list->parts->pdata[1];
    g_assert_cmpuint(part->number, ==, 7);
    g_assert_cmpstr(part->etag, ==, "def");
    g_assert_true(list->truncated);
    g_assert_cmpuint(list->next_marker, ==, 7);
    g_assert_cmpstr(list->upload_id, ==, "U");
    g_assert_cmpstr(list->storage_class, ==, "STANDARD");
}

static void test_parts_marker(void)
{
    static const struct {
        const gchar *inside;
        guint marker;
        gint next;          /* -1: must be refused */
    } table[] = {
        { "", 0, 0 },
        { "<IsTruncated>false</IsTruncated>", 5, 0 },
        { "<IsTruncated> FALSE </IsTruncated>", 5, 0 },
        { "<IsTruncated>true</IsTruncated>" PART("9", "1", "a"), 5, 9 },
        { "<IsTruncated>true</IsTruncated><NextPartNumberMarker/>"
          PART("9", "1", "a"), 5, 9 },
        { "<IsTruncated>true</IsTruncated>" PART("9", "1", "a"), 9, -1 },
        { "<IsTruncated>true</IsTruncated>", 0, -1 },
        { "<IsTruncated>true</IsTruncated>"
          "<NextPartNumberMarker>5</NextPartNumberMarker>", 5, -1 },
        { "<IsTruncated>true</IsTruncated>"
          "<NextPartNumberMarker>4</NextPartNumberMarker>", 5, -1 },
        { "<IsTruncated>maybe</IsTruncated>", 0, -1 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsXmlPartList) list =
            parts(table[i].inside, table[i].marker, &error);

        if (table[i].next < 0) {
            g_assert_null(list);
            g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
        } else {
            g_assert_no_error(error);
            g_assert_cmpint((gint)list->next_marker, ==, table[i].next);
        }
    }
}

static void test_parts_refused(void)
{
    static const gchar *const bad[] = {
        PART("0", "1", "a"), PART("10001", "1", "a"), PART("-1", "1", "a"),
        PART("1", "-1", "a"), PART("1", "99999999999999999999", "a"),
        PART("1", "1e3", "a"), PART("0x1", "1", "a"), PART("", "1", "a"),
        PART("1", "", "a"), "<Part/>",
        "<Part><PartNumber>1</PartNumber><Size>1</Size></Part>",
        "<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>",
        "<Part><Size>1</Size><ETag>a</ETag></Part>",
        /* a half part must not borrow from the one before */
        PART("1", "1", "a") "<Part><PartNumber>2</PartNumber>"
        "<ETag>b</ETag></Part>",
        PART("1", "1", "a") "</Part>",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(parts(bad[i], 0, &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
    }
}

#define UPLOAD(key, id)                                                     \
    "<Upload><Key>" key "</Key><UploadId>" id "</UploadId><Initiator>"      \
    "<ID>domain</ID></Initiator><StorageClass>STANDARD</StorageClass>"      \
    "<Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>"

static ObsXmlUploadList *uploads(const gchar *inside, const gchar *key,
                                 const gchar *id, GError **error)
{
    g_autofree gchar *text =
        g_strdup_printf("<ListMultipartUploadsResult>%s"
                        "</ListMultipartUploadsResult>", inside);

    return obs_xml_parse_uploads(text, strlen(text), key, id, error);
}

static void test_uploads(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ObsXmlUploadList) list =
        uploads("<KeyMarker/><NextKeyMarker>b&amp;c</NextKeyMarker>"
                "<NextUploadIdMarker>2</NextUploadIdMarker>"
                "<IsTruncated>true</IsTruncated>"
                UPLOAD("a", "1") UPLOAD("b&amp;c", "2"), NULL, NULL, &error);
    const ObsXmlUpload *upload;

    g_assert_no_error(error);
    g_assert_cmpuint(list->uploads->len, ==, 2);
    upload = list->uploads->pdata[1];
    g_assert_cmpstr(upload->key, ==, "b&c");
    g_assert_cmpstr(upload->upload_id, ==, "2");
    g_assert_cmpstr(upload->initiated, ==, "2026-01-02T03:04:05.000Z");
    g_assert_cmpstr(upload->storage_class, ==, "STANDARD");
    g_assert_cmpstr(list->next_key_marker, ==, "b&c");
    g_assert_cmpstr(list->next_upload_id_marker, ==, "2");
}

static void test_uploads_marker(void)
{
    static const struct {
        const gchar *inside, *key, *id;
        gboolean ok;
    } table[] = {
        { "", NULL, NULL, TRUE },
        { "<IsTruncated>true</IsTruncated>" UPLOAD("a", "1"), NULL, NULL,
          TRUE },
        { "<IsTruncated>true</IsTruncated>" UPLOAD("a", "1"), "a", "1",
          FALSE },
        { "<IsTruncated>true</IsTruncated>" UPLOAD("a", "2"), "a", "1",
          TRUE },
        { "<IsTruncated>true</IsTruncated>", NULL, NULL, FALSE },
        { "<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>",
          "a", NULL, FALSE },
        { "<Upload><Key>a</Key></Upload>", NULL, NULL, FALSE },
        { "<Upload><UploadId>1</UploadId></Upload>", NULL, NULL, FALSE },
        { "<Upload/>", NULL, NULL, FALSE },
        { UPLOAD("a", "1") "<Upload><Key>b</Key></Upload>", NULL, NULL,
          FALSE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ObsXmlUploadList) list =
            uploads(table[i].inside, table[i].key, table[i].id, &error);

        g_assert_cmpint(list != NULL, ==, table[i].ok);
        g_assert_cmpint(error == NULL, ==, table[i].ok);
    }
}

#define VERSION(kind, key, id)                                              \
    "<" kind "><Key>" key "</Key><VersionId>" id "</VersionId>"             \
    "<IsLatest>false</IsLatest></" kind ">"

static void test_versions(void)
{
    static const struct {
        const gchar *text;
        const gchar *ids;       /* of key "a&b", joined; NULL: an error */
    } table[] = {
        { "<ListVersionsResult " NS "/>", "" },
        { "<ListVersionsResult " NS "><Name>x</Name>"
          "<IsTruncated>false</IsTruncated>"
          VERSION("DeleteMarker", "a&amp;b", "3")
          VERSION("Version", "a&amp;b", "2.x-y")
          VERSION("Version", "a&amp;bc", "9")
          VERSION("Version", "a&amp;b", "null") "</ListVersionsResult>",
          "3 2.x-y null" },
        /* what lacks an id can't be deleted, so is no end of the work */
        { "<ListVersionsResult><Version><Key>a&amp;b</Key></Version>"
          "</ListVersionsResult>", NULL },
        { "<ListVersionsResult>" VERSION("Version", "a&amp;b", "1 2")
          "</ListVersionsResult>", NULL },
        /* members do not leak from one entry into the next */
        { "<ListVersionsResult>" VERSION("Version", "a&amp;b", "1")
          "<Version><Key>a&amp;b</Key></Version></ListVersionsResult>", NULL },
        { "<ListVersionsResult>" VERSION("Version", "a&amp;b", "1")
          "<Version><VersionId>2</VersionId></Version></ListVersionsResult>",
          "1" },
        { "<ListBucketResult/>", NULL },
        { "<Error><Code>AccessDenied</Code></Error>", NULL },
        { "<ListVersionsResult>", NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) ids =
            obs_xml_parse_versions(table[i].text, strlen(table[i].text),
                                   "a&b", &error);
        g_autofree gchar *joined = NULL;

        g_assert_cmpint(ids != NULL, ==, table[i].ids != NULL);
        g_assert_cmpint(error != NULL, ==, table[i].ids == NULL);
        if (ids) {
            g_ptr_array_add(ids, NULL);
            joined = g_strjoinv(" ", (gchar **)ids->pdata);
            g_assert_cmpstr(joined, ==, table[i].ids);
        }
    }
}

static void test_copy_part(void)
{
    static const gchar *const table[][2] = {
        { "<CopyPartResult " NS "><LastModified>x</LastModified>"
          "<ETag>\"ABC\"</ETag></CopyPartResult>", "abc" },
        /* 200 with an error inside, or without what proves success */
        { "<Error><Code>InternalError</Code></Error>", NULL },
        { "<CopyPartResult><LastModified>x</LastModified></CopyPartResult>",
          NULL },
        { "<CopyPartResult><ETag>\"\"</ETag></CopyPartResult>", NULL },
        { "<CopyPartResult><Error><ETag>x</ETag></Error></CopyPartResult>",
          NULL },
        { "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", NULL },
        { "<CopyPartResult/>", NULL },
        { "", NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *etag = NULL;

        g_assert_cmpint(obs_xml_parse_copy_part(table[i][0],
                                                strlen(table[i][0]), &etag,
                                                &error), ==,
                        table[i][1] != NULL);
        g_assert_cmpint(error == NULL, ==, table[i][1] != NULL);
        g_assert_cmpstr(etag, ==, table[i][1]);
    }
}

static void test_error(void)
{
    static const gchar text[] =
        "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>"
        "<Message>a &lt; b</Message><RequestId>r</RequestId>"
        "<HostId>h</HostId><Endpoint>e</Endpoint><Resource>/x</Resource>"
        "<Deeper><Code>no</Code></Deeper></Error>";
    ObsXmlError error;

    g_assert_true(obs_xml_parse_error(text, strlen(text), &error));
    g_assert_cmpstr(error.code, ==, "NoSuchKey");
    g_assert_cmpstr(error.message, ==, "a < b");
    g_assert_cmpstr(error.request_id, ==, "r");
    g_assert_cmpstr(error.host_id, ==, "h");
    g_assert_cmpstr(error.endpoint, ==, "e");
    g_assert_cmpstr(error.resource, ==, "/x");
    obs_xml_error_clear(&error);

    /* Cut off behind the code: still an error, with what there is. */
    g_assert_true(obs_xml_parse_error(text, 60, &error));
    g_assert_cmpstr(error.code, ==, "NoSuchKey");
    g_assert_null(error.request_id);
    obs_xml_error_clear(&error);

    g_assert_false(obs_xml_parse_error("<Errors/>", 9, &error));
    g_assert_false(obs_xml_parse_error("", 0, &error));
}

static void test_bounds(void)
{
    GString *deep = g_string_new("<ListPartsResult>");
    GString *wide = g_string_new("<ListPartsResult>");
    GString *long_text = g_string_new("<ListPartsResult><UploadId>");
    g_autofree gchar *big = g_strnfill(OBS_XML_MAX_SIZE + 1, ' ');
    GString *const all[] = { deep, wide, long_text };

    for (guint i = 0; i < OBS_XML_MAX_DEPTH; i++) {
        g_string_append(deep, "<a>");
    }
    for (guint i = 0; i < OBS_XML_MAX_DEPTH; i++) {
        g_string_append(deep, "</a>");
    }
    for (guint i = 0; i < OBS_XML_MAX_ENTRIES + 1; i++) {
        g_string_append(wide, PART("1", "1", "a"));
    }
    for (guint i = 0; i < OBS_XML_MAX_TEXT + 1; i++) {
        g_string_append_c(long_text, 'x');
    }
    g_string_append(long_text, "</UploadId>");
    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autoptr(GError) error = NULL;

        g_string_append(all[i], "</ListPartsResult>");
        g_assert_null(obs_xml_parse_parts(all[i]->str, all[i]->len, 0,
                                          &error));
        g_assert_error(error, OBS_ERROR, OBS_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, "more than"));
        g_string_free(all[i], TRUE);
    }
    {
        g_autoptr(GError) error = NULL;

        g_assert_null(obs_xml_parse_parts(big, OBS_XML_MAX_SIZE + 1, 0,
                                          &error));
        g_assert_nonnull(strstr(error->message, "more than"));
    }
}

static void test_build_complete(void)
{
    const gchar *const etags[] = { "abc", "d<e&f" };
    g_autofree gchar *text = obs_xml_build_complete(etags, 2);

    g_assert_cmpstr(text, ==,
        "<CompleteMultipartUpload>"
        "<Part><PartNumber>1</PartNumber><ETag>\"abc\"</ETag></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>\"d&lt;e&amp;f\"</ETag></Part>"
        "</CompleteMultipartUpload>");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xml/initiate", test_initiate);
    g_test_add_func("/xml/initiate-refused", test_initiate_refused);
    g_test_add_func("/xml/parts", test_parts);
    g_test_add_func("/xml/parts-marker", test_parts_marker);
    g_test_add_func("/xml/parts-refused", test_parts_refused);
    g_test_add_func("/xml/uploads", test_uploads);
    g_test_add_func("/xml/uploads-marker", test_uploads_marker);
    g_test_add_func("/xml/versions", test_versions);
    g_test_add_func("/xml/copy-part", test_copy_part);
    g_test_add_func("/xml/error", test_error);
    g_test_add_func("/xml/bounds", test_bounds);
    g_test_add_func("/xml/build-complete", test_build_complete);
    return g_test_run();
}
