package sse_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/sse"
)

const limit = 32 << 20

// pieces reads at most n bytes at once.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(p.n, len(b))]) }

func collect(r io.Reader, max int) (events []sse.Event, err error) {
	for ev, e := range sse.Read(r, max) {
		if e != nil {
			return events, e
		}
		events = append(events, ev)
	}
	return events, nil
}

func TestRead(t *testing.T) {
	ev := func(name, data string) sse.Event { return sse.Event{Name: name, Data: []byte(data)} }
	tests := []struct {
		name, in string
		want     []sse.Event
		err      error
	}{
		{"plain", "event: a\ndata: 1\n\ndata: 2\n\n", []sse.Event{ev("a", "1"), ev("", "2")}, nil},
		{"crlf", "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", []sse.Event{ev("a", "1"), ev("", "2")}, nil},
		{"cr", "event: a\rdata: 1\r\rdata: 2\r\r", []sse.Event{ev("a", "1"), ev("", "2")}, nil},
		{"mixed ends", "data: 1\r\n\ndata: 2\n\r\ndata: 3\r\n\r", []sse.Event{ev("", "1"), ev("", "2"), ev("", "3")}, nil},
		{"comments", ": PROCESSING\n\n:\n: x\ndata: 1\n: y\n\n: z\n\n", []sse.Event{ev("", "1")}, nil},
		{"many data lines", "data: a\ndata:  b\ndata\ndata:c\n\n", []sse.Event{ev("", "a\n b\n\nc")}, nil},
		{"byte order mark", "\xef\xbb\xbfdata: 1\n\n", []sse.Event{ev("", "1")}, nil},
		{"only a mark", "\xef\xbb\xbf", nil, nil},
		{"trailing spaces stay", "data: {}   \n\n", []sse.Event{ev("", "{}   ")}, nil},
		{"other fields", "id: 7\nretry: 5\nfoo: bar\ndata: 1\n\n", []sse.Event{ev("", "1")}, nil},
		{"name without data", "event: ping\n\ndata: 1\n\n", []sse.Event{ev("", "1")}, nil},
		{"colon in data", "data: a: b\n\n", []sse.Event{ev("", "a: b")}, nil},
		{"empty data", "data:\n\n", []sse.Event{ev("", "")}, nil},
		{"no blank line", "event: stop\ndata: {\"a\":1} ", []sse.Event{ev("stop", `{"a":1} `)}, nil},
		{"one line end", "data: [DONE]\n", []sse.Event{ev("", "[DONE]")}, nil},
		{"done without line end", "data: [DONE]", []sse.Event{ev("", "[DONE]")}, nil},
		{"cut data", "data: 1\n\ndata: {\"a\":", []sse.Event{ev("", "1")}, io.ErrUnexpectedEOF},
		{"cut after line end", "data: {\"a\":\n", nil, io.ErrUnexpectedEOF},
		{"empty", "", nil, nil},
	}
	for _, tt := range tests {
		for _, n := range []int{1, 2, 7, 1 << 20} {
			got, err := collect(pieces{strings.NewReader(tt.in), n}, limit)
			if d := cmp.Diff(tt.want, got, cmp.Comparer(bytes.Equal)); d != "" {
				t.Errorf("%s in %d-byte pieces: %s", tt.name, n, d)
			}
			if !errors.Is(err, tt.err) {
				t.Errorf("%s in %d-byte pieces: error %v, want %v", tt.name, n, err, tt.err)
			}
		}
	}
}

// Acceptance check 36 of the model layer: a huge line, CRLF, comments, no
// final blank line, characters split over reads.
func TestCheck36_HugeLine(t *testing.T) {
	text := strings.Repeat("añ漢🙂 ", 5<<20/11)
	in := ": hello\r\n\r\ndata: \"" + text + "\"\r\n: bye\r\n"
	for _, n := range []int{7, 4093} {
		got, err := collect(pieces{strings.NewReader(in), n}, limit)
		if err != nil || len(got) != 1 || string(got[0].Data) != `"`+text+`"` {
			t.Fatalf("in %d-byte pieces: %d events, error %v", n, len(got), err)
		}
	}
}

