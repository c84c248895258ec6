package hubtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
)

// Acceptance checks 1 and 2.
func TestCheck1And2_SlashAndStrangers(t *testing.T) {
	w := simulate(t)
	_, err := repo.New(w.conn("")).Info(t.Context(), secret, repo.InfoOptions{})
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.RepoNotFound || e.Status != 401 || e.RequestID == "" || !strings.Contains(err.Error(), e.RequestID) {
		t.Errorf("%v", err)
	}
	for _, r := range w.sim.Requests() {
		if strings.Contains(r.Path, "//") {
			t.Errorf("asked for %s", r.Path)
		}
	}
}

// Acceptance check 4.
func TestCheck4_ForeignLink(t *testing.T) {
	w := simulate(t)
	w.fault(`{"match":{"path":"^/api/models$"},"do":{"foreignLink":true}}`)
	var last error
	for _, err := range repo.New(w.conn(bob)).List(t.Context(), wire.Model, repo.ListOptions{Limit: 1000}) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), strings.TrimPrefix(w.sim.CDNURL(), "http://")) ||
		!strings.Contains(last.Error(), strings.TrimPrefix(w.sim.URL(), "http://")) {
		t.Errorf("%v", last)
	}
	for _, r := range w.sim.Requests() {
		if r.Host == fault.CDN {
			t.Errorf("the other host was asked for %s", r.Path)
		}
	}
}

