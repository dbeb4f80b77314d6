#!/usr/bin/env bash
# Runs the commands of the README on a system without installed packages: creates a bare Debian, copies the committed files
# to a directory below the home of root, and runs the commands as root.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/fresh.sh [--cache DIR] [--ccache DIR] [--keep] SUITE [COMMAND...]

SUITE is a release of Debian: bookworm, trixie. Each COMMAND is one argument, executed by bash in the checkout; default:
  "./demo.sh" "./demo.sh postgres" "./test.sh"
The exit status is that of the first command that fails. Requires root (chroot, mount), a network and 6 GB.

  --cache DIR    store the bare system as DIR/SUITE.tar for the next run; not on a tmpfs
  --ccache DIR   compile with ccache and its cache in DIR, for repeated runs; installs ccache
  --keep         do not remove the system, and print its location
TEXT
}

cache='' ccache='' keep=false
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --cache) [ $# -gt 1 ] || { usage >&2; exit 2; }; cache=$2; shift ;;
    --ccache) [ $# -gt 1 ] || { usage >&2; exit 2; }; ccache=$2; shift ;;
    --keep) keep=true ;;
    -*) usage >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || { usage >&2; exit 2; }
readonly suite=$1
shift
[[ $suite =~ ^[a-z]+$ ]] || { usage >&2; exit 2; }
[ $# -gt 0 ] || set -- "./demo.sh" "./demo.sh postgres" "./test.sh"
[ "$(id -u)" -eq 0 ] || fail "requires root, for chroot and mount: sudo scripts/fresh.sh $suite"
git rev-parse --verify -q HEAD >/dev/null || fail "not a git checkout; the list of files is taken from git"
[ -z "$(git status --porcelain)" ] || say "uncommitted changes are not included"

install_missing debootstrap debian-archive-keyring
[ -z "$cache" ] || mkdir -p "$cache"
work=$(mktemp -d "${cache:-/var/tmp}/tidepool-$suite-XXXXXX")
readonly work system=$work/system
clean_up() {
  local running
  running=$(jobs -p)
  [ -z "$running" ] || { kill -KILL $running; wait; } 2>/dev/null || true
  $keep || rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
# The tests should run on an ordinary file system, and memory is needed for programs.
[ "$(stat -f -c %T "$work")" != tmpfs ] || fail "$work is on a tmpfs; specify a directory on a disk with --cache"

# apart COMMAND...: in separate mount and process name spaces, which end with it.
apart() { exec unshare --mount --pid --fork --kill-child "$@"; }

if [ -n "$cache" ] && [ -f "$cache/$suite.tar" ]; then
  mkdir "$system"
  shown "unpacking $cache/$suite.tar" "$work/log" tar -xpf "$cache/$suite.tar" --numeric-owner -C "$system" ||
    fail "could not unpack $cache/$suite.tar"
else
  shown "creating a bare $suite system" "$work/log" apart \
    debootstrap --variant=minbase "$suite" "$system" http://deb.debian.org/debian || fail "could not create a $suite system"
  if [ -n "$cache" ]; then
    tar -cpf "$work/tar" --numeric-owner -C "$system" .
    mv "$work/tar" "$cache/$suite.tar"
  fi
fi
install -m 644 /etc/resolv.conf "$system/etc/resolv.conf"
install -d -m 700 "$system/root" "$system/root/tidepool"
git archive HEAD | tar -xf - -C "$system/root/tidepool" --no-same-owner

# inside COMMAND: in the system, as in a container.
inside() {
  # shellcheck disable=SC2016
  apart bash -ec '
    mount -t proc proc "$1/proc"
    mount --rbind /sys "$1/sys"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs -o mode=1777,nosuid,nodev shm "$1/dev/shm"
    [ -z "$3" ] || { mkdir -p "$3" "$1/ccache" && mount --bind "$3" "$1/ccache"; }
    cd /
    status=0  # this shell remains, as the parent of orphaned processes
    env -i HOME=/root ${3:+CCACHE_DIR=/ccache} PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
      chroot "$1" bash -c "cd /root/tidepool && $2" || status=$?
    exit "$status"
  ' inside "$system" "$1" "$ccache"
}

if [ -n "$ccache" ]; then
  shown "installing ccache" "$work/log" inside "apt-get update && apt-get install -y --no-install-recommends ccache" ||
    fail "cannot install ccache"
fi

status=0
for command in "$@"; do
  say ""
  say "== $suite: $command"
  ended=0
  shown "$command" "$work/log" inside "$command" || ended=$?
  [ "$ended" -ne 0 ] || tail -n 5 "$work/log"
  [ "$status" -ne 0 ] || status=$ended
done
! $keep || say "left: $system"
exit "$status"
