// Package statefile keeps a directory with the state of a program that runs for
// long: one program at a time has it, and its file is whole at every moment and
// written some time after each change. It does not know what the state is.
package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Names in the directory; all others belong to the program.
const (
	Name     = "state.json"
	lockName = "lock"
)

const (
	// delay is how long after a change the state is written, real time: many
	// changes in a row cost one write.
	delay = 300 * time.Millisecond
	// interval is how often it is written without one: some states change by
	// themselves.
	interval = 5 * time.Second
)

// File is a directory that this program has. Write and Wipe must not run at the
// same time.
type File struct {
	dir   string
	lock  *flock.Flock
	last  []byte        // as it is on disk
	dirty chan struct{} // holds one: something changed
	stop  chan struct{}
	ended sync.WaitGroup
}

// Open takes the directory, which is made if it is not there, and returns the
// state it holds, nil for none.
func Open(dir string) (f *File, before []byte, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("state directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockName))
	if ok, err := lock.TryLock(); err != nil || !ok {
		return nil, nil, fmt.Errorf("state directory %s is in use by another simulator", dir)
	}
	before, err = os.ReadFile(filepath.Join(dir, Name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	return &File{dir: dir, lock: lock, dirty: make(chan struct{}, 1), stop: make(chan struct{})}, before, nil
}

// Keep calls save some time after each change, until Close; say is told what
// goes wrong.
func (f *File) Keep(save func() error, say func(string)) {
	f.ended.Go(func() { f.keep(save, say) })
}

func (f *File) keep(save func() error, say func(string)) {
	regular := time.NewTicker(interval)
	defer regular.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-f.dirty:
		case <-regular.C:
		}
		select {
		case <-f.stop:
			return
		case <-time.After(delay):
		}
		select {
		case <-f.dirty: // what came meanwhile is saved now
		default:
		}
		if err := save(); err != nil {
			say("the state could not be saved: " + err.Error())
		}
	}
}

// Changed notes that there may be something to save.
func (f *File) Changed() {
	select {
	case f.dirty <- struct{}{}:
	default: // noted already
	}
}

// Write puts raw in the place of the state, unless it is the same. Others may
// not read it: tokens and secrets are in it.
func (f *File) Write(raw []byte) error {
	if bytes.Equal(raw, f.last) {
		return nil
	}
	if err := replace(filepath.Join(f.dir, Name), raw); err != nil {
		return err
	}
	f.last = raw
	return nil
}

// replace writes a file so that it is whole at every moment, readable for its
// owner alone.
func replace(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".state-*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Wipe removes everything the directory holds but the lock.
func (f *File) Wipe() error {
	f.last = nil
	entries, err := os.ReadDir(f.dir)
	for _, e := range entries {
		if e.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(f.dir, e.Name())))
		}
	}
	return err
}

// Close ends what Keep began, saves for the last time and lets the directory
// go. save may be nil.
func (f *File) Close(save func() error) error {
	close(f.stop)
	f.ended.Wait()
	if save == nil {
		return f.lock.Unlock()
	}
	return errors.Join(save(), f.lock.Unlock())
}
