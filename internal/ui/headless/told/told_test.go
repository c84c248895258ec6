package told_test

import (
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/headless/told"
)

func TestWhatWasToldIsNotRepeated(t *testing.T) {
	seen := told.Lines{}
	seen.Add(event.ToolLog{ToolCallID: "a", Log: "one\n  two\n"})
	seen.Add(event.ToolLog{ToolCallID: "b", Log: "three"})
	seen.Add(event.ToolLog{Log: "of no call"})
	for _, c := range []struct{ call, output, want string }{
		{"a", "one\n  two\nthree\n\n[exit code: 1]\n", "three\n\n[exit code: 1]"},
		{"a", "one\ntwo", "one\ntwo"}, // the call was over
		{"b", "three\n", ""},
		{"c", "of no call", "of no call"},
	} {
		if got := seen.Rest(c.call, c.output); got != c.want {
			t.Errorf("%s: %q, want %q", c.call, got, c.want)
		}
	}
	if len(seen) != 0 {
		t.Errorf("%d calls are remembered", len(seen))
	}
}
