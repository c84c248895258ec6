// Package traceset is the user's own data set of session traces on the Hub: whether
// it is there and who can see it, what is in it, and the publishing of a single
// session. It acts only where it is told to; who may be asked what is not its
// business.
package traceset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Name is the data set that a template means for a user. The only placeholder
// is {hf_user}.
func Name(template, user string) (string, error) {
	name := strings.ReplaceAll(strings.TrimSpace(template), "{hf_user}", user)
	if strings.ContainsAny(name, "{}") {
		return "", fmt.Errorf("the template %q has a placeholder other than {hf_user}", template)
	}
	if err := wire.CheckFullRepoID("personal_trace_repo_template", name); err != nil {
		return "", err
	}
	return name, nil
}

// Set is one data set.
type Set struct {
	Hub  *hub.Client
	Repo string // namespace/name
	// Scrub knows what must not be in it.
	Scrub *redact.Scrubber
}

func (s *Set) ref() repo.Ref { return repo.Ref{Type: wire.Dataset, ID: s.Repo} }

// URL is its page.
func (s *Set) URL() string { return s.Hub.Endpoint() + "/datasets/" + s.Repo }

// State is whether it is there and who sees it.
type State struct{ Exists, Private bool }

// Visibility is the word for who sees it.
func (s State) Visibility() string {
	if s.Private {
		return "private"
	}
	return "public"
}

// State asks the Hub.
func (s *Set) State(ctx context.Context) (State, error) {
	info, err := s.Hub.Repos.Info(ctx, s.ref(), repo.InfoOptions{})
	switch {
	case errors.Is(err, wire.RepoNotFound):
		return State{}, nil
	case err != nil:
		return State{}, err
	}
	return State{Exists: true, Private: info.Private}, nil
}

// Show makes it public or private, and makes it where it is not there.
func (s *Set) Show(ctx context.Context, public bool) error {
	visibility := "private"
	if public {
		visibility = "public"
	}
	if _, err := s.Hub.Repos.Ensure(ctx, repo.CreateSpec{Ref: s.ref(), Visibility: visibility}); err != nil {
		return err
	}
	_, err := s.Hub.Repos.Configure(ctx, s.ref(), repo.Settings{Visibility: visibility})
	return err
}

// sessions is the folder with a file a session.
const sessions = "sessions"

// Files yields the sessions in it, the newest day first.
func (s *Set) Files(ctx context.Context) ([]repo.Entry, error) {
	var out []repo.Entry
	for e, err := range s.Hub.Repos.Tree(ctx, s.ref(), "main", repo.TreeOptions{Path: sessions, Recursive: true}) {
		if errors.Is(err, wire.EntryNotFound) || errors.Is(err, wire.RepoNotFound) || errors.Is(err, wire.RevisionNotFound) {
			return nil, nil // nothing is in it yet
		}
		if err != nil {
			return nil, err
		}
		if !e.Dir() && path.Ext(e.Path) == ".jsonl" {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b repo.Entry) int { return cmp.Compare(b.Path, a.Path) })
	return out, nil
}

// Hits are secrets in a text, by kind: those that were removed, by their marks,
// and those that would be removed now.
type Hits struct {
	Removed, Left map[string]int
}

func newHits() Hits { return Hits{Removed: map[string]int{}, Left: map[string]int{}} }

func (h Hits) add(other Hits) {
	for kind, n := range other.Removed {
		h.Removed[kind] += n
	}
	for kind, n := range other.Left {
		h.Left[kind] += n
	}
}

