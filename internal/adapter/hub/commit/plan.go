package commit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/content"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/state"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// preuploadSize is how many files one request asks about.
	preuploadSize = 256
	// regularLimit is the size above which no file is stored in git itself.
	regularLimit = 16 << 20
	// cardLimit and rulesLimit bound what is read of a card and of
	// .gitattributes and .gitignore, in bytes.
	cardLimit  = 2 << 20
	rulesLimit = 1 << 20
)

// change is a commit on its way.
type change struct {
	api     *API
	request Request
	report  func(Progress)

	adds    []*addition
	links   []*link
	deletes []Delete
	wants   []Want   // what the paths shall hold
	reads   []string // paths whose content the commit depends on
	base    string   // what the commit is decided on
	temp    string   // the folder of downloads
	lastPR  int      // the newest pull request before ours
	result  Result
}

// addition is a file to be written.
type addition struct {
	path    string
	content *content.Content
	large   bool // goes to the store of large files
	drop    bool // nothing is to be done for it
}

// link is a large file that is to be known under another path too.
type link struct {
	path, oid string
	size      int64
	drop      bool
}

// close removes what was downloaded.
func (c *change) close() {
	if c.temp != "" {
		_ = os.RemoveAll(c.temp) // a leftover in the temp folder harms nobody
	}
}

func (c *change) empty() bool {
	return len(c.deletes) == 0 &&
		!slices.ContainsFunc(c.adds, func(a *addition) bool { return !a.drop }) &&
		!slices.ContainsFunc(c.links, func(l *link) bool { return !l.drop })
}

// plan finds out what is to be done, and on which state of the branch.
func (c *change) plan(ctx context.Context) error {
	c.base = c.request.Parent
	for _, step := range []func(context.Context) error{c.loadAll, c.card, c.copies, c.want} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	head, err := c.preupload(ctx)
	if err == nil && head == "" {
		head, err = c.api.at(c.request.Target).Head(ctx, c.request.Revision)
	}
	if err == nil {
		err = c.linked(ctx, head)
	}
	if err == nil && !strings.HasPrefix(head, c.base) {
		err = c.move(ctx, head)
	}
	c.base = head
	if err == nil && c.request.CreatePR && !c.empty() {
		err = c.before(ctx)
	}
	return err
}

// before notes the newest pull request, to tell ours from it.
func (c *change) before(ctx context.Context) error {
	pulls, err := c.api.at(c.request.Target).Pulls(ctx)
	for _, p := range pulls {
		c.lastPR = max(c.lastPR, p.Num)
	}
	return err
}

// load reads the content of an addition once.
func load(ctx context.Context, a Add) (*content.Content, error) {
	if open := a.opener(); open != nil {
		return content.File(ctx, a.Path, open)
	}
	return content.Bytes(a.Path, a.Data), nil
}

// loadAll sorts the operations and hashes what is to be added, several files
// at once.
func (c *change) loadAll(ctx context.Context) error {
	var todo []Add
	for _, op := range c.request.Operations {
		switch op := op.(type) {
		case Add:
			todo = append(todo, op)
		case Delete:
			c.deletes = append(c.deletes, op)
		}
	}
	c.adds = make([]*addition, len(todo))
	var done int64
	var mu sync.Mutex
	return each(ctx, min(4, runtime.GOMAXPROCS(0)), len(todo), func(ctx context.Context, i int) error {
		data, err := load(ctx, todo[i])
		if err != nil {
			return err
		}
		c.adds[i] = &addition{path: todo[i].Path, content: data}
		mu.Lock()
		defer mu.Unlock()
		done += data.Size()
		c.report(Progress{Stage: "hash", Path: todo[i].Path, Done: done})
		return nil
	})
}

