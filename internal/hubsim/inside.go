package hubsim

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Inside connects a client of the same process to the host at an address of the
// simulator (host:port of URL or CDNURL), without any network: for a machine
// whose loopback interface is down. It works between Start and Close.
func (h *Hub) Inside(ctx context.Context, address string) (net.Conn, error) {
	h.mu.Lock()
	var to *pipes
	for i, origin := range h.origin {
		if origin == "http://"+address {
			to = h.inside[i]
		}
	}
	h.mu.Unlock()
	if to == nil {
		return nil, fmt.Errorf("%s is no address of the simulator", address)
	}
	return to.dial(ctx)
}

// pipes is a listener whose connections are pipes inside the process.
type pipes struct {
	address net.Addr
	waiting chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newPipes(address net.Addr) *pipes {
	return &pipes{address: address, waiting: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	var err error
	select {
	case p.waiting <- server:
		return client, nil
	case <-p.closed:
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	_, _ = client.Close(), server.Close()
	return nil, err
}

// Accept waits for the next client.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.waiting:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close lets nobody in any more.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr is the address that the pipes stand for.
func (p *pipes) Addr() net.Addr { return p.address }
