"""Connection pools for PostgreSQL and SQLite, visible in SQL; with the interface of PEP 249 (DB-API 2.0). See README.md.

Pools are used by any number of threads, a lease, a transaction and a Connection by one at a time. A call waits without the
interpreter's lock. No function of Python is called by a thread of the library.
"""
import contextlib
import ctypes
import ctypes.util
import datetime
import decimal
import functools
import itertools
import json
import os
import threading
import uuid
import weakref
from ctypes import byref

# ---- the library: $TIDE_LIBRARY, else the system's -------------------------------------------------------------------

NULL, INT, DOUBLE, TEXT, BOOL, TIME, BYTES = -1, 1, 2, 3, 4, 5, 9
LETTERS = {"s": ctypes.c_char_p, "i": ctypes.c_int32, "u": ctypes.c_uint32, "l": ctypes.c_int64, "z": ctypes.c_size_t,
           "d": ctypes.c_double, "p": ctypes.c_void_p, "n": None}


def struct(name, members):
    """From pairs of a name and a letter, or a number of characters."""
    words = iter(members.split())
    fields = [(member, LETTERS.get(letter) or ctypes.c_char * int(letter)) for member, letter in zip(words, words)]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


def sized(kind, **members):
    """A struct that begins with its size. It may be shorter than the library's, whose further members have their defaults."""
    return kind(size=ctypes.sizeof(kind), **members)


Handle = struct("Handle", "pool p id l")  # a lease or a transaction
Value = struct("Value", "type i reserved i integer l real d text p length z")
Statement = struct("Statement", "sql s params p nparams i reserved i")
Failure = struct("Failure", "size u status i native_code i retryable i sqlstate 8 message 512 detail 1024 hint 256 position i "
                 "reserved i schema_name 64 table_name 64 column_name 64 constraint_name 64")
AcquireOptions = struct("AcquireOptions", "size u mode i timeout_ms l tag s")
QueryOptions = struct("QueryOptions", "size u mode i timeout_ms l tag s retry_attempts i placeholders i names p")
TxOptions = struct("TxOptions", "size u isolation i read_only i deferrable i timeout_ms l tag s retry_attempts i")
ColumnType = struct("ColumnType", "size u oid u modifier i reserved i declared s")
Filter = struct("Filter", "size u reserved u directory s pool s instance_id s")
Column = struct("Column", "name s type i is_writable i unit s meaning s sql_type s key s is_masked i reserved i")
Shape = struct("Shape", "name s meaning s ncolumns i reserved i columns p")
Body = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, Handle)

# The arguments, after ':' the result. Without a result it is a status, and the last argument an error.
LETTERS.update(h=Handle, v=Value, b=Body, r=ctypes.POINTER(Shape))
FUNCTIONS = """
status_name i:s  pool_open sssp  pool_close pl  pool_instance_id ps  pool_acquire_with ppp  control ssslp
pool_query_with psippp  pool_batch ppipp  lease_query_with hsippp  lease_batch hpipp  tx_query hsippp  tx_batch hpipp
lease_release h  lease_cancel h  pool_transaction pbpp  tx_begin ppp  tx_begin_on hpp  tx_commit h  tx_rollback h
result_rows p:l  result_columns p:i  result_affected p:l  result_last_insert_id p:l  result_command p:s  result_part pi:p
result_name pi:s  result_value pli:v  result_type pip  result_free p:n
relation_at i:r  cursor_open spp  cursor_next p:i  cursor_text pip:s  cursor_close p:n""".split()

path = os.environ.get("TIDE_LIBRARY") or ctypes.util.find_library("tidepool")
if not path:
    raise ImportError("libtidepool.so is not found: install tidepool, or set TIDE_LIBRARY to the path of the library")
tide = ctypes.CDLL(path)
for name, letters in zip(FUNCTIONS[::2], FUNCTIONS[1::2]):
    function, (arguments, _, result) = getattr(tide, "tide_" + name), letters.partition(":")
    function.argtypes = [LETTERS[letter] for letter in (arguments if result else arguments + "p")]
    function.restype = LETTERS[result or "i"]

