package syntax

import "github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/value"

// tuple reads one expression, or several with commas between as a list.
func (p *parser) tuple() (Expr, error) {
	x, err := p.expression()
	if err != nil || !p.is(op, ",") {
		return x, err
	}
	items := []Expr{x}
	for p.take(op, ",") {
		if k := p.peek(); k.kind == endExpr || k.kind == endStmt || k.kind == op && (k.text == ")" || k.text == "]") {
			break
		}
		if x, err = p.expression(); err != nil {
			return nil, err
		}
		items = append(items, x)
	}
	return List{items}, nil
}

func (p *parser) expression() (Expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	x, err := p.or()
	for err == nil && p.take(name, "if") {
		c := Conditional{Then: x}
		if c.Cond, err = p.or(); err != nil {
			return nil, err
		}
		c.Other = Literal{value.Undefined{}}
		if p.take(name, "else") {
			if c.Other, err = p.expression(); err != nil {
				return nil, err
			}
		}
		x = c
	}
	return x, err
}

func (p *parser) or() (Expr, error)  { return p.chain(name, p.and, "or") }
func (p *parser) and() (Expr, error) { return p.chain(name, p.not, "and") }

// chain reads operands with operators of one rank between, from left to right.
func (p *parser) chain(k kind, operand func() (Expr, error), ops ...string) (Expr, error) {
	x, err := operand()
	for err == nil {
		found := ""
		for _, o := range ops {
			if p.take(k, o) {
				found = o
				break
			}
		}
		if found == "" {
			return x, nil
		}
		var y Expr
		y, err = operand()
		x = Binary{found, x, y}
	}
	return nil, err
}

