package seed_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/seed"
)

// planted is the seed in a book and a store of its own.
func planted(t *testing.T, s *seed.Seed) (*account.Book, *repo.Store) {
	t.Helper()
	c := clock.New(clock.Options{})
	t.Cleanup(c.Stop)
	book := account.New(c)
	files, err := content.New(content.Options{Clock: c, Base: func() string { return "http://cdn.test" }})
	if err != nil {
		t.Fatal(err)
	}
	store, err := repo.New(repo.Options{Clock: c, Accounts: book, Content: files})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Plant(t.Context(), book, store); err != nil {
		t.Fatal(err)
	}
	return book, store
}

func acme(t *testing.T) *seed.Seed {
	t.Helper()
	s, err := seed.Open(seed.Acme)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAcmeHasItsPeople(t *testing.T) {
	book, _ := planted(t, acme(t))
	for name, credit := range map[string]int64{"alice": 5_000_000, "bob": 25_000_000, "acme": 100_000_000} {
		if e, ok := book.Find(name); !ok || e.CreditMicroUSD != credit {
			t.Errorf("%s: %+v", name, e)
		}
	}
	type may struct {
		permission, ns string
		want           bool
	}
	for token, rights := range map[string][]may{
		"hf_bob_write":   {{account.RepoWrite, "bob", true}, {account.JobWrite, "bob", true}, {account.RepoWrite, "acme", true}, {account.JobWrite, "acme", true}, {account.RepoWrite, "alice", false}},
		"hf_bob_fine":    {{account.RepoRead, "bob", true}, {account.JobWrite, "bob", true}, {account.RepoWrite, "bob", false}, {account.RepoRead, "acme", false}, {account.JobWrite, "acme", false}},
		"hf_alice_read":  {{account.RepoRead, "alice", true}, {account.RepoWrite, "alice", false}, {account.JobWrite, "alice", false}},
		"hf_alice_write": {{account.RepoWrite, "alice", true}, {account.RepoRead, "acme", true}, {account.RepoWrite, "acme", false}},
	} {
		caller, ok := book.Authenticate(token)
		if !ok {
			t.Fatalf("no token %s", token)
		}
		for _, r := range rights {
			if got := caller.May(r.permission, r.ns); got != r.want {
				t.Errorf("%s may %s in %s: %v", token, r.permission, r.ns, got)
			}
		}
	}
}

func TestAcmeHasItsRepositories(t *testing.T) {
	_, store := planted(t, acme(t))
	for _, c := range []struct {
		t     repo.Type
		id    string
		files []string
	}{
		{repo.Model, "acme/tiny-base", []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"}},
		{repo.Model, "acme/tiny-gpt", []string{"chat_template.jinja", "model.safetensors", ".eval_results/mini-bench.yaml", ".gitattributes"}},
		{repo.Model, "acme/gated", []string{"model.safetensors", "LICENSE"}},
		{repo.Dataset, "acme/toy-chat", []string{"train.jsonl", "test.jsonl"}},
		{repo.Dataset, "acme/chat-sft", []string{"data/train.jsonl", "data/test.jsonl"}},
		{repo.Dataset, "acme/audit-mini", []string{"data/train.jsonl", "data/test.jsonl"}},
		{repo.Dataset, "acme/mini-bench", []string{"test.jsonl", "eval.yaml"}},
		{repo.Space, "acme/demo", []string{"app.py", "Dockerfile", "README.md"}},
	} {
		r, err := store.Find(t.Context(), c.t, c.id)
		if err != nil {
			t.Fatalf("%s: %v", c.id, err)
		}
		oid, err := r.Head("main")
		if err != nil {
			t.Fatal(err)
		}
		files := r.Files(oid)
		for _, name := range c.files {
			i := slices.IndexFunc(files, func(f repo.File) bool { return f.Path == name })
			if i < 0 {
				t.Errorf("%s has no %s", c.id, name)
			} else if large := strings.HasSuffix(name, ".safetensors"); large != (files[i].LFS != nil) {
				t.Errorf("%s: %s: LFS is %v", c.id, name, files[i].LFS)
			}
		}
		if card := r.Card(oid); card["license"] == nil {
			t.Errorf("%s has no card: %v", c.id, card)
		}
		if r.Creator() != "bob" || r.CreatedAt().Year() != 2025 {
			t.Errorf("%s was made by %s at %s", c.id, r.Creator(), r.CreatedAt())
		}
	}
	gated, err := store.Find(t.Context(), repo.Model, "acme/gated")
	if err != nil || gated.Gated() != "auto" || gated.Likes() != 7 {
		t.Errorf("%v %+v", err, gated)
	}
}

func TestWeightsFitTheConfig(t *testing.T) {
	for _, model := range []string{"tiny-base", "tiny-gpt", "gated"} {
		dir := filepath.Join("acme", "models", "acme", model)
		raw, err := os.ReadFile(filepath.Join(dir, "files", "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		n := binary.LittleEndian.Uint64(raw)
		var header map[string]struct {
			Dtype   string
			Shape   []int
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw[8:8+n], &header); err != nil {
			t.Fatal(err)
		}
		total, end := 0, 0
		for name, x := range header {
			if name == "__metadata__" {
				continue
			}
			size := 1
			for _, d := range x.Shape {
				size *= d
			}
			if x.Dtype != "F32" || x.Offsets[1]-x.Offsets[0] != 4*size {
				t.Errorf("%s: %+v", name, x)
			}
			total += size
			end = max(end, x.Offsets[1])
		}
		if end != len(raw)-8-int(n) || n%8 != 0 {
			t.Errorf("%d bytes of data in a file of %d", end, len(raw))
		}
		config, tokenizer, info := readJSON(t, dir, "files/config.json"), readJSON(t, dir, "files/tokenizer.json"), readJSON(t, dir, "repo.json")
		vocabulary := at(tokenizer, "model", "vocab").(map[string]any)
		if float64(len(vocabulary)) != at(config, "vocab_size") || header["transformer.wte.weight"].Shape[0] != len(vocabulary) || float64(header["transformer.wpe.weight"].Shape[0]) != at(config, "n_positions") {
			t.Errorf("%s: %d entries, config %v", model, len(vocabulary), config)
		}
		if float64(total) != at(info, "info", "safetensors", "total") {
			t.Errorf("%s has %d parameters, its info says %v", model, total, info)
		}
		for _, m := range at(tokenizer, "model", "merges").([]any) {
			a, b, _ := strings.Cut(m.(string), " ")
			if vocabulary[a] == nil || vocabulary[b] == nil || vocabulary[a+b] == nil {
				t.Errorf("%s: merge %q of unknown pieces", model, m)
			}
		}
	}
}

func readJSON(t *testing.T, dir, name string) any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func at(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// TestWhatTheSeedNamesIsThere: ids, papers and pages that its texts link to
// exist in it.
func TestWhatTheSeedNamesIsThere(t *testing.T) {
	s := acme(t)
	known := map[string]bool{}
	for _, r := range s.Repos {
		known[r.ID] = true
	}
	for i := range s.Neighbours.Code {
		known[s.Neighbours.Code[i].Full()] = true
	}
	for _, p := range s.Neighbours.Papers {
		known[p.ID] = true
		if p.Markdown == "" || p.HTML == "" || !strings.HasPrefix(p.Markdown, "# "+p.Title+"\n") || !strings.Contains(p.Summary, "invented") {
			t.Errorf("%s is not whole", p.ID)
		}
		for _, ref := range p.References {
			for _, c := range ref.Contexts {
				if !strings.Contains(p.Markdown, c) {
					t.Errorf("%s does not say %q", p.ID, c)
				}
			}
		}
	}
	pages := map[string]bool{}
	for _, set := range s.Neighbours.Docs {
		if len(set.Pages) < 6 {
			t.Errorf("%s has %d pages", set.Slug, len(set.Pages))
		}
		for _, p := range set.Pages {
			pages[set.Slug+"/"+p.Path] = true
		}
	}
	link := regexp.MustCompile(`\]\(([a-z_-]+)\)`)
	for _, set := range s.Neighbours.Docs {
		for _, p := range set.Pages {
			for _, m := range link.FindAllStringSubmatch(p.Text, -1) {
				if !pages[set.Slug+"/"+m[1]] {
					t.Errorf("%s/%s links to %s", set.Slug, p.Path, m[1])
				}
			}
		}
	}
	id := regexp.MustCompile(`\bacme/[a-z][a-z-]+[a-z]\b|\b25\d\d\.99\d{3}\b`)
	err := filepath.WalkDir("acme", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) == ".safetensors" {
			return err
		}
		raw, err := os.ReadFile(name)
		for _, m := range id.FindAllString(string(raw), -1) {
			if !known[m] && m != "acme/my-model" { // an example of the docs
				t.Errorf("%s names %s, which is not there", name, m)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.Collections {
		for _, it := range c.Items {
			if !known[it.ID] {
				t.Errorf("collection %s holds %s", c.Title, it.ID)
			}
		}
	}
}

// TestTheSeedStaysSmall: it lies in every binary.
func TestTheSeedStaysSmall(t *testing.T) {
	total := int64(0)
	err := filepath.WalkDir("acme", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	})
	if err != nil || total > 2<<20 {
		t.Errorf("%d bytes (%v)", total, err)
	}
}

func TestOpen(t *testing.T) {
	if s, err := seed.Open(seed.Empty); err != nil || len(s.Accounts)+len(s.Repos) != 0 {
		t.Errorf("%v %+v", err, s)
	}
	if _, err := seed.Open("none"); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("%v", err)
	}
	s, err := seed.Open("acme") // the name, though a folder of that name is here
	if err != nil || len(s.Repos) != 8 {
		t.Errorf("%v", err)
	}
	dir, err := filepath.Abs("acme")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := seed.Open(dir); err != nil || len(s.Repos) != 8 || len(s.Neighbours.Papers) != 5 {
		t.Errorf("%v", err)
	}
}

// A seed of somebody else shows nothing of this machine but itself.
func TestNoLinkLeadsOutOfASeed(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(dir, "models", "bob", "m", "files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"seed.json": `{"users":[{"name":"bob","plan":"free"}]}`, "models/bob/m/repo.json": `{}`, "models/bob/m/files/a.txt": "a",
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.txt", filepath.Join(files, "b.txt")); err != nil {
		t.Fatal(err)
	}
	if s, err := seed.Open(dir); err != nil || len(s.Repos[0].Files) != 2 {
		t.Fatalf("a link within the seed: %v", err)
	}
	if err := os.Symlink(secret, filepath.Join(files, "c.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := seed.Open(dir); err == nil {
		t.Error("a link out of the seed is followed")
	}
}

func TestBadSeedsNameFileAndField(t *testing.T) {
	const people = `{"users":[{"name":"ann","plan":"free"}],"orgs":[{"name":"org","members":{"ann":"admin"}}]}`
	paper := `{"id":"2501.00001","title":"T","authors":["A"],"publishedAt":"2025-01-01T00:00:00Z","summary":"S","categories":["cs.CL"]%s}`
	for _, c := range []struct{ file, text, want string }{
		{"seed.json", `{"users":[{"name":"ann","plan":"gold"}]}`, `seed.json: users[0].plan: is "gold"`},
		{"seed.json", `{"users":[{"name":"a/b","plan":"free"}]}`, "seed.json: users[0].name:"},
		{"seed.json", `{"users":[{"name":"ann","plan":"free"},{"name":"ann","plan":"pro"}]}`, "users[1].name: \"ann\" is there twice"},
		{"seed.json", `{"orgs":[{"name":"org","members":{"zed":"read"}}]}`, "orgs[0].members: no user \"zed\""},
		{"seed.json", `{"users":[{"name":"ann","plan":"free"}],"orgs":[{"name":"org","members":{"ann":"king"}}]}`, "orgs[0].members.ann:"},
		{"seed.json", `{"users":[{"name":"ann","plan":"free"}],"tokens":[{"value":"x","owner":"ann","role":"read"}]}`, "tokens[0].value:"},
		{"seed.json", `{"tokens":[{"value":"hf_x","owner":"ann","role":"read"}]}`, "tokens[0].owner:"},
		{"seed.json", `{"users":[{"name":"ann","plan":"free"}],"tokens":[{"value":"hf_x","owner":"ann","role":"all"}]}`, "tokens[0].role:"},
		{"seed.json", `{"users":[{"name":"ann","plan":"free"}],"tokens":[{"value":"hf_x","owner":"ann","role":"fineGrained","scoped":[{"entity":"zed"}]}]}`, "tokens[0].scoped[0].entity:"},
		{"seed.json", `{"user":[]}`, `seed.json: json: unknown field "user"`},
		{"seed.json", `{"users":[{"name":"ann","plan":"free"}],"collections":[{"owner":"ann","title":"T","items":[{"type":"model","id":"ann/none"}]}]}`, "collections[0].items[0].id:"},
		{"seed.json", `{"collections":[{"owner":"zed","title":"T"}]}`, "collections[0].owner:"},
		{"models/zed/m/repo.json", `{}`, "models/zed/m/repo.json: namespace:"},
		{"models/ann/m/repo.json", `{"gated":"yes"}`, "models/ann/m/repo.json: gated:"},
		{"models/ann/m/repo.json", `{"colour":"red"}`, `unknown field "colour"`},
		{"models/ann/m/repo.json", `{"author":"zed"}`, "author:"},
		{"models/ann/m/repo.json", `{"grants":{"zed":"accepted"}}`, "grants:"},
		{"models/ann/m/repo.json", `{"sdk":"docker"}`, "sdk:"},
		{"models/ann/--m/repo.json", `{}`, "name:"},
		{"spaces/ann/s/repo.json", `{}`, "spaces/ann/s/repo.json: sdk:"},
		{"datasets/ann/d/files/x.txt", "x", "datasets/ann/d/repo.json"},
		{"papers/2501.00001.json", fmt.Sprintf(paper, `,"references":[{"arxivId":"1.1"}]`), "papers/2501.00001.json: references[0].arxivId:"},
		{"papers/2501.00002.json", fmt.Sprintf(paper, ""), "papers/2501.00002.json: id:"},
		{"papers/2501.00001.json", `{"id":"2501.00001"}`, "title: is empty"},
		{"docs/x/index.md", "# X", "docs/x/toc.json"},
		{"docs/x/toc.json", `{"title":"X","pages":[{"path":"none","title":"N"}]}`, "docs/x/toc.json: pages[0].path:"},
		{"github/o/r/repo.json", `{}`, "github/o/r/repo.json: createdAt"},
		{"web/page.html", "x", "web/page.html:"},
		{"routes.json", `[{"path":"x"}]`, "routes.json: route 1: path:"},
	} {
		fsys := fstest.MapFS{"seed.json": {Data: []byte(people)}}
		fsys[c.file] = &fstest.MapFile{Data: []byte(c.text)}
		if _, err := seed.Read(fsys); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.file, c.text, err, c.want)
		}
	}
	if _, err := seed.Read(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "seed.json") {
		t.Errorf("%v", err)
	}
}

func TestPlantTellsWhichRepositoryFails(t *testing.T) {
	s, err := seed.Read(fstest.MapFS{
		"seed.json":              {Data: []byte(`{"users":[{"name":"ann","plan":"free"}]}`)},
		"models/ann/m/repo.json": {Data: []byte(`{"visibility":"private","grants":{"ann":"accepted"},"likes":3}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	book, store := planted(t, s)
	r := store.All(repo.Model)[0]
	if !r.Private() || r.Likes() != 3 || r.Creator() != "ann" {
		t.Errorf("%+v", r.Settings())
	}
	if err := s.Plant(t.Context(), book, store); err == nil || !strings.Contains(err.Error(), "seed model ann/m") {
		t.Errorf("%v", err)
	}
}
