package approve

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/call"
)

// kind is what an answer means.
type kind int

const (
	feedback kind = iota
	empty
	yes
	yesAs // with a namespace
	no
	editIt
	viewAll
	forSession
	forProject
	yoloOn
	help
)

type answer struct {
	kind kind
	text string // the namespace
}

// parse reads an answer. What is no known one is feedback.
func parse(text string) answer {
	text = strings.TrimSpace(text)
	switch text { // a and A differ
	case "":
		return answer{kind: empty}
	case "a":
		return answer{kind: forSession}
	case "A":
		return answer{kind: forProject}
	case "?":
		return answer{kind: help}
	}
	switch strings.ToLower(text) {
	case "y", "yes":
		return answer{kind: yes}
	case "n", "no":
		return answer{kind: no}
	case "e":
		return answer{kind: editIt}
	case "v":
		return answer{kind: viewAll}
	case "yolo":
		return answer{kind: yoloOn}
	}
	if who, name, ok := strings.Cut(text, "@"); ok && len(strings.Fields(name)) == 1 {
		if who = strings.ToLower(strings.TrimSpace(who)); who == "y" || who == "yes" {
			return answer{kind: yesAs, text: strings.TrimSpace(name)}
		}
	}
	return answer{kind: feedback}
}

// isNamespace reports whether a user or an organisation can have the name.
func isNamespace(name string) bool {
	const most = 96
	ok := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	return name != "" && len(name) <= most && !strings.ContainsFunc(name, func(c rune) bool { return !ok(c) }) &&
		!strings.ContainsAny(name[:1], "-_.")
}

// Hint says what Enter would do with a line as it stands now.
func (r *Review) Hint(text string) string {
	switch {
	case r.Done():
		return ""
	case !r.awake:
		return "Enter: show the question"
	case r.money != nil:
		return r.hintMoney(text)
	}
	it, a := r.items[r.at], parse(text)
	switch a.kind {
	case empty:
		return "type an answer, ? explains"
	case yes:
		return "Enter: run it"
	case yesAs:
		if !it.call.SubmitsJob() || !isNamespace(a.text) {
			return "only a job can be billed, to the name of a user or an organisation"
		}
		return "Enter: run it, paid by " + a.text
	case no:
		return "Enter: do not run it"
	case editIt:
		return "Enter: edit it first"
	case viewAll:
		return "Enter: view all of it"
	case forSession, forProject:
		if why := r.noRule(it, a.kind == forProject); why != "" {
			return why
		}
		where := "for this session"
		if a.kind == forProject {
			where = "in this project"
		}
		return "Enter: run it, and allow " + call.Clean(strings.Join(it.call.Rules, ", ")) + " " + where
	case yoloOn:
		return "Enter: run this and the rest, and ask no more in this session"
	case help:
		return "Enter: explain the answers"
	}
	return "Enter: do not run it, and tell the model why"
}

// keyWidth is the column of what the answers mean.
const keyWidth = 7

// help says what the answers mean for an item.
func (r *Review) help(it *item) string {
	var b strings.Builder
	line := func(key, text string) { b.WriteString(key + strings.Repeat(" ", keyWidth-len(key)) + text + "\n") }
	line("y", "run it")
	line("n", "do not run it")
	line("e", "change "+it.call.Subject().What+" in the editor, then decide")
	line("v", "show all of it in the pager")
	if why := r.noRule(it, false); why == "" {
		rules := call.Clean(strings.Join(it.call.Rules, ", "))
		line("a", "run it, and do not ask about "+rules+" in this session")
		if r.o.NoProject == "" {
			line("A", "the same in this project, from now on")
		}
	}
	if it.call.SubmitsJob() {
		line("y @org", "run it, paid by an organisation")
	}
	line("yolo", "run this and the rest, and ask no more in this session, but for what is asked about every time")
	line("text", "anything else: do not run it, and tell the model what you wrote")
	return b.String() + "Ctrl-C turns down the whole request."
}
