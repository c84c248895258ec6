package weights_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/catalogue/weights"
)

func safetensors(header string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
}

func TestSafetensors(t *testing.T) {
	file := safetensors(`{"__metadata__":{"format":"pt"},
		"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},
		"c":{"dtype":"F32","shape":[],"data_offsets":[32,36]},"d":{"dtype":"I8","shape":[0,9],"data_offsets":[36,36]}}`)
	got, err := weights.Safetensors(bytes.NewReader(append(file, "the weights"...)))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int64{"F32": 7, "BF16": 4, "I8": 0}, got); d != "" {
		t.Error(d)
	}
	for _, bad := range [][]byte{
		nil, []byte("\x01"), safetensors("{")[:9], safetensors(`{"a":3}`), safetensors(`[]`), bytes.Repeat([]byte("\xff"), 9),
		safetensors(`{"a":{"dtype":"F32","shape":[-1]}}`), safetensors(`{"a":{"dtype":"F32","shape":[4294967296,4294967296]}}`),
		safetensors(`{"a":{"dtype":"F32","shape":[9223372036854775807]},"b":{"dtype":"F32","shape":[1]}}`),
	} {
		if got, err := weights.Safetensors(bytes.NewReader(bad)); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// gguf writes a header of values as they come: numbers in their own width,
// texts with their length.
func gguf(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		if s, ok := v.(string); ok {
			_ = binary.Write(&b, binary.LittleEndian, uint64(len(s)))
			b.WriteString(s)
			continue
		}
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	return append([]byte("GGUF"), b.Bytes()...)
}

func model() []byte {
	return gguf(
		uint32(3), uint64(2), uint64(6),
		"general.architecture", uint32(8), "llama",
		"llama.context_length", uint32(4), uint32(4096),
		"tokenizer.chat_template", uint32(8), "{{ messages }}",
		"tokenizer.tokens", uint32(9), uint32(8), uint64(2), "a", "b",
		"tokenizer.scores", uint32(9), uint32(6), uint64(2), float32(1), float32(2),
		"lists", uint32(9), uint32(9), uint64(1), uint32(0), uint64(3), [3]byte{},
		"blk.0", uint32(2), uint64(3), uint64(5), uint32(0), uint64(0),
		"blk.1", uint32(1), uint64(7), uint32(1), uint64(60),
	)
}

func TestGGUF(t *testing.T) {
	got, err := weights.ReadGGUF(io.MultiReader(bytes.NewReader(model()), strings.NewReader("the weights")))
	if err != nil {
		t.Fatal(err)
	}
	want := weights.GGUF{Total: 22, Architecture: "llama", ContextLength: 4096, ChatTemplate: "{{ messages }}"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	whole := model()
	for n := range whole {
		if _, err := weights.ReadGGUF(bytes.NewReader(whole[:n])); err == nil {
			t.Fatalf("%d of %d bytes were enough", n, len(whole))
		}
	}
	for _, bad := range [][]byte{
		[]byte("GGML1234567890"), gguf(uint32(9)), gguf(uint32(3), uint64(1)<<40, uint64(0)),
		gguf(uint32(3), uint64(0), uint64(1), "k", uint32(99), uint64(1)),
		gguf(uint32(3), uint64(1), uint64(0), "t", uint32(2), uint64(1)<<63, uint64(4), uint32(0), uint64(0)),
	} {
		if got, err := weights.ReadGGUF(bytes.NewReader(bad)); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add(model())
	f.Add(safetensors(`{"a":{"dtype":"F32","shape":[2,3]}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		if g, err := weights.ReadGGUF(bytes.NewReader(file)); err == nil && g.Total < 0 {
			t.Errorf("%d parameters", g.Total)
		}
		counts, err := weights.Safetensors(bytes.NewReader(file))
		for dtype, n := range counts {
			if n < 0 || err != nil {
				t.Errorf("%s: %d parameters, %v", dtype, n, err)
			}
		}
	})
}
