// Package foreigntest holds readers of other programs' sessions to what all of
// them promise.
package foreigntest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Read is a reader.
type Read func(io.Reader) (document.Document, error)

// Golden reads every testdata/NAME.jsonl and compares what came of it with
// testdata/NAME.golden.
func Golden(t *testing.T, read Read, update bool) {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			Check(t, read, raw)
			d, err := read(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(path, ".jsonl") + ".golden"
			got := Dump(d)
			if update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Dump is a session as lines.
func Dump(d document.Document) string {
	var b strings.Builder
	for _, x := range []struct{ name, value string }{
		{"program", d.Program},
		{"session", d.SessionID},
		{"title", d.Title},
		{"model", d.Model},
		{"folder", d.Cwd},
		{"branch", d.GitBranch},
		{"begun", d.StartTime},
		{"ended", d.EndTime},
		{"notes", strings.Join(d.Notes, "; ")},
	} {
		if x.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", x.name, x.value)
		}
	}
	for _, m := range d.Messages {
		who := string(m.Role)
		if m.Synthetic {
			who += " (synthetic)"
		}
		if m.ToolCallID != "" {
			who += " " + m.ToolCallID + " " + m.Name
		}
		fmt.Fprintf(&b, "%s: %q\n", who, m.PlainText())
		for _, part := range m.Parts {
			fmt.Fprintf(&b, "    part %.60s\n", part)
		}
		for _, c := range m.ToolCalls {
			fmt.Fprintf(&b, "    call %s %s %s\n", c.ID, c.Name, c.Arguments)
		}
	}
	return b.String()
}

// Check holds that what comes of any bytes is a conversation that every
// provider takes: calls have ids of their own, arguments that are objects, and
// their results directly behind them.
func Check(t *testing.T, read Read, raw []byte) {
	t.Helper()
	d, err := read(bytes.NewReader(raw))
	if err != nil {
		return
	}
	ids := map[string]bool{}
	for i := 0; i < len(d.Messages); i++ {
		m := d.Messages[i]
		if !utf8.ValidString(m.Text) {
			t.Fatalf("message %d is not valid UTF-8: %q", i, m.Text)
		}
		switch {
		case m.Role == llm.ToolRole || m.Role == llm.System:
			t.Fatalf("message %d of role %s has no place", i, m.Role)
		case m.Role == llm.Assistant && m.Empty(), m.Role == llm.User && m.Text == "" && len(m.Parts) == 0:
			t.Fatalf("message %d is empty", i)
		}
		for k, c := range m.ToolCalls {
			var object map[string]any
			if c.ID == "" || ids[c.ID] || c.Name == "" || json.Unmarshal([]byte(c.Arguments), &object) != nil || object == nil {
				t.Fatalf("call %+v", c)
			}
			ids[c.ID] = true
			if at := i + 1 + k; at >= len(d.Messages) || d.Messages[at].Role != llm.ToolRole || d.Messages[at].ToolCallID != c.ID {
				t.Fatalf("call %s has no result behind it", c.ID)
			}
		}
		i += len(m.ToolCalls)
	}
	if len(d.Messages) > 0 && !d.Messages[0].Synthetic {
		t.Fatal("the first message does not say where the conversation comes from")
	}
}
