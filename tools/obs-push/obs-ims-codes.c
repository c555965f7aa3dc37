/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image service's error codes: what each means and what the user can do.
 */
#include "obs-ims-codes.h"

static const ObsImsCode codes[] = {
    { "IMG.0001", "the request was not understood",
      "run again with -v and report the request shown there",
      OBS_ERROR_REGISTER, FALSE },
    { "IMG.0002", "the image name is too long",
      "choose a --name of at most 128 characters", OBS_ERROR_USAGE, FALSE },
    { "IMG.0003", "the image name has forbidden characters",
      "use letters, digits, spaces and -._ in --name", OBS_ERROR_USAGE,
      FALSE },
    { "IMG.0004", "the description is too long",
      "use at most 1024 characters in --description", OBS_ERROR_USAGE,
      FALSE },
    { "IMG.0009", "an image of this name exists",
      "choose another --name or delete that image", OBS_ERROR_REGISTER,
      FALSE },
    { "IMG.0015", "the image quota is used up",
      "delete private images or ask for a larger quota", OBS_ERROR_REGISTER,
      FALSE },
    { "IMG.0017", "the address of the object is not valid",
      "check bucket and key; the key must have no spaces or \":\"",
      OBS_ERROR_REGISTER, FALSE },
    { "IMG.0024", "the image type is not valid for this cloud",
      "try another --type", OBS_ERROR_USAGE, FALSE },
    { "IMG.0026", "the user lacks a permission for images",
      "grant ims:serverImages:create (or ims:dataImages:create) and read "
      "access to the bucket", OBS_ERROR_CREDENTIALS, FALSE },
    { "IMG.0030", "project and credentials do not belong together",
      "check --project-id and --region", OBS_ERROR_CREDENTIALS, FALSE },
    { "IMG.0054", "the description has forbidden characters",
      "leave out line breaks, \"<\" and \">\" in --description",
      OBS_ERROR_USAGE, FALSE },
    { "IMG.0055", "min_disk is not valid or too small for the disk in the "
      "image", "raise --min-disk", OBS_ERROR_USAGE, FALSE },
    { "IMG.0056", "this cloud does not support that os_version",
      "take an exact name from \"obs-push os-versions\"", OBS_ERROR_USAGE,
      FALSE },
    { "IMG.0057", "the object is missing, empty, of a wrong format, or not "
      "readable for the image service",
      "run \"obs-push check\" on the file, and look at the bucket policy",
      OBS_ERROR_REGISTER, FALSE },
    { "IMG.0058", "the bucket is in another region than the image service",
      "use a bucket in the region of the image", OBS_ERROR_BUCKET, FALSE },
    { "IMG.0059", "the file is larger than the image service accepts",
      "fast import takes files of up to 1 TB", OBS_ERROR_SOURCE, FALSE },
    { "IMG.0060", "too many requests in a short time",
      "wait a few minutes and run the command again", OBS_ERROR_REGISTER,
      TRUE },
    { "IMG.0068", "no bucket was named", "give obs://bucket/key",
      OBS_ERROR_USAGE, FALSE },
    { "IMG.0069", "the image service can't access the bucket",
      "check that the bucket exists in this account and region, and its "
      "policy", OBS_ERROR_BUCKET, FALSE },
    { "IMG.0109", "the bucket name has characters that the image service "
      "refuses", "use a bucket with a-z, 0-9 and \"-\" only",
      OBS_ERROR_BUCKET, FALSE },
    { "IMG.0111", "the system disk in the image is too large",
      "shrink the disk to at most 1024 GiB, or import it as --type data",
      OBS_ERROR_SOURCE, FALSE },
    { "IMG.0115", "the tags are not valid",
      "use at most 10 --tag key=value with letters, digits, \"_\" and \"-\"",
      OBS_ERROR_USAGE, FALSE },
    { "IMG.0116", "the tags are not valid or too many",
      "use at most 10 --tag key=value with different keys", OBS_ERROR_USAGE,
      FALSE },
    { "IMG.0121", "the object was not found",
      "check that it lies in the bucket; upload it again if it does not",
      OBS_ERROR_REGISTER, FALSE },
    { "IMG.0122", "the type of operating system is not valid",
      "use --os-type Linux or Windows", OBS_ERROR_USAGE, FALSE },
    { "IMG.0123", "the same object was given twice", "name it once",
      OBS_ERROR_USAGE, FALSE },
    { "IMG.0141", "the firmware type is not valid",
      "use --firmware bios or uefi, or leave it out", OBS_ERROR_USAGE,
      FALSE },
    { "IMG.0155", "the enterprise project is not valid",
      "check --enterprise-project", OBS_ERROR_USAGE, FALSE },
    { "IMG.0158", "fast import takes RAW or ZVHD2 only, and RAW needs its "
      "bitmap beside it", "convert to ZVHD2, or upload the .mf file as well",
      OBS_ERROR_REGISTER, FALSE },
    { "IMG.0175", "there is a space in the folder or file name",
      "upload under a key without spaces", OBS_ERROR_USAGE, FALSE },
    { "IMG.0194", "too many imports are running in this account",
      "wait until one of them ends and run the command again",
      OBS_ERROR_REGISTER, TRUE },
    { "IMG.0212", "the architecture is not valid",
      "use --architecture x86 or arm", OBS_ERROR_USAGE, FALSE },
    { "IMG.1075", "the image could not be registered from the file",
      "run \"obs-push check\" on the file and check --min-disk; if both are "
      "right, ask the cloud's support about this job", OBS_ERROR_REGISTER,
      FALSE },
};

const ObsImsCode *obs_ims_code_find(const gchar *code)
{
    for (gsize i = 0; code && i < G_N_ELEMENTS(codes); i++) {
        if (g_str_equal(codes[i].code, code)) {
            return &codes[i];
        }
    }
    return NULL;
}

const ObsImsCode *obs_ims_codes(gsize *out_n)
{
    *out_n = G_N_ELEMENTS(codes);
    return codes;
}