// marks are what stands in the place of a secret.
var marks = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\[REDACTED(?:_([A-Z0-9_]+))?\]`) })

// Examine counts the hits of a text.
func (s *Set) Examine(text []byte) Hits {
	h := newHits()
	for _, m := range marks().FindAllSubmatch(text, -1) {
		h.Removed[cmp.Or(strings.ReplaceAll(strings.ToLower(string(m[1])), "_", " "), "other secret")]++
	}
	for line := range bytes.Lines(text) {
		_, found, err := s.Scrub.ReportJSON(line)
		if err != nil {
			_, found = s.Scrub.Report(string(line))
		}
		for kind, n := range found {
			h.Left[strings.ReplaceAll(kind, "_", " ")] += n
		}
	}
	return h
}

// Top names the most frequent kinds, the first few of them.
func Top(kinds map[string]int) string {
	const most = 5
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(kinds[b], kinds[a]), cmp.Compare(a, b))
	})
	var out []string
	for i, name := range names {
		if i == most {
			out = append(out, fmt.Sprintf("%d more kinds", len(names)-most))
			break
		}
		out = append(out, fmt.Sprintf("%s %d×", name, kinds[name]))
	}
	return strings.Join(out, ", ")
}

// Contents is what a data set holds.
type Contents struct {
	Sessions int
	Bytes    int64
	Hits     Hits
	// Examined is how many sessions were read for the hits.
	Examined int
}

// How much is read of a data set for a look at its secrets.
const (
	mostExamined = 100
	mostBytes    = 32 << 20
)

// Contents looks at what is in it, at the newest sessions for secrets.
func (s *Set) Contents(ctx context.Context) (Contents, error) {
	files, err := s.Files(ctx)
	c := Contents{Sessions: len(files), Hits: newHits()}
	if err != nil {
		return c, err
	}
	left := int64(mostBytes)
	for _, f := range files {
		c.Bytes += f.Size
		if f.Size == 0 || c.Examined == mostExamined || f.Size > left {
			continue
		}
		part, err := s.Hub.Repos.ReadRange(ctx, s.ref(), "main", f.Path, 0, f.Size)
		if err != nil {
			return c, err
		}
		c.Examined++
		left -= f.Size
		c.Hits.add(s.Examine(part.Data))
	}
	return c, nil
}

// Session is one file of a data set.
type Session struct {
	Day     string // 2026-01-31
	ID      string
	Content []byte
}

// Put writes one session in one commit. The card is written with it where there
// is none, or one of ours that nobody has changed; "" writes none. With create a
// data set that is not there is made, private; who sees one that is there stays
// as it is.
func (s *Set) Put(ctx context.Context, f Session, card string, create bool) (commit.Result, error) {
	out, err := s.put(ctx, f, card)
	if !create || !errors.Is(err, wire.RepoNotFound) {
		return out, err
	}
	_, err = s.Hub.Repos.Ensure(ctx, repo.CreateSpec{Ref: s.ref(), Visibility: "private"})
	if errors.Is(err, wire.RepoNotFound) { // it was made a moment ago
		return out, &wire.Error{Kind: wire.Server, Op: "create " + s.Repo, Message: "it cannot be seen yet", Retryable: true, Err: err}
	}
	if err != nil {
		return out, err
	}
	return s.put(ctx, f, card)
}

func (s *Set) put(ctx context.Context, f Session, card string) (commit.Result, error) {
	ops := []commit.Operation{commit.Add{Path: path.Join(sessions, f.Day, f.ID+".jsonl"), Data: f.Content}}
	if card != "" {
		due, err := s.cardDue(ctx, card)
		if err != nil {
			return commit.Result{}, err
		}
		if due {
			ops = append(ops, commit.Add{Path: cardPath, Data: []byte(card)})
		}
	}
	return s.Hub.Commits.Commit(ctx, commit.Request{
		Target: commit.Target{Type: wire.Dataset, Repo: s.Repo}, Operations: ops, Summary: "Add session " + f.ID,
	})
}

// Public is the set beside this one in which single sessions are published.
func (s *Set) Public() *Set {
	return &Set{Hub: s.Hub, Repo: s.Repo + "-public", Scrub: s.Scrub}
}

// LeastID is how much of an id names a session, in characters.
const LeastID = 4

// Find lists the files of sessions whose id begins so.
func (s *Set) Find(ctx context.Context, id string) ([]string, error) {
	files, err := s.Files(ctx)
	var out []string
	for _, f := range files {
		if strings.HasPrefix(path.Base(f.Path), id) {
			out = append(out, f.Path)
		}
	}
	return out, err
}

// Remove takes a session's file out of it. What was public may have been copied,
// and the history keeps it.
func (s *Set) Remove(ctx context.Context, file string) error {
	_, err := s.Hub.Commits.Commit(ctx, commit.Request{
		Target: commit.Target{Type: wire.Dataset, Repo: s.Repo}, Operations: []commit.Operation{commit.Delete{Path: file}},
		Summary: "Remove session " + strings.TrimSuffix(path.Base(file), ".jsonl"),
	})
	return err
}
