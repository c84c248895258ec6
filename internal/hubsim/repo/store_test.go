package repo_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

type bench struct {
	clock   *clock.Clock
	book    *account.Book
	content *content.Store
	store   *repo.Store
}

func setup(t *testing.T, dir string) *bench {
	t.Helper()
	b := &bench{clock: clock.New(clock.Options{})}
	b.book = account.New(b.clock)
	b.book.Put(account.Entity{Type: "user", Name: "alice"})
	b.book.Put(account.Entity{Type: "user", Name: "bob", Plan: "pro"})
	b.book.Put(account.Entity{Type: "org", Name: "acme", Plan: "team", Members: map[string]string{"bob": "admin", "alice": "read"}})
	b.book.PutToken(account.Token{Value: "hf_bob", Owner: "bob", Role: "write"})
	b.book.PutToken(account.Token{Value: "hf_alice", Owner: "alice", Role: "write"})
	o := content.Options{Clock: b.clock, Base: func() string { return "http://cdn" }}
	if dir != "" {
		o.Dir = dir + "/lfs"
	}
	var err error
	if b.content, err = content.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.content.Close() })
	ro := repo.Options{Clock: b.clock, Accounts: b.book, Content: b.content}
	if dir != "" {
		ro.Dir = dir + "/git"
	}
	if b.store, err = repo.New(ro); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) as(t *testing.T, token string) context.Context {
	t.Helper()
	c, ok := b.book.Authenticate(token)
	if !ok {
		t.Fatalf("token %s is unknown", token)
	}
	return account.With(t.Context(), c)
}

// git agrees with every object, and a repository with them passes fsck.
func TestCheck35_GitAgreesWithObjects(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	b := setup(t, dir)
	ctx := b.as(t, "hf_bob")
	r, err := b.store.Create(ctx, repo.CreateSpec{Type: repo.Model, ID: "bob/m1", License: "mit"})
	if err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("weights"), 1000)
	c, err := r.Commit(ctx, repo.CommitSpec{Title: "more", Author: "bob", Changes: []repo.Change{
		{Path: "a/b.txt", Content: []byte("hello\n")},
		{Path: "a-b", Content: []byte("sorts before a/")},
		{Path: "a0/ü x.txt", Content: nil},
		{Op: repo.PutAuto, Path: "model.safetensors", Content: big},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := r.Stat(c.OID, "a/b.txt"); err != nil || e.OID != "ce013625030ba8dba906f756967f9e9ca394464a" {
		t.Fatalf("a/b.txt is %+v, %v", e, err)
	}
	if _, err := r.Merge(ctx, "refs/heads/main", c.OID, "merge", "bob"); err != nil {
		t.Fatal(err)
	}
	real := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"--git-dir", real}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("init", "-q", "--bare")
	if out, err := exec.Command("cp", "-r", dir+"/git/"+r.Hex()+"/objects/.", real+"/objects/").CombinedOutput(); err != nil {
		t.Fatalf("copy objects: %v\n%s", err, out)
	}
	head, err := r.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	run("update-ref", "refs/heads/main", head)
	run("symbolic-ref", "HEAD", "refs/heads/main")
	if out := run("fsck", "--strict", "--full"); strings.Contains(out, "error") {
		t.Fatalf("fsck: %s", out)
	}
	if out := run("log", "--format=%H %P %an %s", "main"); !strings.HasPrefix(out, head+" ") || strings.Count(out, "\n") != 3 {
		t.Errorf("log: %s", out)
	}
	for _, f := range r.Files(head) {
		if got := strings.TrimSpace(run("rev-parse", head+":"+f.Path)); got != f.OID {
			t.Errorf("%s: git says %s, we %s", f.Path, got, f.OID)
		}
	}
	if got := run("show", head+":model.safetensors"); !strings.HasPrefix(got, "version https://git-lfs.github.com/spec/v1\noid sha256:") {
		t.Errorf("pointer is %q", got)
	}
}
