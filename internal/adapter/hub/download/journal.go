package download

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"sync"
)

// journal says which ranges of a file have arrived. It is a text: what the
// file is, then one line for each finished range, added when the range has been
// written. A torn last line costs one range.
type journal struct {
	mu   sync.Mutex
	f    *os.File
	meta Meta
	size int64 // of one range
	done map[int64]bool
	next int64
}

// openJournal goes on with the journal of the same content, if there is one
// and data is what it is about; otherwise it starts over.
func openJournal(name string, data *os.File, m Meta, size int64) (*journal, error) {
	j := &journal{meta: m, size: size, done: map[int64]bool{}}
	info, err := data.Stat()
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("ranges 1 %s %d %d", m.ETag, m.Size, size)
	if j.f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(j.f)
	if info.Size() == m.Size && lines.Scan() && lines.Text() == head {
		for lines.Scan() {
			if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil && n >= 0 && n < j.count() {
				j.done[n] = true
			}
		}
	}
	return j, j.rewrite(head, data)
}

// rewrite writes the journal anew, so that no torn line is left in it, and
// makes room for the whole file.
func (j *journal) rewrite(head string, data *os.File) error {
	text := head + "\n"
	for n := range j.done {
		text += strconv.FormatInt(n, 10) + "\n"
	}
	if err := j.f.Truncate(0); err != nil {
		return err
	}
	if _, err := j.f.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	if _, err := j.f.Seek(0, 2); err != nil {
		return err
	}
	return data.Truncate(j.meta.Size)
}

// count is how many ranges there are.
func (j *journal) count() int64 { return (j.meta.Size + j.size - 1) / j.size }

func (j *journal) span(n int64) (from, to int64) {
	return n * j.size, min((n+1)*j.size, j.meta.Size)
}

// bytes is how much has arrived.
func (j *journal) bytes() (sum int64) {
	for n := range j.done {
		from, to := j.span(n)
		sum += to - from
	}
	return sum
}

// take hands out the next missing range.
func (j *journal) take() (n, from, to int64, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.done[j.next] {
		j.next++
	}
	if j.next >= j.count() {
		return 0, 0, 0, false
	}
	n = j.next
	j.next++
	from, to = j.span(n)
	return n, from, to, true
}

// finish notes that a range has arrived.
func (j *journal) finish(n int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done[n] = true
	_, err := fmt.Fprintf(j.f, "%d\n", n)
	return err
}

func (j *journal) close() error { return j.f.Close() }
