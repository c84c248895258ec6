package panel

import (
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Question asks for a line of text.
type Question struct {
	end
	drawn
	question dialog.Question
	field    field
}

// NewQuestion asks q.
func NewQuestion(q dialog.Question, th *theme.Theme) *Question {
	return &Question{question: q, drawn: drawn{th}, field: newField(q.Default, q.Secret)}
}

// Text is the answer.
func (p *Question) Text() string { return string(p.field.text) }

// Key edits, answers or leaves.
func (p *Question) Key(k tea.KeyPressMsg) {
	switch s := k.Keystroke(); {
	case leaves(k), s == "ctrl+d" && len(p.field.text) == 0:
		p.cancel()
	case s == "enter":
		p.accept()
	default:
		p.field.key(k)
	}
}

// Paste inserts.
func (p *Question) Paste(text string) { p.field.insert(text) }

// View is the question and the line.
func (p *Question) View(width, height int) ([]string, *Cursor) {
	var lines []string
	for _, line := range literal(p.question.Text) {
		for _, part := range literal(ansi.Wrap(line, max(1, width), "")) {
			lines = append(lines, p.theme.Paint(theme.Strong, part))
		}
	}
	line, x := p.line(&p.field, p.prompt(), width)
	lines = append(lines, line)
	cursor := &Cursor{X: x, Y: len(lines) - 1}
	keys := []string{"Enter answers", "Esc leaves"}
	if p.question.Secret {
		keys = append(keys, "what you type or paste is not shown")
	}
	lines = append(lines, p.hint(width, keys...))
	if over := len(lines) - max(2, height); over > 0 {
		lines, cursor.Y = lines[over:], cursor.Y-over
	}
	return lines, cursor
}
