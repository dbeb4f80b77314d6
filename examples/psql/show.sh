#!/usr/bin/env bash
# What an administrator sees: a throw-away PostgreSQL with the extension, the pool of an application beside it, and pools
# that the server itself hosts. Every claim it prints is checked; the exit status is 0 only if all were true.
#
#   show.sh BUILD-FOLDER      DEMO_PACE: seconds to look at each scene (default 2)
set -euo pipefail
readonly build=$(cd "${1:?usage: show.sh BUILD-FOLDER}" && pwd)
readonly source=$(cd "$(dirname "$0")/../.." && pwd)
: "${DEMO_PACE:=2}"

work=$(mktemp -d "${TMPDIR:-/tmp}/tidepool-psql-XXXXXX")
workload=
prompt='postgres=#'
dialect() { printf '%s' "$1"; }
# On standard input, so that statements run one by one and may be a transaction.
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

# by ROLE COMMAND...: a scene's command as somebody else.
by() {
  local -x PGUSER=$1
  local prompt="postgres=>"
  shift
  "$@"
}

# The other database: one of the same server, which stands for another server. It asks orders_app for a password.
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

printf 'starting a throw-away PostgreSQL in %s\n' "$work"
cluster_start "$source" "$build" "$work" "log_connections = off" || exit 1
furnish_orders
mkfifo "$work/orders"
as_server "$work/build/examples/workload" "host=$PGHOST dbname=shop user=postgres" <"$work/orders" >"$work/workload.log" 2>&1 &
workload=$!
exec 3>"$work/orders"

caption "An application with a pool runs on this host. The server is told once:"
show "CREATE EXTENSION tidepool;"
expect "the application's pool is there, and works" 10 \
  "SELECT count(*) = 1 AND max(in_use) > 0 FROM tidepool.pools WHERE pool = 'shop' AND state = 'running'"
expect "demand made it grow to its max_size of 10" 12 "SELECT size = 10 FROM tidepool.pools WHERE pool = 'shop'"
show "SELECT pool, state, app, pid, size, idle, in_use, waiting, size_source FROM tidepool.pools;"
expect "somebody holds a lease" 5 "SELECT count(*) > 0 FROM tidepool.leases WHERE tag = 'report'"
show "SELECT conn_id, tag, round(age_ms) AS age_ms FROM tidepool.leases ORDER BY age_ms DESC LIMIT 3;"

caption "Which of the server's sessions are whose?"
expect "sessions are told by pool and tag" 10 \
  "SELECT count(*) > 0 FROM tidepool.backends WHERE pool = 'shop' AND tag = 'search'"
show "SELECT pid, state, pool, tag, round(lease_age_ms) AS lease_age_ms, left(query, 24) AS query
        FROM tidepool.backends WHERE pool IS NOT NULL ORDER BY lease_age_ms DESC NULLS LAST LIMIT 3;"

caption "Steer it: an UPDATE is part of the transaction, a function acts at once."
show "UPDATE tidepool.pools SET target_size = 4 WHERE pool = 'shop';"
expect "the pool went down to 4" 8 "SELECT size <= 4 AND size_source = 'manual' FROM tidepool.pools WHERE pool = 'shop'"
show "BEGIN; UPDATE tidepool.pools SET target_size = 9 WHERE pool = 'shop'; ROLLBACK;"
expect "what was rolled back was never ordered" 5 "SELECT count(*) = 1 FROM tidepool.commands WHERE verb = 'scale'"
show "SELECT tidepool.wait_applied(tidepool.scale('shop', 8, 'lunch time'), '5s');"
expect "wait_applied() waited until it was so" 8 "SELECT size = 8 FROM tidepool.pools WHERE pool = 'shop'"
show "SELECT tidepool.wait_applied(tidepool.set('shop', 'idle_timeout', '1min'));"
show "SELECT verb, arguments, status, actor FROM tidepool.commands ORDER BY command_id;"
refuse "what is more than max_size is refused" "SELECT tidepool.scale('shop', 99);" 'max_size'

caption "A pool that the server hosts for all its sessions is a foreign server. Typing errors are met at once."
refuse "an unknown option names the nearest" \
  "CREATE SERVER orders FOREIGN DATA WRAPPER tidepool OPTIONS (dbnam 'orders');" 'Did you mean "dbname"?'
show "CREATE SERVER orders FOREIGN DATA WRAPPER tidepool
        OPTIONS (host '$PGHOST', dbname 'orders', max_size '4');
CREATE USER MAPPING FOR CURRENT_USER SERVER orders OPTIONS (user 'orders_app', password 'high tide');"

