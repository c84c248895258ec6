package index

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

// Put adds pages or replaces them. A page of an older release than the one
// held is left out: the index answers for what is current.
func (x *Index) Put(ctx context.Context, pages ...Page) error {
	if len(pages) == 0 {
		return nil
	}
	err := x.write(ctx, func(w *writer) error {
		for _, p := range pages {
			if err := w.put(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put %d pages into the documentation index: %w", len(pages), err)
	}
	return nil
}

// PutWhole replaces all pages of a set by those of origin. Pages that were
// fetched later stay.
func (x *Index) PutWhole(ctx context.Context, slug string, origin Origin, pages []Page) error {
	err := x.write(ctx, func(w *writer) error {
		at := origin.FetchedAt.Unix()
		rows, err := w.tx.QueryContext(ctx, "select id from page where slug = ? and fetched_at <= ?", slug, at)
		if err != nil {
			return err
		}
		old, err := scan(rows, func(id *int64) []any { return []any{id} })
		if err != nil {
			return err
		}
		for _, id := range old {
			if err := w.drop(id); err != nil {
				return err
			}
		}
		for _, p := range pages {
			p.Slug, p.Origin = slug, origin
			if err := w.put(p); err != nil {
				return err
			}
		}
		_, err = w.tx.ExecContext(ctx, "insert or replace into whole values (?,?,?,?,?)", slug, len(pages), origin.URL, origin.SHA256, at)
		return err
	})
	if err != nil {
		return fmt.Errorf("put the set %s into the documentation index: %w", slug, err)
	}
	return nil
}

// Whole reports when all pages of a set were put, and how many there were.
func (x *Index) Whole(ctx context.Context, slug string) (at time.Time, pages int, ok bool, err error) {
	var seconds int64
	err = x.use(ctx, func(db *sql.DB) error {
		return db.QueryRowContext(ctx, "select fetched_at, pages from whole where slug = ?", slug).Scan(&seconds, &pages)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, 0, false, nil
	}
	if err != nil {
		return time.Time{}, 0, false, fmt.Errorf("look up set %s in the documentation index: %w", slug, err)
	}
	return time.Unix(seconds, 0), pages, true, nil
}

// writer is a transaction with what it does over and over.
type writer struct {
	ctx context.Context
	tx  *sql.Tx

	held, addPage, addWords, dropPage, dropWords *sql.Stmt
}

func (x *Index) write(ctx context.Context, f func(w *writer) error) error {
	return x.use(ctx, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // nothing to undo after Commit
		w := &writer{ctx: ctx, tx: tx}
		for _, s := range []struct {
			to  **sql.Stmt
			sql string
		}{
			{&w.held, "select id, version, text = ? from page where slug = ? and path = ?"},
			{&w.addPage, "insert into page (slug, path, version, url, title, text, source, sha256, fetched_at) values (?,?,?,?,?,?,?,?,?)"},
			{&w.addWords, "insert into search (rowid, place, title, headings, path, names, body) values (?,?,?,?,?,?,?)"},
			{&w.dropPage, "delete from page where id = ?"},
			{&w.dropWords, "delete from search where rowid = ?"},
		} {
			if *s.to, err = tx.PrepareContext(ctx, s.sql); err != nil {
				return err
			}
		}
		if err := f(w); err != nil {
			return err
		}
		if err := w.prune(x.maxBytes); err != nil {
			return err
		}
		return tx.Commit()
	})
}

func (w *writer) put(p Page) error {
	p.Text, p.Title = clean(p.Text, maxText), clean(p.Title, 300)
	var id int64
	var held string
	var same bool
	switch err := w.held.QueryRowContext(w.ctx, p.Text, p.Slug, p.Path).Scan(&id, &held, &same); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	case Older(p.Version, held):
		return nil
	case same:
		_, err := w.tx.ExecContext(w.ctx, "update page set version = ?, url = ?, source = ?, sha256 = ?, fetched_at = ? where id = ?",
			p.Version, p.URL, p.Origin.URL, p.Origin.SHA256, p.Origin.FetchedAt.Unix(), id)
		return err
	default:
		if err := w.drop(id); err != nil {
			return err
		}
	}
	added, err := w.addPage.ExecContext(w.ctx, p.Slug, p.Path, p.Version, p.URL, p.Title, p.Text, p.Origin.URL, p.Origin.SHA256, p.Origin.FetchedAt.Unix())
	if err != nil {
		return err
	}
	if id, err = added.LastInsertId(); err != nil {
		return err
	}
	headings, names := outline(p.Text)
	_, err = w.addWords.ExecContext(w.ctx, id, place(p.Slug), p.Title, headings, p.Path, names, p.Text)
	return err
}

func (w *writer) drop(id int64) error {
	if _, err := w.dropWords.ExecContext(w.ctx, id); err != nil {
		return err
	}
	_, err := w.dropPage.ExecContext(w.ctx, id)
	return err
}

// prune drops the sets that were fetched longest ago while the file is too
// large. What is written in this transaction is the newest.
func (w *writer) prune(most int64) error {
	for range 100 {
		var bytes int64
		err := w.tx.QueryRowContext(w.ctx, "select (page_count - freelist_count) * page_size from pragma_page_count, pragma_freelist_count, pragma_page_size").Scan(&bytes)
		if err != nil || bytes <= most {
			return err
		}
		var slug string
		if err := w.tx.QueryRowContext(w.ctx, "select slug from page group by slug order by max(fetched_at) limit 1").Scan(&slug); err != nil {
			return err
		}
		for _, statement := range []string{
			"delete from search where rowid in (select id from page where slug = ?)",
			"delete from page where slug = ?", "delete from whole where slug = ?",
		} {
			if _, err := w.tx.ExecContext(w.ctx, statement, slug); err != nil {
				return err
			}
		}
	}
	return nil
}

// Older reports whether release a came before b. "" and main are the newest
// there is.
func Older(a, b string) bool {
	x, xok := release(a)
	y, yok := release(b)
	if !xok || !yok {
		return xok && !yok
	}
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}

// release reads the numbers of a version such as v1.12.0.
func release(version string) (numbers [4]int, ok bool) {
	rest, ok := strings.CutPrefix(version, "v")
	if !ok {
		return numbers, false
	}
	for i, part := range strings.SplitN(rest, ".", len(numbers)) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return numbers, i > 0
		}
		numbers[i] = n
	}
	return numbers, true
}

