package transcript

import (
	"bytes"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Line is a value as one line of JSON for any reader. Some of them take more
// characters than \n for the end of a line: those are escaped. Bytes that are no
// text, which values that are JSON already may hold, are replaced.
func Line(v any) ([]byte, error) {
	raw, err := event.Encode(v)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte(string(utf8.RuneError)))
	}
	for _, end := range [...]struct{ char, escape string }{{"\u0085", `\u0085`}, {"\u2028", `\u2028`}, {"\u2029", `\u2029`}} {
		if bytes.Contains(raw, []byte(end.char)) { // outside of strings there is none
			raw = bytes.ReplaceAll(raw, []byte(end.char), []byte(end.escape))
		}
	}
	return append(raw, '\n'), nil
}
