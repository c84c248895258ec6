package mention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/table"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	"github.com/ml-intern/ml-intern/internal/platform/markup/pdf"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

const (
	// mostNotebook is the largest notebook that is read, in bytes: outputs make
	// them large.
	mostNotebook = 32 << 20
	// pdfWait bounds the reading of a PDF.
	pdfWait = 20 * time.Second
	// endsRead is what is read of the beginning and of the end of a long text,
	// in bytes each.
	endsRead = mostOfOne
)

// content reads a file by what it is.
func (w *reading) content(name, path string, info fs.FileInfo) {
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case picture(ext):
		w.picture(name, path, info)
	case ext == ".ipynb":
		w.notebook(name, path, info)
	case ext == ".pdf":
		w.pdf(name, path, info)
	case tabular(path, info.Size()):
		w.table(name, path, info)
	default:
		w.text(name, path, info)
	}
}

// tabular reports whether a file is shown by its columns. Small JSON files are
// mostly settings and shown as they are.
func tabular(path string, size int64) bool {
	if !table.Known(path) {
		return false
	}
	return strings.ToLower(filepath.Ext(path)) != ".json" || size > mostOfOne
}

// text reads a file of text; of a long one its beginning and its end.
func (w *reading) text(name, path string, info fs.FileInfo) {
	raw, err := ends(path, info.Size())
	if err != nil {
		w.note("@%s was not read: %v", name, cause(err))
		return
	}
	if bytes.IndexByte(raw, 0) >= 0 || !utf8.Valid(raw) && broken(raw) {
		w.note("@%s was not read: it is no text (%s)", name, amount.Bytes(info.Size()))
		return
	}
	about := amount.Bytes(info.Size())
	if len(raw) == 0 {
		about = "empty"
	}
	w.add(name, about, language(path), plain.String(string(raw)))
}

// ends are a file's bytes; of a long one its beginning and its end, with a line
// between them that says so.
func ends(path string, size int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size <= 2*endsRead {
		return io.ReadAll(io.LimitReader(f, 2*endsRead))
	}
	head := make([]byte, endsRead)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, err
	}
	if _, err := f.Seek(-endsRead, io.SeekEnd); err != nil {
		return nil, err
	}
	tail, err := io.ReadAll(io.LimitReader(f, endsRead))
	if err != nil {
		return nil, err
	}
	if i := bytes.LastIndexByte(head, '\n'); i > 0 {
		head = head[:i+1]
	}
	if i := bytes.IndexByte(tail, '\n'); i >= 0 && i+1 < len(tail) {
		tail = tail[i+1:]
	}
	return bytes.Join([][]byte{head, fmt.Appendf(nil, "… about %s left out here …\n", amount.Bytes(size-int64(len(head)+len(tail)))), tail}, nil), nil
}

// broken reports whether much of it is no UTF-8: a single bad byte makes no
// other file of a text.
func broken(raw []byte) bool {
	bad := 0
	for rest := raw; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			bad++
		}
		rest = rest[size:]
	}
	return bad > len(raw)/20
}

// language is what a fence is called, by the ending of a file.
func language(path string) string {
	ext := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	if ext == "" || len(ext) > 10 || strings.ContainsFunc(ext, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		return ""
	}
	return ext
}

// notebook reads the cells of a notebook.
func (w *reading) notebook(name, path string, info fs.FileInfo) {
	if info.Size() > mostNotebook {
		w.note("@%s was not read: the notebook has %s, %s are read", name, amount.Bytes(info.Size()), amount.Bytes(int64(mostNotebook)))
		return
	}
	raw, err := os.ReadFile(path)
	var text string
	if err == nil {
		text, err = markup.Notebook(raw)
	}
	if err != nil {
		w.note("@%s was not read: %v", name, cause(err))
		return
	}
	w.add(name, "notebook, "+amount.Bytes(info.Size()), "", plain.String(text))
}

// pdf reads the text of a PDF.
func (w *reading) pdf(name, path string, info fs.FileInfo) {
	if info.Size() > pdf.MaxBytes {
		w.note("@%s was not read: %v", name, pdf.ErrLimit)
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, pdfWait)
	defer cancel()
	raw, err := os.ReadFile(path)
	var text string
	if err == nil {
		text, err = pdf.Text(ctx, raw)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && w.ctx.Err() == nil:
		w.note("@%s was not read: the PDF takes longer than %s", name, pdfWait)
	case err != nil:
		w.note("@%s was not read: %v", name, cause(err))
	default:
		w.add(name, "PDF, "+amount.Bytes(info.Size())+", its text by approximation", "", plain.String(text))
	}
}
