// Package bucket keeps the simulated Hub's buckets: flat, unversioned stores of
// files. Each is a folder on disk that jobs mount as it is, so what a program
// writes there is in the bucket at once. It does not know the wire of chunked
// uploads: a file's hash is the sha256 of its content, and only content that is
// already somewhere on the Hub can be added by its hash.
package bucket

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Options of the buckets.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	// Dir is the folder that holds the buckets' folders. It is made when the
	// first bucket is.
	Dir string
	// Source opens the content with a sha256 in a repository (model, dataset,
	// space) the caller in ctx may read; a repository without a name means
	// anything stored on the Hub. nil knows nothing.
	Source func(ctx context.Context, kind, id, sha256 string) (io.ReadCloser, error)
}

// Bucket is one of them. Its fields are guarded by the area's lock, its files
// by its own.
type Bucket struct {
	Hex     string    `json:"_id"`
	Owner   string    `json:"owner"`
	Name    string    `json:"name"`
	Private bool      `json:"private,omitempty"`
	Created time.Time `json:"createdAt"`
	CDN     []string  `json:"cdn,omitempty"` // regions

	mu      sync.Mutex
	files   map[string]*File
	updated time.Time
	root    *os.Root
	dir     string
}

// ID is the bucket's name with its namespace.
func (b *Bucket) ID() string { return b.Owner + "/" + b.Name }

// Area holds all buckets. It is safe for concurrent use.
type Area struct {
	o Options

	mu     sync.Mutex
	byName map[string]*Bucket // by lower-case id, old names included
}

// New returns an area without buckets.
func New(o Options) (*Area, error) {
	if o.Clock == nil || o.Accounts == nil || o.Dir == "" {
		return nil, fmt.Errorf("bucket: the options Clock, Accounts and Dir are required")
	}
	return &Area{o: o, byName: map[string]*Bucket{}}, nil
}

// Close lets the folders go; their content stays.
func (a *Area) Close() error {
	for _, b := range a.sorted() {
		_ = b.root.Close() // nothing is lost: files are closed when written
	}
	return nil
}

// Create makes an empty bucket without asking who wants it; an existing one of
// that name is a *answer.Error with status 409.
func (a *Area) Create(owner, name string, private bool) (*Bucket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := strings.ToLower(owner + "/" + name)
	if b, ok := a.byName[key]; ok && strings.EqualFold(b.ID(), key) {
		return nil, answer.Refuse(http.StatusConflict, "You already created this bucket")
	}
	now := a.o.Clock.Stamp()
	b := &Bucket{Hex: a.o.Clock.ID(), Owner: owner, Name: name, Private: private, Created: now, updated: now}
	if err := b.open(a.o.Dir); err != nil {
		return nil, err
	}
	a.byName[key] = b
	return b, nil
}

// open makes the bucket's folder below dir and holds on to it.
func (b *Bucket) open(dir string) error {
	b.dir = filepath.Join(dir, b.Hex)
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of bucket %s: %w", b.ID(), err)
	}
	root, err := os.OpenRoot(b.dir)
	if err != nil {
		return fmt.Errorf("open the folder of bucket %s: %w", b.ID(), err)
	}
	b.root = root
	if b.files == nil {
		b.files = map[string]*File{}
	}
	return nil
}

// Find returns the bucket called id where the caller in ctx may read it.
func (a *Area) Find(ctx context.Context, id string) (*Bucket, error) {
	caller := account.From(ctx)
	a.mu.Lock()
	b := a.byName[strings.ToLower(id)]
	visible := b != nil && (!b.Private || caller.May(account.RepoRead, b.Owner))
	a.mu.Unlock()
	switch {
	case visible:
		return b, nil
	case caller == nil:
		return nil, answer.Login(answer.RepoNotFound)
	}
	return nil, answer.NotFound(answer.RepoNotFound, "Bucket not found")
}

