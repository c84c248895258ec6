package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Cursor is where one follower notes how far it has come.
type Cursor struct {
	store *Store
	name  string
}

// Cursor returns the cursors of the follower called name, one a session.
func (s *Store) Cursor(name string) (Cursor, error) {
	if err := checkName(name); err != nil {
		return Cursor{}, err
	}
	return Cursor{s, name}, nil
}

type cursorFile struct {
	Seq int64 `json:"seq"`
}

func (c Cursor) path(session string) (string, error) {
	dir, err := c.store.dir(session)
	return filepath.Join(dir, cursorsName, c.name+".json"), err
}

// Load returns the number of the last event the follower is done with, 0 when
// it has not begun.
func (c Cursor) Load(session string) (int64, error) {
	path, err := c.path(session)
	if err != nil {
		return 0, err
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("load cursor: %w", err)
	}
	var in cursorFile
	if err := json.Unmarshal(raw, &in); err != nil {
		return 0, fmt.Errorf("load cursor %s: %w", path, err)
	}
	return in.Seq, nil
}

// Save notes that the follower is done with seq. A session that is not on disk
// has nothing to come back to, so nothing is noted.
func (c Cursor) Save(session string, seq int64) error {
	path, err := c.path(session)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(filepath.Dir(dir)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fmt.Errorf("save cursor: %w", err)
	}
	raw, err := json.Marshal(cursorFile{seq})
	if err != nil {
		return fmt.Errorf("save cursor %s: %w", path, err)
	}
	tmp, err := os.CreateTemp(dir, c.name+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("save cursor: %w", err)
	}
	_, err = tmp.Write(append(raw, '\n'))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save cursor %s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}
