package policy

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/engine/policy/danger"
	"github.com/ml-intern/ml-intern/internal/engine/policy/pattern"
	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// facts is what rules look at in one call.
type facts struct {
	Call
	args      map[string]json.RawMessage
	operation string
	around    danger.Surroundings
	writes    []string // absolute paths
	reads     []string
	// isShell says that the call runs a shell command, on whatever machine.
	isShell bool
	script  shell.Script
	report  danger.Report
}

func (p *Policy) facts(c Call) *facts {
	f := &facts{Call: c, around: p.around()}
	_ = json.Unmarshal(c.Args, &f.args) // arguments that are no object have no fields
	f.operation = strings.ToLower(strings.Join(strings.Fields(cmp.Or(c.Risk.Operation, f.text("operation"))), " "))
	command := c.Risk.Command
	if command == "" && c.Name == "bash" {
		command = f.text("command")
	}
	if command != "" || c.Name == "bash" {
		f.isShell = true
		f.script = shell.Read(command, f.dir(), f.around.Home)
		f.report = danger.Judge(f.script, f.around)
	}
	if f.writes = c.Risk.Writes; len(f.writes) == 0 && (c.Name == "edit" || c.Name == "write") {
		f.writes = f.named("path")
	}
	if f.reads = c.Risk.Reads; len(f.reads) == 0 && c.Name == "read" {
		f.reads = f.named("path")
	}
	return f
}

// foreign is the name, mcp__server__tool, of a tool that another server has, empty
// for our own.
func (f *facts) foreign() string {
	for _, name := range []string{f.Risk.Alias, f.Name} {
		if strings.HasPrefix(name, "mcp__") {
			return name
		}
	}
	return ""
}

// dir is where relative paths of the call begin.
func (f *facts) dir() string {
	switch {
	case f.Risk.Dir != "":
		return f.Risk.Dir
	case len(f.around.Workspace) > 0:
		return f.around.Workspace[0]
	}
	return ""
}

