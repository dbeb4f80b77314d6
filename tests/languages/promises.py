"""What the binding for Python promises, on the database whose URL is the argument."""
import datetime
import decimal
import gc
import os
import sys
import threading
import time
import uuid

import tidepool

URL = sys.argv[1]
IS_SERVER = "sqlite" not in URL


def raises(kind, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind as why:
        return why
    raise AssertionError(f"no {kind.__name__}")


def values(pool):
    """Values arrive as they were sent."""
    kind = "bytea" if IS_SERVER else "blob"
    pool.query(f"create table kept (i bigint, f float8, t text, b {kind}, d date, s timestamp, o boolean)")
    row = (-2**63, 1.5, "tide \u00e9\U0001f30a", b"a\0b", datetime.date(2026, 11, 30),
           datetime.datetime(2026, 1, 2, 3, 4, 5, 678901), True)
    assert pool.query("insert into kept values (?, ?, ?, ?, ?, ?, ?)", row).affected == 1
    assert pool.query("select * from kept") == [row]
    assert pool.query("delete from kept").affected == 1
    pool.query("insert into kept values (?, ?, ?, ?, ?, ?, ?)", (7, *[None] * 6))
    assert pool.query("select * from kept") == [(7, *[None] * 6)]
    assert pool.query("select i as n, t from kept where i = ?", (7,)).dicts() == [{"n": 7, "t": None}]
    assert pool.query("select i from kept where i = 8") == []
    if IS_SERVER:
        [found] = pool.query("select 12.340, $1::uuid, timestamptz '2026-01-02 03:04:05.5+02', json '[1]', date 'infinity'",
                             (uuid.UUID(int=5),))
        zone = datetime.timezone(datetime.timedelta(hours=2))
        assert found == (decimal.Decimal("12.340"), uuid.UUID(int=5), datetime.datetime(2026, 1, 2, 3, 4, 5, 500000, zone), [1],
                         "infinity"), found


def errors(pool):
    """Errors are those of PEP 249, with the members of tide_error; bad arguments never reach the database."""
    why = raises(tidepool.ProgrammingError, pool.query, "select nothing_like_this")
    assert why.status == "database" and why.sqlstate == "42703" and "nothing_like_this" in str(why), vars(why)
    pool.query("create table once (i integer primary key)")
    pool.query("insert into once values (1)")
    assert raises(tidepool.IntegrityError, pool.query, "insert into once values (1)").sqlstate == "23505"
    raises(tidepool.ProgrammingError, pool.query, "select ?", (1, 2))
    assert "list" in raises(tidepool.ProgrammingError, pool.query, "select ?", ([],)).args[0]
    raises(tidepool.ProgrammingError, pool.query, "select ?", (2**63,))
    raises(tidepool.ProgrammingError, pool.query, "select 1\0; drop table once")
    raises(tidepool.ProgrammingError, pool.query, "select ?", {"a": 1})
    assert "max_siz" in str(raises(tidepool.InterfaceError, tidepool.Pool, "bad", URL, max_siz=1))
    assert raises(tidepool.ProgrammingError, tidepool.relation, "nothing").status == "not_found"


def transactions(pool):
    """Committed at the end, rolled back after an exception, also when function and database disagree."""
    count = "select count(*) from once"
    with pool.transaction(isolation="serializable") as tx:
        tx.query("insert into once values (2)")
    with raises_in(ZeroDivisionError), pool.transaction() as tx:
        tx.query("insert into once values (3)")
        1 // 0
    with raises_in(tidepool.IntegrityError), pool.transaction(tag="x") as tx:
        tx.query("insert into once values (4)")
        tx.query("insert into once values (4)")
    raises(tidepool.Error, tx.query, count)
    assert raises(tidepool.Error, pool.transaction, isolation="chaos").status == "bad_argument"
    with raises_in(tidepool.Error), pool.transaction(read_only=True) as tx:
        tx.query("delete from once")
    with pool.transaction() as tx:
        tx.query("delete from once")
        tx.rollback()
    assert pool.query(count) == [(2,)]


class raises_in:
    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        assert kind is not None and issubclass(kind, self.kind), kind
        return True


def timeouts(pool):
    """A timeout says who holds the connections."""
    leases = [pool.lease(tag=f"report {number}") for number in range(4)]
    assert len(tidepool.relation("leases", pool.name)) == 4
    started = time.monotonic()
    why = raises(tidepool.OperationalError, pool.query, "select 1", timeout=0.1)
    assert why.status == "timeout" and why.retryable and "report 0" in str(why) and time.monotonic() - started < 5, str(why)
    for lease in leases:
        lease.release()
    raises(tidepool.InterfaceError, leases[0].query, "select 1")


def forgotten(pool):
    """A lease and a transaction that were forgotten end when they are collected."""
    held = [pool.lease(tag="forgotten"), pool.transaction()]
    held[1].query("delete from once")
    assert len(tidepool.relation("leases", pool.name)) == 2
    del held
    gc.collect()
    assert tidepool.relation("leases", pool.name) == [] and pool.query("select count(*) from once") == [(2,)]


def cancelled(pool):
    """The timeout of a call cancels the statement; the lease remains."""
    slow = "select pg_sleep(20)" if IS_SERVER else \
        "with recursive r(i) as (select 1 union all select i + 1 from r where i < 1000000000) select count(*) from r"
    with pool.lease() as lease:
        started = time.monotonic()
        why = raises(tidepool.OperationalError, lease.query, slow, timeout=0.1)
        assert time.monotonic() - started < 10, vars(why)
        assert lease.query("select 1") == [(1,)]


def eight_threads(pool):
    """Eight threads on four connections: nothing is lost."""
    pool.query("create table sum (i integer)")
    pool.query("insert into sum values (0)")
    failed = []

    def work():
        try:
            for _ in range(20):
                with pool.transaction() as tx:
                    tx.query("update sum set i = i + 1")
                assert pool.query("select 1 where 1 = ?", (1,), read_only=True) == [(1,)]
        except BaseException as why:
            failed.append(why)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and pool.query("select i from sum") == [(160,)], failed


def dbapi(_):
    """PEP 249, as its compliance tests ask for it."""
    assert (tidepool.apilevel, tidepool.paramstyle) == ("2.0", "qmark") and tidepool.threadsafety in (0, 1, 2, 3)
    for name in "InterfaceError DatabaseError".split():
        assert issubclass(getattr(tidepool, name), tidepool.Error)
    for name in "DataError OperationalError IntegrityError InternalError ProgrammingError NotSupportedError".split():
        assert issubclass(getattr(tidepool, name), tidepool.DatabaseError)
    connection = tidepool.connect(URL, "dbapi", max_size=2)
    pool = connection.pool
    assert tidepool.connect(URL, "dbapi", max_size=2).pool is pool
    cursor = connection.cursor()
    raises(tidepool.Error, cursor.fetchone)
    cursor.execute("create table booze (name varchar(20), litres float8, made date)")
    assert cursor.description is None
    rows = [(name, number, tidepool.Date(2026, 1, 1 + number)) for number, name in enumerate("abc")]
    cursor.executemany("insert into booze values (?, ?, ?)", rows)
    assert cursor.rowcount == 3 and len(tidepool.relation("leases", pool.name)) == 1
    connection.commit()
    assert tidepool.relation("leases", pool.name) == []
    cursor.execute("select name, litres, made from booze order by name")
    assert [d[0] for d in cursor.description] == ["name", "litres", "made"] and {len(d) for d in cursor.description} == {7}
    assert [d[1] for d in cursor.description] == [tidepool.STRING, tidepool.NUMBER, tidepool.DATETIME] and cursor.rowcount == 3
    assert cursor.fetchone() == ("a", 0.0, datetime.date(2026, 1, 1)) and len(cursor.fetchmany()) == 1
    assert len(cursor.fetchmany(5)) == 1 and cursor.fetchall() == [] and cursor.fetchone() is None
    cursor.execute("delete from booze")
    assert cursor.rowcount == 3
    connection.rollback()
    assert len(list(cursor.execute("select * from booze"))) == 3
    cursor.setinputsizes([1])
    cursor.setoutputsize(1, 1)
    cursor.close()
    raises(tidepool.Error, cursor.execute, "select 1")
    connection.close()
    connection.close()
    raises(tidepool.Error, connection.commit)
    raises(tidepool.Error, connection.rollback)
    raises(tidepool.Error, connection.cursor().execute, "select 1")
    with tidepool.connect(URL, "dbapi", max_size=2) as connection:
        connection.cursor().execute("delete from booze")
    assert tidepool.relation("leases", pool.name) == []
    pool.close()
    connection = tidepool.connect(URL, "dbapi", max_size=2)
    assert connection.pool is not pool and connection.cursor().execute("select * from booze").fetchall() == []
    pool = connection.pool
    connection.close()
    pool.close()


def after_fork(pool):
    """In a child the pool's calls are refused, and the child ends without harm."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            why = raises(tidepool.InterfaceError, pool.query, "select 1")
            status = 0 if why.status == "forked" else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0 and pool.query("select 1") == [(1,)]


def relations(_):
    """Relations are lists of dictionaries, of one pool or of all, with values of their types."""
    [row] = tidepool.relation("pools", "promises")
    assert row["pool"] in [other["pool"] for other in tidepool.relation("pools")]
    assert isinstance(row["size"], int) and row["state"] == "running", row
    assert tidepool.relation("health", pool="promises")[0]["status"] == "healthy"


def main():
    pool = tidepool.Pool("promises", URL, max_size=4)
    for table in ("kept", "once", "sum", "booze"):
        pool.query(f"drop table if exists {table}")
    for promise in (values, errors, transactions, timeouts, forgotten, cancelled, eight_threads, dbapi, relations, after_fork):
        promise(pool)
        print(promise.__name__)
    pool.close()
    raises(tidepool.InterfaceError, pool.query, "select 1")
    print("done")


main()
