package terminal_test

import (
	"image/color"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
)

var coloured = []string{"NO_COLOR=", "COLORTERM=truecolor"}

// bright is how light a colour is, from 0 to 1.
func bright(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	return (0.3*float64(r) + 0.59*float64(g) + 0.11*float64(b)) / 0xffff
}

// The terminal is asked for its background: on a white one the colours are dark,
// also those of the banner and of panels.
func TestTheThemeFitsTheBackground(t *testing.T) {
	for name, light := range map[string]bool{"dark": false, "light": true} {
		t.Run(name, func(t *testing.T) {
			x := startKind(t, screentest.Kind{Light: light}, 80, 24, coloured...)
			x.See("? for help", "ml-intern on a stage")
			x.Until("the colours", func(string) bool {
				c := x.Color("ml-intern on")
				return c != nil && bright(c) < 0.5 == light
			})
			ask(x, "/choose", "Which?")
			texts := []string{"ml-intern on", "on a stage", "Which?", "Enter chooses", "test/model ·"}
			x.See(texts...)
			for _, text := range texts {
				c := x.Color(text)
				if c == nil {
					t.Errorf("%q has no colour", text)
				} else if b := bright(c); light && b > 0.5 || !light && b < 0.35 {
					t.Errorf("%q is not easy to read: %v, brightness %.2f", text, c, b)
				}
			}
		})
	}
}

// A terminal that answers nothing delays nobody: keys are taken at once, and the
// banner is there.
func TestASilentTerminal(t *testing.T) {
	x := startKind(t, screentest.Kind{Silent: true}, 80, 24, coloured...)
	x.See("ml-intern on a stage", "❯")
	begun := time.Now()
	x.Type("hello")
	x.See("❯ hello")
	x.Press("enter")
	x.See("You said: hello")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// The animated banner ends as the one that stands still, and typing does not wait
// for it.
func TestTheBannerSettles(t *testing.T) {
	x := start(t, 80, 24, "STAGE_ANIMATE=1")
	x.See("❯")
	x.Type("typed at once")
	x.See("❯ typed at once")
	x.See("ml-intern on a stage\n  Model:         test/model\n  Tool runtime:  local filesystem\n  Folder:        ~/work\n  /help lists the commands, /model changes the model, /quit leaves\n\n❯ typed at once")
	x.Press("enter")
	x.SeeAll("/quit leaves\n\n❯ typed at once\n\n  You said: typed at once")
}
