package sessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Export writes the conversation to a file.
func Export(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "export", Args: "[md|html|json|jsonl] [file]", Help: "write this conversation to a file",
		Complete: desk.Offers("md ", "html ", "json ", "jsonl ", "claude_code ", "sts "),
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			id := talk.Conversation().ID()
			if id == "" {
				return errors.New("no session is open yet")
			}
			format, path, err := exportArgs(args, id)
			if err != nil {
				return err
			}
			return exportTo(ctx, d, talk, id, format, path)
		},
	}
}

// exportTo writes a session to a file, asking before one is written over.
func exportTo(ctx context.Context, d *desk.Desk, talk dialog.Talk, id, format, path string) error {
	path = d.Absolute(path)
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("/export: %s is no file", path)
		}
		i, err := talk.Choose(ctx, dialog.Menu{Title: path + " exists.", Items: desk.Options("leave it as it is", "write over it")})
		if err != nil || i == 0 {
			return dialog.ErrCancelled
		}
	}
	size, err := write(ctx, d, id, format, path)
	if err != nil {
		return err
	}
	talk.Print("Written to " + path + ", " + amount.Bytes(size))
	return nil
}

// endings are those of the files, by format.
func endings() map[string]string {
	return map[string]string{
		sessions.FormatMarkdown: "md", sessions.FormatHTML: "html", sessions.FormatJSON: "json", sessions.FormatJSONL: "jsonl", sessions.FormatClaude: "claude.jsonl",
		sessions.FormatSimple: "sts.jsonl",
	}
}

// exportArgs reads the argument of /export: a form, a file whose ending tells
// it, both or none.
func exportArgs(args, id string) (format, path string, err error) {
	word, rest, _ := strings.Cut(args, " ")
	format, known := sessions.Format(strings.ToLower(word))
	switch {
	case args == "":
		format = sessions.FormatMarkdown
	case known:
		path = strings.TrimSpace(rest)
	default:
		path = args
		if format, known = sessions.Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))); !known {
			return "", "", fmt.Errorf("/export %s: the forms are md, html, json, jsonl, claude_code and sts", args)
		}
	}
	if path = strings.Trim(path, `"`); path == "" {
		path = "session-" + id[:min(8, len(id))] + "." + endings()[format]
	}
	return format, path, nil
}

// write exports a session and returns how long the file is; what it replaces
// stays until it is complete.
func write(ctx context.Context, d *desk.Desk, id, format, path string) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("export: %w", err), os.Remove(f.Name()))
		}
	}()
	err = exported(ctx, d, id, format, f)
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return size, os.Rename(f.Name(), path)
}

// exported writes a session that is kept on disk, or the one in memory.
func exported(ctx context.Context, d *desk.Desk, id, format string, w io.Writer) error {
	if lib, err := d.Library(); err == nil {
		entry, err := lib.Resolve(ctx, id)
		if err != nil {
			return err
		}
		return lib.Export(ctx, entry, format, w)
	}
	events, err := d.App.Events(ctx, id)
	if err != nil {
		return err
	}
	if format == sessions.FormatJSONL {
		return sessions.WriteEvents(w, events)
	}
	state, err := d.State(ctx, id)
	if err != nil {
		return err
	}
	return sessions.Write(w, document.Build(state, events, document.About{Cwd: d.App.Loaded.Dir, AppVersion: d.Version}), format)
}
