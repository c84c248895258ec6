package policy

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy/pattern"
	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// suggestedRules is how many rules a person is asked to take in at once.
const suggestedRules = 4

// Suggest returns the narrowest rules with which a call that asks would run, as
// [Policy.Allow] takes them; none where no rule is narrow and sure enough, and
// for what is asked about every time.
func (p *Policy) Suggest(c Call) []string {
	f := p.facts(c)
	if f.Risk.Gate == tool.Always || f.Name == "hf_jobs" && strings.HasPrefix(f.operation, "scheduled") {
		return nil
	}
	texts := f.narrow()
	if len(texts) == 0 || len(texts) > suggestedRules {
		return nil
	}
	trial := Policy{options: p.options}
	for _, text := range texts {
		r, err := parseRule(text)
		if err != nil {
			return nil
		}
		trial.allow = append(trial.allow, r)
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	trial.allow = append(trial.allow, p.permitting()...)
	trial.ask, trial.deny = p.ask, p.deny
	if trial.verdict(f, p.mode).Action != Run {
		return nil
	}
	return texts
}

// narrow writes the rules that are about just this call, or what can be told of
// its kind.
func (f *facts) narrow() []string {
	var texts []string
	add := func(text string, ok bool) bool {
		if ok && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
		return ok
	}
	switch {
	case f.isShell:
		for _, c := range f.script.Commands {
			if c.Own && !add(commandText(c)) {
				return nil
			}
		}
		for _, w := range f.report.Writes {
			inside := w.Path != "" && w.Protected == "" && f.around.Inside(w.Path)
			if inside || f.names(w.Text) {
				continue
			}
			if w.Deep || !add(f.pathText(w.Path)) {
				return nil
			}
		}
	case len(f.writes) > 0:
		for _, file := range f.writes {
			if !add(f.pathText(file)) {
				return nil
			}
		}
	default:
		add(f.conditionText())
	}
	return texts
}

// names reports whether a command of the script has the word: the rule for that
// command then covers what it does there.
func (f *facts) names(word string) bool {
	return slices.ContainsFunc(f.script.Commands, func(c shell.Command) bool {
		return slices.ContainsFunc(c.Words, func(w shell.Word) bool { return spelled(w.Text, "~") == word })
	})
}

// commandText writes a rule for exactly one command. Programs that run what they
// are handed on their standard input have none: together with a rule for echo it
// would allow anything.
func commandText(c shell.Command) (string, bool) {
	name, known := c.Words[0].Base()
	if !known || len(c.Sets) > 0 || c.Input != nil || runsItsInput(name) && len(c.Words) == 1 {
		return "", false
	}
	words := make([]string, len(c.Words))
	for i, w := range c.Words {
		text := spelled(w.Text, "~")
		if !(shell.Word{Text: text, Splits: w.Splits}).Plain() || strings.ContainsFunc(text, unicode.IsControl) {
			return "", false
		}
		words[i] = ruleWord(text)
	}
	return "bash(" + strings.Join(words, " ") + ")", true
}

// runsItsInput reports whether a program without arguments takes a program from
// its standard input.
func runsItsInput(name string) bool {
	name = strings.TrimRight(name, "0123456789.")
	return slices.Contains([]string{
		"sh", "bash", "zsh", "dash", "ksh", "fish", "python", "pypy", "node", "perl", "ruby", "php", "lua", "R", "julia", "psql", "sqlite", "mysql",
	}, name)
}

// ruleWord quotes a word where a rule would read more into it than its letters.
func ruleWord(text string) string {
	plainly := text != "" && !strings.ContainsAny(text, `'"*`) && !strings.ContainsFunc(text, unicode.IsSpace)
	if plainly {
		return text
	}
	if !strings.Contains(text, "'") {
		return "'" + text + "'"
	}
	parts := strings.Split(text, `"`)
	for i, part := range parts {
		if part != "" || len(parts) == 1 {
			parts[i] = `"` + part + `"`
		}
	}
	return strings.Join(parts, `'"'`)
}

// pathText writes a rule for exactly one file: within the workspace by its
// relative path.
func (f *facts) pathText(file string) (string, bool) {
	if file == "" || strings.ContainsAny(file, "*?") || strings.ContainsFunc(file, unicode.IsControl) || strings.TrimSpace(file) != file {
		return "", false
	}
	for _, root := range f.around.Workspace {
		if rest, ok := pattern.Under(file, root); ok && rest != "" && root != "/" {
			return "edit(./" + rest + ")", true
		}
	}
	if rest, ok := pattern.Under(file, f.around.Home); ok && rest != "" {
		return "edit(~/" + rest + ")", true
	}
	return "edit(" + file + ")", true
}

// kinds lists the acts that come in kinds, and the arguments that make one; the
// hardware and the cost of what is paid for belong to it as well. Of what takes
// something away, or is done once, no rule is worth having.
var kinds = map[string][]string{
	"hf_jobs run":                  {"namespace"},
	"sandbox_create":               {},
	"hf_repo_files upload":         {"repo_id", "repo_type"},
	"hf_repo_git create_branch":    {"repo_id", "repo_type"},
	"hf_repo_git create_tag":       {"repo_id", "repo_type"},
	"hf_repo_git create_pr":        {"repo_id", "repo_type"},
	"hf_repo_git comment_pr":       {"repo_id", "repo_type"},
	"hf_repo_git close_pr":         {"repo_id", "repo_type"},
	"hf_repo_git change_pr_status": {"repo_id", "repo_type"},
	"hf_repo_git rename_pr":        {"repo_id", "repo_type"},
}

// conditionText writes a rule for calls like this one.
func (f *facts) conditionText() (string, bool) {
	if name := f.foreign(); name != "" {
		return name, true // what its arguments mean is not known
	}
	keys, ok := kinds[strings.TrimSpace(f.Name+" "+f.operation)]
	if !ok {
		return "", false
	}
	var parts []string
	if f.operation != "" {
		parts = append(parts, f.operation)
	}
	if cost := f.Risk.Cost; cost != nil || f.Name == "hf_jobs" {
		if cost == nil || !cost.Known {
			return "", false
		}
		keys = append([]string{"hardware", "max_cost"}, keys...)
	}
	for _, key := range keys {
		if key == "max_cost" {
			parts = append(parts, "max_cost<="+wholeCents(f.Risk.Cost.MicroUSD))
			continue
		}
		value, ok := f.value(key)
		if !ok || strings.ContainsAny(value, "*,") || strings.ContainsFunc(value, unicode.IsControl) || strings.TrimSpace(value) != value {
			return "", false
		}
		parts = append(parts, key+"="+value)
	}
	return f.Name + "(" + strings.Join(parts, ", ") + ")", true
}

// wholeCents writes an amount rounded up: prices move a little.
func wholeCents(micro int64) string {
	const cent = 10_000
	return strconv.FormatFloat(float64((micro+cent-1)/cent)/100, 'f', -1, 64)
}
