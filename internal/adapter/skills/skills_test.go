package skills_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
)

// tree writes files below a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const body = "---\nname: %\ndescription: Does %. Use it for %.\n---\n\nDo it well.\n"

// skill is a sound SKILL.md.
func skill(name string) string { return strings.ReplaceAll(body, "%", name) }

// project looks into a folder as into a trusted project.
func project(dir string) skills.Options {
	return skills.Options{
		Skills:   []skills.Place{{Dir: filepath.Join(dir, "skills"), Origin: skills.Project, Within: dir}},
		Commands: []skills.Place{{Dir: filepath.Join(dir, "commands"), Origin: skills.Project, Within: dir}},
	}
}

// told are the problems, with paths relative to a folder.
func told(l *skills.Library, dir string) []string {
	var out []string
	for _, p := range l.Problems {
		line := strings.ReplaceAll(strings.ReplaceAll(p.String(), dir+string(filepath.Separator), ""), dir, ".")
		if p.Remark {
			line = "remark: " + line
		}
		out = append(out, filepath.ToSlash(line))
	}
	return out
}

// called lists what a person may call, with whose it is.
func called(entries []skills.Entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, string(e.Kind)+" "+e.Name+" ("+string(e.Origin)+")")
	}
	return strings.Join(out, ", ")
}