// Acceptance checks 21, 22 and 37, the client's half.
func TestCheck21And22And37_Contents(t *testing.T) {
	w := simulate(t)
	a := repo.New(w.conn(bob))
	if _, err := w.conn(bob).JSON(t.Context(), wire.Request{
		Op: "open a pull request", Method: "POST", Path: secret.Type.API(secret.ID, "discussions"),
		JSON: map[string]any{"title": "a change", "description": "", "pullRequest": true},
	}, nil); err != nil {
		t.Fatal(err)
	}
	for _, rev := range []string{"feat/x", "refs/pr/1"} {
		if rev == "feat/x" {
			if err := a.CreateBranch(t.Context(), secret, repo.BranchSpec{Name: rev}); err != nil {
				t.Fatal(err)
			}
		}
		files := 0
		for e, err := range a.Tree(t.Context(), secret, rev, repo.TreeOptions{Recursive: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if !e.Dir() {
				files++
			}
		}
		part, err := a.ReadRange(t.Context(), secret, rev, "big.bin", 100, 50)
		if err != nil || !bytes.Equal(part.Data, w.data[100:150]) || files < 2 {
			t.Errorf("%s: %d files, %d bytes, %v", rev, files, len(part.Data), err)
		}
		d, err := download.New(w.conn(bob), download.Options{Own: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		name, err := d.File(t.Context(), download.Source{Type: secret.Type, ID: secret.ID, Revision: rev}, "big.bin")
		w.check(name, err)
	}
	if err := a.DeleteBranch(t.Context(), secret, "feat/x"); err != nil {
		t.Error(err)
	}
	got, err := a.Paths(t.Context(), secret, "main", []string{"a/b.txt", "nope", "a"}, true)
	if err != nil || len(got) != 2 || got[0].Last == nil {
		t.Errorf("%+v, %v", got, err)
	}
	in, err := a.Info(t.Context(), secret, repo.InfoOptions{Blobs: true})
	if err != nil || in.SHA == "" || !in.Private {
		t.Fatalf("%+v, %v", in, err)
	}
	out, err := json.Marshal(in)
	var again repo.Info
	if err != nil || json.Unmarshal(out, &again) != nil || len(again.Extra) != len(in.Extra) || again.SHA != in.SHA {
		t.Errorf("%s, %v", out, err)
	}
}

// The life of a repository: made, copied, moved, gone.
func TestLife(t *testing.T) {
	w := simulate(t)
	a := repo.New(w.conn(bob))
	ctx := t.Context()
	spec := repo.CreateSpec{Ref: repo.Ref{Type: wire.Dataset, ID: "acme/new"}, Visibility: "private", License: "mit"}
	w.fault(`{"match":{"method":"POST","path":"^/api/repos/create$","count":1},"do":{"applyThenFail":true}}`)
	if made, err := a.Create(ctx, spec); err != nil || made.Name != "acme/new" {
		t.Fatalf("an answer that was lost: %+v, %v", made, err)
	}
	if _, err := a.Create(ctx, spec); !errors.Is(err, wire.Conflict) {
		t.Errorf("a second time: %v", err)
	}
	if err := a.CreateTag(ctx, spec.Ref, "v1", "", "first"); err != nil {
		t.Error(err)
	}
	refs, err := a.Refs(ctx, spec.Ref, true)
	if err != nil || len(refs.Tags) != 1 || len(refs.Branches) != 1 {
		t.Errorf("%+v, %v", refs, err)
	}
	gated := repo.Gated("auto")
	if _, err := a.Configure(ctx, spec.Ref, repo.Settings{Gated: &gated}); err != nil {
		t.Error(err)
	}
	if in, err := a.Info(ctx, spec.Ref, repo.InfoOptions{}); err != nil || in.Gated != "auto" {
		t.Errorf("%v, %v", in.Gated, err)
	}
	if _, err := a.Configure(ctx, spec.Ref, repo.Settings{Gated: new(repo.Gated)}); err != nil {
		t.Error(err)
	}
	if _, err := a.Duplicate(ctx, spec.Ref, repo.DuplicateSpec{To: "bob/copy"}); err != nil {
		t.Error(err)
	}
	if err := a.Move(ctx, spec.Ref, "bob/moved"); err != nil {
		t.Error(err)
	}
	if in, err := a.Info(ctx, spec.Ref, repo.InfoOptions{}); err != nil || in.ID != "bob/moved" || in.Gated != "" {
		t.Errorf("the old name leads to %q, gated %q, %v", in.ID, in.Gated, err)
	}
	if err := a.Delete(ctx, repo.Ref{Type: wire.Dataset, ID: "bob/moved"}); err != nil {
		t.Error(err)
	}
	if ok, err := a.Exists(ctx, repo.Ref{Type: wire.Dataset, ID: "bob/moved"}); ok || err != nil {
		t.Errorf("still there: %v", err)
	}
	if err := a.AuthCheck(ctx, secret, true); err != nil {
		t.Error(err)
	}
	v, err := a.ValidateCard(ctx, wire.Model, "---\nlicense: [1\n---\n")
	if err != nil || len(v.Errors) == 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if err := repo.New(w.conn(alice)).AuthCheck(ctx, secret, false); !errors.Is(err, wire.RepoNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}

// Acceptance check 38.
func TestCheck38_Expired(t *testing.T) {
	w := simulate(t)
	a := repo.New(w.conn(bob))
	w.fault(`{"match":{"path":"^/api/models/","count":1},"do":{"expireToken":true}}`)
	before := len(w.sim.Requests())
	_, err := a.Info(t.Context(), secret, repo.InfoOptions{})
	if !errors.Is(err, wire.Unauthorized) || !strings.Contains(err.Error(), "ml-intern login") {
		t.Errorf("%v", err)
	}
	if n := len(w.sim.Requests()) - before; n != 1 {
		t.Errorf("%d requests", n)
	}
}

// A whole state of a repository, asked for as another client would.
func TestSnapshotFromTheSimulator(t *testing.T) {
	w := simulate(t)
	a, err := download.New(w.conn(bob), download.Options{Own: t.TempDir(), ParallelAbove: 1 << 20, RangeSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	dir, n, err := a.Snapshot(t.Context(), download.Source{Type: secret.Type, ID: secret.ID, Revision: "main"}, download.SnapshotOptions{})
	if err != nil || n < 2 {
		t.Fatalf("%d files, %v", n, err)
	}
	w.check(filepath.Join(dir, "big.bin"), nil)
}
