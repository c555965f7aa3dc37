# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# From what --qemu says to an unpacked tree, fetched if need be.  Sourced after
# common.sh, packages.sh, apt-source.sh and qemu-tree.sh.

SOURCES=$BUILD/src
ARCHIVE=$SOURCES/archive

# pick_version UPSTREAM VERSION...: the first of the versions with that upstream
pick_version() {
    local upstream=$1 version
    shift
    for version; do
        if [ "$(upstream_of "$version")" = "$upstream" ]; then
            printf '%s\n' "$version"
            return
        fi
    done
}

# default_file: where the answer of default_version is kept
default_file() {
    (. /etc/os-release &&
        echo "$SOURCES/default-$ID-${VERSION_CODENAME-$VERSION_ID}")
}

# default_version: X.Y of the QEMU that the running distribution has.  Asked
# once; the answer changes only with the distribution.
default_version() {
    local answer versions candidate
    answer=$(default_file)
    if [ ! -s "$answer" ]; then
        versions=$(source_versions qemu)
        if [ -z "$versions" ]; then
            if apt_has_source_entries; then
                as_root apt-get -q -q update >&2 || true
            else
                enable_deb_src
            fi
            versions=$(source_versions qemu)
        fi
        [ -n "$versions" ] ||
            die "apt knows no source of qemu here: name one with --qemu"
        # Of several suites the one that binaries would come from counts.
        candidate=$(LC_ALL=C apt-cache policy qemu-utils |
            sed -n 's/^  Candidate: //p')
        # shellcheck disable=SC2086  # versions have no blanks
        [ -n "$(pick_version "$(upstream_of "$candidate")" $versions)" ] ||
            candidate=${versions%%$'\n'*}
        mkdir -p "$SOURCES"
        upstream_of "$candidate" >"$answer.new"
        mv "$answer.new" "$answer"
    fi
    cat "$answer"
}

# fetch_dsc VERSION SYSTEM: the .dsc of the newest Debian source of QEMU
# VERSION, downloaded if it is not there, on stdout.  SYSTEM 1: with the
# machine's own lists, else from the suite that has it.
fetch_dsc() {
    local version=$1 system=$2 dsc suite versions wanted seen
    dsc=$(ls -v "$ARCHIVE/qemu_$version"[.+~-]*.dsc 2>/dev/null | tail -n1) ||
        true
    if [ -n "$dsc" ]; then
        printf '%s\n' "$dsc"
        return
    fi
    if [ "$system" = 1 ]; then
        # shellcheck disable=SC2046  # versions have no blanks
        wanted=$(pick_version "$version" $(source_versions qemu))
        if [ -n "$wanted" ]; then
            say "fetching the source of QEMU $wanted"
            if download_source qemu "$wanted" "$ARCHIVE"; then
                return
            fi
            # the lists may be older than the mirror
            as_root apt-get -q -q update >&2 || true
            # shellcheck disable=SC2046
            wanted=$(pick_version "$version" $(source_versions qemu))
            download_source qemu "$wanted" "$ARCHIVE" && return
            die "the source of QEMU $wanted cannot be downloaded" \
                "(apt's message is above)"
        fi
    fi
    # A version that nobody expected is likeliest in sid, which keeps older
    # entries in its index.
    suite=${SUITE_OF[$version]-sid}
    private_apt_update "$suite" deb-src
    versions=$(private_apt "$suite" source_versions qemu)
    # shellcheck disable=SC2086
    wanted=$(pick_version "$version" $versions)
    if [ -z "$wanted" ]; then
        if [ -n "$versions" ]; then
            seen="there: ${versions//$'\n'/, }"
        else
            seen=$(private_apt_reason "$suite")
        fi
        die "no source of QEMU $version in $suite ($seen):" \
            "give --qemu an unpacked tree or an upstream tarball"
    fi
    say "fetching the source of QEMU $wanted ($suite)"
    private_apt "$suite" download_source qemu "$wanted" "$ARCHIVE" ||
        die "the source of QEMU $wanted cannot be downloaded" \
            "(apt's message is above)"
}

