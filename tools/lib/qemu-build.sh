# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Configure and build QEMU's tools from a tree.  Sourced after common.sh,
# packages.sh, apt-source.sh and qemu-tree.sh.

TOOLS=(qemu-img qemu-io qemu-nbd storage-daemon/qemu-storage-daemon)

# what the finished qemu-img must know; http and https are curl's
DEMANDED_DRIVERS=(zvhd2 raw qcow qcow2 qed vdi vmdk vhdx vpc parallels dmg bochs
                  cloop luks nbd http https)

# What is switched on by name.  A version that has no switch for one of them
# has the thing always (vmdk, vhdx and vpc in 7.2).  gnutls and nettle are for
# luks and for nbd over TLS; bzip2 is for dmg.
FEATURES=(tools bochs bzip2 cloop curl dmg gnutls linux-aio linux-io-uring
          malloc-trim nettle parallels qcow1 qed vdi vhdx vmdk vpc zstd)

# at_least WANTED VERSION: is VERSION that or newer?
at_least() {
    [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]
}

# python_extra TREE: folder to put on Python's path for this tree's configure,
# or nothing, on stdout.  Configure may not download, so that what it insists
# on must be there: a meson new enough, and in 10.x pycotap.
python_extra() {
    local tree=$1 wanted suite folder=$BUILD/python deb
    wanted=$(sed -nE "s/.*meson_version: *'>=([0-9.]+)'.*/\1/p" \
        "$tree/meson.build" | head -n1)
    # upstream's tarballs bring both along
    if compgen -G "$tree/python/wheels/meson-*.whl" >/dev/null ||
       ! [ -r "$tree/pythondeps.toml" ]; then
        return
    fi
    if ! [ -d "$folder/mesonbuild" ] &&
       ! at_least "${wanted:-0}" "$(/usr/bin/meson --version)"; then
        # The distribution's backport, unpacked beside its own meson, which
        # stays as it is.
        suite=$(. /etc/os-release && echo "$VERSION_CODENAME-backports")
        say "QEMU $(tree_version "$tree") needs meson $wanted: taking the one" \
            "of $suite into $(shown "$folder")"
        private_apt_update "$suite" deb
        deb=$BUILD/apt/$suite/deb
        mkdir -p "$deb" "$folder"
        (cd "$deb" && private_apt "$suite" apt-get -q -q download meson >&2) ||
            die "no meson in $suite ($(private_apt_reason "$suite")):" \
                "install meson $wanted or newer"
        dpkg-deb --extract "$deb"/meson_*.deb "$deb"
        cp -r "$deb"/usr/lib/python3/dist-packages/. "$folder/" 2>/dev/null ||
            cp -r "$deb"/usr/share/meson/. "$folder/"
        at_least "$wanted" "$(PYTHONPATH=$folder /usr/bin/python3 -m \
            mesonbuild.mesonmain --version)" ||
            die "the meson of $suite is older than $wanted: install a newer one"
    fi
    # pycotap runs QEMU's own functional tests, which are not built here.
    # Debian patches the demand away; its unpatched tree has the demand and
    # not the wheel that upstream ships for it.  A name satisfies it.
    if grep -q '^pycotap' "$tree/pythondeps.toml" &&
       ! [ -d "$folder/pycotap-1.3.1.dist-info" ]; then
        mkdir -p "$folder/pycotap-1.3.1.dist-info"
        printf 'Metadata-Version: 2.1\nName: pycotap\nVersion: 1.3.1\n' \
            >"$folder/pycotap-1.3.1.dist-info/METADATA"
    fi
    [ ! -d "$folder" ] || printf '%s\n' "$folder"
}

# configure_options TREE: one an option line, on stdout
configure_options() {
    local tree=$1 help feature features=("${FEATURES[@]}")
    help=$(cd "$tree" && ./configure --help)
    # of all auto features only those named here: what the machine happens to
    # have installed must not decide what qemu-img can do
    printf '%s\n' --disable-system --disable-user --without-default-features \
        --disable-docs --disable-install-blobs
    # looks for zeros 32 or 64 bytes at a time; x86 only
    case $(uname -m) in x86_64) features+=(avx2) ;; esac
    for feature in "${features[@]}"; do
        if grep -qE "^  $feature( |\$)" <<<"$help"; then
            printf '%s\n' "--enable-$feature"
        fi
    done
    if [ -r "$tree/pythondeps.toml" ]; then
        printf '%s\n' --python=/usr/bin/python3 --disable-download
    else
        # Before 8.1 configure takes --python only with a meson of its own,
        # and would fetch one; it reads PYTHON from the environment.
        printf '%s\n' --meson=/usr/bin/meson --with-git-submodules=ignore
    fi
}

