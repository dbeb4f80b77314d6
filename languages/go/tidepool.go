// Package tidepool is a driver of database/sql with connections of a pool that is visible in SQL. See README.md.
package tidepool

// #cgo pkg-config: tidepool
// #include <stdlib.h>
// #include <tidepool/tidepool.h>
import "C"

import (
	"context"
	"database/sql/driver"
	"io"
	"math"
	"strings"
	"time"
	"unsafe"
)

// Error has the members of tide_error. After a timeout its detail says who holds the connections.
type Error struct {
	Status, SQLState, Message, Detail, Hint, Constraint string
	Retryable                                           bool
	cause                                               error // of the context
}

func (e *Error) Error() string { return strings.Trim(e.Message+"\n"+e.Detail+"\n"+e.Hint, "\n") }
func (e *Error) Unwrap() error { return e.cause }

type status = C.tide_status
type failure = *C.tide_error
type values = []driver.NamedValue
type token = *C.tide_cancel_token

// check calls a function of the library whose last argument is an error.
func check(ctx context.Context, call func(failure) status) error {
	err := C.tide_error{size: C.sizeof_tide_error}
	if call(&err) == C.TIDE_OK {
		return nil
	}
	cause := ctx.Err()
	if deadline, has := ctx.Deadline(); has && !time.Now().Before(deadline) {
		cause = context.DeadlineExceeded
	}
	return &Error{C.GoString(C.tide_status_name(err.status)), C.GoString(&err.sqlstate[0]), C.GoString(&err.message[0]),
		C.GoString(&err.detail[0]), C.GoString(&err.hint[0]), C.GoString(&err.constraint_name[0]),
		err.retryable != 0, cause}
}

type arena []unsafe.Pointer // what a call borrows, in memory of C

func (a *arena) text(data string) *C.char {
	*a = append(*a, unsafe.Pointer(C.CString(data)))
	return (*C.char)((*a)[len(*a)-1])
}

func (a *arena) free() {
	for _, pointer := range *a {
		C.free(pointer)
	}
}

func (a *arena) value(from driver.Value) C.tide_value {
	switch from := from.(type) {
	case int64:
		return C.tide_value{_type: C.TIDE_INT, integer: C.int64_t(from)}
	case float64:
		return C.tide_value{_type: C.TIDE_DOUBLE, real: C.double(from)}
	case bool:
		return C.tide_value{_type: C.TIDE_BOOL, integer: map[bool]C.int64_t{true: 1}[from]}
	case string:
		return C.tide_value{_type: C.TIDE_TEXT, text: a.text(from), length: C.size_t(len(from))}
	case time.Time:
		return a.value(from.Format("2006-01-02 15:04:05.999999999Z07:00"))
	case []byte:
		kind := map[bool]C.int32_t{true: C.TIDE_VALUE_NULL, false: C.TIDE_BYTES}[from == nil]
		return C.tide_value{_type: kind, text: a.text(string(from)), length: C.size_t(len(from))}
	}
	return C.tide_value{_type: C.TIDE_VALUE_NULL}
}

// Pool is a pool of connections, and a driver.Connector: sql.OpenDB(pool). sql.DB.Close() closes it.
type Pool struct{ handle *C.tide_pool }

// Open opens a pool. Its name, URL and options, such as "max_size=20", are those of tide_pool_open().
func Open(name, url, options string) (*Pool, error) {
	pool, a := &Pool{}, arena{}
	defer a.free()
	return pool, check(context.Background(), func(err failure) status {
		return C.tide_pool_open(a.text(name), a.text(url), a.text(options), &pool.handle, err)
	})
}

func (p *Pool) Driver() driver.Driver                        { return nil }
func (p *Pool) Connect(context.Context) (driver.Conn, error) { return &conn{pool: p}, nil }
func (p *Pool) Close() error {
	return check(context.Background(), func(err failure) status { return C.tide_pool_close(p.handle, -1, err) })
}

type Tag struct{} // of a context, for the purpose of leases: context.WithValue(ctx, tidepool.Tag{}, "report")

// conn, used by one goroutine at a time, has a lease or a transaction from its first statement until it is idle again.
type conn struct {
	pool  *Pool
	lease C.tide_lease // none if its pool is nil
	tx    C.tide_tx    // the same
}

