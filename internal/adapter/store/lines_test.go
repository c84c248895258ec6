package store

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// FuzzParseOwn holds the quick reader of a line against the general one.
func FuzzParseOwn(f *testing.F) {
	f.Add([]byte(`{"seq":1,"timestamp":"2026-01-02T03:04:05.678Z","session_id":"s","turn_id":"turn_1","event_type":"ready","data":{"a":"\",\"data\":{"}}`))
	f.Add([]byte(`{"seq":1,"timestamp":"2026-01-02T03:04:05.678Z","session_id":"s","event_type":"ready","data":{}}`))
	f.Add([]byte(`{"seq":1,"timestamp":"2026-01-02T03:04:05.678Z","session_id":"s","event_type":"ready","data":{},"data":{"x":1}}`))
	f.Add([]byte(`{"seq":1,"timestamp":"2026-01-02T03:04:05.678Z","session_id":"a","session_id":"b","event_type":"ready","data":{}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, ok := parseOwn(line, false)
		if !ok {
			return
		}
		var want event.Event
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("%q: the general decoder says %v", line, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-general +quick):\n%s", line, diff)
		}
	})
}