# ---- errors: the exceptions of PEP 249 -------------------------------------------------------------------------------


class Error(Exception):
    """Has the members of tide_error. Its text includes the detail and the hint, such as who holds the connections."""
    status = sqlstate = message = detail = hint = ""

    def __str__(self):
        return "\n".join(filter(None, (self.message or super().__str__(), self.detail, self.hint)))


Warning = type("Warning", (Exception,), {})  # required by PEP 249, never raised
InterfaceError, DatabaseError = (type(name, (Error,), {}) for name in ("InterfaceError", "DatabaseError"))
DataError, OperationalError, IntegrityError, InternalError, ProgrammingError, NotSupportedError = (
    type(name, (DatabaseError,), {}) for name in
    ("DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError"))
ERRORS = {"0A": NotSupportedError, "21": ProgrammingError, "22": DataError, "23": IntegrityError, "42": ProgrammingError,
          "XX": InternalError, "closed": InterfaceError, "stale_lease": InterfaceError, "forked": InterfaceError,
          "bad_option": InterfaceError, "bad_argument": ProgrammingError, "not_found": ProgrammingError,
          "refused": ProgrammingError, "unsupported": NotSupportedError, "internal": InternalError}


def call(function, *arguments):
    """Calls a function whose last argument is an error, and raises it."""
    failure = sized(Failure)
    if function(*arguments, byref(failure)) == 0:
        return
    members = {name: getattr(failure, name) for name, _ in Failure._fields_[2:]}
    members = {name: m.decode(errors="replace") if isinstance(m, bytes) else m for name, m in members.items()}
    status = tide.tide_status_name(failure.status).decode()
    error = ERRORS.get(members["sqlstate"][:2] if status == "database" else status, OperationalError)(members["message"])
    error.__dict__.update(members, status=status, retryable=bool(failure.retryable))
    raise error


# ---- values ----------------------------------------------------------------------------------------------------------

Date, Time, Timestamp, Binary = datetime.date, datetime.time, datetime.datetime, bytes
AS_TEXT = (str, decimal.Decimal, uuid.UUID, Date, Time)  # a Timestamp is a Date
DateFromTicks, TimestampFromTicks = Date.fromtimestamp, Timestamp.fromtimestamp
TimeFromTicks = lambda ticks: TimestampFromTicks(ticks).time()  # noqa: E731
STRING, BINARY, NUMBER, DATETIME, ROWID = "STRING", "BINARY", "NUMBER", "DATETIME", "ROWID"
# By the type of PostgreSQL, or the first word of the declared type of SQLite.
KINDS = {**dict.fromkeys((16, 20, 21, 23, 700, 701, 1700, "int", "integer", "bigint", "real", "numeric", "float8"), NUMBER),
         **dict.fromkeys((1082, 1083, 1114, 1184, "date", "datetime", "timestamp", "timestamptz"), DATETIME),
         17: BINARY, "blob": BINARY, "bytea": BINARY, 26: ROWID}
# From text; one that does not fit, such as infinity, remains as it is.
CONVERTERS = {1700: decimal.Decimal, 2950: uuid.UUID, 1083: Time.fromisoformat,
              **dict.fromkeys((114, 3802, "json"), json.loads), **dict.fromkeys((1082, "date"), Date.fromisoformat),
              **dict.fromkeys((1114, 1184, "datetime", "timestamp", "timestamptz"), Timestamp.fromisoformat)}
PLAIN = {INT: lambda v: v.integer, DOUBLE: lambda v: v.real, BOOL: lambda v: v.integer != 0, NULL: lambda v: None}


def encoded(text):
    if "\0" in text:
        raise ProgrammingError("a text contains a NUL character")
    return text.encode()


