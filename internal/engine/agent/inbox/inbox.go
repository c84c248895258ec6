// Package inbox holds what was asked of a session and not done yet, and knows
// when an interrupt has something to end. It neither performs operations nor
// stores them.
package inbox

import (
	"context"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// item is one submission that waits.
type item struct {
	sub  event.Submission
	text bool // a person's text
	// early marks text that was there before the open gate: it waits for it.
	early bool
	// atGate marks text that was sent at a gate an earlier run had open: it
	// does not wait for that gate when it opens again.
	atGate bool
}

// Inbox is the unbounded first-in, first-out list of submissions. One goroutine
// takes them with Next and Done; every other method may be called from
// anywhere.
type Inbox struct {
	// Order is held while a text, or an opening gate, is written to the journal
	// and told here: both have them in the same order.
	Order sync.Mutex

	mu    sync.Mutex
	items []item
	wake  chan struct{} // holds one token when something has changed
	gate  bool          // an approval is open
	err   error         // why nothing is taken any more

	cancel context.CancelCauseFunc // ends the running operation; nil between two
	ctx    context.Context         // the running operation's
	parked bool                    // the taker waits: there is nothing to interrupt
	// interrupt says that one came between two operations.
	interrupt bool
	// steered is closed once a text waits that wants to join the running turn;
	// nil when nobody has asked for it since.
	steered chan struct{}
}

// New returns an empty Inbox.
func New() *Inbox { return &Inbox{wake: make(chan struct{}, 1)} }

// Push adds a submission; text marks what a person has written.
func (b *Inbox) Push(sub event.Submission, text bool) { b.push(item{sub: sub, text: text}) }

// Restore puts the texts that an earlier run of the program has accepted in
// front of all others.
func (b *Inbox) Restore(queue []event.InputAccepted) {
	items := make([]item, 0, len(queue))
	for _, in := range queue {
		var op event.Operation = event.UserInput{Text: in.Text, Shown: in.Shown, Images: in.Images, Terms: in.Terms}
		if in.Steer {
			op = event.Steer{Text: in.Text, Shown: in.Shown, Images: in.Images, Terms: in.Terms}
		}
		items = append(items, item{sub: event.Submission{ID: in.SubmissionID, Operation: op}, text: true, atGate: in.AtGate})
	}
	b.put(func() { b.items = append(items, b.items...) })
}

func (b *Inbox) push(it item) { b.put(func() { b.items = append(b.items, it) }) }

// put changes the list and wakes who waits for it.
func (b *Inbox) put(change func()) {
	b.mu.Lock()
	before := b.hasSteer()
	change()
	b.parked = false
	if b.steered != nil && !before && b.hasSteer() {
		close(b.steered)
	}
	b.mu.Unlock()
	b.signal()
}

// Texts are the texts that wait.
func (b *Inbox) Texts() []event.Submission {
	b.mu.Lock()
	defer b.mu.Unlock()
	var subs []event.Submission
	for _, it := range b.items {
		if it.text {
			subs = append(subs, it.sub)
		}
	}
	return subs
}

// AtGate reports whether a gate is open.
func (b *Inbox) AtGate() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gate
}

func (b *Inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Next waits for the next submission and returns it with the context its
// operation runs in. While a gate is open, text that came before it stays.
func (b *Inbox) Next(ctx context.Context) (context.Context, event.Submission, error) {
	for {
		if opCtx, sub, ok, err := b.begin(ctx); ok || err != nil {
			return opCtx, sub, err
		}
		select {
		case <-ctx.Done():
			return nil, event.Submission{}, ctx.Err()
		case <-b.wake:
		}
	}
}

func (b *Inbox) begin(ctx context.Context) (context.Context, event.Submission, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, event.Submission{}, false, b.err
	}
	if ctx.Err() != nil {
		return nil, event.Submission{}, false, ctx.Err()
	}
	pending := b.interrupt
	b.interrupt = false
	if pending && b.gate {
		return b.start(ctx), event.Submission{Operation: event.Interrupt{}}, true, nil
	}
	it, ok := b.take(func(it item) bool { return !b.gate || !it.early })
	if !ok {
		b.parked = true
		return nil, event.Submission{}, false, nil
	}
	opCtx := b.start(ctx)
	if pending {
		b.cancel(tool.ErrInterrupt)
	}
	return opCtx, it.sub, true, nil
}

// Begin makes the taker's own work interruptible: what is taken up at start.
func (b *Inbox) Begin(ctx context.Context) context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.start(ctx)
}

func (b *Inbox) start(ctx context.Context) context.Context {
	b.parked = false
	b.ctx, b.cancel = context.WithCancelCause(ctx)
	return b.ctx
}

// Done ends the operation. An interrupt that came too late for it is not lost
// when it has left a gate open.
func (b *Inbox) Done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancel == nil {
		return
	}
	b.interrupt = b.gate && tool.Interrupted(b.ctx)
	b.cancel(nil)
	b.ctx, b.cancel = nil, nil
}

// Interrupt ends the running operation, or the one that is about to begin. An
// open gate is handed to the taker; when idle nothing happens.
func (b *Inbox) Interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.cancel != nil:
		b.cancel(tool.ErrInterrupt)
	case b.parked && !b.gate:
	default:
		b.interrupt = true
		b.signal()
	}
}

// Leave has sub taken next, before everything that waits, and ends the running
// operation. An open gate stays as it is.
func (b *Inbox) Leave(sub event.Submission) {
	b.mu.Lock()
	b.items = slices.Insert(b.items, 0, item{sub: sub})
	b.parked = false
	if b.cancel != nil && !b.gate {
		b.cancel(tool.ErrInterrupt)
	}
	b.mu.Unlock()
	b.signal()
}

// Close ends the running operation and every Next with err.
func (b *Inbox) Close(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
	if b.cancel != nil {
		b.cancel(err)
	}
	b.signal()
}

// Busy reports whether an operation runs or is about to begin.
func (b *Inbox) Busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cancel != nil || len(b.items) > 0 && !b.parked
}

// Steers removes and returns the texts that want to join the running turn.
func (b *Inbox) Steers() []event.Submission {
	b.mu.Lock()
	defer b.mu.Unlock()
	var subs []event.Submission
	for {
		it, ok := b.take(steers)
		if !ok {
			return subs
		}
		subs = append(subs, it.sub)
	}
}

// HasSteer reports whether a text wants to join the running turn.
func (b *Inbox) HasSteer() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hasSteer()
}

func (b *Inbox) hasSteer() bool { return slices.ContainsFunc(b.items, steers) }

// Steered is closed once a text waits that wants to join the running turn. When
// all have been taken there is a new one.
func (b *Inbox) Steered() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.steered == nil {
		b.steered = make(chan struct{})
		if b.hasSteer() {
			close(b.steered)
		}
	}
	return b.steered
}

func steers(it item) bool {
	_, ok := it.sub.Operation.(event.Steer)
	return ok
}

// take removes and returns the first item that fits.
func (b *Inbox) take(fits func(item) bool) (item, bool) {
	at := slices.IndexFunc(b.items, fits)
	if at < 0 {
		return item{}, false
	}
	it := b.items[at]
	b.items = slices.Delete(b.items, at, at+1)
	if steers(it) && !b.hasSteer() {
		b.steered = nil
	}
	return it, true
}

// Gate says whether an approval is open. Texts that wait when it opens are
// earlier than it.
func (b *Inbox) Gate(open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gate = open
	for i := range b.items {
		b.items[i].early = open && b.items[i].text && !b.items[i].atGate
		b.items[i].atGate = b.items[i].atGate && open
	}
}
