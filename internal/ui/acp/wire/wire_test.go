package wire_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers calls with what they carry.
type echo struct {
	mu    sync.Mutex
	order []string
	block chan struct{} // calls of "wait" end with it, or with their context
	gone  chan error    // why a call of "wait" ended
}

func (e *echo) note(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.order = append(e.order, what)
}

func (e *echo) Call(method string, params json.RawMessage) wire.Work {
	e.note(method)
	switch method {
	case "refuse":
		return func(context.Context) (wire.Answer, error) {
			return wire.Answer{}, wire.Errorf(-32002, "no %s", "such thing")
		}
	case "fail":
		return func(context.Context) (wire.Answer, error) { return wire.Answer{}, errors.New("it broke") }
	case "panic":
		panic("inside")
	case "panic later":
		return func(context.Context) (wire.Answer, error) { panic("inside") }
	case "wait":
		return func(ctx context.Context) (wire.Answer, error) {
			select {
			case <-e.block:
				return wire.Answer{Result: "done"}, nil
			case <-ctx.Done():
				e.gone <- context.Cause(ctx)
				return wire.Answer{}, ctx.Err()
			}
		}
	}
	return func(context.Context) (wire.Answer, error) { return wire.Answer{Result: params}, nil }
}

func (e *echo) Notify(method string, _ json.RawMessage) { e.note("notify " + method) }

// pair is a connection and the other side of it.
type pair struct {
	t     *testing.T
	conn  *wire.Conn
	echo  *echo
	in    *io.PipeWriter
	out   *bufio.Reader
	ended chan error
}

func connect(t *testing.T) *pair {
	fromUs, toThem := io.Pipe()
	fromThem, toUs := io.Pipe()
	p := &pair{t: t, echo: &echo{block: make(chan struct{}), gone: make(chan error, 10)}, in: toUs, out: bufio.NewReaderSize(fromUs, 1<<20), ended: make(chan error, 1)}
	p.conn = wire.New(fromThem, toThem, func(string) {})
	go func() { p.ended <- p.conn.Serve(context.Background(), p.echo) }()
	t.Cleanup(func() {
		_ = toUs.Close()
		_ = fromUs.Close()
	})
	return p
}

func (p *pair) say(frame string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, frame+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) hear() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}

// Whatever is no frame is answered, and the next one is heard.
func TestHostileFrames(t *testing.T) {
	p := connect(t)
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for frame, want := range map[string]string{
		`nonsense`:                               `"id":null,"error":{"code":-32700`,
		`{"jsonrpc":"2.0","id":1`:                `"id":null,"error":{"code":-32700`,
		`[]`:                                     `"id":null,"error":{"code":-32600`,
		`[{"jsonrpc":"2.0","id":1}]`:             `"id":null,"error":{"code":-32600`,
		`"text"`:                                 `"id":null,"error":{"code":-32600`,
		`7`:                                      `"id":null,"error":{"code":-32600`,
		deep:                                     `"id":null,"error":{"code":-32700`,
		`{}`:                                     `"id":null,"error":{"code":-32600`,
		`{"id":1,"method":"m"}`:                  `"id":1,"error":{"code":-32600,"message":"jsonrpc must be`,
		`{"jsonrpc":"1.0","id":1}`:               `"id":1,"error":{"code":-32600`,
		`{"jsonrpc":2.0,"id":1}`:                 `"id":1,"error":{"code":-32600`,
		`{"jsonrpc":"2.0","id":{},"method":"m"}`: `"id":null,"error":{"code":-32600,"message":"an id is`,
		`{"jsonrpc":"2.0","id":[1],"method":"m"}`:                `"id":null,"error":{"code":-32600`,
		`{"jsonrpc":"2.0","id":true,"method":"m"}`:               `"id":null,"error":{"code":-32600`,
		`{"jsonrpc":"2.0","id":1,"method":7}`:                    `"id":1,"error":{"code":-32600,"message":"method must`,
		`{"jsonrpc":"2.0","id":1,"method":""}`:                   `"id":1,"error":{"code":-32600`,
		`{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}`:     `"id":1,"error":{"code":-32600,"message":"params must`,
		`{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}`:     `"id":1,"error":{"code":-32600`,
		`{"jsonrpc":"2.0","id":1,"result":1,"error":{}}`:         `"id":1,"error":{"code":-32600`,
		`{"jsonrpc":"2.0","id":1,"METHOD":"m"}`:                  `"id":1,"error":{"code":-32600,"message":"a frame has`,
		`{"jsonrpc":"2.0","ID":1,"method":"m"}` + "\n" + `x`:     `"id":null,"error":{"code":-32700`, // no id: a notification
		`{"jsonrpc":"2.0","id":5,"result":1}` + "\n" + `x`:       `"id":null,"error":{"code":-32700`, // an answer to no call
		"\r\n\n  \n" + `{"jsonrpc":"2.0","id":1,"method":"m"}`:   `"id":1,"result":null`,
		`{"jsonrpc":"2.0","id":1,"method":"refuse"}`:             `"id":1,"error":{"code":-32002,"message":"no such thing"}`,
		`{"jsonrpc":"2.0","id":1,"method":"fail"}`:               `"id":1,"error":{"code":-32603,"message":"it broke"}`,
		`{"jsonrpc":"2.0","id":1,"method":"panic"}`:              `"id":1,"error":{"code":-32603,"message":"the call failed inside"}`,
		`{"jsonrpc":"2.0","id":1,"method":"panic later"}`:        `"id":1,"error":{"code":-32603,"message":"the call failed inside"}`,
		`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}`: `"id":1,"result":{"a":1}`,
	} {
		p.say(frame)
		got := p.hear()
		if !strings.HasPrefix(got, `{"jsonrpc":"2.0",`+want) {
			t.Errorf("%.200q:\n got %.300s\nwant %s", frame, got, want)
		}
	}
}

