package table_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/ml-intern/ml-intern/internal/adapter/table"
)

// rows reads everything, a line a row: its index and the columns with values.
func rows(t *testing.T, path string) (string, error) {
	t.Helper()
	splits, err := table.Open(path, nil)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, s := range splits {
		fmt.Fprintf(&out, "%s:\n", s.Name)
		for r, err := range s.Rows(t.Context(), nil) {
			if err != nil {
				return out.String(), err
			}
			fmt.Fprintf(&out, "%d", r.Index)
			for _, c := range r.Cells {
				fmt.Fprintf(&out, " %s=%s", c.Column, c.Value)
			}
			out.WriteByte('\n')
		}
	}
	return out.String(), nil
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type message struct {
	Role    string  `parquet:"role"`
	Content *string `parquet:"content,optional"`
}

type record struct {
	Text     string            `parquet:"text"`
	Messages []message         `parquet:"messages,list"`
	Label    *int64            `parquet:"label,optional"`
	Meta     map[string]string `parquet:"meta"`
	Scores   []float64         `parquet:"scores,list"`
	Image    []byte            `parquet:"image"`
}

func parquetFile(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[record](&out)
	hello, one := "hello", int64(1)
	if _, err := w.Write([]record{
		{Text: "a", Messages: []message{{"user", &hello}, {"assistant", nil}}, Label: &one, Meta: map[string]string{"k": "v"}, Scores: []float64{0.5, 2}, Image: []byte{0xff, 0xfe}},
		{Text: "b"},
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func squeezed(t *testing.T, text string) (gz, zst []byte) {
	t.Helper()
	var a, b bytes.Buffer
	g := gzip.NewWriter(&a)
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = g.Write([]byte(text))
	_, _ = z.Write([]byte(text))
	if err := errors.Join(g.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return a.Bytes(), b.Bytes()
}

func TestRows(t *testing.T) {
	const jsonl = `{"a":1,"b":{"z":1,"y":2}}

{"a":null,"b":[1, 2]}
{"a":3}
{"b":"x","a":4,"c":true}
{}
`
	const fromJSON = `data:
0 a=1 b={"z":1,"y":2}
1 a=null b=[1, 2]
2 a=3
3 b="x" a=4 c=true
4
`
	gz, zst := squeezed(t, jsonl)
	for _, c := range []struct{ name, content, want string }{
		{"data.jsonl", jsonl, fromJSON},
		{"data.NDJSON", "\ufeff" + jsonl, fromJSON},
		{"data.jsonl.gz", string(gz), fromJSON},
		{"data.jsonl.zst", string(zst), fromJSON},
		{"data.json", "[" + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(jsonl, "\n\n", "\n")), "\n", ",\n") + "]", fromJSON},
		{"data.json", "  \n", "data:\n"},
		{"data.csv", "id,text\n1,\"a, <b>\nnext\"\n2,\n3\n", "data:\n0 id=\"1\" text=\"a, <b>\\nnext\"\n1 id=\"2\" text=null\n2 id=\"3\" text=null\n"},
		{"data.csv", "", "data:\n"},
		{"train-00000-of-00002.tsv", "a\tb\nx, y\t\"z\"\n", "train:\n0 a=\"x, y\" b=\"z\"\n"},
		{"my_validation.parquet", string(parquetFile(t)), `validation:
0 text="a" messages=[{"role":"user","content":"hello"},{"role":"assistant","content":null}] label=1 meta={"k":"v"} scores=[0.5,2] image="<2 bytes>"
1 text="b" messages=[] label=null meta={} scores=[] image=""
`},
	} {
		got, err := rows(t, file(t, c.name, []byte(c.content)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestFaultsNameThePlace(t *testing.T) {
	damaged := parquetFile(t)
	for i := 4; i < len(damaged)/2; i++ {
		damaged[i] ^= 0x5a
	}
	for _, c := range []struct{ name, content, want string }{
		{"a.jsonl", "{\"a\":1}\n\n{\"a\":\n", "line 3"},
		{"a.jsonl", "{\"a\":1} {\"b\":2}\n", "line 1: invalid character"},
		{"a.jsonl", "\"x\"\n", "a row must be a JSON object, not a text"},
		{"a.json", "[{\"a\":1}, 7]", "element 2: a row must be a JSON object, not a number"},
		{"a.json", "[{\"a\":1}", "the array does not end"},
		{"a.csv", "a,b\n1,2\n1,2,3\n", "line 3 has 3 values for 2 columns"},
		{"a.jsonl.gz", "this is text and no gzip at all", "gzip"},
		{"a.parquet", "PAR1", "open the Parquet file"},
		{"a.parquet", string(damaged), "a.parquet"},
		{"a.txt", "x", "no known data format"},
	} {
		_, err := rows(t, file(t, c.name, []byte(c.content)))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s %q: %v, want %q", c.name, c.content[:min(20, len(c.content))], err, c.want)
		}
	}
	if _, err := table.Open(filepath.Join(t.TempDir(), "none.csv"), nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := table.Open(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "holds no data files") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestFolderIsPutTogetherBySplit(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"data/test-00000-of-00001.jsonl": `{"x":9}`, "data/train-00001-of-00002.jsonl": `{"x":2}`, "data/train-00000-of-00002.jsonl": `{"x":1}`,
		"dev.csv": "x\n5\n", "extra.jsonl": `{"x":7}`, ".git/train.jsonl": `{"x":0}`, ".train.jsonl": `{"x":0}`, "README.md": "# x",
	} {
		path := filepath.Join(dir, name)
		_ = os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := rows(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := "train:\n0 x=1\n1 x=2\nvalidation:\n0 x=\"5\"\ntest:\n0 x=9\nextra:\n0 x=7\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReadingStops(t *testing.T) {
	path := file(t, "a.jsonl", []byte(strings.Repeat(`{"a":1}`+"\n", 500_000)))
	splits, err := table.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range splits[0].Rows(ctx, nil) {
		if n++; n == 10 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || n > 11 {
		t.Errorf("%d rows after the end of the context, then %v", n-10, last)
	}
	n = 0
	for range splits[0].Rows(t.Context(), nil) {
		if n++; n == 5 {
			break
		}
	}
	var told int64
	n = 0
	for _, err := range splits[0].Rows(t.Context(), func(b int64) { told = b }) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 500_000 || told != splits[0].Bytes {
		t.Errorf("%d rows, %d of %d bytes told", n, told, splits[0].Bytes)
	}
}

func FuzzRows(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `[{"a":1}]`, "a,b\n1,2", `{"a":{"b":[}`, "PAR1xxxxPAR1"} {
		f.Add(s, 0)
	}
	names := []string{"x.jsonl", "x.json", "x.csv", "x.parquet", "x.jsonl.gz"}
	f.Fuzz(func(t *testing.T, content string, which int) {
		name := names[((which%len(names))+len(names))%len(names)]
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		splits, err := table.Open(path, nil)
		if err != nil {
			return
		}
		for r, err := range splits[0].Rows(t.Context(), nil) {
			for _, c := range r.Cells {
				if err == nil && !json.Valid(c.Value) {
					t.Fatalf("the value of %q is %q", c.Column, c.Value)
				}
			}
		}
	})
}

func BenchmarkJSONLines(b *testing.B) {
	line := `{"id":12,"messages":[{"role":"user","content":"How do I train a model on two cards?"},{"role":"assistant","content":"Split the batch over both of them."}],"source":"forum"}` + "\n"
	path := filepath.Join(b.TempDir(), "a.jsonl")
	if err := os.WriteFile(path, []byte(strings.Repeat(line, 10_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	splits, err := table.Open(path, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(splits[0].Bytes)
	for b.Loop() {
		for _, err := range splits[0].Rows(b.Context(), nil) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
