"""Connection pools for PostgreSQL and SQLite that are visible in SQL, with the interface of PEP 249. See README.md.

Pools are used by any number of threads; a lease, a transaction and a Connection by one at a time.
"""
import contextlib
import ctypes
import decimal
import functools
import itertools
import json
import os
import threading
import uuid
import weakref
from ctypes import byref, sizeof
from datetime import date as Date, datetime as Timestamp, time as Time

NULL, INT, DOUBLE, TEXT, BOOL, TIME, BYTES = -1, 1, 2, 3, 4, 5, 9
LETTERS = {"s": ctypes.c_char_p, "i": ctypes.c_int32, "u": ctypes.c_uint32, "l": ctypes.c_int64, "z": ctypes.c_size_t,
           "d": ctypes.c_double, "p": ctypes.c_void_p, "n": None}


def struct(name, members):
    """From pairs of a name and a letter, or a number of characters."""
    words = iter(members.split())
    fields = [(member, LETTERS.get(letter) or ctypes.c_char * int(letter)) for member, letter in zip(words, words)]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


# Those that begin with their size may be shorter than the library's, whose further members have their defaults.
Handle = struct("Handle", "pool p id l")  # a lease or a transaction
Value = struct("Value", "type i reserved i integer l real d text p length z")
Failure = struct("Failure", "size u status i native_code i retryable i sqlstate 8 message 512 detail 1024 hint 256 "
                 "position i reserved i schema_name 64 table_name 64 column_name 64 constraint_name 64")
Options = struct("Options", "size u read_only i timeout_ms l tag s")  # of an acquire and of a query
TxOptions = struct("TxOptions", "size u isolation i read_only i deferrable i timeout_ms l tag s")
ColumnType = struct("ColumnType", "size u oid u modifier i reserved i declared s")
Filter = struct("Filter", "size u reserved u directory s pool s")
Column = struct("Column", "name s type i is_writable i unit s meaning s sql_type s key s is_masked i reserved i")
Shape = struct("Shape", "name s meaning s ncolumns i reserved i columns p")

# The arguments, after ':' the result. Without a result it is a status, and the last argument an error.
LETTERS.update(h=Handle, v=Value, r=ctypes.POINTER(Shape))
FUNCTIONS = """status_name i:s  pool_open sssp  pool_close pl  pool_query_with psippp  pool_acquire_with ppp
lease_query_with hsippp  lease_release h  tx_begin ppp  tx_query hsippp  tx_commit h  tx_rollback h  result_rows p:l
result_columns p:i  result_affected p:l  result_last_insert_id p:l  result_name pi:s  result_type pip  result_free p:n
result_value pli:v  relation_at i:r  cursor_open spp  cursor_next p:i  cursor_text pip:s  cursor_close p:n""".split()
tide = ctypes.CDLL(os.environ.get("TIDE_LIBRARY", "libtidepool.so.0"))
for name, letters in zip(FUNCTIONS[::2], FUNCTIONS[1::2]):
    function, (arguments, _, result) = getattr(tide, "tide_" + name), letters.partition(":")
    function.argtypes = [LETTERS[letter] for letter in (arguments if result else arguments + "p")]
    function.restype = LETTERS[result or "i"]


class Error(Exception):
    """Has the members of tide_error. Its text includes the detail and the hint, such as who holds the connections."""

    def __init__(self, message, detail="", hint="", status="", sqlstate="", **members):
        super().__init__("\n".join(filter(None, (message, detail, hint))))
        self.__dict__.update(members, message=message, detail=detail, hint=hint, status=status, sqlstate=sqlstate)


Warning = type("Warning", (Exception,), {})  # required by PEP 249, never raised
InterfaceError, DatabaseError = (type(name, (Error,), {}) for name in ("InterfaceError", "DatabaseError"))
DataError, OperationalError, IntegrityError, InternalError, ProgrammingError, NotSupportedError = (
    type(f"{name}Error", (DatabaseError,), {})
    for name in ("Data", "Operational", "Integrity", "Internal", "Programming", "NotSupported"))
