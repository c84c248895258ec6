package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// errStop ends a scan early.
var errStop = errors.New("stop")

// trust says whether the data of lines is known to be JSON: what this process
// has written, or has checked when it took the session, needs no second look.
type trust bool

// readLines returns at most limit events above after from the journal at path,
// starting to look at from. A missing file has none.
func readLines(path string, from mark, after int64, limit int, known trust) ([]event.Event, error) {
	var events []event.Event
	if limit > 0 {
		events = make([]event.Event, 0, min(limit, 1024))
	}
	_, err := scan(path, from, known, func(ev event.Event, _ mark) error {
		if ev.Seq > after {
			events = append(events, ev)
		}
		if limit > 0 && len(events) >= limit {
			return errStop
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return events, err
}

// scan calls each with every event of the journal at path, beginning at from,
// and returns the offset behind the last good line. A last line that is torn
// is passed over; a bad line before it is a *LineError. Errors of each become
// the line's, but for errStop, which ends the scan.
func scan(path string, from mark, known trust, each func(event.Event, mark) error) (good int64, err error) {
	in, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read journal: %w", err)
	}
	defer in.Close()
	if _, err := in.Seek(from.offset, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read journal %s: %w", path, err)
	}
	at := mark{seq: max(from.seq, 1), offset: from.offset, line: max(from.line, 1)}
	r := bufio.NewReaderSize(in, 128<<10)
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return at.offset, nil // nothing more, or a line without its end
		}
		if err != nil {
			return at.offset, fmt.Errorf("read journal %s: %w", path, err)
		}
		bad := eachLine(line, at, known, each)
		if errors.Is(bad, errStop) {
			return at.offset, nil
		}
		if bad != nil {
			if _, err := r.Peek(1); errors.Is(err, io.EOF) && !json.Valid(line) {
				return at.offset, nil // the last line, torn by a crash of the machine
			}
			return at.offset, &LineError{Path: path, Line: at.line, Err: bad}
		}
		at.seq++
		at.line++
		at.offset += int64(len(line)) + 1
	}
}

func eachLine(line []byte, at mark, known trust, each func(event.Event, mark) error) error {
	ev, err := parseLine(line, known)
	if err != nil {
		return err
	}
	if ev.Seq != at.seq {
		return fmt.Errorf("its number is %d, not %d", ev.Seq, at.seq)
	}
	return each(ev, at)
}

// readLine returns the next complete line without its end, in memory of its
// own; io.EOF when there is none.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	return line[:len(line)-1], nil
}

// newest returns the time of the last event of the session in dir; that of the
// folder when it has none.
func newest(dir string) time.Time {
	ev, err := lastEvent(filepath.Join(dir, journalName))
	if err == nil {
		return ev.Time
	}
	info, err := os.Stat(dir)
	if err != nil {
		return time.Now() // unknown: young, so that nobody removes it
	}
	return info.ModTime()
}

// lastEvent reads the last complete line of a journal from its end.
func lastEvent(path string) (event.Event, error) {
	in, err := os.Open(path)
	if err != nil {
		return event.Event{}, err
	}
	defer in.Close()
	end, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return event.Event{}, err
	}
	for size := int64(16 << 10); ; size *= 4 {
		start := max(0, end-size)
		tail := make([]byte, end-start)
		if _, err := in.ReadAt(tail, start); err != nil && !errors.Is(err, io.EOF) {
			return event.Event{}, err
		}
		stop := bytes.LastIndexByte(tail, '\n')
		if begin := bytes.LastIndexByte(tail[:max(stop, 0)], '\n'); stop > 0 && (begin >= 0 || start == 0) {
			return parseLine(tail[begin+1:stop], false)
		}
		if start == 0 {
			return event.Event{}, errors.New("the journal has no event")
		}
	}
}

// parseLine reads one line of the journal. Its envelope is written by us in
// one fixed order; reading that by hand is several times faster than a general
// decoder, which stays for everything else.
func parseLine(line []byte, known trust) (event.Event, error) {
	if ev, ok := parseOwn(line, known); ok {
		return ev, nil
	}
	if !json.Valid(line) {
		return event.Event{}, errors.New("it is not JSON")
	}
	var ev event.Event
	err := ev.UnmarshalJSON(line)
	return ev, err
}

// ownTime is how events note their time.
const ownTime = "2006-01-02T15:04:05.000Z"

// plain reports whether text stands for itself inside JSON quotes.
func plain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// parseOwn reads the exact form that Event.AppendJSON writes; ok is false for
// any other.
func parseOwn(line []byte, known trust) (ev event.Event, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"seq":`))
	if !ok {
		return ev, false
	}
	var seq, at, session, turn, kind []byte
	if seq, rest, ok = bytes.Cut(rest, []byte(`,"timestamp":"`)); !ok {
		return ev, false
	}
	if at, rest, ok = bytes.Cut(rest, []byte(`","session_id":"`)); !ok {
		return ev, false
	}
	if session, rest, ok = bytes.Cut(rest, []byte(`",`)); !ok {
		return ev, false
	}
	if next, has := bytes.CutPrefix(rest, []byte(`"turn_id":"`)); has {
		if turn, rest, ok = bytes.Cut(next, []byte(`",`)); !ok {
			return ev, false
		}
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`"event_type":"`)); !ok {
		return ev, false
	}
	if kind, rest, ok = bytes.Cut(rest, []byte(`","data":`)); !ok {
		return ev, false
	}
	data, ok := bytes.CutSuffix(rest, []byte("}"))
	if !ok || len(data) == 0 || data[0] != '{' || !bool(known) && !json.Valid(data) ||
		!plain(session) || !plain(turn) || !plain(kind) || len(kind) == 0 {
		return ev, false
	}
	n, err := strconv.ParseInt(string(seq), 10, 64)
	if err != nil || seq[0] < '1' || seq[0] > '9' {
		return ev, false
	}
	t, err := time.Parse(ownTime, string(at))
	if err != nil || t.Format(ownTime) != string(at) { // Parse is more lenient than the form
		return ev, false
	}
	return event.Event{
		Seq: n, Time: t.UTC(), SessionID: string(session), TurnID: string(turn),
		Type: event.Type(kind), Data: data,
	}, true
}