func TestLimit(t *testing.T) {
	for name, in := range map[string]string{
		"ended line":   "data: " + strings.Repeat("x", 100) + "\n\n",
		"endless line": strings.Repeat("x", 100),
		"comment":      ":" + strings.Repeat("x", 100) + "\n\n",
		"data lines":   strings.Repeat("data: 0123456789\n", 10) + "\n",
	} {
		for _, n := range []int{1, 1 << 20} {
			_, err := collect(pieces{strings.NewReader(in), n}, 64)
			if !errors.Is(err, sse.ErrTooLong) {
				t.Errorf("%s in %d-byte pieces: error %v", name, n, err)
			}
		}
	}
	got, err := collect(strings.NewReader("data: 12345678\n\n"), len("data: 12345678"))
	if err != nil || len(got) != 1 {
		t.Errorf("line of exactly the limit: %v, %v", got, err)
	}
}

func TestReadErrorComesLast(t *testing.T) {
	broken := errors.New("reset")
	r := io.MultiReader(strings.NewReader("data: 1\n\ndata: {}\n"), iotest.ErrReader(broken))
	got, err := collect(r, limit)
	if len(got) != 2 || !errors.Is(err, broken) {
		t.Fatalf("got %d events and %v, want the complete last event and then the error", len(got), err)
	}
}

// An event is delivered when it is complete, although the next byte has not
// arrived: a \r may be followed by \n, but nobody waits for it.
func TestDeliveredAtOnce(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\n\r\n", "\r\r"} {
		pr, pw := io.Pipe()
		got := make(chan string)
		go func() {
			for ev, err := range sse.Read(pr, limit) {
				if err != nil {
					break
				}
				got <- string(ev.Data)
			}
			close(got)
		}()
		for _, want := range []string{"1", "2"} {
			if _, err := pw.Write([]byte("data: " + want + end)); err != nil {
				t.Fatal(err)
			}
			if g := <-got; g != want {
				t.Fatalf("line end %q: got %q, want %q", end, g, want)
			}
		}
		_ = pw.Close()
		for range got {
		}
	}
}

func TestStopEarly(t *testing.T) {
	for range sse.Read(strings.NewReader("data: 1\n\ndata: 2\n\ndata: 3"), limit) {
		break
	}
}

// FuzzCuts checks that the places where a stream is cut into reads do not
// change what is read.
func FuzzCuts(f *testing.F) {
	f.Add([]byte("event: a\r\ndata: {\"x\":\"漢\"}\r\n\r\n: c\rdata: [DONE]"), uint8(1), uint8(3))
	f.Add([]byte("\xef\xbb\xbfdata: 1\r\r\n\ndata: 2\n"), uint8(2), uint8(5))
	f.Add([]byte("data\n\n\n:\n\rdata:x"), uint8(7), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, a, b uint8) {
		want, wantErr := collect(bytes.NewReader(in), 64)
		r := io.MultiReader(
			pieces{bytes.NewReader(in[:len(in)/2]), int(a) + 1},
			pieces{bytes.NewReader(in[len(in)/2:]), int(b) + 1},
		)
		got, gotErr := collect(r, 64)
		if d := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); d != "" {
			t.Fatal(d)
		}
		if (wantErr == nil) != (gotErr == nil) || (wantErr != nil && wantErr.Error() != gotErr.Error()) {
			t.Fatalf("error %v whole, %v in pieces", wantErr, gotErr)
		}
	})
}

// Over the limit ReadCut keeps the beginning and marks the event; what follows
// is whole again.
func TestReadCut(t *testing.T) {
	const in = "data: 12345678901234567890\n\n: a comment longer than any line may be\ndata: a\n\ndata: 123456789\ndata: 123456789\n\ndata: b\n\n"
	for n := 1; n < 8; n++ {
		var got []sse.Event
		for ev, err := range sse.ReadCut(pieces{strings.NewReader(in), n}, 16) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, ev)
		}
		want := []sse.Event{
			{Data: []byte("1234567890"), Cut: true},
			{Data: []byte("a")},
			{Data: []byte("123456789\n123456"), Cut: true},
			{Data: []byte("b")},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in pieces of %d (-want +got):\n%s", n, diff)
		}
	}
}
