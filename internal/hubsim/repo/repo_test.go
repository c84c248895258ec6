package repo_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// status is that of a refusal, 0 for none.
func status(err error) int {
	var e *answer.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

func TestNames(t *testing.T) {
	for _, name := range []string{"m1", "a.b_c-d", "A", strings.Repeat("x", 96), "_x"} {
		if err := repo.CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "-a", "a-", ".a", "a.", "a--b", "a..b", "a.git", "a/b", "ä", "a b", strings.Repeat("x", 97)} {
		if repo.CheckName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

// A large file decided by the attributes, one by its bytes, and text come back
// as they went, in a directory too.
func TestCheckout(t *testing.T) {
	b := setup(t, "")
	ctx := b.as(t, "hf_bob")
	files := map[string]string{"d/w.bin": "weights", "d/e/nul.txt": "a\x00b", "d/q.txt": "text", "top": ""}
	spec := repo.CreateSpec{Type: repo.Dataset, ID: "acme/d", Trusted: true}
	for path, text := range files {
		spec.Files = append(spec.Files, repo.Change{Op: repo.PutAuto, Path: path, Content: []byte(text)})
	}
	r, err := b.store.Create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	large := map[string]bool{}
	for _, f := range r.Files(head) {
		large[f.Path] = f.LFS != nil
	}
	want := map[string]bool{".gitattributes": false, "d/w.bin": true, "d/e/nul.txt": true, "d/q.txt": false, "top": false}
	if diff := cmp.Diff(want, large); diff != "" {
		t.Error(diff)
	}
	dir := t.TempDir()
	if err := r.Checkout(ctx, head, "", dir); err != nil {
		t.Fatal(err)
	}
	if err := r.Checkout(ctx, head, "d/e", filepath.Join(dir, "part")); err != nil {
		t.Fatal(err)
	}
	files["part/nul.txt"] = files["d/e/nul.txt"]
	for path, text := range files {
		if got, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(got) != text {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if err := r.Checkout(ctx, head, "none", dir); status(err) != 404 {
		t.Error(err)
	}
}

func TestMergeAndConflicts(t *testing.T) {
	b := setup(t, "")
	ctx := b.as(t, "hf_bob")
	r, err := b.store.Create(ctx, repo.CreateSpec{Type: repo.Model, ID: "bob/m1"})
	if err != nil {
		t.Fatal(err)
	}
	commit := func(ref, path, text string) string {
		t.Helper()
		c, err := r.Commit(ctx, repo.CommitSpec{Ref: ref, Title: "x", Author: "bob", Changes: []repo.Change{{Path: path, Content: []byte(text)}}})
		if err != nil {
			t.Fatal(err)
		}
		return c.OID
	}
	pr, num, err := r.CommitPullRequest(ctx, repo.CommitSpec{Title: "pr", Author: "alice", Changes: []repo.Change{{Path: "p", Content: []byte("1")}}})
	if err != nil || num != 1 || r.Puller("refs/pr/1") != "alice" {
		t.Fatal(num, err)
	}
	main := commit("main", "q", "1")
	if paths, err := r.Conflicts(main, pr.OID); err != nil || len(paths) != 0 {
		t.Error(paths, err)
	}
	merged, err := r.Merge(ctx, "refs/heads/main", pr.OID, "Merge", "bob")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{main, pr.OID}, merged.Parents); diff != "" {
		t.Error(diff)
	}
	other := commit("refs/pr/1", "q", "2")
	if paths, err := r.Conflicts(merged.OID, other); err != nil || !cmp.Equal(paths, []string{"q"}) {
		t.Error(paths, err)
	}
	if _, err := r.Merge(ctx, "refs/heads/main", other, "Merge", "bob"); status(err) != 409 {
		t.Error(err)
	}
	if paths, err := r.ChangedPaths(main, merged.OID); err != nil || !cmp.Equal(paths, []string{"p"}) {
		t.Error(paths, err)
	}
}

// A duplicate is not to be found for a while.
func TestDuplicateIsHidden(t *testing.T) {
	b := setup(t, "")
	hidden, err := repo.New(repo.Options{
		Clock: b.clock, Accounts: b.book, Content: b.content, HideNew: func() time.Duration { return 8 * time.Second },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := b.as(t, "hf_bob")
	r, err := hidden.Create(ctx, repo.CreateSpec{Type: repo.Space, ID: "bob/sp", SDK: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hidden.Duplicate(ctx, r, repo.CreateSpec{ID: "bob/sp2"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := hidden.Find(ctx, repo.Space, "bob/sp2"); status(err) != 404 {
		t.Error(err)
	}
	b.clock.Advance(8 * time.Second)
	if _, err := hidden.Find(ctx, repo.Space, "bob/sp2"); err != nil {
		t.Error(err)
	}
}

// Contributors change what they made and nothing else; readers nothing.
func TestRoles(t *testing.T) {
	b := setup(t, "")
	b.book.Put(account.Entity{Type: "org", Name: "acme", Plan: "team", Members: map[string]string{"bob": "admin", "alice": "contributor"}})
	alice, bob := b.as(t, "hf_alice"), b.as(t, "hf_bob")
	for _, c := range []struct {
		id      string
		creator string
	}{{"acme/hers", "hf_alice"}, {"acme/his", "hf_bob"}} {
		if _, err := b.store.Create(b.as(t, c.creator), repo.CreateSpec{Type: repo.Model, ID: c.id, Visibility: repo.Private}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.store.Writable(alice, repo.Model, "acme/hers"); err != nil {
		t.Error(err)
	}
	if _, err := b.store.Writable(bob, repo.Model, "acme/hers"); err != nil {
		t.Error(err)
	}
	if _, err := b.store.Writable(alice, repo.Model, "acme/his"); status(err) != 403 {
		t.Error(err)
	}
	if _, err := b.store.Find(t.Context(), repo.Model, "acme/his"); status(err) != 401 {
		t.Error(err)
	}
	if err := b.store.Delete(alice, repo.Model, "acme/his"); status(err) != 403 {
		t.Error(err)
	}
}

// Models of old are found by their bare names.
func TestLegacyNames(t *testing.T) {
	b := setup(t, "")
	if _, err := b.store.Create(t.Context(), repo.CreateSpec{Type: repo.Model, ID: "openai-community/gpt2", Trusted: true}); err != nil {
		t.Fatal(err)
	}
	_, err := b.store.Find(t.Context(), repo.Model, "gpt2")
	var moved *repo.Moved
	if !errors.As(err, &moved) || moved.To != "openai-community/gpt2" {
		t.Error(err)
	}
}

func TestCardIsThatOfTheCommit(t *testing.T) {
	b := setup(t, "")
	r, err := b.store.Create(t.Context(), repo.CreateSpec{Type: repo.Model, ID: "bob/m", Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]map[string]any{
		"---\nlicense: mit\n---\n# x": {"license": "mit"}, "# no card": nil, "---\na: [\n---\nbroken": nil,
	} {
		c, err := r.Commit(t.Context(), repo.CommitSpec{Title: "x", Author: "bob", Changes: []repo.Change{{Path: "README.md", Content: []byte(text)}}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it is known
			if got := r.Card(c.OID); !cmp.Equal(want, got) {
				t.Errorf("%q: %v", text, got)
			}
		}
	}
}

func TestSubdomain(t *testing.T) {
	for id, want := range map[string]string{
		"bob/sp": "bob-sp", "_x/y_": "x-y", "Bob/My_Space.v2": "bob-my-space-v2",
		"bob/" + strings.Repeat("x", 90): "bob-" + strings.Repeat("x", 52) + "-",
	} {
		if got := repo.Subdomain(id); !strings.HasPrefix(got, want) || len(got) > 63 {
			t.Errorf("%s: %s", id, got)
		}
	}
}