// An id comes back byte for byte, whatever kind of id it is.
func TestIDs(t *testing.T) {
	p := connect(t)
	for _, id := range []string{`1`, `0`, `-7`, `1.5`, `1e3`, `123456789012345678901234567890`, `"a"`, `""`, `"1"`, `"\u00e9\n\"x"`, `null`} {
		p.say(`{"jsonrpc":"2.0","id":` + id + `,"method":"m"}`)
		if got, want := p.hear(), `{"jsonrpc":"2.0","id":`+id+`,"result":null}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A frame that is too long is refused and not kept; the next one is heard.
func TestLongFrame(t *testing.T) {
	p := connect(t)
	go func() {
		_, _ = io.WriteString(p.in, `{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"`)
		piece := strings.Repeat("x", 1<<20)
		for range wire.FrameLimit>>20 + 1 {
			_, _ = io.WriteString(p.in, piece)
		}
		_, _ = io.WriteString(p.in, "\"}}\n"+`{"jsonrpc":"2.0","id":2,"method":"m"}`+"\n")
	}()
	if got := p.hear(); !strings.Contains(got, `"id":null,"error":{"code":-32600,"message":"the frame is longer than 64 MiB"`) {
		t.Error(got)
	}
	if got := p.hear(); !strings.Contains(got, `"id":2,"result"`) {
		t.Error(got)
	}
}

// Calls are taken in order and worked on side by side; a second one with the
// same id is refused while the first is.
func TestSideBySide(t *testing.T) {
	p := connect(t)
	p.say(`{"jsonrpc":"2.0","id":1,"method":"wait"}`)
	p.say(`{"jsonrpc":"2.0","method":"n"}`)
	p.say(`{"jsonrpc":"2.0","id":2,"method":"m"}`)
	if got := p.hear(); !strings.Contains(got, `"id":2`) {
		t.Error(got)
	}
	p.say(`{"jsonrpc":"2.0","id":1,"method":"m"}`)
	if got := p.hear(); !strings.Contains(got, `"id":1,"error":{"code":-32600,"message":"a call with this id`) {
		t.Error(got)
	}
	close(p.echo.block)
	if got := p.hear(); got != `{"jsonrpc":"2.0","id":1,"result":"done"}` {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"wait", "notify n", "m"}, p.echo.order); diff != "" {
		t.Error(diff)
	}
}

func TestTooManyCalls(t *testing.T) {
	p := connect(t)
	for i := range 256 {
		p.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait"}`, i))
	}
	p.say(`{"jsonrpc":"2.0","id":"more","method":"wait"}`)
	if got := p.hear(); !strings.Contains(got, `"id":"more","error":{"code":-32600,"message":"more than 256`) {
		t.Error(got)
	}
	go close(p.echo.block)
	for range 256 {
		p.hear()
	}
}

// A call that was given up ends, and is answered as such.
func TestGivenUp(t *testing.T) {
	p := connect(t)
	p.say(`{"jsonrpc":"2.0","id":"x","method":"wait"}`)
	p.say(`{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"y"}}`)
	p.say(`{"jsonrpc":"2.0","method":"$/cancel_request","params":[]}`)
	if got := p.hear(); !strings.Contains(got, "-32600") {
		t.Error(got)
	}
	p.say(`{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"x"}}`)
	if got := p.hear(); !strings.Contains(got, `"id":"x","error":{"code":-32800`) {
		t.Error(got)
	}
	if err := <-p.echo.gone; !errors.Is(err, wire.ErrGivenUp) {
		t.Error(err)
	}
}

