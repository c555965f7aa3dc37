# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What every script of tools/ starts from: where things are, how to speak,
# how to become root.  Sourced, never run.

# the checkout, and the folder that holds everything made from it
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
BUILD=$REPO/build

# say TEXT...: one line for the person at the terminal
say() {
    printf '%s: %s\n' "$PROGRAM" "$*" >&2
}

# die TEXT...: the one line that says what is wrong and what to do
die() {
    say "$*"
    exit 1
}

# shown PATH: the path as a person in the checkout would type it
shown() {
    printf '%s\n' "${1#"$REPO"/}"
}

# as_root COMMAND...: run as root, through sudo if need be
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "'$1 ${2-}' needs root: run as root, or install sudo"
    fi
}

PROGRAM=${PROGRAM-${0##*/}}
