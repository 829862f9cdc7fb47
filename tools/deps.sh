#!/bin/sh
# deps.sh PACKAGE...: installs those Debian packages that are missing. When none
# is, it asks dpkg once and touches no package manager.
set -eu

if ! command -v dpkg-query >/dev/null; then
    echo "deps: no dpkg here; install what these Debian packages hold: $*" >&2
    exit 0 # the build says what it cannot find
fi

# The arguments that are not installed, each behind a space. dpkg-query fails for
# unknown packages and still lists the known ones.
missing() {
    installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        echo "$installed" | grep -qx "$package installed" || printf ' %s' "$package"
    done
}

todo=$(missing "$@")
[ -n "$todo" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: missing:$todo: install them as root, or install sudo" >&2
        exit 1
    fi
    as_root=sudo
fi

# Nothing here may stop to ask a question.
apt_get() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@"
}

echo "deps: installing$todo"
# Without lists, as in a container image, or with lists that have grown old,
# apt finds no package: fetch them once and try again.
# shellcheck disable=SC2086 # the list is meant to be split
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 ||
    ! apt_get install --no-install-recommends $todo; then
    apt_get update
    apt_get install --no-install-recommends $todo || true # the next lines tell
fi

# shellcheck disable=SC2086
todo=$(missing $todo)
if [ -n "$todo" ]; then
    echo "deps: apt could not install$todo: its messages above say why" >&2
    exit 1
fi
