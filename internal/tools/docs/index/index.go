// Package index is the full-text index of documentation pages: a database file
// that is made on first use, shared by processes, and made anew when it breaks.
// It knows no service; what is in it was handed to it.
package index

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/sqlite"
)

// Bounds of what is held.
const (
	maxText  = 1 << 20   // bytes of one page; the rest is not searched
	maxBytes = 256 << 20 // of the file, where the options do not say
	// busy is how long a write waits for another process: less than a call may
	// take to end. What is not written now is so another time.
	busy = 800 * time.Millisecond
)

// Options say where the index is.
type Options struct {
	// Path is the database file; empty keeps the index in memory. A file that
	// cannot be used is replaced by memory, too: the index only helps.
	Path string
	// MaxBytes bounds the file: beyond it, the sets that were fetched longest ago
	// go. 0 is 256 MiB.
	MaxBytes int64
}

// Page is a page of a documentation set.
type Page struct {
	// Slug is the set and Path the page below it, without version and
	// language; both together are the page's identity.
	Slug, Path string
	// Version is the release that the page describes, "" for the current one.
	Version string
	// URL is the page's public address, without an ending such as .md.
	URL, Title string
	// Text is Markdown.
	Text   string
	Origin Origin
}

// Origin is the answer that something came from.
type Origin struct {
	URL, SHA256 string
	FetchedAt   time.Time
}

// Index is the full-text index. It is safe for concurrent use.
type Index struct {
	opts     sqlite.Options
	maxBytes int64

	mu     sync.Mutex
	db     *sql.DB
	file   os.FileInfo // what the file was when it was opened; nil in memory
	closed bool
}

// version numbers the tables below.
const version = 1

// A page's text stands in page; search holds only the words. Its column place
// is the set as one word, so that sets can be told apart in a query.
const schema = `
create table page (
	id integer primary key,
	slug text not null,
	path text not null,
	version text not null,
	url text not null,
	title text not null,
	text text not null,
	source text not null,
	sha256 text not null,
	fetched_at integer not null,
	unique (slug, path)
) strict;
create table whole (
	slug text primary key,
	pages integer not null,
	source text not null,
	sha256 text not null,
	fetched_at integer not null
) strict, without rowid;
create virtual table search using fts5 (
	place, title, headings, path, names, body,
	content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);`

// New returns an index that opens its file when it is first needed.
func New(o Options) *Index {
	return &Index{
		maxBytes: cmp.Or(o.MaxBytes, maxBytes),
		opts:     sqlite.Options{Path: o.Path, Schema: schema, Version: version, Disposable: true, Busy: busy},
	}
}

// errClosed is an index that has been closed.
var errClosed = errors.New("the documentation index is closed")

// use does something with the database. A file that turns out to be broken is
// replaced, and it is done again.
func (x *Index) use(ctx context.Context, f func(db *sql.DB) error) error {
	db, err := x.open(ctx)
	if err != nil {
		return err
	}
	if err = f(db); !sqlite.Broken(err) {
		return err
	}
	if db, err = x.replace(ctx, db); err != nil {
		return err
	}
	return f(db)
}

func (x *Index) open(ctx context.Context) (*sql.DB, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, errClosed
	}
	if x.db != nil {
		return x.db, nil
	}
	db, err := sqlite.Open(ctx, x.opts)
	if err != nil && ctx.Err() == nil && x.opts.Path != "" {
		x.opts.Path = ""
		db, err = sqlite.Open(ctx, x.opts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the documentation index: %w", err)
	}
	x.keep(db)
	return db, nil
}

func (x *Index) keep(db *sql.DB) {
	x.db, x.file = db, nil
	if x.opts.Path != "" {
		x.file, _ = os.Stat(x.opts.Path) // gone again: whatever breaks is replaced
	}
}

// replace makes the index anew after broken turned out to be so.
func (x *Index) replace(ctx context.Context, broken *sql.DB) (*sql.DB, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, errClosed
	}
	if x.db != broken {
		return x.db, nil // another call was first
	}
	_ = broken.Close() // nothing in it is worth a thing
	x.db = nil
	var db *sql.DB
	var err error
	if x.opts.Path == "" {
		db, err = sqlite.Open(ctx, x.opts)
	} else {
		db, err = sqlite.Replace(ctx, x.opts, x.file)
	}
	if err != nil {
		return nil, fmt.Errorf("make the documentation index anew: %w", err)
	}
	x.keep(db)
	return db, nil
}

// Close closes the file.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	if x.db == nil {
		return nil
	}
	err := x.db.Close()
	x.db = nil
	return err
}
