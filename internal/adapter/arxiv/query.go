package arxiv

import (
	"slices"
	"strings"
)

// Bounds of a question: behind them words are left out.
const (
	maxTerms = 60
	maxText  = 2000 // bytes
)

// expression is the query in arXiv's own form.
func (q Query) expression() string {
	var parts []string
	if text := terms(q.Text); text != "" {
		parts = append(parts, text)
	}
	var categories []string
	for _, c := range q.Categories {
		if c = bare(c); c != "" {
			categories = append(categories, "cat:"+c)
		}
	}
	if len(categories) > 0 {
		parts = append(parts, strings.Join(categories, " OR "))
	}
	if q.From != "" || q.To != "" {
		from, to := strings.ReplaceAll(q.From, "-", ""), strings.ReplaceAll(q.To, "-", "")
		if from == "" {
			from = "19910101" // before arXiv's first paper
		}
		if to == "" {
			to = "20991231"
		}
		parts = append(parts, "submittedDate:["+from+"0000 TO "+to+"2359]")
	}
	if len(parts) > 1 {
		for i, p := range parts {
			if strings.Contains(p, " ") && !strings.HasPrefix(p, "submittedDate:") {
				parts[i] = "(" + p + ")"
			}
		}
	}
	return strings.Join(parts, " AND ")
}

// terms turns what a person writes into arXiv's form: plain words become all:
// terms, terms with a field stay, and where two stand side by side both must
// hold.
func terms(text string) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	tokens := tokenize(text)
	tokens = tokens[:min(len(tokens), maxTerms)]
	if !balanced(tokens) {
		tokens = slices.DeleteFunc(tokens, func(t string) bool { return t == "(" || t == ")" })
	}
	var b strings.Builder
	op, after := "", false // after: an operand stands before
	join := func() {
		if after {
			if op == "" {
				op = "AND"
			}
			b.WriteString(" " + op + " ")
		}
		op = ""
	}
	for _, t := range tokens {
		switch {
		case t == "AND" || t == "OR" || t == "ANDNOT":
			op = t
		case t == "(":
			join()
			b.WriteString(t)
			after = false
		case t == ")":
			b.WriteString(t)
			after = true
		default:
			join()
			b.WriteString(t)
			after = true
		}
	}
	return b.String()
}

// tokenize splits a question into brackets, operators and terms. Small words
// are left out where others remain.
func tokenize(text string) []string {
	var tokens, small []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		end := tokenEnd(text)
		t := text[:end]
		text = text[end:]
		switch t {
		case "(", ")", "AND", "OR", "ANDNOT":
			tokens = append(tokens, t)
			continue
		}
		if t = term(t); t == "" {
			continue
		}
		if slices.Contains([]string{"a", "an", "the", "of", "for", "in", "on", "and", "or", "with", "to", "by", "from"}, strings.ToLower(strings.TrimPrefix(t, "all:"))) {
			small = append(small, t)
			continue
		}
		tokens = append(tokens, t)
	}
	if len(tokens) == 0 {
		return small
	}
	return tokens
}

// tokenEnd is where the first token of a text ends.
func tokenEnd(text string) int {
	if text[0] == '(' || text[0] == ')' {
		return 1
	}
	quoted, ranged := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '[' && !quoted:
			ranged = true
		case c == ']' && !quoted:
			ranged = false
		case !quoted && !ranged && (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' || c == ')'):
			return i
		}
	}
	if (quoted || ranged) && strings.ContainsAny(text, " \t\n") {
		return strings.IndexAny(text, " \t\n") // the other quote is missing
	}
	return len(text)
}

// term is a word as arXiv takes it; "" when nothing of it is left.
func term(t string) string {
	field, value, ok := strings.Cut(t, ":")
	if !ok || !slices.Contains([]string{"ti", "au", "abs", "co", "jr", "cat", "rn", "id", "all", "submittedDate", "lastUpdatedDate"}, field) {
		field, value = "all", t
	}
	if strings.HasSuffix(field, "Date") {
		if !strings.HasPrefix(value, "[") || !strings.HasSuffix(value, "]") {
			return ""
		}
		return field + ":" + value
	}
	quoted := len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"'
	if value = bare(value); value == "" {
		return ""
	}
	if quoted || strings.ContainsAny(value, " -") && field != "cat" {
		value = `"` + value + `"`
	}
	return field + ":" + value
}

// bare drops what would be read as syntax.
func bare(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("\"()[]{}:,;!?&|^~\\", r) || r < ' ' {
			return ' '
		}
		return r
	}, s)
	return strings.Trim(strings.Join(strings.Fields(s), " "), ".-+/ ")
}

// balanced reports whether every bracket is closed and holds something.
func balanced(tokens []string) bool {
	depth := 0
	for i, t := range tokens {
		switch t {
		case "(":
			depth++
		case ")":
			if depth--; depth < 0 || tokens[i-1] == "(" || slices.Contains([]string{"AND", "OR", "ANDNOT"}, tokens[i-1]) {
				return false
			}
		}
	}
	return depth == 0
}
