# Common parts of ./demo.sh, ./test.sh and ./bench.sh: installing packages, building, showing progress.
# To be sourced by bash in the root directory of the project; only defines functions.

readonly python=/usr/bin/python3
readonly packages_build=(g++ meson ninja-build pkg-config python3 libsqlite3-dev sqlite3 libpq-dev nlohmann-json3-dev
  libcli11-dev libfmt-dev libncurses-dev libcurl4-openssl-dev libssl-dev)
readonly packages_postgres=(postgresql-NN postgresql-server-dev-NN libssl-dev openssl)  # NN: see server_version
readonly packages_test=(tmux python3-jsonschema python3-prometheus-client libgtest-dev libcpp-httplib-dev clang clang-format
  clang-tidy spin valgrind pgbouncer)

# Python programs do not write caches into the source tree.
export PYTHONDONTWRITEBYTECODE=1

say() { printf '%s\n' "$*"; }

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# The last "n/m" printed by a build or test run, if any.
progress_of() {
  tail -c 2000 "$1" 2>/dev/null | tr '\r' '\n' | grep -oE '[0-9]+/[0-9]+' | tail -n 1 || true
}

# shown LABEL LOG COMMAND...: run a command with its output in LOG, and show the progress: on a terminal in one line that is
# rewritten, otherwise in a line every 15 s. Returns the status of the command; prints the end of the log if it failed.
shown() {
  local label=$1 log=$2 start=$SECONDS told=$SECONDS status=0 pid
  shift 2
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [ -t 1 ]; then
      printf '\r\033[K%s  %s  %d s' "$label" "$(progress_of "$log")" $((SECONDS - start))
    elif [ $((SECONDS - told)) -ge 15 ]; then
      told=$SECONDS
      printf '%s  %s  %d s\n' "$label" "$(progress_of "$log")" $((SECONDS - start))
    fi
    sleep 0.3
  done
  wait "$pid" || status=$?
  [ ! -t 1 ] || printf '\r\033[K'
  if [ "$status" -eq 0 ]; then
    say "$label: done in $((SECONDS - start)) s"
  else
    say "$label: failed after $((SECONDS - start)) s; the end of $log:"
    tail -n 60 "$log"
  fi
  return "$status"
}

# as_root COMMAND...
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

has_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# server_version: of the installed PostgreSQL server with headers, else of the one available as a package.
server_version() {
  local version
  version=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'postgresql-server-dev-[0-9]*' 2>/dev/null |
    sed -nE 's/^installed postgresql-server-dev-([0-9]+)$/\1/p' | sort -n | tail -n 1)
  if [ -z "$version" ] || ! has_package "postgresql-$version"; then
    version=$(apt-cache depends postgresql 2>/dev/null | sed -nE 's/^ *Depends: postgresql-([0-9]+)$/\1/p')
  fi
  printf '%s' "$version"
}

# missing_of PACKAGE...: the packages that are not installed, one per line; NN in a name is the version of PostgreSQL.
missing_of() {
  local package version
  version=$(server_version)
  for package in "$@"; do
    package=${package/%-NN/-${version:-NN}}
    has_package "$package" || printf '%s\n' "$package"
  done
}

# install_missing PACKAGE...: install the Debian packages that are missing.
install_missing() {
  local missing logs
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "not a Debian system; install the equivalents of: $*"
  mapfile -t missing < <(missing_of "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; } ||
    fail "missing: ${missing[*]}; run as root, or: sudo apt-get install --no-install-recommends ${missing[*]}"
  logs=$(mktemp -d)
  shown "apt-get update" "$logs/update" as_root apt-get update || fail "apt-get update failed; check the network"
  mapfile -t missing < <(missing_of "$@")  # a bare system knows the versions only now
  say "installing ${missing[*]}"
  shown "installing ${#missing[@]} packages" "$logs/install" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" || fail "could not install: ${missing[*]}"
  rm -rf "$logs"
}

# fetch_promtool FOLDER: promtool of Debian's package prometheus into FOLDER, if it is not there. The package is not installed,
# because it would start a server. Needs no rights.
fetch_promtool() {
  local folder temporary private status=0
  folder=$(realpath -m "$1")
  [ ! -x "$folder/promtool" ] || return 0
  command -v apt-get >/dev/null || { echo "no apt-get to fetch the package prometheus" >&2; return 1; }
  mkdir -p "$folder"
  temporary=$(mktemp -d -p "$folder")
  # Images of containers often have no lists of packages; private ones need no root.
  if ! (cd "$temporary" && apt-get download prometheus) >"$temporary/log" 2>&1; then
    private=(-o "Dir::State::lists=$temporary/lists" -o "Dir::Cache=$temporary/cache")
    mkdir -p "$temporary/lists/partial" "$temporary/cache/archives/partial"
    { apt-get "${private[@]}" update && (cd "$temporary" && apt-get "${private[@]}" download prometheus); } \
      >>"$temporary/log" 2>&1 || status=$?
  fi
  [ "$status" -ne 0 ] || dpkg-deb --fsys-tarfile "$temporary"/prometheus_*.deb |
    tar -x -C "$temporary" ./usr/bin/promtool 2>>"$temporary/log" || status=$?
  if [ "$status" -eq 0 ]; then
    mv "$temporary/usr/bin/promtool" "$folder/promtool"
  else
    echo "cannot fetch the package prometheus: $(grep -E '^[EW]:' "$temporary/log" | tail -n 1)" >&2
  fi
  rm -rf "$temporary"
  return "$status"
}

# configure FOLDER OPTION...: set up a build directory, or change its options if they differ.
configure() {
  local folder=$1
  shift
  if [ ! -f "$folder/build.ninja" ]; then
    rm -rf "$folder"
    shown "configuring $folder" "$folder.log" meson setup "$folder" "$@" || return 1
  elif [ "$(cat "$folder/.options" 2>/dev/null)" != "$*" ]; then
    shown "changing the options of $folder" "$folder.log" meson configure "$folder" "$@" || return 1
  fi
  printf '%s' "$*" >"$folder/.options"
  mv -f "$folder.log" "$folder/configure.log" 2>/dev/null || true
}

# build FOLDER [TARGET...]
build() {
  local folder=$1
  shift
  shown "building $folder" "$folder/compile.log" ninja -C "$folder" ${NINJA_JOBS:+-j "$NINJA_JOBS"} "$@"
}
