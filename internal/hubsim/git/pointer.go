package git

import (
	"fmt"
	"strconv"
	"strings"
)

// Pointer is what git keeps of a file whose content lies in the LFS store.
type Pointer struct {
	SHA256 string
	Size   int64
}

const (
	pointerVersion = "version https://git-lfs.github.com/spec/v1\n"
	maxPointer     = 1024 // bytes; git-lfs reads no longer ones
)

// Bytes writes the pointer as git-lfs does.
func (p Pointer) Bytes() []byte {
	return fmt.Appendf(nil, "%soid sha256:%s\nsize %d\n", pointerVersion, p.SHA256, p.Size)
}

// ParsePointer reads a pointer; ok is false for other content.
func ParsePointer(body []byte) (p Pointer, ok bool) {
	if len(body) > maxPointer {
		return Pointer{}, false
	}
	rest, ok := strings.CutPrefix(string(body), pointerVersion)
	if !ok {
		return Pointer{}, false
	}
	for line := range strings.Lines(rest) {
		line = strings.TrimSuffix(line, "\n")
		if sum, ok := strings.CutPrefix(line, "oid sha256:"); ok {
			p.SHA256 = sum
		}
		if size, ok := strings.CutPrefix(line, "size "); ok {
			n, err := strconv.ParseInt(size, 10, 64)
			if err != nil || n < 0 {
				return Pointer{}, false
			}
			p.Size = n
		}
	}
	return p, len(p.SHA256) == 64 && Hex(p.SHA256)
}

// Pointer reads a blob as a pointer; nil means other content.
func (o *Objects) Pointer(oid string) (*Pointer, error) {
	o.mu.Lock()
	p, known := o.pointers[oid]
	o.mu.Unlock()
	if known {
		return p, nil
	}
	size, err := o.Size(oid)
	if err != nil {
		return nil, err
	}
	if size <= maxPointer {
		body, err := o.Blob(oid)
		if err != nil {
			return nil, err
		}
		if got, ok := ParsePointer(body); ok {
			p = &got
		}
	}
	o.mu.Lock()
	o.pointers[oid] = p
	o.mu.Unlock()
	return p, nil
}
