package audits

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lab "github.com/ml-intern/ml-intern/internal/lab/audit"
)

// On a terminal one line is drawn over, not too often, and taken away at the
// end; elsewhere each phase has a line once.
func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		b := &bar{out: &out, terminal: true, told: map[string]bool{}}
		b.show(lab.Progress{Phase: "reading train", Total: 1000})
		for i := range int64(1000) { // 5 seconds
			time.Sleep(5 * time.Millisecond)
			b.show(lab.Progress{Phase: "reading train", Done: i + 1, Total: 1000})
		}
		b.show(lab.Progress{Phase: "reading \x1b]0;x\a" + strings.Repeat("long ", 40), Done: 1, Total: 2})
		b.show(lab.Progress{Phase: "counting", Done: 7})
		b.clear()
		drawn := strings.Split(out.String(), "\r")
		if n := len(drawn); n < 45 || n > 60 {
			t.Errorf("drawn %d times in 5 s", n)
		}
		for _, line := range drawn {
			if n := len([]rune(line)); n > lineLen || strings.ContainsAny(line, "\n\x1b\a") {
				t.Errorf("%d characters: %q", n, line)
			}
		}
		for _, want := range []string{
			"reading train            [                        ]   0%", "reading train            [############            ]  50%  about ",
			"reading train            [########################] 100%", "counting … 7",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q is not in %q", want, out.String())
			}
		}
		if last := drawn[len(drawn)-2]; strings.TrimSpace(last) != "" || drawn[len(drawn)-1] != "" {
			t.Errorf("what remains is %q", last)
		}

		out.Reset()
		b = &bar{out: &out, told: map[string]bool{}}
		for _, phase := range []string{"reading train", "reading test", "reading train", "comparing train"} {
			for i := range int64(10) {
				b.show(lab.Progress{Phase: phase, Done: i, Total: 10})
			}
		}
		b.clear()
		if out.String() != "reading train\nreading test\ncomparing train\n" {
			t.Errorf("without a terminal: %q", out.String())
		}
	})
}