// call executes something with the tag of the context, the milliseconds until its deadline, and a token that is tripped
// when it is cancelled; not also after the deadline, because the error after a timeout says more.
func (c *conn) call(ctx context.Context, run func(token, *C.char, C.int64_t, failure) status) error {
	gone, done, a := token(nil), make(chan struct{}), arena{}
	C.tide_cancel_token_new(&gone, nil)
	defer close(done)
	defer a.free()
	go func() {
		select {
		case <-done:
		case <-ctx.Done():
			if ctx.Err() == context.Canceled {
				C.tide_cancel_token_trip(gone)
			}
		}
		<-done
		C.tide_cancel_token_free(gone)
	}()
	tag, _ := ctx.Value(Tag{}).(string)
	wait := C.int64_t(-1) // the default of the pool
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) < 24*time.Hour {
		wait = C.int64_t(math.Max(0, math.Ceil(time.Until(deadline).Seconds()*1000)))
	}
	return check(ctx, func(err failure) status { return run(gone, a.text(tag), wait, err) })
}

// Ping waits for a lease, if there is none.
func (c *conn) Ping(ctx context.Context) error {
	if c.lease.pool != nil || c.tx.pool != nil {
		return nil
	}
	return c.call(ctx, func(gone token, tag *C.char, wait C.int64_t, err failure) status {
		with := C.tide_acquire_options{size: C.sizeof_tide_acquire_options, timeout_ms: wait, tag: tag, cancel: gone}
		return C.tide_pool_acquire_with(c.pool.handle, &with, &c.lease, err)
	})
}

// BeginTx knows the levels Default, ReadCommitted, RepeatableRead and Serializable: 0, 2, 4, 6; the library refuses -1.
func (c *conn) BeginTx(ctx context.Context, with driver.TxOptions) (driver.Tx, error) {
	return c, c.call(ctx, func(gone token, tag *C.char, wait C.int64_t, err failure) status {
		options := C.tide_tx_options{size: C.sizeof_tide_tx_options, timeout_ms: wait, tag: tag, cancel: gone,
			isolation: [8]C.int32_t{0, -1, 1, -1, 2, -1, 3, -1}[with.Isolation],
			read_only: map[bool]C.int32_t{true: 1}[with.ReadOnly]}
		if c.lease.pool != nil {
			return C.tide_tx_begin_on(c.lease, &options, &c.tx, err)
		}
		return C.tide_tx_begin(c.pool.handle, &options, &c.tx, err)
	})
}

func (c *conn) Commit() error {
	defer func() { c.tx = C.tide_tx{} }()
	return check(context.Background(), func(err failure) status { return C.tide_tx_commit(c.tx, err) })
}

func (c *conn) Rollback() error {
	defer func() { c.tx = C.tide_tx{} }()
	return check(context.Background(), func(err failure) status { return C.tide_tx_rollback(c.tx, err) })
}

// Close returns the lease, if there is one. It is called by IsValid: when the connection is idle again.
func (c *conn) Close() error {
	C.tide_lease_release(c.lease, nil)
	c.lease = C.tide_lease{}
	return nil
}

func (c *conn) IsValid() bool                            { return c.Close() == nil }
func (c *conn) Begin() (driver.Tx, error)                { return c.BeginTx(context.Background(), driver.TxOptions{}) }
func (c *conn) Prepare(text string) (driver.Stmt, error) { return &stmt{nil, c, text}, nil }

// stmt is only a text: the pool keeps prepared what is used repeatedly.
type stmt struct {
	driver.Stmt // nil: methods of earlier versions of Go, which are not called
	conn        *conn
	text        string
}

func (s *stmt) Close() error                                                    { return nil }
func (s *stmt) NumInput() int                                                   { return -1 }
func (s *stmt) QueryContext(ctx context.Context, v values) (driver.Rows, error) { return s.run(ctx, v) }
func (s *stmt) ExecContext(ctx context.Context, v values) (driver.Result, error) {
	return s.run(ctx, v)
}

