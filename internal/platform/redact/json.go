package redact

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/platform/redact/rule"
)

// maxNested is how many strings that hold JSON may lie inside each other.
// Deeper ones are scrubbed as text.
const maxNested = 8

// errMalformed refuses what is not one JSON value.
var errMalformed = errors.New("scrub json: input is not one valid json value")

// JSON scrubs every string value and every key of a JSON document and returns
// how many secrets were replaced. A string under a secret's name loses its
// value, a string that holds JSON is scrubbed as JSON. Every other byte stays:
// order, numbers, blanks and escapes; without a finding raw itself comes back.
//
// What a provider wants back untouched passes: encrypted_content, and
// signature and data of thinking and redacted_thinking blocks. A thinking
// block whose text was scrubbed no longer fits its signature; it gets
// "redacted":true, so that nobody replays it. Malformed input is an error and
// must not be saved.
func (s *Scrubber) JSON(raw []byte) (out []byte, n int, err error) {
	src, edits, err := s.jsonEdits(raw)
	if err != nil {
		return nil, 0, err
	}
	if len(edits) == 0 {
		return raw, 0, nil
	}
	for _, e := range edits {
		if !e.note {
			n++
		}
	}
	return []byte(apply(src, edits)), n, nil
}

// ReportJSON is JSON with the number of replacements by kind, as in Report.
func (s *Scrubber) ReportJSON(raw []byte) ([]byte, map[string]int, error) {
	src, edits, err := s.jsonEdits(raw)
	if err != nil {
		return nil, nil, err
	}
	if len(edits) == 0 {
		return raw, map[string]int{}, nil
	}
	return []byte(apply(src, edits)), tally(edits), nil
}

func (s *Scrubber) jsonEdits(raw []byte) (string, []edit, error) {
	if !json.Valid(raw) {
		return "", nil, errMalformed
	}
	w := walker{s: s, src: string(raw)}
	w.value("", false)
	return w.src, w.edits, nil
}

// walker reads a document known to be valid and collects replacements.
type walker struct {
	s     *Scrubber
	src   string
	pos   int
	edits []edit
	depth int // of strings that hold JSON
}

// space skips blanks and returns the next byte.
func (w *walker) space() byte {
	for isJSONSpace(w.src[w.pos]) {
		w.pos++
	}
	return w.src[w.pos]
}

func isJSONSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// value reads one value, which stands under key where it is a member's.
func (w *walker) value(key string, beside bool) {
	switch w.space() {
	case '{':
		w.object(key == "secrets")
	case '[':
		w.pos++
		for w.space() != ']' {
			if w.src[w.pos] == ',' {
				w.pos++
				continue
			}
			w.value("", false)
		}
		w.pos++
	case '"':
		start, end := w.str()
		w.text(start, end, key, beside)
	default:
		for w.pos < len(w.src) && !isJSONSpace(w.src[w.pos]) && strings.IndexByte(",]}", w.src[w.pos]) < 0 {
			w.pos++
		}
	}
}

// str reads the string at pos and returns where its raw content lies.
func (w *walker) str() (start, end int) {
	start = w.pos + 1
	for end = start; w.src[end] != '"'; end++ {
		if w.src[end] == '\\' {
			end++
		}
	}
	w.pos = end + 1
	return start, end
}

// block is what has to be known of an object once its last member was read.
type block struct {
	kind     string   // the value of "type"
	opaque   [][2]int // where the values of signature and data lie
	thinking bool     // the text of "thinking" was scrubbed
	flag     [2]int   // where the value of a "redacted" that is there lies
	user     bool     // a "username" was read
	name     string   // the value of "name" or "key", where that is a string
	value    [2]int   // where the string under "value" lies, without its quotes
	secrets  bool     // it maps names of variables to secrets
}

func (w *walker) object(secrets bool) {
	b := block{secrets: secrets}
	first := len(w.edits)
	w.pos++
	for w.space() != '}' {
		if w.src[w.pos] == ',' {
			w.pos++
			continue
		}
		w.member(&b)
	}
	closing := w.pos
	w.pos++
	w.pair(first, b)
	if b.kind != "thinking" && b.kind != "redacted_thinking" {
		return
	}
	w.spare(first, b.opaque)
	if b.kind != "thinking" || !b.thinking {
		return
	}
	note := edit{start: closing, end: closing, text: `,"redacted":true`, note: true}
	if b.flag[1] > 0 {
		w.spare(first, [][2]int{b.flag})
		note.start, note.end, note.text = b.flag[0], b.flag[1], "true"
	}
	if w.src[note.start:note.end] != note.text {
		w.insert(first, note)
	}
}

// member reads one key and its value and notes in b what the object needs.
func (w *walker) member(b *block) {
	keyStart, keyEnd := w.str()
	key := decode(w.src[keyStart:keyEnd])
	w.text(keyStart, keyEnd, "", false)
	w.space()
	w.pos++ // the colon
	w.space()
	start, before := w.pos, len(w.edits)
	w.value(key, b.user)
	if b.secrets && isVariable(key) {
		w.secret(before, start)
	}
	switch key {
	case "type":
		b.kind = w.stringAt(start)
	case "name", "key":
		b.name = w.stringAt(start)
	case "value":
		b.value = [2]int{start + 1, w.pos - 1}
		if w.src[start] != '"' {
			b.value = [2]int{}
		}
	case "signature", "data":
		b.opaque = append(b.opaque, [2]int{start, w.pos})
	case "encrypted_content":
		w.edits = w.edits[:before]
	case "thinking":
		b.thinking = b.thinking || len(w.edits) > before
	case "redacted":
		b.flag = [2]int{start, w.pos}
	case "username":
		b.user = true
	}
}