# By the class of the SQLSTATE, or by the status. What is not here is an OperationalError.
ERRORS = {"0A": NotSupportedError, "21": ProgrammingError, "22": DataError, "23": IntegrityError,
          "42": ProgrammingError, "XX": InternalError, "internal": InternalError, "unsupported": NotSupportedError,
          **dict.fromkeys(("closed", "stale_lease", "forked", "bad_option"), InterfaceError),
          **dict.fromkeys(("bad_argument", "not_found", "refused"), ProgrammingError)}
apilevel, threadsafety, paramstyle, _pools, _lock = "2.0", 1, "qmark", {}, threading.Lock()
DateFromTicks, TimestampFromTicks = Date.fromtimestamp, Timestamp.fromtimestamp
TimeFromTicks = lambda ticks: TimestampFromTicks(ticks).time()  # noqa: E731
Binary, STRING, BINARY, NUMBER, DATETIME, ROWID = bytes, "STRING", "BINARY", "NUMBER", "DATETIME", "ROWID"
PARAMETERS = {type(None): NULL, bool: BOOL, int: INT, float: DOUBLE, bytes: BYTES, bytearray: BYTES, memoryview: BYTES,
              **dict.fromkeys((str, decimal.Decimal, uuid.UUID, Date, Time), TEXT)}  # a Timestamp is a Date
PLAIN = {INT: lambda v: v.integer, DOUBLE: lambda v: v.real, BOOL: lambda v: v.integer != 0, NULL: lambda v: None,
         BYTES: lambda v: ctypes.string_at(v.text, v.length)}
CELLS = {INT: int, DOUBLE: float, BOOL: "1".__eq__, TIME: Timestamp.fromisoformat}
# By PostgreSQL's type, or the first word of SQLite's declared one: the kind, and what makes a value of a text.
TYPES = {code: (kind, convert) for codes, kind, convert in (
    ((16, 20, 21, 23, 700, 701, "int", "integer", "bigint", "real", "numeric", "float8"), NUMBER, str),
    ((1700,), NUMBER, decimal.Decimal), ((17, "bytea", "blob"), BINARY, str), ((26,), ROWID, str),
    ((1114, 1184, "datetime", "timestamp", "timestamptz"), DATETIME, Timestamp.fromisoformat),
    ((1082, "date"), DATETIME, Date.fromisoformat), ((1083,), DATETIME, Time.fromisoformat),
    ((114, 3802, "json"), STRING, json.loads), ((2950,), STRING, uuid.UUID)) for code in codes}


def call(function, *arguments):
    """Calls a function whose last argument is an error, and raises it."""
    why = Failure(sizeof(Failure))
    if function(*arguments, byref(why)) != 0:
        status = tide.tide_status_name(why.status).decode()
        texts = {n: getattr(why, n).decode(errors="replace") for n, kind in Failure._fields_ if sizeof(kind) > 4}
        kind = ERRORS.get(texts["sqlstate"][:2] if status == "database" else status, OperationalError)
        raise kind(**texts, status=status, retryable=bool(why.retryable))


def options(tag=None, timeout=None, read_only=False, isolation=None, kind=Options):
    """Timeouts are seconds; None is the default of the pool."""
    wait = -1 if timeout is None else max(0, round(timeout * 1000))
    level = {None: 0, "read committed": 1, "repeatable read": 2, "serializable": 3}.get(isolation, -1)
    return byref(kind(sizeof(kind), timeout_ms=wait, tag=tag and tag.encode(), read_only=read_only, isolation=level))


def parameter(value, number):
    """A value for the library; it holds the bytes that it points to."""
    kind = next((kind for accepted, kind in PARAMETERS.items() if isinstance(value, accepted)), None)
    if kind is None or kind == INT and not -2**63 <= value < 2**63:
        raise ProgrammingError(f"parameter {number} is not accepted: {type(value).__name__}; accepted: None, bool, "
                               "int of 64 bits, " + ", ".join(accepted.__name__ for accepted in list(PARAMETERS)[3:]))
    if kind not in (TEXT, BYTES):
        return Value(kind, real=value) if kind == DOUBLE else Value(kind, integer=value or 0)
    data = bytes(value) if kind == BYTES else str(value).encode()
    return Value(kind, text=ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), length=len(data))


