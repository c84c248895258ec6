package transcript

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
)

// prose is a text that comes in pieces, without formatting.
type prose struct {
	width, indent int
	open          string
	final         []string
}

func (p *prose) Write(s string) {
	p.open += s
	if i := strings.LastIndexByte(p.open, '\n'); i >= 0 {
		p.final = append(p.final, p.lines(p.open[:i])...)
		p.open = p.open[i+1:]
	}
}

func (p *prose) lines(s string) []string {
	var out []string
	for line := range strings.SplitSeq(page.Clean(s), "\n") {
		for _, part := range page.Wrap(line, p.width-p.indent) {
			out = append(out, strings.Repeat(" ", p.indent)+part)
		}
	}
	return out
}

func (p *prose) Take() []string {
	lines := p.final
	p.final = nil
	return lines
}

func (p *prose) Open() []string {
	if p.open == "" {
		return nil
	}
	return p.lines(p.open)
}

func (p *prose) Close() {
	p.final = append(p.final, p.Open()...)
	p.open = ""
}

func (p *prose) Resize(width int) { p.width = width }

func render(s string, width, indent int) []string {
	p := prose{width: width, indent: indent}
	p.Write(s)
	p.Close()
	return p.final
}
