package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/config"
)

func TestSet(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	l := w.must()
	for _, kv := range [][2]string{
		{"max_iterations", "12"},
		{"yolo_mode", "on"},
		{"model_name", "org/m"},
		{"permissions.deny", "bash(rm *), edit(x)"},
		{"permissions.mode", "plan"},
		{"mcpServers.docs", `{"url":"https://x.example"}`},
		{"messaging.destinations.slack.ops", `{"provider":"desktop"}`},
		{"messaging.enabled", "true"},
		{"max_cost_usd", "2.5"},
		{"tools.disabled", `["a","b"]`},
		{"reasoning_effort", "null"},
	} {
		if err := l.Set(ctx, kv[0], kv[1]); err != nil {
			t.Errorf("set %s: %v", kv[0], err)
		}
	}
	l = w.must()
	c := l.Config
	if c.MaxIterations != 12 || !c.YoloMode || c.ModelName != "org/m" || len(c.Permissions.Deny) != 2 || c.Permissions.Mode != "plan" ||
		c.MCPServers["docs"].URL != "https://x.example" || !c.Messaging.Enabled || c.Messaging.Destinations["slack.ops"].Provider != "desktop" ||
		*c.MaxCostUSD != 2.5 || len(c.ToolsDisabled) != 2 || c.ReasoningEffort != "" {
		t.Errorf("%+v", c)
	}
	info, err := os.Stat(l.UserFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v, want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(l.UserFile), ".*")); len(left) > 0 {
		t.Errorf("temporary files stay: %v", left)
	}
	if err := l.Unset(ctx, "max_iterations"); err != nil {
		t.Fatal(err)
	}
	if got := w.must().Config; got.MaxIterations != 300 || got.ModelName != "org/m" {
		t.Errorf("after unset: %d %s", got.MaxIterations, got.ModelName)
	}
}

func TestSetRefusesAndKeepsTheFile(t *testing.T) {
	w := newWorld(t)
	const before = `{"tool_runtime":"hybrid","my_own":[1]}`
	path := w.user(before)
	l, _ := w.load()
	ctx := context.Background()
	for key, value := range map[string]string{
		"max_iterations": "many", "yolo_mod": "true", "confine_files": "hf_0123456789abcdefghij", "mcpServers.a": `{}`, "mcpServers.b": "{", "messaging.enabled": "true",
		"session_retention_days": "-1", "model_name": "${GONE}",
	} {
		err := l.Set(ctx, key, value)
		var one config.Problem
		var many config.Problems
		if !errors.As(err, &one) && !errors.As(err, &many) {
			t.Errorf("set %s: got %v, want a fault", key, err)
		} else if strings.Contains(err.Error(), "hf_0123") {
			t.Errorf("set %s repeats the value: %v", key, err)
		}
	}
	if got, _ := os.ReadFile(path); string(got) != before {
		t.Errorf("the file changed: %s", got)
	}
	// A fault elsewhere does not hinder mending.
	if err := l.Set(ctx, "tool_runtime", "sandbox"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !strings.Contains(string(got), `"my_own"`) {
		t.Errorf("another key was lost: %s", got)
	}
	w.must()
}

func TestSetWritesThroughALink(t *testing.T) {
	w := newWorld(t)
	target := w.write("dotfiles/settings.json", `{}`)
	link := filepath.Join(w.home, userFile)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := w.must().Set(context.Background(), "max_iterations", "3"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
	if got, _ := os.ReadFile(target); !strings.Contains(string(got), "max_iterations") {
		t.Errorf("target: %s", got)
	}
}

func TestAllowInProject(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.user(`{"permissions":{"allow":["bash(ls)"],"deny":["bash(rm *)"]}}`)
	l := w.must()
	path := l.ProjectFile()
	if err := l.AllowInProject(ctx, "bash(make)"); err == nil || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("in a folder that is not trusted: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s was made: %v", path, err)
	}
	if err := l.TrustList().Trust(w.repo); err != nil {
		t.Fatal(err)
	}
	l = w.must()
	for range 2 {
		if err := l.AllowInProject(ctx, "bash(make)"); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("a new file: %v %v", info, err)
	}

	// What stands there stays, as it is written, with its mode.
	const before = `{"my_own": {"n": 1.0}, "permissions": {"deny": [], "allow": ["edit(src/**)"], "mode": "plan"}}`
	w.write("repo/.ml-intern/config.json", before)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"bash(make 'a <b>')", "hf_jobs(run, max_cost<=2)"} {
		if err := l.AllowInProject(ctx, rule); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"n": 1.0`, `"mode": "plan"`, `"bash(make 'a <b>')"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is missing in %s", part, text)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v", info.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("temporary files stay: %v", left)
	}
	// The user's own rules are in force beside the project's.
	p := w.must().Config.Permissions
	if want := []string{"bash(ls)", "edit(src/**)", "bash(make 'a <b>')", "hf_jobs(run, max_cost<=2)"}; !slices.Equal(p.Allow, want) || !slices.Equal(p.Deny, []string{"bash(rm *)"}) {
		t.Errorf("rules %q, denied %q", p.Allow, p.Deny)
	}

	for name, text := range map[string]string{"no JSON": `{`, "no object": `[1]`, "no list": `{"permissions":{"allow":"bash"}}`} {
		w.write("repo/.ml-intern/config.json", text)
		if err := l.AllowInProject(ctx, "bash(x)"); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("%s: the file became %s", name, got)
		}
	}
	outside := filepath.Join(t.TempDir(), "mine.json")
	if err := errors.Join(os.WriteFile(outside, []byte("{}"), 0o600), os.Remove(path), os.Symlink(outside, path)); err != nil {
		t.Fatal(err)
	}
	if err := l.AllowInProject(ctx, "bash(x)"); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("through a link: %v", err)
	}
}
