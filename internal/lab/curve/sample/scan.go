package sample

import (
	"math"
	"slices"
	"strings"
)

// scanner walks over one line and collects what it tells.
type scanner struct {
	text string
	pos  int
	out  Sample
	// open are the names of the objects that the position is in.
	open []string
	// object says that a number stood in braces, bar that it is a progress bar's
	// line.
	object, bar bool
	sure        position // how sure out.Step is
	// before are the bare words directly in front of pos, one blank apart.
	before []string
	last   int // end of the newest of them
}

// run reads the line; ok is false when it tells of something else.
func (s *scanner) run() (Sample, bool) {
	s.out = nothing()
	s.bar = strings.Contains(s.text, "it/s") || strings.Contains(s.text, "s/it") || strings.Contains(s.text, "%|")
	for s.pos < len(s.text) && len(s.out.Values) < maxValues {
		s.next()
	}
	if s.tells() {
		return s.out, true
	}
	if s.isHeading() {
		s.out.Values = nil
		return s.out, true
	}
	return Sample{}, false
}

// next takes what stands at the position.
func (s *scanner) next() {
	c := s.text[s.pos]
	switch {
	case c == '{':
		s.push("")
		s.pos++
	case c == '}':
		if len(s.open) > 0 {
			s.open = s.open[:len(s.open)-1]
		}
		s.pos++
	case c == '\'' || c == '"':
		s.quoted(c)
	case isLetter(c) || c == '_':
		s.word()
	case isDigit(c):
		s.bare()
	default:
		s.pos++
	}
}

func (s *scanner) push(name string) {
	if len(s.open) < maxDepth {
		s.open = append(s.open, name)
	}
}

// quoted takes a quoted name with its value.
func (s *scanner) quoted(quote byte) {
	if s.pos > 0 && isWord(s.text[s.pos-1]) { // an apostrophe
		s.pos++
		return
	}
	end := strings.IndexByte(s.text[s.pos+1:min(len(s.text), s.pos+maxName+2)], quote)
	if end < 0 {
		s.pos++
		return
	}
	name := s.text[s.pos+1 : s.pos+1+end]
	after := s.pos + end + 2
	at := skipBlanks(s.text, after)
	if at >= len(s.text) || s.text[at] != ':' && s.text[at] != '=' || !isName(name) {
		s.pos = after
		return
	}
	s.value(name, at+1)
}

// isName reports whether a quoted text can be the name of a number.
func isName(name string) bool {
	if name == "" || !isLetter(name[0]) && name[0] != '_' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isWord(c) && !strings.ContainsRune(" /.@%()-", rune(c)) {
			return false
		}
	}
	return true
}

// word takes a bare name with its value, or remembers the word.
func (s *scanner) word() {
	begin := s.pos
	if begin > 0 && (isWord(s.text[begin-1]) || s.text[begin-1] == '\\') {
		s.pos++
		return
	}
	end := begin
	for end < len(s.text) && end-begin < maxName && (isWord(s.text[end]) || strings.IndexByte("/.@-%", s.text[end]) >= 0) {
		end++
	}
	for end > begin && strings.IndexByte("/.-%@", s.text[end-1]) >= 0 {
		end--
	}
	s.pos = max(end, begin+1)
	name := s.text[begin:end]
	if begin != s.last+1 || begin > 0 && s.text[begin-1] != ' ' {
		s.before = s.before[:0]
	}
	full := s.joined(name)
	s.before, s.last = append(s.before, name), end
	if len(s.before) > 4 {
		s.before = s.before[1:]
	}
	at := end
	if unit := parenthesis(s.text[at:]); unit > 0 { // "allocated (GiB)"
		full += " " + strings.TrimSpace(s.text[at:at+unit])
		at += unit
	}
	at = skipBlanks(s.text, at)
	switch {
	case at >= len(s.text), strings.HasSuffix(name, ".py"): // of a place in a program
	case s.text[at] == '=' && strings.HasPrefix(s.text[at:], "=="), strings.HasPrefix(s.text[at:], "://"):
	case s.text[at] == ':' || s.text[at] == '=':
		s.before = s.before[:0]
		s.value(full, at+1)
	case at > end && at-end <= maxGap && s.standsAlone(full, at):
		s.value(full, end)
	}
}

