#!/usr/bin/env bash
# Shows what tidepool does, in about half a minute: installs what is missing, builds, runs 100 callers on a pool of
# SQLite connections and watches and steers them from the sqlite3 shell.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/lib.sh

case "${1-}" in
  '') ;;
  --help | -h)
    say "usage: ./demo.sh    builds and shows; on a terminal it leaves a sqlite3 prompt at the end (.quit leaves it)"
    exit 0
    ;;
  *)
    say "usage: ./demo.sh" >&2
    exit 2
    ;;
esac

install_missing "${packages_build[@]}"
[ -f build/build.ninja ] || configure build -Dwerror=true -Dtests=false || fail "cannot configure; see build.log"
build build show || fail "does not build"
exec examples/demo/show.sh build
