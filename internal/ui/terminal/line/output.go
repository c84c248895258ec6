package line

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// output writes lines and prompts. A prompt stands at the end, without a
// newline: what comes next begins on a line of its own.
type output struct {
	w       io.Writer
	fd      int
	tty     bool
	speaks  bool
	raw     bool // the terminal takes newlines as they are
	prompt  string
	failure error
}

func newOutput(w io.Writer, speaks bool) *output {
	out := &output{w: w, speaks: speaks}
	if f, ok := w.(*os.File); ok {
		out.fd = int(f.Fd())
		out.tty = term.IsTerminal(out.fd)
	}
	return out
}

// size is that of the terminal; 80 by 24 for what is none.
func (out *output) size() (columns, rows int) {
	if out.tty {
		if columns, rows, err := term.GetSize(out.fd); err == nil && columns > 0 {
			return columns, rows
		}
	}
	return 80, 24
}

func (out *output) write(s string) {
	if out.raw {
		s = strings.ReplaceAll(s, "\n", "\r\n")
	}
	if _, err := io.WriteString(out.w, s); err != nil && out.failure == nil {
		out.failure = err
	}
}

// print writes lines.
func (out *output) print(lines ...string) {
	if len(lines) == 0 {
		return
	}
	var b strings.Builder
	if out.prompt != "" {
		b.WriteByte('\n')
		out.prompt = ""
	}
	for _, line := range lines {
		if out.speaks {
			line = spoken(line)
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	out.write(b.String())
}

// ask shows a prompt, unless it stands there.
func (out *output) ask(prompt string) {
	if prompt == out.prompt {
		return
	}
	if out.prompt != "" {
		out.write("\n")
	}
	out.prompt = prompt
	out.write(prompt)
}

// entered notes that the person has ended the line; echoed says that the
// terminal has shown it.
func (out *output) entered(echoed bool) {
	if out.prompt != "" && !echoed {
		out.write("\n")
	}
	out.prompt = ""
}

// words stand for the signs that lines begin with, where they are read aloud.
var words = [...]struct{ sign, word string }{
	{"✓", "done:"}, {"✗", "failed:"}, {"■", "stopped:"}, {"●", "running:"}, {"▸", "now:"}, {"○", "to do:"}, {"❯", "you:"}, {"…", "left out:"},
}

// spoken is a line for a screen reader: words for the sign in front, and commas
// for the dots between.
func spoken(line string) string {
	rest := strings.TrimLeft(line, " ")
	for _, w := range words {
		if tail, ok := strings.CutPrefix(rest, w.sign+" "); ok {
			rest = w.word + " " + strings.TrimLeft(tail, " ")
		}
	}
	return line[:len(line)-len(strings.TrimLeft(line, " "))] + strings.ReplaceAll(rest, " · ", ", ")
}