func TestFrontMatter(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want skills.Entry // where it is sound
		lost string       // why it is left out
		says string       // a remark
	}{
		"whole": {
			text: "---\nname: x\ndescription: >\n  Does\n  this.\nlicense: MIT\ncompatibility: Needs uv\nmetadata:\n  author: me\n  version: 1.0\nallowed-tools: Bash(git add:*) Read, hf_jobs(flavor=cpu-*)\nargument-hint: \"[model] on [data]\"\nmodel: ollama/x\n---\nbody\n",
			want: skills.Entry{
				Description: "Does this.", License: "MIT", Compatibility: "Needs uv", Metadata: map[string]string{"author": "me", "version": "1.0"},
				Allow: []string{"bash(git add *)", "read", "hf_jobs(flavor=cpu-*)"}, Hint: "[model] on [data]", Model: "ollama/x", ForModel: true, ForPerson: true,
			},
		},
		"list of tools":     {text: "---\nname: x\ndescription: d\nallowed-tools:\n  - Bash(uv run:*)\n  - Write\n---\nb", want: skills.Entry{Description: "d", Allow: []string{"bash(uv run *)", "write"}, ForModel: true, ForPerson: true}},
		"hint in metadata":  {text: "---\nname: x\ndescription: d\nmetadata: {argument-hint: \"[id]\"}\n---\nb", want: skills.Entry{Description: "d", Hint: "[id]", Metadata: map[string]string{"argument-hint": "[id]"}, ForModel: true, ForPerson: true}},
		"hint as a list":    {text: "---\nname: x\ndescription: d\nargument-hint: [model, data]\n---\nb", want: skills.Entry{Description: "d", Hint: "[model, data]", ForModel: true, ForPerson: true}},
		"line ends":         {text: "\ufeff---\r\nname: x\r\ndescription: d\r\n--- \r\nb\r\n", want: skills.Entry{Description: "d", ForModel: true, ForPerson: true}},
		"for the model":     {text: "---\nname: x\ndescription: d\nuser-invocable: false\n---\nb", want: skills.Entry{Description: "d", ForModel: true}},
		"for a person":      {text: "---\nname: x\ndescription: d\ndisable-model-invocation: true\nmodel: inherit\n---\nb", want: skills.Entry{Description: "d", ForPerson: true}},
		"unknown key":       {text: "---\nname: x\ndescription: d\ncolour: red\nhooks: {a: b}\n---\nb", want: skills.Entry{Description: "d", ForModel: true, ForPerson: true}, says: "its front matter has colour, hooks, which is not read"},
		"control signs":     {text: "---\nname: x\ndescription: \"a\\e[31mred\\x07 b\"\n---\nb", want: skills.Entry{Description: "ared b", ForModel: true, ForPerson: true}},
		"no front matter":   {text: "# Title\n", lost: `it does not begin with front matter between two lines "---"`},
		"never closed":      {text: "---\nname: x\n", lost: `it does not begin with front matter between two lines "---"`},
		"no name":           {text: "---\ndescription: d\n---\nb", lost: "it has no name"},
		"another name":      {text: "---\nname: y\ndescription: d\n---\nb", lost: `its name is "y", and its folder's "x": they must be the same`},
		"capital letters":   {text: "---\nname: X\ndescription: d\n---\nb", lost: `its name is "X": it may have small letters a to z, digits and hyphens only`},
		"two hyphens":       {text: "---\nname: a--b\ndescription: d\n---\nb", lost: `its name is "a--b": hyphens stand alone, between letters or digits`},
		"long name":         {text: "---\nname: " + strings.Repeat("a", 65) + "\ndescription: d\n---\nb", lost: "its name has 65 characters, more than 64"},
		"no description":    {text: "---\nname: x\n---\nb", lost: "it has no description: the agent would not know when to use it"},
		"long description":  {text: "---\nname: x\ndescription: " + strings.Repeat("é", 1025) + "\n---\nb", lost: "description has 1025 characters, more than 1024"},
		"long environment":  {text: "---\nname: x\ndescription: d\ncompatibility: " + strings.Repeat("c", 501) + "\n---\nb", lost: "compatibility has 501 characters, more than 500"},
		"long hint":         {text: "---\nname: x\ndescription: d\nargument-hint: " + strings.Repeat("c", 101) + "\n---\nb", lost: "argument-hint has 101 characters, more than 100"},
		"no text":           {text: "---\nname: x\ndescription: [d]\n---\nb", lost: "description is no text"},
		"metadata":          {text: "---\nname: x\ndescription: d\nmetadata: [a]\n---\nb", lost: "metadata is no list of keys and values"},
		"deep metadata":     {text: "---\nname: x\ndescription: d\nmetadata: {a: {b: c}}\n---\nb", lost: "metadata may hold texts only"},
		"no switch":         {text: "---\nname: x\ndescription: d\nuser-invocable: maybe\n---\nb", lost: `user-invocable is "maybe": it must be true or false`},
		"nothing to do":     {text: "---\nname: x\ndescription: d\n---\n \n", lost: "it says nothing behind its front matter"},
		"no mapping":        {text: "---\n- name\n---\nb", lost: "its front matter is no list of keys and values"},
		"twice":             {text: "---\nname: x\nname: x\ndescription: d\n---\nb", lost: "its front matter has name twice"},
		"colon":             {text: "---\nname: x\ndescription: Use it: always\n---\nb", lost: `its front matter is no YAML (line 2: mapping values are not allowed in this context); a value with ": " or "#" needs quotes`},
		"aliases":           {text: "---\nname: x\ndescription: &a d\nlicense: *a\n---\nb", lost: "its front matter has anchors or aliases, which are not read"},
		"too much":          {text: "---\nname: x\ndescription: d\nx: " + strings.Repeat("y", 17000) + "\n---\nb", lost: "its front matter has 17027 bytes, more than 16384"},
		"no UTF-8":          {text: "---\nname: x\ndescription: \xff\n---\nb", lost: "it is no UTF-8 text"},
		"too large a file":  {text: skill("x") + strings.Repeat("y", 256<<10), lost: "it has 262208 bytes, more than 262144"},
		"no list of tools":  {text: "---\nname: x\ndescription: d\nallowed-tools: {a: b}\n---\nb", lost: "allowed-tools is neither a text nor a list of texts"},
		"tools of no texts": {text: "---\nname: x\ndescription: d\nallowed-tools: [[a]]\n---\nb", lost: "allowed-tools holds something that is no text"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{"skills/x/SKILL.md": test.text})
			l := skills.Load(project(dir))
			var want []string
			switch {
			case test.lost != "":
				want = []string{"skills/x/SKILL.md: left out: " + test.lost}
			case test.says != "":
				want = []string{"remark: skills/x/SKILL.md: " + test.says}
			}
			if diff := cmp.Diff(want, told(l, dir)); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if test.lost != "" {
				if len(l.Entries) > 0 {
					t.Errorf("it is there: %+v", l.Entries)
				}
				return
			}
			if len(l.Entries) != 1 {
				t.Fatalf("%d entries", len(l.Entries))
			}
			test.want.Kind, test.want.Name, test.want.Origin = skills.Skill, "x", skills.Project
			test.want.Dir = filepath.Join(dir, "skills", "x")
			test.want.Path = filepath.Join(test.want.Dir, "SKILL.md")
			if diff := cmp.Diff(test.want, l.Entries[0], cmpopts.IgnoreUnexported(skills.Entry{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if text, err := l.Entries[0].Body(); err != nil || !strings.HasPrefix(text, "b") {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	dir := tree(t, map[string]string{
		"commands/fix.md":           "Fix issue $1.\n",
		"commands/git/Review.md":    "---\ndescription: look at it\nargument-hint: [branch]\nallowed-tools: Bash(git diff:*), Bash(git log:*)\nmodel: ollama/x\n---\n# Review\nLook.\n",
		"commands/a/b/deep.md":      "\n\n## A heading\ntext",
		"commands/with blank.md":    "x",
		"commands/empty.md":         "---\ndescription: d\n---\n",
		"commands/broken.md":        "---\n: [\n---\nx",
		"commands/notes.txt":        "no command",
		"commands/.hidden.md":       "x",
		"commands/.git/config.md":   "x",
		"commands/1/2/3/4/5/6/7.md": "x",
		"commands/x.md/y.md":        "text",
		"commands/open/quote.md":    "---\nno end of front matter",
		"commands/odd/@.md":         "x",
		"commands/skill/SKILL2.md":  "text",
	})
	l := skills.Load(project(dir))
	var got []string
	for _, e := range l.Callable() {
		got = append(got, e.Name+": "+e.Description+" "+e.Hint+" "+strings.Join(e.Allow, "+")+" "+e.Model)
	}
	want := []string{
		"a:b:deep: A heading   ", "fix: Fix issue $1.   ",
		"git:review: look at it [branch] bash(git diff *)+bash(git log *) ollama/x",
		"open:quote: ---   ", "skill:skill2: text   ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(l.Skills()) > 0 {
		t.Error("commands are no skills")
	}
	lines := told(l, dir)
	for _, part := range []string{
		`commands/with blank.md: left out: its name "with blank" may have letters a to z, digits, - and _ only`,
		"commands/empty.md: left out: it says nothing", "commands/broken.md: left out: its front matter is no YAML",
		`commands/x.md/y.md: left out: its name "x.md:y"`, `commands/odd/@.md: left out: its name "odd:@"`,
	} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, part) }) {
			t.Errorf("nobody is told: %s\n%s", part, strings.Join(lines, "\n"))
		}
	}
	if len(lines) != 5 {
		t.Errorf("told: %s", strings.Join(lines, "\n"))
	}
}

