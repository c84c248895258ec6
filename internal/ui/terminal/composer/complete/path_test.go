package complete_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// plant makes empty files.
func plant(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plant(
		t, dir, "train.py", "src/model.py", "src/deep/er/loss.py", "data/my set.csv", ".git/config", ".github/workflows/ci.yml", ".env",
		"node_modules/x/index.js", "src/__pycache__/model.pyc", ".venv/bin/python", "we\nird", "qu\"ote", "a;b.sh",
	)
	return dir
}

// ask completes a line and says what it becomes with the first option that
// matches.
func ask(t *testing.T, source complete.Source, line string) (options, becomes string, more bool) {
	t.Helper()
	r, ok := source(line, true)
	if !ok {
		return "nothing of its kind", line, false
	}
	if !strings.HasSuffix(line, r.Part) {
		t.Fatalf("%q does not end in %q", line, r.Part)
	}
	found := complete.Rank(r.Options(t.Context()), r.Query, complete.Recent{})
	if len(found) == 0 {
		return "", line, false
	}
	text, more := r.Text(found[0])
	return values(found), strings.TrimSuffix(line, r.Part) + text, more
}

func TestPaths(t *testing.T) {
	dir := project(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	plant(t, home, "notes.md", "runs/a.log")
	source := complete.Paths(dir)
	for _, test := range []struct {
		line, options, becomes string
		more                   bool
	}{
		{"@", "a;b.sh data/ node_modules/ src/ train.py data/my set.csv src/__pycache__/ src/deep/ src/model.py src/deep/er/ src/deep/er/loss.py", "@a;b.sh ", false},
		{"see @tra", "train.py", "see @train.py ", false},
		{"see @sr", "src/ src/deep/ src/model.py src/deep/er/ src/__pycache__/ src/deep/er/loss.py", "see @src/", true},
		{"see @loss", "src/deep/er/loss.py", "see @src/deep/er/loss.py ", false},
		{"(@mymy", "", "(@mymy", false},
		{"see @set", "data/my set.csv", `see @"data/my set.csv" `, false},
		{`see @"my s`, "data/my set.csv", `see @"data/my set.csv" `, false},
		{`see @"x" `, "nothing of its kind", `see @"x" `, false},
		{"mail me@tra", "", "mail me@tra", false},
		{"@train.py ", "nothing of its kind", "@train.py ", false},
		{"@.env", ".env .venv/", "@.env ", false},
		{"@.gith", ".github/ .github/workflows/ .github/workflows/ci.yml", "@.github/", true},
		{"@node_modules/", "node_modules/ node_modules/x/", "@node_modules/", true},
		{"@./sr", "./src/", "@./src/", true},
		{"@" + dir + "/tra", dir + "/train.py", "@" + dir + "/train.py ", false},
		{"@../nowhere/x", "", "@../nowhere/x", false},
		{"@~/no", "~/notes.md", "@~/notes.md ", false},
		{"@~/runs/", "~/runs/a.log", "@~/runs/a.log ", false},
		{"fix tra", "train.py", "fix train.py ", false},
		{"fix ", "nothing of its kind", "fix ", false},
		{"!python tra", "train.py", "!python train.py ", false},
		{"!cat set", "data/my set.csv", `!cat data/my\ set.csv `, false},
		{`!cat data/my\ s`, "data/my set.csv", `!cat data/my\ set.csv `, false},
		{"!sh a;", "a;b.sh", `!sh a\;b.sh `, false},
		{"!ls sr", "src/ src/deep/ src/model.py src/deep/er/ src/__pycache__/ src/deep/er/loss.py", "!ls src/", true},
		{"!cat ~/no", "~/notes.md", "!cat ~/notes.md ", false},
	} {
		options, becomes, more := ask(t, source, test.line)
		if options != test.options || becomes != test.becomes || more != test.more {
			t.Errorf("%q offers %q and becomes %q (more: %v)\nwant   %q and         %q (%v)", test.line, options, becomes, more, test.options, test.becomes, test.more)
		}
	}
}

// Only mentions open the menu by themselves.
func TestPathsOpenByThemselves(t *testing.T) {
	source := complete.Paths(t.TempDir())
	for line, want := range map[string]bool{"@x": true, "x": false, "!cat x": false} {
		if r, ok := source(line, true); !ok || r.Auto != want {
			t.Errorf("%q: opens by itself: %v", line, r.Auto)
		}
	}
}

func TestLargeTreesAreCut(t *testing.T) {
	dir := t.TempDir()
	// A folder that is not the first must still be seen: what is near goes first.
	for i := range 300 {
		for j := range 80 {
			name := filepath.Join(dir, fmt.Sprintf("a%03d", i), fmt.Sprintf("f%02d", j))
			if j == 0 {
				if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			f, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	plant(t, dir, "zoo/late.py", "a299/the end")
	source := complete.Paths(dir)
	r, _ := source("@", true)
	options := r.Options(t.Context())
	if len(options) > 20000 {
		t.Errorf("%d entries", len(options))
	}
	if got, _, _ := ask(t, source, "@zo"); !strings.HasPrefix(got, "zoo/") {
		t.Errorf("the folder at the top: %q", got)
	}
	if got, _, _ := ask(t, source, "@a299/the"); !strings.Contains(got, "a299/the end") {
		t.Errorf("a folder that is named is looked into: %q", got)
	}
}

func TestTheTreeIsKeptForAWhile(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "one")
	source := complete.Paths(dir)
	if got, _, _ := ask(t, source, "@"); got != "one" {
		t.Fatalf("offered %q", got)
	}
	plant(t, dir, "two")
	if got, _, _ := ask(t, source, "@"); got != "one" {
		t.Errorf("the tree was walked again at once: %q", got)
	}
}

func TestCancelledAsksAnswerAtOnce(t *testing.T) {
	source := complete.Paths(project(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := source("@", true)
	if got := r.Options(ctx); len(got) != 0 {
		t.Errorf("offered %v", got)
	}
}

func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"@", `@"a b`, "!cat a\\ b", "see @x/../y", "@~/", "!", "\\", "@\"\"", "é@ü"} {
		f.Add(seed, true)
	}
	dir := f.TempDir()
	source := complete.Paths(dir)
	f.Fuzz(func(t *testing.T, line string, start bool) {
		r, ok := source(line, start)
		if !ok {
			return
		}
		if !strings.HasSuffix(line, r.Part) {
			t.Fatalf("%q does not end in %q", line, r.Part)
		}
		if text, _ := r.Text(dialog.Option{Value: "a b"}); text == "" {
			t.Fatal("an option writes nothing")
		}
		if strings.HasPrefix(line, "!") && start && !strings.Contains(line, "@") && complete.Unescape(r.Part) != r.Query {
			t.Fatalf("%q asks for %q", r.Part, r.Query)
		}
	})
}
