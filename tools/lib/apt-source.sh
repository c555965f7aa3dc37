# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Debian sources (and one .deb) from the machine's own mirror, of its own or
# of another suite.  Another suite is read through a private apt root under
# build/apt/, so nothing under /etc changes.  Sourced after common.sh.

# apt's own configuration folder; another one only in the tests
APT_ETC=${APT_ETC:-/etc/apt}

# The suites that Debian's own entries can name.  An entry of any of them
# leads to the same mirror, which has them all.  The last is the one that runs
# here, for the Debians that are called something else.
DEBIAN_SUITES="bullseye bookworm trixie forky sid stable oldstable testing \
unstable $(. /etc/os-release && echo "${VERSION_CODENAME-}")"

# apt_entries FORM TYPE SUITE KEEP: the machine's own Debian entries, written
# anew as TYPE (deb or deb-src) entries of SUITE, on stdout.
#   FORM   list (one line an entry) or sources (deb822): what is read from
#          /etc/apt and what is written.  URIs, keyrings and options are
#          taken over as they stand; entries that are disabled are not.
#   SUITE  the suite to name instead, or - to leave the names as they are
#   KEEP   the suffixes wanted, as an anchored regular expression:
#          '^(|-updates|-security)$'
# Entries without the component main (other vendors' mostly) are left out.
apt_entries() {
    local form=$1 files=()
    shopt -s nullglob
    if [ "$form" = list ]; then
        files=("$APT_ETC"/sources.list "$APT_ETC"/sources.list.d/*.list)
    else
        files=("$APT_ETC"/sources.list.d/*.sources)
    fi
    shopt -u nullglob
    local file readable=()
    for file in "${files[@]}"; do
        [ -r "$file" ] && readable+=("$file")
    done
    [ ${#readable[@]} -gt 0 ] || return 0

    # A blank line between files keeps the last stanza of one and the first
    # of the next apart.
    for file in "${readable[@]}"; do
        cat "$file"
        echo
    done | awk -v form="$form" -v type="$2" -v to="$3" -v keep="$4" \
               -v known="$DEBIAN_SUITES" '
        # the suite to write for one that was read, or "" if not wanted
        function mapped(suite,    i, n, names, rest) {
            n = split(known, names, " ")
            for (i = 1; i <= n; i++) {
                if (index(suite, names[i]) == 1) {
                    rest = substr(suite, length(names[i]) + 1)
                    if (rest == "" || rest ~ /^-/) {
                        return rest ~ keep ? (to == "-" ? suite : to rest) : ""
                    }
                }
            }
            return ""
        }
        function list_entry(    options, i, suite) {
            options = ""
            if (match($0, /\[[^]]*\]/)) {
                options = substr($0, RSTART, RLENGTH) " "
                $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
            }
            suite = mapped($3)
            for (i = 4; i <= NF && $i != "main"; i++) { }
            if (suite != "" && i <= NF && !seen[$2, suite]++) {
                print type " " options $2 " " suite " main"
            }
        }
        function flush_stanza(    i, n, words, suites, key) {
            suites = ""
            n = split(field["suites"], words, " ")
            for (i = 1; i <= n; i++) {
                if (mapped(words[i]) != "" &&
                    index(suites " ", " " mapped(words[i]) " ") == 0) {
                    suites = suites " " mapped(words[i])
                }
            }
            key = field["uris"] suites
            if (suites != "" && (" " field["types"] " ") ~ / deb(-src)? / &&
                (" " field["components"] " ") ~ / main / &&
                field["enabled"] !~ /^(no|false|off|0)$/ && !seen[key]++) {
                print "Types: " type "\nURIs: " field["uris"]
                print "Suites:" suites "\nComponents: main" other "\n"
            }
            other = ""
            for (key in field) {
                delete field[key]
            }
        }
        form == "list" && $1 ~ /^deb(-src)?$/ { sub(/#.*/, ""); list_entry() }
        form == "list" || /^#/ { next }
        /^[ \t]*$/ { flush_stanza(); name = ""; next }
        /^[ \t]/ && name == "other" { other = other "\n" $0; next }
        /^[ \t]/ { field[name] = field[name] " " $0; next }
        {
            name = tolower(substr($0, 1, index($0, ":") - 1))
            value = substr($0, index($0, ":") + 1)
            gsub(/[ \t]+/, " ", value)
            sub(/^ /, "", value)
            if (name ~ /^(types|uris|suites|components|enabled)$/) {
                field[name] = value
            } else if (name != "architectures") {
                other = other "\n" $0
                name = "other"
            }
        }
        END { if (form == "sources") flush_stanza() }'
}

