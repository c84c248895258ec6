package show_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/tools/repos/show"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0.0B", 1: "1.0B", 1023: "1023.0B", 1024: "1.0KB", 1229: "1.2KB", 1 << 20: "1.0MB", 10 << 30: "10.0GB", 1 << 40: "1.0TB", 3 << 50: "3.0PB", 1 << 62: "4096.0PB",
	} {
		if got := show.Size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// A listing is sorted, and a long one counts its folders.
func TestList(t *testing.T) {
	got := show.List([]show.File{{Path: "b", Size: 5}, {Path: "a", Size: -1}, {Path: "a/x", Size: 0, Note: "2026-01-01 first"}})
	if want := "a/\na/x (0.0B) 2026-01-01 first\nb (5.0B)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var many []show.File
	for i := range 1200 {
		many = append(many, show.File{Path: fmt.Sprintf("d%d/f%04d", i%3, i), Size: 1})
	}
	lines := strings.Split(show.List(many), "\n")
	if len(lines) != 504 || !strings.Contains(lines[500], "1200 entries in all") || lines[501] != "d0/ 400" || lines[503] != "d2/ 400" {
		t.Errorf("%d lines, the last %q", len(lines), lines[max(0, len(lines)-4):])
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		head string
		want bool
	}{
		{"plain", true}, {"", true}, {"é", true}, {"é"[:1], true}, {"abc\xe2\x82", true}, {"a\x00b", false}, {"\xff\xfe\xfd\xfc\xfb", false}, {"ok then \xff and on and on", false},
	} {
		if got := show.Text([]byte(c.head)); got != c.want {
			t.Errorf("%q is text: %v", c.head, got)
		}
	}
}

func TestFence(t *testing.T) {
	if got := show.Fence("a\n```\nb\n"); got != "````\na\n```\nb\n````" {
		t.Errorf("%q", got)
	}
}

func weights(header string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
}

func TestWeights(t *testing.T) {
	text, err := show.Weights(bytes.NewReader(weights(`{"a":{"dtype":"F16","shape":[2,3]},"odd":7}`)))
	if err != nil || !strings.HasPrefix(text, "safetensors: 2 tensors, 6 parameters (F16: 6)\na F16 [2 3]") {
		t.Errorf("%q, %v", text, err)
	}
	for _, bad := range [][]byte{nil, {1, 2, 3}, weights(""), weights("{"), binary.LittleEndian.AppendUint64(nil, 1<<40), append(binary.LittleEndian.AppendUint64(nil, 100), "{}"...)} {
		if text, err := show.Weights(bytes.NewReader(bad)); err == nil {
			t.Errorf("%q is %q", bad, text)
		}
	}
}

func FuzzWeights(f *testing.F) {
	f.Add(weights(`{"a":{"dtype":"F16","shape":[2,3]}}`))
	f.Add(weights(`{"a":{"shape":[-1,9223372036854775807]}}`))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = show.Weights(bytes.NewReader(data)) })
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("PAR1\x00\x00\x00\x00PAR1"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if len(data) < 64<<10 {
			_, _ = show.Table(bytes.NewReader(data), int64(len(data)))
		}
	})
}
