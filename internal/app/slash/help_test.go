package slash_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimRight(string(want), "\n") != strings.TrimRight(got, "\n") {
		t.Errorf("%s (write it with -update):\n%s", path, got)
	}
}

func TestHelpIsShort(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range slash.Commands(&slash.Desk{}) {
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			if seen[name] {
				t.Errorf("two commands are called %s", name)
			}
			seen[name] = true
		}
		if n := ansi.StringWidth(c.Help); n > 60 || n == 0 {
			t.Errorf("/%s: its help has %d characters, 60 fit: %s", c.Name, n, c.Help)
		}
		if strings.ContainsAny(c.Help, "!\n") || strings.HasSuffix(c.Help, ".") || c.Help[0] >= 'A' && c.Help[0] <= 'Z' {
			t.Errorf("/%s: %q is no phrase", c.Name, c.Help)
		}
		if c.Name != strings.ToLower(c.Name) || c.Run == nil {
			t.Errorf("/%s cannot be called", c.Name)
		}
	}
	// What the specification names.
	for _, name := range strings.Fields(`help new clear undo redo compact resume model effort yolo status share-traces quit exit
		cost context jobs diff rewind tools mcp permissions budget export rename sessions init memory login doctor plan copy verbose fork detach`) {
		if !seen[name] {
			t.Errorf("there is no /%s", name)
		}
	}
}

func TestHelp(t *testing.T) {
	all := slash.Commands(&slash.Desk{})
	for _, columns := range []int{40, 80, 160} {
		talk := dialogtest.New(t)
		talk.Columns = columns
		said, err := talk.Run(t.Context(), find(t, all, "help"), "")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(said) {
			if n := ansi.StringWidth(strings.TrimRight(line, "\n")); n > columns-4 {
				t.Errorf("%d columns: a line has %d: %s", columns, n, line)
			}
		}
		golden(t, "help_"+strconv.Itoa(columns)+".txt", said)
	}
}

func TestHelpOfOne(t *testing.T) {
	all := slash.Commands(&slash.Desk{})
	for arg, want := range map[string]string{
		"undo":   "/undo [n]  take back the last n turns and their changes of files",
		"/undo":  "/undo [n]  take back the last n turns and their changes of files",
		"EXIT":   "/quit  end the session and leave; also /exit",
		"help":   "/help [command]  list the commands and keys; also /?",
		"nosuch": "error: there is no command nosuch; /help lists them",
	} {
		talk := dialogtest.New(t)
		said, err := talk.Run(t.Context(), find(t, all, "help"), arg)
		if err != nil {
			said += "error: " + err.Error()
		}
		if said != want {
			t.Errorf("/help %s: %s", arg, said)
		}
	}
	plain := slash.Commands(&slash.Desk{Plain: true})
	talk := dialogtest.New(t)
	said, err := talk.Run(t.Context(), find(t, plain, "?"), "")
	if err != nil || strings.Contains(said, "Shift-Tab") || !strings.Contains(said, "@path") {
		t.Errorf("the line mode has no such keys: %v\n%s", err, said)
	}
}

func TestLeaving(t *testing.T) {
	for name, want := range map[string]string{"quit": "quit", "exit": "quit", "detach": "detach"} {
		talk := dialogtest.New(t)
		if _, err := talk.Run(t.Context(), find(t, slash.Commands(&slash.Desk{}), name), ""); err != nil || talk.Left() != want {
			t.Errorf("/%s: left %q, %v", name, talk.Left(), err)
		}
	}
}

// Arguments are completed with what the command takes.
func TestOffers(t *testing.T) {
	all := slash.Commands(&slash.Desk{})
	for name, want := range map[string][]string{
		"effort":       {"minimal", "off"},
		"permissions":  {"plan", "yolo", "allow "},
		"verbose":      {"on", "off"},
		"export":       {"md ", "jsonl "},
		"help":         {"undo", "quit"},
		"share-traces": {"public", "delete "},
		"memory":       {"edit"},
	} {
		c := find(t, all, name)
		if c.Complete == nil {
			t.Errorf("/%s offers nothing", name)
			continue
		}
		got := c.Complete(context.Background(), "")
		for _, v := range want {
			if !slices.ContainsFunc(got, func(o dialog.Option) bool { return o.Value == v }) {
				t.Errorf("/%s does not offer %q: %v", name, v, got)
			}
		}
	}
}
