package source

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// Folder is a folder of session files in any of the forms that File reads, at any depth.
// Files in a folder that is named after a day, as in 2026-01-31, belong to that day, all
// others to the day on which their session began.
type Folder struct {
	Dir string
	// Name is what people call it; empty is Dir.
	Name string
}

// String names the folder.
func (f Folder) String() string { return cmp.Or(f.Name, f.Dir) }

// item is a session that may be wanted.
type item struct {
	day, id string
	path    string
	changed time.Time
	load    func(ctx context.Context) (*trajectory.Session, error)
}

// Sessions yields the sessions in the folder.
func (f Folder) Sessions(ctx context.Context, want Wanted) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		items, err := f.items(ctx, want)
		if err != nil {
			yield(Found{}, err)
			return
		}
		each(ctx, items, want, yield)
	}
}

// items lists the files that may be wanted.
func (f Folder) items(ctx context.Context, want Wanted) ([]item, error) {
	var items []item
	err := filepath.WalkDir(f.Dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && path != f.Dir && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case filepath.Ext(path) != ".json" && filepath.Ext(path) != ".jsonl":
			return nil
		}
		if it, ok := ofFile(path, want); ok {
			items = append(items, it)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the sessions of %s: %w", f, err)
	}
	return items, nil
}

// ofFile is the item of a file; ok is false for one that is not wanted.
func ofFile(path string, want Wanted) (it item, ok bool) {
	info, err := os.Stat(path) // a cache has links
	if err != nil || !info.Mode().IsRegular() {
		return item{}, false
	}
	it = item{day: filepath.Base(filepath.Dir(path)), id: idIn(path), path: path, changed: info.ModTime()}
	it.load = func(context.Context) (*trajectory.Session, error) { return File(path) }
	if _, err := time.Parse(time.DateOnly, it.day); err != nil {
		at := trajectory.Time(began(path))
		if it.day = unknownDay; !at.IsZero() {
			it.day = at.Format(time.DateOnly)
		}
	}
	return it, want.days(it.day) || it.day == unknownDay
}

// idIn is the session that a file is named after: session_<id>_<time>.json, <id>.jsonl,
// or any other name.
func idIn(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if name == "journal" {
		return filepath.Base(filepath.Dir(path))
	}
	rest, ours := strings.CutPrefix(name, "session_")
	if !ours {
		return name
	}
	id, _, _ := strings.Cut(rest, "_")
	return id
}

// each yields the sessions of items in their order. Of several files of one session the
// newest counts.
func each(ctx context.Context, items []item, want Wanted, yield func(Found, error) bool) {
	slices.SortStableFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(b.day, a.day), cmp.Compare(a.id, b.id), b.changed.Compare(a.changed), cmp.Compare(b.path, a.path))
	})
	seen := map[string]bool{}
	for _, it := range items {
		if err := ctx.Err(); err != nil {
			yield(Found{}, err)
			return
		}
		s, err := it.load(ctx)
		if err != nil {
			if ctx.Err() != nil {
				continue // the next round ends it
			}
			if !yield(Found{}, &BadError{cmp.Or(it.path, it.id), err}) {
				return
			}
			continue
		}
		if it.day == unknownDay {
			it.day = dayOf(s)
		}
		if s.ID != "" && seen[s.ID] || !want.days(it.day) {
			continue
		}
		seen[s.ID] = true
		if it.day == unknownDay {
			it.day = "unknown"
		}
		if !yield(Found{s, it.day}, nil) {
			return
		}
	}
}
