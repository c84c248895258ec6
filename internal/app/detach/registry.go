package detach

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// Entry is a session that a host keeps running.
type Entry struct {
	PID int `json:"pid"`
	// Start tells the process from a later one with its number.
	Start     string    `json:"start"`
	Socket    string    `json:"socket"`
	SessionID string    `json:"session_id"`
	Cwd       string    `json:"cwd"`
	Prompt    string    `json:"prompt,omitempty"` // the beginning of the first message, without secrets
	Started   time.Time `json:"started"`
	Version   string    `json:"version"`
}

func (e Entry) process() proc.Group { return proc.Group{ID: e.PID, Start: e.Start} }

// Alive reports whether the host still runs.
func (e Entry) Alive() bool { return e.process().Leads() }

// Look asks the host how things stand.
func (e Entry) Look(ctx context.Context, version string) (attach.Info, error) {
	c, err := attach.Watch(ctx, e.Socket, version)
	if err != nil {
		return attach.Info{}, err
	}
	return c.Info(), c.Detach()
}

// Registry is the list of running hosts of this user: a folder with a file for
// each.
type Registry struct {
	dir string
	// others are folders for sockets, where the path of the first is too long.
	others []string
}

// Open returns the list in the program's state folder.
func Open(state string, lookup func(name string) (string, bool)) *Registry {
	r := &Registry{dir: filepath.Join(state, "run")}
	if dir, ok := lookup("XDG_RUNTIME_DIR"); ok && filepath.IsAbs(dir) {
		r.others = append(r.others, filepath.Join(dir, "ml-intern"))
	}
	r.others = append(r.others, filepath.Join(os.TempDir(), "ml-intern-"+strconv.Itoa(os.Getuid())))
	return r
}

const entrySuffix = ".json"

func (r *Registry) path(id string) string { return filepath.Join(r.dir, id+entrySuffix) }

// List returns the running hosts, the newest first. What hosts that were killed
// have left behind is removed.
func (r *Registry) List() ([]Entry, error) {
	names, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list detached sessions: %w", err)
	}
	var all []Entry
	for _, name := range names {
		path := filepath.Join(r.dir, name.Name())
		if !strings.HasSuffix(path, entrySuffix) || !name.Type().IsRegular() || strings.HasPrefix(name.Name(), ".") {
			continue
		}
		e, err := readEntry(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it has ended just now
		case err != nil || !e.Alive():
			r.sweep(path, e)
		default:
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return strings.Compare(a.SessionID, b.SessionID)
	})
	return all, nil
}

func readEntry(path string) (Entry, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Entry{}, err
	}
	var e Entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// sweep removes an entry whose host has gone, and its socket.
func (r *Registry) sweep(path string, e Entry) {
	if now, err := readEntry(path); err == nil && now != e { // somebody goes on with the session
		return
	}
	r.unlink(e.Socket)
	_ = os.Remove(path) // another may have been faster
}

// unlink removes a socket, and nothing that is something else or elsewhere.
func (r *Registry) unlink(socket string) {
	if !slices.Contains(append([]string{r.dir}, r.others...), filepath.Dir(socket)) || filepath.Ext(socket) != socketSuffix {
		return
	}
	if info, err := os.Lstat(socket); err == nil && info.Mode()&(fs.ModeSocket|fs.ModeIrregular) != 0 { // irregular is what Windows calls it
		_ = os.Remove(socket)
	}
}

// NotFoundError says that no running host is meant by what was asked for.
type NotFoundError struct{ ID string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no detached session %q runs (ml-intern ps lists them)", e.ID)
}

// Find returns the running host whose session is named by an id or the
// beginning of one.
func (r *Registry) Find(id string) (Entry, error) {
	all, err := r.List()
	if err != nil {
		return Entry{}, err
	}
	id = strings.ToLower(strings.TrimSpace(id))
	var found []Entry
	for _, e := range all {
		if id != "" && strings.HasPrefix(e.SessionID, id) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, &NotFoundError{id}
	case 1:
		return found[0], nil
	}
	return Entry{}, fmt.Errorf("%q means %d detached sessions: give more of the id (ml-intern ps lists them)", id, len(found))
}

// add writes an entry; one of the same host under another id goes.
func (r *Registry) add(e Entry, before string) error {
	raw, err := event.Encode(e)
	if err != nil {
		return err
	}
	if err := place.WritePrivate(r.path(e.SessionID), append(raw, '\n')); err != nil {
		return err
	}
	if before != "" && before != e.SessionID {
		_ = os.Remove(r.path(before)) // it may be gone
	}
	return nil
}

func (r *Registry) remove(id string) { _ = os.Remove(r.path(id)) } // it may be gone

const socketSuffix = ".sock"

// socket is a new name for a socket, in the first folder whose path is short
// enough.
func (r *Registry) socket() string {
	var name [4]byte
	_, _ = rand.Read(name[:]) // it never fails
	dirs := append([]string{r.dir}, r.others...)
	for _, dir := range dirs {
		if path := filepath.Join(dir, hex.EncodeToString(name[:])+socketSuffix); attach.Fits(path) {
			return path
		}
	}
	return filepath.Join(dirs[len(dirs)-1], hex.EncodeToString(name[:])+socketSuffix) // Listen says what is wrong
}
