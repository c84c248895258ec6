package exec

import (
	"regexp"
	"strings"
	"time"
)

// Script stands for the commands it matches.
type Script struct {
	// Label is "key=value" that the command must carry, or "key" with any
	// value; empty matches all.
	Label string `json:"label,omitempty"`
	// Command is a regular expression that the command, its words joined by
	// blanks, must match; empty matches all.
	Command string `json:"command,omitempty"`
	Steps   []Step `json:"steps"`
}

// Step is what happens at one moment of a script.
type Step struct {
	// AfterMs is simulated time since the step before, in milliseconds.
	AfterMs int64    `json:"afterMs,omitempty"`
	Lines   []string `json:"lines,omitempty"`
	// Stage is a stage to go to; a final one ends the script.
	Stage   string `json:"stage,omitempty"`
	Message string `json:"message,omitempty"`
	// Exit ends the script with this code; a script ends with 0 after its last
	// step.
	Exit *int `json:"exit,omitempty"`
}

type script struct {
	Script
	command *regexp.Regexp
}

// script finds the first one for spec.
func (r *Runner) script(spec Spec) (Script, bool) {
	line := strings.Join(spec.Command, " ")
	for _, s := range r.scripts {
		if (s.Label == "" || Labelled(spec.Labels, s.Label)) && s.command.MatchString(line) {
			return s.Script, true
		}
	}
	return Script{}, false
}

// Labelled reports whether labels have want: "key=value", or "key" with any
// value.
func Labelled(labels map[string]string, want string) bool {
	key, value, exact := strings.Cut(want, "=")
	have, ok := labels[key]
	return ok && (!exact || have == value)
}

// play carries out the steps that are due and comes back for the others.
func (p *Process) play(steps []Step) {
	for i, s := range steps {
		if s.AfterMs > 0 {
			s.AfterMs = 0
			rest := append([]Step{s}, steps[i+1:]...)
			if !p.playLater(time.Duration(steps[i].AfterMs)*time.Millisecond, rest) {
				p.finish(Exit{Code: 143})
			}
			return
		}
		for _, line := range s.Lines {
			p.line(line)
		}
		if s.Stage != "" && p.spec.Stage != nil {
			p.spec.Stage(s.Stage, s.Message)
		}
		if s.Exit != nil {
			p.finish(Exit{Code: *s.Exit})
			return
		}
	}
	p.finish(Exit{})
}

// playLater reports whether there is a later: not when the end was asked for.
func (p *Process) playLater(d time.Duration, steps []Step) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false
	}
	p.timer = p.runner.o.Clock.AfterFunc(d, func() { p.play(steps) })
	return true
}
