package repos_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/repos"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

// desk is the repository tools on a simulated Hub, where bob has the model
// bob/m1.
type desk struct {
	*stagetest.Stage
	client *hub.Client
	files  *repos.Files
	git    *repos.Git
	dir    string // the workspace
	made   []string
}

var m1 = repo.Ref{Type: wire.Model, ID: "bob/m1"}

func newDesk(t *testing.T, s *stagetest.Stage) *desk {
	t.Helper()
	d := &desk{Stage: s, client: s.Client(stagetest.Bob), dir: t.TempDir()}
	here, err := local.New(local.Options{Dir: d.dir, Root: d.dir, Python: func() string { return "" }, SpillDir: func(string) string { return d.dir }})
	if err != nil {
		t.Fatal(err)
	}
	o := repos.Options{
		Repos: d.client.Repos, Commits: d.client.Commits, Discussions: d.client.Discussions, Endpoint: d.client.Endpoint(),
		User: func(ctx context.Context) (string, error) {
			who, err := d.client.Account.Whoami(ctx)
			if err != nil {
				return "", err
			}
			return who.Name, nil
		},
		Workspace: here.Open, Root: d.dir,
		Made: func(_ context.Context, _ tool.Env, r repo.Ref) { d.made = append(d.made, "made "+r.String()) },
		Changed: func(_ context.Context, _ tool.Env, r repo.Ref, card bool) {
			if card {
				d.made = append(d.made, "card "+r.String())
			} else {
				d.made = append(d.made, "changed "+r.String())
			}
		},
		HasSecret: func(text string) string {
			if strings.Contains(text, "hf_secret") {
				return "hf token"
			}
			return ""
		},
	}
	if d.files, err = repos.NewFiles(o); err != nil {
		t.Fatal(err)
	}
	if d.git, err = repos.NewGit(o); err != nil {
		t.Fatal(err)
	}
	if _, err := d.client.Repos.Create(t.Context(), repo.CreateSpec{Ref: m1, Visibility: "public"}); err != nil {
		t.Fatal(err)
	}
	return d
}

// call resolves and runs a call as the engine does.
func (d *desk) call(t tool.Tool, args string) tool.Result {
	d.Helper()
	r, _ := d.callEnv(t, args)
	return r
}

func (d *desk) callEnv(t tool.Tool, args string) (tool.Result, *tooltest.Env) {
	d.Helper()
	env := &tooltest.Env{}
	resolved, err := t.(tool.Resolver).Resolve(d.Context(), json.RawMessage(args))
	if err != nil {
		return tool.Failed(err.Error()), env
	}
	r, err := t.Run(d.Context(), env, resolved)
	if err != nil {
		d.Fatalf("%s: %v", args, err)
	}
	return r, env
}

// must is a call that has to succeed and to say some texts.
func (d *desk) must(t tool.Tool, args string, texts ...string) tool.Result {
	d.Helper()
	r := d.call(t, args)
	d.want(r, true, texts...)
	return r
}

// refused is a call that has to fail and to say some texts.
func (d *desk) refused(t tool.Tool, args string, texts ...string) tool.Result {
	d.Helper()
	r := d.call(t, args)
	d.want(r, false, texts...)
	return r
}

func (d *desk) want(r tool.Result, ok bool, texts ...string) {
	d.Helper()
	if r.OK != ok {
		d.Errorf("ok is %v, want %v: %s", r.OK, ok, r.Output)
	}
	for _, text := range texts {
		if !strings.Contains(r.Output, text) {
			d.Errorf("the result does not hold %q:\n%s", text, r.Output)
		}
	}
}

// write puts a file into the workspace.
func (d *desk) write(name, text string) {
	d.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.Fatal(err)
	}
}

// paths are the files of a repository.
func (d *desk) paths(r repo.Ref) string {
	d.Helper()
	var all []string
	for e, err := range d.client.Repos.Tree(d.Context(), r, "main", repo.TreeOptions{Recursive: true}) {
		if err != nil {
			d.Fatal(err)
		}
		if !e.Dir() {
			all = append(all, e.Path)
		}
	}
	return strings.Join(all, " ")
}

// head is the newest commit.
func (d *desk) head(r repo.Ref) string {
	d.Helper()
	oid, err := d.client.Repos.Head(d.Context(), r, "")
	if err != nil {
		d.Fatal(err)
	}
	return oid
}
