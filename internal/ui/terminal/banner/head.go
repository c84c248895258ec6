package banner

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Head is a banner for as long as it may change. It stands in what is drawn
// anew, and is printed once it moves no more and its colours are known, or when
// anything below it is to be printed. A nil Head has been printed.
type Head struct {
	// Paint draws it.
	Paint func(th *theme.Theme, width int) []string
	// Began is when it was shown first; zero where it does not move.
	Began time.Time
	// Settled says that its colours are known, or not waited for any more.
	Settled bool
}

// View is how it looks now.
func (h *Head) View(th *theme.Theme, width int, now time.Time) []string {
	if h == nil {
		return nil
	}
	lines, _ := h.frame(th, width, now)
	return lines
}

// Moves reports whether it changes by itself.
func (h *Head) Moves(th *theme.Theme, width int, now time.Time) bool {
	if h == nil {
		return false
	}
	_, moves := h.frame(th, width, now)
	return moves
}

func (h *Head) frame(th *theme.Theme, width int, now time.Time) ([]string, bool) {
	lines := h.Paint(th, width)
	if h.Began.IsZero() || width+1 < narrowest {
		return lines, false
	}
	return Frame(lines, th, now.Sub(h.Began))
}
