package clustertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy forwards TCP connections to a target until it is told to cut them. Safe for concurrent use.
type Proxy struct {
	target string
	lis    net.Listener

	mu     sync.Mutex
	frozen *sync.Cond // waits while hold is set
	mode   mode
	conns  map[net.Conn]bool
	done   sync.WaitGroup
}

type mode int

const (
	forward mode = iota
	hold         // bytes go nowhere, connections stay: a network that drops packets
	refuse       // connections are closed
)

// NewProxy makes a proxy on a port of its own; it ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, lis: lis, conns: map[net.Conn]bool{}}
	p.frozen = sync.NewCond(&p.mu)
	p.done.Go(p.accept)
	t.Cleanup(func() {
		_ = lis.Close()
		p.Cut()
		p.done.Wait()
	})
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.lis.Addr().String() }

// Cut closes all connections and every new one.
func (p *Proxy) Cut() {
	p.set(refuse)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Blackhole keeps connections open and passes nothing on, in either direction.
func (p *Proxy) Blackhole() { p.set(hold) }

// Heal forwards again. What a black hole swallowed in the meantime is delivered late, as a network may.
func (p *Proxy) Heal() { p.set(forward) }

func (p *Proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	p.frozen.Broadcast()
}

func (p *Proxy) accept() {
	for {
		in, err := p.lis.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.serve(in) })
	}
}

func (p *Proxy) serve(in net.Conn) {
	defer in.Close() //nolint:errcheck // cut or done
	if !p.pass() {
		return
	}
	out, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer out.Close() //nolint:errcheck // cut or done
	p.mu.Lock()
	if p.mode == refuse {
		p.mu.Unlock()
		return
	}
	p.conns[in], p.conns[out] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(out, in) })
	both.Go(func() { p.copy(in, out) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, in)
	delete(p.conns, out)
	p.mu.Unlock()
}

func (p *Proxy) copy(to io.WriteCloser, from net.Conn) {
	defer to.Close()   //nolint:errcheck // ends the other direction too
	defer from.Close() //nolint:errcheck // likewise
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.pass() {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits while the proxy holds, and tells whether to go on.
func (p *Proxy) pass() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mode == hold {
		p.frozen.Wait()
	}
	return p.mode == forward
}
