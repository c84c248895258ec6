// Package sandbox is the tools sandbox_create and sandbox_delete, and the place
// that bash, read, write and edit work in when it is not the user's machine.
// It makes one sandbox for a session, ahead of need or when asked, keeps it
// alive while it works, moves it to other hardware, pays for it hour by hour
// and removes it in the end. It knows neither how sandboxes are made nor who
// approves of one.
package sandbox

import (
	"context"
	_ "embed"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/bill"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/notes"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/room"
)

//go:embed sandbox_create.json
var createDescription []byte

//go:embed sandbox_delete.json
var deleteDescription []byte

// maxOutput is the most characters of a result: the end of a build's log may
// be in it.
const maxOutput = 20_000

// When a sandbox is made ahead of need.
const (
	PrefetchOff       = "off"
	PrefetchOnMessage = "on_message"
	PrefetchOnCreate  = "on_create"
)

// Client is a sandbox that answers.
type Client interface {
	workspace.Workspace
	Health(ctx context.Context) (wire.HealthAnswer, error)
	Close()
}

// Address is what a client is made of.
type Address struct {
	URL, Token string
	// Restarted is called when the tool server is found to be another one.
	Restarted func(before, now string)
	// Unreachable is called when it does not answer; see remote.Options.
	Unreachable func(ctx context.Context, why error) error
}

// Options of the tools.
type Options struct {
	// Makers make the kinds of sandboxes; Prices are what each costs.
	Makers map[sandbox.Kind]sandbox.Maker
	Prices bill.Books
	// Choose tells who pays, and which kinds to try, the first first.
	Choose func(ctx context.Context) (owner string, kinds []sandbox.Kind, err error)
	// Guess is the kinds that Choose will name, as far as it is known without
	// asking anybody; nil when it is not.
	Guess func() []sandbox.Kind
	// Connect returns the client of a sandbox.
	Connect func(a Address) (Client, error)
	// Slot waits for the owner's turn to create a sandbox and returns what ends
	// it; wait is called when it is not at once.
	Slot func(ctx context.Context, owner string, wait func()) (done func(), err error)
	// Records remember the session's sandboxes.
	Records *sandbox.Records
	// Session is the session's id.
	Session string
	// Hold takes in secrets that are never to be shown.
	Hold func(values ...string)
	// Secrets and Variables are given to every sandbox. TokenBroad says that a
	// secret may write everywhere, of which the user is told once.
	Secrets, Variables func() map[string]string
	TokenBroad         func() bool
	// Trackio makes a dashboard ready; nil does nothing.
	Trackio func(ctx context.Context, space, project string, log func(string)) error
	// Prefetch is one of the constants of that name; Resync sends files that were
	// written again to a sandbox that has lost its disk.
	Prefetch string
	Resync   bool
	// Billing is where the user adds credits.
	Billing string
}

// Keeper keeps the sandbox of one session. It is safe for concurrent use.
type Keeper struct {
	opts           Options
	create, remove tool.Spec
	flavors        []string

	// life ends with Close; what goes on between calls runs in it.
	life context.Context //nolint:containedctx // the keeper is the owner
	end  context.CancelFunc
	done sync.WaitGroup
	// notes are for the model.
	notes notes.Notes

	mu      sync.Mutex // guards what follows
	session tool.Session
	early   []event.Payload // told before there was a session
	now     *box            // the sandbox that works; nil for none
	making  *making         // what is under way; nil for nothing
	failure error           // of the one made ahead
	forget  func()
	warned  bool // of a broad token
	begun   bool // what an earlier run has left was looked after
	closed  bool
}

// box is a sandbox that works.
type box struct {
	client  Client
	place   *room.Room // as the tools see it; nil until it answers
	maker   sandbox.Maker
	session tool.Session // whose money pays; nil when nothing is to be paid
	// watch ends with the box.
	watch context.Context //nolint:containedctx // it is the box's own life
	stop  context.CancelFunc

	used atomic.Bool // since the last look

	mu   sync.Mutex
	rec  sandbox.Record
	down time.Time // when it was last found not to answer
	from time.Time // since when it does not
	over bool      // its removal has begun
}

func (b *box) record() sandbox.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rec
}

// making is a sandbox that is being made, restored or moved.
type making struct {
	ahead  bool // nobody asked for it
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when box and err count
	box    *box
	err    error
	// over says that box and err count, under the keeper's lock.
	over bool
}

