// What the binding for Go promises, on the database whose URL is the argument.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"tidepool"
)

var (
	url      = os.Args[1]
	isServer = !strings.Contains(url, "sqlite")
	ctx      = context.Background()
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(is bool, what ...any) {
	if !is {
		panic(fmt.Sprint(what...))
	}
}

func execute(db *sql.DB, text string, arguments ...any) {
	_, err := db.Exec(text, arguments...)
	must(err)
}

func count(db *sql.DB, text string) (n int) {
	must(db.QueryRow(text).Scan(&n))
	return n
}

func leases() int {
	rows, err := tidepool.Relation("leases", "promises")
	must(err)
	return len(rows)
}

func failure(err error) *tidepool.Error {
	var found *tidepool.Error
	check(errors.As(err, &found), "no error of tidepool: ", err)
	return found
}

// Values arrive as they were sent.
func values(db *sql.DB) {
	bytes := map[bool]string{true: "bytea", false: "blob"}[isServer]
	execute(db, "create table kept (i bigint, f float8, t text, b "+bytes+", s timestamp, o boolean)")
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	text := "tide \u00e9\U0001f30a"
	execute(db, "insert into kept values (?, ?, ?, ?, ?, ?)", int64(-1<<63), 1.5, text, []byte("a\x00b"), at, true)
	var i int64
	var f sql.NullFloat64
	var t sql.NullString
	var b []byte
	var s sql.NullTime
	var o sql.NullBool
	must(db.QueryRow("select * from kept").Scan(&i, &f, &t, &b, &s, &o))
	check(i == -1<<63 && f.Float64 == 1.5 && t.String == text && string(b) == "a\x00b", i, f, t, b)
	check(s.Time.Equal(at) && o.Bool, s, o)
	execute(db, "update kept set i = $1, f = null, t = null, b = null, s = null, o = null", 7)
	must(db.QueryRow("select * from kept where i = $1", 7).Scan(&i, &f, &t, &b, &s, &o))
	check(i == 7 && !f.Valid && !t.Valid && b == nil && !s.Valid && !o.Valid, i, f, t, b, s, o)
	check(errors.Is(db.QueryRow("select i from kept where i = 8").Scan(&i), sql.ErrNoRows))
	rows, err := db.Query("select 1 as n, 0 as o union all select null, 1 order by o")
	must(err)
	nulls := 0
	for rows.Next() {
		var n sql.NullInt64
		must(rows.Scan(&n, new(int)))
		nulls += map[bool]int{false: 1}[n.Valid]
	}
	check(rows.Err() == nil && nulls == 1, nulls)
	statement, err := db.Prepare("select t from kept where i = ?")
	must(err)
	defer statement.Close()
	must(statement.QueryRow(7).Scan(&t))
	if !isServer {
		result, err := db.Exec("insert into kept (i) values (8), (9)")
		must(err)
		id, _ := result.LastInsertId()
		affected, _ := result.RowsAffected()
		check(id == 3 && affected == 2, id, affected)
	}
}

// Errors have the members of tide_error; bad arguments never reach the database.
func mistakes(db *sql.DB) {
	_, err := db.Query("select nothing_like_this")
	check(failure(err).Status == "database" && failure(err).SQLState == "42703", err)
	check(strings.Contains(err.Error(), "nothing_like_this"), err)
	execute(db, "create table once (i integer primary key)")
	execute(db, "insert into once values (1)")
	_, err = db.Exec("insert into once values (1)")
	check(failure(err).SQLState == "23505", err)
	_, err = db.Exec("select $1", 1, 2)
	check(failure(err).Status == "bad_argument", err)
	_, err = db.Exec("select :a", sql.Named("a", 1))
	check(failure(err).Status == "unsupported", err)
	_, err = db.Exec("select 1\x00; drop table once")
	check(failure(err).Status == "bad_argument", err)
	_, err = tidepool.Open("bad", url, "max_siz=1")
	check(failure(err).Status == "bad_option", err)
	_, err = tidepool.Relation("nothing", "")
	check(failure(err).Status == "not_found", err)
	_, err = db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSnapshot})
	check(failure(err).Status == "bad_argument" && leases() == 0, err)
}

