# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# QEMU source trees: which one is meant, how to get it, and how the overlay
# goes on, comes off, and is tried.  Sourced after common.sh, apt-source.sh.
#
# A tree that carries the overlay has a folder .zvhd2-overlay:
#   series      names of the patches that are on, in order
#   N.patch     the N-th of them as it was, so that it comes off again even if
#               qemu-patches/ has moved on
#   files       the files copied into block/, one a line
#   staged/     while the tree is being changed: the files as they are to be

# Where Debian has the versions the overlay is made for.  The revision is
# looked up each time: the archive keeps only the newest.
declare -A SUITE_OF=([7.2]=bookworm [10.0]=trixie [10.2]=sid)

# tree_version TREE: what the tree says it is, like 10.0.13
tree_version() {
    head -n1 "$1/VERSION"
}

# short_version VERSION: 10.0.13 -> 10.0
short_version() {
    printf '%s\n' "$1" | cut -d. -f1-2
}

# ordinal VERSION: major and minor as one number, to measure distances with;
# a major version of QEMU has three minor ones
ordinal() {
    [[ $1 =~ ^0*([0-9]{1,4})\.0*([0-9]{1,4})$ ]] ||
        die "'$1' in VERSION is no version of QEMU"
    echo $((BASH_REMATCH[1] * 3 + BASH_REMATCH[2]))
}

# is_tree FOLDER: does it look like an unpacked QEMU?
is_tree() {
    [ -r "$1/VERSION" ] && [ -r "$1/qemu-img.c" ] && [ -x "$1/configure" ]
}

# series_for VERSION: folder of the series for a tree of that version: its own
# or the nearest, and it says so
series_for() {
    local want file name best='' distance least=''
    want=$(short_version "$1")
    if [ -r "$PATCHES/$want/series" ]; then
        printf '%s\n' "$want"
        return
    fi
    ordinal "$want" >/dev/null
    # in ascending order, so that of two as near the newer one stays
    for name in $(cd "$PATCHES" && for file in */series; do
                      dirname "$file"
                  done | sort -V); do
        distance=$(($(ordinal "$name") - $(ordinal "$want")))
        distance=${distance#-}
        if [ -z "$best" ] || [ "$distance" -le "$least" ]; then
            best=$name
            least=$distance
        fi
    done
    say "QEMU $1 has no series of its own: trying the nearest, $best"
    printf '%s\n' "$best"
}

# series_patches SERIES: the patches as paths under qemu-patches/, in order
series_patches() {
    local line
    while read -r line || [ -n "$line" ]; do
        case $line in
            ''|'#'*) ;;
            ../*) printf '%s\n' "${line#../}" ;;
            *) printf '%s\n' "$1/$line" ;;
        esac
    done <"$PATCHES/$1/series"
}

# patched_files PATCH...: files that they change, create or delete
patched_files() {
    [ $# -gt 0 ] || return 0
    sed -nE 's,^(---|\+\+\+) [ab]/([^[:space:]]+).*,\2,p' "$@" | sort -u
}

# unfit_reason OUTPUT: one line from what patch(1) printed
unfit_reason() {
    printf '%s\n' "$1" | awk '
        /^(checking|patching) file / { file = $3 }
        /FAILED|fuzz|[Nn]o file to patch|malformed|previously applied/ &&
            !shown++ { sub(/ -- .*/, ""); print (file ? file ": " : "") $0 }
        END { if (!shown) print "patch does not say why" }'
}

# run_patch FOLDER PATCH [OPTION...]: 0 if it fits exactly; else the reason in
# one line on stdout, and 1
run_patch() {
    local folder=$1 file=$2 output
    shift 2
    # Fuzz 0: a hunk whose surroundings changed is a question for a person.
    # The dry run first, so that a patch is on as a whole or not at all.
    if output=$(LC_ALL=C patch -d "$folder" -p1 --fuzz=0 --force --dry-run \
                "$@" <"$file" 2>&1) &&
       output=$(LC_ALL=C patch -d "$folder" -p1 --fuzz=0 --force \
                --no-backup-if-mismatch --reject-file=- "$@" <"$file" 2>&1)
    then
        return 0
    fi
    unfit_reason "$output"
    return 1
}

