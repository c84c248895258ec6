package composer

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/editor"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/menu"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// lineLimit is how many bytes in front of the cursor completion looks at.
const lineLimit = 4096

// Offered is what a source of completion has found. It belongs to Update.
type Offered struct {
	serial  int
	options []dialog.Option
}

// completion is the menu of what the text may become.
type completion struct {
	sources []complete.Source
	recent  complete.Recent

	request complete.Request
	at      int // where the part to complete begins in its line
	open    bool
	// closed: the menu for this part was closed and does not open by itself.
	closed bool
	// asked: Tab was pressed, so a single option is taken at once.
	asked bool
	// tab: Tab was pressed just now; more: what was taken goes on.
	tab, more bool

	options []dialog.Option // as they came, best first
	list    menu.Menu
	serial  int
	cancel  context.CancelFunc // of the source that runs
}

// visible reports whether there is anything to choose.
func (m *completion) visible() bool { return m.open && m.list.Len() > 0 }

// close forgets what was offered and ends the source that runs.
func (m *completion) close() {
	m.stop()
	m.open, m.asked = false, false
	m.options = nil
	m.list.Set(nil, false)
}

// dismiss closes the menu until another part is written, or Tab pressed. Where
// nothing is to be completed it says nothing about what is written next.
func (m *completion) dismiss(e *editor.Editor) {
	m.close()
	line, first := e.Line(lineLimit)
	_, m.closed = complete.First(m.sources, line, first)
}

// stop ends the source that runs; its answer will be no news.
func (m *completion) stop() {
	m.serial++
	if m.cancel != nil {
		m.cancel()
		m.cancel = nil
	}
}

// ask opens the menu at what stands in front of the cursor.
func (m *completion) ask() { m.tab = true }

// follow looks at the text after a key. The menu opens by itself only where
// something was written: who walks through a text keeps the arrow keys.
func (m *completion) follow(e *editor.Editor, edited, moved bool) tea.Cmd {
	tab, more := m.tab, m.more
	m.tab, m.more = false, false
	if !edited && !moved && !tab {
		return nil
	}
	line, first := e.Line(lineLimit)
	request, ok := complete.First(m.sources, line, first)
	at := len(line) - len(request.Part)
	if !ok || at != m.at {
		m.close()
		m.closed = false
	}
	m.request, m.at = request, at
	switch {
	case !ok:
		return nil
	case tab:
		m.open, m.closed, m.asked = true, false, true
	case more || edited && request.Auto && !m.closed:
		m.open = true
	case !m.open:
		return nil
	}
	return m.fetch(e)
}

// fetch asks the source. Until it answers, the menu shows what of the last
// answer still fits.
func (m *completion) fetch(e *editor.Editor) tea.Cmd {
	m.stop()
	r, serial, recent := m.request, m.serial, m.recent.Copy()
	source := r.Options
	if r.Quick {
		if m.show(complete.Rank(r.Options(context.Background()), r.Query, recent), e) {
			return m.follow(e, true, true)
		}
		if source = r.Later; source == nil {
			return nil
		}
	} else {
		m.list.Set(complete.Rank(m.options, r.Query, recent), r.Free)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	return func() tea.Msg {
		defer cancel()
		options := complete.Rank(source(ctx), r.Query, recent)
		if ctx.Err() != nil {
			return nil // nobody waits any more
		}
		return Offered{serial: serial, options: options}
	}
}

// take shows an answer, unless another one is waited for by now.
func (m *completion) take(o Offered, e *editor.Editor) {
	if o.serial == m.serial && m.open {
		m.show(o.options, e)
	}
}

// show lists options. A single one that Tab asked for is taken, and reported.
func (m *completion) show(options []dialog.Option, e *editor.Editor) bool {
	m.options = options
	m.list.Set(options, m.request.Free)
	asked := m.asked
	m.asked = false
	if !asked || len(options) != 1 {
		return false
	}
	m.accept(options[0], e)
	return true
}

// accept writes an option.
func (m *completion) accept(o dialog.Option, e *editor.Editor) {
	text, more := m.request.Text(o)
	e.Replace(len(m.request.Part), text)
	m.recent.Use(o.Value)
	m.close()
	m.more = more
}

// menuKey is a key while the menu is shown; it reports whether the key was for
// the menu.
func (c *Composer) menuKey(k string) bool {
	m := &c.menu
	switch k {
	case "up", "ctrl+p":
		m.list.Move(-1)
	case "down", "ctrl+n":
		m.list.Move(1)
	case "tab":
		if o, ok := m.list.First(); ok {
			m.accept(o, &c.text)
		}
	case "enter", "kpenter":
		o, ok := m.list.Chosen()
		if !ok {
			return false
		}
		// What is there in full already is not completed but sent.
		if m.request.Done(o) {
			return false
		}
		m.accept(o, &c.text)
	case "esc":
		m.dismiss(&c.text)
	default:
		return false
	}
	return true
}