// maxGap is how many blanks may part a name from its number where nothing else
// does.
const maxGap = 12

// standsAlone reports whether the name of the number at a position needs no sign
// between them.
func (s *scanner) standsAlone(name string, at int) bool {
	name = normal(name)
	if vocab().positions[name] != noPosition {
		return true
	}
	switch Classify(name) {
	case Loss, EvalLoss, LearningRate, GradNorm, Throughput:
		return true
	case Memory: // "mem 14.5GiB", but not "memory 3"
		n, ok := parse(s.text[at:])
		return ok && n.unit == "GiB"
	case Quality:
		return vocab().sure[parts(name)[0]]
	}
	return false
}

// joined is a name with the words in front that belong to it.
func (s *scanner) joined(name string) string {
	for i := len(s.before) - 1; i >= 0; i-- {
		word := normal(s.before[i])
		if !vocab().joined[word] && !strings.HasPrefix(name, "per ") {
			break
		}
		name = word + " " + name
	}
	return name
}

// parenthesis is the length of a unit in parentheses behind a name.
func parenthesis(text string) int {
	begin := skipBlanks(text, 0)
	if begin > 1 || begin >= len(text) || text[begin] != '(' {
		return 0
	}
	for i := begin + 1; i < len(text) && i-begin < 12; i++ {
		switch {
		case text[i] == ')':
			return i + 1
		case !isLetter(text[i]) && text[i] != '/' && text[i] != '%':
			return 0
		}
	}
	return 0
}

func skipBlanks(text string, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
		at++
	}
	return at
}

// value takes the value of a name. Where there is none the scanner goes on with
// what stands there.
func (s *scanner) value(name string, at int) {
	at = skipBlanks(s.text, at)
	s.pos = max(s.pos, at)
	if at < len(s.text) && s.text[at] == '{' {
		s.push(name)
		s.pos = at + 1
		return
	}
	begin, closers := unwrap(s.text, at)
	n, ok := parse(s.text[begin:])
	if !ok {
		s.pos = max(s.pos, at)
		if at < len(s.text) && (s.text[at] == '\'' || s.text[at] == '"') {
			s.skipText(at)
		}
		return
	}
	s.pos, s.before = begin+n.end, s.before[:0]
	for closers > 0 && s.pos < len(s.text) && strings.IndexByte("\"')]", s.text[s.pos]) >= 0 {
		s.pos++
		closers--
	}
	s.take(name, n)
}

// skipText moves behind a quoted text that is no number.
func (s *scanner) skipText(at int) {
	end := strings.IndexByte(s.text[at+1:], s.text[at])
	if end < 0 {
		s.pos = at + 1
		return
	}
	s.pos = at + end + 2
}

// unwrap is where a number begins within quotes, lists and what Python writes
// around it, such as np.float64(1.2) and tensor([0.3], device='cuda:0').
func unwrap(text string, at int) (begin, closers int) {
	begin = at
	for range 4 {
		if begin >= len(text) {
			break
		}
		switch c := text[begin]; {
		case c == '[' || c == '(' || c == '\'' || c == '"':
			begin = skipBlanks(text, begin+1)
		case isLetter(c):
			open := begin
			for open < len(text) && (isWord(text[open]) || text[open] == '.') {
				open++
			}
			if open >= len(text) || text[open] != '(' || !wraps(text[begin:open]) {
				return begin, closers
			}
			begin = skipBlanks(text, open+1)
		default:
			return begin, closers
		}
		closers++
	}
	return begin, closers
}

// wraps reports whether a name makes a number of what is in its parentheses.
func wraps(name string) bool {
	name = strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	switch name {
	case "float", "float16", "float32", "float64", "bfloat16", "int", "int32", "int64", "tensor", "array", "decimal", "scalar":
		return true
	}
	return false
}

