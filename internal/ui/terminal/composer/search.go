package composer

import (
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/editor"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/menu"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// found is the most texts that a search lists.
const found = 200

// search looks for a text in the history.
type search struct {
	before string // the text that waits
	query  editor.Editor
	texts  []string
	folded []string // texts without capitals
	list   menu.Menu
}

func (c *Composer) startSearch() {
	s := &search{before: c.Draft(), texts: c.browse.texts}
	if c.browse.at == 0 {
		s.texts = c.o.History.Texts()
	}
	s.folded = make([]string, len(s.texts))
	for i, text := range s.texts {
		s.folded[i] = strings.ToLower(text)
	}
	s.narrow()
	c.menu.close()
	c.search = s
}

// narrow lists the texts that hold every word of the query, the newest first.
func (s *search) narrow() {
	words := strings.Fields(strings.ToLower(s.query.Text()))
	var items []dialog.Option
	for i, text := range s.folded {
		if len(items) == found {
			break
		}
		if holds(text, words) {
			items = append(items, dialog.Option{Value: strconv.Itoa(i), Label: first(s.texts[i]), Hint: rest(s.texts[i])})
		}
	}
	s.list.Set(items, false)
}

func holds(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// first is the first line of a text that says something; rest says how much
// more there is.
func first(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line[:min(len(line), lineLimit)]
}

func rest(text string) string {
	n := strings.Count(strings.TrimSpace(text), "\n")
	switch n {
	case 0:
		return ""
	case 1:
		return "1 more line"
	}
	return strconv.Itoa(n) + " more lines"
}

// searchKey takes a key while a search goes on. Keys that move in the text take
// what is chosen and move there.
func (c *Composer) searchKey(k string) Action {
	s := c.search
	switch k {
	case "esc", "ctrl+g", "ctrl+c":
		c.search = nil
	case "enter", "kpenter", "tab":
		c.takeFound()
	case "up", "ctrl+p", "ctrl+s":
		s.list.Move(-1)
	case "down", "ctrl+n", "ctrl+r":
		s.list.Move(1)
	case "backspace", "ctrl+h":
		if s.query.Empty() {
			c.search = nil
			break
		}
		s.query.Backspace()
		s.narrow()
	case "ctrl+w", "alt+backspace":
		s.query.CutBlankBack()
		s.narrow()
	case "ctrl+u":
		s.query.CutAll()
		s.narrow()
	case "left", "right", "home", "end", "ctrl+a", "ctrl+e", "ctrl+b", "ctrl+f":
		c.takeFound()
		c.edit(k)
	}
	return Action{}
}

// takeFound puts what is chosen into the input, as if one had gone back to it.
func (c *Composer) takeFound() {
	s := c.search
	c.search = nil
	o, ok := s.list.Chosen()
	if !ok {
		return
	}
	if i, err := strconv.Atoi(o.Value); err == nil {
		if c.browse.at == 0 {
			c.browse = newBrowse(s.texts, &c.text)
		}
		c.walk(i + 1)
		c.text.Bottom()
	}
}
