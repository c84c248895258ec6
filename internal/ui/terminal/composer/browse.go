package composer

import "github.com/ml-intern/ml-intern/internal/ui/terminal/composer/editor"

// browse is a walk through the history. Its zero value stands at the text that
// is being written.
type browse struct {
	texts []string
	at    int // how many steps back; 0 is the text itself
	// left holds what the texts that were walked away from looked like, where
	// that is not what the history says: 0 is always in it.
	left map[int]editor.Saved
	// own is the text that waits.
	own string
}

func newBrowse(texts []string, e *editor.Editor) browse {
	return browse{texts: texts, left: map[int]editor.Saved{}, own: e.Text()}
}

// waiting is the text of the person's own while an old one is shown.
func (b *browse) waiting() editor.Saved {
	if b.at == 0 {
		return editor.Saved{}
	}
	return b.left[0]
}

// draft is what would be lost with now, the text that is shown.
func (b *browse) draft(now string) string {
	switch {
	case b.at == 0:
		return now
	case now == b.texts[b.at-1] || now == "":
		return b.own
	case b.own == "":
		return now
	}
	return b.own + "\n\n" + now
}

// back shows the text that was sent before the one that is shown. The cursor is
// in its first line, from where one more step goes further back.
func (c *Composer) back() {
	if c.browse.at == 0 {
		c.browse = newBrowse(c.o.History.Texts(), &c.text)
	}
	if c.browse.at < len(c.browse.texts) {
		c.walk(c.browse.at + 1)
		c.text.Top()
		c.text.End()
	}
}

// forth is the way back to the text that waits.
func (c *Composer) forth() {
	if c.browse.at > 0 {
		c.walk(c.browse.at - 1)
	}
}

func (c *Composer) walk(to int) {
	b := &c.browse
	if b.at == 0 || c.text.Text() != b.texts[b.at-1] {
		b.left[b.at] = c.text.Save()
	}
	if saved, ok := b.left[to]; ok {
		c.text.Restore(saved)
	} else {
		c.text.Set(b.texts[to-1])
	}
	b.at = to
}
