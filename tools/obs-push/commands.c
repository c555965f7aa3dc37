/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command table: see commands.h. */
#include "commands.h"

#include "cmd-bitmap.h"

#define COMMON (OBS_OPTIONS_OUTPUT | OBS_OPTIONS_CONNECT)
#define UPLOADING (OBS_OPTIONS_STATE | OBS_OPTIONS_UPLOAD | \
                   OBS_OPTIONS_RAW | OBS_OPTIONS_DRY)
#define REGISTERING (OBS_OPTIONS_IMAGE | OBS_OPTIONS_JOB)

const ObsCommand obs_commands[] = {
    {
        .name = "push",
        .arguments = "FILE obs://BUCKET/[KEY]",
        .summary = "Check, upload, register and wait: what is done when no "
                   "command is named",
        .description =
            "Checks the image, proves with cheap requests that the import "
            "can succeed, uploads the image (and the bitmap of a RAW image), "
            "registers it by fast import and waits until it is there.\n\n"
            "Run the same command again after a break: it goes on where it "
            "ended.",
        .examples =
            "obs-push image01.zvhd2 obs://mybucket/images/ --cloud otc "
            "--region eu-de --name web-01 --os-version \"Ubuntu 22.04 server "
            "64bit\" --min-disk 40\n"
            "obs-push data.zvhd2 obs://mybucket/data.zvhd2 --region "
            "cn-north-4 --cloud huawei --name data-01 --type data --no-wait\n"
            "obs-push image01.zvhd2 obs://mybucket/images/ --name web-01 "
            "--os-version \"Ubuntu 22.04 server 64bit\" --dry-run",
        .groups = COMMON | UPLOADING | REGISTERING,
        .min_args = 2, .max_args = 2,
        .run = obs_cmd_push,
    }, {
        .name = "check",
        .arguments = "FILE",
        .summary = "Tell what a file is and whether it is sound",
        .description =
            "Works without a network. A ZVHD2 image must have a right "
            "header, footer, bitmap and index, and records that follow each "
            "other without overlap; --deep also expands every block. The "
            "bitmap beside a RAW image is compared with the image.",
        .examples =
            "obs-push check image01.zvhd2\n"
            "obs-push check --deep image01.zvhd2",
        .groups = OBS_OPTIONS_OUTPUT | OBS_OPTIONS_RAW | OBS_OPTIONS_CHECK,
        .min_args = 1, .max_args = 1,
        .run = obs_cmd_check,
    }, {
        .name = "upload",
        .arguments = "FILE obs://BUCKET/[KEY]",
        .summary = "Upload a file, resumably",
        .description =
            "Uploads in parts, several at once, each with its MD5; compares "
            "what the server says it stored. After a break the same command "
            "sends what is missing. A KEY that ends with / (or none) gets "
            "the name of the file. Zeros of a RAW image are not sent but "
            "copied inside the cloud. With --upload-id "
            "also an upload that another tool began is brought to its end, "
            "if its parts lie end to end; what the server has is compared "
            "and not sent again.",
        .examples =
            "obs-push upload image01.zvhd2 obs://mybucket/images/ --cloud "
            "otc --region eu-de\n"
            "obs-push upload image01.zvhd2 obs://mybucket/key --endpoint "
            "http://127.0.0.1:7480 --path-style --signature v2\n"
            "obs-push upload disk.raw obs://mybucket/ --limit-rate 20MiB "
            "--part-size 64MiB --deadline 6h",
        .groups = COMMON | UPLOADING,
        .min_args = 2, .max_args = 2,
        .run = obs_cmd_upload,
    }, {
        .name = "register",
        .arguments = "obs://BUCKET/KEY",
        .summary = "Make an image of an uploaded object by fast import",
        .description =
            "Checks quota, name, operating system, bucket and object, then "
            "asks the image service to import the object. Prints the job's "
            "number; --wait waits for the image.",
        .examples =
            "obs-push register obs://mybucket/images/image01.zvhd2 --cloud "
            "otc --region eu-de --name web-01 --os-version \"Ubuntu 22.04 "
            "server 64bit\" --min-disk 40 --wait",
        .groups = COMMON | REGISTERING | OBS_OPTIONS_RAW | OBS_OPTIONS_DRY,
        .min_args = 1, .max_args = 1,
        .run = obs_cmd_register,
    }, {
        .name = "wait",
        .arguments = "JOB",
        .summary = "Wait for an import and tell the image",
        .description =
            "Looks at the job until it has succeeded or failed. A failed "
            "import ends at once with the service's code, its reason and "
            "what to do.",
        .examples =
            "obs-push wait 8a12fc664fb4daa3014fb4e581380005 --cloud otc "
            "--region eu-de",
        .groups = COMMON | OBS_OPTIONS_JOB,
        .min_args = 1, .max_args = 1,
        .run = obs_cmd_wait,
    }, {
        .name = "bitmap",
        .arguments = OBS_BITMAP_ARGUMENTS,
        .summary = OBS_BITMAP_SUMMARY,
        .description = OBS_BITMAP_DESCRIPTION,
        .examples = OBS_BITMAP_EXAMPLES,
        .groups = OBS_OPTIONS_OUTPUT,
        .run_raw = obs_cmd_bitmap,
        .raw_entries = obs_bitmap_entries,
    }, {
        .name = "uploads",
        .arguments = "[obs://BUCKET/[PREFIX]]",
        .summary = "List unfinished uploads, here and on the server",
        .description =
            "Without an argument, or with --local: the uploads that this "
            "machine can resume. With a bucket also the open uploads that "
            "the server knows of; these take up paid space until they are "
            "completed or aborted.",
        .examples =
            "obs-push uploads\n"
            "obs-push uploads obs://mybucket/images/ --cloud otc --region "
            "eu-de",
        .groups = COMMON | OBS_OPTIONS_STATE | OBS_OPTIONS_LOCAL,
        .min_args = 0, .max_args = 1,
        .run = obs_cmd_uploads,
    }, {
        .name = "abort",
        .arguments = "obs://BUCKET/[KEY] [UPLOAD-ID]",
        .summary = "Drop unfinished uploads, here and on the server",
        .description =
            "Ends the unfinished uploads of exactly this key (or just the "
            "one with this id): their parts are deleted on the server, their "
            "journals here. With --all every upload whose key begins so.",
        .examples =
            "obs-push abort obs://mybucket/images/image01.zvhd2\n"
            "obs-push abort --all obs://mybucket/images/",
        .groups = COMMON | OBS_OPTIONS_STATE | OBS_OPTIONS_LOCAL |
                  OBS_OPTIONS_DRY,
        .min_args = 1, .max_args = 2,
        .run = obs_cmd_abort,
    }, {
        .name = "os-versions",
        .arguments = "[TEXT]",
        .summary = "List the operating systems that the image service knows",
        .description =
            "One for each line, spelled as --os-version wants it. With TEXT "
            "only those that contain it, upper and lower case alike.",
        .examples = "obs-push os-versions ubuntu --cloud otc --region eu-de",
        .groups = COMMON | OBS_OPTIONS_IMAGE,
        .min_args = 0, .max_args = 1,
        .run = obs_cmd_os_versions,
    }, {
        .name = "config",
        .arguments = "",
        .summary = "Show what addresses and credentials would be used",
        .description =
            "Tells where the credentials come from, the addresses, the "
            "protocol and the folder of the journals. Sends nothing and "
            "shows no secret.",
        .examples = "obs-push config --cloud otc --region eu-de",
        .groups = COMMON | OBS_OPTIONS_STATE,
        .min_args = 0, .max_args = 0,
        .run = obs_cmd_config,
    },
    { NULL }
};