def parameter(value, number):
    """A value for the library, and the bytes that it borrows."""
    if value is None:
        return Value(type=NULL), None
    if isinstance(value, int) and -2**63 <= value < 2**63:
        return Value(type=BOOL if isinstance(value, bool) else INT, integer=value), None
    if isinstance(value, float):
        return Value(type=DOUBLE, real=value), None
    if not isinstance(value, (bytes, bytearray, memoryview, *AS_TEXT)):
        raise ProgrammingError(f"parameter {number} is not accepted: {type(value).__name__}; accepted: None, bool, float, "
                               "int of 64 bits, bytes, str, Decimal, UUID, date, time, datetime; or text, as of json.dumps()")
    kind, data = (TEXT, str(value).encode()) if isinstance(value, AS_TEXT) else (BYTES, bytes(value))
    return Value(type=kind, text=ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), length=len(data)), data


def parameters(values):
    """Their number, an array, and what the array borrows."""
    pairs = [parameter(value, number) for number, value in enumerate(values, 1)]
    return len(pairs), (Value * len(pairs))(*(value for value, _ in pairs)), pairs


class Result(list):
    """The rows, as tuples; with columns, description, affected, last_insert_id and command."""

    def dicts(self):
        return [dict(zip(self.columns, row)) for row in self]


def read(result):
    """Copies a result of the library."""
    types, found, columns = [], sized(ColumnType), range(tide.tide_result_columns(result))
    for column in columns:
        call(tide.tide_result_type, result, column, byref(found))
        types.append(found.oid or (found.declared or b"").decode().lower().partition("(")[0].partition(" ")[0])
    cell, converters = tide.tide_result_value, [CONVERTERS.get(code, str) for code in types]
    rows = Result(tuple(python_value(cell(result, row, column), converters[column]) for column in columns)
                  for row in range(tide.tide_result_rows(result)))
    rows.columns = [tide.tide_result_name(result, column).decode() for column in columns]
    rows.description = [(name, KINDS.get(code, STRING), *[None] * 5) for name, code in zip(rows.columns, types)] or None
    rows.affected, rows.last_insert_id = tide.tide_result_affected(result), tide.tide_result_last_insert_id(result)
    rows.command = tide.tide_result_command(result).decode()
    return rows


def python_value(value, converter):
    if value.type in PLAIN:
        return PLAIN[value.type](value)
    data = ctypes.string_at(value.text, value.length)
    with contextlib.suppress(ValueError, ArithmeticError):
        return data if value.type == BYTES else converter(data.decode())
    return data.decode(errors="surrogateescape")


# ---- pools, leases, transactions -------------------------------------------------------------------------------------


def common(timeout, tag):
    """Timeouts are seconds; None is the default of the pool."""
    return {"timeout_ms": -1 if timeout is None else max(0, round(timeout * 1000)), "tag": tag and tag.encode()}


class Calls:
    """What pools, leases and transactions have in common. Parameters: a sequence for ? and $1, a mapping for :name."""

    def _call(self, take, function, *arguments, timeout=None, tag=None, read_only=False, names=()):
        borrowed, result = (ctypes.c_char_p * len(names))(*(name.encode() for name in names)), ctypes.c_void_p()
        options = sized(QueryOptions, mode=read_only, retry_attempts=-1, placeholders=bool(names),
                        names=ctypes.addressof(borrowed), **common(timeout, tag))
        try:
            call(function, self._handle, *arguments, byref(options), byref(result))
            return take(result)
        finally:
            tide.tide_result_free(result)

    def query(self, sql, params=(), **options):
        """Executes a statement. Options: timeout; of a pool also tag and read_only."""
        names = list(params) if hasattr(params, "keys") else ()
        count, values, _borrowed = parameters([params[name] for name in names] if names else params)
        return self._call(read, self._query, encoded(sql), count, values, names=names, **options)

    def query_first(self, sql, params=(), **options):
        return next(iter(self.query(sql, params, **options)), None)

    def execute(self, sql, params=(), **options):
        """Returns the number of rows changed, or -1."""
        return self.query(sql, params, **options).affected

    def batch(self, statements, **options):
        """Executes pairs of a text and its parameters, all or nothing, and returns their results."""
        listed = [(encoded(sql), *parameters(params)) for sql, params in statements]
        array = (Statement * len(listed))(*(Statement(sql, ctypes.addressof(values), n) for sql, n, values, _ in listed))
        return self._call(lambda result: [read(tide.tide_result_part(result, part)) for part in range(len(listed))],
                          self._batch, array, len(listed), **options)

    def __enter__(self):
        return self


