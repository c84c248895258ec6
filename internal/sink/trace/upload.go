package trace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Source is where sessions are kept.
type Source interface {
	// Read returns the events above after, all for a limit of 0.
	Read(ctx context.Context, session string, after int64, limit int) ([]event.Event, error)
	// Sessions lists the ids of all.
	Sessions() ([]string, error)
	// Held reports whether a process writes the session now.
	Held(session string) (pid int, held bool)
}

// Target is where sessions of one kind go.
type Target struct {
	// Repo is the page of the data set.
	Repo string
	// User is who is logged in, Token the hash of the token in use.
	User, Token string
	Render      Render
	// Put sends one file; same says that it was there already, as it is. Its
	// failures are those of the Hub's client.
	Put func(ctx context.Context, f traceset.Session) (same bool, err error)
}

// Options of an uploader.
type Options struct {
	Queue  *Queue
	Source Source
	// Wanted is what is wanted now, without asking anybody: nothing where the
	// settings want nothing or nobody is logged in.
	Wanted func(ctx context.Context) []Wanted
	// Target is where a kind goes; it may ask the Hub who is logged in.
	Target func(ctx context.Context, kind Kind) (Target, error)
	// Scrubber knows what is secret now.
	Scrubber func() *redact.Scrubber
	// Changed is told of a session whose uploads stand otherwise; nil for nobody.
	Changed func(session string)
	Log     *slog.Logger
}

// Wanted is what is wanted of sessions: whose they are and which data set they go
// to, empty where that is not known yet.
type Wanted struct {
	Kind       Kind
	User, Repo string
}

// Uploader sends sessions. It may be used by several goroutines.
type Uploader struct {
	o    Options
	once sync.Once // what earlier runs have left
}

// New returns an uploader.
func New(o Options) (*Uploader, error) {
	switch {
	case o.Queue == nil, o.Source == nil, o.Wanted == nil, o.Target == nil, o.Scrubber == nil, o.Log == nil:
		return nil, errors.New("upload of traces: an option is missing")
	}
	if o.Changed == nil {
		o.Changed = func(string) {}
	}
	return &Uploader{o: o}, nil
}

// Queue is where it keeps what is left to do.
func (u *Uploader) Queue() *Queue { return u.o.Queue }

// Outcome is what became of one attempt to send a session.
type Outcome struct {
	Session string `json:"session_id"`
	Kind    Kind   `json:"kind"`
	Repo    string `json:"repo,omitempty"`
	// Sent says that something was sent, Same that it was there already as it is.
	Sent bool `json:"sent"`
	Same bool `json:"same,omitempty"`
	// Bytes is its size, Cut how many long outputs were shortened.
	Bytes int `json:"bytes,omitempty"`
	Cut   int `json:"cut,omitempty"`
	// Waits says why it was not tried: empty where it was.
	Waits string `json:"waits,omitempty"`
	// Until is when it may be tried again; zero for no particular time.
	Until time.Time `json:"until,omitzero"`
	Err   error     `json:"-"`
}

// Send sends what is left of a session, all kinds that are wanted. Now asks
// places again that have refused, or are to be left alone for a while.
func (u *Uploader) Send(ctx context.Context, session string, now bool) []Outcome {
	var out []Outcome
	for _, wanted := range u.o.Wanted(ctx) {
		o := u.send(ctx, session, wanted.Kind, now)
		o.Session, o.Kind = session, wanted.Kind
		if o.Err != nil {
			u.o.Log.Warn("a session was not uploaded", "session_id", session, "kind", string(wanted.Kind), "error", o.Err)
		}
		out = append(out, o)
	}
	return out
}

func (u *Uploader) send(ctx context.Context, session string, kind Kind, now bool) Outcome {
	release, ok, err := u.o.Queue.hold(busy(session))
	if err != nil {
		return Outcome{Err: err}
	}
	if !ok {
		return Outcome{Waits: "another process is sending it"}
	}
	defer release()
	record, _, err := u.o.Queue.Load(session)
	item := record.Items[kind]
	if err != nil || !item.Due() {
		return Outcome{Err: err, Repo: item.Repo}
	}
	to, err := u.o.Target(ctx, kind)
	if errors.Is(err, wire.Offline) {
		return Outcome{Err: err}
	}
	if err != nil {
		return Outcome{Err: u.failed(ctx, session, kind, "", false, err)}
	}
	if item.User != "" && to.User != "" && item.User != to.User {
		return Outcome{Repo: to.Repo, Waits: fmt.Sprintf("it is a session of %s, and %s is logged in", item.User, to.User)}
	}
	if item.Repo != "" && item.Repo != to.Repo && !now {
		return Outcome{Repo: item.Repo, Waits: fmt.Sprintf("it goes to %s, and the settings here name %s", item.Repo, to.Repo)}
	}
	if wait := u.closed(to, now); wait.Waits != "" || wait.Err != nil {
		return wait
	}
	return u.transfer(ctx, session, kind, item, to)
}

// closed says why a place is not asked now.
func (u *Uploader) closed(to Target, now bool) Outcome {
	all, err := u.o.Queue.Places()
	place, out := all[to.Repo], Outcome{Repo: to.Repo, Err: err}
	switch {
	case now || err != nil || place.Open(to.Token, time.Now()):
	case place.Refused != "" && place.Token == to.Token:
		out.Waits = "refused: " + place.Refused
	default:
		out.Waits, out.Until = "trouble: "+place.Error, place.NotBefore
	}
	return out
}

