package dialog_test

import (
	"context"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

func TestSlash(t *testing.T) {
	for line, want := range map[string]struct {
		name, args string
		ok         bool
	}{
		"/Model  a/b c": {"model", "a/b c", true},
		"/undo":         {"undo", "", true},
		"/note\nlines":  {"note", "lines", true},
		"/tmp/x":        {"", "", false},
		"/tmp/x:1 y":    {"", "", false},
		"/s:A/b c":      {"s:a/b", "c", true},
		"/":             {"", "", false},
		"//x":           {"", "", false},
		"no":            {"", "", false},
		"":              {"", "", false},
	} {
		name, args, ok := dialog.Slash(line)
		if ok != want.ok || ok && (name != want.name || args != want.args) {
			t.Errorf("%q: %q, %q, %v", line, name, args, ok)
		}
	}
}

func TestFind(t *testing.T) {
	commands := []dialog.Command{{Name: "quit", Aliases: []string{"exit"}}, {Name: "undo"}}
	if c := dialog.Find(commands, "exit"); c == nil || c.Name != "quit" {
		t.Errorf("got %v", c)
	}
	if c := dialog.Find(commands, "redo"); c != nil {
		t.Errorf("got %v", c)
	}
	if c := dialog.Find(commands, "docs:ask"); c != nil {
		t.Errorf("got %v", c)
	}
	var got string
	commands = append(commands, dialog.Command{Name: dialog.Foreign, Hidden: true, Run: func(_ context.Context, _ dialog.Talk, args string) error { got = args; return nil }})
	c := dialog.Find(commands, "docs:ask")
	if c == nil || c.Name != "docs:ask" {
		t.Fatalf("got %v", c)
	}
	if err := c.Run(t.Context(), nil, "about it"); err != nil || got != "docs:ask about it" {
		t.Errorf("it was asked for %q", got)
	}
}
