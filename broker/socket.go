package broker

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writeTimeout = 30 * time.Second // a peer that takes nothing for so long is gone
	flushTimeout = time.Second      // for what waits when the connection is closed
	keptBuffer   = 1024             // bytes; larger ones are not kept for the next write
)

var errFull = errors.New("the peer reads too slowly")

// socket is a connection whose Write never blocks: what is written waits in a buffer
// for a writer, so that what is written together goes out together, and a full
// buffer ends the connection. Close lets what waits be written first, for a moment.
type socket struct {
	net.Conn
	limit    int        // bytes that may wait
	quickAck func()     // asks the kernel to acknowledge what was read; may be nil
	now      *immediate // guarded by mu; nil: not possible
	onFull   func()
	work     *sync.WaitGroup // counts writers
	peer     *peer

	gone chan struct{} // closed when the connection is

	unanswered atomic.Bool // nothing was written since something was read

	mu      sync.Mutex
	waiting []byte
	flying  []byte // what the writer holds
	writing bool   // a writer runs
	closed  bool
	v3      bool   // the peer speaks MQTT 3, where a server sends no DISCONNECT
	drained func() // called once when nothing waits any more
}

// Read reads; the deadline is whatever SetDeadline said last. What was read before
// is acknowledged first, unless a packet that will do so is due.
func (s *socket) Read(b []byte) (int, error) {
	if s.quickAck != nil && s.unanswered.Load() && !s.peer.window.Owes() {
		s.unanswered.Store(false)
		s.quickAck()
	}
	n, err := s.Conn.Read(b)
	if n > 0 {
		s.unanswered.Store(true)
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
	if err := s.put(b); err != nil {
		return 0, err
	}
	s.start()
	return len(b), nil
}

// writeNow is a Write that nothing is about to follow: what waits is written at
// once, as far as the peer takes it.
func (s *socket) writeNow(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.put(b); err != nil {
		return 0, err
	}
	if s.now != nil && len(s.flying) == 0 {
		n := s.now.Write(s.waiting)
		s.waiting = kept(slices.Delete(s.waiting, 0, n))
		s.unanswered.Store(false)
	}
	s.start()
	return len(b), nil
}

// put lets b wait. s.mu is held.
func (s *socket) put(b []byte) error {
	if s.closed {
		return net.ErrClosed
	}
	if len(s.flying)+len(s.waiting)+len(b) > s.limit {
		_ = s.abort() // the connection is given up
		s.onFull()
		return errFull
	}
	s.waiting = append(s.waiting, b...)
	return nil
}

// start starts a writer, if one is needed. s.mu is held.
func (s *socket) start() {
	if len(s.waiting) > 0 && !s.writing {
		s.writing = true
		s.work.Go(s.write)
	}
}

// kept returns a buffer for what is written next, unless it is empty and large.
func kept(b []byte) []byte {
	if len(b) == 0 && cap(b) > keptBuffer {
		return nil
	}
	return b
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
	s.waiting, s.flying = kept(s.flying[:0]), b
	switch {
	case len(b) > 0:
		s.unanswered.Store(false)
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
	wait := len(s.flying) + len(s.waiting)
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