// New returns the keeper. The hardware it offers is that of the price lists at
// hand.
func New(o Options) (*Keeper, error) {
	if len(o.Makers) == 0 || o.Choose == nil || o.Connect == nil || o.Records == nil {
		return nil, errors.New("make sandbox_create: Makers, Choose, Connect and Records are required")
	}
	if o.Guess == nil {
		o.Guess = func() []sandbox.Kind { return nil }
	}
	none := func() map[string]string { return nil }
	if o.Secrets == nil {
		o.Secrets = none
	}
	if o.Variables == nil {
		o.Variables = none
	}
	if o.Hold == nil {
		o.Hold = func(...string) {}
	}
	if o.Slot == nil {
		o.Slot = func(context.Context, string, func()) (func(), error) { return func() {}, nil }
	}
	k := &Keeper{opts: o, flavors: o.Prices.Hardware()}
	var err error
	if k.create, err = tool.ParseSpec(createDescription, maxOutput); err != nil {
		return nil, err
	}
	if k.create.Parameters, err = bill.Offer(k.create.Parameters, k.flavors); err != nil {
		return nil, err
	}
	if k.remove, err = tool.ParseSpec(deleteDescription, maxOutput); err != nil {
		return nil, err
	}
	k.create.Synonyms = tool.Synonyms{Names: map[string]string{"flavor": "hardware", "hardware_flavor": "hardware"}}
	k.life, k.end = context.WithCancel(context.Background())
	return k, nil
}

// Tools returns sandbox_create and sandbox_delete.
func (k *Keeper) Tools() (create, remove tool.Tool) { return &creator{k}, &remover{k} }

// OnRestart sets what is called when what the session has read is void.
func (k *Keeper) OnRestart(forget func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget = forget
}

// tell emits events that belong to no call.
func (k *Keeper) tell(ps ...event.Payload) {
	k.mu.Lock()
	s := k.session
	if s == nil {
		k.early = append(k.early, ps...)
	}
	k.mu.Unlock()
	if s != nil {
		s.Emit(ps...)
	}
}

// say tells a line of progress that belongs to no call.
func (k *Keeper) say(line string) { k.tell(event.ToolLog{Tool: "sandbox", Log: line}) }

// begin makes f's sandbox in the background; only one is under way at a time.
// f ends with the session, and when its making is cancelled; then it has left
// nothing behind. Nil is returned when the session has ended or another one is
// under way.
func (k *Keeper) begin(ahead bool, f func(ctx context.Context) (*box, error)) *making {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.making != nil {
		return nil
	}
	ctx, cancel := context.WithCancelCause(k.life)
	m := &making{ahead: ahead, cancel: cancel, done: make(chan struct{})}
	k.making, k.failure = m, nil
	k.done.Go(func() {
		defer cancel(nil)
		b, err := f(ctx)
		if late := k.conclude(ctx, m, b, err); late {
			_ = k.teardown(b) // it has told what went wrong
		}
		close(m.done)
	})
	return m
}

// conclude ends a making. A sandbox that was ready just when it was cancelled
// is late.
func (k *Keeper) conclude(ctx context.Context, m *making, b *box, err error) (late bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.making = nil; b != nil && ctx.Err() != nil {
		m.err = context.Cause(ctx)
		return true
	}
	if b != nil {
		k.now = b
	}
	if m.ahead && ctx.Err() == nil {
		k.failure = err
	}
	m.box, m.err, m.over = b, err, true
	return false
}

// quit cancels a making whose caller leaves, unless it is over already.
func (k *Keeper) quit(m *making, why error) (over bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	m.cancel(why)
	return m.over
}

// wait returns what m has made.
func (m *making) wait(ctx context.Context) (*box, error) {
	select {
	case <-m.done:
		return m.box, m.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// current is the sandbox that works and what is under way.
func (k *Keeper) current() (*box, *making) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now, k.making
}

// spawn runs f, which ends soon after the keeper's life.
func (k *Keeper) spawn(f func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed {
		k.done.Go(f)
	}
	return !k.closed
}

// Close removes the sandbox and waits for all that is under way.
func (k *Keeper) Close(ctx context.Context) error {
	k.mu.Lock()
	k.closed = true
	b := k.now
	k.mu.Unlock()
	k.end()
	var err error
	if b != nil {
		err = k.teardown(b)
	}
	ended := make(chan struct{})
	go func() { k.done.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
	return err
}