class Pool(Calls):
    """A pool of connections. Its options are keywords, such as max_size=20, or a text: options="max_size=20"."""
    _query, _batch = tide.tide_pool_query_with, tide.tide_pool_batch

    def __init__(self, name, url, options=None, **more):
        self.name, self._handle, text = name, ctypes.c_void_p(), ctypes.create_string_buffer(33)
        if options and more:
            raise TypeError("options are given as keywords or as text, not as both")
        call(tide.tide_pool_open, name.encode(), url.encode(), (options or json.dumps(more)).encode(), byref(self._handle))
        self._finalizer = weakref.finalize(self, tide.tide_pool_close, self._handle, 0, None)
        call(tide.tide_pool_instance_id, self._handle, text)
        self.instance_id = text.value.decode()

    def close(self, timeout=None):
        """Waits for leases until the timeout (default: shutdown_timeout), then takes them back."""
        self._finalizer.detach()
        call(tide.tide_pool_close, self._handle, common(timeout, None)["timeout_ms"])

    def lease(self, tag=None, timeout=None, read_only=False):
        return Lease(self, tide.tide_pool_acquire_with, sized(AcquireOptions, mode=read_only, **common(timeout, tag)))

    def transaction(self, **options):
        """Options: isolation ("read committed" ...), read_only, deferrable, timeout, tag."""
        return Transaction(self, tide.tide_tx_begin, tx_options(**options))

    def transact(self, function, **options):
        """Calls function(transaction), again after a conflict. Commits when it returns, rolls back when it raises."""
        ended = [None, None]  # what it returned, what it raised

        def body(_, handle):
            try:
                ended[:] = function(Transaction(self, None, None, handle)), None
            except BaseException as why:  # raised again below, by the caller of the library
                ended[:] = None, why
            return ended[1] is not None
        try:
            call(tide.tide_pool_transaction, self._handle, Body(body), None, byref(tx_options(**options)))
        except Error as why:
            raise (ended[1] or why) from None
        return ended[0]

    def relation(self, name):
        """The rows of this pool, such as relation("leases"), or relation("health")[0]."""
        return relation(name, instance_id=self.instance_id)

    def control(self, verb, **arguments):
        """Sends a command, such as control("scale", target_size=8), and waits for its result."""
        call(tide.tide_control, self.instance_id.encode(), verb.encode(), json.dumps(arguments).encode(), -1, None)

    def __exit__(self, *_):
        self.close()


class Held(Calls):
    """Ends once: at the end of `with`, by a method, or, if it was forgotten, when it is collected."""

    def __init__(self, owner, begin, options, handle=None):
        self.owner, self._handle = owner, handle or Handle()
        if begin:
            call(begin, owner._handle, byref(options), byref(self._handle))
        self._finalizer = weakref.finalize(self, self._forgotten, self._handle, None)  # refused if it has ended, or in a body

    def _end(self, end):
        self._finalizer.detach()
        call(end, self._handle)


class Lease(Held):
    """One connection, for what belongs to a session."""
    _query, _batch, _forgotten = tide.tide_lease_query_with, tide.tide_lease_batch, tide.tide_lease_release
    release = functools.partialmethod(Held._end, tide.tide_lease_release)

    def transaction(self, **options):
        return Transaction(self, tide.tide_tx_begin_on, tx_options(**options))

    def cancel(self):
        """Cancels the statement that another thread executes on this lease."""
        call(tide.tide_lease_cancel, self._handle)

    def __exit__(self, *_):
        self._finalizer()  # unless it has ended


ISOLATIONS = {None: 0, "read committed": 1, "repeatable read": 2, "serializable": 3}


