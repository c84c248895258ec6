package hooks

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hooks"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Shown is List without the secrets that settings may have put into commands.
func Shown(l *config.Loaded) []Row {
	rows, scrub := List(l), Scrub(l)
	for i := range rows {
		rows[i].Command, rows[i].Matcher = scrub(rows[i].Command), scrub(rows[i].Matcher)
	}
	return rows
}

// Scrub takes the secrets of the settings out of a text.
func Scrub(l *config.Loaded) func(text string) string {
	scrubber := redact.New(redact.Options{Held: l.Secrets()})
	return func(text string) string {
		clean, _ := scrubber.String(text)
		return clean
	}
}

// Greet shows the commands that a project brings which was just trusted, and keeps
// them as known.
func Greet(ctx context.Context, out io.Writer, o config.Options) error {
	l, err := config.Load(ctx, o)
	if l == nil {
		return err
	}
	rows := OfProject(Shown(l)) // with faulty settings, those that can be read
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(out, "These commands of the project's run from now on:")
	for _, r := range rows {
		fmt.Fprintf(out, "  %s\n", plain.ForTerminal(history.Line(r.Title()+": "+r.Command)))
	}
	return Know(l)
}

// Title says beside what a hook stands.
func (r Row) Title() string {
	if r.Matcher == "" {
		return string(r.Moment)
	}
	return string(r.Moment) + " " + r.Matcher
}

// Text says what runs, and how.
func (r Row) Text() string {
	how := []string{}
	if r.Layer != "user" {
		how = append(how, r.Layer)
	}
	if r.Async {
		how = append(how, "nobody waits for it")
	}
	if r.Timeout != int(hooks.DefaultTimeout.Seconds()) {
		how = append(how, fmt.Sprintf("at most %d s", r.Timeout))
	}
	if len(how) == 0 {
		return r.Command
	}
	return r.Command + " (" + strings.Join(how, ", ") + ")"
}

// Empty is what is said where there are none.
const Empty = "No hook is configured: hooks is empty in the settings."

// Moment is the moment of a name, in any letter case.
func Moment(name string) (hook.Moment, bool) {
	for _, m := range hook.Moments() {
		if strings.EqualFold(string(m), name) {
			return m, true
		}
	}
	return "", false
}

// Names lists the moments, for messages.
func Names() string {
	var names []string
	for _, m := range hook.Moments() {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}
