package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	tools "github.com/ml-intern/ml-intern/internal/tools/sandbox"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/bill"
)

// yard makes sandboxes of nothing, so that hours pass at once.
type yard struct {
	mu       sync.Mutex
	kind     sandbox.Kind
	slow     time.Duration // until a machine runs
	exists   map[string]sandbox.Place
	made     int
	deleted  []string
	stuck    error // of Delete
	state    sandbox.State
	children int
	asked    int // for the health
}

func (y *yard) place(o sandbox.Order) sandbox.Place {
	return sandbox.Place{Kind: y.kind, Owner: o.Owner, ID: o.Owner + "/" + o.Name(), Hardware: o.Hardware, Page: "https://hub.test/" + o.Name()}
}

func (y *yard) Create(_ context.Context, o sandbox.Order, _ func(string)) (sandbox.Place, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.made++
	p := y.place(o)
	y.exists[p.ID] = p
	return p, nil
}

func (y *yard) Ready(ctx context.Context, _ sandbox.Order, p sandbox.Place, _ func(string)) (sandbox.Place, error) {
	if err := sandbox.Pause(ctx, y.slow); err != nil {
		return p, err
	}
	p.Paid, p.URL = time.Now(), "https://box.test"
	return p, nil
}

func (y *yard) Find(_ context.Context, o sandbox.Order) (sandbox.Place, bool, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	p, ok := y.exists[y.place(o).ID]
	return p, ok, nil
}

func (y *yard) Look(_ context.Context, p sandbox.Place) (sandbox.Condition, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if _, ok := y.exists[p.ID]; !ok {
		return sandbox.Condition{State: sandbox.Gone, Stage: "deleted"}, nil
	}
	return sandbox.Condition{State: y.state, Stage: "STAGE"}, nil
}

func (y *yard) Delete(_ context.Context, p sandbox.Place) (int64, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.deleted = append(y.deleted, p.ID)
	if y.stuck != nil {
		return -1, y.stuck
	}
	delete(y.exists, p.ID)
	return -1, nil
}

func (y *yard) left() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return len(y.exists)
}

// client is a sandbox that answers and has one file.
type client struct {
	workspace.Workspace
	yard *yard
}

func (c client) Health(context.Context) (wire.HealthAnswer, error) {
	c.yard.mu.Lock()
	defer c.yard.mu.Unlock()
	c.yard.asked++
	return wire.HealthAnswer{Status: "ok", Children: c.yard.children}, nil
}

func (client) Close() {}

func (client) Stat(context.Context, string, workspace.StatOptions) (workspace.Info, error) {
	return workspace.Info{Path: sandbox.Dir, Exists: true}, nil
}

func (client) Pack(context.Context, string, workspace.PackOptions) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("tar")), nil
}

func (client) Unpack(_ context.Context, _ string, tar io.Reader, _ workspace.Limits) (workspace.Packed, error) {
	n, err := io.Copy(io.Discard, tar)
	return workspace.Packed{Files: 1, Bytes: n}, err
}

// ledger is a session that remembers which reservations there were.
type ledger struct {
	tooltest.Session
	mu  sync.Mutex
	ids []string
}

func (l *ledger) Reserve(id, ref string, cost tool.Cost) error {
	l.mu.Lock()
	l.ids = append(l.ids, id)
	l.mu.Unlock()
	return l.Session.Reserve(id, ref, cost)
}

// bench is a keeper over a yard.
type bench struct {
	*testing.T
	yard    *yard
	keeper  *tools.Keeper
	create  tool.Tool
	remove  tool.Tool
	session ledger
	records *sandbox.Records
}

func newBench(t *testing.T, change ...func(*tools.Options)) *bench {
	t.Helper()
	b := &bench{T: t, yard: &yard{kind: sandbox.Space, exists: map[string]sandbox.Place{}}}
	var err error
	if b.records, err = sandbox.OpenRecords(""); err != nil {
		t.Fatal(err)
	}
	book := price.New(price.Options{Table: price.Spaces(), Fetch: func(context.Context) ([]price.Flavor, error) { return price.Spaces(), nil }})
	o := tools.Options{
		Makers: map[sandbox.Kind]sandbox.Maker{sandbox.Space: b.yard}, Prices: bill.Books{sandbox.Space: book}, Records: b.records,
		Choose: func(context.Context) (string, []sandbox.Kind, error) {
			return "bob", []sandbox.Kind{sandbox.Space}, nil
		},
		Guess:   func() []sandbox.Kind { return []sandbox.Kind{sandbox.Space} },
		Connect: func(tools.Address) (tools.Client, error) { return client{yard: b.yard}, nil },
		Session: "session", Prefetch: tools.PrefetchOff, Billing: "https://hub.test/billing",
	}
	for _, c := range change {
		c(&o)
	}
	if b.keeper, err = tools.New(o); err != nil {
		t.Fatal(err)
	}
	b.create, b.remove = b.keeper.Tools()
	return b
}

func (b *bench) attach() { b.create.(tool.Companion).Attach(&b.session) }

func (b *bench) close() {
	b.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if err := b.create.(tool.Closer).Close(ctx); err != nil && b.yard.stuck == nil {
		b.Errorf("close: %v", err)
	}
}

// call makes a call as the engine does.
func (b *bench) call(id, args string) tool.Result {
	b.Helper()
	if cost := b.create.Risk(json.RawMessage(args)).Cost; cost != nil {
		if err := b.session.Reserve(id, "", *cost); err != nil {
			return tool.Failed(err.Error())
		}
	}
	r, err := b.create.Run(context.Background(), &tooltest.Env{Session: "session", Call: id}, json.RawMessage(args))
	if err != nil {
		b.Fatal(err)
	}
	switch {
	case r.Holding != "":
	case !r.OK && r.ActualMicroUSD == nil:
		b.session.Release(id)
	default:
		b.session.Settle(id, r.ActualMicroUSD)
	}
	return r
}

// spent is what is settled, and how many reservations are open.
func (b *bench) spent() (micro int64, open int) {
	b.session.mu.Lock()
	defer b.session.mu.Unlock()
	for _, id := range b.session.ids {
		if now, _ := b.session.Spend(id); now.State == event.SpendSettled {
			micro += *now.MicroUSD
		}
	}
	return micro, len(b.session.Reserved(event.SpendSandbox))
}

// lines are the lines told outside of calls.
func (b *bench) lines() string {
	var all []string
	for _, p := range b.session.Emitted() {
		if l, ok := p.(event.ToolLog); ok {
			all = append(all, l.Log)
		}
	}
	return strings.Join(all, "\n")
}

var errDown = errors.New("the Hub is down")