// stringAt returns the text of the value just read, which began at start; of
// anything but a string, nothing.
func (w *walker) stringAt(start int) string {
	if w.src[start] != '"' {
		return ""
	}
	return decode(w.src[start+1 : w.pos-1])
}

// pair scrubs {"name":"HF_TOKEN","value":"…"}, the form in which secrets are
// handed to an API.
func (w *walker) pair(first int, b block) {
	if b.name == "" || b.value[1] == 0 {
		return
	}
	text := decode(w.src[b.value[0]:b.value[1]])
	if k, ok := w.s.rules.Member(b.name, text, false); ok {
		w.spare(first, [][2]int{b.value})
		w.insert(first, edit{start: b.value[0], end: b.value[1], text: k.Mark(), kind: k})
	}
}

// secret scrubs the value of a member of {"secrets":{"WANDB_KEY":"…"}}, which
// is one whatever its name; $NAME only points to one.
func (w *walker) secret(first, start int) {
	text := w.stringAt(start)
	mark := rule.Secret.Mark()
	if text == "" || text[0] == '$' || strings.HasPrefix(text, strings.TrimSuffix(mark, "]")) {
		return
	}
	w.edits = append(w.edits[:first], edit{start: start + 1, end: w.pos - 1, text: mark, kind: rule.Secret})
}

// isVariable reports whether key looks like an environment variable. The words
// of a JSON schema, which may describe secrets, do not.
func isVariable(key string) bool {
	return key != "" && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// spare drops the edits from first on that lie in one of the spans.
func (w *walker) spare(first int, spans [][2]int) {
	kept := w.edits[:first]
	for _, e := range w.edits[first:] {
		inside := false
		for _, span := range spans {
			inside = inside || e.start >= span[0] && e.end <= span[1]
		}
		if !inside {
			kept = append(kept, e)
		}
	}
	w.edits = kept
}

// insert puts an edit into its place among those from first on.
func (w *walker) insert(first int, e edit) {
	i := len(w.edits)
	for i > first && w.edits[i-1].start >= e.end {
		i--
	}
	w.edits = append(w.edits, edit{})
	copy(w.edits[i+1:], w.edits[i:])
	w.edits[i] = e
}

// text scrubs the string whose raw content is src[start:end].
func (w *walker) text(start, end int, key string, beside bool) {
	raw := w.src[start:end]
	escaped := strings.IndexByte(raw, '\\') >= 0
	text := raw
	if escaped {
		text = decode(raw)
	}
	if k, ok := w.s.rules.Member(key, text, beside); ok {
		w.edits = append(w.edits, edit{start: start, end: end, text: k.Mark(), kind: k})
		return
	}
	if !escaped {
		w.add(w.s.edits(text), start)
		return
	}
	var edits []edit
	if inner, ok := w.nested(text); ok {
		edits = inner
	} else {
		edits = w.s.edits(text)
	}
	if len(edits) > 0 {
		locate(raw, edits)
		w.add(edits, start)
	}
}

// add takes over edits whose places count from start.
func (w *walker) add(edits []edit, start int) {
	for _, e := range edits {
		e.start += start
		e.end += start
		w.edits = append(w.edits, e)
	}
}

// nested scrubs a string's text as JSON, where it is an object or an array.
func (w *walker) nested(text string) ([]edit, bool) {
	trimmed := strings.TrimSpace(text)
	if w.depth >= maxNested || trimmed == "" || trimmed[0] != '{' && trimmed[0] != '[' || !json.Valid([]byte(text)) {
		return nil, false
	}
	inner := walker{s: w.s, src: text, depth: w.depth + 1}
	inner.value("", false)
	for i := range inner.edits {
		if inner.edits[i].note {
			inner.edits[i].text = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(inner.edits[i].text)
		}
	}
	return inner.edits, true
}

// decode returns the text of a JSON string's raw content.
func decode(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			b = append(b, raw[i])
			i++
			continue
		}
		r, next := escape(raw, i)
		b = utf8.AppendRune(b, r)
		i = next
	}
	return string(b)
}

// locate turns the places of edits in the decoded text into places in raw.
func locate(raw string, edits []edit) {
	i, at := 0, 0 // place in raw and in the decoded text
	seek := func(to int) int {
		for at < to {
			if raw[i] != '\\' {
				i, at = i+1, at+1
				continue
			}
			r, next := escape(raw, i)
			i, at = next, at+utf8.RuneLen(r)
		}
		return i
	}
	for k := range edits {
		edits[k].start = seek(edits[k].start)
		edits[k].end = seek(edits[k].end)
	}
}

// escape reads the escape sequence at i. A lone surrogate reads as U+FFFD.
func escape(raw string, i int) (rune, int) {
	switch c := raw[i+1]; c {
	case 'n':
		return '\n', i + 2
	case 'r':
		return '\r', i + 2
	case 't':
		return '\t', i + 2
	case 'b':
		return '\b', i + 2
	case 'f':
		return '\f', i + 2
	case 'u':
		r, next := hex4(raw[i+2:]), i+6
		if utf16.IsSurrogate(r) {
			if strings.HasPrefix(raw[next:], `\u`) {
				if pair := utf16.DecodeRune(r, hex4(raw[next+2:])); pair != utf8.RuneError {
					return pair, next + 6
				}
			}
			return utf8.RuneError, next
		}
		return r, next
	default:
		return rune(c), i + 2
	}
}

// hex4 reads four hexadecimal digits.
func hex4(s string) rune {
	var r rune
	for i := range 4 {
		d := rune(s[i] | 0x20) // digits have the bit already
		if d >= 'a' {
			d -= 'a' - 10 - '0'
		}
		r = r<<4 | (d - '0')
	}
	return r
}