// The nearest counts: a project's before the person's own before a built-in one;
// for what a person calls, skills and commands share their names.
func TestPrecedence(t *testing.T) {
	dir := tree(t, map[string]string{
		"p/skills/both/SKILL.md": skill("both"), "p/commands/both.md": "the command", "p/commands/finetune.md": "mine",
		"u/skills/both/SKILL.md": skill("both"), "u/skills/eval/SKILL.md": skill("eval"), "u/commands/note.md": "note", "u/commands/help.md": "no",
		"p/skills/plan/SKILL.md": skill("plan"),
	})
	o := project(filepath.Join(dir, "p"))
	o.Skills = append(o.Skills, skills.Place{Dir: filepath.Join(dir, "u", "skills"), Origin: skills.User})
	o.Commands = append(o.Commands, skills.Place{Dir: filepath.Join(dir, "u", "commands"), Origin: skills.User})
	o.BuiltIn = fstest.MapFS{"eval/SKILL.md": {Data: []byte(skill("eval"))}, "finetune/SKILL.md": {Data: []byte(skill("finetune"))}, "README.md": {Data: []byte("x")}}
	o.Reserved = func(name string) bool { return name == "help" || name == "plan" }
	l := skills.Load(o)
	if got, want := called(l.Callable()), "skill both (project), command finetune (project), skill eval (user), command note (user)"; got != want {
		t.Errorf("a person calls %s", got)
	}
	if got, want := called(l.Skills()), "skill both (project), skill plan (project), skill eval (user), skill finetune (built-in)"; got != want {
		t.Errorf("the model loads %s", got)
	}
	want := []string{
		"p/skills/plan/SKILL.md: /plan is a command of the program, so this skill cannot be called by that name: give it another",
		"u/commands/help.md: /help is a command of the program, so this command cannot be called by that name: give it another",
		"remark: p/commands/both.md: p/skills/both/SKILL.md has the same name and counts instead",
	}
	if diff := cmp.Diff(want, told(l, dir)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	var hidden []string
	for _, e := range l.Entries {
		if l.Hidden(e) {
			hidden = append(hidden, string(e.Kind)+" "+e.Name+" ("+string(e.Origin)+")")
		}
	}
	if got, want := strings.Join(hidden, ", "), "command both (project), skill both (user), command help (user), skill eval (built-in)"; got != want {
		t.Errorf("hidden: %s", got)
	}
	if e, ok := l.Called("finetune"); !ok || e.Kind != skills.Command {
		t.Errorf("%+v", e)
	}
	if e, ok := l.Skill("finetune"); !ok || e.Origin != skills.BuiltIn || e.Path != "" || e.Dir != "" {
		t.Errorf("%+v", e)
	}
	if _, ok := l.Called("help"); ok {
		t.Error("a command of the program is hidden")
	}
}

// Rules that cannot be read permit nothing; the skill works without them.
func TestWrongRules(t *testing.T) {
	dir := tree(t, map[string]string{"skills/x/SKILL.md": "---\nname: x\ndescription: d\nallowed-tools: 'Bash('\n---\nb"})
	o := project(dir)
	o.Rules = func(rules []string) error {
		if slices.Contains(rules, "bash(") {
			return os.ErrInvalid
		}
		return nil
	}
	l := skills.Load(o)
	if e, ok := l.Skill("x"); !ok || e.Allow != nil || len(l.Problems) != 1 || l.Problems[0].Reason != "allowed-tools is left out: invalid argument" {
		t.Errorf("%+v, %v", e, l.Problems)
	}
}

// Files of a skill are those in its folder: no link leads out of it, no path
// does, and nothing that is no file is opened.
func TestFilesStayInTheirFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	dir := tree(t, map[string]string{
		"secret": "s3cret", "skills/x/SKILL.md": skill("x"), "skills/x/scripts/run.py": "print(1)", "skills/x/references/A.md": "a",
		"skills/x/.git/config": "no", "skills/x/__pycache__/c.pyc": "no", "other/SKILL.md": skill("other"), "elsewhere/y/SKILL.md": skill("y"), "elsewhere/file": "x",
	})
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for link, to := range map[string]string{
		"skills/x/leak": at("secret"), "skills/x/up": "../../secret", "skills/x/dir": at("other"), "skills/x/inside.py": "scripts/run.py",
		"skills/x/loop": "loop", "skills/other": "../other", "skills/y": at("elsewhere/y"), "skills/file": at("elsewhere/file"), "skills/gone": "nowhere",
	} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	root := at("skills")
	l := skills.Load(skills.Options{Skills: []skills.Place{{Dir: root, Origin: skills.Project, Within: root}}})
	if got, want := called(l.Skills()), "skill x (project)"; got != want {
		t.Errorf("found %s", got)
	}
	e, _ := l.Skill("x")
	files, more, err := e.Files()
	want := []skills.File{{Name: "inside.py", Size: 8}, {Name: "references/A.md", Size: 1}, {Name: "scripts/run.py", Size: 8}}
	if diff := cmp.Diff(want, files); diff != "" || more || err != nil {
		t.Errorf("%v %v (-want +got):\n%s", more, err, diff)
	}
	for name, want := range map[string]string{
		"scripts/run.py": "print(1)", "./scripts/../references/A.md": "a", `scripts\run.py`: "print(1)", "inside.py": "print(1)", "SKILL.md": skill("x"),
		"leak": "", "up": "", "dir/SKILL.md": "", "../../secret": "", "/etc/passwd": "", "": "", ".": "", "scripts": "", "loop": "", "gone": "", ".git/config": "", "scripts/.x": "",
	} {
		raw, err := e.Read(name)
		if string(raw) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
	// The person's own skills may be links; what is in them still stays inside.
	own := skills.Load(skills.Options{Skills: []skills.Place{{Dir: root, Origin: skills.User}}})
	if got, want := called(own.Skills()), "skill other (user), skill x (user), skill y (user)"; got != want {
		t.Errorf("of one's own: %s", got)
	}
	e, _ = own.Skill("x")
	if raw, err := e.Read("leak"); err == nil {
		t.Errorf("a link leads out: %s", raw)
	}
}

func TestCommandsThatAreLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	dir := tree(t, map[string]string{"dot/x.md": "hello", "p/commands/y.md": "y"})
	if err := os.Symlink(filepath.Join(dir, "dot", "x.md"), filepath.Join(dir, "p", "commands", "x.md")); err != nil {
		t.Fatal(err)
	}
	if got := called(skills.Load(project(filepath.Join(dir, "p"))).Callable()); got != "command y (project)" {
		t.Errorf("a link of a project leads out: %s", got)
	}
	l := skills.Load(skills.Options{Commands: []skills.Place{{Dir: filepath.Join(dir, "p", "commands"), Origin: skills.User}}})
	e, ok := l.Called("x")
	if text, err := e.Body(); !ok || err != nil || text != "hello" {
		t.Errorf("one's own: %v %q %v", ok, text, err)
	}
}

