// Package discover finds the session files of other programs in the folders
// where those keep them. It reads the beginning of each and changes none.
package discover

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/codex"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
)

// Places are the folders; an empty one is not looked into.
type Places struct {
	Claude string // a folder a project, with files named after sessions
	Codex  string // folders of years, months and days
}

// In returns the places below a home folder. Each program has a variable that
// puts them elsewhere.
func In(home string, env func(name string) string) Places {
	below := func(variable, usual, name string) string {
		root := env(variable)
		switch {
		case root == "" && home == "":
			return ""
		case root == "":
			root = filepath.Join(home, usual)
		}
		return filepath.Join(root, name)
	}
	return Places{Claude: below("CLAUDE_CONFIG_DIR", ".claude", "projects"), Codex: below("CODEX_HOME", ".codex", "sessions")}
}

// Found is a file of another program.
type Found struct {
	Path      string    `json:"path"`
	Program   string    `json:"program"`
	SessionID string    `json:"session_id"`
	Title     string    `json:"title"`
	Cwd       string    `json:"cwd"`
	UpdatedAt time.Time `json:"updated_at"`
	Size      int64     `json:"size"`
}

// candidate is a file that was not read yet.
type candidate struct {
	path    string
	program string
	read    func(io.Reader) (document.Document, error)
	info    fs.FileInfo
}

// Find returns the files that were changed last, at most limit of them (0 is
// all), and how many there are in all. A folder that is missing holds none.
func Find(ctx context.Context, p Places, limit int) (found []Found, all int, err error) {
	candidates, err := list(ctx, p)
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return b.info.ModTime().Compare(a.info.ModTime()) })
	all = len(candidates)
	if limit > 0 && all > limit {
		candidates = candidates[:limit]
	}
	for _, c := range candidates {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		found = append(found, c.look())
	}
	return found, all, nil
}

func list(ctx context.Context, p Places) ([]candidate, error) {
	var out []candidate
	for _, place := range []struct {
		root string
		deep int // folders above a file
		is   func(name string) bool
		candidate
	}{
		{p.Claude, 1, func(name string) bool { return !strings.HasPrefix(name, "agent-") }, candidate{program: claude.Program, read: claude.Read}},
		{p.Codex, 3, func(name string) bool { return strings.HasPrefix(name, "rollout-") }, candidate{program: codex.Program, read: codex.Read}},
	} {
		if place.root == "" {
			continue
		}
		err := filepath.WalkDir(place.root, func(path string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				if d != nil && d.IsDir() && path != place.root {
					return fs.SkipDir // somebody else's
				}
				return err
			}
			rest, _ := filepath.Rel(place.root, path) // it lies below
			depth := strings.Count(rest, string(filepath.Separator))
			switch {
			case d.IsDir() && path != place.root && depth >= place.deep:
				return fs.SkipDir
			case d.IsDir(), depth != place.deep, filepath.Ext(path) != ".jsonl", !place.is(d.Name()):
				return nil
			}
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
				c := place.candidate
				c.path, c.info = path, info
				out = append(out, c)
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return out, nil
}

// headSize is how much of a file is read, in bytes: what a person said first
// stands there, and where.
const headSize = 512 << 10

// look reads the beginning of a file. One that cannot be read keeps its name.
func (c candidate) look() Found {
	f := Found{Path: c.path, Program: c.program, UpdatedAt: c.info.ModTime().UTC(), Size: c.info.Size()}
	in, err := os.Open(c.path)
	if err != nil {
		return f
	}
	defer in.Close()
	d, err := c.read(io.LimitReader(in, headSize))
	if err != nil {
		return f
	}
	f.SessionID, f.Cwd = d.SessionID, d.Cwd
	f.Title = cmp.Or(d.Title, d.Name())
	return f
}
