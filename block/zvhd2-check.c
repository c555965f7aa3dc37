/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZVHD2 block driver: qemu-img check
 */
#include "zvhd2-driver.h"
#include "qapi/error.h"

int GRAPH_RDLOCK zvhd2_check_open(BlockDriverState *bs, Error **errp)
{
    error_setg(errp, "This image format does not support checks");
    return -ENOTSUP;
}

int coroutine_fn GRAPH_RDLOCK
zvhd2_co_check(BlockDriverState *bs, BdrvCheckResult *result,
               BdrvCheckMode fix)
{
    return -ENOTSUP;
}
