# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034  # the lists are for the scripts that source this
#
# Debian packages, by what they are needed for, and the one function that
# installs those that are missing.  Sourced.

# shellcheck source=tools/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# to get and unpack QEMU's source
PACKAGES_FETCH=(
    ca-certificates
    dpkg-dev
    patch
    xz-utils
)

# to build QEMU's tools with every driver of DEMANDED_DRIVERS (qemu-build.sh)
PACKAGES_QEMU=(
    bzip2
    ccache
    gcc
    libaio-dev
    libbz2-dev
    libc6-dev
    libcurl4-openssl-dev
    libglib2.0-dev
    libgnutls28-dev
    liburing-dev
    libzstd-dev
    make
    meson
    nettle-dev
    ninja-build
    perl
    pkg-config
    python3
    python3-distlib
    python3-venv
    zlib1g-dev
)

# to build obs-push and the pure library
PACKAGES_OBS_PUSH=(
    gcc
    libc6-dev
    libcurl4-openssl-dev
    libglib2.0-dev
    libjson-glib-dev
    libssl-dev
    libyaml-dev
    libzstd-dev
    meson
    ninja-build
    pkg-config
    zlib1g-dev
)

# for 'qemu-overlay style'
PACKAGES_STYLE=(
    clang
    perl
)

# for every suite of tools/run-tests; what one suite alone needs it installs
PACKAGES_TEST=(
    e2fsprogs
    fdisk
    git
    groff-base
    libnbd-bin
    mount
    openssl
    procps
    python3
    util-linux
    valgrind
    zstd
)

# for tools/demo
PACKAGES_DEMO=(
    e2fsprogs
    fdisk
    python3
)

# for tools/bench; its disks and servers install what they are made from
PACKAGES_BENCH=(
    awscli
    e2fsprogs
    fdisk
    gcc
    gnuplot-nox
    libc6-dev
    libs3-2
    libssl-dev
    mmdebstrap
    openssl
    python3
    rclone
    s3cmd
    time
    util-linux
    zstd
)

# need_packages PACKAGE...: install those that are not; quick and silent when
# none is missing.  On a system without dpkg it trusts the person.
need_packages() {
    local package missing=() installed

    command -v dpkg-query >/dev/null || return 0
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n')
    for package; do
        case $'\n'$installed$'\n' in
            *$'\n'"installed $package"$'\n'*) ;;
            *) missing+=("$package") ;;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    say "installing ${missing[*]}"
    # Stale lists name versions that the mirror no longer has: update first.
    # Its exit code is not the verdict: an unrelated entry may be broken.
    as_root apt-get -q -q update ||
        say "apt-get update complained; going on"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -q install \
        --yes --no-install-recommends -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 "${missing[@]}" >&2 ||
        die "apt-get could not install ${missing[*]} (its message is above)"
}