// transfer reads the session, and sends it if it is another than before.
func (u *Uploader) transfer(ctx context.Context, session string, kind Kind, item Item, to Target) Outcome {
	out := Outcome{Repo: to.Repo}
	events, err := u.o.Source.Read(ctx, session, 0, 0)
	if err != nil {
		out.Err = u.failed(ctx, session, kind, "", false, err)
		return out
	}
	if len(events) == 0 {
		out.Err = u.settle(ctx, session, kind, func(i *Item) { i.Done = i.Want }) // it is not there any more
		return out
	}
	last := events[len(events)-1].Seq
	doc, err := open(events)
	if err != nil {
		out.Err = u.failed(ctx, session, kind, "", true, err)
		return out
	}
	content, err := to.Render(ctx, doc, u.o.Scrubber())
	switch {
	case errors.Is(err, errNoAnswer):
		out.Waits = errNoAnswer.Error()
		out.Err = u.settle(ctx, session, kind, func(i *Item) { i.Done, i.Error = max(i.Done, last), "" })
		return out
	case err != nil:
		out.Err = u.failed(ctx, session, kind, "", true, err)
		return out
	}
	out.Bytes, out.Cut = len(content.Bytes), content.Cut
	sum := sha256.Sum256(content.Bytes)
	hash := hex.EncodeToString(sum[:])
	done := func(i *Item) {
		if last >= i.Done {
			i.Done, i.SHA256 = last, hash
		}
		i.Repo, i.Error, i.Stuck, i.At = to.Repo, "", false, time.Now().UTC().Truncate(time.Second)
		if to.User != "" {
			i.User = to.User
		}
	}
	if item.SHA256 == hash && item.Repo == to.Repo {
		out.Same, out.Err = true, u.settle(ctx, session, kind, done)
		return out
	}
	same, err := to.Put(ctx, traceset.Session{Day: content.Day, ID: session, Content: content.Bytes})
	if err != nil {
		out.Until, out.Err = u.refused(ctx, session, kind, to, err)
		return out
	}
	// It is there, whatever becomes of ctx now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	out.Sent, out.Same = !same, same
	out.Err = errors.Join(u.settle(ctx, session, kind, done), u.reopen(ctx, to))
	return out
}

// noteTime is how long noting what has been done may take.
const noteTime = 2 * time.Second

// settle changes the entry and tells of it.
func (u *Uploader) settle(ctx context.Context, session string, kind Kind, change func(*Item)) error {
	_, err := u.o.Queue.update(ctx, session, func(r *Record) {
		item := r.Items[kind]
		change(&item)
		r.Items[kind] = item
	})
	u.o.Changed(session)
	return err
}

// failed notes why a session was not sent and returns it. Stuck is a failure of
// the session itself.
func (u *Uploader) failed(ctx context.Context, session string, kind Kind, repo string, stuck bool, cause error) error {
	if ctx.Err() != nil {
		return cause // nobody has looked
	}
	return errors.Join(cause, u.settle(ctx, session, kind, func(i *Item) {
		i.Error, i.Stuck = said(cause), stuck
		if repo != "" {
			i.Repo = repo
		}
	}))
}

// textMost is how much of a failure is kept, in bytes.
const textMost = 500

func said(err error) string {
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), textMost)], "")
}

// reopen forgets the trouble that a place was in.
func (u *Uploader) reopen(ctx context.Context, to Target) error {
	all, err := u.o.Queue.Places()
	if err != nil || all[to.Repo] == (Place{}) {
		return err
	}
	return u.o.Queue.setPlace(ctx, to.Repo, func(p *Place) { *p = Place{} })
}

// refused notes that the Hub has not taken a session: until the token is another
// one, because of the session itself, or until a time, which it returns.
func (u *Uploader) refused(ctx context.Context, session string, kind Kind, to Target, cause error) (until time.Time, err error) {
	if ctx.Err() != nil || errors.Is(cause, wire.Offline) {
		return until, cause // it stays due
	}
	var e *wire.Error
	known := errors.As(cause, &e)
	switch {
	case known && permanent(e.Kind):
		text := said(cause)
		err := u.o.Queue.setPlace(ctx, to.Repo, func(p *Place) {
			*p = Place{Refused: text, Token: to.Token, Told: p.Told && p.Refused == text && p.Token == to.Token}
		})
		return until, errors.Join(u.failed(ctx, session, kind, to.Repo, false, cause), err)
	case known && (e.Kind == wire.BadRequest || e.Kind == wire.Validation || e.Kind == wire.Invalid):
		return until, u.failed(ctx, session, kind, to.Repo, true, cause)
	}
	err = u.o.Queue.setPlace(ctx, to.Repo, func(p *Place) {
		wait := backOff(p.Tries)
		if known && e.RetryAfter > 0 {
			wait = min(e.RetryAfter, longestWait)
		}
		until = time.Now().Add(wait).UTC()
		*p = Place{Error: said(cause), Tries: p.Tries + 1, NotBefore: until, Away: Away(cause)}
	})
	return until, errors.Join(u.failed(ctx, session, kind, to.Repo, false, cause), err)
}

// Away reports whether a request has failed before it could be sent: there is no
// network, or nobody at that address.
func Away(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// permanent reports whether only another token, or a person on the Hub's pages,
// helps.
func permanent(k wire.Kind) bool {
	switch k {
	case wire.Unauthorized, wire.Forbidden, wire.RepoNotFound, wire.NotFound, wire.RevisionNotFound, wire.GatedRepo, wire.Disabled, wire.Payment:
		return true
	}
	return false
}

// The waits after trouble: doubled each time, to at most longestWait. One that
// the Hub states is taken as it is, up to that.
const (
	firstWait   = time.Second
	longestWait = time.Hour
)

func backOff(tries int) time.Duration {
	if tries > 20 {
		return longestWait
	}
	return min(firstWait<<tries, longestWait)
}
