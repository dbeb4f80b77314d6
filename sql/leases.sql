-- Leases and their connections.
SELECT l.pool, l.tag, c.state, c.tag, l.overdue, l.age_ms >= 0 AS has_age, l.acquired_at <= now() AS is_past
  FROM tidepool.leases l JOIN tidepool.connections c USING (instance_id, conn_id) ORDER BY l.tag COLLATE "C";
SELECT state, count(*), bool_and(server_pid IS NULL) AS has_no_pid FROM tidepool.connections WHERE pool = 'app'
 GROUP BY state ORDER BY state COLLATE "C";

-- Sessions of this server: none of them belongs to a pool of SQLite connections, whatever its pid.
SELECT count(*) > 0 AS has_me, count(pool) AS pooled FROM tidepool.backends WHERE pid = pg_backend_pid();

-- Scrolling backward in a snapshot.
BEGIN;
DECLARE rows SCROLL CURSOR FOR SELECT tag FROM tidepool.leases ORDER BY tag COLLATE "C";
FETCH FORWARD ALL FROM rows;
FETCH BACKWARD 1 FROM rows;
ROLLBACK;
