/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The error domain of obs-push: its codes are the process exit codes.
 */
#ifndef OBS_ERROR_H
#define OBS_ERROR_H

#include <glib.h>

#define OBS_ERROR (obs_error_quark())

/*
 * Each value is what the process exits with when this error ends it. Scripts
 * rely on the numbers: never renumber, and list them in the man page.
 */
typedef enum {
    OBS_ERROR_FAILED = 1,       /* anything that has no better name */
    OBS_ERROR_USAGE = 2,        /* options or arguments are wrong */
    OBS_ERROR_SOURCE = 3,       /* the image file: missing, wrong, changed */
    OBS_ERROR_CREDENTIALS = 4,  /* none found, refused, or not permitted */
    OBS_ERROR_BUCKET = 5,       /* bucket or endpoint: missing, wrong region */
    OBS_ERROR_TRANSFER = 6,     /* upload broke off; the same command resumes */
    OBS_ERROR_REGISTER = 7,     /* the image service refused or failed */
    OBS_ERROR_DEADLINE = 8,     /* --deadline passed; the command resumes */
    OBS_ERROR_INTERRUPTED = 130 /* SIGINT or SIGTERM */
} ObsErrorCode;

GQuark obs_error_quark(void);

/* Exit code for @error: 0 for NULL, 1 for an error of a foreign domain. */
int obs_error_exit_code(const GError *error);

#endif