func TestNoMoreThanSoMany(t *testing.T) {
	files := map[string]string{}
	for i := range 230 {
		name := "s" + strings.Repeat("a", i/26+1) + string(rune('a'+i%26))
		files["skills/"+name+"/SKILL.md"] = skill(name)
		files["commands/"+name+".md"] = "x"
		files["skills/saa/f/"+name] = "x"
	}
	dir := tree(t, files)
	l := skills.Load(project(dir))
	if n := len(l.Skills()); n != 200 {
		t.Errorf("%d skills", n)
	}
	if n := len(l.Callable()); n != 200 { // skills and commands have the same names
		t.Errorf("%d names", n)
	}
	e, _ := l.Skill("saa")
	if found, more, err := e.Files(); len(found) != 200 || !more || err != nil {
		t.Errorf("%d files, more: %v, %v", len(found), more, err)
	}
	said := strings.Join(told(l, dir), "\n")
	for _, part := range []string{"skills: it has more than 200 skills", "commands: it has more than 200 commands"} {
		if !strings.Contains(said, part) {
			t.Errorf("nobody is told: %s", part)
		}
	}
}

// Where nothing is, nothing is said; a file in the place of a folder is told.
func TestNothingThere(t *testing.T) {
	dir := tree(t, map[string]string{"a/skills": "file", "a/commands": "file", "b/skills/x/README.md": "x", "b/skills/file": "x"})
	if l := skills.Load(project(filepath.Join(dir, "none"))); len(l.Entries)+len(l.Problems) > 0 {
		t.Errorf("%+v", l)
	}
	if l := skills.Load(project(filepath.Join(dir, "a"))); len(l.Problems) != 2 {
		t.Errorf("%v", l.Problems)
	}
	l := skills.Load(project(filepath.Join(dir, "b")))
	if diff := cmp.Diff([]string{"remark: b/skills/x: it has no SKILL.md"}, told(l, dir)); diff != "" {
		t.Error(diff)
	}
}