# stage TREE SCRATCH SERIES: put into SCRATCH every file that the overlay on
# the tree or the series touches, as it should become; SERIES may be ''.  The
# tree is only read.  Every patch that does not fit gets its line; then 1.
stage() {
    local tree=$1 scratch=$2 series=$3 state=$1/$STATE
    local old=() new=() file name reason count failed=0

    if [ -d "$state" ]; then
        mapfile -t old <"$state/series"
    fi
    if [ -n "$series" ]; then
        mapfile -t new < <(series_patches "$series")
    fi
    {
        for ((count = 0; count < ${#old[@]}; count++)); do
            patched_files "$state/$count.patch"
        done
        for name in "${new[@]}"; do
            patched_files "$PATCHES/$name"
        done
    } | sort -u >"$scratch.files"
    while read -r file; do
        mkdir -p "$scratch/$(dirname "$file")"
        [ ! -e "$tree/$file" ] || cp -p "$tree/$file" "$scratch/$file"
    done <"$scratch.files"

    for ((count = ${#old[@]} - 1; count >= 0; count--)); do
        reason=$(run_patch "$scratch" "$state/$count.patch" --reverse) || {
            say "${old[count]} no longer comes off $(shown "$tree"):" \
                "$reason; take that edit back first"
            return 1
        }
    done
    for name in "${new[@]}"; do
        reason=$(run_patch "$scratch" "$PATCHES/$name") || {
            say "qemu-patches/$name does not fit $(shown "$tree")" \
                "(QEMU $(tree_version "$tree")): $reason"
            failed=1
        }
    done
    return "$failed"
}

# commit TREE SCRATCH NEW: make NEW, a state folder, the tree's, and the staged
# files its files.  Whatever breaks this off, finish_commit ends it: NEW
# carries the staged files until they are all in place.
commit() {
    local tree=$1 scratch=$2 new=$3
    cp -p "$scratch.files" "$new/staged.files" &&
        mv "$scratch" "$new/staged" &&
        rm -rf "${tree:?}/$STATE.tmp" &&
        cp -a "$new" "$tree/$STATE.tmp" &&
        mv "$tree/$STATE.tmp" "$tree/$STATE.new" || return 1
    finish_commit "$tree"
}

# finish_commit TREE: nothing to do, or the rest of a commit that was broken off
finish_commit() {
    local tree=$1 state=$1/$STATE file
    if [ -d "$state.new" ]; then
        rm -rf "$state"
        mv "$state.new" "$state"
    fi
    [ -d "$state/staged" ] || return 0
    while read -r file; do
        if [ ! -e "$state/staged/$file" ]; then
            rm -f "$tree/$file"
        elif ! cmp -s "$state/staged/$file" "$tree/$file"; then
            # Those that are the same keep their time stamp, so that ninja
            # rebuilds nothing for them; the others get a new one.
            mkdir -p "$(dirname "$tree/$file")" &&
                cp --preserve=mode "$state/staged/$file" \
                    "$tree/$file.zvhd2-new" &&
                mv -f "$tree/$file.zvhd2-new" "$tree/$file" ||
                die "cannot write $(shown "$tree")/$file; some files are" \
                    "changed already: run this again when it can be written"
        fi
    done <"$state/staged.files"
    if [ -e "$state/undone" ]; then
        while read -r file; do
            rm -f "$tree/block/$file"
        done <"$state/files"
        rm -rf "$state"
    else
        rm -rf "$state/staged" "$state/staged.files"
    fi
}

# block_files: names of the files that go into QEMU's block/; the last is made
# here and tells block/meson.build what to compile
block_files() {
    (cd "$REPO/block" && printf '%s\n' *.[ch] zvhd2.list)
}

# block_file NAME: what is to be in that file, on stdout
block_file() {
    if [ "$1" = zvhd2.list ]; then
        (cd "$REPO/block" && printf '%s\n' *.c)
    else
        cat "$REPO/block/$1"
    fi
}

# refuse_foreign_files TREE: none of QEMU's own files may be in our way
refuse_foreign_files() {
    local name
    for name in $(block_files); do
        if [ -e "$1/block/$name" ] &&
           ! grep -qsxF "$name" "$1/$STATE/files"; then
            die "$(shown "$1")/block/$name is there already and not ours"
        fi
    done
}

# copy_block_files TREE: ours into the tree's block/; only what differs, so
# that ninja rebuilds only that
copy_block_files() {
    local tree=$1 list=$1/$STATE/files name wanted
    wanted=$(block_files)
    touch "$list"
    # First a list of old and new names: after a break in the middle, undo
    # still knows them all.
    sort -u - "$list" -o "$list" <<<"$wanted"
    while read -r name; do
        if ! grep -qxF -e "$name" <<<"$wanted"; then
            rm -f "$tree/block/$name"
        elif ! block_file "$name" | cmp -s - "$tree/block/$name"; then
            block_file "$name" >"$tree/block/$name"
        fi
    done <"$list"
    printf '%s\n' "$wanted" >"$list"
}

# with_scratch TREE FUNCTION ARGUMENT...: FUNCTION TREE SCRATCH ARGUMENT... with
# a scratch folder that is gone afterwards
with_scratch() {
    local tree=$1 function=$2 scratch status=0
    shift 2
    mkdir -p "$BUILD"
    scratch=$(mktemp -d "$BUILD/overlay.XXXXXX")
    mkdir "$scratch/t" "$scratch/state"
    # in a condition 'set -e' is off: the functions test what they call
    "$function" "$tree" "$scratch/t" "$@" || status=$?
    rm -rf "$scratch"
    return "$status"
}

# change_in TREE SCRATCH SERIES: from whatever is on to SERIES, or to nothing
change_in() {
    local tree=$1 scratch=$2 series=$3 new name count=0
    new=$(dirname "$scratch")/state
    stage "$tree" "$scratch" "$series" || return 1
    : >"$new/series"
    if [ -z "$series" ]; then
        : >"$new/undone"
    else
        for name in $(series_patches "$series"); do
            cp "$PATCHES/$name" "$new/$count.patch" || return 1
            printf '%s\n' "$name" >>"$new/series"
            count=$((count + 1))
        done
    fi
    if [ -e "$tree/$STATE/files" ]; then
        cp "$tree/$STATE/files" "$new/files" || return 1
    else
        : >"$new/files"
    fi
    commit "$tree" "$scratch" "$new"
}

# series_is_on TREE SERIES: are exactly these patches on, with this text?
series_is_on() {
    local state=$1/$STATE count=0 name
    [ -d "$state" ] || return 1
    [ "$(series_patches "$2")" = "$(cat "$state/series")" ] || return 1
    for name in $(series_patches "$2"); do
        cmp -s "$PATCHES/$name" "$state/$count.patch" || return 1
        count=$((count + 1))
    done
}

# apply_tree TREE: the overlay is on, whatever was before; nothing is half on
apply_tree() {
    local tree=$1 series
    series=$(series_for "$(tree_version "$tree")")
    finish_commit "$tree"
    refuse_foreign_files "$tree"
    if ! series_is_on "$tree" "$series"; then
        with_scratch "$tree" change_in "$series" ||
            die "nothing was changed in $(shown "$tree")"
        say "$(shown "$tree"): series $series is on"
    fi
    copy_block_files "$tree"
}

# check_tree TREE: would it go on?
check_tree() {
    local tree=$1 series
    series=$(series_for "$(tree_version "$tree")")
    with_scratch "$tree" stage "$series" || return 1
    say "$(shown "$tree") (QEMU $(tree_version "$tree")): every patch of" \
        "series $series fits"
}

# undo_tree TREE: as it was before the first apply
undo_tree() {
    local tree=$1
    finish_commit "$tree"
    if [ ! -d "$tree/$STATE" ]; then
        say "$(shown "$tree"): no overlay on it"
        return
    fi
    with_scratch "$tree" change_in '' ||
        die "nothing was changed in $(shown "$tree")"
    say "$(shown "$tree"): overlay taken off"
}

PATCHES=$REPO/qemu-patches
STATE=.zvhd2-overlay
