package tail_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/platform/tail"
)

// memory is something that grows, shrinks or becomes something else.
type memory struct{ data []byte }

func (m *memory) open(_ context.Context, offset int64) (io.ReadCloser, int64, error) {
	if m.data == nil {
		return nil, 0, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(m.data[min(int(offset), len(m.data)):])), int64(len(m.data)), nil
}

func poll(t *testing.T, r *tail.Reader) (lines []string, again bool) {
	t.Helper()
	again, err := r.Poll(t.Context(), func(line string, _ int64) { lines = append(lines, line) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return lines, again
}

func TestReader(t *testing.T) {
	m := &memory{}
	r := tail.New(m.open)
	for _, step := range []struct {
		data  string
		want  []string
		again bool
	}{
		{"a\nb", []string{"a"}, false},
		{"a\nb", nil, false},
		{"a\nbc\r\n", []string{"bc"}, false},
		{"x\n", []string{"x"}, true},                                          // shorter: truncated
		{"x\ny\n", []string{"y"}, false},                                      // grown
		{"other\nthings\n", []string{"other", "things"}, true},                // longer, but something else
		{"other\nthings\n\n\n", []string{"", ""}, false},                      // empty lines are lines
		{"", nil, true},                                                       // emptied
		{strings.Repeat("z", 20000) + "\nend\n", []string{"z", "end"}, false}, // a long line is cut
	} {
		m.data = []byte(step.data)
		got, again := poll(t, r)
		if len(step.want) == 2 && step.want[0] == "z" && len(got) == 2 && len(got[0]) == tail.LineLimit {
			got[0] = "z"
		}
		if !slices.Equal(got, step.want) || again != step.again {
			t.Errorf("%.20q: %.50q (anew %v), want %q (%v)", step.data, got, again, step.want, step.again)
		}
	}
	m.data = nil
	if got, again := poll(t, r); got != nil || again {
		t.Errorf("%q, %v", got, again)
	}
}

func TestRest(t *testing.T) {
	m := &memory{data: []byte("a\nrest")}
	r := tail.New(m.open)
	got, _ := poll(t, r)
	r.Rest(func(line string, end int64) {
		if end != 6 {
			t.Errorf("the end is %d", end)
		}
		got = append(got, line)
	})
	r.Rest(func(line string, _ int64) { t.Errorf("twice: %q", line) })
	if !slices.Equal(got, []string{"a", "rest"}) || r.Offset() != 6 {
		t.Errorf("%q, %d", got, r.Offset())
	}
}

func TestSkip(t *testing.T) {
	m := &memory{data: []byte("first\nsecond\nthird\n")}
	r := tail.New(m.open)
	r.Skip(8)
	if got, _ := poll(t, r); !slices.Equal(got, []string{"third"}) {
		t.Errorf("%q", got)
	}
	r.Skip(0)
	if got, _ := poll(t, r); len(got) != 3 {
		t.Errorf("%q", got)
	}
}

// However the text arrives, its lines come once and in order, each with the
// offset behind it.
func TestAnyGrowth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]byte("ab\n\r ")), 0, 300).Draw(t, "text")
		m := &memory{data: []byte{}}
		r := tail.New(m.open)
		var got []string
		take := func(line string, end int64) {
			if text[end-1] != '\n' {
				t.Errorf("an end at %d", end)
			}
			got = append(got, line)
		}
		for at := 0; at < len(text); {
			at = min(len(text), at+rapid.IntRange(1, 90).Draw(t, "bytes"))
			m.data = text[:at]
			if again, err := r.Poll(context.Background(), take); again || err != nil {
				t.Fatal(again, err)
			}
		}
		var want []string
		for line := range bytes.Lines(text) {
			if whole, ok := bytes.CutSuffix(line, []byte("\n")); ok {
				want = append(want, string(bytes.TrimSuffix(whole, []byte("\r"))))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train.log")
	f := tail.Open(path)
	defer f.Close()
	var got []string
	look := func(want string) {
		t.Helper()
		got = nil
		if _, err := f.Poll(t.Context(), func(line string, _ int64) { got = append(got, line) }); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	add := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	look("") // not there yet
	add("1\n2\n")
	look("1,2")
	add("3\nhal")
	look("3")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	look("")
	add("new\n")
	look("hal,new") // what the old one still had, then the new one
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	add("t\n")
	look("t")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	look("")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Poll(t.Context(), func(string, int64) {}); err == nil {
		t.Error("a directory was read")
	}
}
