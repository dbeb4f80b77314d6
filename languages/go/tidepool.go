// Package tidepool is a driver of database/sql for PostgreSQL and SQLite whose connections come from a pool that is
// visible in SQL. See README.md.
//
// A connection of database/sql leases one of the pool with its first statement, until it is idle again: the pool, and not
// database/sql, limits the number of connections. No thread waits for a lease. A statement occupies a thread while it runs.
package tidepool

/*
#cgo pkg-config: tidepool
#include <stdlib.h>
#include <tidepool/tidepool.h>
void tidepoolLeased(void* context, tide_status status, tide_lease lease, tide_error* err);
*/
import "C"

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"math"
	"runtime/cgo"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// Error has the members of tide_error. After a timeout its detail says who holds the connections. It unwraps to the error of
// the context if that has ended.
type Error struct {
	Status, SQLState, Message, Detail, Hint, Constraint string
	Retryable                                           bool
	cause                                               error
}

func (e *Error) Error() string {
	return strings.TrimSpace(e.Message + "\n" + strings.TrimSpace(e.Detail+"\n"+e.Hint))
}

func (e *Error) Unwrap() error { return e.cause }

// check calls a function whose last argument is an error.
func check(ctx context.Context, call func(*C.tide_error) C.tide_status) error {
	err := C.tide_error{size: C.sizeof_tide_error}
	return errorOf(ctx, call(&err), &err)
}

func errorOf(ctx context.Context, status C.tide_status, err *C.tide_error) error {
	cause := ctx.Err()
	if deadline, has := ctx.Deadline(); has && !time.Now().Before(deadline) {
		cause = context.DeadlineExceeded
	}
	if status == C.TIDE_OK {
		return nil
	}
	return &Error{C.GoString(C.tide_status_name(status)), C.GoString(&err.sqlstate[0]), C.GoString(&err.message[0]),
		C.GoString(&err.detail[0]), C.GoString(&err.hint[0]), C.GoString(&err.constraint_name[0]), err.retryable != 0, cause}
}

// arena holds what a call borrows, in memory of C.
type arena []unsafe.Pointer

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
	return pool, check(context.Background(), func(err *C.tide_error) C.tide_status {
		return C.tide_pool_open(a.text(name), a.text(url), a.text(options), &pool.handle, err)
	})
}

// Close waits for leases up to shutdown_timeout, then takes them back.
func (p *Pool) Close() error {
	return check(context.Background(), func(err *C.tide_error) C.tide_status { return C.tide_pool_close(p.handle, -1, err) })
}

func (p *Pool) Driver() driver.Driver                        { return poolDriver{} }
func (p *Pool) Connect(context.Context) (driver.Conn, error) { return &conn{pool: p}, nil }

// poolDriver opens "NAME URL [OPTIONS]", such as sql.Open("tidepool", "app sqlite:///var/lib/app.db max_size=4").
type poolDriver struct{ driver.Driver } // nil: its method Open is not called, as there is OpenConnector

func init() { sql.Register("tidepool", poolDriver{}) }

func (poolDriver) OpenConnector(source string) (driver.Connector, error) {
	words := append(strings.SplitN(source, " ", 3), "", "")
	return Open(words[0], words[1], words[2])
}

// Tag is the key of a context for the purpose of leases, as the relation leases shows it:
// context.WithValue(ctx, tidepool.Tag{}, "report").
type Tag struct{}

//export tidepoolLeased
func tidepoolLeased(callback unsafe.Pointer, status C.tide_status, lease C.tide_lease, err *C.tide_error) {
	handle := cgo.Handle(uintptr(callback))
	handle.Value().(func(C.tide_status, C.tide_lease, *C.tide_error))(status, lease, err)
	handle.Delete()
}

// conn is a connection of database/sql. It is used by one goroutine at a time.
type conn struct {
	pool  *Pool
	lease C.tide_lease // none if its pool is nil
	mode  C.int32_t    // of the lease
	tx    C.tide_tx    // the same
}

func milliseconds(ctx context.Context) C.int64_t {
	deadline, has := ctx.Deadline()
	if left := time.Until(deadline); has && left < 24*time.Hour {
		return C.int64_t(math.Max(0, math.Ceil(left.Seconds()*1000)))
	}
	return -1
}

