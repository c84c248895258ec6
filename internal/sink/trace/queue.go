package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Kind says what is sent of a session.
type Kind string

// The kinds of uploads.
const (
	// Personal is the session itself, to the user's own data set.
	Personal Kind = "personal"
	// Shared is its counters, to a data set that many may write.
	Shared Kind = "shared"
)

// The states of an upload, in the words of session files.
const (
	Pending = "pending"
	Success = "success"
	Failed  = "failed"
)

// Item is one session at one place. What is done is told by the number of the
// newest event that an upload held: a later one is never taken for done by an
// upload that began before it.
type Item struct {
	// Repo is the page of the data set that it goes to, User whose session it is;
	// empty where that is not known yet.
	Repo string `json:"repo,omitempty"`
	User string `json:"user,omitempty"`
	// Want is the event up to which the session is to be there, Done the one up
	// to which it is.
	Want int64 `json:"want"`
	Done int64 `json:"done"`
	// SHA256 is the hash of what was sent last, At when; empty before that.
	SHA256 string    `json:"sha256,omitempty"`
	At     time.Time `json:"at,omitzero"`
	// Error is why the newest attempt failed, empty for none. Stuck says that
	// trying again would not help before the session has changed.
	Error string `json:"error,omitempty"`
	Stuck bool   `json:"stuck,omitempty"`
	// Off says that a person has taken it out of the data set: only a person
	// sends it again.
	Off bool `json:"off,omitempty"`
}

// Due reports whether something is left to send.
func (i Item) Due() bool { return i.Want > i.Done && !i.Stuck && !i.Off }

// Status is the state in one word.
func (i Item) Status() string {
	switch {
	case i.Off || i.Error != "" && i.Want > i.Done:
		return Failed
	case i.Want > i.Done || i.SHA256 == "":
		return Pending
	}
	return Success
}

// Record is everything that is known of one session's uploads.
type Record struct {
	SessionID string        `json:"session_id"`
	Items     map[Kind]Item `json:"uploads"`
}

// Due reports whether something is left to send.
func (r Record) Due() bool {
	for _, item := range r.Items {
		if item.Due() {
			return true
		}
	}
	return false
}

