/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image service's error codes: what each means and what the user can do.
 * One table for refused requests and failed jobs. Pure.
 */
#ifndef OBS_IMS_CODES_H
#define OBS_IMS_CODES_H

#include <glib.h>

#include "obs-error.h"

typedef struct {
    const gchar *code;          /* "IMG.0057" */
    const gchar *meaning;
    const gchar *advice;
    ObsErrorCode error;         /* exit code */
    gboolean wait;              /* flow control: try again later */
} ObsImsCode;

/* NULL if the code is not known (or NULL). */
const ObsImsCode *obs_ims_code_find(const gchar *code);

/* The whole table, for tests and documentation. */
const ObsImsCode *obs_ims_codes(gsize *out_n);

#endif
