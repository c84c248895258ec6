package sessions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
)

func TestReadTellsWhoseFileItIs(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "from the journal", 1)
	path, err := p.store.JournalPath(idA)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	one := strings.Join(strings.Fields(saved(idB, "null", "indented")), " ")
	for name, tt := range map[string]struct{ text, program, session, first string }{
		"indented":     {saved(idB, "null", "indented"), "", idB, "indented"},
		"one line":     {one, "", idB, "indented"},
		"typed":        {`{"type":"user","session_id":"` + idB + `","messages":[{"role":"user","content":"x"}]}`, "", idB, "x"},
		"journal":      {string(journal), "", idA, "from the journal"},
		"torn journal": {string(journal) + `{"seq":7,"time`, "", idA, "from the journal"},
		"claude":       {`{"type":"queue-operation"}` + "\n" + `{"type":"user","sessionId":"s","message":{"role":"user","content":"c"}}`, "Claude Code", "s", "c"},
		"behind bad":   {"oops\n" + `{"type":"user","sessionId":"s","message":{"role":"user","content":"c"}}`, "Claude Code", "s", "c"},
		"codex":        {`{"type":"turn_context","payload":{}}` + "\n" + `{"type":"response_item","payload":{"type":"message","role":"user","content":"d"}}`, "Codex", "", "d"},
		"old codex":    {`{"id":"x","timestamp":"2025-01-01T00:00:00Z"}` + "\n" + `{"type":"message","role":"user","content":"e"}`, "Codex", "x", "e"},
	} {
		d, err := sessions.Read(p.file(filepath.Join(p.work, "f.jsonl"), tt.text, 0))
		if err != nil || d.Program != tt.program || d.SessionID != tt.session || d.First() != tt.first {
			t.Errorf("%s: %q of %q, %q, %v", name, d.SessionID, d.Program, d.First(), err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "no JSON": "hello\n", "an array": "[1]", "another object": `{"a":1}`, "another kind": `{"type":"hello"}`,
		"half a journal": strings.SplitAfter(string(journal), "\n")[2], "a journal with a hole": strings.Replace(string(journal), "\n", "\nx\n", 1),
	} {
		if d, err := sessions.Read(p.file(filepath.Join(p.work, "f.jsonl"), text, 0)); err == nil {
			t.Errorf("%s was read: %+v", name, d)
		}
	}
	if _, err := sessions.Read(p.work); err == nil {
		t.Error("a folder was read")
	}
}