func (p *parser) not() (Expr, error) {
	if !p.is(name, "not") {
		return p.compare()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	p.next()
	x, err := p.not()
	return Unary{"not", x}, err
}

func (p *parser) compare() (Expr, error) {
	x, err := p.sum()
	c := Comparison{First: x}
	for err == nil {
		o := ""
		for _, sign := range []string{"==", "!=", "<=", ">=", "<", ">"} {
			if p.take(op, sign) {
				o = sign
				break
			}
		}
		switch {
		case o != "":
		case p.take(name, "in"):
			o = "in"
		case p.is(name, "not") && p.at+1 < len(p.tokens) && p.tokens[p.at+1].kind == name && p.tokens[p.at+1].text == "in":
			p.at += 2
			o = "not in"
		default:
			if len(c.Ops) == 0 {
				return x, nil
			}
			return c, nil
		}
		var y Expr
		y, err = p.sum()
		c.Ops, c.Rest = append(c.Ops, o), append(c.Rest, y)
	}
	return nil, err
}

func (p *parser) sum() (Expr, error)     { return p.chain(op, p.concat, "+", "-") }
func (p *parser) concat() (Expr, error)  { return p.chain(op, p.product, "~") }
func (p *parser) product() (Expr, error) { return p.chain(op, p.power, "*", "//", "/", "%") }
func (p *parser) power() (Expr, error)   { return p.chain(op, p.sign, "**") }

// sign reads an operand; a sign binds closer than filters and tests do.
func (p *parser) sign() (Expr, error) {
	x, err := p.signed()
	if err != nil {
		return nil, err
	}
	return p.filtered(x)
}

func (p *parser) signed() (Expr, error) {
	for _, o := range []string{"-", "+"} {
		if !p.is(op, o) {
			continue
		}
		if err := p.deeper(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		p.next()
		x, err := p.signed()
		return Unary{o, x}, err
	}
	x, err := p.primary()
	if err != nil {
		return nil, err
	}
	return p.postfix(x)
}

func (p *parser) primary() (Expr, error) {
	switch t := p.next(); t.kind {
	case str:
		s := t.text
		for p.peek().kind == str {
			s += p.next().text
		}
		return Literal{s}, nil
	case number:
		return Literal{t.Value}, nil
	case name:
		switch t.text {
		case "true", "True":
			return Literal{true}, nil
		case "false", "False":
			return Literal{false}, nil
		case "none", "None":
			return Literal{nil}, nil
		}
		return Variable{t.text}, nil
	case op:
		switch t.text {
		case "(":
			if p.take(op, ")") {
				return List{}, nil
			}
			x, err := p.tuple()
			if err != nil {
				return nil, err
			}
			return x, p.want(op, ")")
		case "[":
			items, err := p.items("]")
			return List{items}, err
		case "{":
			return p.dict()
		}
	}
	p.at--
	return nil, p.wrong("unexpected %q", p.peek().text)
}

func (p *parser) items(closing string) (items []Expr, err error) {
	for !p.take(op, closing) {
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
		if !p.take(op, ",") && !p.is(op, closing) {
			return nil, p.wrong("%q is missing before %q", closing, p.peek().text)
		}
	}
	return items, nil
}

func (p *parser) dict() (Expr, error) {
	var d Dict
	for !p.take(op, "}") {
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.want(op, ":"); err != nil {
			return nil, err
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.Keys, d.Values = append(d.Keys, k), append(d.Values, v)
		if !p.take(op, ",") && !p.is(op, "}") {
			return nil, p.wrong("a dictionary does not end")
		}
	}
	return d, nil
}

func (p *parser) postfix(x Expr) (Expr, error) {
	var err error
	for err == nil {
		switch {
		case p.take(op, "."):
			t := p.next()
			switch {
			case t.kind == name:
				x = Attribute{x, t.text}
			case t.kind == number:
				x = Index{x, Literal{t.Value}}
			default:
				return nil, p.wrong("a name is missing after the dot")
			}
		case p.take(op, "["):
			x, err = p.subscript(x)
		case p.is(op, "("):
			c := Call{Fn: x}
			c.Args, err = p.maybeArguments()
			x = c
		default:
			return x, nil
		}
	}
	return nil, err
}

// filtered reads the filters and tests behind an operand.
func (p *parser) filtered(x Expr) (Expr, error) {
	var err error
	for err == nil {
		switch {
		case p.is(op, "|"):
			var chain []Filter
			chain, err = p.filters(true)
			for _, f := range chain {
				f.X = x
				x = f
			}
		case p.take(name, "is"):
			x, err = p.test(x)
		case p.is(op, "("):
			c := Call{Fn: x}
			c.Args, err = p.maybeArguments()
			x = c
		default:
			return x, nil
		}
	}
	return nil, err
}

func (p *parser) subscript(x Expr) (Expr, error) {
	var parts [3]Expr
	var err error
	colons := 0
	for {
		switch {
		case p.take(op, "]"):
			if colons == 0 {
				if parts[0] == nil {
					return nil, p.wrong("an index is missing")
				}
				return Index{x, parts[0]}, nil
			}
			return Slice{x, parts[0], parts[1], parts[2]}, nil
		case p.take(op, ":"):
			if colons++; colons > 2 {
				return nil, p.wrong("a slice has too many parts")
			}
		case parts[colons] != nil:
			return nil, p.wrong("%q is missing", "]")
		default:
			if parts[colons], err = p.expression(); err != nil {
				return nil, err
			}
		}
	}
}

func (p *parser) test(x Expr) (Expr, error) {
	t := Test{X: x, Negated: p.take(name, "not")}
	var err error
	if t.Name, err = p.word(); err != nil {
		return nil, err
	}
	if p.is(op, "(") {
		t.Args, err = p.maybeArguments()
		return t, err
	}
	// one argument may stand without brackets
	switch k := p.peek(); {
	case k.kind == str || k.kind == number, k.kind == name && (k.text == "true" || k.text == "false" || k.text == "none"):
		arg, err := p.primary()
		if err != nil {
			return nil, err
		}
		t.Args.Places = []Expr{arg}
	case (t.Name == "in" || t.Name == "divisibleby" || t.Name == "eq" || t.Name == "equalto" || t.Name == "sameas") && (k.kind == name || k.kind == op && (k.text == "[" || k.text == "(")):
		arg, err := p.signed()
		if err != nil {
			return nil, err
		}
		t.Args.Places = []Expr{arg}
	}
	return t, nil
}

// maybeArguments reads (a, b, c=d) where it stands.
func (p *parser) maybeArguments() (a Arguments, err error) {
	if !p.take(op, "(") {
		return a, nil
	}
	for !p.take(op, ")") {
		if p.peek().kind == name && p.at+1 < len(p.tokens) && p.tokens[p.at+1].kind == op && p.tokens[p.at+1].text == "=" {
			a.Names = append(a.Names, p.next().text)
			p.next()
			v, err := p.expression()
			if err != nil {
				return a, err
			}
			a.Values = append(a.Values, v)
		} else {
			x, err := p.expression()
			if err != nil {
				return a, err
			}
			a.Places = append(a.Places, x)
		}
		if !p.take(op, ",") && !p.is(op, ")") {
			return a, p.wrong("the arguments do not end")
		}
	}
	return a, nil
}
