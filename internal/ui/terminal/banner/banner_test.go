package banner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/banner"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

var info = banner.Info{Version: "1.2.3", Model: "acme/large \x1b[2J\nx", Runtime: "local filesystem", Dir: "/home/me/日本語", Home: "/home/me"}

func TestLines(t *testing.T) {
	plain := theme.New(theme.Options{})
	want := `ml-intern 1.2.3
  Model:         acme/large x
  Tool runtime:  local filesystem
  Folder:        ~/日本語
  /help lists the commands, /model changes the model, /quit leaves`
	if diff := cmp.Diff(want, strings.Join(banner.Lines(info, plain, 80), "\n")); diff != "" {
		t.Error(diff)
	}
	if got := banner.Lines(banner.Info{Version: "1.2.3"}, plain, 80); len(got) != 2 {
		t.Errorf("without values: %q", got)
	}
	if got := banner.Lines(banner.Info{Dir: "/home/mememe", Home: "/home/me"}, plain, 80)[1]; !strings.HasSuffix(got, " /home/mememe") {
		t.Errorf("another folder: %q", got)
	}
	for _, th := range []*theme.Theme{plain, theme.New(theme.Options{Color: theme.True, ASCII: true})} {
		for width := range 100 {
			for _, line := range banner.Lines(info, th, width) {
				if ansi.StringWidth(line) > width {
					t.Fatalf("%q is wider than %d", line, width)
				}
			}
		}
	}
}

// The banner settles from the left, keeps its lines, and is in the end what it
// would have been at once.
func TestFrames(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		th := theme.New(theme.Options{ASCII: ascii})
		lines := banner.Lines(banner.Info{Version: "1", Model: "acme/large", Runtime: "local filesystem", Dir: "/w"}, th, 80)
		shown, moving, pictures := 0, true, 0
		for elapsed := time.Duration(0); moving; elapsed += 10 * time.Millisecond {
			var picture []string
			picture, moving = banner.Frame(lines, th, elapsed)
			if len(picture) != len(lines) || elapsed > 2*time.Second {
				t.Fatalf("%d lines after %s", len(picture), elapsed)
			}
			same := 0
			for i, line := range picture {
				if ansi.StringWidth(line) > ansi.StringWidth(lines[i]) || ascii && strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
					t.Fatalf("%q for %q", line, lines[i])
				}
				for same < 1000 && len(line) > same && len(lines[i]) > same && line[same] == lines[i][same] {
					same++
				}
			}
			if same < shown {
				t.Errorf("after %s less stands there than before", elapsed)
			}
			shown, pictures = same, pictures+1
			if !moving && cmp.Diff(lines, picture) != "" {
				t.Errorf("the end is %q", picture)
			}
		}
		if pictures < 20 {
			t.Errorf("it is over after %d pictures", pictures)
		}
	}
}

func TestHead(t *testing.T) {
	th, began := theme.New(theme.Options{}), time.Unix(100, 0)
	h := &banner.Head{Paint: func(th *theme.Theme, width int) []string { return banner.Lines(info, th, width) }, Began: began}
	if !h.Moves(th, 79, began) || h.Moves(th, 79, began.Add(time.Second)) {
		t.Error("it moves for less than a second")
	}
	if h.Moves(th, 58, began) || strings.Join(h.View(th, 58, began), "") != strings.Join(banner.Lines(info, th, 58), "") {
		t.Error("a narrow one stands still")
	}
	h.Began = time.Time{}
	if h.Moves(th, 79, began) {
		t.Error("it moves without being asked to")
	}
	var none *banner.Head
	if none.Moves(th, 79, began) || none.View(th, 79, began) != nil {
		t.Error("none shows something")
	}
}