class Result(list):
    """The rows, as tuples; with description, affected and last_insert_id. Copies a result of the library."""

    def __init__(self, result):
        columns, types, found = range(tide.tide_result_columns(result)), [], ColumnType(sizeof(ColumnType))
        for column in columns:
            call(tide.tide_result_type, result, column, byref(found))
            declared = (found.declared or b"").decode().lower().partition("(")[0].partition(" ")[0]
            name = tide.tide_result_name(result, column).decode()
            types.append((name, *TYPES.get(found.oid or declared, (STRING, str))))
        super().__init__(tuple(self._value(tide.tide_result_value(result, row, column), types[column][2])
                               for column in columns) for row in range(tide.tide_result_rows(result)))
        self.description = [(name, kind, *[None] * 5) for name, kind, _ in types] or None
        self.affected, self.last_insert_id = tide.tide_result_affected(result), tide.tide_result_last_insert_id(result)

    @staticmethod
    def _value(value, convert):
        if value.type in PLAIN:
            return PLAIN[value.type](value)
        text = ctypes.string_at(value.text, value.length).decode(errors="surrogateescape")
        with contextlib.suppress(ValueError, ArithmeticError):  # what does not fit, such as infinity, remains a text
            return convert(text)
        return text

    def dicts(self):
        return [{column[0]: cell for column, cell in zip(self.description, row)} for row in self]


class Site(contextlib.AbstractContextManager):
    """A pool, a lease or a transaction. Ends with `with`, by a method, or, if forgotten, when it is collected."""

    def __init__(self, owner, handle, begin, *arguments):
        self._owner, self._handle = owner, handle
        call(begin, *arguments, byref(handle))
        self._finalizer = weakref.finalize(self, self._forgotten[0], handle, *self._forgotten[1:], None)

    def query(self, sql, params=(), *, tag=None, timeout=None, read_only=False):
        """Executes a statement with values for ? or $1. Tag and read_only are for those of a pool."""
        if "\0" in sql or hasattr(params, "keys"):
            raise ProgrammingError("accepted: a text without NUL characters, and a sequence of parameters for ? or $1")
        values, result = [parameter(value, number) for number, value in enumerate(params, 1)], ctypes.c_void_p()
        try:
            call(self._query, self._handle, sql.encode(), len(values), (Value * len(values))(*values),
                 options(tag, timeout, read_only), byref(result))
            return Result(result)
        finally:
            tide.tide_result_free(result)

    def _end(self, end, *arguments):
        self._finalizer.detach()
        call(end, self._handle, *arguments)

    def __exit__(self, kind, *_):
        if kind is None and self._finalizer.alive:
            self._end(*self._normal)
        self._finalizer()  # without an error: the exception that ended the `with` says more


class Transaction(Site):
    """Committed at the end of `with`, rolled back after an exception."""
    _query, _normal, _forgotten = tide.tide_tx_query, [tide.tide_tx_commit], [tide.tide_tx_rollback]
    commit = functools.partialmethod(Site._end, *_normal)
    rollback = functools.partialmethod(Site._end, *_forgotten)


class Lease(Site):
    """One connection, for what belongs to a session."""
    _query, _normal, _forgotten = tide.tide_lease_query_with, [tide.tide_lease_release], [tide.tide_lease_release]
    release = functools.partialmethod(Site._end, *_normal)


