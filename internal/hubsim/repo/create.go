package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/history"
)

// KeyValue is a secret or a variable of a Space.
type KeyValue struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
}

// CreateSpec is a repository to make.
type CreateSpec struct {
	Type       Type
	ID         string // ns/name
	Visibility string // default public
	Gated      string
	License    string // makes a README
	Region     string
	// Of a Space; OnCreate gets them.
	SDK              string
	Hardware         string
	SleepTimeSeconds *int64
	Secrets          []KeyValue
	Variables        []KeyValue
	Volumes          json.RawMessage
	Template         string
	ShortDescription string
	DevMode          bool
	// From is the repository a duplicate is made of.
	From *Repo
	// Files come with the first commit.
	Files []Change
	// Trusted asks for no permission and no plan: seeds are made so.
	Trusted bool
	// Author is whose commit it is; default the caller, else the namespace.
	Author string
}

// zeroFlavor is shared hardware a free account may use, for freeZero Spaces.
const (
	zeroFlavor = "zero-a10g"
	freeZero   = 2
)

// Create makes a repository with its first commit.
func (s *Store) Create(ctx context.Context, spec CreateSpec) (*Repo, error) {
	ns, name, ok := strings.Cut(spec.ID, "/")
	if err := CheckName(name); !ok || err != nil {
		return nil, answer.Refuse(http.StatusBadRequest, fmt.Sprintf("Invalid repo name: %q", spec.ID))
	}
	caller := account.From(ctx)
	if !spec.Trusted {
		if err := s.MayCreate(caller, spec.Type, ns); err != nil {
			return nil, err
		}
	}
	if owner, ok := s.o.Accounts.Find(ns); ok {
		ns = owner.Name
		spec.ID = ns + "/" + name
	}
	if spec.Author == "" {
		spec.Author = ns
		if caller != nil {
			spec.Author = caller.Name()
		}
	}
	if spec.Visibility == "" {
		spec.Visibility = Public
	}
	r, err := s.claim(spec, ns)
	if err != nil {
		return nil, err
	}
	if err := s.furnish(ctx, r, spec); err != nil {
		s.drop(r)
		return nil, err
	}
	return r, nil
}