// acquire waits for a lease, or for the end of the context: then the lease is returned when it comes.
func (c *conn) acquire(ctx context.Context, mode C.int32_t) error {
	if c.tx.pool != nil || c.lease.pool != nil && c.mode <= mode {
		return nil
	}
	c.Close() // one that can only read
	result, lease, a := make(chan error, 1), C.tide_lease{}, arena{}
	defer a.free()
	tag, _ := ctx.Value(Tag{}).(string)
	handle := cgo.NewHandle(func(status C.tide_status, granted C.tide_lease, err *C.tide_error) {
		lease = granted
		result <- errorOf(ctx, status, err)
	})
	with := C.tide_acquire_options{size: C.sizeof_tide_acquire_options, mode: mode, timeout_ms: milliseconds(ctx),
		tag: a.text(tag), callback: C.tide_acquire_callback(C.tidepoolLeased), context: *(*unsafe.Pointer)(unsafe.Pointer(&handle))}
	call := func(err *C.tide_error) C.tide_status { return C.tide_pool_acquire_with(c.pool.handle, &with, nil, err) }
	if err := check(ctx, call); err != nil {
		handle.Delete()
		return err
	}
	canceled := ctx.Done()
	for {
		select {
		case <-canceled:
			if canceled = nil; ctx.Err() == context.Canceled {
				go func() { <-result; C.tide_lease_release(lease, nil) }()
				return ctx.Err()
			} // else its deadline is that of the lease, whose error says more
		case err := <-result:
			c.lease, c.mode = lease, mode
			return err
		}
	}
}

// watch cancels what runs on the lease when the context ends, until the function that it returns is called. It does so
// repeatedly, because a cancel in the instant in which a statement begins may have no effect.
func (c *conn) watch(ctx context.Context) func() {
	lease, done, ended := c.lease, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for stop, again := ctx.Done(), (<-chan time.Time)(nil); ; stop, again = nil, time.After(10*time.Millisecond) {
			select {
			case <-done:
				return
			case <-stop:
			case <-again:
			}
			C.tide_lease_cancel(lease, nil)
		}
	}()
	return func() { close(done); <-ended }
}

// run executes a statement and returns its result, which the caller frees.
func (c *conn) run(ctx context.Context, text string, arguments []driver.NamedValue) (result *C.tide_result, _ error) {
	if err := c.acquire(ctx, C.TIDE_READ_WRITE); err != nil {
		return nil, err
	}
	params, a := make([]C.tide_value, len(arguments)+1), arena{}
	defer a.free()
	if strings.Contains(text, "\x00") {
		return nil, &Error{Status: "bad_argument", Message: "the statement contains a NUL character"}
	}
	for i, argument := range arguments {
		params[i] = a.value(argument.Value)
		if argument.Name != "" {
			return nil, &Error{Status: "unsupported", Message: "named parameter " + argument.Name, Detail: "accepted: $1 or ?"}
		}
	}
	with := C.tide_query_options{size: C.sizeof_tide_query_options, timeout_ms: milliseconds(ctx)}
	defer c.watch(ctx)()
	return result, check(ctx, func(err *C.tide_error) C.tide_status {
		if c.tx.pool != nil {
			return C.tide_tx_query(c.tx, a.text(text), C.int(len(arguments)), &params[0], &with, &result, err)
		}
		return C.tide_lease_query_with(c.lease, a.text(text), C.int(len(arguments)), &params[0], &with, &result, err)
	})
}

func (c *conn) QueryContext(ctx context.Context, text string, arguments []driver.NamedValue) (driver.Rows, error) {
	result, err := c.run(ctx, text, arguments)
	found := &rows{result: result}
	for i := C.int(0); i < C.tide_result_columns(result); i++ {
		kind := C.tide_column_type{size: C.sizeof_tide_column_type}
		C.tide_result_type(result, i, &kind, nil)
		found.types = append(found.types, strconv.Itoa(int(kind.oid))+strings.ToLower(C.GoString(kind.declared)))
		found.names = append(found.names, C.GoString(C.tide_result_name(result, i)))
	}
	return found, err
}

func (c *conn) ExecContext(ctx context.Context, text string, arguments []driver.NamedValue) (driver.Result, error) {
	result, err := c.run(ctx, text, arguments)
	defer C.tide_result_free(result)
	return changed{int64(C.tide_result_last_insert_id(result)), int64(C.tide_result_affected(result))}, err
}

type changed struct{ id, affected int64 }

func (c changed) LastInsertId() (int64, error) { return c.id, nil }
func (c changed) RowsAffected() (int64, error) { return c.affected, nil }

func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	// Default, ReadCommitted, RepeatableRead and Serializable are 0, 2, 4, 6, and 0 to 3 in the library.
	if options.Isolation%2 != 0 || options.Isolation > driver.IsolationLevel(sql.LevelSerializable) {
		return nil, &Error{Status: "unsupported", Message: "isolation level " + sql.IsolationLevel(options.Isolation).String()}
	}
	with := C.tide_tx_options{size: C.sizeof_tide_tx_options, isolation: C.int32_t(options.Isolation / 2),
		read_only: map[bool]C.int32_t{true: 1}[options.ReadOnly], timeout_ms: milliseconds(ctx)}
	if err := c.acquire(ctx, with.read_only); err != nil {
		return nil, err
	}
	defer c.watch(ctx)()
	return c, check(ctx, func(err *C.tide_error) C.tide_status { return C.tide_tx_begin_on(c.lease, &with, &c.tx, err) })
}

