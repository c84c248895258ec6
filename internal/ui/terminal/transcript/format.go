package transcript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// spoken is a duration as people say it: "0.4 s", "12 s", "2m 5s", "1h 4m".
func spoken(d time.Duration) string {
	switch d = max(0, d); {
	case d < 9950*time.Millisecond:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return clock(d)
}

// clock is a duration without blanks below a minute: "45s", "2m 5s", "1h 4m".
func clock(d time.Duration) string {
	s := int(max(0, d).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh %dm", s/3600, s/60%60)
}

// running is the time of what still runs: whole seconds, so that it does not
// flicker.
func running(d time.Duration) string { return spoken(max(0, d).Truncate(time.Second)) }

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return amount.Grouped(n) + " " + noun
}

// short is a count of tokens: 12.3k.
func short(n int64) string { return amount.Short(float64(n), 3) }

// cost is an amount of money of which parts may be unknown.
type cost struct {
	micro   int64
	unknown bool
	any     bool
}

func (c *cost) add(usd *float64) {
	c.any = true
	if usd == nil || math.IsNaN(*usd) || math.IsInf(*usd, 0) {
		c.unknown = true
		return
	}
	c.micro += int64(math.Round(*usd * 1e6))
}

// String is $0.42, with +? where something is unknown; empty where nothing was
// spent.
func (c cost) String() string {
	switch {
	case !c.any:
		return ""
	case c.unknown && c.micro == 0:
		return "cost unknown"
	case c.unknown:
		return amount.Dollars(c.micro) + "+?"
	}
	return amount.Dollars(c.micro)
}

// limit cuts a text to so many characters, between its words.
func limit(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	return excerpt.Head(s, n)
}

// argsLimit is the most characters that are kept of a call's arguments.
const argsLimit = 4000

func limitArgs(args json.RawMessage) json.RawMessage {
	if len(args) <= argsLimit {
		return bytes.Clone(args)
	}
	return json.RawMessage(limit(string(args), argsLimit))
}

// dotted joins the parts of a summary.
func (t *Transcript) dotted(parts []string) string { return strings.Join(parts, t.dot()) }

func (t *Transcript) glyph(g theme.Glyph) string { return t.theme.Glyph(g) }

// dot stands between the parts of a summary.
func (t *Transcript) dot() string { return " " + t.glyph(theme.Separator) + " " }

func (t *Transcript) minus() string {
	if t.theme.ASCII() {
		return "-"
	}
	return "\u2212"
}