// text returns a top-level argument as text, or the empty string.
func (f *facts) text(key string) string {
	raw, ok := f.args[key]
	if !ok || string(raw) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// named returns the path in an argument as an absolute one.
func (f *facts) named(key string) []string {
	p := f.text(key)
	switch {
	case p == "":
		return nil
	case strings.HasPrefix(p, "~/") && f.around.Home != "":
		p = path.Join(f.around.Home, p[2:])
	case !strings.HasPrefix(p, "/"):
		p = path.Join(f.dir(), p)
	}
	return []string{path.Clean(p)}
}

// matchTool reports whether the rule is about the call's tool, by its name or by
// its alias.
func (r rule) matchTool(f *facts) bool {
	return r.matchName(f.Name) || f.Risk.Alias != "" && r.matchName(f.Risk.Alias)
}

// matchName reports whether the rule is about a tool of that name. edit stands
// for write too, and mcp__server for every tool of that server.
func (r rule) matchName(tool string) bool {
	if pattern.Covers(r.name, []rune(tool)) || string(r.name) == "edit" && tool == "write" {
		return true
	}
	name := string(r.name)
	return strings.HasPrefix(name, "mcp__") && !strings.Contains(name[5:], "__") &&
		!slices.Contains(r.name, pattern.Star) && strings.HasPrefix(tool, name+"__")
}

// may reports whether a rule that denies or asks concerns the call.
func (r rule) may(f *facts) bool {
	switch r.kind {
	case commandRule:
		return f.isShell && (len(f.script.Hidden) > 0 || slices.ContainsFunc(f.script.Commands, func(c shell.Command) bool {
			return r.mayCommand(c, f.around.Home)
		}))
	case pathRule:
		return slices.ContainsFunc(f.touched(string(r.name)), func(p string) bool { return r.matchPath(p, f.around, false) })
	case conditionRule:
		return r.matchTool(f) && !slices.ContainsFunc(r.conditions, func(c condition) bool { return !c.holds(f, false) })
	}
	return r.matchTool(f)
}

// touched lists the paths that rules named edit, write or read look at. The
// files of a shell command count as well.
func (f *facts) touched(name string) []string {
	var out []string
	if name == "read" {
		if f.Name == "read" || len(f.Risk.Reads) > 0 {
			out = append(out, f.reads...)
		}
		return append(out, f.report.Mentions...)
	}
	if name == "edit" || f.Name == "write" {
		out = append(out, f.writes...)
	}
	if name == "edit" {
		for _, w := range f.report.Writes {
			if w.Path != "" {
				out = append(out, w.Path)
			}
		}
	}
	return out
}

// mayCommand compares a command in all the ways it could be meant: by its path
// and by its bare name, with ~ and with the home folder. A rule is also about
// longer commands that begin with its words.
func (r rule) mayCommand(c shell.Command, home string) bool {
	longer := append(slices.Clone(r.words), shell.Sep, pattern.Star)
	try := func(text string) bool {
		t := []rune(text)
		return pattern.Meets(r.words, t) || pattern.Meets(longer, t)
	}
	base, known := c.Words[0].Base()
	for _, at := range []string{"~", home} {
		text := spelled(c.Text(), at)
		if try(text) {
			return true
		}
		if rest := strings.IndexByte(text, shell.Sep); known && rest >= 0 && try(base+text[rest:]) || known && rest < 0 && try(base) {
			return true
		}
	}
	return false
}

// spelled writes out the marks for the home and working folders.
func spelled(text, home string) string {
	return strings.NewReplacer(string(shell.Home), home, string(shell.Here), ".").Replace(text)
}

func (r rule) matchPath(p string, around danger.Surroundings, strict bool) bool {
	return r.glob.Match(p, around.Workspace, around.Home, strict)
}

// permits returns the rule by which the call is allowed for certain. A shell
// command is allowed when each of its parts is, and each file it writes.
func permits(rules []rule, f *facts) (string, bool) {
	for _, r := range rules {
		if r.kind == toolRule && r.matchTool(f) || r.kind == conditionRule && r.permitsConditions(f) {
			return r.text, true
		}
	}
	switch {
	case f.isShell:
		return permitsScript(rules, f)
	case len(f.writes) > 0:
		return permitsPaths(rules, f, f.writes, "edit", "write")
	case f.Name == "read":
		return permitsPaths(rules, f, f.reads, "read")
	}
	return "", false
}

func (r rule) permitsConditions(f *facts) bool {
	return r.matchTool(f) && !slices.ContainsFunc(r.conditions, func(c condition) bool { return !c.holds(f, true) })
}

func permitsScript(rules []rule, f *facts) (string, bool) {
	if len(f.script.Hidden) > 0 || len(f.script.Commands) == 0 {
		return "", false
	}
	by := ""
	for _, c := range f.script.Commands {
		text := []rune(spelled(c.Text(), "~"))
		i := slices.IndexFunc(rules, func(r rule) bool { return r.kind == commandRule && r.coversCommand(c, text) })
		switch {
		case i >= 0:
			by = rules[i].text
		case c.Own:
			return "", false
		}
	}
	for _, w := range f.report.Writes {
		if w.Path != "" && w.Protected == "" && f.around.Inside(w.Path) {
			continue
		}
		if _, ok := permitsPaths(rules, f, []string{w.Path}, "edit"); !ok && !namedBy(rules, f, w.Text) {
			return "", false
		}
	}
	return by, by != ""
}

// namedBy reports whether the command that writes was itself permitted with
// this very word in the rule, as in bash(rm -rf /tmp/cache).
func namedBy(rules []rule, f *facts, word string) bool {
	if word == "" {
		return false
	}
	return slices.ContainsFunc(f.script.Commands, func(c shell.Command) bool {
		text := spelled(c.Text(), "~")
		return slices.ContainsFunc(rules, func(r rule) bool {
			return r.kind == commandRule && slices.Contains(strings.Split(string(r.words), string(shell.Sep)), word) &&
				r.coversCommand(c, []rune(text))
		})
	})
}

// coversCommand reports whether the rule permits the command. Variables set
// for it that could change it are part of its text.
func (r rule) coversCommand(c shell.Command, text []rune) bool {
	for i := len(c.Sets) - 1; i >= 0; i-- {
		text = append([]rune(c.Sets[i]+"="+string(shell.Any)+string(shell.Sep)), text...)
	}
	if pattern.Covers(r.words, text) {
		return true
	}
	n := len(r.words)
	return n > 2 && r.words[n-1] == pattern.Star && r.words[n-2] == shell.Sep && pattern.Covers(r.words[:n-2], text)
}

func permitsPaths(rules []rule, f *facts, paths []string, names ...string) (string, bool) {
	by := ""
	for _, p := range paths {
		i := slices.IndexFunc(rules, func(r rule) bool {
			named := slices.Contains(names, string(r.name)) && (string(r.name) != "write" || f.Name == "write")
			return r.kind == pathRule && named && r.matchPath(p, f.around, true)
		})
		if i < 0 {
			return "", false
		}
		by = rules[i].text
	}
	return by, by != ""
}

// holds reports whether the condition is true of the call. Where that cannot
// be told, permission is not given and denial is.
func (c condition) holds(f *facts, strict bool) bool {
	if c.key == "max_cost" {
		cost := f.Risk.Cost
		switch {
		case cost == nil:
			return compare(0, c.op, c.number)
		case !cost.Known:
			return !strict
		}
		return compare(USD(cost.MicroUSD), c.op, c.number)
	}
	value, ok := f.value(c.key)
	if !ok {
		return c.op == "!=" && !strict
	}
	if c.op == "=" || c.op == "!=" {
		return pattern.Covers(c.value, []rune(value)) == (c.op == "=")
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return !strict
	}
	return compare(number, c.op, c.number)
}

// value returns what a condition's key stands for. The hardware of a call that
// starts none is not looked at: it would permit something else.
func (f *facts) value(key string) (string, bool) {
	switch key {
	case "operation":
		return f.operation, f.operation != ""
	case "flavor", "hardware", "hardware_flavor":
		if f.Name == "hf_jobs" && !slices.Contains([]string{"run", "uv", "scheduled run", "scheduled uv"}, f.operation) {
			return "", false
		}
		return f.hardware(), true
	case "repo_type":
		if f.text(key) == "" && strings.HasPrefix(f.Name, "hf_repo_") {
			return "model", true
		}
	}
	value := f.text(key)
	return value, value != ""
}

// hardware is the first of the names it goes by, cpu-basic when none is given.
func (f *facts) hardware() string {
	for _, key := range []string{"hardware_flavor", "flavor", "hardware"} {
		if v := f.text(key); v != "" {
			return v
		}
	}
	return "cpu-basic"
}

func compare(a float64, op string, b float64) bool {
	switch op {
	case "=":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}
