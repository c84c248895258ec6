package claude_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/foreign/foreigntest"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestRead(t *testing.T) { foreigntest.Golden(t, claude.Read, *update) }

// What we write in this form is read as what it was.
func TestReadWhatWeWrite(t *testing.T) {
	d := example()
	d.Messages[2].ToolCalls[0].Arguments = `{"command":"ls"}`
	d.Messages = append(d.Messages,
		llm.Message{Role: llm.User, Text: "[SYSTEM: go on]", Synthetic: true},
		llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "call-2", Name: "read", Arguments: `{"path":"x"}`}, {ID: "call-3", Name: "read", Arguments: `{"path":"y"}`}}},
		llm.Message{Role: llm.ToolRole, Text: "X", ToolCallID: "call-2", Name: "read"},
		llm.Message{Role: llm.ToolRole, Text: "Y", ToolCallID: "call-3", Name: "read"},
	)
	var out bytes.Buffer
	if err := claude.Write(&out, d); err != nil {
		t.Fatal(err)
	}
	got, err := claude.Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	want := foreigntest.Dump(document.Document{Messages: d.Messages[1:]})
	is := foreigntest.Dump(document.Document{Messages: got.Messages[1:]})
	if diff := cmp.Diff(want, is); diff != "" || got.SessionID != d.SessionID || got.StartTime != d.StartTime || got.Model != d.Model || len(got.Notes) > 0 {
		t.Errorf("%+v (-want +got):\n%s", got, diff)
	}
}

// Rows that lead in a circle end the walk.
func TestCircle(t *testing.T) {
	rows := ""
	for i := range 3 {
		rows += fmt.Sprintf(`{"type":"user","uuid":"u%d","parentUuid":"u%d","message":{"role":"user","content":"text %d"}}`+"\n", i, (i+1)%3, i)
	}
	d, err := claude.Read(strings.NewReader(rows))
	if err != nil || len(d.Messages) != 4 {
		t.Errorf("%v, %v", d.Messages, err)
	}
}

func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { foreigntest.Check(t, claude.Read, raw) })
}
