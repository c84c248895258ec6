package foreign_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/foreign"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func lines(t *testing.T, r io.Reader) (got []string, bad int, err error) {
	t.Helper()
	for line, failed := range foreign.Lines(r, &bad) {
		if failed != nil {
			return got, bad, failed
		}
		got = append(got, string(line))
	}
	return got, bad, nil
}

func TestLines(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 33<<20) + `"}`
	text := "{\"a\":1}\r\n\n  \nnot json\n[1]\n" + long + "\n{\"b\":2}\n{\"torn\":"
	got, bad, err := lines(t, strings.NewReader(text))
	if err != nil || fmt.Sprint(got) != `[{"a":1} {"b":2}]` || bad != 4 {
		t.Errorf("%d lines, %d bad, %v", len(got), bad, err)
	}
	if got, bad, err := lines(t, iotest.OneByteReader(strings.NewReader("{}\n{\"last\":1}"))); err != nil || len(got) != 2 || bad != 0 {
		t.Errorf("%q, %d, %v", got, bad, err)
	}
	if _, _, err := lines(t, iotest.ErrReader(iotest.ErrTimeout)); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("%v", err)
	}
}

// endless is a file without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		if p[i] = 'x'; i%1024 == 1023 {
			p[i] = '\n'
		}
	}
	return len(p), nil
}

func TestLinesEndAtTheBound(t *testing.T) {
	bad, n := 0, 0
	for _, err := range foreign.LinesUpTo(endless{}, 4<<20, &bad) {
		if n++; !errors.Is(err, foreign.ErrTooLarge) {
			t.Fatal(err)
		}
	}
	if n != 1 || bad == 0 {
		t.Errorf("%d answers, %d bad lines", n, bad)
	}
}

func TestConversationHasBounds(t *testing.T) {
	c := foreign.NewConversation()
	for range 200 {
		c.Person(strings.Repeat("x", 1<<20), nil, false, "")
	}
	if !errors.Is(c.Err(), foreign.ErrTooLarge) || len(c.Messages()) > 130 {
		t.Errorf("%v, %d messages", c.Err(), len(c.Messages()))
	}
	c = foreign.NewConversation()
	c.Call("a", "bash", "{}", "")
	c.Result("a", "begin "+strings.Repeat("ü", 500_000)+" end", "")
	if got := c.Messages()[1].Text; len(got) > 210_000 || !strings.HasPrefix(got, "begin ") || !strings.HasSuffix(got, " end") || !strings.Contains(got, "bytes are left out") {
		t.Errorf("%d bytes", len(got))
	}
}

func TestOnlyPicturesInTheMessageAreSent(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte("picture"))
	for url, want := range map[string]bool{
		"data:image/png;base64," + data: true, "data:image/webp;base64," + data: true, "data:image/gif;base64," + data: true, "data:image/jpeg;base64," + data: true,
		"data:image/svg+xml;base64," + data: false, "data:text/html;base64," + data: false, "data:image/png," + data: false,
		"data:image/png;base64,": false, `data:image/png;base64,"><script>`: false, "https://example.com/x.png": false, "file:///etc/passwd": false, "": false,
	} {
		if got := foreign.Sendable(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func TestRollbackAndReset(t *testing.T) {
	c := foreign.NewConversation()
	c.Person("one", nil, false, "")
	c.Answer("two", "")
	c.Person("three", nil, false, "")
	c.Call("a", "bash", "", "")
	c.Person("[note]", nil, true, "")
	c.Rollback(1)
	c.Result("a", "late", "")
	if got := c.Messages(); len(got) != 2 || got[1].Text != "two" || c.Orphans != 1 {
		t.Errorf("%+v, %d", got, c.Orphans)
	}
	c.Rollback(5)
	if got := c.Messages(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	c.Answer("x", "")
	if n := c.Reset(); n != 1 || len(c.Messages()) != 0 {
		t.Errorf("%d", n)
	}
}

// A call behind a result is another answer of the model.
func TestCallsAndResultsInTurn(t *testing.T) {
	c := foreign.NewConversation()
	c.Call("a", "bash", "{}", "")
	c.Call("b", "bash", "{}", "")
	c.Result("b", "B", "")
	c.Call("a", "bash", "{}", "") // an id that was used before
	c.Result("a", "A", "")
	c.Result("a", "A2", "")
	var got []string
	for _, m := range c.Messages() {
		switch m.Role {
		case llm.Assistant:
			var ids []string
			for _, call := range m.ToolCalls {
				ids = append(ids, call.ID)
			}
			got = append(got, strings.Join(ids, "+"))
		default:
			got = append(got, m.ToolCallID+"="+m.Text)
		}
	}
	if want := "a+b a=A b=B a_2 a_2=A2"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", got, want)
	}
}
