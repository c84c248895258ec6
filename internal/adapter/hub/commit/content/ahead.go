package content

import (
	"io"
	"os"
	"sync"
)

const (
	// aheadAbove is the size in bytes above which a file is read ahead.
	aheadAbove = 1 << 20
	// aheadBlocks of readSize are in memory at once.
	aheadBlocks = 4
)

// ahead reads a file before its bytes are asked for: disk and hash work while
// the network does. Its goroutine has ended when Close returns.
type ahead struct {
	from  io.ReadCloser
	full  chan block
	free  chan []byte
	stop  chan struct{}
	close sync.Once
	ended chan struct{}

	buffer []byte // of the block at hand
	left   []byte // what of it was not asked for yet
	err    error
}

type block struct {
	buffer []byte
	n      int
	err    error
}

func readAhead(from io.ReadCloser) *ahead {
	a := &ahead{
		from: from, full: make(chan block, aheadBlocks), free: make(chan []byte, aheadBlocks), stop: make(chan struct{}),
		ended: make(chan struct{}),
	}
	for range aheadBlocks {
		a.free <- make([]byte, readSize)
	}
	go a.run()
	return a
}

func (a *ahead) run() {
	defer close(a.ended)
	for {
		var b block
		select {
		case b.buffer = <-a.free:
		case <-a.stop:
			return
		}
		b.n, b.err = a.from.Read(b.buffer)
		a.full <- b // there is room for all of them
		if b.err != nil {
			return
		}
	}
}

// Read gives the next bytes.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.left) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		if a.buffer != nil {
			a.free <- a.buffer
			a.buffer = nil
		}
		select {
		case b := <-a.full:
			a.buffer, a.left, a.err = b.buffer, b.buffer[:b.n], b.err
		case <-a.stop:
			return 0, os.ErrClosed
		}
	}
	n := copy(p, a.left)
	a.left = a.left[n:]
	return n, nil
}

// Close ends the reading and closes the file.
func (a *ahead) Close() error {
	a.close.Do(func() { close(a.stop) })
	<-a.ended
	return a.from.Close()
}
