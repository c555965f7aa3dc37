/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * obs-push bitmap, as the command table takes it: it parses its own
 * arguments. The texts are used for --help and the manual page.
 */
#ifndef OBS_CMD_BITMAP_H
#define OBS_CMD_BITMAP_H

#include <glib.h>

#define OBS_BITMAP_ARGUMENTS "RAW [MF]"
#define OBS_BITMAP_SUMMARY "Make or verify the bitmap of a RAW image"
#define OBS_BITMAP_DESCRIPTION                                               \
    "Writes the bitmap (.mf) that fast import of a RAW image needs beside "  \
    "it: by default under the name of the image with its extension "         \
    "replaced. RAW is a file or a block device; holes and the rest of a "    \
    "block that is known to hold data are not read.\n"                       \
    "\n"                                                                     \
    "NOT CONFIRMED: the layout of this file is not published. The default "  \
    "is the bitmap of ZVHD2 (one bit for 2 MiB, lowest bit first, 1 = "      \
    "data, filled up to 4096 bytes, no header), which the service reads "    \
    "there. Whether it takes it beside RAW is not known. ZVHD2 is the "      \
    "recommended way and needs no bitmap.\n"                                 \
    "\n"                                                                     \
    "--verify reads what the bitmap calls zero and fails if there is data "  \
    "in it: such a bitmap would lose it. Zero blocks that are called data "  \
    "only cost time; --exact finds them too, and reads all of the image.\n"  \
    "\n"                                                                     \
    "--fit learns the layout from a bitmap made by the vendor's generator, " \
    "and saves it for --layout and for bitmap-layout= of qemu-img. The "     \
    "option may be repeated, with as many images, to settle what one pair "  \
    "can't tell. --samples makes small images (1 GiB of disk in all) for "   \
    "that purpose."
#define OBS_BITMAP_EXAMPLES                                                  \
    "obs-push bitmap image01.raw\n"                                          \
    "obs-push bitmap --verify image01.raw image01.mf\n"                      \
    "obs-push bitmap --samples samples\n"                                    \
    "obs-push bitmap --fit vendor.mf --layout vendor.layout image01.raw\n"   \
    "obs-push bitmap --layout vendor.layout image01.raw\n"

/* argv[0] is the name for messages. Returns the exit code. */
int obs_cmd_bitmap(int argc, char **argv);

/* Its options, ended by one without a name. */
const GOptionEntry *obs_bitmap_entries(void);

#endif
