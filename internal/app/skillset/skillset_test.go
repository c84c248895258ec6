package skillset_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
)

// site is a home and a repository with a folder in it.
type site struct {
	*testing.T
	home, repo, dir string
}

func newSite(t *testing.T, files map[string]string) *site {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t, filepath.Join(root, "home"), filepath.Join(root, "repo"), filepath.Join(root, "repo", "sub", "deep")}
	for _, dir := range []string{s.home, filepath.Join(s.repo, ".git"), s.dir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// load reads the configuration as in the repository's deepest folder.
func (s *site) load(change ...func(*config.Options)) *config.Loaded {
	s.Helper()
	o := config.Options{Dir: s.dir, Environ: []string{"HOME=" + s.home, "PATH=" + os.Getenv("PATH")}}
	for _, f := range change {
		f(&o)
	}
	l, err := config.Load(s.Context(), o)
	if err != nil {
		s.Fatal(err)
	}
	return l
}

func trusted(o *config.Options) { o.Trust = true }

func skill(name, what string) string {
	return "---\nname: " + name + "\ndescription: " + what + "\n---\n" + what + "\n"
}

// files are skills and commands of everybody.
func files() map[string]string {
	return map[string]string{
		"repo/.ml-intern/skills/a/SKILL.md":           skill("a", "of the root"),
		"repo/sub/.ml-intern/skills/a/SKILL.md":       skill("a", "of a folder below"),
		"repo/.claude/skills/b/SKILL.md":              skill("b", "of another agent"),
		"repo/.agents/skills/c/SKILL.md":              skill("c", "for all agents"),
		"repo/.claude/commands/d.md":                  "not read",
		"repo/.ml-intern/commands/e.md":               "The project's e.",
		"repo/.ml-intern/skills/broken/SKILL.md":      "broken",
		"home/.config/ml-intern/skills/eval/SKILL.md": skill("eval", "my own"),
		"home/.config/ml-intern/commands/e.md":        "My own e.",
		"home/.config/ml-intern/commands/f.md":        "My own f.",
	}
}

// called lists what a person may call, with what it says.
func called(t *testing.T, s *skillset.Set) string {
	t.Helper()
	var out []string
	for _, e := range s.Callable() {
		if e.Origin == skills.BuiltIn {
			out = append(out, e.Name)
			continue
		}
		body, err := e.Body()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Name+" ("+strings.TrimSpace(body)+")")
	}
	return strings.Join(out, ", ")
}

