# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion of obs-push. Commands and options are asked of the program
# itself, so that this file need not know them.
_obs_push()
{
    local cur prev command words
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD-1]}
    COMPREPLY=()
    command=
    if [[ $COMP_CWORD -gt 1 ]]; then
        command=${COMP_WORDS[1]}
    fi
    case $prev in
    --cacert|--credentials-file|--state-dir|--bitmap|--layout|--samples|--fit)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --cloud)
        words=$("${COMP_WORDS[0]}" --long-options=clouds 2>/dev/null)
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
        ;;
    --signature)
        mapfile -t COMPREPLY < <(compgen -W "obs v2 v4" -- "$cur")
        return
        ;;
    --type)
        mapfile -t COMPREPLY < <(compgen -W "system data bms" -- "$cur")
        return
        ;;
    --architecture)
        mapfile -t COMPREPLY < <(compgen -W "x86 arm" -- "$cur")
        return
        ;;
    --firmware)
        mapfile -t COMPREPLY < <(compgen -W "bios uefi" -- "$cur")
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        if [[ $command == -* ]]; then
            command=
        fi
        words=$("${COMP_WORDS[0]}" ${command:+"$command"} --long-options \
                2>/dev/null)
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    if [[ $COMP_CWORD -eq 1 ]]; then
        words=$("${COMP_WORDS[0]}" --long-options=commands 2>/dev/null)
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    fi
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
    compopt -o filenames 2>/dev/null
}
complete -F _obs_push obs-push
