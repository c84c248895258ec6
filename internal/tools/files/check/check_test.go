package check_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/tools/files/check"
)

func TestFormats(t *testing.T) {
	c := check.New(check.Options{})
	for _, tc := range []struct{ name, content, want string }{
		{"a.json", `{"a":1}`, ""},
		{"a.json", "\uFEFF{\"a\":1}", ""},
		{"a.json", "{\n\"a\":1,\n}", "line 3"},
		{"a.json", "", "JSON"},
		{"a.toml", "a = 1\n", ""},
		{"a.toml", "a = 1\nb = \n", "line 2"},
		{"a.toml", "a = 1\na = 2\n", "TOML"},
		{"a.yaml", "a: 1\n---\nb: [1, 2]\n", ""},
		{"a.yml", "a: !custom {x: 1}\n", ""},
		{"a.yml", "a: [1\nb: 2\n", "YAML syntax error"},
		{"a.ipynb", `{"cells":[],"nbformat":4}`, ""},
		{"a.ipynb", `{"a":1}`, "no notebook"},
		{"a.txt", "{", ""},
		{"a.py", "SFTConfig(push_to_hub=True, hub_model_id='a/b')", ""},
		{"a.py", "SFTConfig(push_to_hub=True)", "SFTConfig without hub_model_id"},
		{"a.py", "TrainingArguments()", "TrainingArguments without push_to_hub"},
	} {
		got := strings.Join(c.Warnings(t.Context(), tc.name, []byte(tc.content)), "\n")
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s %q: %q, want %q", tc.name, tc.content, got, tc.want)
		}
	}
}

func TestPythonSyntax(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 in the path")
	}
	c := check.New(check.Options{Python: with(t, python)})
	if got := c.Warnings(t.Context(), "a.py", []byte("x = 1\nif x\n    pass\n")); len(got) != 1 || !strings.Contains(got[0], "line 2") {
		t.Errorf("warnings %q, want one for line 2", got)
	}
	// A file that would do something when run or imported only gets parsed.
	mark := filepath.Join(t.TempDir(), "mark")
	if got := c.Warnings(t.Context(), "a.py", []byte("open("+`"`+mark+`"`+", 'w')\n")); len(got) != 0 {
		t.Errorf("warnings %q for good code", got)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the code was run")
	}
}

// with is the interpreter of a workspace on this machine.
func with(t *testing.T, python string) func(context.Context, string, []byte, time.Duration) []byte {
	t.Helper()
	here, err := local.New(local.Options{
		Dir: t.TempDir(), SpillDir: func(string) string { return t.TempDir() }, Python: func() string { return python },
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, program string, input []byte, limit time.Duration) []byte {
		out, err := here.Python(ctx, program, input, limit)
		if err != nil {
			t.Error(err)
		}
		return out
	}
}

// fake writes a shell script that stands in for an interpreter.
func fake(t *testing.T, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell")
	}
	path := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInterpreterIsIsolated(t *testing.T) {
	t.Setenv("HF_TOKEN", "hf_secret")
	out := filepath.Join(t.TempDir(), "seen")
	python := fake(t, `echo "$1 $2" > `+out+`; env >> `+out+`; cat >> `+out)
	check.New(check.Options{Python: with(t, python)}).Warnings(t.Context(), "a.py", []byte("the code"))
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if !strings.HasPrefix(text, "-I -c\n") || !strings.Contains(text, "the code") || strings.Contains(text, "hf_secret") {
		t.Errorf("the interpreter saw:\n%s", text)
	}
}

func TestSlowInterpreterIsLeft(t *testing.T) {
	python := fake(t, "exec sleep 60")
	c := check.New(check.Options{Python: with(t, python)})
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	begun := time.Now()
	if got := c.Warnings(ctx, "a.py", []byte("x")); len(got) != 0 || time.Since(begun) > time.Second {
		t.Errorf("warnings %q after %v", got, time.Since(begun))
	}
}

func TestSignatures(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 in the path")
	}
	content := []byte(`import json
import os.path as p
from subprocess import run as go, Popen
from missing_package import thing
json.dumps({}, indent=1, sortkeys=True)
json.dumps({}, indent=1)
p.join("a", b=1)
go(["x"],
   anything=1)
Popen(["x"], shel=True, cwd=".")
thing(x=1)
def local(a): pass
local(b=1)
json = None
`)
	off := check.New(check.Options{Python: with(t, python)})
	if got := off.Warnings(t.Context(), "a.py", content); len(got) != 0 {
		t.Errorf("not asked for: %q", got)
	}
	c := check.New(check.Options{Python: with(t, python), Signatures: true})
	want := "Invalid kwarg: p.join(b=...) at line 7\nInvalid kwarg: Popen(shel=...) at line 10"
	if got := strings.Join(c.Warnings(t.Context(), "a.py", content), "\n"); got != want {
		t.Errorf("warnings %q, want %q", got, want)
	}
	if got := c.Warnings(t.Context(), "a.py", []byte("def f(:")); len(got) != 1 || !strings.Contains(got[0], "line 1") {
		t.Errorf("broken syntax: %q", got)
	}
}
