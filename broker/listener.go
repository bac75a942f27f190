package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// listener hands connections to mochi: those it accepts, and those of WebSocket.
// TLS will be another value of ln.
type listener struct {
	b    *Broker
	ln   net.Listener
	work sync.WaitGroup // connections and their writers

	mu      sync.Mutex
	closed  bool
	places  int // taken
	sockets map[*socket]struct{}
}

var _ listeners.Listener = (*listener)(nil)

func newListener(b *Broker, ln net.Listener) *listener {
	return &listener{b: b, ln: ln, sockets: make(map[*socket]struct{})}
}

// ID names the listener.
func (l *listener) ID() string { return "tcp" }

// Protocol names the protocol.
func (l *listener) Protocol() string { return "tcp" }

// Address returns the address listened on.
func (l *listener) Address() string { return l.ln.Addr().String() }

// Init does nothing: the address is open already.
func (l *listener) Init(*slog.Logger) error { return nil }

// Close stops accepting. The clients are closed by the Broker.
func (l *listener) Close(listeners.CloseFn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		_ = l.ln.Close() // it is given up either way
	}
}

// Serve accepts until the listener is closed. A failure to accept, such as too
// many open files, is waited out.
func (l *listener) Serve(listeners.EstablishFn) {
	pause := time.Duration(0)
	for {
		c, err := l.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			l.b.log.Warn("cannot accept connections; trying again", "error", err, "in", pause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		l.accept(c)
	}
}

func (l *listener) accept(c net.Conn) {
	if !l.enter() {
		_ = c.Close() // refused
		return
	}
	s := l.newSocket(c)
	_ = s.SetDeadline(time.Now().Add(l.b.opts.ConnectTimeout)) // a dead connection fails in Read
	go l.serve(s)
}

// enter takes a place for a connection, which exit gives back. It fails when there
// is none, or no connections are taken any more.
func (l *listener) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.places >= l.b.opts.MaxConnections+handshakes {
		l.b.counts.add(refusedBusy)
		return false
	}
	l.places++
	l.work.Add(1)
	return true
}

func (l *listener) exit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places--
	l.work.Done()
}

// newSocket returns the socket of a connection, which is closed already if
// connections are not taken any more. forget undoes it.
func (l *listener) newSocket(c net.Conn) *socket {
	o := &l.b.opts
	s := &socket{
		Conn: c, limit: o.MaxWaiting, work: &l.work, gone: make(chan struct{}),
		onFull: func() { l.b.counts.add(droppedSlow) },
	}
	s.now = newImmediate(c)
	s.peer = newPeer(l.b, s)
	if !o.DelayedAck {
		s.quickAck = quickAck(c)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sockets[s] = struct{}{}
	if l.closed {
		_ = s.Close() // refused
	}
	return s
}

func (l *listener) forget(s *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sockets, s)
}

// conn is a connection as the MQTT library sees it.
type conn interface {
	net.Conn
	owner() *peer
	writeNow(b []byte) (int, error)
}

// serve runs a connection to its end. A panic in the MQTT library, which decodes
// what strangers send, ends that connection alone.
func (l *listener) serve(c conn) {
	p := c.owner()
	defer l.exit()
	defer l.forget(p.sock)
	defer func() {
		if r := recover(); r != nil {
			l.b.counts.add(refusedPanic)
			l.b.log.Error("panic while serving a connection", "remote", c.RemoteAddr().String(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			p.forget()
		}
		p.b.guests.leave(p)
		p.unlock()
		_ = c.Close() // it may be closed already
	}()
	err := l.b.server.EstablishConnection(l.ID(), c)
	p.ended(err)
}

// closeSockets ends every connection, those included that sent no CONNECT yet.
func (l *listener) closeSockets() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sockets {
		_ = s.Close() // what fails to close is closed
	}
}
