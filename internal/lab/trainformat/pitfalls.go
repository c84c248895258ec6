package trainformat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/lab/trainformat/chat"
)

const (
	// perMessage is what a chat template adds to a message, in tokens.
	perMessage = 4
	// perToken is how many characters a token has where nobody counts.
	perToken = 4
)

// pitfalls are what the rows would do to a training run.
func (j *judge) pitfalls(p *plan) []string {
	all := slices.Concat(j.special(), j.empties(), j.order(), j.pairs(), j.balance(p))
	if n := j.reference(p); n != "" {
		all = append(all, n)
	}
	if n := j.long(p); n != "" {
		all = append(all, n)
	}
	return all
}

// special tells of columns that are more than text.
func (j *judge) special() []string {
	var all []string
	for _, c := range j.Columns {
		switch shape := j.shapes[c.Name]; {
		case c.Name == "tools" && (shape == "list" || shape == "text"):
			all = append(all, "`tools` is recognised: the chat template gets it with each conversation (a list of JSON schemas, or the list as JSON text)")
		case (c.Name == "image" || c.Name == "images") && (c.Type.Kind == Image || c.Type.Kind == List):
			all = append(all, quote(c.Name)+": the trainer needs a vision-language model and its processor")
		case shape == "from-value" && j.foreign(c.Name):
			all = append(all, quote(c.Name)+": roles such as human and gpt stay as they are when TRL converts; most chat templates know only user and assistant, map them first")
		}
	}
	return all
}

// foreign reports whether a column has roles that chat templates do not know.
func (j *judge) foreign(column string) bool {
	for _, r := range j.Rows {
		c, _ := chat.Read(r.whole(column))
		for _, m := range c.Messages {
			if m.Role != chat.Plain(m.Role) {
				return true
			}
		}
	}
	return false
}

// talks are the columns of the found type that hold messages.
func (j *judge) talks() []string {
	if j.typ == nil {
		return nil
	}
	return slices.DeleteFunc(j.used(*j.typ), func(c string) bool { return j.shapes[c] != "messages" })
}

// found counts rows and remembers the first.
type found struct{ n, first int }

func (f *found) add(row int) {
	if f.n++; f.n == 1 {
		f.first = row
	}
}

// empties counts lists without messages and missing values.
func (j *judge) empties() []string {
	if j.typ == nil {
		return nil
	}
	var all []string
	for _, column := range j.used(*j.typ) {
		var empty, null found
		for _, r := range j.Rows {
			cell := r.whole(column)
			var list []json.RawMessage
			switch {
			case cell == nil:
			case string(cell) == "null":
				null.add(r.Index)
			case j.shapes[column] == "messages" && json.Unmarshal(cell, &list) == nil && len(list) == 0:
				empty.add(r.Index)
			}
		}
		if empty.n > 0 {
			all = append(all, fmt.Sprintf("%s is an empty list in %d row(s), first in row %d: the trainer crashes on it, filter them out", quote(column), empty.n, empty.first))
		}
		if null.n > 0 {
			all = append(all, fmt.Sprintf("%s is null in %d row(s), first in row %d", quote(column), null.n, null.first))
		}
	}
	return all
}

// order looks at the order of roles, and at who has the last word.
func (j *judge) order() []string {
	var all []string
	for _, column := range j.talks() {
		var wrong, open found
		problem := ""
		for _, r := range j.Rows {
			c, _ := chat.Read(r.whole(column))
			if len(c.Messages) == 0 {
				continue
			}
			roles := c.Roles()
			// A completion goes on where the prompt ends; so do chosen and
			// rejected beside a prompt that is a conversation.
			apart := column == "completion" || (column == "chosen" || column == "rejected") && j.shapes["prompt"] == "messages"
			check := roles
			if apart {
				check = append([]string{"user"}, roles...)
			}
			if d := chat.Disorder(check); d != "" {
				if wrong.add(r.Index); problem == "" {
					problem = d
				}
			}
			if last := chat.Plain(roles[len(roles)-1]); (last == "assistant") == (column == "prompt") {
				open.add(r.Index)
			}
		}
		if wrong.n > 0 {
			all = append(all, fmt.Sprintf("roles in %s are out of order in %d row(s): %s, first in row %d", quote(column), wrong.n, problem, wrong.first))
		}
		if open.n > 0 && column == "prompt" {
			all = append(all, fmt.Sprintf("%s ends with an answer in %d row(s), first in row %d", quote(column), open.n, open.first))
		} else if open.n > 0 {
			all = append(all, fmt.Sprintf("%s does not end with the assistant in %d row(s), first in row %d: there is no answer to learn from at its end", quote(column), open.n, open.first))
		}
	}
	return all
}

