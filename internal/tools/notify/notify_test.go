package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post takes messages; destinations in fails refuse them, those in slow take
// their time.
type post struct {
	mu    sync.Mutex
	sent  []string
	last  messaging.Message
	fails map[string]string
	slow  map[string]bool
}

func (p *post) send(ctx context.Context, to string, m messaging.Message) error {
	if p.slow[to] {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(30 * time.Second):
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.last = append(p.sent, to), m
	if why := p.fails[to]; why != "" {
		return errors.New(why)
	}
	return nil
}

func open(t *testing.T, p *post) *notify.Tool {
	t.Helper()
	n, err := notify.New(notify.Options{
		Configured: true, Destinations: []string{"slack.ops", "slack.b", "ntfy.me"}, Send: p.send,
		Scrub: func(s string) string { return strings.ReplaceAll(s, "hunter2", "[REDACTED]") },
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func run(t *testing.T, n tool.Tool, env tool.Env, args string) tool.Result {
	t.Helper()
	r, err := n.Run(t.Context(), env, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			return open(t, &post{slow: map[string]bool{"ntfy.me": true}}), &tooltest.Env{}
		},
		Params: notify.Params{},
		Good:   `{"destinations":["slack.ops"],"message":"done","severity":"success"}`,
		Slow:   `{"destinations":["ntfy.me"],"message":"done"}`,
		Bad: map[string]string{
			`{"destinations":[],"message":"x"}`:                                            "at least one",
			`{"destinations":"slack.ops","message":"x"}`:                                   "destinations",
			`{"destinations":[7],"message":"x"}`:                                           "destinations[0] must be a string",
			`{"destinations":["slack.ops",null],"message":"x"}`:                            "destinations[1] must be a string",
			`{"destinations":[" "],"message":"x"}`:                                         "destinations[0] is blank",
			`{"destinations":["a","slack.ops","b"],"message":""}`:                          "for the agent: a, b (allowed: ntfy.me, slack.b, slack.ops)",
			`{"destinations":["slack.ops"],"message":" \n"}`:                               "message must be",
			`{"destinations":["slack.ops"],"message":"x","title":5}`:                       "title must be a string",
			`{"destinations":["slack.ops"],"message":"x","severity":"loud"}`:               `not "loud"`,
			`{"destinations":["slack.ops"],"message":"x","severity":["info"]}`:             "severity must be a string",
			`{"destinations":["slack.ops"],"message":"` + strings.Repeat("x", 4001) + `"}`: "more than 4000 characters",
		},
	})
}

// Check 37.
func TestCheck37_OnlyAllowedDestinationsEachOnce(t *testing.T) {
	p := &post{}
	n := open(t, p)
	r := run(t, n, &tooltest.Env{}, `{"destinations":["slack.ops","slack.quiet"],"message":"x"}`)
	if r.OK || !strings.Contains(r.Output, "slack.quiet") || len(p.sent) > 0 {
		t.Errorf("%+v after %q", r, p.sent)
	}
	r = run(t, n, &tooltest.Env{Session: "s-1"}, `{"destinations":["slack.ops"," slack.ops "],"message":"x hunter2","title":"T"}`)
	if !r.OK || r.Output != "slack.ops: sent" || !cmp.Equal(p.sent, []string{"slack.ops"}) {
		t.Errorf("%+v after %q", r, p.sent)
	}
	if p.last.Text != "x [REDACTED]" || p.last.Title != "T" || p.last.Severity != messaging.Info || p.last.ID == "" ||
		!cmp.Equal(p.last.Fields, []messaging.Field{{Name: "session_id", Value: "s-1"}, {Name: "model", Value: "acme/model"}}) {
		t.Errorf("sent %+v", p.last)
	}
}

func TestOneFailureStopsNoOther(t *testing.T) {
	p := &post{fails: map[string]string{"slack.b": "not_in_channel"}}
	r := run(t, open(t, p), &tooltest.Env{}, `{"destinations":["slack.b","ntfy.me","slack.ops"],"message":"x"}`)
	slices.Sort(p.sent)
	if r.OK || r.Output != "slack.b: failed (not_in_channel)\nntfy.me: sent\nslack.ops: sent" || len(p.sent) != 3 {
		t.Errorf("%+v after %q", r, p.sent)
	}
}

func TestSendsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{slow: map[string]bool{"slack.ops": true, "slack.b": true, "ntfy.me": true}}
		start := time.Now()
		if r := run(t, open(t, p), &tooltest.Env{}, `{"destinations":["slack.b","ntfy.me","slack.ops"],"message":"x"}`); !r.OK {
			t.Errorf("%+v", r)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{}
		n := open(t, p)
		call := func(turn int) tool.Result {
			return run(t, n, &tooltest.Env{Turn: fmt.Sprintf("turn_%d", turn)}, `{"destinations":["slack.ops"],"message":"x"}`)
		}
		for i := range 60 {
			if r := call(i / 10); !r.OK {
				t.Fatalf("message %d: %+v", i, r)
			}
		}
		if r := call(5); r.OK || !strings.Contains(r.Output, "10 notifications") {
			t.Errorf("the eleventh of a turn: %+v", r)
		}
		if r := call(6); r.OK || !strings.Contains(r.Output, "slack.ops: failed (refused: 60 messages in an hour") {
			t.Errorf("the 61st of an hour: %+v", r)
		}
		if len(p.sent) != 60 {
			t.Errorf("%d were sent", len(p.sent))
		}
		time.Sleep(time.Hour)
		if r := call(7); !r.OK {
			t.Errorf("an hour later: %+v", r)
		}
	})
}

func TestNotConfigured(t *testing.T) {
	n, err := notify.New(notify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := run(t, n, &tooltest.Env{}, `{"destinations":[]}`); r.OK || r.Output != "Messaging is not configured for this session." {
		t.Errorf("%+v", r)
	}
	spec := n.Spec()
	if size := len(spec.Name) + len(spec.Description) + len(spec.Parameters); size > 400 {
		t.Errorf("an unused tool takes %d bytes of every request", size)
	}
	if got := open(t, &post{}).Spec().Description; !strings.HasSuffix(got, "Destinations: ntfy.me, slack.b, slack.ops.") {
		t.Errorf("description %q", got)
	}
}
