/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vectors of test-obs-sign.c, included there. The published ones are the
 * examples of the S3 documentation; the others come from a few lines of
 * Python (hmac, hashlib) that know nothing of our code.
 */
{
    .name = "s3-published-get-lifecycle",
    .method = OBS_SIGN_AWS_V4, .http_method = OBS_METHOD_GET,
    .endpoint = "s3.amazonaws.com", .bucket = "examplebucket",
    .query = { "lifecycle", "" },
    .ak = AWS_AK, .sk = AWS_SK, .time = 1369353600, .region = "us-east-1",
    .authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"
        "20130524/us-east-1/s3/aws4_request,SignedHeaders="
        "host;x-amz-content-sha256;x-amz-date,Signature="
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
},
{
    .name = "s3-published-list-objects",
    .method = OBS_SIGN_AWS_V4, .http_method = OBS_METHOD_GET,
    .endpoint = "s3.amazonaws.com", .bucket = "examplebucket",
    .query = { "prefix", "J", "max-keys", "2" },
    .ak = AWS_AK, .sk = AWS_SK, .time = 1369353600, .region = "us-east-1",
    .authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"
        "20130524/us-east-1/s3/aws4_request,SignedHeaders="
        "host;x-amz-content-sha256;x-amz-date,Signature="
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
},
{
    .name = "obs-copy-part-path-style",
    .method = OBS_SIGN_OBS, .http_method = OBS_METHOD_PUT,
    .addressing = OBS_ADDRESSING_PATH,
    .endpoint = "http://127.0.0.1:9000", .bucket = "b-1", .key = "a b/c",
    .query = { "uploadId", "U", "partNumber", "12", "max-parts", "5" },
    .headers = { "x-obs-copy-source-range", "bytes=0-9",
                 "X-OBS-Copy-Source", " b-1/zeros " },
    .token = "tok",
    .ak = OWN_AK, .sk = OWN_SK, .time = OWN_TIME,
    .authorization =
        "OBS TESTKEY00000:QZsy8NPDPNPCZ77kHH/YZHo9rlE=",
},
{
    .name = "obs-list-buckets",
    .method = OBS_SIGN_OBS, .http_method = OBS_METHOD_GET,
    .endpoint = "obs.example.com",
    .ak = OWN_AK, .sk = OWN_SK, .time = OWN_TIME,
    .authorization =
        "OBS TESTKEY00000:S3/sNy+VeibIJByYBJwBhF5TNLw=",
},
{
    .name = "v2-amz-date",
    .method = OBS_SIGN_AWS_V2, .http_method = OBS_METHOD_HEAD,
    .endpoint = "obs.example.com", .bucket = "bucket",
    .other_date = TRUE,
    .ak = OWN_AK, .sk = OWN_SK, .time = OWN_TIME,
    .authorization =
        "AWS TESTKEY00000:H8UX20T1q5LmIsOqBrJ+H9f/5hM=",
},
{
    .name = "v2-repeated-header",
    .method = OBS_SIGN_AWS_V2, .http_method = OBS_METHOD_PUT,
    .endpoint = "obs.example.com", .bucket = "bucket", .key = "k",
    .headers = { "x-amz-meta-a", "1", "x-amz-meta-A", "2",
                 "x-obs-meta-not-signed", "3" },
    .ak = OWN_AK, .sk = OWN_SK, .time = OWN_TIME,
    .authorization =
        "AWS TESTKEY00000:rmXLvGxSM+epAdeeLeztCdvsWEw=",
},
{
    .name = "v4-body-hash-path-style",
    .method = OBS_SIGN_AWS_V4, .http_method = OBS_METHOD_PUT,
    .addressing = OBS_ADDRESSING_PATH,
    .endpoint = "http://127.0.0.1:9000", .bucket = "b-1", .key = "k",
    .query = { "uploadId", "a/b", "partNumber", "1" },
    .headers = { "Content-Type", " a   b " }, .body = "body",
    .token = "tok", .region = "eu-de",
    .ak = OWN_AK, .sk = OWN_SK, .time = OWN_TIME,
    .authorization =
        "AWS4-HMAC-SHA256 Credential=TESTKEY00000/20270115/eu-de/s3"
        "/aws4_request,SignedHeaders=content-type;host;x-amz-conten"
        "t-sha256;x-amz-date;x-amz-security-token,Signature=7464ad3"
        "9973da745f1e2d28134f874e7fdf25a391113b536c1b86aeddaadc0a7",
},
{
    .name = "v4-streamed-body-is-unsigned",
    .method = OBS_SIGN_AWS_V4, .http_method = OBS_METHOD_PUT,
    .endpoint = "obs.example.com", .bucket = "bucket", .key = "k",
    .region = "eu-de",
    .ak = OWN_AK, .sk = OWN_SK, .time = OWN_TIME,
    .authorization =
        "AWS4-HMAC-SHA256 Credential=TESTKEY00000/20270115/eu-de/s3"
        "/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-am"
        "z-date,Signature=e8f3724a05aa3de535e237925538d73b2108c0cf1"
        "ccd8bf32735908b199631c1",
},
{
    .name = "sdk-query-order",
    .method = OBS_SIGN_SDK, .http_method = OBS_METHOD_GET,
    .service = OBS_SERVICE_IMS, .endpoint = "ims.example.com",
    .key = "/v1/a b", .query = { "a", "1", "A", "2", "a", "" },
    .headers = { "X-Project-Id", "p" }, .token = "tok",
    .ak = OWN_AK, .sk = OWN_SK, .time = OWN_TIME,
    .authorization =
        "SDK-HMAC-SHA256 Access=TESTKEY00000, SignedHeaders=host;x-"
        "project-id;x-sdk-date;x-security-token, Signature=79100dbb"
        "dea1a10acdd2f352b317b24c7014748fc67cbd0da65f3d58bacba60a",
},
{
    .name = "legacy-leaves-token-and-project-unsigned",
    .method = OBS_SIGN_SDK_LEGACY, .http_method = OBS_METHOD_GET,
    .service = OBS_SERVICE_IMS, .endpoint = "ims.example.com",
    .key = "/v1/x", .headers = { "X-Project-Id", "p" },
    .token = "tok", .region = "eu-de",
    .ak = OWN_AK, .sk = OWN_SK, .time = OWN_TIME,
    .authorization =
        "SDK-HMAC-SHA256 Credential=TESTKEY00000/20270115/eu-de//sd"
        "k_request, SignedHeaders=host;x-sdk-date, Signature=cbfff9"
        "5014964b54bbd98130d0fee2a0a9449a1bc8b44a68417036da48b13636",
},