// pairs compares chosen and rejected.
func (j *judge) pairs() []string {
	if j.typ == nil || j.typ.Name != "preference" {
		return nil
	}
	var same, differ found
	for _, r := range j.Rows {
		chosen, rejected := r.whole("chosen"), r.whole("rejected")
		if len(chosen) == 0 || len(rejected) == 0 || string(chosen) == "null" || string(rejected) == "null" {
			continue
		}
		a, b := words(chosen), words(rejected)
		if slices.Equal(a, b) {
			same.add(r.Index)
		} else if !j.samePrompt(r.whole("prompt"), a, b) {
			differ.add(r.Index)
		}
	}
	var all []string
	if same.n > 0 {
		all = append(all, fmt.Sprintf("chosen equals rejected in %d row(s), first in row %d: nothing to prefer there, filter them out", same.n, same.first))
	}
	if differ.n > 0 {
		all = append(all, fmt.Sprintf("the prompts inside a pair differ in %d row(s), first in row %d: chosen and rejected must answer the same prompt", differ.n, differ.first))
	}
	return all
}

// words is a cell as comparable pieces: its text, or its messages.
func words(cell json.RawMessage) []string {
	if c, ok := chat.Read(cell); ok && !c.InText {
		all := make([]string, len(c.Messages))
		for i, m := range c.Messages {
			all[i] = m.Role + "\x00" + m.Content
			if m.Content == "" {
				all[i] += string(m.Raw)
			}
		}
		return all
	}
	var text string
	_ = json.Unmarshal(cell, &text)
	return []string{text}
}

// samePrompt reports whether both sides of a pair answer one prompt.
func (j *judge) samePrompt(prompt json.RawMessage, a, b []string) bool {
	_, explicit := j.shapes["prompt"]
	if j.shapes["chosen"] == "messages" {
		if explicit && j.shapes["prompt"] == "messages" && len(a) == 1 && len(b) == 1 {
			return true // answers alone
		}
		if len(a) == 0 || len(b) == 0 || !slices.Equal(a[:len(a)-1], b[:len(b)-1]) {
			return len(a) == 0 || len(b) == 0
		}
		var text string
		if json.Unmarshal(prompt, &text) != nil || len(a) < 2 {
			return true
		}
		return slices.ContainsFunc(a[:len(a)-1], func(m string) bool { return strings.Contains(m, strings.TrimSpace(text)) })
	}
	if explicit || len(a) == 0 || len(b) == 0 || a[0] == "" || b[0] == "" {
		return true
	}
	// The prompt of texts is their common beginning.
	first, _ := utf8.DecodeRuneInString(a[0])
	other, _ := utf8.DecodeRuneInString(b[0])
	return first == other
}

// balance counts labels.
func (j *judge) balance(p *plan) []string {
	shape := j.shapes["label"]
	if p == nil || p.typ.Name != "unpaired preference" || shape != "bool" && shape != "int" {
		return nil
	}
	good, bad, where := j.Good, j.Bad, "the split"
	if good+bad == 0 {
		where = fmt.Sprintf("the %d row(s) looked at", len(j.Rows))
		for _, r := range j.Rows {
			switch string(r.whole("label")) {
			case "true", "1":
				good++
			case "false", "0":
				bad++
			}
		}
	}
	head := fmt.Sprintf("labels in %s: %d true, %d false", where, good, bad)
	switch {
	case good+bad == 0:
		return nil
	case good == 0 || bad == 0:
		return []string{head + ": both are needed"}
	case !p.trainer.Balance:
		return []string{head}
	case good >= bad && 3*good <= 4*bad:
		return []string{head + ": within 1:1 and 4:3, no weights needed"}
	case good < bad:
		low := float64(bad) / float64(good)
		return []string{fmt.Sprintf("%s: set desirable_weight between %s and %s (undesirable_weight 1), so that weighted positives to negatives lie between 1:1 and 4:3", head, weight(low), weight(low*4/3))}
	default:
		high := float64(good) / float64(bad)
		return []string{fmt.Sprintf("%s: set undesirable_weight between %s and %s (desirable_weight 1), so that weighted positives to negatives lie between 1:1 and 4:3", head, weight(high*3/4), weight(high))}
	}
}

