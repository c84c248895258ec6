// Package editing lets a person change a text in an editor of his own: the text
// goes through a private file that is gone afterwards. It does not know what the
// text is.
package editing

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Draft is a text that is being edited.
type Draft struct {
	// Command is the editor; it needs the terminal.
	Command *exec.Cmd
	dir     string
	path    string
	text    string
}

// Begin writes the text to a file whose name ends like name, and makes the
// command that edits it; editor says what that is.
func Begin(name, text string, editor func(path string) (argv []string, err error)) (*Draft, error) {
	if editor == nil {
		return nil, errors.New("there is no editor here")
	}
	dir, err := os.MkdirTemp("", "ml-intern-edit-")
	if err != nil {
		return nil, fmt.Errorf("make a file for the editor: %w", err)
	}
	d := &Draft{dir: dir, path: filepath.Join(dir, filepath.Base(name)), text: text}
	if err := os.WriteFile(d.path, []byte(text), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write the file for the editor: %w", err), os.RemoveAll(dir))
	}
	argv, err := editor(d.path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	d.Command = exec.Command(argv[0], argv[1:]...)
	return d, nil
}

// End reads what has become of the text and removes the file. Err is how the
// editor ended: a failure leaves the text as it was.
func (d *Draft) End(err error) (string, error) {
	defer os.RemoveAll(d.dir)
	if err != nil {
		return d.text, fmt.Errorf("the editor %s failed: %w", d.Command.Path, err)
	}
	raw, err := os.ReadFile(d.path)
	if err != nil {
		return d.text, fmt.Errorf("read what was edited: %w", err)
	}
	return string(raw), nil
}
