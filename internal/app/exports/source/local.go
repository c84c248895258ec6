package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// Local are the sessions of an installation: the journals of a store, and the session
// files beside them, which count where a session has no journal.
type Local struct {
	Store *store.Store
	// Dirs hold session files; they need not exist.
	Dirs []string
	// Name is what people call it.
	Name string
}

// Open is the installation whose state lies in dir: a state folder, a folder that has
// one (as $ML_INTERN_HOME has), or the folder of sessions itself.
func Open(dir string) (*Local, error) {
	for _, below := range []string{"state/sessions", "sessions", "."} {
		root := filepath.Join(dir, filepath.FromSlash(below))
		info, err := os.Stat(root)
		if err != nil || !info.IsDir() {
			continue
		}
		s, err := store.New(store.Options{Root: root})
		if err != nil {
			return nil, err
		}
		l := &Local{Store: s, Dirs: []string{root}, Name: dir}
		ids, err := s.Sessions()
		if err != nil {
			return nil, err
		}
		files, err := l.files()
		if err != nil {
			return nil, err
		}
		saved := slices.ContainsFunc(slices.Collect(maps.Values(files)), func(path string) bool {
			return strings.HasPrefix(filepath.Base(path), "session_")
		})
		if len(ids) > 0 || saved || below == "sessions" {
			return l, nil
		}
	}
	return nil, fmt.Errorf("%s holds no sessions: it must be a state folder, one that has a state folder in it, or a folder of sessions", dir)
}

// String names the installation.
func (l *Local) String() string { return l.Name }

// Sessions yields the sessions of the installation.
func (l *Local) Sessions(ctx context.Context, want Wanted) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		items, err := l.items(ctx, want)
		if err != nil {
			yield(Found{}, err)
			return
		}
		each(ctx, items, byDay(want), yield)
	}
}

// byDay is what is asked of the day of a session: an active one is chosen by its last
// change, whenever it began.
func byDay(want Wanted) Wanted {
	if want.Active {
		want.From = time.Time{}
	}
	return want
}

func (l *Local) items(ctx context.Context, want Wanted) ([]item, error) {
	ids, err := l.Store.Sessions()
	if err != nil {
		return nil, err
	}
	files, err := l.files()
	if err != nil {
		return nil, err
	}
	var items []item
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		path, err := l.Store.JournalPath(id)
		if err != nil {
			return nil, err
		}
		about := files[id]
		delete(files, id)
		info, err := os.Stat(path)
		if err != nil || !fresh(info, want) {
			continue
		}
		day := l.journalDay(ctx, id)
		if byDay(want).days(day) || day == unknownDay {
			items = append(items, item{day: day, id: id, path: path, load: func(ctx context.Context) (*trajectory.Session, error) {
				return l.load(ctx, id, about)
			}})
		}
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil || !fresh(info, want) {
			continue
		}
		if it, ok := ofFile(path, byDay(want)); ok {
			items = append(items, it)
		}
	}
	return items, nil
}

// fresh reports whether a file was written to since the time that is wanted; of what
// was not, nothing can have happened in it.
func fresh(info fs.FileInfo, want Wanted) bool {
	return want.From.IsZero() || !info.ModTime().Before(want.From)
}

// files are the session files, the newest of each session.
func (l *Local) files() (map[string]string, error) {
	newest := map[string]string{}
	changed := map[string]time.Time{}
	for _, dir := range slices.Compact(slices.Sorted(slices.Values(l.Dirs))) {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		for _, entry := range entries {
			path := filepath.Join(dir, entry.Name())
			if filepath.Ext(path) != ".json" {
				continue
			}
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			id := idIn(path)
			if at, known := changed[id]; !known || info.ModTime().After(at) {
				newest[id], changed[id] = path, info.ModTime()
			}
		}
	}
	return newest, nil
}

// journalDay is the day on which the session of a journal began.
func (l *Local) journalDay(ctx context.Context, id string) string {
	events, err := l.Store.Read(ctx, id, 0, 1)
	if err != nil || len(events) == 0 {
		return unknownDay
	}
	state, err := history.Load(events)
	if err != nil {
		return unknownDay
	}
	return dayOf(&trajectory.Session{Start: state.Started})
}

// load reads a journal. Whose session it is and which tools it had tells the file of the
// session, where there is one.
func (l *Local) load(ctx context.Context, id, about string) (*trajectory.Session, error) {
	events, err := l.Store.Read(ctx, id, 0, 0)
	if err != nil {
		return nil, err
	}
	s, err := ofEvents(events)
	if err != nil || about == "" {
		return s, err
	}
	if file, err := File(about); err == nil {
		s.User, s.Tools, s.Model = file.User, file.Tools, cmp.Or(s.Model, file.Model)
	}
	return s, nil
}