// clean bounds a text and makes it valid for the database.
func clean(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "")
	}
	return strings.ReplaceAll(text, "\x00", "")
}

// place is a set as one word that nothing cuts or stems.
func place(slug string) string {
	sum := sha256.Sum256([]byte(slug))
	return "x" + hex.EncodeToString(sum[:8]) + "x"
}

// maxNames bounds the names in code that are looked up by their parts, a page.
const maxNames = 400

// outline are a page's headings, and the parts of the names in camel case that
// occur in it, each once: the text itself has them as one word.
func outline(text string) (headings, names string) {
	var h, n strings.Builder
	fenced := false
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced && strings.HasPrefix(line, "#") {
			h.WriteString(strings.TrimLeft(line, "#"))
		}
		for _, word := range rank.Split(line) {
			if len(seen) >= maxNames || len(word) < 4 || len(word) > 60 || seen[word] || strings.ToLower(word[1:]) == word[1:] {
				continue
			}
			if parts := rank.Parts(word); len(parts) > 1 {
				seen[word] = true
				n.WriteString(strings.Join(parts, " ") + "\n")
			}
		}
	}
	return h.String(), n.String()
}

// scan reads all rows; into gives the places for a row's values.
func scan[T any](rows *sql.Rows, into func(*T) []any) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := rows.Scan(into(&v)...); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
