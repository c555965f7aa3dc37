/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every difference between the QEMU versions that the driver is built in, and
 * nothing else
 *
 * The driver is written to the names of QEMU 10; this file maps the names of
 * QEMU 7.2 up to them.  A symbol of the newer versions is tested where there
 * is one, because stable branches backport; version numbers are the last
 * resort.  When a version is no longer supported, its block here goes.
 */
#ifndef BLOCK_ZVHD2_COMPAT_H
#define BLOCK_ZVHD2_COMPAT_H

#include "qemu/osdep.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include "block/block_int.h"
#include "block/block-io.h"
#include "block/thread-pool.h"

/* include/sysemu/ became include/system/ in 10.0 */
#if __has_include("system/block-backend.h")
#include "system/block-backend.h"
#else
#include "sysemu/block-backend.h"
#endif

/* "may or may not be in a coroutine": since 8.0 */
#ifndef coroutine_mixed_fn
#define coroutine_mixed_fn
#endif

/* the graph lock came with 8.0 */
#ifndef GRAPH_RDLOCK
#define GRAPH_RDLOCK
#define GRAPH_UNLOCKED
#define GRAPH_RDLOCK_GUARD_MAINLOOP()   do { } while (0)
#define bdrv_graph_co_rdlock()          do { } while (0)
#define bdrv_graph_co_rdunlock()        do { } while (0)

/* the same step (7.2 to 8.0) gave coroutine callers functions of their own */
#define bdrv_co_getlength               bdrv_getlength
#define bdrv_co_get_info                bdrv_get_info   /* also the field */
#define blk_co_unref                    blk_unref
#define blk_co_new_open                 blk_new_open
#define ZVHD2_OLD_CREATE_FILE

/* and took the pool from the caller's context; before, it was an argument */
static inline int coroutine_fn
zvhd2_thread_pool_submit_co_compat(ThreadPoolFunc *func, void *arg)
{
    AioContext *ctx = qemu_get_current_aio_context();

    return thread_pool_submit_co(aio_get_thread_pool(ctx), func, arg);
}
#define thread_pool_submit_co           zvhd2_thread_pool_submit_co_compat
#endif

/* bdrv_co_create_file() has a further argument since 10.2 */
#ifdef ZVHD2_OLD_CREATE_FILE
#define zvhd2_co_create_file_compat(name, opts, errp) \
    bdrv_create_file(name, opts, errp)
#elif QEMU_VERSION_MAJOR > 10 || \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 2)
#define zvhd2_co_create_file_compat(name, opts, errp) \
    bdrv_co_create_file(name, opts, true, errp)
#else
#define zvhd2_co_create_file_compat(name, opts, errp) \
    bdrv_co_create_file(name, opts, errp)
#endif

/* block_status: bool want_zero until 10.0, a mask of BDRV_WANT_* since 10.1 */
#ifdef BDRV_WANT_ZERO
typedef unsigned int Zvhd2StatusMode;
#else
typedef bool Zvhd2StatusMode;
#endif

/* "this range is compressed" in block status: since 9.0 */
#ifndef BDRV_BLOCK_COMPRESSED
#define BDRV_BLOCK_COMPRESSED 0
#endif

#endif /* BLOCK_ZVHD2_COMPAT_H */
