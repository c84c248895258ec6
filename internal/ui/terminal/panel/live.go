package panel

import (
	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Live shows lines that somebody else renews.
type Live struct {
	end
	drawn
	draw func(width, height int) []string
	top  int
}

// NewLive shows what draw returns: painted lines, none wider than the width.
func NewLive(draw func(width, height int) []string, th *theme.Theme) *Live {
	return &Live{draw: draw, drawn: drawn{th}}
}

// Key leaves.
func (p *Live) Key(k tea.KeyPressMsg) {
	switch s := k.Keystroke(); {
	case leaves(k), s == "q", s == "enter":
		p.accept()
	case s == "down", s == "j":
		p.top++
	case s == "up", s == "k":
		p.top = max(0, p.top-1)
	}
}

// Paste means nothing here.
func (p *Live) Paste(string) {}

// View is what draw says now.
func (p *Live) View(width, height int) ([]string, *Cursor) {
	room := max(1, height-1)
	lines := p.draw(width, room)
	p.top = max(0, min(p.top, len(lines)-room))
	keys := []string{"Esc leaves", "what is shown goes on"}
	if len(lines) > room {
		keys = append(keys, "up/down moves")
	}
	lines = lines[p.top:min(len(lines), p.top+room)]
	out := make([]string, 0, len(lines)+1)
	for _, line := range lines {
		out = append(out, p.fit(line, width))
	}
	return append(out, p.hint(width, keys...)), nil
}
