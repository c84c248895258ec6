// Package tooltest holds every tool to the same promises: its schema and its
// parameters struct agree, bad arguments end in a failed result that names the
// field, a cancelled call returns within a second, output stays under the
// declared cap, and a keyed effect is found again. It knows no tool.
package tooltest

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

const (
	// stopLimit is how long a cancelled call may still take.
	stopLimit = time.Second
	// engineCap is the most characters of a result that nothing cuts later.
	engineCap = 100_000
	// callLimit ends a call that hangs; no conforming call comes near it.
	callLimit = 20 * time.Second
)

// Case describes one tool to the suite.
type Case struct {
	// New returns a fresh tool and the session its calls belong to, prepared so
	// that a call with Good succeeds.
	New func(t *testing.T) (tool.Tool, *Env)
	// Params is the zero value of the struct the tool decodes its arguments into.
	Params any
	// Good are arguments of a call that succeeds.
	Good string
	// Bad are further arguments that must fail, each with a text that the
	// failed result contains. The suite makes up the general ones by itself.
	Bad map[string]string
	// Slow are arguments of a call that runs for seconds unless cancelled;
	// empty when the tool has none.
	Slow string
	// Large are arguments of a call that has more to say than the cap; empty
	// when the tool's output is small by nature.
	Large string
}

// Run checks the tool of c.
func Run(t *testing.T, c Case) {
	t.Helper()
	t.Run("spec", func(t *testing.T) { c.spec(t) })
	t.Run("schema and struct agree", func(t *testing.T) { c.agreement(t) })
	t.Run("good call", func(t *testing.T) { c.good(t) })
	t.Run("bad arguments", func(t *testing.T) { c.bad(t) })
	t.Run("cancel", func(t *testing.T) { c.cancel(t) })
	t.Run("output cap", func(t *testing.T) { c.large(t) })
	t.Run("keyed effect", func(t *testing.T) { c.keyed(t) })
}

