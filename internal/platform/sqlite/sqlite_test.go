package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/sqlite"
)

const schema = `create table word (text text not null) strict; create virtual table search using fts5(text, tokenize='porter unicode61');`

func open(t *testing.T, o sqlite.Options) *sql.DB {
	t.Helper()
	if o.Schema == "" {
		o.Schema, o.Version = schema, 1
	}
	db, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func count(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRow("select count(*) from word").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func add(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := db.Exec("insert into word values ('a')"); err != nil {
		t.Error(err)
	}
}

func TestOpenMakesFolderAndTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?#%", "x.db")
	add(t, open(t, sqlite.Options{Path: path}))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want a file for its owner alone", info, err)
	}
	if n := count(t, open(t, sqlite.Options{Path: path})); n != 1 {
		t.Errorf("%d words, want the one written", n)
	}
}

func TestInMemory(t *testing.T) {
	db := open(t, sqlite.Options{})
	add(t, db)
	if n := count(t, db); n != 1 {
		t.Errorf("%d words", n)
	}
}

func TestManyOpenAndWriteAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Schema: schema, Version: 1})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			for range 20 {
				add(t, db)
			}
		})
	}
	wg.Wait()
	if n := count(t, open(t, sqlite.Options{Path: path})); n != 80 {
		t.Errorf("%d words, want 80", n)
	}
}

func TestBrokenFilesAreSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("certainly no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Schema: schema, Version: 1})
	if !sqlite.Broken(err) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that says the file is broken", err)
	}
	add(t, open(t, sqlite.Options{Path: path, Schema: schema, Version: 1, Disposable: true}))
	if data, err := os.ReadFile(path + ".broken"); err != nil || !strings.HasPrefix(string(data), "certainly") {
		t.Errorf("the broken file is gone: %v", err)
	}
}

func TestOtherVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	first := open(t, sqlite.Options{Path: path, Schema: schema, Version: 1})
	add(t, first)
	next := sqlite.Options{Path: path, Schema: schema, Version: 2}
	if _, err := sqlite.Open(t.Context(), next); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("error %v", err)
	}
	next.Disposable = true
	if n := count(t, open(t, next)); n != 0 {
		t.Errorf("%d words, want a new file", n)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Path: "x"}); err == nil {
		t.Error("no schema was fine")
	}
}

func TestReplaceWhatBrokeWhileItWasOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	o := sqlite.Options{Path: path, Schema: schema, Version: 1, Disposable: true}
	add(t, open(t, o))
	opened, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Replace(t.Context(), o, opened)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n := count(t, db); n != 0 {
		t.Errorf("%d words, want a new file", n)
	}
	add(t, db)
	// Whoever comes second keeps what the first has made.
	second, err := sqlite.Replace(t.Context(), o, opened)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if n := count(t, second); n != 1 {
		t.Errorf("%d words, want the file of the first", n)
	}
}
