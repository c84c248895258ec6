package markdown_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

func TestRender(t *testing.T) {
	o := markdown.Options{Theme: theme.New(theme.Options{}), Width: 20, Indent: 2}
	got := strings.Join(markdown.Render("# A\n\nsome *text* that is wrapped\n1. x\n1. y\n\n```py\nz = 1\n```\n", o), "\n")
	want := "  # A\n\n  some *text* that\n  is wrapped\n  1. x\n  2. y\n\n    z = 1"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
