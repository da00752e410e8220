#!/bin/sh
# Replaces, under many names, the commands that would change the machine on which the instance runs.
name=${0##*/}
say() { echo "[embedded AWS] $*" >&2; }
init() { echo "$*" > "$EMBEDDED_AWS_RUN/initctl"; }

shut_down() {
    verb=poweroff seconds=60
    for word in "$@"; do
        case $word in
            -r | --reboot) verb=reboot ;;
            -c) init cancel; exit 0 ;;
            -k) exit 0 ;;
            now) seconds=0 ;;
            -*) ;;
            *)
                minutes=${word#+}
                case $minutes in
                    '' | *[!0-9]*) say "shutdown: $word: use 'now' or '+minutes'"; exit 1 ;;
                esac
                seconds=$((minutes * 60))
                break ;;
        esac
    done
    init "$verb $seconds"
}

case $name in
    shutdown) shut_down "$@" ;;
    poweroff | halt) init poweroff 0 ;;
    reboot) init reboot 0 ;;
    telinit | init)
        case ${1:-} in
            0) init poweroff 0 ;;
            6) init reboot 0 ;;
            hostname) [ $# -eq 0 ] && echo "$HOSTNAME" || say "hostname $*: skipped" ;;
            *) say "$name $*: skipped" ;;
        esac ;;
    systemctl)
        for word in "$@"; do
            case $word in
                poweroff | halt) init poweroff 0; exit 0 ;;
                reboot) init reboot 0; exit 0 ;;
                is-active | is-enabled | is-failed | status | show | cat) echo inactive; exit 3 ;;
                -*) ;;
                *) break ;;
            esac
        done
        say "systemctl $*: skipped, as there are no services" ;;
    sudo | doas)
        user=root login=
        while [ $# -gt 0 ]; do
            case $1 in
                -u | --user) user=${2:-}; shift; [ $# -gt 0 ] && shift ;;
                -g | -h | -p | -C | -r | -t | -U | --group) shift; [ $# -gt 0 ] && shift ;;
                -i | --login) login=yes; shift ;;
                --) shift; break ;;
                -*) shift ;;
                *=*) export "$1"; shift ;;
                *) break ;;
            esac
        done
        [ $# -gt 0 ] || exit 0
        if [ -n "$login" ] && [ -d "$EMBEDDED_AWS_HOMES/$user" ]; then
            export HOME="$EMBEDDED_AWS_HOMES/$user"
            cd "$HOME" || exit 1
        fi
        exec "$@" ;;
    logger)
        tag=user
        copy=
        while [ $# -gt 0 ]; do
            case $1 in
                -t | --tag) tag=$2; shift 2 ;;
                -p | -f | -n | -P) shift 2 ;;
                -s | --stderr) copy=yes; shift ;;
                --) shift; break ;;
                -*) shift ;;
                *) break ;;
            esac
        done
        if [ $# -gt 0 ]; then echo "$*"; else cat; fi | while IFS= read -r line || [ -n "$line" ]; do
            if [ -n "$copy" ]; then echo "$tag: $line" >&2; else echo "$tag: $line" > "$EMBEDDED_AWS_RUN/console"; fi
        done ;;
    hostname) [ $# -eq 0 ] && echo "$HOSTNAME" || say "hostname $*: skipped" ;;
    *) say "$name $*: skipped, as the instance shares this machine" ;;
esac