class Pool(Site):
    """A pool of connections. Its options are keywords, such as max_size=20. close() waits until shutdown_timeout."""
    _query, _normal, _forgotten = tide.tide_pool_query_with, [tide.tide_pool_close, -1], [tide.tide_pool_close, 0]
    close = functools.partialmethod(Site._end, *_normal)

    def __init__(self, name, url, **settings):
        self.name, texts = name, (name, url, json.dumps(settings))
        super().__init__(None, ctypes.c_void_p(), tide.tide_pool_open, *(text.encode() for text in texts))

    def lease(self, tag=None, timeout=None, read_only=False):
        return Lease(self, Handle(), tide.tide_pool_acquire_with, self._handle, options(tag, timeout, read_only))

    def transaction(self, **of_tx):
        """Options: isolation ("read committed" ...), tag, timeout, read_only."""
        return Transaction(self, Handle(), tide.tide_tx_begin, self._handle, options(**of_tx, kind=TxOptions))


def relation(name, pool=None):
    """The rows of a relation, such as "leases", as dictionaries: of all pools of this host, or of those with a name."""
    cursor, rows, wanted = ctypes.c_void_p(), [], name.encode()
    call(tide.tide_cursor_open, wanted, byref(Filter(sizeof(Filter), pool=pool and pool.encode())), byref(cursor))
    try:
        shape = next(s.contents for s in map(tide.tide_relation_at, itertools.count()) if s.contents.name == wanted)
        columns = (Column * shape.ncolumns).from_address(shape.columns)
        while tide.tide_cursor_next(cursor):
            texts = [tide.tide_cursor_text(cursor, column, None) for column in range(shape.ncolumns)]
            rows.append({column.name.decode(): text and CELLS.get(column.type, str)(text.decode(errors="replace"))
                         for column, text in zip(columns, texts)})
        return rows
    finally:
        tide.tide_cursor_close(cursor)


def connect(url, name="python", **settings):
    """A connection on a pool that all connections with the same arguments share; it is opened by the first one."""
    key = (os.getpid(), url, name, repr(sorted(settings.items())))
    with _lock:
        if key not in _pools or not _pools[key]._finalizer.alive:
            _pools[key] = Pool(name, url, **settings)
        return Connection(_pools[key])


class Connection(contextlib.AbstractContextManager):
    """Begins a transaction with the first statement. It holds a connection to the database only while that is open."""

    def __init__(self, pool):
        self.pool, self._tx = pool, None

    def _begun(self):
        if self.pool is None:
            raise InterfaceError("the connection is closed")
        self._tx = self._tx or self.pool.transaction(tag="dbapi")
        return self._tx

    def _end(self, end):
        if self._tx is not None or self.pool is None:
            tx, self._tx = self._begun(), None
            end(tx)

    commit = functools.partialmethod(_end, Transaction.commit)
    rollback = functools.partialmethod(_end, Transaction.rollback)

    def cursor(self):
        return Cursor(self)

    def close(self):
        if self.pool is not None:
            self.rollback()
        self.pool = None

    def __exit__(self, kind, *_):
        if kind is None and self.pool is not None:
            self.commit()
        self.close()


class Cursor:
    def __init__(self, connection):
        self.connection, self.arraysize, self.rowcount = connection, 1, -1
        self._rows = self.description = self.lastrowid = None

    def execute(self, sql, params=()):
        self._rows = self.description = None
        result = self.connection._begun().query(sql, params)
        self.description, self.lastrowid = result.description, result.last_insert_id
        self.rowcount, self._rows = (len(result), iter(result)) if result.description else (result.affected, None)
        return self

    def executemany(self, sql, many):
        self.rowcount = sum(self.execute(sql, params).rowcount for params in many)

    def __iter__(self):
        if self._rows is None:
            raise InterfaceError("there are no rows to fetch: no statement that returns rows was executed")
        return self._rows

    def fetchone(self):
        return next(iter(self), None)

    def fetchmany(self, size=None):
        return list(itertools.islice(self, self.arraysize if size is None else size))

    def fetchall(self):
        return list(self)

    def close(self):
        self._rows, self.connection = None, Connection(None)

    setinputsizes = setoutputsize = lambda self, *_: None  # required by PEP 249, without an effect