// Of a folder that is not trusted nothing is read, and that is said in one line; a
// trusted one counts before the person's own and what is built in.
func TestTrust(t *testing.T) {
	s := newSite(t, files())
	l := s.load()
	set := skillset.Load(l)
	if got, want := called(t, set), "eval (my own), e (My own e.), f (My own f.), dataset-card, debug-oom, finetune, reproduce-paper"; got != want {
		t.Errorf("not trusted: %s", got)
	}
	inRepo := func(names ...string) []string {
		var out []string
		for _, name := range names {
			out = append(out, filepath.Join(s.repo, filepath.FromSlash(name)))
		}
		return out
	}
	if diff := cmp.Diff(inRepo("sub/.ml-intern/skills", ".ml-intern/skills", ".ml-intern/commands", ".agents/skills", ".claude/skills"), set.Passed); diff != "" {
		t.Errorf("passed by (-want +got):\n%s", diff)
	}
	want := strings.Join(inRepo("sub/.ml-intern/skills", ".ml-intern/skills", ".ml-intern/commands"), ", ") + ": not read, because this folder is not trusted (ml-intern trust)"
	if diff := cmp.Diff([]string{want}, set.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if err := place.OpenTrust(l.Places.TrustFile()).Trust(s.repo); err != nil {
		t.Fatal(err)
	}
	const all = "a (of a folder below), b (of another agent), c (for all agents), e (The project's e.), eval (my own), f (My own f.), dataset-card, debug-oom, finetune, reproduce-paper"
	for name, l := range map[string]*config.Loaded{"on the list": s.load(), "for this run": s.load(trusted)} {
		set = skillset.Load(l)
		if got := called(t, set); got != all {
			t.Errorf("%s: %s", name, got)
		}
		if w := set.Warnings(); len(set.Passed) > 0 || len(w) != 1 || !strings.Contains(w[0], "broken/SKILL.md: left out") {
			t.Errorf("%s: %v, %v", name, set.Passed, w)
		}
	}
}

// A project's folder that leads out of the repository is not read.
func TestProjectsStayInside(t *testing.T) {
	s := newSite(t, map[string]string{"elsewhere/skills/x/SKILL.md": skill("x", "d"), "elsewhere/commands/y.md": "y"})
	if err := os.Symlink(filepath.Join(filepath.Dir(s.repo), "elsewhere"), filepath.Join(s.repo, ".ml-intern")); err != nil {
		t.Skip(err)
	}
	set := skillset.Load(s.load(trusted))
	if _, ok := set.Called("x"); ok || len(set.Problems) != 2 {
		t.Errorf("%s, %v", called(t, set), set.Problems)
	}
}

// Rules are checked as the configuration's are.
func TestRules(t *testing.T) {
	s := newSite(t, map[string]string{"repo/.ml-intern/commands/x.md": "---\nallowed-tools: bash(git status*) 9x\n---\ntext"})
	set := skillset.Load(s.load(trusted))
	e, ok := set.Called("x")
	if !ok || e.Allow != nil || len(set.Warnings()) != 1 || !strings.Contains(set.Warnings()[0], `allowed-tools is left out: rule allow[1] "9x" is wrong`) {
		t.Errorf("%+v %v", e, set.Warnings())
	}
}

// open makes the tool, and what it warned of.
func (s *site) open(l *config.Loaded, temp string) (tool.Tool, []string) {
	s.Helper()
	var warned []string
	t, err := skillset.Tool(l, temp, func(line string) { warned = append(warned, line) })
	if err != nil {
		s.Fatal(err)
	}
	return t, warned
}

func run(t *testing.T, tl tool.Tool, args string) tool.Result {
	t.Helper()
	r, err := tl.Run(t.Context(), &tooltest.Env{Chars: 100_000}, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Files of skills lie where commands can reach them: a skill's own folder, or the
// session's, where that one is built in or behind a fence.
func TestFilesForCommands(t *testing.T) {
	s := newSite(t, map[string]string{
		"repo/.ml-intern/skills/p/SKILL.md": skill("p", "d"), "repo/.ml-intern/skills/p/scripts/x.py": "1",
		"home/.config/ml-intern/skills/u/SKILL.md": skill("u", "d"), "home/.config/ml-intern/skills/u/scripts/y.py": "2",
	})
	l := s.load(trusted)
	temp := filepath.Join(t.TempDir(), "session")
	tl, warned := s.open(l, temp)
	if len(warned) > 0 {
		t.Error(warned)
	}
	folder := func(name string) string {
		_, rest, _ := strings.Cut(run(t, tl, `{"name":"`+name+`"}`).Output, "\nFiles in ")
		dir, _, _ := strings.Cut(rest, ": ")
		return dir
	}
	for name, want := range map[string]string{
		"p": filepath.Join(s.repo, ".ml-intern", "skills", "p"), "u": filepath.Join(s.home, ".config", "ml-intern", "skills", "u"), "finetune": filepath.Join(temp, "skills", "finetune"),
	} {
		if got := folder(name); got != want {
			t.Errorf("%s lies in %s", name, got)
		}
	}
	for range 2 { // once more changes nothing
		raw, err := os.ReadFile(filepath.Join(folder("finetune"), "scripts", "vram.py"))
		if err != nil || !strings.HasPrefix(string(raw), "#!/usr/bin/env python3\n") {
			t.Errorf("%q, %v", raw, err)
		}
	}
	l.Config.ConfineFiles = "workspace"
	tl, _ = s.open(l, temp)
	if got := folder("u"); got != filepath.Join(temp, "skills", "u") || folder("p") == "" {
		t.Errorf("behind the fence: %s", got)
	}
	l.Config.ToolRuntime = "sandbox"
	tl, _ = s.open(l, temp)
	if r := run(t, tl, `{"name":"u"}`); !strings.Contains(r.Output, "not where bash runs") {
		t.Error(r.Output)
	}
	// A folder that cannot be written is said, and nothing is loaded from it.
	l.Config.ToolRuntime = "local"
	if err := os.WriteFile(filepath.Join(t.TempDir(), "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tl, _ = s.open(l, blocked)
	if r := run(t, tl, `{"name":"finetune"}`); r.OK || !strings.Contains(r.Output, "where commands can reach it") {
		t.Error(r.Output)
	}
}

// The tool lists what the model may load; what is left out is warned of.
func TestTool(t *testing.T) {
	s := newSite(t, files())
	tl, warned := s.open(s.load(trusted), t.TempDir())
	spec := tl.Spec()
	for _, want := range []string{"\n- a: of a folder below", "\n- eval: my own", "\n- finetune: Fine-tune"} {
		if !strings.Contains(spec.Description, want) {
			t.Errorf("no %q in %s", want, spec.Description)
		}
	}
	if strings.Contains(spec.Description, "uncertainty") || len(warned) != 1 {
		t.Errorf("%s, %v", spec.Description, warned)
	}
	tl, warned = s.open(s.load(), t.TempDir())
	if strings.Contains(tl.Spec().Description, "- a:") || len(warned) != 1 || !strings.Contains(warned[0], "not trusted") {
		t.Errorf("not trusted: %s, %v", tl.Spec().Description, warned)
	}
	if r := run(t, tl, `{"name":"a"}`); r.OK {
		t.Error("a skill of a folder that is not trusted was loaded")
	}
}

// What the built-in skills tell the agent to use is there.
func TestToolsThatSkillsName(t *testing.T) {
	home := t.TempDir()
	a, err := app.New(t.Context(), app.Options{Dir: home, Environ: []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "HF_ENDPOINT=http://127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	all, err := a.Tools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	schemas := map[string]string{}
	for _, tl := range all {
		schemas[tl.Spec().Name] = string(tl.Spec().Parameters)
	}
	set := skillset.Load(a.Loaded)
	for _, e := range set.Skills() {
		body, err := e.Body()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("`((?:hf|hub|github|explore|fetch|web|plan|wait)_[a-z_]+|research|bash_jobs)`").FindAllStringSubmatch(body, -1) {
			if schemas[m[1]] == "" && !slices.Contains([]string{"hub_model_id"}, m[1]) {
				t.Errorf("%s names the tool %s, which is not there", e.Name, m[1])
			}
		}
		for _, m := range regexp.MustCompile("`([a-z_]+)`[^`\n]*\\s+with\\s+`operation: ([a-z_ ]+)`").FindAllStringSubmatch(body, -1) {
			if !strings.Contains(schemas[m[1]], `"`+m[2]+`"`) {
				t.Errorf("%s: %s has no operation %s", e.Name, m[1], m[2])
			}
		}
	}
}
