package redact

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/redact/rule"
)

// Stream scrubs a text that arrives in pieces. What it returns, put together,
// is what String makes of the whole. It holds text back only from a place on
// where a secret may have begun: a known prefix, the beginning of a held
// value, the separator after a secret's name, the BEGIN line of a private key
// up to its END line, and lines of base64, which an END line may follow (of
// ordinary text the first word of a line, until it ends). What it holds is
// bounded by twice rule.MaxSpan (32 KiB): a rule that saw so much decides
// without the rest.
//
// A Stream belongs to one goroutine.
type Stream struct {
	s     *Scrubber
	buf   string // what was shown and may be looked back at, then what is held
	pos   int    // where the held part begins
	floor int    // as in scan
	tail  bool   // dropping the rest of a secret longer than rule.MaxSpan
}

// Stream returns a new stream that removes what s removes.
func (s *Scrubber) Stream() *Stream { return &Stream{s: s} }

// Feed takes the next piece and returns the text that may be shown now.
func (st *Stream) Feed(delta string) string {
	if delta == "" {
		return ""
	}
	st.forget()
	st.buf += delta
	return st.drain(false)
}

// Flush ends the text and returns what was held back. The stream is as new
// afterwards.
func (st *Stream) Flush() string {
	out := st.drain(true)
	*st = Stream{s: st.s}
	return out
}

// forget drops what no rule can look back at any more.
func (st *Stream) forget() {
	if cut := st.pos - rule.Lookback - 2; cut > 0 {
		st.buf = st.buf[cut:]
		st.pos -= cut
		st.floor = max(0, st.floor-cut)
	}
}

// drain scans what is held and returns what is decided.
func (st *Stream) drain(final bool) string {
	var b strings.Builder
	start := st.pos
	if st.tail {
		st.dropTail()
		start = st.pos
	}
	sc := rule.Scan{Set: st.s.rules, Src: st.buf, Floor: st.floor, Shown: st.pos, Final: final}
	for st.pos < len(st.buf) {
		m, v := sc.Next(st.pos)
		if v != rule.Found {
			st.pos = len(st.buf)
			if v == rule.More {
				st.pos = m.Start
			}
			break
		}
		b.WriteString(st.buf[start:m.Start])
		b.WriteString(m.Kind.Mark())
		st.pos, sc.Floor = m.End, m.End
		if m.Cut {
			st.dropTail()
			sc.Floor = st.pos
		}
		start = st.pos
	}
	st.floor = sc.Floor
	if !final {
		st.pos = sc.Held(st.pos)
	}
	if b.Len() == 0 {
		return st.buf[start:st.pos]
	}
	b.WriteString(st.buf[start:st.pos])
	return b.String()
}

// dropTail removes the rest of a secret that was longer than rule.MaxSpan, up to a
// blank or quote.
func (st *Stream) dropTail() {
	st.pos = rule.TailEnd(st.buf, st.pos)
	st.tail = st.pos == len(st.buf)
	st.floor = st.pos
}
