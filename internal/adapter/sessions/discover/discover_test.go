package discover_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/discover"
)

const (
	claudeRow = `{"type":"user","uuid":"u1","sessionId":"7b1e9c52-3c7d-4a41-9a57-0c2f5d8e6a10","cwd":"/home/ada/vision","message":{"role":"user","content":"Why does it diverge?"}}` + "\n"
	codexRows = `{"timestamp":"2026-04-02T09:00:00Z","type":"session_meta","payload":{"id":"019d4e2c-77aa-7b20-8f33-5a1d90c4e7b1","cwd":"/home/ada/nlp"}}
{"timestamp":"2026-04-02T09:00:01Z","type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"Which tokenizer?"}]}}
`
)

func TestFind(t *testing.T) {
	home := t.TempDir()
	age := 0
	put := func(path, text string) string {
		t.Helper()
		path = filepath.Join(home, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		age++
		at := time.Now().Add(-time.Duration(age) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := put(".claude/projects/-home-ada-vision/7b1e9c52-3c7d-4a41-9a57-0c2f5d8e6a10.jsonl", claudeRow)
	two := put(".codex/sessions/2026/04/02/rollout-2026-04-02T09-00-00-019d4e2c.jsonl", codexRows)
	odd := put(".claude/projects/-home-ada-vision/odd.jsonl", "not json\n")
	for path, text := range map[string]string{
		".claude/projects/-home-ada-vision/agent-de30ae5d.jsonl":             claudeRow,
		".claude/projects/-home-ada-vision/7b1e9c52/subagents/agent-1.jsonl": claudeRow,
		".claude/projects/-home-ada-vision/notes.txt":                        claudeRow,
		".claude/projects/-home-ada-vision/empty.jsonl":                      "",
		".claude/projects/loose.jsonl":                                       claudeRow,
		".codex/sessions/2026/04/02/other.jsonl":                             codexRows,
		".codex/sessions/rollout-2025.jsonl":                                 codexRows,
		".codex/history.jsonl":                                               codexRows,
	} {
		put(path, text)
	}
	places := discover.In(home, func(string) string { return "" })
	got, all, err := discover.Find(t.Context(), places, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []discover.Found{
		{Path: one, Program: "Claude Code", SessionID: "7b1e9c52-3c7d-4a41-9a57-0c2f5d8e6a10", Title: "Why does it diverge?", Cwd: "/home/ada/vision", Size: int64(len(claudeRow))},
		{Path: two, Program: "Codex", SessionID: "019d4e2c-77aa-7b20-8f33-5a1d90c4e7b1", Title: "Which tokenizer?", Cwd: "/home/ada/nlp", Size: int64(len(codexRows))},
		{Path: odd, Program: "Claude Code", Size: 9},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(discover.Found{}, "UpdatedAt")); diff != "" || all != 3 {
		t.Errorf("%d in all (-want +got):\n%s", all, diff)
	}
	if got, all, err := discover.Find(t.Context(), places, 1); err != nil || len(got) != 1 || all != 3 || got[0].Path != one || time.Since(got[0].UpdatedAt) < time.Hour/2 {
		t.Errorf("%v, %d, %v", got, all, err)
	}
	moved := map[string]string{"CLAUDE_CONFIG_DIR": filepath.Join(home, "none"), "CODEX_HOME": filepath.Join(home, ".codex")}
	if got, _, err := discover.Find(t.Context(), discover.In("", func(name string) string { return moved[name] }), 0); err != nil || len(got) != 1 || got[0].Path != two {
		t.Errorf("%v, %v", got, err)
	}
	if got, _, err := discover.Find(t.Context(), discover.In("", func(string) string { return "" }), 0); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
