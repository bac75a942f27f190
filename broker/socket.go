package broker

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	writeTimeout = 30 * time.Second // a peer that takes nothing for so long is gone
	flushTimeout = time.Second      // for what waits when the connection is closed
)

var errFull = errors.New("the peer reads too slowly")

// socket is a connection whose Write never blocks: what the peer does not take at
// once waits in a buffer, and a full buffer ends the connection. Close lets what
// waits be written first, for a moment.
type socket struct {
	net.Conn
	limit    int    // bytes that may wait
	quickAck func() // asks the kernel to acknowledge at once; may be nil
	onFull   func()
	work     *sync.WaitGroup // counts writers
	peer     *peer

	gone chan struct{} // closed when the connection is

	mu      sync.Mutex
	waiting []byte
	flying  int  // bytes that the writer holds
	writing bool // a writer runs
	closed  bool
	v3      bool   // the peer speaks MQTT 3, where a server sends no DISCONNECT
	drained func() // called once when nothing waits any more
}

// Read reads; the deadline is whatever SetDeadline said last.
func (s *socket) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if n > 0 && s.quickAck != nil {
		s.quickAck()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && s.isClosed() {
		err = net.ErrClosed
	}
	return n, err
}

// Write takes b at once, or fails and ends the connection.
func (s *socket) Write(b []byte) (int, error) {
	if s.unknown(b) {
		return len(b), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	if s.flying+len(s.waiting)+len(b) > s.limit {
		_ = s.abort() // the connection is given up
		s.onFull()
		return 0, errFull
	}
	s.waiting = append(s.waiting, b...)
	if !s.writing {
		s.writing = true
		s.work.Go(s.write)
	}
	return len(b), nil
}

// unknown tells whether b is a packet that the peer's version of MQTT does not let
// a server send.
func (s *socket) unknown(b []byte) bool {
	if len(b) != 2 || b[0] != 0xE0 || b[1] != 0 { // a DISCONNECT as MQTT 3 writes it
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.v3
}

// write writes until nothing waits.
func (s *socket) write() {
	for {
		b, drained := s.next()
		if drained != nil {
			drained()
			continue
		}
		if b == nil {
			return
		}
		if _, err := s.Conn.Write(b); err != nil {
			s.mu.Lock()
			s.writing = false
			_ = s.abort() // the connection is dead
			s.mu.Unlock()
			return
		}
	}
}

// next returns what to write, or whom to tell that nothing waits. When there is
// neither, the writer ends.
func (s *socket) next() (b []byte, drained func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b = s.waiting
	s.waiting, s.flying = nil, len(b)
	switch {
	case len(b) > 0:
		timeout := writeTimeout
		if s.closed {
			timeout = flushTimeout
		}
		_ = s.Conn.SetWriteDeadline(time.Now().Add(timeout)) // a dead connection fails in Write
		return b, nil
	case s.drained != nil && !s.closed:
		drained, s.drained = s.drained, nil
		return nil, drained
	}
	s.writing = false
	if s.closed {
		_ = s.Conn.Close() // nothing is left to lose
	}
	return nil, nil
}

// crowded tells whether n more bytes would take the buffer beyond its half. If so,
// drained is called, once, when nothing waits any more.
func (s *socket) crowded(n int, drained func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := s.flying + len(s.waiting)
	if s.closed || wait == 0 || wait+n <= s.limit/2 {
		return false
	}
	s.drained = drained
	return true
}

// Close ends the connection once what waits is written, within flushTimeout.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if !s.writing {
		return s.abort()
	}
	s.closed = true
	close(s.gone)
	_ = s.SetReadDeadline(time.Unix(1, 0)) // wakes the reader
	return s.Conn.SetWriteDeadline(time.Now().Add(flushTimeout))
}

// abort ends the connection at once. s.mu is held.
func (s *socket) abort() error {
	if !s.closed {
		s.closed = true
		close(s.gone)
	}
	s.waiting = nil
	return s.Conn.Close()
}

// SetDeadline sets the deadline of reads alone: writes have their own.
func (s *socket) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return s.SetReadDeadline(t)
}

// SetWriteDeadline does nothing: writes have their own deadlines. The WebSocket
// library calls it before each.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// owner is the peer that is connected.
func (s *socket) owner() *peer { return s.peer }

func (s *socket) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// speaksV3 notes the version of MQTT that the peer named.
func (s *socket) speaksV3(v3 bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v3 = v3
}
