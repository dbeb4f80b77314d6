#!/usr/bin/env bash
# Builds and runs the benchmarks. Each prints ratios to a reference that is measured in the same run.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: ./bench.sh             run all benchmarks
       ./bench.sh NAME...     run these benchmarks
       ./bench.sh NAME... --OPTION...    pass the options to the last of them
       ./bench.sh --list      list the names
       ./bench.sh --help
NAME is a program in build/tests/bench or a script in tests/bench.
TEXT
}

case "${1-}" in
  --help | -h) usage; exit 0 ;;
  --list) ;;
  -*) usage >&2; exit 2 ;;
esac
install_missing "${packages_build[@]}" "${packages_postgres[@]}" pgbouncer
[ -f build/build.ninja ] || configure build -Dwerror=true -Dtests=false
shown "enabling the benchmarks" build/bench.log meson configure build -Dbenchmarks=true >/dev/null || fail "configuring failed"
build build benchmarks || fail "the build failed"

names=()
for program in build/tests/bench/*; do
  [ -f "$program" ] && [ -x "$program" ] && [ "$(basename "$program")" != many_pools ] && names+=("$(basename "$program")")
done
[ ! -e build/pg_extension/tidepool.so ] || names+=(hosted views clients)  # Python scripts that start servers of their own
[ ${#names[@]} -gt 0 ] || fail "no benchmark was built"
if [ "${1-}" = --list ]; then
  printf '%s\n' "${names[@]}"
  exit 0
fi
arguments=()  # of the last benchmark
if [ $# -gt 0 ]; then
  names=()
  while [ $# -gt 0 ] && [[ $1 != --* ]]; do
    names+=("$1")
    shift
  done
  arguments=("$@")
  set -- "${names[@]}"
fi
for name in "${names[@]}"; do
  [ -x "build/tests/bench/$name" ] || [ -x "tests/bench/$name.py" ] || fail "unknown benchmark: $name; see ./bench.sh --list"
done
export TIDE_EXTENSION="$PWD/build/sqlite_extension/tidepool"
TIDEPOOL_DIR=$(mktemp -d /dev/shm/tidepool-bench-XXXXXX)
chmod 1777 "$TIDEPOOL_DIR"  # servers run as another user
export TIDEPOOL_DIR
trap 'rm -rf "$TIDEPOOL_DIR"' EXIT
ended=0
for name in "${names[@]}"; do
  ended=$((ended + 1))
  mine=()
  [ "$ended" -lt ${#names[@]} ] || mine=("${arguments[@]}")
  say ""
  say "== $name ($ended of ${#names[@]})"
  case $name in
    hosted | views | clients) "$python" "tests/bench/$name.py" "${mine[@]}" ;;
    postgresql | service) TIDE_BUILD=$PWD/build "$python" tests/pg/with_server.py "build/tests/bench/$name" "${mine[@]}" ;;
    *) "build/tests/bench/$name" "${mine[@]}" ;;
  esac || fail "$name failed"
done
if [ $# -eq 0 ]; then
  say ""
  say "== hikari"
  tests/bench/hikari.sh
fi
