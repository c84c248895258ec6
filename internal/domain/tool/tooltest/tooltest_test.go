package tooltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
)

// params are the arguments of the sample tool.
type params struct {
	Text string `json:"text"`
	Size int    `json:"size,omitempty"`
}

// other is a struct that does not fit the sample's schema.
type other struct {
	Text string `json:"text,omitempty"`
	Size string `json:"size"`
	More bool   `json:"more,omitempty"`
}

const schema = `{"type":"object","properties":{"text":{"type":"string"},"size":{"type":"integer"}},"required":["text"],"additionalProperties":false}`

// sample is a tool that keeps every promise, except the one named by flaw.
type sample struct {
	flaw string
	done atomic.Bool
}

func (s *sample) Spec() tool.Spec {
	spec := tool.Spec{Name: "sample", Description: "says its text", Parameters: json.RawMessage(schema), MaxOutput: 1000}
	switch s.flaw {
	case "name":
		spec.Name = "Sample Tool"
	case "spaces":
		spec.Parameters = json.RawMessage(strings.ReplaceAll(schema, ":", ": "))
	case "open schema":
		spec.Parameters = json.RawMessage(strings.ReplaceAll(schema, `,"additionalProperties":false`, ""))
	}
	return spec
}

func (s *sample) Risk(json.RawMessage) tool.Risk {
	if s.flaw == "no effect" {
		return tool.Risk{}
	}
	return tool.Risk{Effect: event.Keyed}
}

func (s *sample) Run(ctx context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
	var p params
	if err := tool.Decode(args, &p); err != nil {
		switch s.flaw {
		case "panic":
			panic("bad arguments")
		case "go error":
			return tool.Result{}, err
		case "accepts anything":
			return tool.Success("fine"), nil
		case "names no field":
			return tool.Failed("bad arguments"), nil
		}
		return tool.Failed(err.Error()), nil
	}
	if p.Text == "slow" {
		if s.flaw == "deaf" {
			ctx = context.WithoutCancel(ctx)
		}
		select {
		case <-ctx.Done():
			return tool.Result{}, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
	s.done.Store(true)
	if p.Size > 1000 && s.flaw != "no cap" {
		p.Size = 1000
	}
	return tool.Success(p.Text + strings.Repeat("x", max(0, p.Size-len(p.Text)))), nil
}

func (s *sample) Intent(context.Context, tool.Env, json.RawMessage) (json.RawMessage, error) {
	return json.RawMessage(`{"key":"k"}`), nil
}

func (s *sample) Recover(_ context.Context, _ tool.Env, _, intent json.RawMessage) (tool.Outcome, tool.Result, error) {
	var in struct{ Key string }
	if json.Unmarshal(intent, &in) != nil || in.Key == "" {
		return tool.Unknown, tool.Result{}, errors.New("no key")
	}
	if s.flaw == "forgets" || !s.done.Load() {
		return tool.NotHappened, tool.Result{}, nil
	}
	return tool.Happened, tool.Success("done before"), nil
}

const flawVar = "TOOLTEST_FLAW"

// TestSample passes for a tool without a flaw. TestFlawsAreFound starts it
// again with one.
func TestSample(t *testing.T) {
	flaw := os.Getenv(flawVar)
	c := tooltest.Case{
		New:    func(*testing.T) (tool.Tool, *tooltest.Env) { return &sample{flaw: flaw}, &tooltest.Env{} },
		Params: params{},
		Good:   `{"text":"a","size":3}`,
		Slow:   `{"text":"slow"}`,
		Large:  `{"text":"a","size":5000}`,
	}
	if flaw == "other struct" {
		c.Params = other{}
	}
	tooltest.Run(t, c)
}

func TestFlawsAreFound(t *testing.T) {
	for flaw, where := range map[string]string{
		"name": "spec", "spaces": "spec", "open schema": "schema_and_struct_agree", "other struct": "schema_and_struct_agree",
		"no effect": "good_call", "panic": "bad_arguments", "go error": "bad_arguments", "accepts anything": "bad_arguments",
		"names no field": "bad_arguments", "deaf": "cancel", "no cap": "output_cap", "forgets": "keyed_effect",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestSample$")
			cmd.Env = append(os.Environ(), flawVar+"="+flaw)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestSample/"+where) {
				t.Errorf("not found where it is, in %s: %v\n%s", where, err, out)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	for args, want := range map[string]string{
		`{"text":"a"}`: "", `{"text":"a","more":1}`: "",
		`{}`: "text is required (string)", `{"text":null}`: "text is required", `{"text":1}`: "text must be of type string, not number",
		`{"text":"a","size":"b"}`: "size must be of type integer, not string", `{"text":"a","size":1.5}`: "size must be of type integer",
		`[]`: "one JSON object", `null`: "one JSON object", ``: "one JSON object",
	} {
		var p params
		err := tool.Decode(json.RawMessage(args), &p)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", args, err, want)
		}
	}
}

func TestParseSpec(t *testing.T) {
	s, err := tool.ParseSpec([]byte(`{"name":"n","description":"d","parameters":{ "type": "object" }}`), 7)
	if err != nil || s.Name != "n" || string(s.Parameters) != `{"type":"object"}` || s.MaxOutput != 7 {
		t.Errorf("%+v %v", s, err)
	}
	for _, bad := range []string{`{`, `{}`, `{"name":"n","description":"d"}`} {
		if _, err := tool.ParseSpec([]byte(bad), 0); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