// Writable returns the bucket called id where the caller in ctx may write it.
func (a *Area) Writable(ctx context.Context, id string) (*Bucket, error) {
	b, err := a.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	ns, _, _ := strings.Cut(a.nameOf(b), "/")
	return b, mayWrite(ctx, ns)
}

func mayWrite(ctx context.Context, ns string) error {
	switch caller := account.From(ctx); {
	case caller == nil:
		return answer.Login("")
	case !caller.May(account.RepoWrite, ns):
		return answer.Refuse(http.StatusForbidden, `You don't have the rights to change buckets under the namespace "`+ns+`"`)
	}
	return nil
}

// Dir is the folder of the bucket called id, for the caller in ctx to mount.
// What appears in it is part of the bucket, symbolic links excepted.
func (a *Area) Dir(ctx context.Context, id string, write bool) (string, error) {
	find := a.Find
	if write {
		find = a.Writable
	}
	b, err := find(ctx, id)
	if err != nil {
		return "", err
	}
	return b.dir, nil
}

// Delete removes the bucket called id and its content.
func (a *Area) Delete(ctx context.Context, id string) error {
	b, err := a.Writable(ctx, id)
	if err != nil {
		return err
	}
	a.mu.Lock()
	for key, other := range a.byName {
		if other == b {
			delete(a.byName, key)
		}
	}
	a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files = map[string]*File{}
	_ = b.root.Close()
	if err := os.RemoveAll(b.dir); err != nil {
		return fmt.Errorf("remove bucket %s: %w", id, err)
	}
	return nil
}

// Move renames a bucket; it answers to its old name too until another takes it.
func (a *Area) Move(ctx context.Context, from, to string) error {
	b, err := a.Writable(ctx, from)
	if err != nil {
		return err
	}
	ns, name, _ := strings.Cut(to, "/")
	owner, ok := a.o.Accounts.Find(ns)
	if !ok || repo.CheckName(name) != nil {
		return answer.Refuse(http.StatusBadRequest, `"toRepo" is not a valid bucket id`)
	}
	if err := mayWrite(ctx, owner.Name); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key := strings.ToLower(to)
	if other, ok := a.byName[key]; ok && other != b && strings.EqualFold(other.ID(), to) {
		return answer.Refuse(http.StatusConflict, "A bucket called "+other.ID()+" already exists")
	}
	b.Owner, b.Name = owner.Name, name
	a.byName[key] = b
	return nil
}

// sorted lists all buckets by id.
func (a *Area) sorted() []*Bucket {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*Bucket
	for key, b := range a.byName {
		if strings.EqualFold(b.ID(), key) { // not an old name
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(x, y *Bucket) int { return strings.Compare(x.ID(), y.ID()) })
	return all
}

type saved struct {
	*Bucket
	Names   []string         `json:"names"` // all it answers to, in small letters
	Updated time.Time        `json:"updatedAt"`
	Files   map[string]*File `json:"files"`
}

// Save returns everything that Load needs beside the folders.
func (a *Area) Save() (json.RawMessage, error) {
	list := []json.RawMessage{}
	for _, b := range a.sorted() {
		raw, err := a.saveOne(b)
		if err != nil {
			return nil, err
		}
		list = append(list, raw)
	}
	return json.Marshal(list)
}

func (a *Area) saveOne(b *Bucket) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := saved{Bucket: b, Updated: b.updated, Files: b.files}
	for key, other := range a.byName {
		if other == b {
			s.Names = append(s.Names, key)
		}
	}
	slices.Sort(s.Names)
	return json.Marshal(s)
}

// Load replaces everything by what Save returned; the folders are where they
// were.
func (a *Area) Load(raw json.RawMessage) error {
	var list []saved
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byName = map[string]*Bucket{}
	for _, s := range list {
		s.files, s.updated = s.Files, s.Updated
		if err := s.open(a.o.Dir); err != nil {
			return err
		}
		for _, name := range s.Names {
			a.byName[name] = s.Bucket
		}
	}
	return nil
}