# logged FOLDER NAME COMMAND...: run in FOLDER; to a terminal as it comes, else
# into NAME.log there, whose end is shown if it fails
logged() {
    local folder=$1 log=$1/$2.log name=$2
    shift 2
    if [ -t 2 ] && [ "$name" = build ]; then
        (cd "$folder" && "$@" >&2) || die "the build failed (see above)"
    else
        (cd "$folder" && "$@") >"$log" 2>&1 || {
            grep -E -A20 '^FAILED|^ERROR|error:' "$log" | head -n60 >&2 ||
                tail -n30 "$log" >&2
            die "$name failed: see $(shown "$log")"
        }
    fi
}

# configure_tree TREE FOLDER: only if the tree or the options are not those that
# the folder was configured with
configure_tree() {
    local tree=$1 folder=$2 extra key start=$SECONDS options
    extra=$(python_extra "$tree")
    # An unpatched tree of Debian's from 10.1 on has no device tree blobs, and
    # meson does without them only where it sees the compiler for them.
    if grep -qs "^subdir('dtb')" "$tree/pc-bios/meson.build" &&
       ! compgen -G "$tree/pc-bios/dtb/*.dtb" >/dev/null; then
        need_packages device-tree-compiler
    fi
    # what the options are made from, rather than the options: configure --help
    # takes a second, and most runs need no configure
    key=$(printf '%s\n' "$tree" "$extra" "${FEATURES[*]}" \
        "$(declare -f configure_options)" "$(stat -Lc '%s %Y' /usr/bin/meson)" \
        "$(sha256sum <"$tree/configure")" | sha256sum)
    if [ -e "$folder/build.ninja" ] &&
       [ "$key" = "$(cat "$folder/zvhd2-configured" 2>/dev/null)" ]; then
        return
    fi
    say "configuring $(shown "$folder")"
    options=$(configure_options "$tree")
    rm -rf "$folder"
    mkdir -p "$folder"
    # shellcheck disable=SC2086  # options have no blanks
    logged "$folder" configure env PYTHON=/usr/bin/python3 \
        PYTHONPATH="$extra" "$tree/configure" $options
    if [ -n "$extra" ]; then
        # the same for later, when ninja starts meson again
        find "$folder/pyvenv/lib" -maxdepth 2 -name site-packages \
            -exec sh -c 'echo "$1" >"$2/zvhd2.pth"' sh "$extra" {} \;
    fi
    printf '%s\n' "$key" >"$folder/zvhd2-configured"
    say "configured in $((SECONDS - start)) s"
}

# require_drivers QEMU-IMG: every demanded driver is in
require_drivers() {
    local known driver
    # one line after 'Supported formats:', or since 10.1 a block of lines
    known=$("$1" --help | awk '/^Supported .*formats:/ { on = 1; $1 = $2 = "" }
                               /^See / { on = 0 }
                               on' | tr '\n' ' ')
    for driver in "${DEMANDED_DRIVERS[@]}"; do
        case " $known " in
            *" $driver "*) ;;
            *) die "$(shown "$1") was built without the driver $driver" ;;
        esac
    done
}

# link_tools FOLDER BIN: links in BIN to the tools in FOLDER
link_tools() {
    local folder=$1 bin=$2 tool
    mkdir -p "$bin"
    for tool in "${TOOLS[@]}"; do
        ln -sfnr "$folder/$tool" "$bin/${tool##*/}"
    done
}

# build_tree TREE TAG JOBS: the tools in build/qemu-TAG, links to them in its bin/
build_tree() {
    local tree=$1 folder=$BUILD/qemu-$2 jobs=$3 start before
    if [ -d /usr/lib/ccache ]; then
        PATH=/usr/lib/ccache:$PATH
    fi
    configure_tree "$tree" "$folder"
    start=$SECONDS
    before=$(stat -c %Y%i "$folder/qemu-img" 2>/dev/null) || before=
    logged "$folder" build ninja -j "$jobs" "${TOOLS[@]}"
    require_drivers "$folder/qemu-img"
    link_tools "$folder" "$folder/bin"
    if [ "$before" != "$(stat -c %Y%i "$folder/qemu-img")" ]; then
        say "built $(shown "$folder") in $((SECONDS - start)) s"
    fi
}
