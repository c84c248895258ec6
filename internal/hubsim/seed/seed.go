// Package seed reads what exists on a simulated Hub at its start from a folder,
// and puts it there. The seed acme comes with the program. It does not serve
// anything.
//
// The folder holds seed.json (accounts, tokens, collections), the repositories
// as models|datasets|spaces/NAMESPACE/NAME/repo.json with their content in files
// beside it, and what the services around the Hub show: papers/ID.json, .md and
// .html, docs/SET/toc.json and pages, router/models.json and scripts,
// github/OWNER/NAME/repo.json and files, web/HOST/PATH, gradio/llms.txt, and
// routes.json for everything else. All but seed.json may be absent.
package seed

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

//go:embed all:acme
var acme embed.FS

// Names of seeds that are no folder.
const (
	Acme  = "acme"  // users alice and bob, organisation acme and what it made
	Empty = "empty" // nobody and nothing
)

// Seed is what exists at the start.
type Seed struct {
	Accounts    []account.Entity
	Tokens      []account.Token
	Collections []Collection
	Repos       []Repo
	// Neighbours is for the services around the Hub.
	Neighbours neighbour.Content
}

// Collection is a list of things under a title.
type Collection struct {
	Owner       string `json:"owner"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Upvotes     int    `json:"upvotes,omitempty"`
	Private     bool   `json:"private,omitempty"`
	Items       []Item `json:"items"`
}

// Item is a member of a collection.
type Item struct {
	Type string `json:"type"` // model, dataset, space, paper
	ID   string `json:"id"`
	Note string `json:"note,omitempty"`
}

// Repo is a repository.
type Repo struct {
	Type repo.Type `json:"-"`
	ID   string    `json:"-"`
	// Settings stand beside the other members of repo.json.
	repo.Settings
	// Author wrote the commits; default a user with the namespace's name, else
	// the organisation's first admin.
	Author       string    `json:"author,omitempty"`
	Message      string    `json:"message,omitempty"`
	CreatedAt    time.Time `json:"createdAt,omitzero"`
	LastModified time.Time `json:"lastModified,omitzero"`
	// Grants are users who may read a gated repository, or asked for it:
	// accepted, pending, rejected.
	Grants    map[string]string `json:"grants,omitempty"`
	Secrets   []repo.KeyValue   `json:"secrets,omitempty"`
	Variables []repo.KeyValue   `json:"variables,omitempty"`

	Files []File `json:"-"`
}

// File is a file of a repository.
type File struct {
	Path string
	Data []byte
}

// Open reads the seed with the given name, or the one in a directory.
func Open(name string) (*Seed, error) {
	switch name {
	case Empty:
		return &Seed{}, nil
	case Acme:
		sub, err := fs.Sub(acme, Acme)
		if err != nil {
			return nil, fmt.Errorf("read seed acme: %w", err)
		}
		return Read(sub)
	}
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("seed %q is neither acme nor empty nor a directory", name)
	}
	root, err := os.OpenRoot(name) // no link in it leads out of it
	if err != nil {
		return nil, fmt.Errorf("read seed: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	return Read(root.FS())
}

// Read reads a seed and checks it; errors name file and field.
func Read(fsys fs.FS) (*Seed, error) {
	s := &Seed{}
	if err := s.readAccounts(fsys, "seed.json"); err != nil {
		return nil, err
	}
	for _, t := range repo.Types() {
		if err := s.readRepos(fsys, t); err != nil {
			return nil, err
		}
	}
	if err := s.checkItems("seed.json"); err != nil {
		return nil, err
	}
	var err error
	s.Neighbours, err = neighbour.Read(fsys)
	return s, err
}

// document is seed.json.
type document struct {
	Users       []entity     `json:"users"`
	Orgs        []entity     `json:"orgs"`
	Tokens      []token      `json:"tokens"`
	Collections []Collection `json:"collections"`
}

type entity struct {
	Name        string            `json:"name"`
	Fullname    string            `json:"fullname"`
	Email       string            `json:"email"`
	Plan        string            `json:"plan"`
	CanPay      bool              `json:"canPay"`
	BillingMode string            `json:"billingMode"`
	Members     map[string]string `json:"members"`
	CreditUSD   float64           `json:"creditUSD"`
}

type token struct {
	Value       string          `json:"value"`
	Owner       string          `json:"owner"`
	DisplayName string          `json:"displayName"`
	Role        string          `json:"role"`
	Global      []string        `json:"global"`
	Scoped      []account.Scope `json:"scoped"`
	ExpiresAt   time.Time       `json:"expiresAt"`
}

// strict reads JSON without members it does not know.
func strict(fsys fs.FS, name string, v any) error {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return fmt.Errorf("read seed: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func oneOf(where, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: is %q, must be one of %s", where, value, strings.Trim(strings.Join(allowed, ", "), ", "))
}

func (s *Seed) readAccounts(fsys fs.FS, name string) error {
	var doc document
	if err := strict(fsys, name, &doc); err != nil {
		return err
	}
	for i, u := range doc.Users {
		where := fmt.Sprintf("%s: users[%d]", name, i)
		if err := errors.Join(s.checkName(where, u.Name), oneOf(where+".plan", u.Plan, "free", "pro")); err != nil {
			return err
		}
		s.add("user", u)
	}
	for i, o := range doc.Orgs {
		where := fmt.Sprintf("%s: orgs[%d]", name, i)
		if err := errors.Join(s.checkName(where, o.Name), oneOf(where+".plan", o.Plan, "", "team", "enterprise", "plus", "academia")); err != nil {
			return err
		}
		for user, role := range o.Members {
			if !s.has(user, "user") {
				return fmt.Errorf("%s.members: no user %q", where, user)
			}
			if err := oneOf(where+".members."+user, role, "admin", "write", "contributor", "read", "no_access"); err != nil {
				return err
			}
		}
		s.add("org", o)
	}
	for i, t := range doc.Tokens {
		if err := s.addToken(fmt.Sprintf("%s: tokens[%d]", name, i), t); err != nil {
			return err
		}
	}
	s.Collections = doc.Collections
	return nil
}

func (s *Seed) add(kind string, e entity) {
	s.Accounts = append(s.Accounts, account.Entity{
		Type: kind, Name: e.Name, Fullname: e.Fullname, Email: e.Email, Plan: e.Plan, CanPay: e.CanPay,
		BillingMode: e.BillingMode, Members: e.Members, CreditMicroUSD: int64(e.CreditUSD * 1e6),
	})
}

func (s *Seed) has(name, kind string) bool {
	return slices.ContainsFunc(s.Accounts, func(e account.Entity) bool { return e.Name == name && (kind == "" || e.Type == kind) })
}

func (s *Seed) checkName(where, name string) error {
	if repo.CheckName(name) != nil || len(name) < 2 || len(name) > 42 {
		return fmt.Errorf("%s.name: %q is no name of a user or organisation", where, name)
	}
	if s.has(name, "") {
		return fmt.Errorf("%s.name: %q is there twice", where, name)
	}
	return nil
}

func (s *Seed) addToken(where string, t token) error {
	if !strings.HasPrefix(t.Value, "hf_") {
		return fmt.Errorf("%s.value: must start with hf_", where)
	}
	if !s.has(t.Owner, "user") {
		return fmt.Errorf("%s.owner: no user %q", where, t.Owner)
	}
	if err := oneOf(where+".role", t.Role, "read", "write", "fineGrained", "god"); err != nil {
		return err
	}
	for i, scope := range t.Scoped {
		if !s.has(scope.Entity, "") {
			return fmt.Errorf("%s.scoped[%d].entity: no user or organisation %q", where, i, scope.Entity)
		}
	}
	s.Tokens = append(s.Tokens, account.Token{
		Value: t.Value, Owner: t.Owner, DisplayName: t.DisplayName, Role: t.Role, Global: t.Global, Scoped: t.Scoped, ExpiresAt: t.ExpiresAt,
	})
	return nil
}

// checkItems refuses collections of things that are not there.
func (s *Seed) checkItems(name string) error {
	for i, c := range s.Collections {
		where := fmt.Sprintf("%s: collections[%d]", name, i)
		if !s.has(c.Owner, "") {
			return fmt.Errorf("%s.owner: no user or organisation %q", where, c.Owner)
		}
		if c.Title == "" || len([]rune(c.Title)) > 60 {
			return fmt.Errorf("%s.title: must have 1 to 60 characters", where)
		}
		for j, it := range c.Items {
			if err := oneOf(fmt.Sprintf("%s.items[%d].type", where, j), it.Type, "model", "dataset", "space", "paper"); err != nil {
				return err
			}
			known := slices.ContainsFunc(s.Repos, func(r Repo) bool { return string(r.Type) == it.Type && r.ID == it.ID })
			if it.Type != "paper" && !known {
				return fmt.Errorf("%s.items[%d].id: no %s %q", where, j, it.Type, it.ID)
			}
		}
	}
	return nil
}

func (s *Seed) readRepos(fsys fs.FS, t repo.Type) error {
	names, err := fs.Glob(fsys, t.Plural()+"/*/*")
	if err != nil {
		return fmt.Errorf("read seed: %w", err)
	}
	for _, dir := range names {
		r, err := s.readRepo(fsys, t, dir)
		if err != nil {
			return err
		}
		s.Repos = append(s.Repos, r)
	}
	return nil
}

func (s *Seed) readRepo(fsys fs.FS, t repo.Type, dir string) (Repo, error) {
	r := Repo{Type: t, ID: strings.TrimPrefix(dir, t.Plural()+"/")}
	name := path.Join(dir, "repo.json")
	if err := strict(fsys, name, &r); err != nil {
		return r, err
	}
	if err := s.checkRepo(name, &r); err != nil {
		return r, err
	}
	root := path.Join(dir, "files")
	err := fs.WalkDir(fsys, root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if d.Type()&^fs.ModeSymlink != 0 { // reading it could take for ever
			return fmt.Errorf("%s: it is no file", file)
		}
		data, err := fs.ReadFile(fsys, file)
		r.Files = append(r.Files, File{strings.TrimPrefix(file, root+"/"), data})
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("read seed: %w", err)
	}
	return r, nil
}

func (s *Seed) checkRepo(name string, r *Repo) error {
	ns, short, _ := strings.Cut(r.ID, "/")
	if !s.has(ns, "") {
		return fmt.Errorf("%s: namespace: no user or organisation %q", name, ns)
	}
	if err := repo.CheckName(short); err != nil {
		return fmt.Errorf("%s: name: %w", name, err)
	}
	if r.Author != "" && !s.has(r.Author, "user") {
		return fmt.Errorf("%s: author: no user %q", name, r.Author)
	}
	sdks := []string{""}
	if r.Type == repo.Space {
		sdks = []string{"gradio", "docker", "static"}
	}
	if r.Author == "" {
		r.Author = s.author(ns)
	}
	checks := []error{
		oneOf(name+": visibility", r.Visibility, "", repo.Public, repo.Private, repo.Protected),
		oneOf(name+": gated", r.Gated, "", "auto", "manual"), oneOf(name+": sdk", r.SDK, sdks...),
	}
	for user, status := range r.Grants {
		if !s.has(user, "user") {
			return fmt.Errorf("%s: grants: no user %q", name, user)
		}
		checks = append(checks, oneOf(name+": grants."+user, status, repo.Accepted, repo.Pending, repo.Rejected))
	}
	return errors.Join(checks...)
}

// author is who commits in a namespace: the user, or the organisation's first
// admin by name.
func (s *Seed) author(ns string) string {
	for _, e := range s.Accounts {
		if e.Name != ns || e.Type != "org" {
			continue
		}
		var admins []string
		for user, role := range e.Members {
			if role == "admin" {
				admins = append(admins, user)
			}
		}
		if len(admins) > 0 {
			return slices.Min(admins)
		}
	}
	return ns
}
