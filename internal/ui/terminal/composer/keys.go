package composer

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Update takes a message: keys, pastes and its own results; others mean nothing
// to it. What the command returns belongs to Update again.
func (c *Composer) Update(msg tea.Msg) (Action, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		return c.watch(func() Action { return c.key(msg) })
	case tea.PasteMsg:
		return c.watch(func() Action { return c.paste(msg.Content) })
	case tea.ModeReportMsg:
		c.report(msg)
	case Offered:
		return c.watch(func() Action {
			c.menu.take(msg, &c.text)
			return Action{}
		})
	}
	return Action{}, nil
}

// report takes what the terminal says about itself. Where it counts characters
// as people see them, the screen is told to, and the cursor has to follow.
func (c *Composer) report(msg tea.ModeReportMsg) {
	if msg.Mode == ansi.ModeUnicodeCore && (msg.Value.IsSet() || msg.Value == ansi.ModeReset) {
		c.method = ansi.GraphemeWidth
		c.text.SetMethod(c.method)
	}
}

// watch does something and then looks whether the menu has to follow.
func (c *Composer) watch(do func() Action) (Action, tea.Cmd) {
	before := c.text.State()
	a := do()
	after := c.text.State()
	return a, c.menu.follow(&c.text, after.Edited(before), before != after)
}

// key gives a key to whoever is open: the search, a menu, the text.
func (c *Composer) key(k tea.KeyPressMsg) Action {
	// A key that writes something has no other meaning, whatever it is called.
	if k.Text != "" {
		c.chord = false
		if c.search != nil {
			c.search.query.Type(k.Text)
			c.search.narrow()
		} else {
			c.text.Type(k.Text)
		}
		return Action{}
	}
	s := k.Keystroke()
	if c.search != nil {
		return c.searchKey(s)
	}
	if c.chord {
		c.chord = false
		if s == "ctrl+e" {
			return Action{Kind: Editor, Text: c.text.Text()}
		}
	}
	if c.menu.visible() && c.menuKey(s) {
		return Action{}
	}
	if c.edit(s) {
		return Action{}
	}
	return c.command(s)
}

// edit does what changes the text or the place in it.
func (c *Composer) edit(s string) bool {
	e := &c.text
	switch s {
	case "left", "ctrl+b":
		e.Left()
	case "right", "ctrl+f":
		e.Right()
	case "home", "ctrl+a":
		e.Home()
	case "end", "ctrl+e":
		e.End()
	case "ctrl+left", "alt+left", "alt+b":
		e.WordLeft()
	case "ctrl+right", "alt+right", "alt+f":
		e.WordRight()
	case "ctrl+home", "alt+<", "alt+shift+,":
		e.Top()
	case "ctrl+end", "alt+>", "alt+shift+.":
		e.Bottom()
	case "backspace", "shift+backspace", "ctrl+h":
		e.Backspace()
	case "delete":
		e.Delete()
	case "ctrl+k":
		e.CutLine()
	case "ctrl+u":
		e.CutLineBack()
	case "ctrl+w":
		e.CutBlankBack()
	case "alt+backspace", "ctrl+backspace":
		e.CutWordBack()
	case "alt+d", "alt+delete", "ctrl+delete":
		e.CutWord()
	case "ctrl+y":
		e.Yank()
	case "ctrl+_", "ctrl+shift+-", "ctrl+/", "ctrl+z":
		e.Undo()
	case "alt+_", "alt+shift+-", "alt+z", "ctrl+shift+z":
		e.Redo()
	case "alt+enter", "shift+enter", "ctrl+j":
		e.Insert("\n")
	default:
		return false
	}
	return true
}

// command does what is about the text as a whole.
func (c *Composer) command(s string) Action {
	switch s {
	case "enter", "kpenter":
		return c.enter(false)
	case "ctrl+enter", "ctrl+s":
		return c.enter(true)
	case "up", "ctrl+p":
		if !c.text.Up() {
			c.back()
		}
	case "down", "ctrl+n":
		if !c.text.Down() {
			c.forth()
		}
	case "ctrl+r":
		c.startSearch()
	case "tab":
		c.menu.ask()
	case "ctrl+x":
		c.chord = true
	case "ctrl+g":
		return Action{Kind: Editor, Text: c.text.Text()}
	case "ctrl+v":
		return Action{Kind: Image}
	case "esc":
		c.menu.dismiss(&c.text) // one that is still on its way must not come up behind
		return Action{Kind: Escape}
	case "ctrl+c":
		if c.text.Empty() {
			return Action{Kind: Interrupt}
		}
		c.text.CutAll()
		c.text.Restore(c.browse.waiting()) // where an old text was shown, the own one waits
		c.browse = browse{}
	case "ctrl+d":
		if c.text.Empty() {
			return Action{Kind: EOF}
		}
		c.text.Delete()
	}
	return Action{}
}

// enter hands the text over. A backslash at the end of the line, that no other
// one escapes, makes a new line instead.
func (c *Composer) enter(steer bool) Action {
	line, _ := c.text.Line(lineLimit)
	slashes := len(line) - len(strings.TrimRight(line, `\`))
	if !steer && slashes%2 == 1 && c.text.AtLineEnd() {
		c.text.Replace(1, "\n")
		return Action{}
	}
	text := c.text.Text()
	kind := c.mode()
	if kind != Submit {
		text = text[1:]
	}
	switch {
	case strings.TrimSpace(text) == "":
		return Action{}
	case kind == Submit && steer && c.busy && !strings.HasPrefix(text, "/"):
		kind = Steer
	}
	return c.finish(kind)
}
