package ledger_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/ledger"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// The newest entry of an id counts; other events, huge lines and a torn end do
// not disturb.
func TestRead(t *testing.T) {
	spend := func(seq, data string) string {
		return `{"seq":` + seq + `,"timestamp":"2026-01-01T00:00:00Z","session_id":"s","event_type":"spend","data":` + data + "}\n"
	}
	text := spend("1", `{"id":"call_0","kind":"job","state":"reserved","micro_usd":5000,"price_source":"live"}`) +
		`{"seq":2,"event_type":"tool_output","data":{"output":"\"spend\" ` + strings.Repeat("x", 200<<10) + "\"}}\n" +
		"not json \"spend\"\n" +
		spend("3", `{"id":"llm_1","kind":"llm","state":"settled","micro_usd":null,"price_source":"unknown"}`) +
		spend("4", `{"id":"call_0","kind":"job","state":"settled","micro_usd":1200,"price_source":"live"}`) +
		spend("5", `{"id":"call_1","kind":"job","state":"reserved","micro_usd":700,"ref":"job:bob/x","price_source":"live"}`) +
		spend("6", `{"id":"call_2","kind":"job","state":"released","micro_usd":0,"price_source":"live"}`) +
		`{"seq":7,"event_type":"spend","data":{"id":"call_0","ki`
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ledger.Read("s", path)
	if err != nil || len(s.Entries) != 4 || s.Updated.IsZero() {
		t.Fatalf("%+v, %v", s, err)
	}
	sums := ledger.ByKind([]ledger.Session{s, s})
	if got := *sums[event.SpendJob]; got != (ledger.Sum{Settled: 2400, Reserved: 1400}) {
		t.Errorf("jobs %+v", got)
	}
	if got := *sums[event.SpendLLM]; got != (ledger.Sum{Unknown: 2}) {
		t.Errorf("models %+v", got)
	}
	if _, err := ledger.Read("s", path+"x"); err == nil {
		t.Error("a journal that is not there was read")
	}
}
