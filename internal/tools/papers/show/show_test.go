package show_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\n b\t c": "a b c", "\x1b[31mred\x1b[0m": "red", "abcdefgh": "abcdef...", "äöüäöüä": "äöüäöü...", "": "", "a\u009bb\xff": "a\ufffd", "x\u202ey": "x\ufffdy",
	} {
		if got := show.Line(in, 6); got != want {
			t.Errorf("%q → %q, want %q", in, got, want)
		}
	}
	if got := show.Line(strings.Repeat("word ", 1_000_000), 10); got != "word word..." {
		t.Errorf("%q", got)
	}
}

func TestNumbers(t *testing.T) {
	n := 1234567
	small := -12
	if show.Grouped(&n) != "1,234,567" || show.Grouped(&small) != "-12" || show.Grouped(nil) != "?" || show.Or(&n) != "1234567" || show.Or(nil) != "?" {
		t.Error(show.Grouped(&n), show.Grouped(&small), show.Or(&n))
	}
	if show.Counted(1, "paper") != "1 paper" || show.Counted(0, "paper") != "0 papers" {
		t.Error(show.Counted(1, "paper"))
	}
}

// TestListsFit: a list is never longer than its room, entries are whole, and
// going on shows every entry once.
func TestListsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(10, 900), 0, 60).Draw(t, "sizes")
		room := rapid.IntRange(1500, 9000).Draw(t, "room")
		entries := make([]string, len(sizes))
		for i, n := range sizes {
			entries[i] = fmt.Sprintf("<%d>%s\n", i, strings.Repeat("é", n))
		}
		at := 0
		for calls := 0; at < len(entries); calls++ {
			next := len(entries)
			l := show.List{Head: "# head\n", Tail: "tail\n", Entries: entries[at:], Offset: at, Next: func(n int) string {
				next = n
				return "hf_papers {}"
			}}
			text := l.Render(room)
			if n := utf8.RuneCountInString(text); n > room {
				t.Fatalf("%d characters in %d", n, room)
			}
			for i := at; i < next; i++ {
				if !strings.Contains(text, entries[i]) {
					t.Fatalf("entry %d is missing between %d and %d", i, at, next)
				}
			}
			if next <= at {
				t.Fatalf("it does not go on: %d after %d", next, at)
			}
			at = next
		}
	})
}
