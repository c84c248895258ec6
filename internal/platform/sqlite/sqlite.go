// Package sqlite opens databases that are one file: shared by processes, made
// on first use, and, where what they hold can be had again, set aside and made
// anew when they turn out to be broken. It knows no table.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyWait is how long a statement waits for another process to finish writing
// where the options do not say.
const busyWait = 5 * time.Second

// Options say which database and what is in it.
type Options struct {
	// Path is the file; its folder is made when it is missing. Empty is a
	// database in memory, which lives as long as it is open.
	Path string
	// Schema makes the tables of an empty database. Version numbers it; a file
	// with another one is an error, or set aside with Disposable.
	Schema  string
	Version int
	// Disposable says that what the file holds can be had again: a file that is
	// broken, or of another version, is moved aside and a new one made.
	Disposable bool
	// Busy is how long a statement waits for another process to finish writing;
	// 0 is 5 s. The end of a context does not cut it short.
	Busy time.Duration
	// Conns is the most connections at once; 0 is 4. In memory it is one.
	Conns int
}

// errVersion is a file whose tables are of another version.
var errVersion = errors.New("its tables are of another version")

// Open opens the database and makes its tables where there are none.
func Open(ctx context.Context, o Options) (*sql.DB, error) {
	if o.Schema == "" || o.Version < 1 {
		return nil, errors.New("open a database: Schema and Version are required")
	}
	if o.Path == "" {
		o.Conns = 1
		return open(ctx, o)
	}
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o700); err != nil {
		return nil, fmt.Errorf("open database %s: %w", o.Path, err)
	}
	// SQLite makes its files as readable as the first one.
	f, err := os.OpenFile(o.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", o.Path, err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database %s: %w", o.Path, err)
	}
	db, err := open(ctx, o)
	if err == nil || !o.Disposable || !spoiled(err) {
		return db, err
	}
	return Replace(ctx, o, nil)
}

// Replace makes a disposable database anew that turned out to be broken while
// it was open; it has been closed by now. opened is what the file was then: if
// another process has replaced it since, its file is opened. nil replaces what
// cannot be opened.
func Replace(ctx context.Context, o Options, opened os.FileInfo) (*sql.DB, error) {
	lock := flock.New(o.Path + ".lock")
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, fmt.Errorf("open database %s: wait for its lock: %w", o.Path, err)
	}
	defer func() { _ = lock.Unlock() }() // closing the file unlocks in any case
	now, err := os.Stat(o.Path)
	if err != nil || opened == nil || !os.SameFile(now, opened) {
		if db, err := open(ctx, o); err == nil || !spoiled(err) {
			return db, err
		}
	}
	if err := setAside(o.Path); err != nil {
		return nil, err
	}
	return open(ctx, o)
}

// spoiled reports whether a file has to be made anew.
func spoiled(err error) bool { return Broken(err) || errors.Is(err, errVersion) }

func open(ctx context.Context, o Options) (*sql.DB, error) {
	db, err := sql.Open("sqlite", source(o.Path, cmp.Or(o.Busy, busyWait)))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", o.Path, err)
	}
	if o.Conns == 0 {
		o.Conns = 4
	}
	db.SetMaxOpenConns(o.Conns)
	db.SetMaxIdleConns(o.Conns)
	if err := prepare(ctx, db, o); err != nil {
		_ = db.Close() // the reason is known already
		return nil, fmt.Errorf("open database %s: %w", o.Path, err)
	}
	return db, nil
}

// source is the driver's name for a database. Writers of several processes
// take turns from the beginning of a transaction, so that none fails halfway.
func source(path string, busy time.Duration) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")",
		"journal_mode(wal)", "synchronous(normal)", "foreign_keys(on)", "trusted_schema(off)",
	}}
	if path == "" {
		return ":memory:?" + q.Encode()
	}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
}

func prepare(ctx context.Context, db *sql.DB, o Options) error {
	version, err := version(ctx, db)
	if err != nil || version == o.Version {
		return err
	}
	if version != 0 {
		return fmt.Errorf("%w: %d, not %d", errVersion, version, o.Version)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to undo after Commit
	// Another process may have been first.
	if err := tx.QueryRowContext(ctx, "pragma user_version").Scan(&version); err != nil || version == o.Version {
		return err
	}
	if _, err := tx.ExecContext(ctx, o.Schema); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "pragma user_version = "+strconv.Itoa(o.Version)); err != nil {
		return err
	}
	return tx.Commit()
}

func version(ctx context.Context, db *sql.DB) (n int, err error) {
	err = db.QueryRowContext(ctx, "pragma user_version").Scan(&n)
	return n, err
}

// Broken reports whether err says that the file is damaged or no database.
func Broken(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	// The low byte is the kind, the rest tells it closer.
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

// setAside moves a database out of the way, to PATH.broken; an earlier one there
// is replaced. What belongs to it beside the file is dropped.
func setAside(path string) error {
	if err := os.Rename(path, path+".broken"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("set database %s aside: %w", path, err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("set database %s aside: %w", path, err)
		}
	}
	return nil
}
