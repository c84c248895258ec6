package execution

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Half of a token would not be recognised as one: neither edge of the gap in a
// long result shows one.
func TestClipTearsNoWord(t *testing.T) {
	token := "hf_" + strings.Repeat("aB3", 12)
	for shift := range 45 {
		got := clip(strings.Repeat("x", shift)+" "+strings.Repeat(token+" ", 1000), 4000)
		if n := utf8.RuneCountInString(got); n > 4000+100 || n < 3500 {
			t.Errorf("%d characters", n)
		}
		for _, word := range strings.Fields(got) {
			if strings.Contains(word, "aB3") && word != token {
				t.Fatalf("the result shows %q", word)
			}
		}
	}
	if got := clip(strings.Repeat("line of\n", 1000), 4000); !strings.Contains(got, "\n… (4000 of 8000 characters omitted) …\n") {
		t.Errorf("the gap is %q", got[990:1060])
	}
}
