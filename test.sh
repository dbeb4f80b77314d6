#!/usr/bin/env bash
# Installs missing packages, builds, and runs the tests. The last line of output is: N passed, N failed[, N skipped].
set -euo pipefail
cd "$(dirname "$0")"
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: ./test.sh                build, and run the tests that are not long and need no sanitizer
       ./test.sh all            all tests, also long ones, sanitizers, clang-tidy with clang's warnings
       ./test.sh NAME...        run the named ones
       ./test.sh --list         list the names
       ./test.sh --help

NAME is a suite (unit, sim, abi, long ...), a test (unit_pool), or a stage:
  asan    the tests under AddressSanitizer and UndefinedBehaviorSanitizer
  tsan    the concurrent tests under ThreadSanitizer
  clang-tidy   names and likely mistakes in the product, and clang's warnings
  clang   check every file of the product by itself, to detect missing includes; not part of all
A test under a sanitizer is asan:unit_pool or tsan:race. Set NINJA_JOBS to limit the compiler processes.
Logs: build*/meson-logs/testlog.txt, build*/compile.log.
TEXT
}

# Options of Meson for each stage.
options_of() {
  case $1 in
    build) echo "-Dwerror=true -Dtests=true -Dpostgres=enabled" ;;
    # Optimization would take most of the compile time.
    build-asan) echo "-Dtests=true -Dexamples=false -Dbuildtype=debugoptimized -Ddebug=false" \
      "-Doptimization=0 -Db_sanitize=address,undefined -Db_lundef=false" ;;
    build-tsan) echo "-Dtests=true -Dexamples=false -Dbuildtype=debugoptimized -Ddebug=false" \
      "-Doptimization=1 -Db_sanitize=thread -Db_lundef=false" ;;
    # Each file separately, to detect missing includes.
    build-clang) echo "-Dunity=off -Dtests=true" ;;
  esac
}

# With AddressSanitizer clang compiles in half the time of GCC.
compilers_of() {
  case $1 in
    build-asan) ! has_clang_sanitizers || echo "CC=clang CXX=clang++" ;;
    build-clang) echo "CC=clang CXX=clang++" ;;
  esac
}
has_clang_sanitizers() { echo "int main() {}" | clang++ -x c++ -fsanitize=address,undefined -o /dev/null - 2>/dev/null; }

prepare() {
  local compilers
  compilers=$(compilers_of "$1")
  # shellcheck disable=SC2046,SC2086
  ([ -z "$compilers" ] || export $compilers; configure "$1" $(options_of "$1"))
}

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
tally() { printf '%s\n' "$1" >>"$results/stages"; }  # "passed NAME", "failed NAME", "skipped NAME"

# run_tests FOLDER [TEST...]: builds what the named tests need; without names, all tests are already built.
run_tests() {
  local folder=$1 log status=0 build_first=()
  shift
  [ $# -gt 0 ] || build_first=(--no-rebuild)
  log=$results/$folder.log
  rm -f "$folder"/meson-logs/testlog*
  shown "testing $folder" "$log" "${runner[@]}" meson test -C "$folder" --print-errorlogs "${build_first[@]}" "$@" ||
    status=$?
  [ "$status" -ne 0 ] || grep -E '^ *[0-9]+/[0-9]+ ' "$log" || true
  if [ -s "$folder/meson-logs/testlog.json" ]; then
    echo "$folder" >>"$results/folders"
  else
    tally "failed $folder"
  fi
}

runner=()
stage() {
  local folder=$1
  shift
  runner=()
  if ! prepare "$folder" || { [ $# -eq 0 ] && ! build "$folder"; }; then
    tally "failed $folder (does not build)"
    return
  fi
  # ThreadSanitizer needs a free address range, which the address randomisation of newer kernels may occupy.
  if [ "$folder" = build-tsan ] && setarch "$(uname -m)" -R true 2>/dev/null; then runner=(setarch "$(uname -m)" -R); fi
  run_tests "$folder" "$@"
}

# look_at NAME KIND FOLDER: a stage that runs scripts/units.py.
look_at() {
  local status=0
  # Regenerate the compile commands if the build files have changed.
  { prepare "$3" && ninja -C "$3" build.ninja >/dev/null; } || status=$?
  [ "$status" -ne 0 ] || shown "$1" "$results/$1.log" "$python" scripts/units.py "$2" "$3" || status=$?
  case $status in
    0) tally "passed $1" ;;
    77) tally "skipped $1 ($(tail -n 1 "$results/$1.log"))" ;;
    *) tally "failed $1" ;;
  esac
}
look_with_clang() { look_at clang syntax build-clang; }
look_with_clang_tidy() { look_at clang-tidy tidy build; }