# apt_has_source_entries: is there an enabled deb-src entry of Debian's?
apt_has_source_entries() {
    local file
    for file in "$APT_ETC"/sources.list "$APT_ETC"/sources.list.d/*; do
        case $file in
            *.list) grep -Eqs '^[ \t]*deb-src[ \t]' "$file" && return 0 ;;
            *.sources) grep -Eqsi '^types:.*deb-src' "$file" && return 0 ;;
        esac
    done
    return 1
}

# enable_deb_src: the machine gets deb-src entries in a file of its own
enable_deb_src() {
    local form text file
    for form in sources list; do
        text=$(apt_entries "$form" deb-src - '')
        [ -n "$text" ] || continue
        file=$APT_ETC/sources.list.d/zvhd2-deb-src.$form
        printf '%s\n' "$text" | as_root tee "$file" >/dev/null
        say "no deb-src entry on this machine: added $file"
    done
    as_root apt-get -q -q update || say "apt-get update complained; going on"
}

# private_apt SUITE COMMAND...: run an apt command (or a function of this file)
# that sees only SUITE, as private_apt_update made it; needs no root
private_apt() {
    local root=$BUILD/apt/$1
    shift
    (export APT_CONFIG="$root/apt.conf" && "$@")
}

# private_apt_update SUITE TYPE: make or refresh the private root of SUITE
private_apt_update() {
    local suite=$1 type=$2 root=$BUILD/apt/$1 keep='^(|-updates|-security)$'

    case $suite in
        sid) keep='^$' ;;               # has no updates or security part
        *-backports) keep='^$' ;;
    esac
    rm -rf "$root"
    mkdir -p "$root/lists/partial" "$root/cache/archives/partial" \
        "$root/sources.d"
    : >"$root/status"
    apt_entries list "$type" "$suite" "$keep" >"$root/sources.d/own.list"
    apt_entries sources "$type" "$suite" "$keep" >"$root/sources.d/own.sources"
    [ -s "$root/sources.d/own.list" ] || [ -s "$root/sources.d/own.sources" ] ||
        die "no entry of Debian's archive in $APT_ETC to find $suite with:" \
            "give --qemu an unpacked tree or an upstream tarball"
    cat >"$root/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$root/sources.d";
Dir::State::lists "$root/lists";
Dir::State::status "$root/status";
Dir::Cache "$root/cache";
Acquire::Languages "none";
APT::Sandbox::User "$(id -un)";
CONF
    # sid's Release files live for a week, and a mirror may lag behind
    [ "$suite" != sid ] ||
        echo 'Acquire::Check-Valid-Until "false";' >>"$root/apt.conf"

    # The exit code is not the verdict (an entry of another vendor may not
    # have this suite): whoever asks for a package sees whether it is there.
    private_apt "$suite" apt-get -q -q update 2>"$root/update.log" ||
        true
}

# private_apt_reason SUITE: why the update brought nothing, in one line
private_apt_reason() {
    local log=$BUILD/apt/$1/update.log
    if grep -q NO_PUBKEY "$log"; then
        echo "this machine's keyring does not know the keys of $1:" \
            "upgrade debian-archive-keyring"
    elif [ -s "$log" ]; then
        grep -m1 -E '^(E|W|Err)' "$log" || head -n1 "$log"
    else
        echo "$1 does not have it"
    fi
}

# source_versions PACKAGE: Debian versions in the lists seen, newest first
source_versions() {
    # apt-cache fails where there is no deb-src entry: that is no version
    { apt-cache showsrc --only-source "$1" 2>/dev/null || true; } |
        sed -n 's/^Version: //p' | sort -Vru
}

# upstream_of VERSION: 1:7.2+dfsg-7+deb12u18 -> 7.2
upstream_of() {
    printf '%s\n' "$1" | sed -E 's/^[0-9]+://; s/^([0-9]+\.[0-9]+).*/\1/'
}

# download_source PACKAGE VERSION FOLDER: .dsc and tarballs into FOLDER; the
# path of the .dsc on stdout.  The archive's signed index vouches for them.
download_source() {
    local name=$1 version=$2 folder=$3
    local dsc=$folder/${name}_${version#*:}.dsc
    mkdir -p "$folder"
    (cd "$folder" && apt-get -q -q source --download-only --only-source \
        -o APT::Sandbox::User=root "$name=$version" >&2) &&
        [ -r "$dsc" ] && printf '%s\n' "$dsc"
}
