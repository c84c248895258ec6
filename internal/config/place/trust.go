package place

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Trust is the list of folders whose files may change how the program runs. A
// folder is known by its real path, so a link to a trusted folder is trusted and
// a folder put in its place elsewhere is not. Trust covers exactly that folder's
// workspace, not what lies below it.
type Trust struct{ path string }

// OpenTrust uses the list in a file, which need not exist.
func OpenTrust(path string) Trust { return Trust{path} }

type trustFile struct {
	Folders []string `json:"folders"`
	// Refused are those that nobody is to be asked about.
	Refused []string `json:"refused,omitempty"`
	// Hooks is, by folder, the mark of the project's hooks that were seen last.
	Hooks map[string]string `json:"hooks,omitempty"`
}

// Trusted says whether a folder is on the list. A list that cannot be read
// trusts nobody.
func (t Trust) Trusted(dir string) (bool, error) {
	folders, err := t.Folders()
	if err != nil || len(folders) == 0 {
		return false, err
	}
	real, err := realPath(dir)
	if err != nil {
		return false, err
	}
	return slices.Contains(folders, real), nil
}

// Folders lists the trusted folders, sorted.
func (t Trust) Folders() ([]string, error) {
	list, err := t.read()
	return list.Folders, err
}

func (t Trust) read() (list trustFile, err error) {
	data, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return list, fmt.Errorf("read trusted folders: %w", err)
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return trustFile{}, fmt.Errorf("read trusted folders in %s: %w", t.path, err)
	}
	return list, nil
}

// Trust puts a folder on the list.
func (t Trust) Trust(dir string) error {
	return t.change(dir, func(list *trustFile, real string) {
		list.Folders = append(list.Folders, real)
		list.Refused = without(list.Refused, real)
	})
}

// Refuse keeps that a folder is not to be trusted, nor asked about.
func (t Trust) Refuse(dir string) error {
	return t.change(dir, func(list *trustFile, real string) {
		list.Folders = without(list.Folders, real)
		list.Refused = append(without(list.Refused, real), real)
		delete(list.Hooks, real)
	})
}

// Refused reports whether nobody is to be asked about a folder.
func (t Trust) Refused(dir string) (bool, error) {
	list, err := t.read()
	if err != nil || len(list.Refused) == 0 {
		return false, err
	}
	real, err := realPath(dir)
	if err != nil {
		return false, err
	}
	return slices.Contains(list.Refused, real), nil
}

func without(folders []string, real string) []string {
	return slices.DeleteFunc(folders, func(f string) bool { return f == real })
}

// Revoke takes a folder off the list, and what was refused back.
func (t Trust) Revoke(dir string) error {
	return t.change(dir, func(list *trustFile, real string) {
		list.Folders, list.Refused = without(list.Folders, real), without(list.Refused, real)
		delete(list.Hooks, real)
	})
}

// Known is the mark of a trusted folder's hooks that were seen last, empty for
// none.
func (t Trust) Known(dir string) (mark string, err error) {
	list, err := t.read()
	if err != nil || len(list.Hooks) == 0 {
		return "", err
	}
	real, err := realPath(dir)
	if err != nil {
		return "", err
	}
	return list.Hooks[real], nil
}

// Know keeps the mark of a folder's hooks, if the folder is trusted.
func (t Trust) Know(dir, mark string) error {
	return t.change(dir, func(list *trustFile, real string) {
		if !slices.Contains(list.Folders, real) {
			return
		}
		if list.Hooks == nil {
			list.Hooks = map[string]string{}
		}
		list.Hooks[real] = mark
	})
}

func (t Trust) change(dir string, edit func(list *trustFile, real string)) error {
	real, err := realPath(dir)
	if err != nil {
		return err
	}
	list, err := t.read()
	if err != nil {
		return err
	}
	edit(&list, real)
	slices.Sort(list.Folders)
	list.Folders = slices.Compact(list.Folders)
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return WritePrivate(t.path, append(data, '\n'))
}

func realPath(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "", fmt.Errorf("find the real path of %s: %w", dir, err)
	}
	return real, nil
}