list() {
  prepare build >/dev/null
  "$python" scripts/summary.py --list build
  say "stages: asan tsan clang clang-tidy (asan:NAME and tsan:NAME for one test or suite)"
}

export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1"

case "${1-}" in
  --help | -h)
    usage
    exit 0
    ;;
esac
install_missing "${packages_build[@]}" "${packages_postgres[@]}" "${packages_test[@]}"
if [ "${1-}" = --list ]; then
  list
  exit 0
fi

# compile_beside: compile with low priority while the tests, which mostly wait, are running.
compile_beside() {
  renice -n 19 "$BASHPID" >/dev/null
  local folder
  for folder in build-asan build-tsan; do
    if prepare "$folder"; then build "$folder" || true; fi
    touch "$results/$folder.compiled"
  done
  look_with_clang_tidy >"$results/looks.out" 2>&1
}

# until_compiled FOLDER: wait until it is compiled; if that failed, its stage reports why.
until_compiled() {
  while [ ! -e "$results/$1.compiled" ] && kill -0 "$beside" 2>/dev/null; do
    sleep 1
    tail -c 200 "$1/compile.log" 2>/dev/null || true
  done
}

# select_tests FOLDER NAME...: replace suites by their tests; exit at an unknown name.
select_tests() {
  local folder=$1
  shift
  prepare "$folder" >/dev/null || fail "cannot configure $folder; see $folder.log"
  "$python" scripts/summary.py --select "$folder" "$@" || exit 2
}

if [ $# -eq 0 ]; then
  if prepare build && build build; then
    # shellcheck disable=SC2046
    stage build $("$python" scripts/summary.py --short build)
  else
    tally "failed build (does not build)"
  fi
elif [ "$*" = all ]; then
  if prepare build && build build; then
    compile_beside >"$results/beside.out" 2>&1 &
    beside=$!
    stage build
    for folder in build-asan build-tsan; do
      shown "waiting for $folder" "$results/waiting.log" until_compiled "$folder"
      stage "$folder"
    done
    shown "waiting for clang" "$results/waiting.log" tail --pid="$beside" -f /dev/null
    cat "$results/looks.out"
  else
    tally "failed build (does not build)"
  fi
else
  names=() asan=() tsan=() looks=()
  for name in "$@"; do
    case $name in
      asan) asan+=('*') ;;
      tsan) tsan+=('*') ;;
      asan:*) asan+=("${name#asan:}") ;;
      tsan:*) tsan+=("${name#tsan:}") ;;
      clang) looks+=(look_with_clang) ;;
      clang-tidy) looks+=(look_with_clang_tidy) ;;
      -*) usage >&2; exit 2 ;;
      *) names+=("$name") ;;
    esac
  done
  chosen=$([ ${#names[@]} -eq 0 ] || select_tests build "${names[@]}")
  chosen_asan=$([ ${#asan[@]} -eq 0 ] || select_tests build-asan "${asan[@]}")
  chosen_tsan=$([ ${#tsan[@]} -eq 0 ] || select_tests build-tsan "${tsan[@]}")
  # shellcheck disable=SC2086
  {
    [ -z "$chosen" ] || stage build $chosen
    [ -z "$chosen_asan" ] || stage build-asan $chosen_asan
    [ -z "$chosen_tsan" ] || stage build-tsan $chosen_tsan
  }
  for look in "${looks[@]}"; do $look; done
fi

"$python" scripts/summary.py --count "$results"
