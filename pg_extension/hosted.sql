-- Hosted pools: a foreign server of the wrapper tidepool is a pool that the worker hosts for all backends. Its options
-- are the connection and the pool's settings; its user mappings say who connects as whom.
--
-- Who may use a server: whoever has USAGE on it, and EXECUTE on the functions below, which nobody has by default.

CREATE FUNCTION tidepool.validator(text[], oid) RETURNS void
  AS '$libdir/tidepool_query', 'tide_sql_validator' LANGUAGE c STRICT;
COMMENT ON FUNCTION tidepool.validator(text[], oid) IS
  'Checks the options of servers and user mappings when they are written.';

CREATE FOREIGN DATA WRAPPER tidepool VALIDATOR tidepool.validator;
COMMENT ON FOREIGN DATA WRAPPER tidepool IS
  'Pools of connections to other databases, hosted by this server. Has servers and user mappings, but no foreign tables.';

-- query(server, sql, params ...): rows of a statement that runs on the other database.
-- The column list says the types: SELECT * FROM tidepool.query('orders', 'SELECT 1, $1', 'a') AS (n int, t text).
-- Of several statements (only without parameters) the last one's rows count. Leases a connection for this statement,
-- unless tidepool.lease() holds one. Fails with the other server's own SQLSTATE and message.
-- Needs EXECUTE and USAGE on the server; who is no superuser also a password in the mapping. Volatile, parallel unsafe.
CREATE FUNCTION tidepool.query(server text, sql text, VARIADIC params text[] DEFAULT '{}') RETURNS SETOF record
  AS '$libdir/tidepool_query', 'tide_sql_query' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.query(text, text, text[]) IS
  'Rows of a statement that runs on another database, over a hosted pool; the column list says their types.';

-- query_json(server, sql, params ...): the same, one JSON object a row, so that no column list is needed.
CREATE FUNCTION tidepool.query_json(server text, sql text, VARIADIC params text[] DEFAULT '{}') RETURNS SETOF jsonb
  AS '$libdir/tidepool_query', 'tide_sql_query_json' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.query_json(text, text, text[]) IS
  'Rows of a statement that runs on another database, as JSON objects; numbers and booleans stay what they are.';

-- execute(server, sql, params ...): how many rows a statement changed on the other database; 0 for any other statement.
-- Not part of the local transaction: it stays done when that rolls back.
CREATE FUNCTION tidepool.execute(server text, sql text, VARIADIC params text[] DEFAULT '{}') RETURNS bigint
  AS '$libdir/tidepool_query', 'tide_sql_execute' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.execute(text, text, text[]) IS
  'Runs a statement on another database, over a hosted pool, and tells how many rows it changed.';

-- lease(server, tag): hold one connection over several statements, such as BEGIN ... COMMIT on the other side.
-- Ends with release(), with the transaction, or when the subtransaction that took it is rolled back. A transaction left
-- open on the other side is rolled back then.
CREATE FUNCTION tidepool.lease(server text, tag text DEFAULT NULL) RETURNS bigint
  AS '$libdir/tidepool_query', 'tide_sql_lease' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.lease(text, text) IS
  'Holds one connection of a hosted pool for the statements that follow, until release() or the end of the transaction.';

CREATE FUNCTION tidepool.release(server text) RETURNS void
  AS '$libdir/tidepool_query', 'tide_sql_release' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.release(text) IS 'Gives back what lease() took.';

CREATE FUNCTION tidepool.read_hosted(OUT server oid, OUT mapping oid, OUT instance_id text, OUT is_closing boolean,
                                     OUT last_used_at timestamptz) RETURNS SETOF record
  AS '$libdir/tidepool_query', 'tide_sql_read_hosted' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tidepool.read_hosted() IS 'The pools that the worker hosts for this database; see tidepool.servers.';

-- servers: the hosted pools of this database, one row a server and user mapping; without a pool while nobody used it.
CREATE VIEW tidepool.servers AS
  SELECT s.srvname::text AS server, pg_get_userbyid(s.srvowner)::text AS owner,
         CASE WHEN m.umid IS NULL THEN NULL WHEN m.umuser = 0 THEN 'public' ELSE m.usename::text END AS mapping,
         h.instance_id, CASE WHEN h.is_closing THEN 'draining' ELSE p.state END AS state, p.size, p.idle, p.in_use,
         p.waiting, p.max_size, h.last_used_at
  FROM pg_foreign_server s
  JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'tidepool'
  LEFT JOIN pg_user_mappings m ON m.srvid = s.oid
  LEFT JOIN tidepool.read_hosted() h ON h.server = s.oid AND h.mapping = m.umid
  LEFT JOIN tidepool.pools p ON p.instance_id = h.instance_id;
COMMENT ON VIEW tidepool.servers IS 'Hosted pools of this database: servers, who connects by them, and the state of their pools.';
COMMENT ON COLUMN tidepool.servers.server IS 'Name of the foreign server, and of its pools.';
COMMENT ON COLUMN tidepool.servers.owner IS 'Who owns the server.';
COMMENT ON COLUMN tidepool.servers.mapping IS 'The user whose mapping it is, or public.';
COMMENT ON COLUMN tidepool.servers.instance_id IS 'The pool of this mapping, as in tidepool.pools; NULL: none is open.';
COMMENT ON COLUMN tidepool.servers.state IS 'State of the pool, as in tidepool.pools; draining: closes when its leases are back.';
COMMENT ON COLUMN tidepool.servers.size IS 'Connections of the pool.';
COMMENT ON COLUMN tidepool.servers.idle IS 'Connections nobody uses.';
COMMENT ON COLUMN tidepool.servers.in_use IS 'Connections on loan to backends.';
COMMENT ON COLUMN tidepool.servers.waiting IS 'Statements that wait for a connection.';
COMMENT ON COLUMN tidepool.servers.max_size IS 'Most connections of the pool.';
COMMENT ON COLUMN tidepool.servers.last_used_at IS 'When a connection was last asked for or given back.';

REVOKE ALL ON FUNCTION tidepool.validator(text[], oid), tidepool.query(text, text, text[]),
  tidepool.query_json(text, text, text[]), tidepool.execute(text, text, text[]), tidepool.lease(text, text),
  tidepool.release(text), tidepool.read_hosted() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tidepool.read_hosted() TO pg_monitor;
GRANT SELECT ON tidepool.servers TO pg_monitor;