// Place is how a data set has answered, for all sessions.
type Place struct {
	// Refused says why it takes nothing from the token of this hash; empty while
	// it does. Told says that a person has been told.
	Refused string `json:"refused,omitempty"`
	Token   string `json:"token,omitempty"`
	Told    bool   `json:"told,omitempty"`
	// Error is the trouble it was in, Tries how often in a row, NotBefore when it
	// may be asked again.
	Error     string    `json:"error,omitempty"`
	Tries     int       `json:"tries,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	// Away says that it did not answer at all.
	Away bool `json:"away,omitempty"`
}

// Open reports whether the place may be asked now with a token.
func (p Place) Open(token string, now time.Time) bool {
	return (p.Refused == "" || p.Token != token) && !now.Before(p.NotBefore)
}

// Queue is the uploads of this user on this machine: a file a session and one
// for all places. Several processes may share it.
type Queue struct{ dir string }

// OpenQueue opens the queue in a folder, which the first upload makes.
func OpenQueue(dir string) *Queue { return &Queue{dir} }

const (
	ending    = ".upload.json"
	dueFolder = "due"
	places    = "places.json"
	lockRetry = 5 * time.Millisecond
)

func (q *Queue) file(session string) string { return filepath.Join(q.dir, session+ending) }

// lock keeps other processes, and other goroutines, from the whole queue for the
// moment that an entry takes to change.
func (q *Queue) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Join(q.dir, dueFolder), 0o700); err != nil {
		return nil, fmt.Errorf("open the queue of uploads: %w", err)
	}
	l := flock.New(filepath.Join(q.dir, ".lock"), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the queue of uploads: %w", err), l.Close())
	}
	return func() { _ = l.Close() }, nil
}

// hold takes a lock that somebody may keep for long; ok is false when somebody
// does.
func (q *Queue) hold(name string) (release func(), ok bool, err error) {
	if err := os.MkdirAll(q.dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("open the queue of uploads: %w", err)
	}
	l := flock.New(filepath.Join(q.dir, name), flock.SetPermissions(0o600))
	if ok, err = l.TryLock(); err != nil || !ok {
		return nil, false, errors.Join(err, l.Close())
	}
	return func() { _ = l.Close() }, true, nil
}

// Load returns what is known of a session; ok is false for one that was never
// queued.
func (q *Queue) Load(session string) (r Record, ok bool, err error) {
	r = Record{SessionID: session, Items: map[Kind]Item{}}
	ok, err = read(q.file(session), &r)
	if r.Items == nil {
		r.Items = map[Kind]Item{}
	}
	return r, ok, err
}

// read reads a file of the queue; ok is false when there is none. One that was
// spoiled counts as none: what it knew is found out anew.
func read(path string, into any) (ok bool, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the queue of uploads: %w", err)
	}
	return json.Unmarshal(raw, into) == nil, nil
}

// write puts a whole file in the place of another, for its owner alone.
func write(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write the queue of uploads: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("write the queue of uploads: %w", err)
	}
	_, err = tmp.Write(append(raw, '\n'))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the queue of uploads: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// update changes an entry; nothing else changes it meanwhile.
func (q *Queue) update(ctx context.Context, session string, change func(*Record)) (Record, error) {
	unlock, err := q.lock(ctx)
	if err != nil {
		return Record{}, err
	}
	defer unlock()
	r, _, err := q.Load(session)
	if err != nil {
		return r, err
	}
	change(&r)
	// The mark that it is due stands before the entry says so and goes after it
	// does not: whoever is killed in between leaves one too many.
	mark := filepath.Join(q.dir, dueFolder, session)
	if r.Due() {
		if err := os.WriteFile(mark, nil, 0o600); err != nil {
			return r, fmt.Errorf("write the queue of uploads: %w", err)
		}
	}
	if err := write(q.file(session), r); err != nil {
		return r, err
	}
	if !r.Due() {
		_ = os.Remove(mark) // one that stays is looked at in vain
	}
	return r, nil
}

// Mark wants a session to be sent up to an event, as it is wanted: to another data
// set than before it is sent anew.
func (q *Queue) Mark(ctx context.Context, session string, as Wanted, want int64) error {
	_, err := q.update(ctx, session, func(r *Record) {
		item := r.Items[as.Kind]
		if as.Repo != "" && as.Repo != item.Repo {
			item.Repo, item.Done, item.SHA256 = as.Repo, 0, ""
		}
		if want > item.Want {
			item.Want, item.Stuck = want, false
		}
		if as.User != "" {
			item.User = as.User
		}
		r.Items[as.Kind] = item
	})
	return err
}

// Again makes a session due whatever became of it, as a person wants.
func (q *Queue) Again(ctx context.Context, session string, kind Kind) error {
	_, err := q.update(ctx, session, func(r *Record) {
		item := r.Items[kind]
		r.Items[kind] = Item{Repo: item.Repo, User: item.User, Want: max(item.Want, 1)}
	})
	return err
}

// TakeOut notes that a person does not want a session in the data set.
func (q *Queue) TakeOut(ctx context.Context, session string) error {
	_, err := q.update(ctx, session, func(r *Record) {
		item := r.Items[Personal]
		item.Off, item.Error, item.SHA256 = true, takenOut, ""
		r.Items[Personal] = item
	})
	return err
}

// takenOut is why a session is not sent.
const takenOut = "it was taken out of the data set; ml-intern traces push sends it again"

// Due lists the sessions of which something is left to send.
func (q *Queue) Due() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(q.dir, dueFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the queue of uploads: %w", err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, nil
}

// All lists the sessions that were ever queued.
func (q *Queue) All() ([]string, error) {
	entries, err := os.ReadDir(q.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the queue of uploads: %w", err)
	}
	var out []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ending); ok {
			out = append(out, id)
		}
	}
	return out, nil
}

// Forget drops the entries of sessions that are not there any more.
func (q *Queue) Forget(ctx context.Context, sessions func() ([]string, error)) error {
	queued, err := q.All()
	if err != nil || len(queued) == 0 {
		return err
	}
	there, err := sessions() // behind the list: one that begins now is not missed
	if err != nil {
		return err
	}
	for _, id := range queued {
		if slices.Contains(there, id) {
			continue
		}
		if err := q.remove(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// remove drops an entry that nobody works on.
func (q *Queue) remove(ctx context.Context, session string) error {
	release, ok, err := q.hold(busy(session))
	if err != nil || !ok {
		return err
	}
	defer release()
	unlock, err := q.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, path := range []string{q.file(session), filepath.Join(q.dir, dueFolder, session)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean the queue of uploads: %w", err)
		}
	}
	for _, name := range []string{busy(session), written(session)} {
		_ = os.Remove(filepath.Join(q.dir, name)) // it may be open: not every system lets it go
	}
	return nil
}

// busy is the lock of whoever sends a session.
func busy(session string) string { return session + ".lock" }

// holdTime is how long somebody else may keep a session's file.
const holdTime = 5 * time.Second

// Hold keeps others from writing the session's file until release is called.
// Where that cannot be had the file is written all the same: what it tells of
// uploads may then be old.
func (q *Queue) Hold(session string) (release func()) {
	if _, err := os.Stat(q.file(session)); err != nil {
		return func() {} // nothing is told of it
	}
	ctx, cancel := context.WithTimeout(context.Background(), holdTime)
	defer cancel()
	l := flock.New(filepath.Join(q.dir, written(session)), flock.SetPermissions(0o600))
	_, _ = l.TryLockContext(ctx, lockRetry)
	return func() { _ = l.Close() }
}

// written is the lock of whoever writes a session's file.
func written(session string) string { return session + ".json.lock" }

// Places returns how the data sets have answered, by their pages.
func (q *Queue) Places() (map[string]Place, error) {
	all := map[string]Place{}
	_, err := read(filepath.Join(q.dir, places), &all)
	if all == nil {
		all = map[string]Place{}
	}
	return all, err
}

// setPlace changes what is known of one place.
func (q *Queue) setPlace(ctx context.Context, repo string, change func(*Place)) error {
	unlock, err := q.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := q.Places()
	if err != nil {
		return err
	}
	p := all[repo]
	change(&p)
	if all[repo] = p; p == (Place{}) {
		delete(all, repo)
	}
	return write(filepath.Join(q.dir, places), all)
}

// Tell returns why places refuse uploads, each reason once.
func (q *Queue) Tell(ctx context.Context) ([]string, error) {
	all, err := q.Places()
	var out []string
	for repo, p := range all {
		if p.Refused == "" || p.Told {
			continue
		}
		out = append(out, repo+": "+p.Refused)
		err = errors.Join(err, q.setPlace(ctx, repo, func(p *Place) { p.Told = true }))
	}
	slices.Sort(out)
	return out, err
}