func (c Case) spec(t *testing.T) {
	tl, _ := c.New(t)
	s := tl.Spec()
	if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`).MatchString(s.Name) {
		t.Errorf("name %q is not lower case letters, digits and _", s.Name)
	}
	if s.Description == "" || s.MaxOutput < 0 || s.MaxOutput > engineCap {
		t.Errorf("description %q, max output %d (0 to %d)", s.Description, s.MaxOutput, engineCap)
	}
	if again := tl.Spec(); again.Name != s.Name || again.Description != s.Description || !bytes.Equal(again.Parameters, s.Parameters) {
		t.Error("the spec is not constant")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, s.Parameters); err != nil {
		t.Fatalf("parameters are no JSON: %v", err)
	}
	if compact.Len() != len(s.Parameters) {
		t.Errorf("parameters are not compact: %d bytes instead of %d", len(s.Parameters), compact.Len())
	}
	if _, err := c.schema(t).Resolve(nil); err != nil {
		t.Errorf("parameters are no JSON schema: %v", err)
	}
}

func (c Case) schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	tl, _ := c.New(t)
	var s jsonschema.Schema
	if err := json.Unmarshal(tl.Spec().Parameters, &s); err != nil {
		t.Fatalf("parameters are no JSON schema: %v", err)
	}
	return &s
}

func (c Case) good(t *testing.T) {
	resolved, err := c.schema(t).Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal([]byte(c.Good), &value); err != nil {
		t.Fatalf("Good: %v", err)
	}
	if err := resolved.Validate(value); err != nil {
		t.Errorf("the schema refuses the good arguments: %v", err)
	}
	tl, env := c.New(t)
	risk := tl.Risk(json.RawMessage(c.Good))
	if !slices.Contains([]event.Effect{event.Pure, event.Read, event.Keyed, event.Once}, risk.Effect) {
		t.Errorf("risk has no effect class: %+v", risk)
	}
	r := c.call(t, tl, env, c.Good)
	if !r.OK || r.Output == "" {
		t.Errorf("good call: %+v", r)
	}
	c.capped(t, tl, r)
}

// call runs one call; a panic, a Go error or a hang fails the test.
func (c Case) call(t *testing.T, tl tool.Tool, env tool.Env, args string) (r tool.Result) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic on %s: %v", args, p)
		}
	}()
	ctx, stop := context.WithTimeout(t.Context(), callLimit)
	defer stop()
	_ = tl.Risk(json.RawMessage(args))
	r, err := tl.Run(ctx, env, json.RawMessage(args))
	if err != nil {
		t.Errorf("Go error on %s: %v", args, err)
	}
	if ctx.Err() != nil {
		t.Errorf("no answer within %v on %s", callLimit, args)
	}
	return r
}

func (c Case) capped(t *testing.T, tl tool.Tool, r tool.Result) {
	t.Helper()
	limit := tl.Spec().MaxOutput
	if limit == 0 {
		return // the engine cuts
	}
	if n := utf8.RuneCountInString(r.Output); n > limit {
		t.Errorf("output has %d characters, more than the declared %d", n, limit)
	}
	if !utf8.ValidString(r.Output) {
		t.Error("output is not UTF-8")
	}
}

func (c Case) bad(t *testing.T) {
	tl, env := c.New(t)
	for _, args := range []string{``, `{`, `null`, `[]`, `"text"`, `17`, `{"a":`, "\x00", `{} {}`} {
		if r := c.call(t, tl, env, args); r.OK || r.Output == "" {
			t.Errorf("arguments %q: %+v, want a failed result with a reason", args, r)
		}
	}
	for args, want := range c.broken(t) {
		r := c.call(t, tl, env, args)
		if r.OK || !strings.Contains(r.Output, want) {
			t.Errorf("arguments %s: %+v, want a failed result that says %q", args, r, want)
		}
		c.capped(t, tl, r)
	}
}

// broken derives arguments from Good: each required property missing or null,
// each property of the schema with a value of another type. The value is what
// the failed result must say.
func (c Case) broken(t *testing.T) map[string]string {
	t.Helper()
	schema := c.schema(t)
	out := map[string]string{}
	variant := func(name string, value any) {
		var object map[string]any
		if err := json.Unmarshal([]byte(c.Good), &object); err != nil {
			t.Fatalf("Good: %v", err)
		}
		if object[name] = value; value == absent {
			delete(object, name)
		}
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		out[string(data)] = name
	}
	for _, name := range schema.Required {
		variant(name, absent)
		variant(name, nil)
	}
	for name, property := range schema.Properties {
		switch property.Type {
		case "string":
			variant(name, []int{1})
		case "":
		default:
			variant(name, "certainly not")
		}
	}
	for args, want := range c.Bad {
		out[args] = want
	}
	return out
}

// absent stands for a property that is left out.
const absent = "\x00absent"

func (c Case) cancel(t *testing.T) {
	tl, env := c.New(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	c.endsAfter(ctx, t, tl, env, c.Good, time.Now())
	if c.Slow == "" {
		return
	}
	tl, env = c.New(t)
	ctx, stop = context.WithCancel(t.Context())
	defer stop()
	const lead = 200 * time.Millisecond // lets the call get under way
	begun := time.Now()
	timer := time.AfterFunc(lead, stop)
	defer timer.Stop()
	r := c.endsAfter(ctx, t, tl, env, c.Slow, begun.Add(lead))
	if time.Since(begun) < lead {
		t.Errorf("the slow call ended before it was cancelled: %+v", r)
	}
}

// endsAfter runs a call and checks that it is over within stopLimit of cancelled.
func (c Case) endsAfter(ctx context.Context, t *testing.T, tl tool.Tool, env tool.Env, args string, cancelled time.Time) tool.Result {
	t.Helper()
	r, _ := tl.Run(ctx, env, json.RawMessage(args)) // whether it happened is not the question here
	if late := time.Since(cancelled); late > stopLimit {
		t.Errorf("the call went on for %v after cancel", late)
	}
	return r
}

func (c Case) large(t *testing.T) {
	if c.Large == "" {
		return
	}
	tl, env := c.New(t)
	r := c.call(t, tl, env, c.Large)
	limit := tl.Spec().MaxOutput
	if limit == 0 {
		t.Fatal("a tool with large output declares its cap")
	}
	c.capped(t, tl, r)
	if n := utf8.RuneCountInString(r.Output); n < limit/2 {
		t.Errorf("the large call has only %d characters: it does not try the cap of %d", n, limit)
	}
}

func (c Case) keyed(t *testing.T) {
	args := json.RawMessage(c.Good)
	tl, env := c.New(t)
	if tl.Risk(args).Effect != event.Keyed {
		return
	}
	k, ok := tl.(tool.KeyedTool)
	if !ok {
		t.Fatal("a call has effect keyed, but the tool cannot look it up")
	}
	intent, err := k.Intent(t.Context(), env, args)
	if err != nil || !json.Valid(intent) {
		t.Fatalf("intent %s, error %v", intent, err)
	}
	if outcome, _, err := k.Recover(t.Context(), env, args, intent); outcome != tool.NotHappened || err != nil {
		t.Errorf("before the call: outcome %v, error %v, want not happened", outcome, err)
	}
	if r := c.call(t, tl, env, c.Good); !r.OK {
		t.Fatalf("the call failed: %+v", r)
	}
	outcome, r, err := k.Recover(t.Context(), env, args, intent)
	if outcome != tool.Happened || err != nil || !r.OK || r.Output == "" {
		t.Errorf("after the call: outcome %v, result %+v, error %v, want happened", outcome, r, err)
	}
	c.keyedBad(t)
}

// keyedBad gives Intent and Recover what no schema has checked.
func (c Case) keyedBad(t *testing.T) {
	tl, env := c.New(t)
	k := tl.(tool.KeyedTool)
	for _, bad := range []string{``, `{`, `null`, `[]`, `{}`, `17`} {
		if outcome, _, _ := k.Recover(t.Context(), env, json.RawMessage(c.Good), json.RawMessage(bad)); outcome != tool.Unknown {
			t.Errorf("intent %q: outcome %v, want unknown", bad, outcome)
		}
		_, _ = k.Intent(t.Context(), env, json.RawMessage(bad)) // must not panic
	}
}
