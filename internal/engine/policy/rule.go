package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/engine/policy/pattern"
	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// rule is one line of the allow, ask or deny list:
//
//	bash                      every call of a tool; * may stand in the name
//	bash(git status*)         shell commands; * is any text, also several words
//	edit(src/**)              paths that edit or write change; * and ? within a
//	                          name, ** across folders; relative to the workspace
//	read(~/.ssh/**)           paths that are read
//	hf_repo_git(merge_pr)     an operation of a tool; * may stand in it
//	hf_jobs(flavor=cpu-*, max_cost<=5)
//	                          arguments, and the worst case in dollars
//	mcp__server__tool         an MCP tool; mcp__server stands for all its tools
//
// Rules that permit must match for certain, part by part; rules that deny or
// ask match when they may.
type rule struct {
	text       string
	name       []rune
	kind       ruleKind
	words      []rune       // commandRule
	glob       pattern.Path // pathRule
	conditions []condition
}

type ruleKind int

const (
	toolRule ruleKind = iota
	commandRule
	pathRule
	conditionRule
)

// condition compares one argument, the operation or the cost.
type condition struct {
	key    string // "operation", "max_cost" or an argument
	op     string // =, !=, <=, >=, < or >
	value  []rune
	number float64
}

// toolName is what may stand in front of the parenthesis.
const toolName = `^[A-Za-z*][A-Za-z0-9_.*-]*$`

func parseRule(text string) (rule, error) {
	text = strings.TrimSpace(text)
	name, spec, has := strings.Cut(text, "(")
	if has {
		if !strings.HasSuffix(spec, ")") {
			return rule{}, errors.New("the closing parenthesis is missing")
		}
		spec = strings.TrimSpace(strings.TrimSuffix(spec, ")"))
		if spec == "" {
			return rule{}, errors.New("nothing stands between the parentheses")
		}
	}
	name = strings.TrimSpace(name)
	if !regexp.MustCompile(toolName).MatchString(name) {
		return rule{}, fmt.Errorf("%q is no tool name", name)
	}
	if strings.ContainsFunc(spec, unicode.IsControl) {
		return rule{}, errors.New("it holds control characters")
	}
	r := rule{text: text, name: pattern.Of(name)}
	if !has {
		return r, nil
	}
	var err error
	switch name {
	case "bash":
		r.kind = commandRule
		r.words, err = parseWords(spec)
	case "edit", "write", "read":
		r.kind = pathRule
		r.glob = pattern.NewPath(spec)
		if strings.Contains("/"+spec+"/", "/../") {
			err = errors.New("a path with .. never matches")
		}
	default:
		r.kind = conditionRule
		r.conditions, err = parseConditions(spec)
	}
	return r, err
}

// parseWords reads the pattern of a shell command: words separated by blanks;
// quotes keep blanks within a word.
func parseWords(spec string) ([]rune, error) {
	var out []rune
	var quote rune
	blank := false
	for _, c := range spec {
		if blank && !unicode.IsSpace(c) {
			out = append(out, shell.Sep)
			blank = false
		}
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			out = append(out, c)
		case c == '"' || c == '\'':
			quote = c
		case unicode.IsSpace(c):
			blank = true
		case c == '*':
			out = append(out, pattern.Star)
		default:
			out = append(out, c)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	}
	return out, nil
}

func parseConditions(spec string) ([]condition, error) {
	var out []condition
	for _, part := range strings.Split(spec, ",") {
		c, err := parseCondition(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func parseCondition(text string) (condition, error) {
	at := strings.IndexAny(text, "=<>!")
	if at < 0 {
		if text == "" {
			return condition{}, errors.New("a condition is empty")
		}
		return condition{key: "operation", op: "=", value: pattern.Of(strings.ToLower(text))}, nil
	}
	c := condition{key: strings.TrimSpace(text[:at]), op: text[at : at+1]}
	rest := text[at+1:]
	if strings.HasPrefix(rest, "=") {
		c.op += "="
		rest = rest[1:]
	}
	if c.op == "==" {
		c.op = "="
	}
	rest = strings.TrimSpace(rest)
	if c.key == "" || rest == "" || c.op == "!" {
		return condition{}, fmt.Errorf("%q is no condition, want name=value or name<=number", text)
	}
	c.value = pattern.Of(rest)
	if c.op != "=" && c.op != "!=" || c.key == "max_cost" {
		number, err := strconv.ParseFloat(strings.TrimPrefix(rest, "$"), 64)
		if err != nil {
			return condition{}, fmt.Errorf("%q is compared with %q, which is no number", c.key, rest)
		}
		c.number = number
	}
	return c, nil
}

// parseRules reads one list; every bad rule is in the error.
func parseRules(list string, texts []string) ([]rule, error) {
	var rules []rule
	var errs []error
	for i, text := range texts {
		r, err := parseRule(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s[%d] %q is wrong: %w", list, i, text, err))
			continue
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(errs...)
}