def tx_options(isolation=None, read_only=False, deferrable=False, timeout=None, tag=None, retry_attempts=-1):
    return sized(TxOptions, isolation=ISOLATIONS[isolation], read_only=read_only, deferrable=deferrable,
                 retry_attempts=retry_attempts, **common(timeout, tag))


class Transaction(Held):
    """Committed at the end of `with`, rolled back after an exception."""
    _query, _batch, _forgotten = tide.tide_tx_query, tide.tide_tx_batch, tide.tide_tx_rollback
    commit = functools.partialmethod(Held._end, tide.tide_tx_commit)
    rollback = functools.partialmethod(Held._end, tide.tide_tx_rollback)

    def __exit__(self, kind, *_):
        if kind is None and self._finalizer.alive:
            self.commit()
        else:
            self._finalizer()  # rolls back, without an error: the exception that ended the `with` says more


CELLS = {INT: int, DOUBLE: float, BOOL: "1".__eq__, TIME: Timestamp.fromisoformat}


def relation(name, **only):
    """The rows of a relation, such as "pools", as dictionaries: of all pools of this host, or only pool="app"."""
    cursor, rows, only = ctypes.c_void_p(), [], {key: text.encode() for key, text in only.items()}
    call(tide.tide_cursor_open, name.encode(), byref(sized(Filter, **only)), byref(cursor))
    try:
        shape = next(s.contents for s in map(tide.tide_relation_at, itertools.count()) if s.contents.name.decode() == name)
        columns = (Column * shape.ncolumns).from_address(shape.columns)
        while tide.tide_cursor_next(cursor):
            texts = [tide.tide_cursor_text(cursor, column, None) for column in range(shape.ncolumns)]
            rows.append({column.name.decode(): text and CELLS.get(column.type, str)(text.decode(errors="replace"))
                         for column, text in zip(columns, texts)})
        return rows
    finally:
        tide.tide_cursor_close(cursor)


# ---- PEP 249 ---------------------------------------------------------------------------------------------------------

apilevel, threadsafety, paramstyle, _pools, _lock = "2.0", 1, "qmark", {}, threading.Lock()


def connect(url, name="python", options=None, **more):
    """A connection on a pool that all connections with the same arguments share; it is opened by the first one."""
    key = (os.getpid(), url, name, options, repr(sorted(more.items())))
    with _lock:
        if key not in _pools or not _pools[key]._finalizer.alive:
            _pools[key] = Pool(name, url, options, **more)
        return Connection(_pools[key])


class Connection:
    """Begins a transaction with the first statement. It holds a connection to the database only while that is open."""

    def __init__(self, pool, autocommit=False):
        self.pool, self.autocommit, self._tx = pool, autocommit, None

    def _site(self):
        if self.pool is None:
            raise InterfaceError("the connection is closed")
        if self._tx is None and not self.autocommit:
            self._tx = self.pool.transaction(tag="dbapi")
        return self._tx or self.pool

    def _end(self, end):
        tx, self._tx = self._tx, None
        if self.pool is None:
            raise InterfaceError("the connection is closed")
        if tx is not None:
            end(tx)

    commit = functools.partialmethod(_end, Transaction.commit)
    rollback = functools.partialmethod(_end, Transaction.rollback)

    def cursor(self):
        return Cursor(self)

    def close(self):
        if self.pool is not None:
            self.rollback()
        self.pool = None

    __enter__ = Calls.__enter__

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
        result = self.connection._site().query(sql, params)
        self.description, self.lastrowid = result.description, result.last_insert_id
        self.rowcount = len(result) if result.description else result.affected
        self._rows = iter(result) if result.description else None
        return self

    def executemany(self, sql, many):
        self._rows, self.description, self.rowcount, many = None, None, 0, iter(many)
        while part := [(sql, params) for params in itertools.islice(many, 10000)]:
            self.rowcount += sum(max(0, result.affected) for result in self.connection._site().batch(part))
        return self

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
