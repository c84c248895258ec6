package wire

import (
	"bytes"
	"io"
	"slices"
)

// Body is a request body in pieces, so that what a request shares with the one
// before it need not be copied. The pieces are not modified once it is sent.
type Body [][]byte

// Len is the length in bytes.
func (b Body) Len() int {
	n := 0
	for _, piece := range b {
		n += len(piece)
	}
	return n
}

// Bytes returns the body in one piece.
func (b Body) Bytes() []byte { return slices.Concat(b...) }

// Reader returns a new reader of the whole body.
func (b Body) Reader() io.ReadCloser {
	readers := make([]io.Reader, len(b))
	for i, piece := range b {
		readers[i] = bytes.NewReader(piece)
	}
	return io.NopCloser(io.MultiReader(readers...))
}
