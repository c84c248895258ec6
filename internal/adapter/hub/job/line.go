package job

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// Line is one line of a job's log.
type Line struct {
	Text string
	Time time.Time
	// N is the number of this event in the log, from 1, the Hub's own first
	// line counted: following can go on behind it.
	N int
	// Cut says that the line was longer than a client reads.
	Cut bool
}

// cutMark ends a line that was too long.
const cutMark = " [line cut: longer than 1 MiB]"

// banner starts the line that the Hub puts before a log.
const banner = "===== Job started"

// parseLine reads the data of one event of a log. ok is false for what is no
// line: such data is not counted, so that a broken event on one connection
// does not shift the others.
func parseLine(data []byte, cut bool) (line Line, ok bool) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return Line{}, false
	}
	if cut {
		text, ok := beginning(data)
		return Line{Text: text + cutMark, Cut: true}, ok
	}
	var in struct {
		Data      *string `json:"data"`
		Timestamp string  `json:"timestamp"`
	}
	if err := json.Unmarshal(data, &in); err != nil || in.Data == nil {
		return Line{}, false
	}
	at, _ := time.Parse(time.RFC3339Nano, in.Timestamp) // a line without a time is a line
	return Line{Text: *in.Data, Time: at}, true
}

// beginning is what is there of the text of an event that was cut.
func beginning(data []byte) (string, bool) {
	_, rest, ok := bytes.Cut(data, []byte(`"data":`))
	rest = bytes.TrimLeft(rest, " ")
	if !ok || len(rest) == 0 || rest[0] != '"' {
		return "", false
	}
	// The cut may lie inside an escape or a character: give up its beginning.
	for range 13 { // the longest escape is a surrogate pair, twelve bytes
		var text string
		if json.Unmarshal(append(rest[:len(rest):len(rest)], '"'), &text) == nil && utf8.Valid(rest) {
			return text, true
		}
		if len(rest) == 1 {
			break
		}
		rest = rest[:len(rest)-1]
	}
	return "", false
}

func isBanner(text string) bool { return strings.HasPrefix(text, banner) }
