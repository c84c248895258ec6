package panel_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/panel"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// A difference has its colours, in lines that are broken too; any other text is
// shown as it is.
func TestPagerOfADifference(t *testing.T) {
	th := theme.New(theme.Options{Color: theme.True, Dark: true})
	p := panel.NewPager("Changes", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new and longer than that\n", th)
	lines, _ := p.View(20, 20)
	for i, want := range map[int]string{4: th.Paint(theme.Accent, "@@ -1 +1 @@"), 5: th.Paint(theme.Removed, "-old"), 6: th.Paint(theme.Added, "+new and longer than"), 7: th.Paint(theme.Added, " that")} {
		if lines[i] != want {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
	lines, _ = panel.NewPager("Text", "- one\n+ two\n", th).View(20, 20)
	if strings.Contains(strings.Join(lines[1:3], ""), "\x1b") {
		t.Errorf("painted: %q", lines[1:3])
	}
}
