# A temporary PostgreSQL server with tidepool preloaded: in a temporary directory, on a Unix socket only, under an unprivileged
# user. To be sourced by bash; cluster_start sets PGHOST, PGPORT, PGUSER and PGDATABASE.

# The programs of the server that the extension was built for: the one named by TIDE_PG_CONFIG, else the newest one with
# installed headers.
cluster_config() { /usr/bin/python3 "$1/scripts/pg_config.py" "${TIDE_PG_CONFIG-}"; }

# as_server COMMAND...: servers do not run as root; in that case the server, and programs that share segments with it, run as
# postgres. That user may have no access to the home of root, so it uses copies of the build and another working directory.
as_server() {
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid=postgres --regid=postgres --clear-groups env -C / HOME="$cluster_work" "$@"
  else
    "$@"
  fi
}

# cluster_start SOURCE BUILD WORK [SETTING...]: the workload for as_server is in WORK/build/examples.
cluster_start() {
  local root=$1 products=$2 values setting
  cluster_work=$3
  shift 3
  values=$(cluster_config "$root") || return 1
  cluster_bin=$(sed -n 6p <<<"$values")
  local version libdir sharedir staged
  version=$(sed -nE '2s/[^0-9]*([0-9]+).*/\1/p' <<<"$values")
  libdir=$(sed -n 4p <<<"$values")
  sharedir=$(sed -n 5p <<<"$values")
  chmod 755 "$cluster_work"
  mkdir -p "$cluster_work/stage" "$cluster_work/socket" "$cluster_work/segments"
  meson install -C "$products" --no-rebuild --quiet --destdir "$cluster_work/stage" >"$cluster_work/install.log" 2>&1 || {
    cat "$cluster_work/install.log"
    return 1
  }
  mkdir -p "$cluster_work/build/examples" "$cluster_work/build/c_api"
  cp "$products/examples/workload" "$cluster_work/build/examples"
  cp "$products/c_api/libtidepool.so.0" "$cluster_work/build/c_api"
  chmod -R a+rX "$cluster_work/stage" "$cluster_work/build"
  [ "$(id -u)" -ne 0 ] || chown postgres: "$cluster_work" "$cluster_work/socket" "$cluster_work/segments"
  as_server "$cluster_bin/initdb" -D "$cluster_work/data" -U postgres --auth=trust --no-sync -E UTF8 --no-locale \
    >"$cluster_work/initdb.log" 2>&1 || { cat "$cluster_work/initdb.log"; return 1; }
  # dynamic_library_path is for the modules. The location of the other files of a staged installation can be set in PostgreSQL
  # 18 and newer, and in older versions of Debian's PostgreSQL.
  staged="extension_destdir = '$cluster_work/stage'"
  [ "$version" -lt 18 ] || staged="extension_control_path = '$cluster_work/stage$sharedir:\$system'"
  {
    echo "unix_socket_directories = '$cluster_work/socket'"
    echo "listen_addresses = ''"
    echo "fsync = off"
    echo "shared_preload_libraries = 'tidepool'"
    echo "dynamic_library_path = '$cluster_work/stage$libdir:\$libdir'"
    echo "$staged"
    echo "tidepool.dir = '$cluster_work/segments'"
    for setting in "$@"; do echo "$setting"; done
  } | as_server tee -a "$cluster_work/data/postgresql.conf" >/dev/null
  as_server "$cluster_bin/pg_ctl" -D "$cluster_work/data" -l "$cluster_work/server.log" -w -t 30 start \
    >"$cluster_work/start.log" 2>&1 || { cat "$cluster_work/start.log" "$cluster_work/server.log"; return 1; }
  export PGHOST=$cluster_work/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PGOPTIONS=
  export TIDEPOOL_DIR=$cluster_work/segments
}

cluster_stop() {
  [ -z "${cluster_bin-}" ] || [ ! -f "$cluster_work/data/postmaster.pid" ] ||
    as_server "$cluster_bin/pg_ctl" -D "$cluster_work/data" -m fast -w -t 30 stop >/dev/null 2>&1 || true
}
