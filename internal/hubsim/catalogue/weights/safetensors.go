// Package weights reads the headers of weight files, safetensors and GGUF: how
// many parameters of which type they hold and what they say of themselves. It
// reads no weights and knows no repository.
package weights

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxHeader is how long a header may be, in bytes.
const maxHeader = 100 << 20

var errTooMany = errors.New("more parameters than a number holds")

// Safetensors counts the parameters of a file by their type.
func Safetensors(r io.Reader) (map[string]int64, error) {
	var size uint64
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return nil, fmt.Errorf("read the header's length: %w", err)
	}
	if size > maxHeader {
		return nil, fmt.Errorf("the header has %d bytes, %d at most are read", size, maxHeader)
	}
	var header map[string]json.RawMessage
	if err := json.NewDecoder(io.LimitReader(r, int64(size))).Decode(&header); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	counts := map[string]int64{}
	for name, raw := range header {
		if name == "__metadata__" {
			continue
		}
		var tensor struct {
			DType string  `json:"dtype"`
			Shape []int64 `json:"shape"`
		}
		if err := json.Unmarshal(raw, &tensor); err != nil || tensor.DType == "" {
			return nil, fmt.Errorf("tensor %q has no dtype and shape", name)
		}
		n, err := product(tensor.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if counts[tensor.DType] > math.MaxInt64-n {
			return nil, errTooMany
		}
		counts[tensor.DType] += n
	}
	return counts, nil
}

func product(shape []int64) (int64, error) {
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt64/d {
			return 0, errTooMany
		}
		n *= d
	}
	return n, nil
}
