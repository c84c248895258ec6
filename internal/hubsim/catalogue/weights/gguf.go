package weights

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Limits of a GGUF header.
const (
	maxText    = 16 << 20 // bytes of a text
	maxEntries = 1 << 20  // of metadata and of tensors
)

// GGUF is what a GGUF file says of itself.
type GGUF struct {
	Total         int64  `json:"total"` // parameters
	Architecture  string `json:"architecture,omitempty"`
	ContextLength int64  `json:"context_length,omitempty"`
	ChatTemplate  string `json:"chat_template,omitempty"`
}

// types of values, and their sizes in bytes where those are fixed.
const (
	ggufText = 8
	ggufList = 9
)

func fixedSize(kind uint32) int64 {
	sizes := []int64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}
	if kind >= uint32(len(sizes)) {
		return 0
	}
	return sizes[kind]
}

// ReadGGUF reads the header of a GGUF file.
func ReadGGUF(r io.Reader) (GGUF, error) {
	h := header{r: bufio.NewReader(r)}
	if magic := h.bytes(4); string(magic) != "GGUF" {
		return GGUF{}, errors.New("the file does not begin with GGUF")
	}
	if v := h.u32(); v < 2 || v > 3 {
		return GGUF{}, fmt.Errorf("GGUF version %d is not known", v)
	}
	tensors, entries := h.u64(), h.u64()
	if tensors > maxEntries || entries > maxEntries {
		return GGUF{}, fmt.Errorf("%d tensors and %d entries are too many", tensors, entries)
	}
	texts, numbers := map[string]string{}, map[string]uint64{}
	for range entries {
		if h.err != nil {
			break
		}
		key, kind := h.text(), h.u32()
		switch {
		case kind == ggufText:
			texts[key] = h.text()
		case kind == ggufList:
			h.skipList(0)
		default:
			numbers[key] = h.number(kind)
		}
	}
	g := GGUF{Architecture: texts["general.architecture"], ChatTemplate: texts["tokenizer.chat_template"]}
	g.ContextLength = int64(min(numbers[g.Architecture+".context_length"], math.MaxInt64))
	for range tensors {
		n := h.tensor()
		if h.err != nil {
			break
		}
		if g.Total > math.MaxInt64-n {
			return GGUF{}, errTooMany
		}
		g.Total += n
	}
	if h.err != nil {
		return GGUF{}, fmt.Errorf("read the GGUF header: %w", h.err)
	}
	return g, nil
}

// header reads little-endian values until the first error.
type header struct {
	r   *bufio.Reader
	err error
}

func (h *header) bytes(n uint64) []byte {
	if h.err == nil && n > maxText {
		h.err = fmt.Errorf("a text of %d bytes is too long", n)
	}
	if h.err != nil {
		return nil
	}
	var b []byte
	b, h.err = io.ReadAll(io.LimitReader(h.r, int64(n)))
	if h.err == nil && uint64(len(b)) < n {
		h.err = io.ErrUnexpectedEOF
	}
	if h.err != nil {
		return nil
	}
	return b
}

func (h *header) u32() uint32 {
	if b := h.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (h *header) u64() uint64 {
	if b := h.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (h *header) text() string { return string(h.bytes(h.u64())) }

// number reads a value of a fixed size as an unsigned number.
func (h *header) number(kind uint32) uint64 {
	size := fixedSize(kind)
	if size == 0 && h.err == nil {
		h.err = fmt.Errorf("values of type %d are not known", kind)
	}
	var n uint64
	for i, b := range h.bytes(uint64(size)) {
		n |= uint64(b) << (8 * i)
	}
	return n
}

// skipList passes over a list, which may hold lists.
func (h *header) skipList(depth int) {
	kind, n := h.u32(), h.u64()
	size := fixedSize(kind)
	switch {
	case h.err != nil:
	case depth > 8:
		h.err = errors.New("lists are nested too deeply")
	case size > 0 && n < maxHeader:
		_, h.err = io.CopyN(io.Discard, h.r, size*int64(n))
	case kind == ggufText:
		for ; n > 0 && h.err == nil; n-- {
			h.text()
		}
	case kind == ggufList:
		for ; n > 0 && h.err == nil; n-- {
			h.skipList(depth + 1)
		}
	default:
		h.err = fmt.Errorf("a list of %d values of type %d", n, kind)
	}
}

// tensor passes over a tensor's description and returns its parameters.
func (h *header) tensor() int64 {
	h.text()
	dims := h.u32()
	if dims > 8 && h.err == nil {
		h.err = fmt.Errorf("a tensor has %d dimensions", dims)
	}
	var shape []int64
	for range dims {
		if h.err != nil {
			return 0
		}
		shape = append(shape, int64(min(h.u64(), math.MaxInt64)))
	}
	h.u32() // type
	h.u64() // offset
	n, err := product(shape)
	if h.err == nil {
		h.err = err
	}
	return n
}