caption "Ask it."
show "SELECT * FROM tidepool.query('orders', 'SELECT id, item, price FROM sale WHERE price > \$1 LIMIT 2', '100')
        AS (id int, item text, price numeric);"
show "SELECT tidepool.query_json('orders', 'SELECT item, price, at FROM sale WHERE id = \$1', '7');"
seen "numbers stay numbers, without a list of columns" '*"price": 10.5*'
show "SELECT tidepool.execute('orders', 'UPDATE sale SET price = price + \$1 WHERE id <= \$2', '0.5', '10') AS changed;"
expect "parameters arrived, and the change is there" 5 \
  "SELECT price = 11 FROM tidepool.query('orders', 'SELECT price FROM sale WHERE id = \$1', '7') AS (price numeric)"
verbosity=verbose refuse "an error keeps its SQLSTATE, message and detail" \
  "SELECT tidepool.execute('orders', 'INSERT INTO sale (id) VALUES (\$1)', '7');" '23505: duplicate key'
show "DO \$\$ BEGIN
  PERFORM tidepool.execute('orders', 'INSERT INTO sale (id) VALUES (7)');
EXCEPTION WHEN unique_violation THEN NULL; END \$\$;"

caption "Hold one connection over several statements: a transaction of the other database, in one of this."
show "BEGIN;
SELECT tidepool.lease('orders', 'night run') > 0 AS is_leased;
SELECT tidepool.execute('orders', 'BEGIN; DELETE FROM sale WHERE id > 50') AS deleted;
SELECT tag FROM tidepool.leases WHERE pool = 'orders';
SELECT count FROM tidepool.query('orders', 'SELECT count(*) FROM sale') AS (count int);
SELECT tidepool.execute('orders', 'ROLLBACK');
SELECT tidepool.release('orders');
COMMIT;"
seen "all statements met the same session, which is told by its tag" '*50*night run*50*'
expect "what it rolled back was rolled back" 5 \
  "SELECT count = 100 FROM tidepool.query('orders', 'SELECT count(*) FROM sale') AS (count int)"
show "SELECT server, mapping, state, size, in_use, max_size FROM tidepool.servers;"
expect "a hosted pool is a pool like any other" 5 \
  "SELECT source = 'hosted' AND max_size = 4 FROM tidepool.pools WHERE pool = 'orders'"

caption "Nobody may do anything until told so. The role clerk tries:"
by clerk refuse "clerk may not look" "SELECT pool FROM tidepool.pools;" 'permission denied'
show "GRANT pg_monitor TO clerk;"
by clerk show "SELECT pool, source, state FROM tidepool.pools ORDER BY pool;"
by clerk refuse "who looks may not steer" "SELECT tidepool.scale('shop', 6);" 'permission denied for function scale'
show "GRANT EXECUTE ON FUNCTION tidepool.scale, tidepool.query TO clerk;"
by clerk show "SELECT tidepool.scale('shop', 6) > 0 AS is_ordered;"
expect "the order bears clerk's name" 5 \
  "SELECT actor LIKE '%clerk%' FROM tidepool.commands WHERE verb = 'scale' ORDER BY command_id DESC LIMIT 1"
by clerk refuse "a server is another right" \
  "SELECT * FROM tidepool.query('orders', 'SELECT 1') AS (n int);" 'permission denied for foreign server orders'
show "GRANT USAGE ON FOREIGN SERVER orders TO clerk;
CREATE USER MAPPING FOR clerk SERVER orders OPTIONS (user 'orders_app', password 'high tide');"
by clerk show "SELECT * FROM tidepool.query('orders', 'SELECT current_user, count(*) FROM sale')
        AS (\"user\" text, count int);"
seen "clerk is orders_app there" '*orders_app*100*'

caption "And away again. The application does not notice."
PGOPTIONS="-c client_min_messages=warning" show "DROP EXTENSION tidepool CASCADE;"
expect "nothing is left" 5 "SELECT (SELECT count(*) FROM pg_foreign_server) + (SELECT count(*) FROM pg_namespace
  WHERE nspname = 'tidepool') + (SELECT count(*) FROM pg_foreign_data_wrapper) = 0"
echo stop >&3 2>/dev/null || true
exec 3>&-
wait "$workload" || wrong=$((wrong + 1))
workload=
printf '   its callers went home: %s\n' "$(tail -n 1 "$work/workload.log")"
[ "$wrong" -eq 0 ] || { cat "$work/workload.log"; printf '%d claims were not true\n' "$wrong"; exit 1; }
