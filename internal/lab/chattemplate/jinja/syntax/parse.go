package syntax

import (
	"errors"
	"fmt"
)

// maxNesting bounds how deep expressions and statements lie in each other.
const maxNesting = 150

type parser struct {
	tokens []token
	at     int
	depth  int
}

// Template is a template as a tree. It is not changed any more.
type Template struct {
	Body []Stmt
}

// Parse reads a template.
func Parse(src string) (*Template, error) {
	tokens, err := lex(src)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	p := &parser{tokens: tokens}
	body, word, err := p.block()
	if err == nil && word != "" {
		err = p.wrong("%s without its beginning", word)
	}
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	return &Template{Body: body}, nil
}

func (p *parser) peek() token { return p.tokens[min(p.at, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

func (p *parser) wrong(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", p.peek().line, fmt.Sprintf(format, args...))
}

func (p *parser) is(k kind, text string) bool {
	t := p.peek()
	return t.kind == k && t.text == text
}

func (p *parser) take(k kind, text string) bool {
	if !p.is(k, text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) want(k kind, text string) error {
	if p.take(k, text) {
		return nil
	}
	if text == "" {
		return p.wrong("something is missing before %q", p.peek().text)
	}
	return p.wrong("%q is missing before %q", text, p.peek().text)
}

func (p *parser) word() (string, error) {
	if p.peek().kind != name {
		return "", p.wrong("a name is missing before %q", p.peek().text)
	}
	return p.next().text, nil
}

// deeper counts nesting; the result of a call must be called at the end.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxNesting {
		return errors.New("it is nested too deeply")
	}
	return nil
}

// block reads statements up to one it does not know, whose word it returns with
// the tag's beginning consumed.
func (p *parser) block() (body []Stmt, word string, err error) {
	if err := p.deeper(); err != nil {
		return nil, "", err
	}
	defer func() { p.depth-- }()
	for {
		switch t := p.next(); t.kind {
		case end:
			return body, "", nil
		case data:
			body = append(body, Text{t.text})
		case beginExpr:
			x, err := p.tuple()
			if err != nil {
				return nil, "", err
			}
			if err := p.want(endExpr, ""); err != nil {
				return nil, "", err
			}
			body = append(body, Output{x})
		case beginStmt:
			word, err := p.word()
			if err != nil {
				return nil, "", err
			}
			s, known, err := p.statement(word)
			if err != nil {
				return nil, "", err
			}
			if !known {
				return body, word, nil
			}
			body = append(body, s)
		default:
			return nil, "", p.wrong("unexpected %q", t.text)
		}
	}
}

func (p *parser) statement(word string) (s Stmt, known bool, err error) {
	switch word {
	case "if":
		s, err = p.ifStatement()
	case "for":
		s, err = p.forStatement()
	case "set":
		s, err = p.setStatement()
	case "macro":
		s, err = p.macroStatement()
	case "filter":
		s, err = p.filterStatement()
	case "generation":
		var body []Stmt
		body, err = p.body("endgeneration")
		s = Generation{body}
	case "break", "continue":
		s, err = Jump{word == "continue"}, p.want(endStmt, "")
	case "elif", "else", "endif", "endfor", "endset", "endmacro", "endfilter", "endgeneration":
		return nil, false, nil
	default:
		return nil, true, p.wrong("the statement %q is not supported", word)
	}
	return s, true, err
}

// body reads from the end of a tag to the tag of that word, which it consumes.
func (p *parser) body(ending string) ([]Stmt, error) {
	if err := p.want(endStmt, ""); err != nil {
		return nil, err
	}
	body, word, err := p.block()
	if err != nil {
		return nil, err
	}
	if word != ending {
		return nil, p.wrong("%s is missing", ending)
	}
	if p.peek().kind == name { // endmacro NAME
		p.next()
	}
	return body, p.want(endStmt, "")
}

func (p *parser) ifStatement() (Stmt, error) {
	var s If
	for {
		cond, err := p.tuple()
		if err != nil {
			return nil, err
		}
		if err := p.want(endStmt, ""); err != nil {
			return nil, err
		}
		body, word, err := p.block()
		if err != nil {
			return nil, err
		}
		s.Conds, s.Bodies = append(s.Conds, cond), append(s.Bodies, body)
		switch word {
		case "elif":
			continue
		case "else":
			s.Other, err = p.body("endif")
			return s, err
		case "endif":
			return s, p.want(endStmt, "")
		}
		return nil, p.wrong("endif is missing")
	}
}

func (p *parser) forStatement() (Stmt, error) {
	var s For
	var err error
	if s.Targets, err = p.targets(); err != nil {
		return nil, err
	}
	if err := p.want(name, "in"); err != nil {
		return nil, err
	}
	if s.Over, err = p.or(); err != nil { // no condition: its if is the loop's
		return nil, err
	}
	if p.take(name, "if") {
		if s.Cond, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if err := p.want(endStmt, ""); err != nil {
		return nil, err
	}
	body, word, err := p.block()
	if err != nil {
		return nil, err
	}
	s.Body = body
	switch word {
	case "else":
		s.Other, err = p.body("endfor")
		return s, err
	case "endfor":
		return s, p.want(endStmt, "")
	}
	return nil, p.wrong("endfor is missing")
}

func (p *parser) targets() (names []string, err error) {
	paren := p.take(op, "(")
	for {
		n, err := p.word()
		if err != nil {
			return nil, err
		}
		names = append(names, n)
		if !p.take(op, ",") {
			break
		}
	}
	if paren {
		return names, p.want(op, ")")
	}
	return names, nil
}

func (p *parser) setStatement() (Stmt, error) {
	var s Set
	var err error
	if s.Targets, err = p.targets(); err != nil {
		return nil, err
	}
	if p.take(op, ".") {
		s.Object = s.Targets[0]
		field, err := p.word()
		if err != nil || len(s.Targets) > 1 {
			return nil, p.wrong("what is set is no name")
		}
		s.Targets = []string{field}
	}
	if p.take(op, "=") {
		if s.Value, err = p.tuple(); err != nil {
			return nil, err
		}
		return s, p.want(endStmt, "")
	}
	if s.Filters, err = p.filters(p.is(op, "|")); err != nil {
		return nil, err
	}
	s.Body, err = p.body("endset")
	return s, err
}

// filters reads a chain; first says that a bar stands before it.
func (p *parser) filters(bar bool) (chain []Filter, err error) {
	for ok := bar; ok; ok = p.is(op, "|") {
		p.take(op, "|")
		f := Filter{}
		if f.Name, err = p.word(); err != nil {
			return nil, err
		}
		if f.Args, err = p.maybeArguments(); err != nil {
			return nil, err
		}
		chain = append(chain, f)
	}
	return chain, nil
}

func (p *parser) filterStatement() (Stmt, error) {
	chain, err := p.filters(true)
	if err != nil {
		return nil, err
	}
	body, err := p.body("endfilter")
	return FilterBlock{chain, body}, err
}

func (p *parser) macroStatement() (Stmt, error) {
	var s Macro
	var err error
	if s.Name, err = p.word(); err != nil {
		return nil, err
	}
	if err := p.want(op, "("); err != nil {
		return nil, err
	}
	for !p.take(op, ")") {
		n, err := p.word()
		if err != nil {
			return nil, err
		}
		var standard Expr
		if p.take(op, "=") {
			if standard, err = p.expression(); err != nil {
				return nil, err
			}
		}
		s.Params, s.Defaults = append(s.Params, n), append(s.Defaults, standard)
		if !p.take(op, ",") && !p.is(op, ")") {
			return nil, p.wrong("a macro's parameters do not end")
		}
	}
	s.Body, err = p.body("endmacro")
	return s, err
}