# unpack TARGET COMMAND...: COMMAND with the name of a folder to make; it becomes
# TARGET only when it is whole
unpack() {
    local target=$1 status=0
    shift
    rm -rf "$target.part"
    "$@" "$target.part" || status=$?
    if [ "$status" != 0 ] || ! is_tree "$target.part"; then
        rm -rf "$target.part"
        die "what was unpacked for $(shown "$target") is no QEMU source tree"
    fi
    mv "$target.part" "$target"
}

# unpack_dsc DSC VANILLA FOLDER, unpack_tarball TARBALL FOLDER: for unpack
unpack_dsc() {
    local options=(--no-copy --no-check)
    [ "$2" = 0 ] || options+=(--skip-patches)
    # --no-check: apt has compared the files with the archive's signed index
    dpkg-source "${options[@]}" --extract "$1" "$3" >/dev/null
}

unpack_tarball() {
    mkdir "$2" && tar -xf "$1" -C "$2" --strip-components=1 --no-same-owner
}

# tarball_tree TARBALL: path of the tree unpacked from it, on stdout
tarball_tree() {
    local tarball=$1 key stamp version tree
    key=$(stat -c '%n %s %Y' "$(realpath "$tarball")")
    mkdir -p "$SOURCES"
    stamp=$(grep -lsxF -e "$key" "$SOURCES"/*.tarball | head -n1) || true
    if [ -n "$stamp" ] && is_tree "${stamp%.tarball}"; then
        printf '%s\n' "${stamp%.tarball}"
        return
    fi
    say "unpacking $tarball"
    rm -rf "$SOURCES/tarball"
    unpack "$SOURCES/tarball" unpack_tarball "$tarball"
    version=$(tree_version "$SOURCES/tarball")
    tree=$SOURCES/qemu-$version
    rm -rf "$tree"
    mv "$SOURCES/tarball" "$tree"
    printf '%s\n' "$key" >"$tree.tarball"
    printf '%s\n' "$tree"
}

# find_tree WHAT VANILLA: the tree that --qemu WHAT means ('' for the default),
# fetched and unpacked if it is not there.  Sets TREE (absolute), TAG (the
# build is build/qemu-TAG) and IS_DEFAULT.
find_tree() {
    local what=$1 vanilla=$2 version system=0 dsc
    IS_DEFAULT=0
    if [ -z "$what" ]; then
        version=$(default_version)
        system=1
        [ "$vanilla" = 1 ] || IS_DEFAULT=1
    elif [ -d "$what" ]; then
        is_tree "$what" || die "$what is no QEMU source tree"
        TREE=$(realpath "$what")
        case $TREE in
            "$SOURCES"/qemu-*) TAG=${TREE##*/qemu-} ;;
            *) TAG=$(tree_version "$TREE") ;;
        esac
        return
    elif [ -f "$what" ]; then
        TREE=$(tarball_tree "$what")
        TAG=${TREE##*/qemu-}
        return
    elif [[ $what =~ ^[0-9]+\.[0-9]+$ ]]; then
        version=$what
        [ "$what" != "$(cat "$(default_file)" 2>/dev/null)" ] ||
            [ "$vanilla" = 1 ] || IS_DEFAULT=1
    else
        die "--qemu $what: neither a version (${!SUITE_OF[*]})," \
            "nor a folder, nor a file"
    fi

    TAG=$version
    [ "$vanilla" = 0 ] || TAG=$version-vanilla
    TREE=$SOURCES/qemu-$TAG
    is_tree "$TREE" && return
    need_packages "${PACKAGES_FETCH[@]}"
    dsc=$(fetch_dsc "$version" "$system") || exit 1
    say "unpacking ${dsc##*/}"
    rm -rf "$TREE"
    unpack "$TREE" unpack_dsc "$dsc" "$vanilla"
}
