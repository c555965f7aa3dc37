/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The error domain of obs-push: its codes are the process exit codes.
 */
#include "obs-error.h"

G_DEFINE_QUARK(obs-error-quark, obs_error)

int obs_error_exit_code(const GError *error)
{
    if (!error) {
        return 0;
    }
    if (error->domain != OBS_ERROR || error->code < OBS_ERROR_FAILED ||
        (error->code > OBS_ERROR_DEADLINE &&
         error->code != OBS_ERROR_INTERRUPTED)) {
        return OBS_ERROR_FAILED;
    }
    return error->code;
}
