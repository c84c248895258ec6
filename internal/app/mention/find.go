package mention

import (
	"path"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Mention is a place of a text that names something to be read.
type Mention struct {
	// Start and End are where it stands in the text, "@" included; the quotes
	// are a part of it.
	Start, End int
	// Name is what is named, without "@" and quotes. Longer is the same with the
	// signs behind it that may belong to the sentence or to the name.
	Name, Longer string
	Quoted       bool
}

// Hub reports whether it names a repository, which it returns: "models",
// "datasets" or "spaces", and the id.
func (m Mention) Hub() (kind, id string, ok bool) {
	rest, ok := strings.CutPrefix(m.Name, "hf:")
	if !ok || m.Quoted {
		return "", "", false
	}
	kind = "models"
	for _, k := range []string{"models", "datasets", "spaces"} {
		if id, cut := strings.CutPrefix(rest, k+"/"); cut {
			kind, rest = k, id
			break
		}
	}
	return kind, rest, rest != ""
}

// LooksLikeFile reports whether it is more than a word with a sign in front: a
// name that has a slash or an ending. Nobody is to be bothered with decorators,
// handles and what else begins with "@".
func (m Mention) LooksLikeFile() bool {
	if m.Quoted || strings.HasSuffix(m.Name, "/") {
		return true
	}
	if strings.ContainsFunc(m.Name, func(r rune) bool { return strings.ContainsRune("()<>|*?\"'`{}[]$&;,=@#!%^", r) }) {
		return false
	}
	return strings.Contains(m.Name, "/") || endings()[strings.ToLower(path.Ext(m.Name))]
}

// endings are those of files that people speak of.
var endings = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, e := range strings.Fields(`.py .ipynb .md .txt .csv .tsv .json .jsonl .ndjson .parquet .yaml .yml .toml .ini .cfg .conf .sh .bash .js .ts .tsx .jsx
		.go .rs .c .h .cc .cpp .hpp .cu .java .kt .rb .php .r .jl .sql .html .css .xml .svg .png .jpg .jpeg .gif .webp .bmp .tif .tiff .pdf .log .out .err
		.tex .bib .rst .lock .gz .zst .zip .tar .env .pt .pth .safetensors .gguf .onnx .npy .npz .h5 .pkl .patch .diff`) {
		all[e] = true
	}
	return all
})

// longest is how long the name of a mention may be, in bytes.
const longest = 1024

// Find lists the mentions of a text, from its beginning to its end. An "@" in
// the middle of a word, as in an address, is none.
func Find(text string) []Mention {
	var out []Mention
	for at := 0; at < len(text); {
		i := strings.IndexByte(text[at:], '@')
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		if !begins(text[:i]) {
			continue
		}
		m, ok := quoted(text, i)
		if !ok {
			m, ok = bare(text, i)
		}
		if ok {
			out = append(out, m)
			at = m.End
		}
	}
	return out
}

// begins reports whether a word may begin behind a text.
func begins(before string) bool {
	r, size := utf8.DecodeLastRuneInString(before)
	return size == 0 || unicode.IsSpace(r) || strings.ContainsRune("([{<'\"`,;:=“‘«（「『", r)
}

// quoted reads @"a b".
func quoted(text string, i int) (Mention, bool) {
	rest, ok := strings.CutPrefix(text[i+1:], `"`)
	if !ok {
		return Mention{}, false
	}
	end := strings.IndexAny(rest, "\"\n")
	if end <= 0 || rest[end] != '"' || end > longest {
		return Mention{}, false
	}
	return Mention{Start: i, End: i + 2 + end + 1, Name: rest[:end], Longer: rest[:end], Quoted: true}, true
}

// behind are the signs at the end of a word that mostly belong to the sentence.
const behind = ".,;:!?)]}>'\"`…”’»）」』。，"

// bare reads @a/b.
func bare(text string, i int) (Mention, bool) {
	rest := text[i+1:]
	end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r < ' ' || r == 0x7f })
	if end < 0 {
		end = len(rest)
	}
	longer := rest[:end]
	name := strings.TrimRight(longer, behind)
	if name == "" && strings.HasPrefix(longer, ".") { // @. and @..
		name = strings.TrimRight(longer, strings.ReplaceAll(behind, ".", ""))
	}
	if name == "" || len(longer) > longest || strings.HasPrefix(name, "@") || !utf8.ValidString(longer) {
		return Mention{}, false
	}
	return Mention{Start: i, End: i + 1 + len(name), Name: name, Longer: longer}, true
}