func (c *conn) ended() (tx C.tide_tx) { tx, c.tx = c.tx, C.tide_tx{}; return tx }

func (c *conn) Commit() error {
	return check(context.Background(), func(err *C.tide_error) C.tide_status { return C.tide_tx_commit(c.ended(), err) })
}

func (c *conn) Rollback() error {
	return check(context.Background(), func(err *C.tide_error) C.tide_status { return C.tide_tx_rollback(c.ended(), err) })
}

func (c *conn) returned() (lease C.tide_lease) {
	lease, c.lease = c.lease, C.tide_lease{}
	return lease
}

// Close returns the lease, if there is one.
func (c *conn) Close() error { C.tide_lease_release(c.returned(), nil); return nil }

// IsValid is called when the connection is idle again.
func (c *conn) IsValid() bool { return c.Close() == nil }

// Ping waits for a healthy connection.
func (c *conn) Ping(ctx context.Context) error { return c.acquire(ctx, C.TIDE_READ_WRITE) }

func (c *conn) Begin() (driver.Tx, error)                { return c.BeginTx(context.Background(), driver.TxOptions{}) }
func (c *conn) Prepare(text string) (driver.Stmt, error) { return &stmt{nil, c, text}, nil }

// stmt is only a text: the pool keeps prepared what is used repeatedly.
type stmt struct {
	driver.Stmt // nil: methods of earlier versions of Go, which are not called
	conn        *conn
	text        string
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return -1 }
func (s *stmt) ExecContext(ctx context.Context, arguments []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.text, arguments)
}
func (s *stmt) QueryContext(ctx context.Context, arguments []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.text, arguments)
}

type rows struct {
	result       *C.tide_result
	names, types []string // a type is PostgreSQL's number, and SQLite's declaration
	next         C.int64_t
}

func (r *rows) Columns() []string { return r.names }

func (r *rows) Close() error { C.tide_result_free(r.result); r.result = nil; return nil }

func (r *rows) Next(cells []driver.Value) error {
	if r.next >= C.tide_result_rows(r.result) {
		return io.EOF
	}
	for i := range cells {
		cells[i] = nil
		switch value := C.tide_result_value(r.result, r.next, C.int(i)); value._type {
		case C.TIDE_INT:
			cells[i] = int64(value.integer)
		case C.TIDE_DOUBLE:
			cells[i] = float64(value.real)
		case C.TIDE_BOOL:
			cells[i] = value.integer != 0
		case C.TIDE_BYTES:
			cells[i] = C.GoBytes(unsafe.Pointer(value.text), C.int(value.length))
		case C.TIDE_TEXT:
			cells[i] = textOrTime(C.GoStringN(value.text, C.int(value.length)), r.types[i])
		}
	}
	r.next++
	return nil
}

// textOrTime: a text that is no time, such as infinity, remains one.
func textOrTime(text, kind string) driver.Value {
	if strings.Contains(" 1082 1114 1184 0date 0datetime 0timestamp 0timestamptz ", " "+kind+" ") {
		for _, layout := range []string{"2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02"} {
			if at, err := time.Parse(layout, strings.Replace(text, "T", " ", 1)); err == nil {
				return at
			}
		}
	}
	return text
}

// Relation returns the rows of a relation, such as "pools", as texts without those that are NULL: of the pools with a name,
// or, for "", of all pools of the host.
func Relation(name, pool string) (found []map[string]string, _ error) {
	cursor, a := (*C.tide_cursor)(nil), arena{}
	defer a.free()
	filter := C.tide_filter{size: C.sizeof_tide_filter, pool: a.text(pool)}
	open := func(err *C.tide_error) C.tide_status { return C.tide_cursor_open(a.text(name), &filter, &cursor, err) }
	if err := check(context.Background(), open); err != nil {
		return nil, err
	}
	defer C.tide_cursor_close(cursor)
	shape := C.tide_relation_at(0)
	for i := C.int(1); C.GoString(shape.name) != name; i++ {
		shape = C.tide_relation_at(i)
	}
	for C.tide_cursor_next(cursor) != 0 {
		found = append(found, map[string]string{})
		for i, column := range unsafe.Slice(shape.columns, int(shape.ncolumns)) {
			if text := C.tide_cursor_text(cursor, C.int(i), nil); text != nil {
				found[len(found)-1][C.GoString(column.name)] = C.GoString(text)
			}
		}
	}
	return found, nil
}
