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

// listener hands accepted connections to mochi. TLS and WebSocket will be other
// values of ln.
type listener struct {
	b    *Broker
	ln   net.Listener
	work sync.WaitGroup // connections and their writers

	mu      sync.Mutex
	closed  bool
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
func (l *listener) Serve(establish listeners.EstablishFn) {
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
		l.accept(c, establish)
	}
}

func (l *listener) accept(c net.Conn, establish listeners.EstablishFn) {
	o := &l.b.opts
	s := &socket{
		Conn: c, limit: o.MaxWaiting, work: &l.work, gone: make(chan struct{}),
		onFull: func() { l.b.counts.add(droppedSlow) },
	}
	s.peer = newPeer(l.b, s)
	if !o.DelayedAck {
		s.quickAck = quickAck(c)
	}
	if !l.track(s) {
		_ = c.Close() // refused
		return
	}
	_ = c.SetDeadline(time.Now().Add(o.ConnectTimeout)) // a dead connection fails in Read
	l.work.Go(func() {
		defer l.untrack(s)
		l.serve(s, establish)
	})
}

// serve runs a connection to its end. A panic in the MQTT library, which decodes
// what strangers send, ends that connection alone.
func (l *listener) serve(s *socket, establish listeners.EstablishFn) {
	defer func() {
		if r := recover(); r != nil {
			l.b.counts.add(refusedPanic)
			l.b.log.Error("panic while serving a connection", "remote", s.RemoteAddr().String(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			s.peer.forget()
		}
		s.peer.unlock()
		_ = s.Close() // it may be closed already
	}()
	err := establish(l.ID(), s)
	s.peer.ended(err)
}

func (l *listener) track(s *socket) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.sockets) >= l.b.opts.MaxConnections+handshakes {
		l.b.counts.add(refusedBusy)
		return false
	}
	l.sockets[s] = struct{}{}
	return true
}

func (l *listener) untrack(s *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sockets, s)
}

// closeSockets ends every connection, those included that sent no CONNECT yet.
func (l *listener) closeSockets() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sockets {
		_ = s.Close() // what fails to close is closed
	}
}