func weight(x float64) string { return fmt.Sprintf("%.2f", x) }

// reference tells that verifiable rewards would have nothing to compare with.
func (j *judge) reference(p *plan) string {
	if p == nil || p.trainer.ID != "grpo" && p.trainer.ID != "rloo" {
		return ""
	}
	for _, c := range j.Columns {
		if slices.Contains(j.rules.References, strings.ToLower(c.Name)) {
			return ""
		}
	}
	return "no column with a reference answer: rewards that check the answer (math, code) have nothing to compare with; a reward model or rules on the text are needed"
}

// long counts the rows over the trainer's default length.
func (j *judge) long(p *plan) string {
	if p == nil || !p.trainer.Length || len(j.Rows) == 0 {
		return ""
	}
	columns := j.source(*p)
	over, cut := 0, 0
	for _, r := range j.Rows {
		switch tokens, whole := j.tokens(r, columns); {
		case tokens > j.rules.MaxLength:
			over++
		case !whole:
			cut++
		}
	}
	text := fmt.Sprintf("%d of %d rows (%.0f %%) are longer than the default max_length of %d tokens", over, len(j.Rows), 100*float64(over)/float64(len(j.Rows)), j.rules.MaxLength)
	if over > 0 {
		text += " and get cut"
	}
	if j.Counter == nil {
		text += " (estimate: 4 characters a token)"
	}
	if cut > 0 {
		text += fmt.Sprintf("; %d more came cut and may be", cut)
	}
	return text
}

// source are the columns whose text is trained on.
func (j *judge) source(p plan) []string {
	wanted := map[string]bool{}
	for name := range p.typ.Columns {
		wanted[name] = true
	}
	for name := range p.typ.Optional {
		wanted[name] = true
	}
	for i := len(p.steps) - 1; i >= 0; i-- {
		for name := range p.steps[i].Needs {
			wanted[name] = true
		}
	}
	var names []string
	for _, c := range j.Columns {
		if s := j.shapes[c.Name]; wanted[c.Name] && (s == "text" || s == "list" || strings.HasSuffix(s, "messages") || s == "from-value") {
			names = append(names, c.Name)
		}
	}
	return names
}

// tokens counts a row; of a pair the longer side counts. It reports false where
// a cell is cut.
func (j *judge) tokens(r Row, columns []string) (n int, whole bool) {
	whole = true
	side := 0
	for _, c := range columns {
		whole = whole && !r.Cut[c]
		one := j.cell(r.Values[c])
		switch {
		case c == "chosen" || c == "rejected":
			side = max(side, one)
		case c == "prompt" && j.shapes["chosen"] == "messages" && j.shapes["prompt"] == "text" && slices.Contains(columns, "chosen"):
			// The prompt is in chosen and rejected already.
		default:
			n += one
		}
	}
	return n + side, whole
}

func (j *judge) cell(cell json.RawMessage) int {
	if c, ok := chat.Read(cell); ok {
		n := 0
		for _, m := range c.Messages {
			n += j.count(m.Content) + perMessage
		}
		return n
	}
	var text string
	if json.Unmarshal(cell, &text) == nil {
		return j.count(text)
	}
	return j.count(string(cell))
}

func (j *judge) count(text string) int {
	if j.Counter != nil {
		return j.Counter.Count(text)
	}
	return (utf8.RuneCountInString(text) + perToken - 1) / perToken
}
