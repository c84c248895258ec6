// Package pdf reads the text of PDF documents in the order in which people read
// it: columns one after the other, words that a line broke joined, headings by
// the size of their type. What it gives is Markdown and approximate. A document
// is read in a child process that can open nothing and is bounded in time and
// memory, since PDF is a format to attack readers with. It does not know where a
// document comes from.
package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Limits of a document.
const (
	MaxBytes = 32 << 20 // of the file
	MaxPages = 400
	maxText  = 4 << 20 // bytes of text
	// patience is how long the child may take, seconds the time on a processor
	// it has, memory what it may ask for beyond what it begins with, in bytes.
	patience = 45 * time.Second
	seconds  = 30
	memory   = 2 << 30
)

// command is the hidden first argument that makes this program the child.
const command = "__pdf_text"

// The child's exit codes that say what is wrong with the document.
const (
	exitBroken = 3 + iota
	exitNoText
	exitLocked
)

// Kinds of documents that cannot be read.
var (
	ErrBroken = errors.New("the document is no PDF that can be read")
	ErrNoText = errors.New("the PDF has no text: its pages may be pictures")
	ErrLocked = errors.New("the PDF is protected by a password")
	ErrLimit  = errors.New("the PDF is larger than 32 MiB")
)

// Text returns the text of a document as Markdown. The program must call [Main]
// first thing: the child is the same program.
func Text(ctx context.Context, data []byte) (string, error) {
	if len(data) > MaxBytes {
		return "", ErrLimit
	}
	if !bytes.HasPrefix(data, []byte("%PDF-")) {
		return "", ErrBroken
	}
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		path, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("read PDF: find this program: %w", err)
		}
		self = path
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, command)
	cmd.Env = []string{"GOTRACEBACK=none", "GOMAXPROCS=2"}
	cmd.Dir = os.TempDir()
	cmd.Stdin = bytes.NewReader(data)
	var out limited
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return strings.ToValidUTF8(out.String(), ""), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("read PDF: %w", context.Cause(ctx))
	case !errors.As(err, &exit):
		return "", fmt.Errorf("read PDF: start the reader: %w", err)
	}
	switch exit.ExitCode() {
	case exitBroken:
		return "", ErrBroken
	case exitNoText:
		return "", ErrNoText
	case exitLocked:
		return "", ErrLocked
	}
	return "", fmt.Errorf("read PDF: its reader gave up (%s): %w", exit.String(), ErrBroken)
}

// limited keeps the first bytes that are written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), max(maxText-l.Len(), 0))])
	return len(p), nil
}

// ReadFrom hides the buffer's own, which has no limit.
func (l *limited) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{l}, r)
}

// Main must be called with os.Args at the beginning of main: when they ask for
// it, this process reads a document from its standard input and writes the text.
// When it returns handled, the process must exit with code.
func Main(args []string) (handled bool, code int) {
	if len(args) != 2 || args[1] != command {
		return false, 0
	}
	data, err := io.ReadAll(io.LimitReader(os.Stdin, MaxBytes+1))
	if err != nil || len(data) > MaxBytes {
		return true, exitBroken
	}
	debug.SetMemoryLimit(memory * 3 / 4)
	fence()
	text, code := read(data)
	if code == 0 {
		if _, err := io.WriteString(os.Stdout, text); err != nil {
			return true, 1
		}
	}
	return true, code
}

// read returns the text of a document, or the exit code that says why not.
func read(data []byte) (text string, code int) {
	defer func() {
		if recover() != nil {
			text, code = "", exitBroken
		}
	}()
	pages, code := interpret(data)
	if code != 0 {
		return "", code
	}
	if text = prose(pages); text == "" {
		return "", exitNoText
	}
	return text, 0
}
