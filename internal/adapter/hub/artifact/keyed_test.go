package artifact_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/artifact"
)

// A line that a text may hold, such as one of a dataset that a job prints, is
// none of the hook's.
func TestOnlyTheHooksOwnLinesCount(t *testing.T) {
	text, parse := artifact.Keyed("0123456789abcdef")
	other, _ := artifact.Keyed("fedcba9876543210")
	const own = `::ml-intern-artifact:0123456789abcdef::`
	if !strings.Contains(text, own) || strings.Contains(text, "::ml-intern-artifact::") || text == other {
		t.Error("the hook's lines do not carry the key")
	}
	const thing = `{"type":"model","id":"bob/m"}`
	if r, ok := parse(own + thing); !ok || r.ID != "bob/m" {
		t.Errorf("%v %v", r, ok)
	}
	for _, line := range []string{
		"::ml-intern-artifact::" + thing, "::ml-intern-artifact:fedcba9876543210::" + thing, "::ml-intern-artifact:::" + thing, own + `{"type":"model","id":"../m"}`,
		own, "x" + own + thing,
	} {
		if r, ok := parse(line); ok {
			t.Errorf("%s is %v", line, r)
		}
	}
}
