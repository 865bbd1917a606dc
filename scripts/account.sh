# Variables that tools expect from a login, set where a service account or a container does not have them. Variables that
# work are left alone. Sourced by every target of the Makefile (BASH_ENV) and by .venv/bin/activate, in bash or zsh.

graft_set() {
    export "$1=$2" GRAFT_ACCOUNT="${GRAFT_ACCOUNT:+$GRAFT_ACCOUNT, }$1=$2" # read by make doctor
}

# A folder under .venv, or in the folder for temporary files where .venv is not writable; never one of another user.
graft_folder() {
    local folder
    for folder in "$(CDPATH='' cd -- "$(dirname -- "$1")/.." && pwd)/.venv/account" "${TMPDIR:-/tmp}/graft-$(id -u)"; do
        case "$folder" in *\$*) continue ;; esac # BentoML would expand it as a variable
        mkdir -p -m 700 "$folder" 2>/dev/null && [ -O "$folder" ] && [ -w "$folder" ] && echo "$folder" && return
    done
    echo "${TMPDIR:-/tmp}"
}

# DVC asks for the user's name, which fails where the uid has none.
[ -n "${LOGNAME:-}${USER:-}" ] || graft_set USER "$(id -un 2>/dev/null | grep . || id -u)"

# DVC runs each stage in this shell; that of many service accounts refuses every command. (BASH_ENV is empty here, or bash
# would read this file again.)
BASH_ENV='' "${SHELL:-/bin/sh}" -c 'exec true' >/dev/null 2>&1 || graft_set SHELL /bin/sh

case "${HOME:-}" in
/*) ;;
*)
    graft_home=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6)
    [ -n "$graft_home" ] || graft_home=$(graft_folder "${BASH_SOURCE:-$0}")
    graft_set HOME "${graft_home:-/}"
    unset graft_home
    ;;
esac
if [ ! -w "$HOME" ]; then
    [ -n "${XDG_CACHE_HOME:-}" ] || graft_set XDG_CACHE_HOME "$(graft_folder "${BASH_SOURCE:-$0}")/cache"
    [ -n "${BENTOML_HOME:-}" ] || graft_set BENTOML_HOME "$(graft_folder "${BASH_SOURCE:-$0}")/bentoml"
fi
[ -w /var/tmp ] || [ -n "${DVC_SITE_CACHE_DIR:-}" ] || graft_set DVC_SITE_CACHE_DIR "$(graft_folder "${BASH_SOURCE:-$0}")/dvc"
unset -f graft_set graft_folder
