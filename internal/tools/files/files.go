// Package files holds the tools read, write and edit. They change a file only
// when the session has seen what is in it now, whole or not at all, and inside
// the workspace when told so. The package does not know who asked for a call
// or whether it was approved.
package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/files/check"
)

// Options are where the tools work.
type Options struct {
	// Workspace returns the place of the files. It may wait for one that is
	// still being made; its error is what the model reads.
	Workspace func(ctx context.Context) (workspace.Workspace, error)
	// Resolve returns the real path on the user's machine that a call means, for
	// whoever judges the call. Nil where the workspace is elsewhere.
	Resolve func(path string) string
	// Signatures also compares the calls in Python files with what the packages
	// installed in the workspace accept, which imports those packages.
	Signatures bool
	// Unguarded lets write and edit change what the session has not read: the
	// caller keeps track of that.
	Unguarded bool
}

// Files are the three tools with what they share.
type Files struct {
	opts    Options
	seen    *seen
	checker *check.Checker
	specs   map[string]tool.Spec
}

// The tools' largest results, in characters.
const (
	readChars   = 100_000
	changeChars = 20_000
)

//go:embed read.json
var readDescription []byte

//go:embed write.json
var writeDescription []byte

//go:embed edit.json
var editDescription []byte

// New checks o and returns the tools.
func New(o Options) (*Files, error) {
	if o.Workspace == nil {
		return nil, errors.New("files option Workspace: it is needed")
	}
	f := &Files{opts: o, seen: newSeen(), specs: map[string]tool.Spec{}}
	f.checker = check.New(check.Options{Python: f.python, Signatures: o.Signatures})
	for _, d := range []struct {
		data []byte
		max  int
	}{{readDescription, readChars}, {writeDescription, changeChars}, {editDescription, changeChars}} {
		spec, err := tool.ParseSpec(d.data, d.max)
		if err != nil {
			return nil, err
		}
		f.specs[spec.Name] = spec
	}
	return f, nil
}

// Forget makes the tools know nothing of what was read: the files are others
// now.
func (f *Files) Forget() { f.seen.forget() }

// Tools returns read, write and edit, in the order the model sees them.
func (f *Files) Tools() []tool.Tool { return []tool.Tool{f.Read(), f.Write(), f.Edit()} }

// Read returns the tool read.
func (f *Files) Read() tool.Tool { return reader{f} }

// Write returns the tool write.
func (f *Files) Write() tool.KeyedTool { return writer{f} }

// Edit returns the tool edit.
func (f *Files) Edit() tool.KeyedTool { return editor{f} }

// refusal is a reason not to do a call, in words for the model.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// failed turns what went wrong in doing something into the call's result. A
// cancelled call is a Go error: it did not happen.
func failed(doing string, err error) (tool.Result, error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return tool.Result{}, fmt.Errorf("%s: %w", doing, err)
	}
	var why refusal
	if errors.As(err, &why) {
		return tool.Failed(bounded(string(why), changeChars)), nil
	}
	return tool.Failed(bounded(fmt.Sprintf("%s error: %v", doing, err), changeChars)), nil
}

// bounded cuts text to n characters.
func bounded(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= n || utf8.RuneCountInString(text) <= n {
		return text
	}
	return excerpt.Head(text, n-3) + "..."
}

// shown is a path as results name it: the model's own words, bounded and
// without control characters.
func shown(path string) string { return bounded(visible(path), 300) }

// visible replaces control characters, which could steer a terminal, by the
// signs that stand for them; tabs stay.
func visible(s string) string {
	clean := true
	for _, r := range s {
		if clean = !control(r); !clean {
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !control(r):
			return r
		case r < 0x20:
			return 0x2400 + r
		case r == 0x7F:
			return 0x2421
		default:
			return utf8.RuneError
		}
	}, s)
}

func control(r rune) bool { return r < 0x20 && r != '\t' || r >= 0x7F && r < 0xA0 }
