// Package artifact keeps track of the repositories a session has made: each
// gets a card that says so, and a place in the session's private collection. It
// does its best and never fails a session: what did not work is tried again
// the next time the repository is touched.
package artifact

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/card"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/collection"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

//go:embed sitecustomize.py
var hook string

// Hook is the text of a sitecustomize.py that tells what a Python program
// pushes: as a line for [Parse] in the file that the variable
// ML_INTERN_ARTIFACTS names, else on standard error.
func Hook() string { return hook }

// FileVariable names the file that the hook writes to.
const FileVariable = "ML_INTERN_ARTIFACTS"

// mark starts a line of the hook.
const mark = "::ml-intern-artifact::"

// Parse reads a line of the hook. The line may come from anybody: what it
// names is checked before anything is done with it.
func Parse(line string) (repo.Ref, bool) {
	text, ok := strings.CutPrefix(strings.TrimSpace(line), mark)
	if !ok {
		return repo.Ref{}, false
	}
	var in struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}
	if json.Unmarshal([]byte(text), &in) != nil {
		return repo.Ref{}, false
	}
	r := repo.Ref{Type: wire.RepoType(in.Type), ID: in.ID}
	if wire.CheckType("type", r.Type) != nil || wire.CheckFullRepoID("id", r.ID) != nil {
		return repo.Ref{}, false
	}
	return r, true
}

// Keyed is a hook for programs whose output others may write to, and what reads
// its lines: those of a hook with another key, or without one, are not believed.
// A text that a job prints must not get a card written.
func Keyed(key string) (text string, parse func(line string) (repo.Ref, bool)) {
	own := "::ml-intern-artifact:" + key + "::"
	return strings.Replace(hook, mark, own, 1), func(line string) (repo.Ref, bool) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), own)
		if !ok {
			return repo.Ref{}, false
		}
		return Parse(mark + rest)
	}
}

// Options of a keeper.
type Options struct {
	Repos       *repo.API
	Commits     *commit.API
	Collections *collection.API
	// Own reports whether a namespace belongs to the user.
	Own func(ctx context.Context, namespace string) bool
	// User is the namespace of the collection.
	User func(ctx context.Context) (string, error)
	// Card says that cards are edited.
	Card bool
	// Session is the session's id, Started when it began.
	Session string
	Started time.Time
	// File keeps what is done between runs of the program; "" keeps nothing.
	File string
	// Debug is told what did not work.
	Debug func(text string)
}

// Keeper keeps the artifacts of one session. It is safe for concurrent use.
type Keeper struct {
	opts Options

	mu     sync.Mutex
	state  state
	loaded bool
}

// state is what is kept in File.
type state struct {
	Slug string          `json:"slug,omitempty"`
	Done map[string]bool `json:"done"` // known repositories: true when card and collection are right
}

// New returns a keeper.
func New(o Options) *Keeper {
	if o.Debug == nil {
		o.Debug = func(string) {}
	}
	return &Keeper{opts: o}
}

// sandboxSpace is the name of a machine, which is no artifact.
var sandboxSpace = regexp.MustCompile(`^sandbox-[a-f0-9]{8}$`)

// Made registers a repository that the session has made or pushed to.
func (k *Keeper) Made(ctx context.Context, r repo.Ref) { k.register(ctx, r, true, false) }

// Changed registers an upload: only repositories known from this session
// count. card says that the card itself was written.
func (k *Keeper) Changed(ctx context.Context, r repo.Ref, card bool) { k.register(ctx, r, false, card) }

func (k *Keeper) register(ctx context.Context, r repo.Ref, made, again bool) {
	namespace, name, _ := strings.Cut(r.ID, "/")
	if sandboxSpace.MatchString(name) || wire.CheckType("type", r.Type) != nil || !k.opts.Own(ctx, namespace) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.load()
	done, known := k.state.Done[r.String()]
	if !made && !known || done && !again {
		return
	}
	k.state.Done[r.String()] = false
	err := errors.Join(k.writeCard(ctx, r), k.collect(ctx, r))
	k.state.Done[r.String()] = err == nil
	if err != nil {
		k.opts.Debug(fmt.Sprintf("artifact %s: %v", r, err))
	}
	k.store()
}

// writeCard makes one commit of the card, or none when it is right.
func (k *Keeper) writeCard(ctx context.Context, r repo.Ref) error {
	if !k.opts.Card {
		return nil
	}
	head, err := k.opts.Repos.Head(ctx, r, "")
	if err != nil {
		return err
	}
	text, err := k.opts.Repos.Raw(ctx, r, head, "README.md")
	if err != nil && !errors.Is(err, wire.EntryNotFound) {
		return err
	}
	spec := card.Spec{Kind: card.Kind(r.Type), ID: r.ID}
	if r.Type == wire.Space {
		if info, err := k.opts.Repos.Info(ctx, r, repo.InfoOptions{}); err == nil && info.SDK != "" {
			spec.Defaults = map[string]string{"sdk": info.SDK}
		}
	}
	edited, err := card.Edit(text, spec)
	if err != nil || edited == text {
		return err
	}
	_, err = k.opts.Commits.Commit(ctx, commit.Request{
		Target:     commit.Target{Type: r.Type, Repo: r.ID},
		Operations: []commit.Operation{commit.Add{Path: "README.md", Data: []byte(edited)}},
		Summary:    "Update ML Intern artifact metadata", Parent: head,
	})
	return err
}

// collect puts the repository into the session's collection.
func (k *Keeper) collect(ctx context.Context, r repo.Ref) error {
	if k.state.Slug == "" {
		user, err := k.opts.User(ctx)
		if err != nil {
			return err
		}
		c, _, err := k.opts.Collections.Create(ctx, collection.Draft{
			Namespace: user, Title: Title(k.opts.Session, k.opts.Started), Private: true,
			Description: "Models, datasets and Spaces made in one session of ml-intern.",
		})
		if err != nil {
			return err
		}
		k.state.Slug = c.Slug
	}
	_, err := k.opts.Collections.Add(ctx, k.state.Slug, collection.Thing{Type: string(r.Type), ID: r.ID}, "", true)
	return err
}

// titleLimit is the most characters of a collection's title.
const titleLimit = 59

var notInTitles = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Title is the title of a session's collection.
func Title(session string, started time.Time) string {
	fragment := notInTitles.ReplaceAllString(session, "-")
	if id, err := uuid.Parse(session); err == nil {
		fragment = id.String()[:8]
	}
	title := fmt.Sprintf("ml-intern-artifacts-%s-%s", started.UTC().Format(time.DateOnly), fragment)
	return title[:min(len(title), titleLimit)]
}

// load reads the file once; one that cannot be read is as good as none.
func (k *Keeper) load() {
	if k.loaded {
		return
	}
	k.loaded = true
	if k.opts.File != "" {
		if data, err := os.ReadFile(k.opts.File); err == nil {
			_ = json.Unmarshal(data, &k.state)
		}
	}
	if k.state.Done == nil {
		k.state.Done = map[string]bool{}
	}
}

func (k *Keeper) store() {
	if k.opts.File == "" {
		return
	}
	data, err := json.Marshal(k.state)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(k.opts.File), 0o700)
	}
	if err == nil {
		err = os.WriteFile(k.opts.File, data, 0o600)
	}
	if err != nil {
		k.opts.Debug(fmt.Sprintf("keep the list of artifacts: %v", err))
	}
}