func (s *stmt) run(ctx context.Context, with values) (*rows, error) {
	params, a, result := make([]C.tide_value, len(with)+1), arena{}, (*C.tide_result)(nil)
	defer a.free()
	defer func() { C.tide_result_free(result) }()
	if strings.Contains(s.text, "\x00") {
		return nil, &Error{Status: "bad_argument", Message: "the statement contains a NUL character"}
	}
	for i, argument := range with {
		params[i] = a.value(argument.Value)
		if argument.Name != "" {
			return nil, &Error{Status: "unsupported", Message: "named parameter " + argument.Name, Hint: "Use $1 or ?."}
		}
	}
	if err := s.conn.Ping(ctx); err != nil {
		return nil, err
	}
	err := s.conn.call(ctx, func(gone token, _ *C.char, wait C.int64_t, err failure) status {
		options := C.tide_query_options{size: C.sizeof_tide_query_options, timeout_ms: wait, cancel: gone}
		if s.conn.tx.pool != nil {
			return C.tide_tx_query(s.conn.tx, a.text(s.text), C.int(len(with)), &params[0], &options, &result, err)
		}
		return C.tide_lease_query_with(s.conn.lease, a.text(s.text), C.int(len(with)), &params[0], &options, &result, err)
	})
	return rowsOf(result), err
}

// rows are copied from a result of the library. They are a driver.Result too.
type rows struct {
	names        []string
	cells        []driver.Value // of all rows
	id, affected int64
}

func (r *rows) Columns() []string            { return r.names }
func (r *rows) Close() error                 { return nil }
func (r *rows) LastInsertId() (int64, error) { return r.id, nil }
func (r *rows) RowsAffected() (int64, error) { return r.affected, nil }
func (r *rows) Next(cells []driver.Value) error {
	if len(r.cells) == 0 {
		return io.EOF
	}
	r.cells = r.cells[copy(cells, r.cells):]
	return nil
}

func rowsOf(result *C.tide_result) *rows {
	r := &rows{id: int64(C.tide_result_last_insert_id(result)), affected: int64(C.tide_result_affected(result))}
	types := make([]C.tide_column_type, C.tide_result_columns(result))
	for i := range types {
		types[i].size = C.sizeof_tide_column_type
		C.tide_result_type(result, C.int(i), &types[i], nil)
		r.names = append(r.names, C.GoString(C.tide_result_name(result, C.int(i))))
	}
	for i, n := 0, int(C.tide_result_rows(result))*len(types); i < n; i++ {
		cell := C.tide_result_value(result, C.int64_t(i/len(types)), C.int(i%len(types)))
		r.cells = append(r.cells, cellOf(cell, types[i%len(types)]))
	}
	return r
}

var timeTypes = map[any]bool{1082: true, 1114: true, 1184: true, "date": true, "datetime": true, "timestamp": true}
var timeLayouts = []string{"2006-01-02", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00"}

func cellOf(value C.tide_value, kind C.tide_column_type) driver.Value {
	switch value._type {
	case C.TIDE_INT:
		return int64(value.integer)
	case C.TIDE_DOUBLE:
		return float64(value.real)
	case C.TIDE_BOOL:
		return value.integer != 0
	case C.TIDE_BYTES:
		return C.GoBytes(unsafe.Pointer(value.text), C.int(value.length))
	case C.TIDE_TEXT:
		text := C.GoStringN(value.text, C.int(value.length))
		isTime := timeTypes[int(kind.oid)] || timeTypes[strings.ToLower(C.GoString(kind.declared))]
		for _, layout := range timeLayouts { // what does not fit, such as infinity, remains a text
			if at, err := time.Parse(layout, strings.Replace(text, "T", " ", 1)); isTime && err == nil {
				return at
			}
		}
		return text
	}
	return nil
}

// Relation returns rows as texts, NULL as an empty one: of the pools with a name, or, for "", of all pools of the host.
func Relation(name, pool string) (found []map[string]string, _ error) {
	cursor, shape, a := (*C.tide_cursor)(nil), C.tide_relation_at(0), arena{}
	defer a.free()
	filter := C.tide_filter{size: C.sizeof_tide_filter, pool: a.text(pool)}
	open := func(err failure) status { return C.tide_cursor_open(a.text(name), &filter, &cursor, err) }
	if err := check(context.Background(), open); err != nil {
		return nil, err
	}
	defer C.tide_cursor_close(cursor)
	for i := C.int(1); C.GoString(shape.name) != name; i++ {
		shape = C.tide_relation_at(i)
	}
	for C.tide_cursor_next(cursor) != 0 {
		found = append(found, map[string]string{})
		for i, column := range unsafe.Slice(shape.columns, int(shape.ncolumns)) {
			found[len(found)-1][C.GoString(column.name)] = C.GoString(C.tide_cursor_text(cursor, C.int(i), nil))
		}
	}
	return found, nil
}
