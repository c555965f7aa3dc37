# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What QEMU's maintainers would ask of block/: their checkpatch, no warning
# from gcc, and none from clang's thread-safety analysis.  Sourced last.

# Findings of checkpatch that are answered rather than fixed, one a line.
#
# - It prefers GPL-2.0-or-later.  The pure modules are MIT, because obs-push
#   and others who are not QEMU share them.
# - It takes the feature tests of zvhd2-compat.h (__has_include) for
#   tests of an architecture.
CHECKPATCH_ANSWERED='WARNING: Saw acceptable license .MIT
zvhd2-compat\.h:[0-9]+: WARNING: architecture specific defines'

# checkpatch TREE: over all of block/; the findings on stderr, 1 if any
checkpatch() {
    local findings
    # --no-tree: our files lie in no QEMU tree here
    findings=$(cd "$REPO" && for file in block/*.[ch]; do
        perl "$1/scripts/checkpatch.pl" --no-tree --terse --no-summary \
            -f "$file" || true
    done | grep -vE "$CHECKPATCH_ANSWERED") || true
    [ -z "$findings" ] && return
    printf '%s\n' "$findings" >&2
    return 1
}

# lock_control FOLDER: does the analysis bite at all?  A macro that went away
# upstream would turn it into a check that cannot fail.
lock_control() {
    local scratch status=0
    scratch=$(mktemp -d "$BUILD/overlay.XXXXXX")
    cat >"$scratch/control.c" <<'C'
#include "qemu/osdep.h"
#include "block/block_int.h"
int zvhd2_lock_control(BlockDriverState *bs);
/* reads a child without the graph lock, which clang must refuse */
int zvhd2_lock_control(BlockDriverState *bs)
{
    return bs->file != NULL;
}
C
    if "$REPO/tools/lib/replay-compile.py" "$1" clang "$scratch/control.c" \
       2>"$scratch/log"; then
        say "clang took a file that reads bs->file without the graph lock:" \
            "the analysis of $(shown "$1") checks nothing"
        status=1
    elif ! grep -q 'graph_lock' "$scratch/log"; then
        cat "$scratch/log" >&2
        say "the control failed for another reason than the lock"
        status=1
    fi
    rm -rf "$scratch"
    return "$status"
}

# style TREE TAG: all of it, over a tree that build_tree has built
style() {
    local tree=$1 folder=$BUILD/qemu-$2 compiler failed=0
    local sources=()
    mapfile -t sources < <(cd "$REPO/block" && printf '%s\n' *.c)

    if checkpatch "$tree"; then
        say "checkpatch of QEMU $(tree_version "$tree"): block/ is clean"
    else
        failed=1
    fi
    lock_control "$folder" || failed=1
    for compiler in gcc clang; do
        if "$REPO/tools/lib/replay-compile.py" "$folder" "$compiler" \
           "${sources[@]}"; then
            say "$compiler: no warning in ${#sources[@]} files"
        else
            failed=1
        fi
    done
    [ "$failed" = 0 ] || die "style: see above"
}
