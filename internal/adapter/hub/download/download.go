// Package download brings files of repositories to this machine: into the cache
// that the Hub's Python client shares, or to a place of the caller's. It
// resumes what was cut, also by another process, checks what has arrived, and
// never leaves half a file in its final place. It knows neither uploads nor
// what the files mean.
package download

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// parallelAbove is the size from which a file is fetched in ranges, in
	// bytes, and rangeSize how long one is.
	parallelAbove = 64 << 20
	rangeSize     = 16 << 20
	// connections is how many a download uses at once.
	connections = 8
)

// ErrMismatch is in the chain of an error for content that is not what the Hub
// said it would be.
var ErrMismatch = errors.New("hash mismatch")

// Options of downloads.
type Options struct {
	// Shared is the cache that other programs use too; it holds what comes
	// from the public Hub. Own holds, for each other Hub, a cache of its own.
	// An empty one means that nothing of such a Hub is cached.
	Shared, Own string
	// Progress is told how far a file is, from many goroutines at once.
	Progress func(path string, done, total int64)
	// Connections is how many are used at once, 1 to 8; zero means 8.
	Connections int
	// ParallelAbove and RangeSize replace 64 MiB and 16 MiB.
	ParallelAbove, RangeSize int64
}

// API is the Hub's part about the content of files. It is safe for concurrent
// use.
type API struct {
	c     *wire.Conn
	o     Options
	cache cache
	slots chan struct{} // one for each connection in use
}

// New downloads over c.
func New(c *wire.Conn, o Options) (*API, error) {
	switch {
	case o.Connections < 0 || o.Connections > connections:
		return nil, fmt.Errorf("prepare downloads: Options.Connections %d is not between 0 and %d", o.Connections, connections)
	case o.ParallelAbove < 0 || o.RangeSize < 0:
		return nil, errors.New("prepare downloads: a size in Options is below zero")
	}
	if o.Connections == 0 {
		o.Connections = connections
	}
	if o.ParallelAbove == 0 {
		o.ParallelAbove = parallelAbove
	}
	if o.RangeSize == 0 {
		o.RangeSize = rangeSize
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	return &API{c: c, o: o, cache: cache{root: cacheRoot(c.Endpoint(), o)}, slots: make(chan struct{}, o.Connections)}, nil
}

// cacheRoot is the cache for a Hub: another Hub's files must never pass for
// those of the public one.
func cacheRoot(endpoint *url.URL, o Options) string {
	if endpoint.Scheme == "https" && strings.EqualFold(endpoint.Host, "huggingface.co") && endpoint.Path == "" {
		return o.Shared
	}
	if o.Own == "" {
		return ""
	}
	port := endpoint.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[endpoint.Scheme]
	}
	host := strings.NewReplacer(":", "-", "%", "-").Replace(strings.ToLower(endpoint.Hostname())) // of an IPv6 address
	return filepath.Join(o.Own, "hub", host+"_"+port)
}

// Source is a state of a repository.
type Source struct {
	Type     wire.RepoType
	ID       string
	Revision string // a branch, tag or commit
}

// String is the repository as a person writes it.
func (s Source) String() string { return string(s.Type) + " " + s.ID }

func (s Source) check() error {
	if err := wire.CheckType("repo_type", s.Type); err != nil {
		return err
	}
	if err := wire.CheckRepoID("repo_id", s.ID); err != nil {
		return err
	}
	return wire.CheckRevision("revision", s.Revision)
}

// checkPath refuses paths that name nothing in a repository or that would
// leave a folder of this machine.
func checkPath(path string) error {
	if err := wire.CheckPath("path", path); err != nil {
		return err
	}
	if !filepath.IsLocal(filepath.FromSlash(path)) {
		return &wire.Error{Kind: wire.Invalid, Op: "check path", Message: fmt.Sprintf("path %q cannot be a file of this machine", path)}
	}
	return nil
}

// Meta is what the Hub says of a file's content.
type Meta struct {
	Commit string
	// ETag is the SHA-256 of content stored outside git (64 digits), else the
	// hash git knows it by (40).
	ETag string
	Size int64
	// location is the signed address of the content; empty at home.
	location string
}

// Head asks what a file is without fetching it.
func (a *API) Head(ctx context.Context, s Source, path string) (Meta, error) {
	if err := s.check(); err != nil {
		return Meta{}, err
	}
	if err := checkPath(path); err != nil {
		return Meta{}, err
	}
	op := "look up " + path + " of " + s.String()
	resp, err := a.c.Do(ctx, wire.Request{
		Op: op, Method: http.MethodHead, Path: s.resolve(path), Accept: "*/*", Foreign: true,
		Header: http.Header{"Accept-Encoding": {"identity"}},
	})
	if err != nil {
		return Meta{}, err
	}
	resp.Body.Close()
	m, err := a.meta(op, resp)
	if err == nil && wire.CheckHash("revision", s.Revision, 40) == nil && m.Commit != s.Revision {
		err = &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer is about another commit"}
	}
	return m, err
}

// resolve is the path of a file's content at the Hub.
func (s Source) resolve(path string) string {
	return s.Type.Page(s.ID, append([]string{"resolve", s.Revision}, strings.Split(path, "/")...)...)
}

// meta reads the headers of a first answer. They become names of files, so
// nothing but hashes is taken.
func (a *API) meta(op string, resp *http.Response) (Meta, error) {
	h := resp.Header
	m := Meta{Commit: h.Get("X-Repo-Commit"), ETag: h.Get("X-Linked-ETag"), Size: -1}
	bad := func(what string) (Meta, error) {
		return Meta{}, &wire.Error{Kind: wire.Unexpected, Op: op, Status: resp.StatusCode, Message: "the answer has no usable " + what}
	}
	if m.ETag == "" {
		m.ETag = h.Get("ETag")
	}
	m.ETag = strings.Trim(strings.TrimPrefix(m.ETag, "W/"), `"`)
	if n, err := strconv.ParseInt(h.Get("X-Linked-Size"), 10, 64); err == nil {
		m.Size = n
	} else if resp.StatusCode == http.StatusOK {
		m.Size = resp.ContentLength
	}
	switch {
	case wire.CheckHash("commit", m.Commit, 40) != nil:
		return bad("commit")
	case wire.CheckHash("etag", m.ETag, 40) != nil && wire.CheckHash("etag", m.ETag, 64) != nil:
		return bad("hash")
	case m.Size < 0:
		return bad("size")
	}
	if resp.StatusCode >= 300 {
		location, err := resp.Location()
		if err != nil {
			return bad("location")
		}
		m.location = location.String()
	}
	return m, nil
}

// acquire waits for a connection to be free.
func (a *API) acquire(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *API) release() { <-a.slots }
