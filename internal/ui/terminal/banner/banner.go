// Package banner is the first thing a person sees: what runs, with which model,
// where. It stands there at once; where it is animated, its characters settle
// while the person may already type. It knows the texts as values and finds none
// of them out.
package banner

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Info is what the banner tells. Foreign words in it may be anything.
type Info struct {
	Version, Model string
	// Runtime is where tools run, in words.
	Runtime string
	// Dir is the working directory, Home is shown as "~" in it.
	Dir, Home string
}

// Lines are the five lines of the banner, without those that Info is empty in, painted, none wider than width.
func Lines(in Info, th *theme.Theme, width int) []string {
	value := func(label, text string) string {
		return "  " + th.Paint(theme.Dim, label) + strings.Join(strings.Fields(flow.Clean(text)), " ")
	}
	lines := []string{th.Paint(theme.Heading, "ml-intern") + th.Paint(theme.Dim, " "+in.Version)}
	for _, v := range [...]struct{ label, text string }{
		{"Model:         ", in.Model}, {"Tool runtime:  ", in.Runtime}, {"Folder:        ", short(in.Dir, in.Home)},
	} {
		if v.text != "" {
			lines = append(lines, value(v.label, v.text))
		}
	}
	lines = append(lines, "  "+th.Paint(theme.Dim, hint(width)))
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, max(0, width), th.Glyph(theme.Ellipsis))
	}
	return lines
}

// hint is what a beginner needs, as much of it as fits.
func hint(width int) string {
	parts := []string{"/help lists the commands", "/model changes the model", "/quit leaves"}
	for len(parts) > 1 && ansi.StringWidth(strings.Join(parts, ", "))+2 > width {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, ", ")
}

// short writes the home directory as "~".
func short(dir, home string) string {
	if rest, ok := strings.CutPrefix(dir, home); ok && len(home) > 1 && (rest == "" || rest[0] == '/' || rest[0] == '\\') {
		return "~" + rest
	}
	return dir
}

const (
	// narrowest is the fewest columns of a terminal that are worth an animation.
	narrowest = 60
	// length is how long the animation takes, front how many columns of it are
	// not settled yet.
	length = 900 * time.Millisecond
	front  = 6
)

// Frame is the picture of an animation after some time: from the left, the
// characters of the lines come out of a haze. Moving is false when it is over
// and the lines stand as they are. Every picture has as many lines as there are.
func Frame(lines []string, th *theme.Theme, elapsed time.Duration) (picture []string, moving bool) {
	if elapsed >= length {
		return lines, false
	}
	widest := 0
	for _, line := range lines {
		widest = max(widest, ansi.StringWidth(line))
	}
	settled := int(int64(widest+front)*int64(max(0, elapsed))/int64(length)) - front
	haze := []rune("⠁⠂⠄⡀⢀⠠⠐⠈")
	if th.ASCII() {
		haze = []rune(".:'`,")
	}
	for y, line := range lines {
		clear := max(0, settled-y)
		out := ansi.Truncate(line, clear, "")
		for x := ansi.StringWidth(out); x < min(settled-y+front, ansi.StringWidth(line)); x++ {
			// Which speck stands where looks accidental and is always the same.
			out += th.Paint(theme.Border, string(haze[(x*7+y*13+(x*y)%5)%len(haze)]))
		}
		picture = append(picture, out)
	}
	return picture, true
}
