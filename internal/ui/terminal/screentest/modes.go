package screentest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Left says what a program has changed in the terminal and not put back, judged
// by all that it has written; nothing for a program that leaves the terminal as
// it was.
func (s *Screen) Left() []string {
	l := left{modes: map[string]bool{}}
	raw, state := s.Raw(), byte(0)
	p := ansi.NewParser()
	for len(raw) > 0 {
		seq, _, n, next := ansi.DecodeSequence(raw, state, p)
		raw, state = raw[n:], next
		l.sees(seq, p)
	}
	var all []string
	for what, on := range l.modes {
		if on {
			all = append(all, what)
		}
	}
	slices.Sort(all)
	return all
}

// left is what is changed: true where it is not as it was.
type left struct {
	modes  map[string]bool
	kitty  int // how deep the stack is
	titles int
}

func (l *left) sees(seq string, p *ansi.Parser) {
	switch {
	case ansi.HasCsiPrefix(seq):
		l.csi(p)
	case strings.HasPrefix(seq, "\x1b]8;"):
		_, url, _ := strings.Cut(strings.Trim(strings.TrimPrefix(seq, "\x1b]8;"), "\x07\x1b\\"), ";")
		l.modes["hyperlink"] = url != ""
	case strings.HasPrefix(seq, "\x1b]9;4;"):
		l.modes["progress"] = !strings.HasPrefix(seq, "\x1b]9;4;0")
	case strings.HasPrefix(seq, "\x1b="), strings.HasPrefix(seq, "\x1b>"):
		l.modes["application keypad"] = seq == "\x1b="
	}
}

func (l *left) csi(p *ansi.Parser) {
	c := ansi.Cmd(p.Command())
	first, _ := p.Param(0, 0)
	switch {
	case c.Prefix() == '?' && c.Final() == 'h', c.Prefix() == '?' && c.Final() == 'l':
		for i := range p.Params() {
			mode, _ := p.Param(i, 0)
			usual := mode == 25 || mode == 7 // the cursor is shown, lines are broken
			l.modes[fmt.Sprintf("mode %d", mode)] = (c.Final() == 'h') != usual
		}
	case c.Prefix() == '>' && c.Final() == 'u':
		l.kitty++
		l.modes["kitty keyboard"] = true
	case c.Prefix() == '<' && c.Final() == 'u':
		l.kitty -= cmp.Or(first, 1)
		l.modes["kitty keyboard"] = l.kitty != 0
	case c.Prefix() == '=' && c.Final() == 'u' && l.kitty <= 0:
		l.modes["kitty keyboard"] = first != 0
	case c.Prefix() == '>' && c.Final() == 'm' && first == 4:
		how, _ := p.Param(1, 0)
		l.modes["modifyOtherKeys"] = how != 0
	case c.Prefix() == 0 && c.Intermediate() == ' ' && c.Final() == 'q':
		l.modes["cursor shape"] = first != 0
	case c.Prefix() == 0 && c.Intermediate() == 0 && c.Final() == 't' && (first == 22 || first == 23):
		if l.titles++; first == 23 {
			l.titles -= 2
		}
		l.modes["title"] = l.titles != 0
	case c.Prefix() == 0 && c.Intermediate() == 0 && c.Final() == 'm':
		if len(p.Params()) == 0 || first == 0 {
			l.modes["style"] = false
		} else {
			l.modes["style"] = true
		}
	case c.Prefix() == 0 && c.Intermediate() == 0 && c.Final() == 'r':
		l.modes["scrolling region"] = len(p.Params()) > 0
	}
}