// each runs n tasks, at most width at once, and waits for all; the first
// failure stops those that have not begun.
func each(ctx context.Context, width, n int, task func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	next := 0
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1
	}
	var wg sync.WaitGroup
	for range min(width, n) {
		wg.Go(func() {
			for i := take(); i < n && ctx.Err() == nil; i = take() {
				if err := task(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// card has the Hub check the repository's card before anything is sent.
func (c *change) card(ctx context.Context) error {
	at := slices.IndexFunc(c.adds, func(a *addition) bool { return a.path == "README.md" })
	if at < 0 {
		return nil
	}
	text, err := c.adds[at].text(ctx, cardLimit)
	if err != nil {
		return err
	}
	const op = "check README.md"
	resp, err := c.api.conn.Do(ctx, wire.Request{
		Op: op, Method: http.MethodPost, Path: "/api/validate-yaml", Reads: true,
		JSON:   map[string]string{"content": text, "repoType": string(c.request.Type)},
		Status: []int{http.StatusOK, http.StatusBadRequest},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	type note struct {
		Message string `json:"message"`
	}
	var out struct {
		Errors, Warnings []note
		Error            string
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&out); err != nil {
		return &wire.Error{Kind: wire.Unexpected, Op: op, Status: resp.StatusCode, Message: "the answer is not the JSON expected", Err: err}
	}
	for _, w := range out.Warnings {
		c.result.Warnings = append(c.result.Warnings, w.Message)
	}
	var wrong []string
	for _, e := range out.Errors {
		wrong = append(wrong, e.Message)
	}
	if len(wrong) == 0 && resp.StatusCode != http.StatusOK {
		wrong = append(wrong, out.Error)
	}
	if len(wrong) > 0 {
		return &wire.Error{
			Kind: wire.Invalid, Op: op,
			Message: "README.md has metadata that the Hub refuses: " + strings.Join(wrong, "; ") + "; nothing was written",
		}
	}
	return nil
}

// text reads a small file.
func (a *addition) text(ctx context.Context, limit int64) (string, error) {
	if a.content.Size() > limit {
		return "", invalid(a.path, fmt.Sprintf("is longer than %d bytes", limit))
	}
	r, err := a.content.Open(ctx)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

// copies finds what is to be copied. A large file is named again; a small one
// is read and written like any other.
func (c *change) copies(ctx context.Context) error {
	t := c.request.Target
	for _, op := range c.request.Operations {
		cp, ok := op.(Copy)
		if !ok {
			continue
		}
		if c.base == "" {
			head, err := c.api.at(t).Head(ctx, t.Revision)
			if err != nil {
				return err
			}
			c.base = head
		}
		from := c.base
		if cp.Revision != "" {
			from = cp.Revision
		} else {
			c.reads = append(c.reads, cp.From)
		}
		e, err := c.api.source(ctx, t, cp, from)
		if err != nil {
			return err
		}
		if e.LFS != nil {
			c.links = append(c.links, &link{path: cp.Path, oid: e.LFS.OID, size: e.LFS.Size})
			continue
		}
		data, err := c.download(ctx, from, e)
		if err != nil {
			return err
		}
		c.adds = append(c.adds, &addition{path: cp.Path, content: data})
	}
	return nil
}

// download keeps a small file of the repository on disk.
func (c *change) download(ctx context.Context, rev string, e *state.Entry) (*content.Content, error) {
	t := c.request.Target
	op := "copy " + e.Path + " in " + t.Repo
	resp, err := c.api.conn.Do(ctx, wire.Request{
		Op: op, Accept: "*/*",
		Path: t.Type.Page(t.Repo, append([]string{"resolve", rev}, strings.Split(e.Path, "/")...)...),
	})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if c.temp == "" {
		if c.temp, err = os.MkdirTemp("", "ml-intern-copy-"); err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
	}
	name := filepath.Join(c.temp, strconv.Itoa(len(c.adds)))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	_, err = io.Copy(f, io.LimitReader(resp.Body, e.Size+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	data, err := content.File(ctx, e.Path, func() (*os.File, error) { return os.Open(name) })
	if err != nil {
		return nil, err
	}
	if git, err := data.Git(ctx); err != nil || git != e.OID {
		return nil, errors.Join(fmt.Errorf("%s: what arrived is not the file of that revision", op), err)
	}
	return data, nil
}

// want notes what the paths shall hold.
func (c *change) want(ctx context.Context) error {
	for _, a := range c.adds {
		w, err := wantOf(ctx, a.path, a.content)
		if err != nil {
			return err
		}
		c.wants = append(c.wants, w)
	}
	for _, l := range c.links {
		c.wants = append(c.wants, Want{Path: l.path, SHA256: l.oid})
	}
	for _, d := range c.deletes {
		if !slices.ContainsFunc(c.wants, func(w Want) bool { return below(w.Path, d.place()) }) {
			c.wants = append(c.wants, Want{Path: d.place(), Gone: true})
		} else {
			c.reads = append(c.reads, d.place()) // a folder with new content
		}
	}
	return nil
}

// below reports whether a path lies in a folder.
func below(path, folder string) bool { return strings.HasPrefix(path, folder+"/") }

// preupload asks how each file is to be sent and what is there already. It
// returns the head of the branch; "" where there was nothing to ask.
func (c *change) preupload(ctx context.Context) (string, error) {
	rules, err := c.rules(ctx)
	if err != nil {
		return "", err
	}
	head := ""
	for group := range slices.Chunk(c.adds, preuploadSize) {
		if head, err = c.modes(ctx, group, rules); err != nil {
			return "", err
		}
		if c.base == "" {
			c.base = head // should it move on between two questions, that shows
		}
	}
	return head, nil
}

// rules reads the files of this commit that decide how files are stored.
func (c *change) rules(ctx context.Context) (map[string]any, error) {
	rules := map[string]any{}
	for name, key := range map[string]string{".gitattributes": "gitAttributes", ".gitignore": "gitIgnore"} {
		for _, a := range c.adds {
			if a.path == name {
				text, err := a.text(ctx, rulesLimit)
				if err != nil {
					return nil, err
				}
				rules[key] = text
			}
		}
	}
	return rules, nil
}

type asked struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Sample []byte `json:"sample"`
}

// modes asks about some of the files.
func (c *change) modes(ctx context.Context, group []*addition, rules map[string]any) (string, error) {
	t := c.request.Target
	op := "ask how to send files to " + t.Repo
	in := map[string]any{}
	for key, text := range rules {
		in[key] = text
	}
	files := make([]asked, 0, len(group))
	for _, a := range group {
		files = append(files, asked{a.path, a.content.Size(), a.content.Sample()})
	}
	in["files"] = files
	var out struct {
		Files []struct {
			Path   string `json:"path"`
			Mode   string `json:"uploadMode"`
			Ignore bool   `json:"shouldIgnore"`
			OID    string `json:"oid"`
		} `json:"files"`
		Head string `json:"commitOid"`
	}
	_, err := c.api.conn.JSON(ctx, wire.Request{
		Op: op, Method: http.MethodPost, Path: t.Type.API(t.Repo, "preupload", t.Revision), Query: c.query(),
		JSON: in, Reads: true,
	}, &out)
	if err != nil {
		return "", err
	}
	known := map[string]int{}
	for i, f := range out.Files {
		known[f.Path] = i
	}
	for _, a := range group {
		i, ok := known[a.path]
		if !ok {
			return "", &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer does not speak of " + a.path}
		}
		f := out.Files[i]
		if f.Mode != "regular" && f.Mode != "lfs" {
			return "", &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer wants " + a.path + " sent as " + strconv.Quote(f.Mode)}
		}
		a.large = f.Mode == "lfs" && a.content.Size() > 0
		if err := c.same(ctx, a, f.OID); err != nil {
			return "", err
		}
		if f.Ignore && !a.drop {
			a.drop = true
			c.result.Ignored = append(c.result.Ignored, a.path)
		}
	}
	return out.Head, nil
}

// same drops a file that is there already.
func (c *change) same(ctx context.Context, a *addition, oid string) error {
	ours := a.content.SHA256()
	if len(oid) == 40 {
		git, err := a.content.Git(ctx)
		if err != nil {
			return err
		}
		ours = git
	}
	if oid == ours {
		a.drop = true
		c.result.Same = append(c.result.Same, a.path)
	}
	return nil
}

// linked drops copies that are there already.
func (c *change) linked(ctx context.Context, head string) error {
	if len(c.links) == 0 {
		return nil
	}
	paths := make([]string, 0, len(c.links))
	for _, l := range c.links {
		paths = append(paths, l.path)
	}
	found, err := c.api.at(c.request.Target).Entries(ctx, head, paths)
	if err != nil {
		return err
	}
	for _, l := range c.links {
		if e := found[l.path]; e != nil && e.LFS != nil && e.LFS.OID == l.oid {
			l.drop = true
			c.result.Same = append(c.result.Same, l.path)
		}
	}
	return nil
}

func (c *change) query() url.Values {
	if c.request.CreatePR {
		return url.Values{"create_pr": {"1"}}
	}
	return nil
}
