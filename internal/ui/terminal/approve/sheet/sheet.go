// Package sheet says what a person should know about one call before deciding: what
// would happen, in which words the model asked for it, what it costs, and what is
// suspicious about it. Whatever is in a call's arguments is on its sheet; the
// values of variables and secrets are not. It neither draws nor decides.
package sheet

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/call"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Options is what a sheet is written with.
type Options struct {
	// Money is what the session has spent and may spend.
	Money Money
	// Shown takes secrets out of a text before it is shown; nil leaves it as it
	// is. Control sequences are taken out in any case.
	Shown func(text string) string
	// Secret names the kind of secret that a text shows, "" for none; nil knows
	// only the marks that scrubbing leaves.
	Secret func(text string) string
	// File returns what stands in a file now, for the difference that a write
	// makes; nil, or false, shows the new contents alone. The path is the
	// model's: it must read nothing but ordinary files, and no large ones.
	File func(path string) (string, bool)
	// Dir is the working directory of commands, to be shown.
	Dir string
	// Hub is the address repositories are shown under; empty is the public Hub.
	Hub string
}

// Money is what the session has spent and may spend, in US dollars.
type Money struct {
	Spent *float64 // nil is unknown
	// Incomplete says that the price of some of it is unknown.
	Incomplete bool
	Cap        *float64 // nil is no cap
}

// Sheet is what a person is told about one call. Its texts are fit for a screen.
type Sheet struct {
	Alerts []Alert
	Facts  []Fact
	Bodies []Body
}

// Alert is a line that must not be overlooked. Its role is Danger, Warning, or
// Success for what is as it should be.
type Alert struct {
	Text string
	Role theme.Role
}

// Fact is a value with its name.
type Fact struct{ Label, Value string }

// Body is a longer text, line by line.
type Body struct {
	Title string
	Lines []string
	Diff  bool
	// Most is how many lines are shown beside everything else; 0 is as many as
	// fit.
	Most int
}

// writer fills the sheet of one call and remembers which arguments it has told:
// what is left is shown too, so nothing runs unseen.
type writer struct {
	Sheet
	o       Options
	call    call.Call
	args    call.Arguments
	changed *Change
	told    map[string]bool
}

// Change is what the person has made of a call's subject.
type Change struct {
	call.Diff
	// Script says that it is the script of a job, and nothing else.
	Script bool
}

// Write writes the sheet of a call; changed is nil when it is as it was asked for.
func Write(c call.Call, changed *Change, o Options) *Sheet {
	o.Hub = strings.TrimRight(o.Hub, "/")
	if o.Hub == "" {
		o.Hub = "https://huggingface.co"
	}
	w := &writer{o: o, call: c, args: c.Args, changed: changed, told: map[string]bool{"operation": true}}
	w.warn()
	if cost, _, ok := w.cost(); ok {
		w.fact("Cost", cost) // on a low screen there may be room for one fact alone
	}
	w.fact("Why", c.Reason)
	if c.Args == nil {
		w.body("Arguments", string(c.Arguments))
	} else {
		w.tell()
	}
	w.spending()
	w.rest()
	if changed != nil {
		b := Body{Title: "Changed by you  " + changed.Counts(), Lines: w.lines(changed.Text), Diff: true}
		w.Bodies = append([]Body{b}, w.Bodies...)
	}
	slices.SortStableFunc(w.Alerts, func(a, b Alert) int { return weight(a) - weight(b) })
	return &w.Sheet
}

// weight puts what is as it should be behind what is not.
func weight(a Alert) int {
	if a.Role == theme.Success {
		return 1
	}
	return 0
}

// tell shows what a tool's calls are about.
func (w *writer) tell() {
	switch w.call.Tool {
	case "hf_jobs":
		w.job()
	case "hf_private_repos":
		w.privateRepo()
	case "hf_repo_files":
		w.repoFiles()
	case "hf_repo_git":
		w.repoGit()
	case "bash":
		w.command()
	case "write":
		w.write()
	case "edit":
		w.edit()
	case "sandbox_create":
		w.sandbox()
	}
}

// text returns an argument and counts it as told.
func (w *writer) text(key string) string {
	w.told[key] = true
	return w.args.Text(key)
}

// or is text with a default.
func (w *writer) or(key, otherwise string) string {
	if s := w.text(key); s != "" {
		return s
	}
	return otherwise
}

// fact adds a line; nothing is added for an empty value.
func (w *writer) fact(label, value string) {
	if value = call.Clean(w.shown(value)); value != "" {
		w.Facts = append(w.Facts, Fact{label, value})
	}
}

// words shows a list on one line.
func (w *writer) words(label, key string) {
	w.told[key] = true
	w.fact(label, joined(w.args.Words(key)))
}

// joined writes words as one would type them in a shell, with quotes where they
// are needed to see where a word ends.
func joined(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		if out[i] = word; word == "" || strings.ContainsAny(word, " \t\n'\"") {
			out[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// names shows the names of an object's members, and not their values.
func (w *writer) names(label, key string) {
	w.told[key] = true
	var members map[string]json.RawMessage
	if raw, ok := w.args[key]; ok && json.Unmarshal(raw, &members) != nil {
		w.fact(label, "given in a form that cannot be read")
		return
	}
	w.fact(label, strings.Join(slices.Sorted(maps.Keys(members)), ", "))
}

// body adds a longer text.
func (w *writer) body(title, text string) {
	w.Bodies = append(w.Bodies, Body{Title: title, Lines: w.lines(text)})
}

// measured adds a text with its size.
func (w *writer) measured(title, text string) {
	w.body(title+"  "+size(text), text)
}

// size says how much text it is.
func size(text string) string {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return amount.Count(n, "line") + ", " + amount.Bytes(int64(len(text)))
}

// alert adds a line that must not be overlooked.
func (w *writer) alert(role theme.Role, text string) {
	w.Alerts = append(w.Alerts, Alert{call.Clean(w.shown(text)), role})
}

// shown takes secrets out of a text.
func (w *writer) shown(text string) string {
	if w.o.Shown != nil {
		text = w.o.Shown(text)
	}
	return text
}

// lines makes a text fit for a screen, line by line.
func (w *writer) lines(text string) []string {
	text = strings.ReplaceAll(plain.ForTerminal(w.shown(text)), "\t", "    ")
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// longest is the most characters of a value that is shown on one line.
const longest = 400

// rest shows the arguments that have no place of their own.
func (w *writer) rest() {
	for _, key := range slices.Sorted(maps.Keys(w.args)) {
		if w.told[key] {
			continue
		}
		value := w.args.Text(key)
		if len(value) > longest || strings.Contains(value, "\n") {
			w.measured(call.Clean(key), value)
		} else {
			w.fact(call.Clean(key), value)
		}
	}
}
