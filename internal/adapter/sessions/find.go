package sessions

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/search"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Hit is a session in which something was found.
type Hit struct {
	Entry
	// Snippet is the text around it, on one line.
	Snippet string `json:"snippet"`
}

// Search is what to look for.
type Search struct {
	// Words must all be found in the title or the messages of a session.
	Words *search.Query
	// Dir is the working directory of the sessions; empty for any.
	Dir string
	// Limit is the most hits; 0 is no limit.
	Limit int
}

// Search returns the sessions that hold all words, the newest first; more says
// that there may be others. At most one session a processor is in memory at a
// time.
func (l *Library) Search(ctx context.Context, s Search) (hits []Hit, more bool, err error) {
	found, err := l.find()
	if err != nil {
		return nil, false, err
	}
	journals := map[string]bool{}
	for _, c := range found {
		journals[c.id] = c.id != ""
	}
	seen := map[string]bool{}
	batch := 8 * runtime.GOMAXPROCS(0)
	for at := 0; at < len(found); at += batch {
		part := found[at:min(len(found), at+batch)]
		results, errs := make([]*Hit, len(part)), make([]error, len(part))
		each(len(part), func(i int) { results[i], errs[i] = l.searchOne(ctx, part[i], s, journals) })
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		for i, hit := range results {
			if errs[i] != nil {
				return nil, false, errs[i]
			}
			if hit == nil || seen[cmp.Or(hit.SessionID, hit.Path)] {
				continue
			}
			if s.Limit > 0 && len(hits) == s.Limit {
				return hits, true, nil
			}
			seen[cmp.Or(hit.SessionID, hit.Path)] = true
			l.held(&hit.Entry)
			hits = append(hits, *hit)
		}
	}
	return hits, false, nil
}

// searchOne looks into one candidate; nil says that it holds no hit.
func (l *Library) searchOne(ctx context.Context, c candidate, s Search, journals map[string]bool) (*Hit, error) {
	if ctx.Err() != nil {
		return nil, nil // the caller asks too
	}
	if c.id == "" && journals[idInName(c.path)] {
		return nil, nil
	}
	if r, ok := l.known().Get(c.path, c.info); ok && (r.None || r.Entry.Problem != "" || s.Dir != "" && !InDir(r.Entry, s.Dir)) {
		return nil, nil
	}
	if ok, err := mayHold(c.path, s.Words); err != nil || !ok {
		return nil, err
	}
	r, d := l.look(ctx, c)
	entry, ok := r.entry()
	if !ok || entry.Problem != "" || s.Dir != "" && !InDir(entry, s.Dir) || !entry.Journal && journals[entry.SessionID] {
		return nil, nil
	}
	snippet, ok := searchDocument(d, s.Words.Begin())
	if !ok {
		return nil, nil
	}
	return &Hit{entry, snippet}, nil
}

// InDir reports whether a session was held in the working directory dir.
func InDir(e Entry, dir string) bool {
	return e.Cwd != "" && (e.Cwd == dir || realPath(e.Cwd) == realPath(dir))
}

// mayHold judges a file by its bytes.
func mayHold(path string, words *search.Query) (bool, error) {
	in, err := os.Open(path)
	if os.IsNotExist(err) { // it was removed a moment ago
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("search session: %w", err)
	}
	defer in.Close()
	ok, err := words.MayBeIn(in)
	if err != nil {
		return false, fmt.Errorf("search session %s: %w", path, err)
	}
	return ok, nil
}

// searchDocument looks through what was said and done, and the title.
func searchDocument(d document.Document, s *search.Search) (snippet string, ok bool) {
	texts := d.Texts()
	for i, m := range d.Messages {
		if m.Role == llm.System {
			continue
		}
		s.Look(texts[i])
		for _, call := range m.ToolCalls {
			s.Look(call.Name + " " + call.Arguments)
		}
	}
	s.Look(d.Title)
	return s.Found()
}

// idInName is the session that a file of ours is named after.
func idInName(path string) string {
	rest, ours := strings.CutPrefix(filepath.Base(path), "session_")
	if !ours {
		return ""
	}
	id, _, _ := strings.Cut(rest, "_")
	return id
}
