#!/usr/bin/env bash
# Shows what tidepool does, in about half a minute: installs what is missing, builds, runs 100 callers on a pool of
# SQLite connections and watches and steers them from the sqlite3 shell; or the same with PostgreSQL and psql.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: ./demo.sh             builds and shows; on a terminal it leaves a sqlite3 prompt at the end (.quit leaves it)
       ./demo.sh postgres    the same with a throw-away PostgreSQL and psql (\q leaves it)
TEXT
}

database=sqlite
case "${1-}" in
  '') ;;
  postgres) database=postgres ;;
  --help | -h) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

install_missing "${packages_build[@]}"
[ "$database" != postgres ] || install_missing "${packages_postgres[@]}"
[ -f build/build.ninja ] || configure build -Dwerror=true -Dtests=false || fail "cannot configure; see build.log"
if [ "$database" = postgres ] && [ -z "$(find build/pg_extension -name 'tidepool.so*' -print -quit 2>/dev/null)" ]; then
  shown "looking at PostgreSQL" build/configure.log meson configure build -Dpostgres=enabled || fail "cannot configure"
fi
if [ "$database" = postgres ]; then
  build build show_postgres || fail "does not build"
else
  build build show || fail "does not build"
fi
exec examples/demo/show.sh build "$database"
