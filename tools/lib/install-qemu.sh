#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Run by 'meson install': puts the overlay's QEMU tools under the prefix.
# They go to a folder of their own with their usual names, and into bin/ with
# the suffix -zvhd2, so that the distribution's qemu-img stays what it was.
set -eu
src=$1/build/bin
prefix=$MESON_INSTALL_DESTDIR_PREFIX
if [ ! -x "$src/qemu-img" ]; then
    echo "install: no $src/qemu-img: run tools/qemu-overlay build first" >&2
    exit 1
fi
install -d "$prefix/libexec/zvhd2" "$prefix/bin"
for tool in qemu-img qemu-io qemu-nbd qemu-storage-daemon; do
    install -m 755 "$(readlink -f "$src/$tool")" "$prefix/libexec/zvhd2/$tool"
    ln -sfn "../libexec/zvhd2/$tool" "$prefix/bin/$tool-zvhd2"
done
