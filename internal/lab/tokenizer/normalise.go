package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// step is one normaliser or pre-tokeniser of the file.
type step struct {
	Type          string            `json:"type"`
	Normalizers   []json.RawMessage `json:"normalizers"`
	PreTokenizers []json.RawMessage `json:"pretokenizers"`

	Pattern     *pattern `json:"pattern"`
	Content     string   `json:"content"`
	Prepend     string   `json:"prepend"`
	StripLeft   bool     `json:"strip_left"`
	StripRight  bool     `json:"strip_right"`
	CleanText   *bool    `json:"clean_text"`
	Chinese     *bool    `json:"handle_chinese_chars"`
	Accents     *bool    `json:"strip_accents"`
	Lower       *bool    `json:"lowercase"`
	Behavior    string   `json:"behavior"`
	Invert      bool     `json:"invert"`
	PrefixSpace *bool    `json:"add_prefix_space"`
	UseRegex    *bool    `json:"use_regex"`
	Replacement string   `json:"replacement"`
	Scheme      string   `json:"prepend_scheme"`
	Split       *bool    `json:"split"`
	Individual  bool     `json:"individual_digits"`
	Delimiter   string   `json:"delimiter"`
}

// pattern is a text or a regular expression.
type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

func orTrue(b *bool) bool { return b == nil || *b }

func readStep(data json.RawMessage, budget *int) (*step, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	if *budget--; *budget < 0 {
		return nil, fmt.Errorf("more than %d steps", maxSteps)
	}
	var s step
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	if max(len(s.Content), len(s.Prepend), len(s.Replacement)) > maxMark {
		return nil, fmt.Errorf("%s writes more than %d bytes at once", s.Type, maxMark)
	}
	return &s, nil
}

// normaliser makes the function of a normaliser. approximate is set where it is
// only near to what the file says.
func normaliser(data json.RawMessage, approximate *string) (func(string) string, error) {
	budget := maxSteps
	all, err := normalisers(data, approximate, &budget)
	if err != nil {
		return nil, err
	}
	return func(text string) string {
		limit := grown(len(text))
		for _, f := range all {
			text = head(f(text), limit)
		}
		return text
	}, nil
}

// normalisers are the steps of a normaliser in order, those of sequences too.
func normalisers(data json.RawMessage, approximate *string, budget *int) ([]func(string) string, error) {
	s, err := readStep(data, budget)
	if err != nil || s == nil {
		return nil, err
	}
	if s.Type == "Sequence" {
		var all []func(string) string
		for _, part := range s.Normalizers {
			more, err := normalisers(part, approximate, budget)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
		return all, nil
	}
	if s.Type == "Precompiled" {
		*approximate = "its own table of characters is read as Unicode NFKC"
	}
	f, err := s.normaliser()
	return []func(string) string{f}, err
}

// head is the beginning of a text, whole characters of at most limit bytes.
func head(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

func (s *step) normaliser() (func(string) string, error) {
	switch s.Type {
	case "NFC":
		return norm.NFC.String, nil
	case "NFD":
		return norm.NFD.String, nil
	case "NFKC", "Precompiled":
		return norm.NFKC.String, nil
	case "NFKD":
		return norm.NFKD.String, nil
	case "Lowercase":
		return strings.ToLower, nil
	case "StripAccents":
		return withoutMarks, nil
	case "Nmt":
		return nmt, nil
	case "Strip":
		return s.strip, nil
	case "Prepend":
		return func(text string) string {
			if text == "" {
				return text
			}
			return s.Prepend + text
		}, nil
	case "Replace":
		return s.replace()
	case "BertNormalizer":
		return s.bert, nil
	case "ByteLevel":
		return byteChars, nil
	}
	return nil, fmt.Errorf("the kind %q is not known", s.Type)
}

func (s *step) strip(text string) string {
	if s.StripLeft {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	if s.StripRight {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	}
	return text
}

func (s *step) replace() (func(string) string, error) {
	switch {
	case s.Pattern == nil:
		return nil, fmt.Errorf("%s needs a pattern", s.Type)
	case s.Pattern.String != nil:
		old := *s.Pattern.String
		if old == "" {
			return nil, fmt.Errorf("%s has an empty pattern", s.Type)
		}
		return func(text string) string { return strings.ReplaceAll(text, old, s.Content) }, nil
	case s.Pattern.Regex != nil:
		f, err := expression(*s.Pattern.Regex)
		if err != nil {
			return nil, err
		}
		return func(text string) string {
			var out strings.Builder
			for _, part := range f(text) {
				if part.matched {
					part.text = s.Content
				}
				out.WriteString(part.text)
			}
			return out.String()
		}, nil
	}
	return nil, fmt.Errorf("%s needs a pattern", s.Type)
}

// bert cleans a text as BERT's own tokenizer does.
func (s *step) bert(text string) string {
	if orTrue(s.CleanText) {
		text = strings.Map(func(r rune) rune {
			switch {
			case r == 0 || r == unicode.ReplacementChar || control(r):
				return -1
			case unicode.IsSpace(r):
				return ' '
			}
			return r
		}, text)
	}
	if orTrue(s.Chinese) {
		var out strings.Builder
		for _, r := range text {
			if chinese(r) {
				out.WriteByte(' ')
				out.WriteRune(r)
				out.WriteByte(' ')
			} else {
				out.WriteRune(r)
			}
		}
		text = out.String()
	}
	lower := orTrue(s.Lower)
	if s.Accents == nil && lower || s.Accents != nil && *s.Accents {
		text = withoutMarks(norm.NFD.String(text))
	}
	if lower {
		text = strings.ToLower(text)
	}
	return text
}

// control is what is neither seen nor a blank.
func control(r rune) bool {
	return r != '\t' && r != '\n' && r != '\r' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
}

// chinese tells the characters of the CJK blocks, which are words of their own.
func chinese(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3400 && r <= 0x4dbf || r >= 0x20000 && r <= 0x2a6df ||
		r >= 0x2a700 && r <= 0x2ceaf || r >= 0xf900 && r <= 0xfaff || r >= 0x2f800 && r <= 0x2fa1f
}

func withoutMarks(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, text)
}

// nmt drops control characters and makes one kind of blank of all.
func nmt(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\f' || r == '\r' || unicode.IsSpace(r) || r == 0x200b || r == 0xfeff || r == 0xfffd:
			return ' '
		case r < 0x20 || r == 0x7f || r == 0x8f || r == 0x9f:
			return -1
		}
		return r
	}, text)
}
