// Package scripttest has the words that scripts of the command line share.
package scripttest

import (
	"errors"
	"maps"
	"os/exec"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// Words are commands of scripts by name.
type Words = map[string]func(ts *testscript.TestScript, neg bool, args []string)

// With are the shared words and those of a test, which count where both have a
// name:
//
//	exits CODE PROGRAM ARGS...   runs a program and checks its exit code
//	noesc stdout|stderr|FILE     nothing in a text steers a terminal
//	narrow stdout|stderr|FILE    no line is wider than a terminal
//	[!] same FILE FILE           two files have the same bytes
func With(own Words) Words {
	all := Words{"exits": exits, "noesc": noEscape, "narrow": narrow, "same": same}
	maps.Copy(all, own)
	return all
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var failed *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &failed):
		code = failed.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func noEscape(ts *testscript.TestScript, _ bool, args []string) {
	if text := ts.ReadFile(args[0]); strings.ContainsAny(text, "\x1b\u009b\a\r") || !utf8.ValidString(text) {
		ts.Fatalf("%s has control characters: %q", args[0], text)
	}
}

// columns is how wide a terminal is at least.
const columns = 80

func narrow(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	if (ts.ReadFile(args[0]) == ts.ReadFile(args[1])) == neg {
		ts.Fatalf("%s and %s", args[0], args[1])
	}
}
