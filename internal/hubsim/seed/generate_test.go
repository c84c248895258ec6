package seed_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// update writes what is generated over the files of the seed.
var update = flag.Bool("update", false, "write the generated files of the seed acme")

// TestGeneratedFilesAreAsGenerated compares the files of the seed that nobody
// wrote by hand with what makes them: weights, tokenizers, data sets and the
// web form of the papers.
func TestGeneratedFilesAreAsGenerated(t *testing.T) {
	files := map[string][]byte{}
	tokenizer := newTokenizer(corpus())
	for i, model := range []string{"tiny-base", "tiny-gpt", "gated"} {
		dir := "models/acme/" + model + "/files/"
		// The gated model is a copy of the open one.
		files[dir+"model.safetensors"] = weights(uint64(min(i, 1) + 1))
		files[dir+"tokenizer.json"] = tokenizer
	}
	train, test := auditRows()
	files["datasets/acme/audit-mini/files/data/train.jsonl"] = lines(train)
	files["datasets/acme/audit-mini/files/data/test.jsonl"] = lines(test)
	files["datasets/acme/toy-chat/files/train.jsonl"] = lines(toyChat(0, 60))
	files["datasets/acme/toy-chat/files/test.jsonl"] = lines(toyChat(60, 12))
	files["datasets/acme/chat-sft/files/data/train.jsonl"] = lines(chatSFT(0, 1200, 1068, 36))
	files["datasets/acme/chat-sft/files/data/test.jsonl"] = lines(chatSFT(1200, 100, 89, 3))
	files["datasets/acme/mini-bench/files/test.jsonl"] = lines(benchRows())
	papers, err := filepath.Glob("acme/papers/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range papers {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files["papers/"+strings.TrimSuffix(filepath.Base(name), ".md")+".html"] = latexml(string(text))
	}
	for name, want := range files {
		path := filepath.Join("acme", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not as generated (%v): go test -run Generated -update ./internal/hubsim/seed", path, err)
		}
	}
}

func lines(rows []any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// Measures of the tiny model; config.json says the same.
const (
	width, layers, vocabulary, positions = 16, 2, 512, 256
)

// weights is a safetensors file of a GPT-2 of the measures above, filled with
// small random numbers.
func weights(seed uint64) []byte {
	type tensor struct {
		name  string
		shape []int
	}
	list := []tensor{{"transformer.wte.weight", []int{vocabulary, width}}, {"transformer.wpe.weight", []int{positions, width}}}
	for i := range layers {
		h := fmt.Sprintf("transformer.h.%d.", i)
		for _, x := range []tensor{
			{"ln_1.weight", []int{width}},
			{"ln_1.bias", []int{width}},
			{"attn.c_attn.weight", []int{width, 3 * width}},
			{"attn.c_attn.bias", []int{3 * width}},
			{"attn.c_proj.weight", []int{width, width}},
			{"attn.c_proj.bias", []int{width}},
			{"ln_2.weight", []int{width}},
			{"ln_2.bias", []int{width}},
			{"mlp.c_fc.weight", []int{width, 4 * width}},
			{"mlp.c_fc.bias", []int{4 * width}},
			{"mlp.c_proj.weight", []int{4 * width, width}},
			{"mlp.c_proj.bias", []int{width}},
		} {
			list = append(list, tensor{h + x.name, x.shape})
		}
	}
	list = append(list, tensor{"transformer.ln_f.weight", []int{width}}, tensor{"transformer.ln_f.bias", []int{width}})
	random := rand.New(rand.NewPCG(seed, 7))
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var data bytes.Buffer
	for _, x := range list {
		start, n := data.Len(), 1
		for _, d := range x.shape {
			n *= d
		}
		for range n {
			v := random.NormFloat64() * 0.02
			switch {
			case strings.Contains(x.name, "ln_") && strings.HasSuffix(x.name, "weight"):
				v = 1
			case strings.HasSuffix(x.name, "bias"):
				v = 0
			}
			data.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v))))
		}
		header[x.name] = map[string]any{"dtype": "F32", "shape": x.shape, "data_offsets": []int{start, data.Len()}}
	}
	raw, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	for len(raw)%8 != 0 {
		raw = append(raw, ' ')
	}
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(raw))), raw, data.Bytes())
}

// corpus is what the tokenizer is trained on.
func corpus() string {
	var b strings.Builder
	for _, r := range append(toyChat(0, 60), chatSFT(0, 200, 180, 10)...) {
		raw, _ := json.Marshal(r)
		var row struct {
			Messages []struct{ Content string } `json:"messages"`
		}
		_ = json.Unmarshal(raw, &row)
		for _, m := range row.Messages {
			b.WriteString(m.Content + "\n")
		}
	}
	return b.String()
}

// printable maps bytes to characters as GPT-2 does.
func printable() [256]string {
	var out [256]string
	next := 256
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			out[b] = string(rune(b))
			continue
		}
		out[b] = string(rune(next))
		next++
	}
	return out
}

// specials are the tokens beside those of the text.
var specials = []string{"<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"}

// newTokenizer trains byte-level BPE until the vocabulary is full.
func newTokenizer(text string) []byte {
	chars := printable()
	words := map[string]int{}
	for _, w := range regexp.MustCompile(` ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+`).FindAllString(text, -1) {
		words[w]++
	}
	type word struct {
		pieces []string
		n      int
	}
	var list []word
	var keys []string
	for w := range words {
		keys = append(keys, w)
	}
	slices.Sort(keys)
	for _, w := range keys {
		x := word{n: words[w]}
		for _, b := range []byte(w) {
			x.pieces = append(x.pieces, chars[b])
		}
		list = append(list, x)
	}
	vocab := slices.Clone(specials)
	for b := range 256 {
		vocab = append(vocab, chars[b])
	}
	var merges []string
	for len(vocab) < vocabulary {
		counts := map[[2]string]int{}
		for _, w := range list {
			for i := 1; i < len(w.pieces); i++ {
				counts[[2]string{w.pieces[i-1], w.pieces[i]}] += w.n
			}
		}
		var best [2]string
		for pair, n := range counts {
			if n > counts[best] || n == counts[best] && (pair[0]+" "+pair[1]) < (best[0]+" "+best[1]) {
				best = pair
			}
		}
		merges = append(merges, best[0]+" "+best[1])
		vocab = append(vocab, best[0]+best[1])
		for k := range list {
			p := list[k].pieces
			for i := 1; i < len(p); i++ {
				if p[i-1] == best[0] && p[i] == best[1] {
					p[i-1] += p[i]
					p = slices.Delete(p, i, i+1)
				}
			}
			list[k].pieces = p
		}
	}
	ids, added := map[string]int{}, []any{}
	for i, v := range vocab {
		ids[v] = i
		if i < len(specials) {
			added = append(added, map[string]any{"id": i, "content": v, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
		}
	}
	level := func(prefix bool) map[string]any {
		return map[string]any{"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "normalizer": nil,
		"pre_tokenizer": level(false), "post_processor": level(true), "decoder": level(true),
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": "", "end_of_word_suffix": "",
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": ids, "merges": merges,
		},
	}); err != nil {
		panic(err)
	}
	return b.Bytes()
}
