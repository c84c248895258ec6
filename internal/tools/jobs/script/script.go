// Package script finds the text of the script that a call means: the text
// itself, a file of the workspace, or an address that the job reads by itself.
// It does not know what becomes of it.
package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
)

const (
	// sizeLimit bounds a script that is read from a file, in bytes.
	sizeLimit = 10 << 20
	// parseWait is how long Python may take to say whether a line is Python.
	parseWait = 3 * time.Second
)

// Found is a script. Name is that of its file, empty without one.
type Found struct{ Text, Name string }

// Options say where files are.
type Options struct {
	// Open gives the place where files are looked for; nil has none.
	Open func(ctx context.Context) (workspace.Workspace, error)
	// Root, when that place is this machine, is the folder that scripts must lie
	// in; "" says that it is elsewhere.
	Root string
}

// Find replaces the path of a script by its text. A text with a line end, and an
// address, are what they are.
func Find(ctx context.Context, o Options, arg string) (Found, error) {
	form := delivery.Classify(arg)
	if form == delivery.Source || form == delivery.URL {
		return Found{Text: arg}, nil
	}
	if o.Open == nil {
		return Found{Text: arg}, isPython(ctx, nil, form, arg)
	}
	place, err := o.Open(ctx)
	if err != nil {
		return Found{}, fmt.Errorf("look for the script %s: %w", arg, err)
	}
	if !mayBeName(arg) {
		return Found{Text: arg}, isPython(ctx, place, form, arg)
	}
	file, info, err := place.Read(ctx, arg, workspace.ReadOptions{})
	if err != nil {
		absent := errors.Is(err, fs.ErrNotExist)
		switch {
		case form == delivery.Line && (absent || workspace.KindOf(err) == workspace.Directory):
			return Found{Text: arg}, isPython(ctx, place, form, arg)
		case absent:
			return Found{}, missing(arg)
		}
		return Found{}, fmt.Errorf("read the script: %w", err)
	}
	defer file.Close()
	if o.Root != "" {
		if rel, err := filepath.Rel(o.Root, info.Path); err != nil || !filepath.IsLocal(rel) {
			return Found{}, fmt.Errorf("the script %s lies outside the workspace %s", info.Path, o.Root)
		}
	}
	return take(file, info, arg)
}

// take reads the file of a script.
func take(file io.Reader, info workspace.Info, arg string) (Found, error) {
	if info.Size > sizeLimit {
		return Found{}, fmt.Errorf("the script %s has %d bytes, more than %d: it is no script", arg, info.Size, sizeLimit)
	}
	text, err := io.ReadAll(io.LimitReader(file, sizeLimit+1))
	if err != nil {
		return Found{}, fmt.Errorf("read the script %s: %w", arg, err)
	}
	if strings.TrimSpace(string(text)) == "" {
		return Found{}, fmt.Errorf("the script %s is empty", arg)
	}
	found := Found{Text: string(text), Name: strings.TrimSuffix(path.Base(info.Path), ".py")}
	if !strings.Contains(found.Text, "\n") {
		found.Text += "\n" // with a line end it is a text when it is looked at again
	}
	return found, nil
}

func missing(arg string) error {
	return fmt.Errorf("there is no script %s: write it first, or pass the source itself", arg)
}

// mayBeName reports whether a line could be the path of a file at all.
func mayBeName(line string) bool {
	return len(line) <= 4096 && strings.TrimSpace(line) == line && !strings.ContainsAny(line, "\x00()\"'")
}

// parses asks Python whether its input is Python.
const parses = `import ast, sys
ast.parse(sys.stdin.read())
print("yes")`

// isPython says why a line that is no file cannot be a script.
func isPython(ctx context.Context, place workspace.Workspace, form delivery.Form, line string) error {
	if form == delivery.Path {
		return missing(line)
	}
	if place == nil {
		return nil
	}
	answer, err := place.Python(ctx, parses, []byte(line), parseWait)
	if err != nil {
		return fmt.Errorf("check the script: %w", err)
	}
	if strings.TrimSpace(string(answer)) == "yes" {
		return nil
	}
	if probe, err := place.Python(ctx, parses, []byte("1"), parseWait); err != nil || strings.TrimSpace(string(probe)) != "yes" {
		return nil // there is no Python that could tell
	}
	return fmt.Errorf("script %q is neither a file nor Python: write the file first, or pass the source itself", line)
}
