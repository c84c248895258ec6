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
	data, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read trusted folders: %w", err)
	}
	var list trustFile
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read trusted folders in %s: %w", t.path, err)
	}
	return list.Folders, nil
}

// Trust puts a folder on the list.
func (t Trust) Trust(dir string) error {
	return t.change(dir, func(folders []string, real string) []string {
		return append(folders, real)
	})
}

// Revoke takes a folder off the list.
func (t Trust) Revoke(dir string) error {
	return t.change(dir, func(folders []string, real string) []string {
		return slices.DeleteFunc(folders, func(f string) bool { return f == real })
	})
}

func (t Trust) change(dir string, edit func([]string, string) []string) error {
	real, err := realPath(dir)
	if err != nil {
		return err
	}
	folders, err := t.Folders()
	if err != nil {
		return err
	}
	folders = edit(folders, real)
	slices.Sort(folders)
	data, err := json.MarshalIndent(trustFile{slices.Compact(folders)}, "", "  ")
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
