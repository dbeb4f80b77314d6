#!/usr/bin/env bash
# A demonstration of about half a minute: installs missing packages, builds, runs 100 callers on a pool of SQLite
# connections, and inspects and controls the pool from the sqlite3 shell; or the same with PostgreSQL and psql.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: ./demo.sh             build and run; on a terminal, ends with a sqlite3 prompt (leave it with .quit)
       ./demo.sh postgres    the same with a temporary PostgreSQL server and psql (leave it with \q)
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
[ -f build/build.ninja ] || configure build -Dwerror=true -Dtests=false || fail "configuring failed; see build.log"
if [ "$database" = postgres ] && [ -z "$(find build/pg_extension -name 'tidepool.so*' -print -quit 2>/dev/null)" ]; then
  shown "configuring PostgreSQL" build/configure.log meson configure build -Dpostgres=enabled || fail "configuring failed"
fi
if [ "$database" = postgres ]; then
  build build show_postgres || fail "the build failed"
else
  build build show || fail "the build failed"
fi
exec examples/demo/show.sh build "$database"
