package command

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/command/manual"
	"github.com/ml-intern/ml-intern/internal/config/environ"
)

// There is a page for every command, and all of them can be read where there is
// something that reads them.
func TestManual(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	var out bytes.Buffer
	s := console.Streams{Args: []string{"man", "--dir", dir}, Dir: t.TempDir(), Out: &out, Err: &out}
	if code := Main(t.Context(), s); code != 0 {
		t.Fatal(out.String())
	}
	wanted := map[string]bool{"ml-intern.1": true}
	walk(everything(), func(words []string, cmd *cobra.Command) {
		shown := true
		for c := cmd; c != nil; c = c.Parent() {
			shown = shown && !c.Hidden
		}
		if shown && cmd.Name() != "help" {
			wanted["ml-intern-"+strings.Join(words, "-")+".1"] = true
		}
	})
	pages, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, page := range pages {
		if !wanted[page.Name()] {
			t.Errorf("%s is a page of no command", page.Name())
		}
		delete(wanted, page.Name())
		paths = append(paths, filepath.Join(dir, page.Name()))
	}
	for name := range wanted {
		t.Errorf("%s is missing", name)
	}
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Log("mandoc is not there to judge the pages")
	} else {
		said, _ := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "warning"}, paths...)...).CombinedOutput()
		for line := range strings.Lines(string(said)) {
			if !strings.Contains(line, "missing date") { // a page is as old as its program
				t.Error(line)
			}
		}
	}
	man, err := exec.LookPath("man")
	if err != nil {
		t.Log("man is not there to render the pages")
		return
	}
	for _, path := range []string{filepath.Join(dir, "ml-intern.1"), filepath.Join(dir, "ml-intern-sessions-list.1"), filepath.Join(dir, "ml-intern-mcp-add.1")} {
		cmd := exec.Command(man, "--warnings=w", "-l", path)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=")
		var text, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &text, &complaint
		if err := cmd.Run(); err != nil || complaint.Len() > 0 {
			t.Errorf("%s: %v\n%s", path, err, complaint.String())
		}
		plain := regexp.MustCompile(`\x1b\[[0-9;]*m|.\x08`).ReplaceAllString(text.String(), "")
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"} {
			if !strings.Contains(plain, "\n"+section+"\n") && !strings.HasPrefix(plain, section) {
				t.Errorf("%s has no %s:\n%s", path, section, plain)
			}
		}
	}
}

func TestManualSays(t *testing.T) {
	root := everything()
	page := manual.Page(root)
	for _, want := range []string{
		".TH \"ML\\-INTERN\" 1", "\n.SH EXIT STATUS\n", ".B 124\n", "\n.SH ENVIRONMENT\n", "\n.SH FILES\n", ".BR ml\\-intern\\-acp (1)",
		"\\fB\\-m\\fR, \\fB\\-\\-model\\fR \\fIID\\fR\nmodel to use (default anthropic/claude\\-opus\\-4.8:fal\\-ai)\n", "\\fB\\-\\-simulate\\fR[=\\fISCENARIO\\fR]",
		"\\(dqtrain a classifier",
	} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, `\(dq`, `"`)) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, v := range environ.Variables {
		if !strings.HasPrefix(v.Effect, "server only") && !strings.HasPrefix(v.Name, "_") && !strings.Contains(page, "\n.B "+v.Name+"\n") {
			t.Errorf("%s is missing", v.Name)
		}
	}
	show, _, err := root.Find([]string{"sessions", "show"})
	if err != nil {
		t.Fatal(err)
	}
	if page := manual.Page(show); strings.Contains(page, "EXIT STATUS") || !strings.Contains(page, ".BR ml\\-intern\\-sessions (1)\n") || !strings.Contains(page, ".B ml\\-intern sessions show ID [flags]") {
		t.Error(page)
	}
	// What stands in a help text is text.
	odd := manual.Page(&cobra.Command{Use: "x", Short: "a \\ b", Long: ".de evil\n'so /etc/passwd\n\nback\\slash `.code` and `one", Run: func(*cobra.Command, []string) {}})
	for _, line := range strings.Split(odd, "\n") {
		if strings.HasPrefix(line, ".de") || strings.HasPrefix(line, "'") || strings.Contains(line, `\s`) {
			t.Errorf("%q", line)
		}
	}
}
