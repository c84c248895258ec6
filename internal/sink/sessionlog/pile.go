package sessionlog

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// pileTail is how many bytes a pile holds in memory before they go to its file.
const pileTail = 32 << 10

// pile holds bytes that are only ever added to: the newest in memory, all
// others in a file without a name, so that a long session costs no memory.
type pile struct {
	dir    string
	file   *os.File // nil while everything is in memory
	name   string   // of the file, where it could not be taken away at once
	stored int64    // bytes in the file
	tail   []byte   // those behind them
	limit  int      // length of tail at which it is stored
}

func (p *pile) len() int64 { return p.stored + int64(len(p.tail)) }

func (p *pile) full() bool { return len(p.tail) >= max(p.limit, pileTail) }

// store moves the tail to the file. When that fails nothing is lost, and the
// next attempt waits until there is twice as much.
func (p *pile) store() error {
	err := p.open()
	if err == nil {
		_, err = p.file.WriteAt(p.tail, p.stored) // what a failed write left is written over
	}
	if err != nil {
		p.limit = 2 * len(p.tail)
		return fmt.Errorf("put encoded entries aside: %w", err)
	}
	p.stored += int64(len(p.tail))
	p.limit = 0
	if p.tail = p.tail[:0]; cap(p.tail) > 4*pileTail {
		p.tail = nil
	}
	return nil
}

// open creates the file, for its owner alone, beside the one it serves.
func (p *pile) open() (err error) {
	if p.file != nil {
		return nil
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	if p.file, err = os.CreateTemp(p.dir, ".session_*.tmp"); err != nil { // mode 0600
		p.file = nil
		return err
	}
	if err := os.Remove(p.file.Name()); err != nil { // Windows keeps the names of open files
		p.name = p.file.Name()
	}
	return nil
}

// copy writes the bytes from one offset up to another.
func (p *pile) copy(w io.Writer, from, to int64) error {
	if from < p.stored {
		if _, err := p.file.Seek(from, io.SeekStart); err != nil {
			return fmt.Errorf("find encoded entries: %w", err)
		}
		n := min(to, p.stored) - from
		if _, err := io.CopyN(w, p.file, n); err != nil { // from file to file inside the kernel
			return fmt.Errorf("copy encoded entries: %w", err)
		}
		from += n
	}
	if from >= to {
		return nil
	}
	_, err := w.Write(p.tail[from-p.stored : to-p.stored])
	return err
}

func (p *pile) close() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	if p.name != "" {
		err = errors.Join(err, os.Remove(p.name))
	}
	p.file, p.stored, p.tail = nil, 0, nil
	return err
}
