package files

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
)

const (
	// defaultLines is how many lines a call without limit shows.
	defaultLines = 2000
	// lineChars is where a long line is cut.
	lineChars = 4000
	// wholeBytes is the largest file that is read without offset or limit; of
	// larger ones only the part up to the last line shown is read.
	wholeBytes = 50 << 20
	// sniffBytes is how much is looked at to tell text from binary.
	sniffBytes = 8 << 10
	// footerChars is kept free for the lines behind the text.
	footerChars = 300
)

// ReadParams are the arguments of read.
type ReadParams struct {
	Path   string `json:"path"`
	Offset int    `json:"offset,omitempty"`
	Limit  int    `json:"limit,omitempty"`
}

// reader is the tool read.
type reader struct{ *Files }

func (t reader) Spec() tool.Spec { return t.specs["read"] }

func (t reader) Risk(args json.RawMessage) tool.Risk {
	var p ReadParams
	_ = json.Unmarshal(args, &p) // arguments that are wrong read no file
	r := tool.Risk{Effect: event.Read}
	if t.opts.Resolve == nil { // no file of this machine
		return r
	}
	if real := t.opts.Resolve(p.Path); real != "" {
		r.Reads = []string{real}
	}
	return r
}

func (t reader) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p ReadParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed("read: " + err.Error()), nil
	}
	for name, n := range map[string]int{"offset": p.Offset, "limit": p.Limit} {
		if n < 0 {
			return tool.Failed(fmt.Sprintf("read: %s must be 1 or more, not %d", name, n)), nil
		}
	}
	text, err := t.show(ctx, env.SessionID(), p)
	if errors.Is(err, fs.ErrNotExist) {
		err = refuse("file not found: %s", shown(p.Path))
	}
	if err != nil {
		return failed("read", err)
	}
	return tool.Success(text), nil
}

// show renders the file and remembers what the session has seen.
func (t reader) show(ctx context.Context, session string, p ReadParams) (string, error) {
	place, err := t.place(ctx)
	if err != nil {
		return "", err
	}
	f, info, err := place.Read(ctx, p.Path, workspace.ReadOptions{})
	if err != nil {
		return "", worded(p.Path, err)
	}
	defer f.Close()
	huge := info.Size > wholeBytes
	if huge && p.Offset == 0 && p.Limit == 0 {
		return "", refuse("%s has %s; give offset and limit to read a part of it", shown(p.Path), size(info.Size))
	}
	h := sha256.New()
	in := bufio.NewReaderSize(io.TeeReader(f, h), 64<<10)
	start, err := in.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if bytes.IndexByte(start, 0) >= 0 {
		return "", t.binary(session, shown(p.Path), info, start, in, h)
	}
	page := newPage(p.Offset, p.Limit)
	if strings.EqualFold(filepath.Ext(info.Path), ".ipynb") && !huge {
		err = page.notebook(in)
	} else {
		err = page.fill(in, huge)
	}
	if err != nil {
		return "", err
	}
	shot := snap(info, sumOf(h))
	if page.stopped { // only a part was summed
		shot.sum = ""
	}
	t.seen.put(session, info.Path, shot)
	return page.render(shown(p.Path))
}

// binary says what is known of a file that is no text. Having been told that
// counts as having read it.
func (t reader) binary(session, name string, info workspace.Info, start []byte, in io.Reader, h hash.Hash) error {
	guess := http.DetectContentType(start)
	shot := snap(info, "")
	if info.Size <= wholeBytes {
		if _, err := io.Copy(io.Discard, in); err != nil {
			return err
		}
		shot.sum = sumOf(h)
	}
	t.seen.put(session, info.Path, shot)
	return refuse("%s is a binary file: %s, probably %s", name, size(info.Size), guess)
}

// page collects the lines a call shows.
type page struct {
	first, last int // the wanted lines
	out         strings.Builder
	chars       int
	lines       int // seen so far
	next        int // the first line that did not fit, 0 for none
	stopped     bool
	broken      bool // bytes that are no UTF-8 were replaced
	empty       bool
}

func newPage(offset, limit int) *page {
	p := &page{first: max(offset, 1)}
	if limit == 0 {
		limit = defaultLines
	}
	if p.last = p.first + limit - 1; p.last < p.first { // overflow
		p.last = int(^uint(0) >> 1)
	}
	return p
}

// notebook fills the page from a rendered notebook, or from the text of one
// that cannot be rendered.
func (p *page) notebook(in *bufio.Reader) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if text, err := markup.Notebook(bytes.TrimPrefix(data, []byte(byteOrderMark))); err == nil {
		data = []byte("[shown as cells; edit and write see the JSON of the file]\n" + text)
	}
	return p.fill(bufio.NewReader(bytes.NewReader(data)), false)
}

// fill reads lines to the end of in; of a huge file only as far as needed.
func (p *page) fill(in *bufio.Reader, huge bool) error {
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = in.Discard(len(byteOrderMark)) // cannot fail, it was peeked
	}
	_, err := in.Peek(1)
	p.empty = errors.Is(err, io.EOF)
	for {
		wanted := p.lines+1 >= p.first && p.lines+1 <= p.last && p.next == 0
		text, err := readLine(in, wanted)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p.lines++
		if wanted {
			p.add(text)
		}
		if huge && (p.lines > p.last || p.next > 0) {
			p.stopped = true
			return nil
		}
	}
}

// readLine returns the next line without its end; of a long line what may be
// shown and a little more. Text is nil when the line is not wanted.
func readLine(in *bufio.Reader, wanted bool) ([]byte, error) {
	const keep = (lineChars + 1) * utf8.UTFMax
	var text []byte
	for begun := false; ; begun = true {
		piece, err := in.ReadSlice('\n')
		if len(piece) > 0 && wanted && len(text) < keep {
			text = append(text, piece[:min(len(piece), keep-len(text))]...)
		}
		switch {
		case err == nil:
			return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && (begun || len(piece) > 0):
			return text, nil
		default:
			return nil, err
		}
	}
}

// add puts line p.lines on the page if it fits.
func (p *page) add(text []byte) {
	line := visible(string(text))
	if !utf8.ValidString(line) {
		line, p.broken = strings.ToValidUTF8(line, "\uFFFD"), true
	}
	if short := excerpt.Head(line, lineChars); len(short) < len(line) {
		line = short + "..."
	}
	line = fmt.Sprintf("%6d\t%s\n", p.lines, line)
	n := utf8.RuneCountInString(line)
	if p.chars+n > readChars-footerChars {
		p.next = p.lines
		return
	}
	p.chars += n
	p.out.WriteString(line)
}

// render is the page with a line about what it does not show.
func (p *page) render(name string) (string, error) {
	if p.empty {
		return "(empty file)", nil
	}
	if p.first > p.lines {
		return "", refuse("offset %d is past the end: %s has %s", p.first, name, count(p.lines, "line"))
	}
	if p.next == 0 && p.lines > p.last {
		p.next = p.last + 1
	}
	if p.next > 0 {
		total := fmt.Sprintf(" of %d", p.lines)
		if p.stopped {
			total = ""
		}
		fmt.Fprintf(&p.out, "\n(lines %d-%d%s; continue at offset %d)\n", p.first, p.next-1, total, p.next)
	}
	if p.broken {
		p.out.WriteString("\n(bytes that are not UTF-8 are shown as \uFFFD)\n")
	}
	return strings.TrimSuffix(p.out.String(), "\n"), nil
}
