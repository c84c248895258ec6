package mcpserver_test

import (
	"encoding/json"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

const operations = `{"type":"object","properties":{
	"operation":{"type":"string","enum":["list","delete"]},"n":{"type":"integer"},"on":{"type":"boolean"},"ids":{"type":"array"},"more":{"type":"object"},
	"kind":{"type":["string","null"],"enum":["a","b"]},"opt":{"type":"string"}},
	"required":["operation","n","on","ids","more","kind"]}`

func TestHints(t *testing.T) {
	byOperation := func(list, remove tool.Risk) func(json.RawMessage) tool.Risk {
		return func(args json.RawMessage) tool.Risk {
			var p struct {
				Operation string
				N         *int
				On        *bool
				IDs       []string
				More      map[string]any
				Kind, Opt string
			}
			if err := json.Unmarshal(args, &p); err != nil || p.N == nil || p.On == nil || p.IDs == nil || p.More == nil || p.Kind != "a" || p.Opt != "" {
				t.Errorf("arguments that are none of the schema's: %s, %v", args, err)
			}
			if p.Operation == "list" {
				return list
			}
			return remove
		}
	}
	look, once := tool.Risk{Effect: event.Read}, tool.Risk{Effect: event.Once}
	for name, tt := range map[string]struct {
		schema      string
		risk        func(json.RawMessage) tool.Risk
		want, looks mcpserver.Hints
		reads       bool
	}{
		"looks things up": {noArguments, always(look), mcpserver.Hints{ReadOnly: true, Idempotent: true, OpenWorld: true}, mcpserver.Hints{ReadOnly: true, Idempotent: true, OpenWorld: true}, true},
		"thinks":          {noArguments, always(tool.Risk{Effect: event.Pure}), mcpserver.Hints{ReadOnly: true, Idempotent: true}, mcpserver.Hints{ReadOnly: true, Idempotent: true}, true},
		"reads a file":    {noArguments, always(tool.Risk{Effect: event.Read, Reads: []string{"/f"}}), mcpserver.Hints{ReadOnly: true, Idempotent: true}, mcpserver.Hints{ReadOnly: true, Idempotent: true}, true},
		"writes a file":   {noArguments, always(tool.Risk{Effect: event.Keyed, Writes: []string{"/f"}}), mcpserver.Hints{Destructive: true}, mcpserver.Hints{ReadOnly: true, Idempotent: true}, false},
		"adds":            {noArguments, always(tool.Risk{Effect: event.Keyed}), mcpserver.Hints{OpenWorld: true}, mcpserver.Hints{ReadOnly: true, Idempotent: true}, false},
		"asks first":      {noArguments, always(tool.Risk{Effect: event.Keyed, Gate: tool.Ask}), mcpserver.Hints{Destructive: true, OpenWorld: true}, mcpserver.Hints{ReadOnly: true, Idempotent: true}, false},
		"runs commands":   {noArguments, always(tool.Risk{Effect: event.Read, Command: "ls", Reads: []string{"/f"}}), mcpserver.Hints{OpenWorld: true}, mcpserver.Hints{ReadOnly: true, Idempotent: true}, false},
		"does both":       {operations, byOperation(look, once), mcpserver.Hints{Destructive: true, OpenWorld: true}, mcpserver.Hints{ReadOnly: true, Idempotent: true, OpenWorld: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := fake{tool.Spec{Name: "x", Parameters: json.RawMessage(tt.schema)}, tt.risk}
			if got := mcpserver.HintsOf(f, false); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if got := mcpserver.HintsOf(f, true); got != tt.looks {
				t.Errorf("where only looking is permitted: %+v, want %+v", got, tt.looks)
			}
			if got := mcpserver.Reads(f); got != tt.reads {
				t.Errorf("reads: %v", got)
			}
		})
	}
}