// Our own calls get their answers, whatever comes in between.
func TestCall(t *testing.T) {
	p := connect(t)
	type outcome struct {
		text string
		err  error
	}
	ask := func(ctx context.Context) chan outcome {
		out := make(chan outcome, 1)
		go func() {
			var text string
			err := p.conn.Call(ctx, "ask", map[string]int{"n": 1}, &text)
			out <- outcome{text, err}
		}()
		return out
	}
	one := ask(t.Context())
	if got := p.hear(); got != `{"jsonrpc":"2.0","id":1,"method":"ask","params":{"n":1}}` {
		t.Error(got)
	}
	p.say(`{"jsonrpc":"2.0","id":"1","result":"of another"}`)
	p.say(`{"jsonrpc":"2.0","id":1,"result":"yes"}`)
	p.say(`{"jsonrpc":"2.0","id":1,"result":"again"}`)
	if o := <-one; o.err != nil || o.text != "yes" {
		t.Error(o)
	}
	two := ask(t.Context())
	p.hear()
	p.say(`{"jsonrpc":"2.0","id":2,"error":{"code":7,"message":"no"}}`)
	var e *wire.Error
	if o := <-two; !errors.As(o.err, &e) || e.Code != 7 || e.Message != "no" {
		t.Error(o)
	}
	three := ask(t.Context())
	p.hear()
	p.say(`{"jsonrpc":"2.0","id":3,"error":"odd"}`)
	if o := <-three; o.err == nil {
		t.Error(o)
	}
	four := ask(t.Context())
	p.hear()
	p.say(`{"jsonrpc":"2.0","id":4,"result":{}}`)
	if o := <-four; o.err == nil || !strings.Contains(o.err.Error(), "read the answer to ask") {
		t.Error(o)
	}
	// Given up, the other side is told.
	ctx, cancel := context.WithCancel(t.Context())
	five := ask(ctx)
	p.hear()
	cancel()
	if got := p.hear(); got != `{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":5}}` {
		t.Error(got)
	}
	if o := <-five; !errors.Is(o.err, context.Canceled) {
		t.Error(o)
	}
	p.say(`{"jsonrpc":"2.0","id":5,"result":"late"}`)
	// The end of the connection ends those that wait.
	six := ask(t.Context())
	p.hear()
	_ = p.in.Close()
	if o := <-six; !errors.Is(o.err, wire.ErrGone) {
		t.Error(o)
	}
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
	if err := p.conn.Call(t.Context(), "ask", nil, nil); !errors.Is(err, wire.ErrGone) {
		t.Error(err)
	}
	if err := p.conn.Notify("n", nil); !errors.Is(err, wire.ErrGone) {
		t.Error(err)
	}
}

// The end of the other side ends the work on its calls, which are all answered: it
// may have closed but one direction. A last frame without an end counts.
func TestEnd(t *testing.T) {
	p := connect(t)
	p.say(`{"jsonrpc":"2.0","id":1,"method":"wait"}`)
	if _, err := io.WriteString(p.in, `{"jsonrpc":"2.0","id":2,"method":"m"}`); err != nil {
		t.Fatal(err)
	}
	_ = p.in.Close()
	heard := p.hear() + p.hear()
	if !strings.Contains(heard, `"id":2,"result"`) || !strings.Contains(heard, `"id":1,"error":{"code":-32800`) {
		t.Error(heard)
	}
	if err := <-p.echo.gone; !errors.Is(err, wire.ErrGone) {
		t.Error(err)
	}
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
}

// A side that takes nothing any more ends the connection.
func TestBrokenPipe(t *testing.T) {
	in, _ := io.Pipe()
	defer in.Close()
	out, to := io.Pipe()
	_ = out.Close()
	conn := wire.New(in, to, func(string) {})
	ended := make(chan error, 1)
	go func() { ended <- conn.Serve(context.Background(), &echo{}) }()
	for conn.Notify("n", nil) == nil {
		continue
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "write a frame") {
		t.Error(err)
	}
	_ = in.CloseWithError(io.EOF)
}

// Frames of several goroutines never mix, and every answer follows what was
// sent before it.
func TestWholeFrames(t *testing.T) {
	p := connect(t)
	var wait sync.WaitGroup
	long := strings.Repeat("x", 100_000)
	for i := range 8 {
		wait.Go(func() {
			for range 50 {
				if err := p.conn.Notify("n", map[string]any{"from": i, "text": long}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 400 {
		var f struct {
			Params struct{ Text string }
		}
		if err := json.Unmarshal([]byte(p.hear()), &f); err != nil || len(f.Params.Text) != len(long) {
			t.Fatal(err)
		}
	}
	wait.Wait()
}

// No input makes the connection fall, or say something that is no frame.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"m","params":{}}`, `{"jsonrpc":"2.0","id":1,"result":1}`, `{"jsonrpc":"2.0","id":null,"error":{"code":1}}`,
		`{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":1}}`, "\n\n{}\n[]\n", `{"id":"` + "\xff" + `"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var out strings.Builder
		conn := wire.New(strings.NewReader(string(input)), &out, func(string) {})
		e := &echo{block: make(chan struct{}), gone: make(chan error, 1000)}
		close(e.block)
		if err := conn.Serve(context.Background(), e); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			var frame struct {
				JSONRPC string           `json:"jsonrpc"`
				ID      *json.RawMessage `json:"id"`
				Error   *wire.Error      `json:"error"`
			}
			if err := json.Unmarshal([]byte(line), &frame); err != nil || frame.JSONRPC != "2.0" {
				t.Fatalf("%q: %v", line, err)
			}
		}
	})
}