// claim takes the id for a new repository.
func (s *Store) claim(spec CreateSpec, ns string) (*Repo, error) {
	now, hex := s.o.Clock.Stamp(), s.o.Clock.ID()
	r := &Repo{
		store: s, typ: spec.Type, hex: hex, id: spec.ID, creator: spec.Author,
		createdAt: now, grants: map[string]Grant{}, History: s.history(hex, history.State{Modified: now}),
		settings: Settings{
			Visibility: spec.Visibility, Gated: spec.Gated, Region: spec.Region, SDK: spec.SDK,
			Hardware: spec.Hardware, ShortDescription: spec.ShortDescription,
		},
	}
	if spec.From != nil && s.o.HideNew != nil {
		r.visibleAt = now.Add(s.o.HideNew())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.repos[key(spec.Type, spec.ID)]; taken {
		return nil, errTaken
	}
	if spec.Type == Space && !spec.Trusted {
		if err := s.planAllows(spec, ns); err != nil {
			return nil, err
		}
	}
	s.repos[key(spec.Type, spec.ID)] = r
	delete(s.aliases, key(spec.Type, spec.ID))
	return r, nil
}

// errTaken says that the id is in use; routes add the address.
var errTaken = errors.New("the repository exists already")

// Taken reports whether Create or Move failed because the id is in use.
func Taken(err error) bool { return errors.Is(err, errTaken) }

// planAllows says why the owner's plan allows no such Space. The caller holds
// the lock.
func (s *Store) planAllows(spec CreateSpec, ns string) error {
	owner, ok := s.o.Accounts.Find(ns)
	if !ok || owner.Paying() || spec.SDK == "static" {
		return nil
	}
	zero := 0
	for _, r := range s.repos {
		if r.typ == Space && strings.EqualFold(r.Namespace(), ns) && r.Settings().Hardware == zeroFlavor {
			zero++
		}
	}
	if spec.SDK == "gradio" && spec.Hardware == zeroFlavor && zero < freeZero {
		return nil
	}
	return answer.Refuse(http.StatusPaymentRequired,
		fmt.Sprintf("Creating a %s Space requires a PRO subscription or a Team or Enterprise organization. Static Spaces are free.", spec.SDK))
}

// furnish makes the first commit and tells the other areas.
func (s *Store) furnish(ctx context.Context, r *Repo, spec CreateSpec) error {
	changes := []Change{{Path: history.AttributesFile, Content: []byte(history.Attributes(r.typ == Dataset))}}
	if readme := firstReadme(spec); readme != "" {
		changes = append(changes, Change{Path: "README.md", Content: []byte(readme)})
	}
	changes = append(changes, spec.Files...)
	title := "initial commit"
	if spec.From != nil {
		title = "Duplicate from " + spec.From.ID()
	}
	c, err := r.Begin(CommitSpec{Title: title, Author: spec.Author, Changes: changes})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.ready = true
	r.mu.Unlock()
	called := s.called()
	for _, f := range called.create {
		if err := f(r, spec); err != nil {
			return err
		}
	}
	for _, f := range called.commit {
		f(r, git.Main, c.OID)
	}
	return nil
}

// Delete removes a repository the caller of ctx may remove.
func (s *Store) Delete(ctx context.Context, t Type, id string) error {
	r, err := s.Admin(ctx, t, id)
	if err != nil {
		return err
	}
	s.drop(r)
	for _, f := range s.called().remove {
		f(r)
	}
	return nil
}

func (s *Store) drop(r *Repo) {
	s.mu.Lock()
	for _, names := range []map[string]*Repo{s.repos, s.aliases} {
		for k, other := range names {
			if other == r {
				delete(names, k)
			}
		}
	}
	s.mu.Unlock()
	if dir := s.gitDir(r.hex); dir != "" {
		_ = os.RemoveAll(dir) // what stays behind is never read again
	}
}

// Move gives a repository another id. The old one redirects from then on.
func (s *Store) Move(ctx context.Context, t Type, from, to string) (*Repo, error) {
	r, err := s.Admin(ctx, t, from)
	if err != nil {
		return nil, err
	}
	ns, name, ok := strings.Cut(to, "/")
	if err := CheckName(name); !ok || err != nil {
		return nil, answer.Refuse(http.StatusBadRequest, fmt.Sprintf("Invalid repo name: %q", to))
	}
	if err := s.MayCreate(account.From(ctx), t, ns); err != nil {
		return nil, err
	}
	if owner, ok := s.o.Accounts.Find(ns); ok {
		to = owner.Name + "/" + name
	}
	s.mu.Lock()
	if other, taken := s.repos[key(t, to)]; taken && other != r {
		s.mu.Unlock()
		return nil, answer.Refuse(http.StatusConflict, fmt.Sprintf("A %s repository called %s already exists", t, to))
	}
	delete(s.repos, key(t, from))
	delete(s.aliases, key(t, to))
	s.aliases[key(t, from)] = r
	s.repos[key(t, to)] = r
	r.mu.Lock()
	r.id = to
	r.mu.Unlock()
	s.mu.Unlock()
	for _, f := range s.called().move {
		f(r, from)
	}
	return r, nil
}

// history makes or finds what the repository hex holds.
func (s *Store) history(hex string, state history.State) *history.History {
	return history.New(history.Options{Clock: s.o.Clock, Content: s.o.Content, Dir: s.gitDir(hex)}, state)
}

func (s *Store) gitDir(hex string) string {
	if s.o.Dir == "" {
		return ""
	}
	return filepath.Join(s.o.Dir, hex, "objects")
}

// Duplicate makes a repository with the files another one has at main. The
// caller of ctx must be able to read them.
func (s *Store) Duplicate(ctx context.Context, from *Repo, spec CreateSpec, base string) (*Repo, error) {
	if err := from.MayRead(account.From(ctx), base); err != nil {
		return nil, err
	}
	head, err := from.Head("main")
	if err != nil {
		return nil, err
	}
	old := from.Settings()
	spec.Type, spec.From = from.typ, from
	spec.SDK, spec.Region, spec.ShortDescription = old.SDK, old.Region, old.ShortDescription
	if spec.Visibility == "" {
		spec.Visibility = old.Visibility
	}
	for _, f := range from.Files(head) {
		c := Change{Path: f.Path, LFS: f.LFS}
		if f.LFS == nil {
			if c.Content, err = from.Objects().Blob(f.OID); err != nil {
				return nil, err
			}
		}
		spec.Files = append(spec.Files, c)
	}
	return s.Create(ctx, spec)
}

// firstReadme is the README a new repository comes with, empty for none.
func firstReadme(spec CreateSpec) string {
	given := slices.ContainsFunc(spec.Files, func(c Change) bool { return c.Path == "README.md" })
	if given || spec.From != nil || spec.Type != Space && spec.License == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("---\n")
	if spec.Type == Space {
		_, name, _ := strings.Cut(spec.ID, "/")
		title := strings.TrimSpace(strings.Map(func(r rune) rune {
			if r == '-' || r == '_' {
				return ' '
			}
			return r
		}, name))
		fmt.Fprintf(&b, "title: %q\nemoji: 🚀\ncolorFrom: blue\ncolorTo: indigo\nsdk: %s\n", title, spec.SDK)
		if spec.SDK == "gradio" {
			b.WriteString("app_file: app.py\n")
		}
		b.WriteString("pinned: false\n")
		if spec.ShortDescription != "" {
			fmt.Fprintf(&b, "short_description: %q\n", spec.ShortDescription)
		}
	}
	if spec.License != "" {
		fmt.Fprintf(&b, "license: %s\n", spec.License)
	}
	b.WriteString("---\n")
	return b.String()
}

// SetCreatedAt lets a seed say when a repository was made and last changed.
func (r *Repo) SetCreatedAt(created, modified time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.createdAt = created
	if !modified.IsZero() {
		r.SetLastModified(modified)
	}
}
