//go:build unix

package hooks_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/hook"
)

// The examples of docs/extending.md do what they say, with the settings and the
// scripts that stand there. ruff and curl are played.
func TestTheExamplesOfTheDocs(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("the examples are in Python, and python3 is not there")
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "extending.md"))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string][]any{}
	for _, m := range regexp.MustCompile("(?s)```json\n(\\{\"hooks\".*?)```").FindAllStringSubmatch(string(raw), -1) {
		var part struct{ Hooks map[string][]any }
		if err := json.Unmarshal([]byte(m[1]), &part); err != nil {
			t.Fatalf("%v: %s", err, m[1])
		}
		for name, list := range part.Hooks {
			settings[name] = append(settings[name], list...)
		}
	}
	user, err := json.Marshal(map[string]any{"hooks": settings})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, string(user), "")
	scripts := regexp.MustCompile("(?s)```(?:python|sh)\n(# ~/\\.config/ml-intern/hooks/([a-z_.]+)\n.*?)```").FindAllStringSubmatch(string(raw), -1)
	if len(scripts) != 3 {
		t.Fatalf("%d scripts", len(scripts))
	}
	for _, m := range scripts {
		s.write(filepath.Join(s.home, ".config", "ml-intern", "hooks", m[2]), m[1])
	}
	bin := filepath.Join(s.home, "bin")
	s.write(filepath.Join(bin, "ruff"), "#!/bin/sh\ncase $1 in format) echo formatted >> \"$3\" ;; check) if grep -q bad \"$6\"; then echo F821; exit 1; fi ;; esac\n")
	s.write(filepath.Join(bin, "curl"), "#!/bin/sh\ncat > \"$HOME/phone\"\n")
	for _, name := range []string{"ruff", "curl"} {
		if err := os.Chmod(filepath.Join(bin, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.environ[2] = "PATH=" + bin + ":" + os.Getenv("PATH")
	d := s.desk(false)
	h := d.Session()
	ask := func(in hook.Input) hook.Answer {
		t.Helper()
		in.Cwd, in.SessionID = s.dir, "s"
		a := h.Ask(t.Context(), in)
		if len(a.Warnings) > 0 {
			t.Errorf("%+v: %q", in, a.Warnings)
		}
		return a
	}
	edited := func(name, text string, ok bool) (hook.Answer, string) {
		t.Helper()
		s.write(filepath.Join(s.dir, name), text)
		args, _ := json.Marshal(map[string]string{"path": name})
		a := ask(hook.Input{Moment: hook.PostToolUse, Tool: "edit", Arguments: args, OK: ok})
		after, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return a, string(after)
	}
	if a, after := edited("a.py", "x\n", true); a.Decided() || after != "x\nformatted\n" {
		t.Errorf("%+v, %q", a, after)
	}
	if a, _ := edited("b.py", "bad\n", true); a.Decision != hook.Deny || a.Reason != "ruff: F821" {
		t.Errorf("%+v", a)
	}
	if a, after := edited("c.md", "bad\n", true); a.Decided() || after != "bad\n" {
		t.Errorf("%+v, %q", a, after)
	}
	if a, after := edited("d.py", "bad\n", false); a.Decided() || after != "bad\n" {
		t.Errorf("%+v, %q", a, after)
	}

	runs := func(command string) hook.Decision {
		t.Helper()
		args, _ := json.Marshal(map[string]string{"command": command})
		return ask(hook.Input{Moment: hook.PreToolUse, Tool: "bash", Arguments: args}).Decision
	}
	if runs("pip install torch") != "" {
		t.Error("a project without uv refuses pip")
	}
	s.write(filepath.Join(s.dir, "uv.lock"), "version = 1\n")
	for command, want := range map[string]hook.Decision{
		"pip install torch": hook.Deny, "cd x && python -m pip install -e .": hook.Deny, "(pip3 install x)": hook.Deny,
		"uv pip install torch": "", "echo pip install": "", "pip list": "", "uv add torch": "",
	} {
		if got := runs(command); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}

	ask(hook.Input{Moment: hook.JobFinished, Kind: "ERROR", Job: &hook.Job{ID: "66aa", Where: "hub", Status: "ERROR"}})
	d.Close() // nobody waits for it before
	phone, err := os.ReadFile(filepath.Join(s.home, "phone"))
	if err != nil || strings.TrimSpace(string(phone)) != "hub job 66aa is ERROR" {
		t.Errorf("the phone shows %q (%v)", phone, err)
	}
}

// The page tells of every moment.
func TestTheDocsTellOfEveryMoment(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "extending.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range hook.Moments() {
		if n := strings.Count(string(raw), "| `"+string(m)+"` |"); n != 2 {
			t.Errorf("%s stands in %d tables, want 2", m, n)
		}
	}
}
