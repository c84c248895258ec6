package leftovers_test

import (
	"io"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/leftovers"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

type nowhere struct{ io.Writer }

func (nowhere) Close() error { return nil }

// What runs and costs is told with the way to stop it; what has ended is not.
func TestLines(t *testing.T) {
	p, err := proc.Start(proc.Command{Path: "/bin/sh", Args: []string{"-c", "sleep 60"}, Dir: t.TempDir(), Output: nowhere{io.Discard}})
	if err != nil {
		t.Fatal(err)
	}
	group := p.Group()
	s := &history.State{
		Groups: []string{group.String(), "pgid:999999999@1", "nonsense"},
		Spend: map[string]event.Spend{
			"a": {ID: "a", Kind: event.SpendJob, State: event.SpendReserved, Ref: "job:acme/66aa"},
			"b": {ID: "b", Kind: event.SpendSandbox, State: event.SpendReserved, Ref: "space:bob/sandbox-0a1b2c3d"},
			"c": {ID: "c", Kind: event.SpendJob, State: event.SpendSettled, Ref: "job:acme/77bb"},
			"d": {ID: "d", Kind: event.SpendJob, State: event.SpendReserved}, // its call is still open
		},
	}
	var text []string
	for _, l := range leftovers.Lines(s) {
		text = append(text, l.(event.ToolLog).Log)
	}
	all := strings.Join(text, "\n")
	if len(text) != 3 {
		t.Errorf("%d lines:\n%s", len(text), all)
	}
	for _, want := range []string{"kill -- -", "ml-intern jobs cancel 66aa --namespace acme", "ml-intern sandbox rm bob/sandbox-0a1b2c3d"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	group.Kill()
	if n := len(leftovers.Lines(&history.State{Groups: []string{group.String()}})); n != 0 {
		t.Errorf("%d lines of a group that has ended", n)
	}
}
