// Package danger says what shell commands do to files, disks, processes and
// remotes, and which of it a person should be asked about. It judges commands
// by their names and words; it runs nothing, looks at no file, and knows
// neither rules nor modes. It is there for people's convenience and is no
// boundary.
package danger

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// Report is what was found about a script.
type Report struct {
	// Writes are the files it changes by redirection or by well-known programs.
	Writes []Write
	// Mentions are the files its words may name, absolute and clean.
	Mentions []string
	// Hazards are reasons to ask a person first, for people to read.
	Hazards []string
	// Sends says what it sends to other machines, for people to read.
	Sends []string
}

// Write is one change to a file or folder.
type Write struct {
	// Path is absolute and clean; for a pattern it is the folder it starts in,
	// for a place that cannot be told it is empty.
	Path string
	// Text is what the command says, for people.
	Text string
	// Deep marks the change of everything below.
	Deep bool
	// Protected is why the place is protected, if it is.
	Protected string
}

// Judge reports what s does.
func Judge(s shell.Script, around Surroundings) Report {
	j := &judge{around: around}
	for _, c := range s.Commands {
		j.in = c.In
		for _, w := range c.Words[1:] {
			j.mention(w)
		}
		if name, known := c.Words[0].Base(); known {
			j.effects(name, c.Words[1:])
			j.sends(name, c)
		}
		j.detours(c)
	}
	for _, to := range s.Redirects {
		j.in = to.In
		if strings.HasPrefix(to.Word.Text, "/dev/tcp/") || strings.HasPrefix(to.Word.Text, "/dev/udp/") {
			j.send("opens a connection (%s)", shown(to.Word))
		}
		if j.mention(to.Word); to.Writes {
			j.write(to.Word, false)
		}
	}
	j.report.Hazards = append(j.report.Hazards, s.Hidden...)
	j.written(s)
	for _, why := range s.Hidden {
		j.send("may send data out unseen: %s", why)
	}
	for _, list := range []*[]string{&j.report.Hazards, &j.report.Mentions, &j.report.Sends} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return j.report
}

// judge collects a report; in is where the command at hand may run.
type judge struct {
	report Report
	around Surroundings
	in     shell.Dirs
}

func (j *judge) hazard(format string, args ...any) {
	j.report.Hazards = append(j.report.Hazards, fmt.Sprintf(format, args...))
}

func (j *judge) resolve(w shell.Word) ([]shell.Target, bool) {
	return j.in.Resolve(w, j.around.Home)
}

// mention notes the files that a word may name, also behind = or @.
func (j *judge) mention(w shell.Word) {
	texts := []string{w.Text}
	if _, after, ok := strings.Cut(w.Text, "="); ok {
		texts = append(texts, after)
	}
	for _, text := range texts {
		text = strings.TrimPrefix(text, "@")
		if text == "" || text[0] == '-' {
			continue
		}
		targets, _ := j.resolve(shell.Word{Text: text})
		for _, t := range targets {
			j.report.Mentions = append(j.report.Mentions, t.Path)
		}
	}
}
