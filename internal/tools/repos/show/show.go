// Package show is how the repository tools show what they have read: sizes,
// listings, and the kinds of files that no reader wants to see as they are. It
// asks nobody.
package show

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// Size is a number of bytes in steps of 1024, with one decimal and no blank.
func Size(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "KB", "MB", "GB", "TB"} {
		if f < 1024 {
			return fmt.Sprintf("%.1f%s", f, unit)
		}
		f /= 1024
	}
	return fmt.Sprintf("%.1fPB", f)
}

// File is an entry of a listing; Size is -1 for a folder.
type File struct {
	Path string
	Size int64
	Note string
}

// listLimit is the most lines of a listing.
const listLimit = 500

// List is a listing, sorted. A long one ends with the number of files in each
// folder.
func List(files []File) string {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var lines []string
	for _, f := range files[:min(len(files), listLimit)] {
		line := f.Path + "/"
		if f.Size >= 0 {
			line = fmt.Sprintf("%s (%s)", f.Path, Size(f.Size))
		}
		if f.Note != "" {
			line += " " + f.Note
		}
		lines = append(lines, line)
	}
	if len(files) <= listLimit {
		return strings.Join(lines, "\n")
	}
	counts, order := map[string]int{}, []string{}
	for _, f := range files {
		if f.Size < 0 {
			continue
		}
		dir := path.Dir(f.Path) + "/"
		if counts[dir]++; counts[dir] == 1 {
			order = append(order, dir)
		}
	}
	lines = append(lines, fmt.Sprintf("… %d entries in all; files in each folder (use path to list one):", len(files)))
	for _, dir := range order[:min(len(order), 100)] {
		lines = append(lines, fmt.Sprintf("%s %d", dir, counts[dir]))
	}
	return strings.Join(lines, "\n")
}

// Text reports whether the beginning of a file is text. A character that the
// end of the piece has cut does not count against it.
func Text(head []byte) bool {
	if bytes.IndexByte(head[:min(len(head), 8192)], 0) >= 0 {
		return false
	}
	for cut := range 4 {
		if cut <= len(head) && utf8.Valid(head[:len(head)-cut]) {
			return true
		}
	}
	return false
}

// Fence is text in a code block that it cannot end by itself.
func Fence(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + strings.TrimSuffix(text, "\n") + "\n" + fence
}

// headerLimit bounds the header of a file of weights, in bytes.
const headerLimit = 16 << 20

// Weights summarises a safetensors file of the given size.
func Weights(r io.ReaderAt) (string, error) {
	var length [8]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return "", fmt.Errorf("read the header of the weights: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n == 0 || n > headerLimit {
		return "", fmt.Errorf("the header of the weights claims %d bytes: this is no safetensors file", n)
	}
	header := make([]byte, n)
	if _, err := r.ReadAt(header, 8); err != nil {
		return "", fmt.Errorf("read the header of the weights: %w", err)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return "", fmt.Errorf("read the header of the weights: %w", err)
	}
	return tensors(entries), nil
}

func tensors(entries map[string]json.RawMessage) string {
	type tensor struct {
		Dtype string  `json:"dtype"`
		Shape []int64 `json:"shape"`
	}
	byType := map[string]int64{}
	var names, lines []string
	var total int64
	for name := range entries {
		if name != "__metadata__" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		var t tensor
		if json.Unmarshal(entries[name], &t) != nil {
			continue
		}
		n := int64(1)
		for _, d := range t.Shape {
			n *= d
		}
		total += n
		byType[t.Dtype] += n
		if len(lines) < 100 {
			lines = append(lines, fmt.Sprintf("%s %s %v", name, t.Dtype, t.Shape))
		}
	}
	var types []string
	for dtype, n := range byType {
		types = append(types, fmt.Sprintf("%s: %d", dtype, n))
	}
	slices.Sort(types)
	out := fmt.Sprintf("safetensors: %d tensors, %d parameters (%s)", len(names), total, strings.Join(types, ", "))
	if meta, ok := entries["__metadata__"]; ok {
		out += "\nmetadata: " + string(meta)
	}
	out += "\n" + strings.Join(lines, "\n")
	if len(names) > len(lines) {
		out += fmt.Sprintf("\n… (%d more)", len(names)-len(lines))
	}
	return out
}

// Table summarises a Parquet file: its rows and its schema.
func Table(r io.ReaderAt, size int64) (text string, err error) {
	defer func() {
		if p := recover(); p != nil { // hostile files reach corners of the reader
			err = fmt.Errorf("read the Parquet file: %v", p)
		}
	}()
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return "", fmt.Errorf("read the Parquet file: %w", err)
	}
	return fmt.Sprintf("parquet: %d rows, %d row groups\n%s", file.NumRows(), len(file.RowGroups()), file.Schema()), nil
}
