#!/usr/bin/env bash
# A tour for administrators: a temporary PostgreSQL server with the extension, the pool of an application, and pools hosted by
# the server. Every statement marked "true" is checked; the exit status is 0 only if all checks succeed.
#
#   show.sh BUILD-FOLDER      DEMO_PACE: seconds per scene (default 2)
set -euo pipefail
readonly build=$(cd "${1:?usage: show.sh BUILD-FOLDER}" && pwd)
readonly source=$(cd "$(dirname "$0")/../.." && pwd)
: "${DEMO_PACE:=2}"

work=$(mktemp -d "${TMPDIR:-/tmp}/tidepool-psql-XXXXXX")
workload=
prompt='postgres=#'
dialect() { printf '%s' "$1"; }
# On standard input, so that statements are executed one by one, and may form a transaction.
table() { psql -X -q -v ON_ERROR_STOP=1 -v VERBOSITY="${verbosity-default}" <<<"$1"; }
value() { psql -X -q -A -t -v ON_ERROR_STOP=1 <<<"$1"; }
. "$source/examples/psql/cluster.sh"
. "$source/examples/demo/scenes.sh"

clean_up() {
  exec 3>&- || true
  [ -z "$workload" ] || wait "$workload" 2>/dev/null || true
  cluster_stop
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
trap '' PIPE

# by ROLE COMMAND...: execute a command of a scene as another role.
by() {
  local -x PGUSER=$1
  local prompt="postgres=>"
  shift
  "$@"
}

# The other database: one of the same server, which represents another server. It requires a password for orders_app.
furnish_orders() {
  value "CREATE DATABASE shop;
         CREATE DATABASE orders;
         CREATE ROLE clerk LOGIN;
         CREATE ROLE orders_app LOGIN PASSWORD 'high tide'"
  PGDATABASE=orders value "CREATE TABLE sale (id int PRIMARY KEY, item text, price numeric, at date);
         INSERT INTO sale SELECT n, 'shell ' || n, n * 1.5, date '2030-01-01' + n FROM generate_series(1, 100) AS n;
         ALTER TABLE sale OWNER TO orders_app"
  { echo "local orders orders_app scram-sha-256"; cat "$work/data/pg_hba.conf"; } >"$work/hba"
  as_server tee "$work/data/pg_hba.conf" <"$work/hba" >/dev/null
  value "SELECT pg_reload_conf()" >/dev/null
}

printf 'starting a temporary PostgreSQL server in %s\n' "$work"
cluster_start "$source" "$build" "$work" "log_connections = off" || exit 1
furnish_orders
mkfifo "$work/orders"
as_server "$work/build/examples/workload" "host=$PGHOST dbname=shop user=postgres" <"$work/orders" >"$work/workload.log" 2>&1 &
workload=$!
exec 3>"$work/orders"

caption "An application on this host has a pool. Install the extension:"
show "CREATE EXTENSION tidepool;"
expect "the pool of the application is visible and working" 10 \
  "SELECT count(*) = 1 AND max(in_use) > 0 FROM tidepool.pools WHERE pool = 'shop' AND state = 'running'"
expect "it has grown to max_size = 10 connections" 12 "SELECT size = 10 FROM tidepool.pools WHERE pool = 'shop'"
show "SELECT pool, state, app, pid, size, idle, in_use, waiting, size_source FROM tidepool.pools;"
expect "there is a lease" 5 "SELECT count(*) > 0 FROM tidepool.leases WHERE tag = 'report'"
show "SELECT conn_id, tag, round(age_ms) AS age_ms FROM tidepool.leases ORDER BY age_ms DESC LIMIT 3;"

caption "The sessions of the server, with pool and lease."
expect "sessions show pool and tag" 10 \
  "SELECT count(*) > 0 FROM tidepool.backends WHERE pool = 'shop' AND tag = 'search'"
show "SELECT pid, state, pool, tag, round(lease_age_ms) AS lease_age_ms, left(query, 24) AS query
        FROM tidepool.backends WHERE pool IS NOT NULL ORDER BY lease_age_ms DESC NULLS LAST LIMIT 3;"

caption "Control the pool: an UPDATE takes effect at COMMIT, a function at once."
show "UPDATE tidepool.pools SET target_size = 4 WHERE pool = 'shop';"
expect "the pool has 4 connections" 8 "SELECT size <= 4 AND size_source = 'manual' FROM tidepool.pools WHERE pool = 'shop'"
show "BEGIN; UPDATE tidepool.pools SET target_size = 9 WHERE pool = 'shop'; ROLLBACK;"
expect "the command that was rolled back was not sent" 5 "SELECT count(*) = 1 FROM tidepool.commands WHERE verb = 'scale'"
show "SELECT tidepool.wait_applied(tidepool.scale('shop', 8, 'lunch time'), '5s');"
expect "wait_applied() returned after the command was executed" 8 "SELECT size = 8 FROM tidepool.pools WHERE pool = 'shop'"
show "SELECT tidepool.wait_applied(tidepool.set('shop', 'idle_timeout', '1min'));"
show "SELECT verb, arguments, status, actor FROM tidepool.commands ORDER BY command_id;"
refuse "a size above max_size is rejected" "SELECT tidepool.scale('shop', 99);" 'max_size'

caption "A pool hosted by the server is a foreign server. Its options are checked at once."
refuse "the error suggests a similar option" \
  "CREATE SERVER orders FOREIGN DATA WRAPPER tidepool OPTIONS (dbnam 'orders');" 'Did you mean "dbname"?'
show "CREATE SERVER orders FOREIGN DATA WRAPPER tidepool
        OPTIONS (host '$PGHOST', dbname 'orders', max_size '4');
CREATE USER MAPPING FOR CURRENT_USER SERVER orders OPTIONS (user 'orders_app', password 'high tide');"

caption "Execute statements on the other database."
show "SELECT * FROM tidepool.query('orders', 'SELECT id, item, price FROM sale WHERE price > \$1 LIMIT 2', '100')
        AS (id int, item text, price numeric);"
show "SELECT tidepool.query_json('orders', 'SELECT item, price, at FROM sale WHERE id = \$1', '7');"
seen "numbers remain numbers, without a column list" '*"price": 10.5*'
show "SELECT tidepool.execute('orders', 'UPDATE sale SET price = price + \$1 WHERE id <= \$2', '0.5', '10') AS changed;"
expect "parameters were passed, and the change is visible" 5 \
  "SELECT price = 11 FROM tidepool.query('orders', 'SELECT price FROM sale WHERE id = \$1', '7') AS (price numeric)"
verbosity=verbose refuse "an error keeps its SQLSTATE, message and detail" \
  "SELECT tidepool.execute('orders', 'INSERT INTO sale (id) VALUES (\$1)', '7');" '23505: duplicate key'
show "DO \$\$ BEGIN
  PERFORM tidepool.execute('orders', 'INSERT INTO sale (id) VALUES (7)');
EXCEPTION WHEN unique_violation THEN NULL; END \$\$;"

caption "Hold one connection over several statements: a remote transaction inside a local one."
show "BEGIN;
SELECT tidepool.lease('orders', 'night run') > 0 AS is_leased;
SELECT tidepool.execute('orders', 'BEGIN; DELETE FROM sale WHERE id > 50') AS deleted;
SELECT tag FROM tidepool.leases WHERE pool = 'orders';
SELECT count FROM tidepool.query('orders', 'SELECT count(*) FROM sale') AS (count int);
SELECT tidepool.execute('orders', 'ROLLBACK');
SELECT tidepool.release('orders');
COMMIT;"
seen "all statements used the same session, shown with its tag" '*50*night run*50*'
expect "the remote transaction was rolled back" 5 \
  "SELECT count = 100 FROM tidepool.query('orders', 'SELECT count(*) FROM sale') AS (count int)"
show "SELECT server, mapping, state, size, in_use, max_size FROM tidepool.servers;"
expect "a hosted pool is shown like other pools" 5 \
  "SELECT source = 'hosted' AND max_size = 4 FROM tidepool.pools WHERE pool = 'orders'"

caption "Without grants nothing is allowed. As the role clerk:"
by clerk refuse "clerk may not read the relations" "SELECT pool FROM tidepool.pools;" 'permission denied'
show "GRANT pg_monitor TO clerk;"
by clerk show "SELECT pool, source, state FROM tidepool.pools ORDER BY pool;"
by clerk refuse "permission to read does not include commands" "SELECT tidepool.scale('shop', 6);" \
  'permission denied for function scale'
show "GRANT EXECUTE ON FUNCTION tidepool.scale, tidepool.query TO clerk;"
by clerk show "SELECT tidepool.scale('shop', 6) > 0 AS is_ordered;"
expect "the command is recorded with the name clerk" 5 \
  "SELECT actor LIKE '%clerk%' FROM tidepool.commands WHERE verb = 'scale' ORDER BY command_id DESC LIMIT 1"
by clerk refuse "a foreign server needs a grant of its own" \
  "SELECT * FROM tidepool.query('orders', 'SELECT 1') AS (n int);" 'permission denied for foreign server orders'
show "GRANT USAGE ON FOREIGN SERVER orders TO clerk;
CREATE USER MAPPING FOR clerk SERVER orders OPTIONS (user 'orders_app', password 'high tide');"
by clerk show "SELECT * FROM tidepool.query('orders', 'SELECT current_user, count(*) FROM sale')
        AS (\"user\" text, count int);"
seen "clerk is connected as orders_app" '*orders_app*100*'

caption "Remove the extension. The application is not affected."
PGOPTIONS="-c client_min_messages=warning" show "DROP EXTENSION tidepool CASCADE;"
expect "no objects remain" 5 "SELECT (SELECT count(*) FROM pg_foreign_server) + (SELECT count(*) FROM pg_namespace
  WHERE nspname = 'tidepool') + (SELECT count(*) FROM pg_foreign_data_wrapper) = 0"
echo stop >&3 2>/dev/null || true
exec 3>&-
wait "$workload" || wrong=$((wrong + 1))
workload=
printf '   its callers have finished: %s\n' "$(tail -n 1 "$work/workload.log")"
[ "$wrong" -eq 0 ] || { cat "$work/workload.log"; printf '%d checks failed\n' "$wrong"; exit 1; }