// take keeps a number under its name.
func (s *scanner) take(name string, n number) {
	s.object = s.object || len(s.open) > 0
	name = s.path(name)
	if p := vocab().positions[name]; p != noPosition {
		s.position(p, n)
		return
	}
	v := Value{Name: name, Kind: Classify(name), Number: n.value, Unit: n.unit}
	switch {
	case n.unit == "time" || name == "" || len(name) > maxName || isTime(name):
		return
	case n.unit == "%" && s.pos < len(s.text) && s.text[s.pos] == '|': // how full a bar is
		return
	case n.total != 0 && v.Kind != Quality: // 3/10 of something
		return
	case n.total != 0:
		v.Number = n.value / n.total
	case strings.HasSuffix(n.unit, "/s"):
		v.Kind = Throughput
	case n.unit == "GiB" && (v.Kind == Other || v.Kind == Memory):
		v.Kind = Memory
	case v.Kind == Memory && v.Unit == "":
		v.Unit, v.Number = unitOfName(name, n.value)
	}
	for i := range s.out.Values {
		if s.out.Values[i].Name == v.Name {
			return // the first one counts: "Loss 6.9 (7.0)" is repeated as a mean
		}
	}
	s.out.Values = append(s.out.Values, v)
}

// isTime reports whether a number tells how long something took.
func isTime(name string) bool {
	return slices.ContainsFunc(parts(name), func(w string) bool { return vocab().time[w] })
}

// unitOfName is the unit of memory in a name such as "memory/active_(gib)".
func unitOfName(name string, v float64) (unit string, number float64) {
	all := parts(name)
	if gib, ok := gibibytes(all[len(all)-1]); ok {
		return "GiB", v * gib
	}
	return "", v
}

// path is a normal name behind the names of the objects it is in.
func (s *scanner) path(name string) string {
	name = normal(name)
	for i := len(s.open) - 1; i >= 0; i-- {
		switch outer := normal(s.open[i]); outer {
		case "", "metrics", "metric", "log", "logs", "data", "history", "scalars", "results", "values", "train":
		default:
			name = outer + "/" + name
		}
	}
	return name
}

// position takes a number that says how far the run is.
func (s *scanner) position(p position, n number) {
	switch {
	case n.unit != "" || !isPosition(n.value):
	case p == atEpoch:
		if math.IsNaN(s.out.Epoch) {
			s.out.Epoch = n.value
		}
	case p > s.sure:
		s.out.Step, s.sure = n.value, p
	}
}

// maxPosition is more steps than any run makes.
const maxPosition = 1e15

func isPosition(v float64) bool { return v >= 0 && v <= maxPosition }

// bare takes a number without a name: that of a progress bar, or one whose unit
// says what it is.
func (s *scanner) bare() {
	begin := s.pos
	for s.pos < len(s.text) && (isWord(s.text[s.pos]) || s.text[s.pos] == '.') {
		s.pos++
	}
	if begin > 0 && (isWord(s.text[begin-1]) || strings.IndexByte(".:-", s.text[begin-1]) >= 0) {
		return
	}
	n, ok := parse(s.text[begin:])
	if !ok {
		return
	}
	rest := s.text[begin+n.end:]
	lead := strings.TrimRight(s.text[:begin], " ")
	switch {
	case strings.HasSuffix(n.unit, "/s"):
		s.pos = begin + n.end
		s.take(n.unit, n)
	case n.total == 0:
	case strings.HasSuffix(lead, "|") && strings.HasPrefix(rest, " ["):
		s.position(atBar, number{value: n.value})
		s.pos = begin + n.end
	case strings.HasSuffix(lead, "[") && (strings.HasPrefix(rest, "]") || strings.HasPrefix(rest, " (")),
		lead == "" && strings.HasPrefix(rest, " ["):
		s.position(atBatch, number{value: n.value})
		s.pos = begin + n.end
	}
}

// tells reports whether the line tells of training: there are losses, or other
// numbers together with where the run is.
func (s *scanner) tells() bool {
	placed := !math.IsNaN(s.out.Epoch) || s.sure >= atStep
	for _, v := range s.out.Values {
		switch {
		case v.Kind == Loss || v.Kind == EvalLoss || v.Kind == GradNorm:
			return true
		case v.Kind == Quality && (placed || vocab().sure[parts(v.Name)[0]] || vocab().eval[parts(v.Name)[0]]):
			return true
		case placed && (s.object || v.Kind != Other):
			return true
		}
	}
	return false
}

// isHeading reports whether the line is only the heading of an epoch.
func (s *scanner) isHeading() bool {
	if math.IsNaN(s.out.Epoch) || s.object || s.bar || len(s.text) > 40 {
		return false
	}
	head := strings.ToLower(s.text[:min(5, len(s.text))])
	return head == "epoch"
}
