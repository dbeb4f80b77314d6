#!/usr/bin/env bash
# The demonstration: 100 callers on a pool of ten connections, inspected and controlled in SQL from another process: SQLite
# and the sqlite3 shell, or a temporary PostgreSQL server and psql.
# Every statement marked "true" is checked; the exit status is 0 only if all checks succeed.
#
#   show.sh BUILD-FOLDER [sqlite|postgres]      DEMO_PACE: seconds per scene (default 4)
set -euo pipefail
readonly build=$(cd "${1:?usage: show.sh BUILD-FOLDER [sqlite|postgres]}" && pwd)
readonly database=${2:-sqlite}
readonly extension=$build/sqlite_extension/tidepool
readonly source=$(cd "$(dirname "$0")/../.." && pwd)

work=$(mktemp -d "${TMPDIR:-/tmp}/tidepool-demo-XXXXXX")
export TIDEPOOL_DIR=$work/segments
mkdir "$TIDEPOOL_DIR"
workload=

clean_up() {
  exec 3>&- || true
  [ -z "$workload" ] || wait "$workload" 2>/dev/null || true
  [ "$database" != postgres ] || cluster_stop
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
trap '' PIPE

# order WORD: send a word to the workload, if it is still running.
order() { echo "$1" >&3 2>/dev/null || true; }

# The differences between the two: how SQL is executed, for display and for checks, and the spelling of a few names.
if [ "$database" = postgres ]; then
  . "$source/examples/psql/cluster.sh"
  readonly shell_name=psql prompt='postgres=#' words='PostgreSQL'
  dialect() { sed -E 's/tidepool_([a-z])/tidepool.\1/g; s/round\(([a-z0-9_.]+), 1\)/round(\1::numeric, 1)/g' <<<"$1"; }
  table() { psql -X -q -v ON_ERROR_STOP=1 -c "$(dialect "$1")"; }
  value() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$(dialect "$1")"; }
else
  readonly shell_name='the sqlite3 shell' prompt='sqlite>' words='SQLite'
  # The sqlite3 shell with the extension, without a database.
  shell() { sqlite3 -batch -init /dev/null -cmd ".load $extension" "$@"; }
  dialect() { printf '%s' "$1"; }
  table() { shell -box :memory: "$1"; }
  value() { shell -list -noheader :memory: "$1"; }
fi

. "$source/examples/demo/scenes.sh"

mkfifo "$work/orders"
if [ "$database" = postgres ]; then
  printf 'starting a temporary PostgreSQL server in %s\n' "$work"
  cluster_start "$source" "$build" "$work" "log_connections = off" || exit 1
  psql -X -q -c 'CREATE DATABASE shop' -c 'CREATE EXTENSION tidepool'
  as_server "$work/build/examples/workload" "host=$PGHOST dbname=shop user=postgres" <"$work/orders" \
    >"$work/workload.log" 2>&1 &
else
  "$build/examples/workload" "sqlite://$work/shop.db" <"$work/orders" >"$work/workload.log" 2>&1 &
fi
workload=$!
exec 3>"$work/orders"

caption "100 threads share one pool of $words connections in another process. This is $shell_name:"
if [ "$database" = postgres ]; then
  printf '%s CREATE EXTENSION tidepool;\n' "$prompt"
else
  printf '%s .load %s\n' "$prompt" "${extension#"$PWD"/}"
fi
expect "the pool exists, and its callers are working" 10 \
  "select count(*) = 1 and max(in_use) > 0 from tidepool_pools where pool = 'shop' and state = 'running'"
expect "it has grown from 2 to 10 connections" 12 \
  "select size = 10 and max_size = 10 from tidepool_pools where pool = 'shop'"
show "SELECT pool, state, backend, size, idle, in_use, waiting, limit_size, size_source FROM tidepool_pools;"

caption "The leases: connection, purpose, age."
show "SELECT conn_id, tag, thread_id, acquired_at, round(age_ms, 1) AS age_ms FROM tidepool_leases ORDER BY age_ms DESC;"
expect "leases show their purpose" 5 \
  "select count(*) > 0 from tidepool_leases where tag in ('search', 'checkout', 'report')"

if [ "$database" = postgres ]; then
  caption "The sessions of the server, with the leases that use them."
  expect "sessions show pool and tag" 10 \
    "select count(*) > 0 from tidepool_backends where pool = 'shop' and tag in ('search', 'checkout', 'report')"
  show "SELECT pid, pool, tag, round(lease_age_ms, 1) AS lease_age_ms, state, left(query, 40) AS query
        FROM tidepool_backends WHERE pool = 'shop' ORDER BY lease_age_ms DESC NULLS LAST LIMIT 5;"
fi

caption "Waiting callers, and how long callers wait."
expect "wait times are measured" 10 "select wait_p99_ms > 0 from tidepool_pool_stats where pool = 'shop'"
show "SELECT ticket, tag, round(waited_ms, 1) AS waited_ms FROM tidepool_waiters ORDER BY ticket LIMIT 5;"
show "SELECT acquires_total, acquires_waited_total, acquire_timeouts_total, round(wait_p50_ms, 1) AS p50_ms,
        round(wait_p99_ms, 1) AS p99_ms, round(wait_max_ms, 1) AS max_ms FROM tidepool_pool_stats;"
expect "callers waited, and no request failed" 5 \
  "select acquires_waited_total > 0 and acquire_timeouts_total = 0 from tidepool_pool_stats where pool = 'shop'"

caption "Health checks and alerts. Alert rules are rows; this adds one."
show "SELECT check_name, status, score, message FROM tidepool_health_checks;"
show "SELECT tidepool_set_alert('shop', 'busy', 'in_use', '>=', 5) AS command_id;"
expect "the alert fires" 10 "select count(*) = 1 from tidepool_alerts where rule = 'busy' and state = 'firing'"
show "UPDATE tidepool_alerts SET acked_by = 'the demonstration' WHERE rule = 'busy' AND state = 'firing';"
expect "the alert is acknowledged" 5 \
  "select count(*) = 1 from tidepool_alerts where rule = 'busy' and acked_by = 'the demonstration'"
show "SELECT rule, severity, state, value, threshold, acked_by, message FROM tidepool_alerts ORDER BY alert_id;"

caption "Reduce the number of connections."
show "UPDATE tidepool_pools SET target_size = 4 WHERE pool = 'shop';"
expect "the pool has 4 connections, while callers continue" 8 \
  "select size <= 4 and limit_size = 4 and size_source = 'manual' from tidepool_pools where pool = 'shop'"
show "SELECT size, in_use, waiting, target_size, limit_size, size_source FROM tidepool_pools;"

caption "Increase it again, with a reason for the record."
show "SELECT tidepool_scale('shop', 8, 'the demonstration') AS command_id;"
expect "the pool has 8 connections" 8 \
  "select size = 8 and size_source = 'manual' from tidepool_pools where pool = 'shop'"
show "SELECT at, from_size, to_size, cause, reason, actor FROM tidepool_scaling_events ORDER BY seq DESC LIMIT 5;"
expect "the reason is recorded" 5 \
  "select count(*) > 0 from tidepool_scaling_events where to_size = 8 and reason like '%the demonstration%'"
show "SELECT command_id, verb, arguments, status, message FROM tidepool_commands ORDER BY command_id;"

caption "An invalid command fails with an explanation."
refuse "99 connections are rejected" "SELECT tidepool_scale('shop', 99, 'too many');"

caption "Back to automatic sizing; then the load stops, and the pool shrinks."
value "SELECT tidepool_scale('shop', NULL, 'back to automatic');" >/dev/null || wrong=$((wrong + 1))
order quiet
expect "the pool is idle" 5 \
  "select in_use = 0 and waiting = 0 from tidepool_pools where pool = 'shop'"
expect "it has min_size = 2 connections again" 15 \
  "select size = 2 and size = min_size from tidepool_pools where pool = 'shop'"
show "SELECT pool, state, size, idle, in_use, waiting, size_source FROM tidepool_pools;"
show "SELECT connects_total, closed_idle_total, closed_scale_total, releases_total FROM tidepool_pool_stats;"
expect "connections opened = closed + open" 5 \
  "select connects_total = p.size + closed_idle_total + closed_lifetime_total + closed_uses_total + closed_error_total
     + closed_scale_total + closed_control_total from tidepool_pool_stats s join tidepool_pools p using (instance_id)"

if [ -t 0 ] && [ -t 1 ] && [ "$wrong" -eq 0 ]; then
  order load
  if [ "$database" = postgres ]; then
    caption "The load is running again. Try SELECT * FROM tidepool.help; leave with \\q."
    psql -X || true
  else
    caption "The load is running again. Try SELECT * FROM tidepool_help; leave with .quit."
    sqlite3 -cmd ".load $extension" -cmd ".mode box" :memory: || true
  fi
fi

order stop
exec 3>&-
wait "$workload" || wrong=$((wrong + 1))
workload=
caption "The callers have finished: $(tail -n 1 "$work/workload.log")"
[ "$wrong" -eq 0 ] || { cat "$work/workload.log"; printf '%d checks failed\n' "$wrong"; exit 1; }