// Committed by Commit, rolled back by Rollback and with the end of the context; read-only ones cannot write.
func transactions(db *sql.DB) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	must(err)
	_, err = tx.Exec("insert into once values (2)")
	must(err)
	must(tx.Commit())
	tx, err = db.Begin()
	must(err)
	_, err = tx.Exec("delete from once")
	must(err)
	_, err = tx.Exec("insert into nothing_like_this values (1)")
	check(err != nil)
	must(tx.Rollback())
	tx, err = db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	must(err)
	_, err = tx.Exec("delete from once")
	check(err != nil)
	must(tx.Rollback())
	stopping, stop := context.WithCancel(ctx)
	tx, err = db.BeginTx(stopping, nil)
	must(err)
	_, err = tx.ExecContext(ctx, "delete from once")
	must(err)
	stop()
	for tries := 0; leases() > 0; tries++ {
		check(tries < 500, "the lease is still held")
		time.Sleep(10 * time.Millisecond)
	}
	check(count(db, "select count(*) from once") == 2)
}

// A connection of database/sql is one session while it is held, and returns its lease.
func sessions(db *sql.DB) {
	conn, err := db.Conn(ctx)
	must(err)
	_, err = conn.ExecContext(ctx, "create temporary table mine (i integer)")
	must(err)
	_, err = conn.ExecContext(ctx, "insert into mine values (1)")
	must(err)
	check(leases() == 1)
	must(conn.Close())
	check(leases() == 0)
	conn, err = db.Conn(ctx) // it writes after a transaction that only reads
	must(err)
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	must(err)
	_, err = tx.Exec("select 1")
	must(err)
	must(tx.Commit())
	_, err = conn.ExecContext(ctx, "update once set i = i where i = 0")
	must(err)
	must(conn.Close())
	tx, err = db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	must(err)
	must(tx.Rollback())
	must(db.Ping())
	check(leases() == 0)
}

// A timeout says who holds the connections; a context that is cancelled ends the wait at once, and loses no lease.
func timeouts(db *sql.DB) {
	var held []*sql.Conn
	for i := 0; i < 4; i++ {
		conn, err := db.Conn(ctx)
		must(err)
		_, err = conn.ExecContext(context.WithValue(ctx, tidepool.Tag{}, fmt.Sprint("report ", i)), "select 1")
		must(err)
		held = append(held, conn)
	}
	short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
	defer stop()
	_, err := db.ExecContext(short, "select 1")
	check(failure(err).Status == "timeout" && failure(err).Retryable && strings.Contains(err.Error(), "report 0"), err)
	check(errors.Is(err, context.DeadlineExceeded), err)
	stopping, cancel := context.WithCancel(ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, err = db.ExecContext(stopping, "select 1")
	check(errors.Is(err, context.Canceled) && time.Since(start) < 3*time.Second, err)
	for _, conn := range held {
		must(conn.Close())
	}
	for tries := 0; leases() > 0; tries++ { // the one that nobody waits for any more
		check(tries < 500, "the lease is still held")
		time.Sleep(10 * time.Millisecond)
	}
}

// A context that ends cancels the statement.
func cancel(db *sql.DB) {
	slow := "with recursive r(i) as (select 1 union all select i + 1 from r where i < 1000000000) select count(*) from r"
	if isServer {
		slow = "select pg_sleep(20)"
	}
	stopping, cancel := context.WithCancel(ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, err := db.ExecContext(stopping, slow)
	check(errors.Is(err, context.Canceled) && failure(err).SQLState == "57014" && time.Since(start) < 10*time.Second, err)
	check(count(db, "select 1") == 1)
}

// Eight goroutines on four connections: nothing is lost.
func eightGoroutines(db *sql.DB) {
	execute(db, "create table sum (i integer)")
	execute(db, "insert into sum values (0)")
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := 0; j < 20; j++ {
				tx, err := db.Begin()
				must(err)
				_, err = tx.Exec("update sum set i = i + ?", 1)
				must(err)
				must(tx.Commit())
			}
		}()
	}
	all.Wait()
	check(count(db, "select i from sum") == 160)
}

func main() {
	pool, err := tidepool.Open("promises", url, "max_size=4")
	must(err)
	db := sql.OpenDB(pool)
	for _, table := range []string{"kept", "once", "sum"} {
		execute(db, "drop table if exists "+table)
	}
	names := []string{"values", "mistakes", "transactions", "sessions", "timeouts", "cancel", "eightGoroutines"}
	for i, promise := range []func(*sql.DB){values, mistakes, transactions, sessions, timeouts, cancel, eightGoroutines} {
		promise(db)
		fmt.Println(names[i])
	}
	must(db.Close())
	check(failure(pool.Close()).Status == "closed")
	fmt.Println("done")
}
