package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitter cuts a text into the pieces that the model sees.
type splitter func(text string) []string

// preTokeniser makes the function of a pre-tokeniser.
func preTokeniser(data json.RawMessage) (splitter, error) {
	budget := maxSteps
	all, err := preTokenisers(data, &budget)
	if err != nil {
		return nil, err
	}
	return func(text string) []string {
		pieces := []string{text}
		limit := grown(len(text))
		for _, f := range all {
			pieces = apart(pieces, f, limit)
		}
		return pieces
	}, nil
}

// apart takes pieces apart; what is more than limit bytes in all is dropped.
func apart(pieces []string, f splitter, limit int) []string {
	var out []string
	size := 0
	for _, p := range pieces {
		for _, piece := range f(p) {
			if size += len(piece); size > limit {
				return out
			}
			out = append(out, piece)
		}
	}
	return out
}

// preTokenisers are the steps of a pre-tokeniser in order, those of sequences
// too.
func preTokenisers(data json.RawMessage, budget *int) ([]splitter, error) {
	s, err := readStep(data, budget)
	if err != nil || s == nil {
		return nil, err
	}
	if s.Type != "Sequence" {
		f, err := s.splitter()
		return []splitter{f}, err
	}
	var all []splitter
	for _, part := range s.PreTokenizers {
		more, err := preTokenisers(part, budget)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// wordChars are the characters of words as Unicode's advice for \w has them.
const wordChars = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}`

// gptPattern is how GPT-2 finds words; ByteLevel uses it by itself.
const gptPattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func (s *step) splitter() (splitter, error) {
	switch s.Type {
	case "ByteLevel":
		return s.byteLevel()
	case "Split":
		return s.patternSplit()
	case "Whitespace":
		return find(`[` + wordChars + `]+|[^` + wordChars + `\s]+`)
	case "WhitespaceSplit":
		return strings.Fields, nil
	case "BertPreTokenizer":
		return func(text string) []string { return isolate(strings.Fields(text), punctuation) }, nil
	case "Punctuation":
		return behave(s.Behavior, false, singles(punctuation))
	case "Digits":
		if s.Individual {
			return behave("Isolated", false, singles(unicode.IsNumber))
		}
		return behave("Contiguous", false, singles(unicode.IsNumber))
	case "Metaspace":
		return s.metaspace()
	case "CharDelimiterSplit":
		delimiter := s.Delimiter
		return func(text string) []string { return strings.Split(text, delimiter) }, nil
	}
	return nil, fmt.Errorf("the kind %q is not known", s.Type)
}

// byteLevel cuts like GPT-2 where it is asked to, and writes bytes as
// characters.
func (s *step) byteLevel() (splitter, error) {
	words := splitter(func(text string) []string { return []string{text} })
	if orTrue(s.UseRegex) {
		var err error
		if words, err = find(gptPattern); err != nil {
			return nil, err
		}
	}
	prefix := orTrue(s.PrefixSpace)
	return func(text string) []string {
		if prefix && text != "" && !strings.HasPrefix(text, " ") {
			text = " " + text
		}
		pieces := words(text)
		for i, p := range pieces {
			pieces[i] = byteChars(p)
		}
		return pieces
	}, nil
}

// metaspace writes blanks as a visible character.
func (s *step) metaspace() (splitter, error) {
	mark := s.Replacement
	if mark == "" {
		mark = "▁"
	}
	prepend := s.Scheme != "never" && (s.Scheme != "" || orTrue(s.PrefixSpace))
	split := orTrue(s.Split)
	return func(text string) []string {
		text = strings.ReplaceAll(text, " ", mark)
		if prepend && text != "" && !strings.HasPrefix(text, mark) {
			text = mark + text
		}
		if !split {
			return []string{text}
		}
		var out []string
		for text != "" {
			next := strings.Index(text[min(len(mark), len(text)):], mark)
			if !strings.HasPrefix(text, mark) {
				next = strings.Index(text, mark)
			} else if next >= 0 {
				next += len(mark)
			}
			if next < 0 {
				return append(out, text)
			}
			out, text = append(out, text[:next]), text[next:]
		}
		return out
	}, nil
}

// span is a piece of a text; matched says that the pattern found it.
type span struct {
	text    string
	matched bool
}

// finder takes a text apart into spans that cover all of it.
type finder func(text string) []span

func (s *step) patternSplit() (splitter, error) {
	switch {
	case s.Pattern != nil && s.Pattern.String != nil && *s.Pattern.String != "":
		return behave(s.Behavior, s.Invert, literal(*s.Pattern.String))
	case s.Pattern != nil && s.Pattern.Regex != nil:
		f, err := expression(*s.Pattern.Regex)
		if err != nil {
			return nil, err
		}
		return behave(s.Behavior, s.Invert, f)
	}
	return nil, fmt.Errorf("%s needs a pattern", s.Type)
}

// behave makes a splitter of a finder: what happens to what was found.
func behave(behavior string, invert bool, f finder) (splitter, error) {
	switch behavior {
	case "", "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous":
	default:
		return nil, fmt.Errorf("the behavior %q is not known", behavior)
	}
	return func(text string) []string {
		spans := f(text)
		var out []string
		last := false // the piece before was found
		for i, s := range spans {
			if s.text == "" {
				continue
			}
			found := s.matched != invert
			switch {
			case behavior == "Removed" && found:
			case behavior == "MergedWithPrevious" && found && !last && len(out) > 0,
				behavior == "Contiguous" && i > 0 && found == last && len(out) > 0,
				behavior == "MergedWithNext" && !found && last && len(out) > 0:
				out[len(out)-1] += s.text
			default:
				out = append(out, s.text)
			}
			last = found
		}
		return out
	}, nil
}

func literal(word string) finder {
	return func(text string) []span {
		var out []span
		for i, part := range strings.Split(text, word) {
			if i > 0 {
				out = append(out, span{word, true})
			}
			out = append(out, span{part, false})
		}
		return out
	}
}

// singles finds characters one by one.
func singles(is func(rune) bool) finder {
	return func(text string) []span {
		var out []span
		from := 0
		for i, r := range text {
			if is(r) {
				n := utf8.RuneLen(r)
				if n < 0 {
					n = 1
				}
				out = append(out, span{text[from:i], false}, span{text[i : i+n], true})
				from = i + n
			}
		}
		return append(out, span{text[from:], false})
	}
}

func isolate(words []string, is func(rune) bool) []string {
	var out []string
	for _, w := range words {
		for _, s := range singles(is)(w) {
			if s.text != "" {
				out = append(out, s.text)
			}
		}
	}
	return out
}

// punctuation is what BERT takes for it: signs of ASCII beside Unicode's.
func punctuation(r rune) bool {
	return r >= 33 && r <= 47 || r >= 58 && r <= 64 || r >= 91 && r <= 96 || r >= 123 && r <= 126 || unicode.IsPunct(r)
}

// find keeps what a pattern finds and drops the rest.
func find(expr string) (splitter, error) {
	f, err := expression(expr)
	if err != nil {
		return nil, err
	}
	return behave("Removed", true, f)
}
