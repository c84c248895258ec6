package line

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
)

// menuLines is how many options are listed at once.
const menuLines = 40

// optionSize is the most characters of an option and of its hint.
const optionSize = 300

func plainText(s string) string { return page.Short(s, optionSize) }

// Choose lists the options by number. A number chooses, text narrows the list,
// ? and a number shows more about one.
func (t *talk) Choose(ctx context.Context, menu dialog.Menu) (int, error) {
	if len(menu.Items) == 0 {
		return -1, errors.New("there is nothing to choose from")
	}
	chosen := -1
	err := t.asks(ctx, list(menu, ""), question{prompt: "number (empty cancels): "}, func(line string) ([]string, bool) {
		line = strings.TrimSpace(line)
		if line == "" {
			return nil, true
		}
		if rest, ok := strings.CutPrefix(line, "?"); ok && menu.Preview != nil {
			return preview(menu, strings.TrimSpace(rest)), false
		}
		if at, ok := pick(menu, line); ok {
			chosen = at
			return nil, true
		}
		return list(menu, line), false
	})
	if err != nil {
		return -1, err
	}
	if chosen < 0 {
		return -1, dialog.ErrCancelled
	}
	return chosen, nil
}

// pick is the option with this number, or that is called so.
func pick(menu dialog.Menu, line string) (int, bool) {
	if n, err := strconv.Atoi(line); err == nil {
		return n - 1, n >= 1 && n <= len(menu.Items)
	}
	for i, o := range menu.Items {
		if strings.EqualFold(line, o.Value) || strings.EqualFold(line, o.Label) {
			return i, true
		}
	}
	return -1, false
}

func label(o dialog.Option) string { return plainText(cmp.Or(o.Label, o.Value)) }

// list shows the options that a text is found in, with their numbers.
func list(menu dialog.Menu, pattern string) []string {
	var lines []string
	if pattern == "" && menu.Title != "" {
		lines = append(lines, "  "+plainText(menu.Title))
	}
	found := 0
	for i, o := range menu.Items {
		if !strings.Contains(strings.ToLower(label(o)+" "+o.Value+" "+o.Hint), strings.ToLower(pattern)) {
			continue
		}
		if found++; found > menuLines {
			continue
		}
		line := fmt.Sprintf("  %2d. %s", i+1, label(o))
		if o.Hint != "" {
			line += "  " + plainText(o.Hint)
		}
		if pattern == "" && i == menu.At && menu.At > 0 {
			line += "  (now)"
		}
		lines = append(lines, line)
	}
	switch {
	case found == 0:
		lines = append(lines, "  nothing is called "+plainText(pattern)+"; the numbers are 1 to "+strconv.Itoa(len(menu.Items)))
	case found > menuLines:
		lines = append(lines, fmt.Sprintf("      and %d more: a part of the name narrows the list", found-menuLines))
	}
	if pattern == "" && menu.Preview != nil {
		lines = append(lines, "  ? and a number shows more about one")
	}
	return lines
}

// preview shows more about an option.
func preview(menu dialog.Menu, number string) []string {
	at, ok := pick(menu, number)
	if !ok {
		return []string{"  ? needs a number from 1 to " + strconv.Itoa(len(menu.Items))}
	}
	var lines []string
	for _, line := range menu.Preview(at, 76) {
		lines = append(lines, "    "+page.Step(line))
	}
	return lines
}
