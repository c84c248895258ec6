// Package sse reads server-sent events from a byte stream, one at a time and
// as soon as each is complete. It knows the framing only: not HTTP, not
// reconnection, not what the data means.
//
// The go-sse library was weighed and not used for reading: it drops a last
// line that has no line end, which some model servers send as their final
// event; it limits an event rather than a line; and it scans a growing event
// anew for every read, which is quadratic on a data line of several megabytes.
package sse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// ErrTooLong is returned for a line, or the joined data of one event, over the
// limit.
var ErrTooLong = errors.New("event stream line is over the limit")

// readSize is how much is asked of the reader at once, in bytes.
const readSize = 32 << 10

// Event is one event. Name is empty when the stream gave none. Data is the
// event's own copy; several data lines are joined by a newline.
type Event struct {
	Name string
	Data []byte
	// Cut says that [ReadCut] dropped the end of the data.
	Cut bool
}

// Read yields the events of r. Lines end in \n, \r\n or \r; comments and
// events without data are skipped; a byte order mark at the start is dropped.
// An event is yielded when its blank line is read, without waiting for more.
//
// At the end of the stream an event that lacks its blank line is yielded if
// its data is complete JSON or "[DONE]"; otherwise the sequence ends with
// [io.ErrUnexpectedEOF]. A line of more than maxLine bytes ends it with
// [ErrTooLong], any other read error with that error. An error is always the
// last pair.
func Read(r io.Reader, maxLine int) iter.Seq2[Event, error] {
	return read(r, maxLine, false)
}

// ReadCut is [Read], but of a line, or of the joined data of one event, over
// the limit it keeps the beginning and marks the event as cut.
func ReadCut(r io.Reader, maxLine int) iter.Seq2[Event, error] {
	return read(r, maxLine, true)
}

func read(r io.Reader, maxLine int, cut bool) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		p := &parser{max: maxLine, yield: yield, cut: cut}
		buf := make([]byte, readSize)
		for {
			n, err := r.Read(buf)
			if !p.feed(buf[:n]) {
				return
			}
			if err != nil {
				p.finish(err)
				return
			}
		}
	}
}

// parser holds what has been read of the current line and event.
type parser struct {
	max   int
	yield func(Event, error) bool
	cut   bool // what is over the limit is dropped, not refused

	line   []byte // the start of a line whose end has not arrived
	begun  bool   // the first line has been seen
	skipLF bool   // the last byte was \r: a \n now belongs to it

	name    string
	data    []byte
	hasData bool
	long    bool // the line has lost its end
	short   bool // the event's data has lost its end
}

// feed takes the next bytes of the stream and reports whether to go on.
func (p *parser) feed(chunk []byte) bool {
	for len(chunk) > 0 {
		if p.skipLF {
			p.skipLF = false
			if chunk[0] == '\n' {
				chunk = chunk[1:]
				continue
			}
		}
		end := lineEnd(chunk)
		if end < 0 {
			return p.keep(chunk)
		}
		p.skipLF = chunk[end] == '\r'
		if !p.endLine(chunk[:end]) {
			return false
		}
		chunk = chunk[end+1:]
	}
	return true
}

func lineEnd(chunk []byte) int {
	end := bytes.IndexByte(chunk, '\n')
	head := chunk
	if end >= 0 {
		head = chunk[:end]
	}
	if cr := bytes.IndexByte(head, '\r'); cr >= 0 {
		return cr
	}
	return end
}

// keep stores the start of an unfinished line.
func (p *parser) keep(part []byte) bool {
	if room := p.max - len(p.line); len(part) > room {
		if !p.cut {
			return p.tooLong()
		}
		part, p.long = part[:room], true
	}
	p.line = append(p.line, part...)
	return true
}

// endLine handles a finished line, of which tail is the newest part.
func (p *parser) endLine(tail []byte) bool {
	line := tail
	if len(p.line) > 0 {
		if !p.keep(tail) {
			return false
		}
		line = p.line
	}
	if len(line) > p.max {
		if !p.cut {
			return p.tooLong()
		}
		line, p.long = line[:p.max], true
	}
	ok := p.field(line)
	p.line, p.long = p.line[:0], false
	return ok
}

// field applies one line without its end.
func (p *parser) field(line []byte) bool {
	if !p.begun {
		p.begun = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if len(line) == 0 {
		return p.dispatch()
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "event":
		p.name = string(value)
	case "data":
		return p.addData(value)
	}
	return true // comments, id, retry and unknown fields mean nothing here
}

func (p *parser) addData(value []byte) bool {
	if p.hasData {
		p.data = append(p.data, '\n')
	}
	if room := p.max - len(p.data); len(value) > room {
		if !p.cut {
			return p.tooLong()
		}
		value, p.short = value[:max(room, 0)], true
	}
	p.short = p.short || p.long
	p.data = append(p.data, value...)
	p.hasData = true
	return true
}

// dispatch yields the pending event, if it has data, and starts a new one.
func (p *parser) dispatch() bool {
	ev, ok := Event{Name: p.name, Data: p.data, Cut: p.short}, p.hasData
	p.name, p.data, p.hasData, p.short = "", nil, false, false
	if !ok {
		return true
	}
	return p.yield(ev, nil)
}

func (p *parser) tooLong() bool {
	p.yield(Event{}, fmt.Errorf("%w of %d bytes", ErrTooLong, p.max))
	return false
}

// finish handles what is left when the reader has ended with err.
func (p *parser) finish(err error) {
	if len(p.line) > 0 && !p.endLine(nil) {
		return
	}
	if p.hasData {
		if complete(p.data) {
			if !p.dispatch() {
				return
			}
		} else if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	}
	if !errors.Is(err, io.EOF) {
		p.yield(Event{}, err)
	}
}

// complete reports whether data can be trusted to have arrived whole.
func complete(data []byte) bool {
	return string(bytes.TrimSpace(data)) == "[DONE]" || json.Valid(data)
}
