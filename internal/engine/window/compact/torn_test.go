package compact

import (
	"strings"
	"testing"
)

// What is left of a long text is saved: half of a token would not be recognised
// as one by who looks for secrets there.
func TestNoWordIsTorn(t *testing.T) {
	token := "hf_" + strings.Repeat("aB3", 12)
	for shift := range 45 {
		text := strings.Repeat("x", shift) + " " + strings.Repeat(token+" ", 2000)
		for what, got := range map[string]string{"ends": ends(text, 1000), "cut": cutTo(text, 500)} {
			if len(got) < 300 || len(got) >= len(text) {
				t.Errorf("%s: %d bytes", what, len(got))
			}
			for _, word := range strings.Fields(got) {
				if strings.Contains(word, "aB3") && word != token {
					t.Fatalf("%s shows %q", what, word)
				}
			}
		}
	}
}
