package broker

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// What is written in either way arrives in order and whole, however slowly it is
// read, and Close loses nothing of it.
func TestSocketOrder(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).SetWriteBuffer(4096); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	const words = 1 << 15
	s := &socket{Conn: c, limit: 8 * words, work: &work, gone: make(chan struct{}), now: newImmediate(c), onFull: func() { t.Error("full") }}
	work.Go(func() {
		b := make([]byte, 0, 100)
		for i := uint64(0); i < words; {
			b = b[:0]
			for range 1 + rand.IntN(10) {
				b = binary.BigEndian.AppendUint64(b, i)
				i++
			}
			write := s.Write
			if rand.IntN(2) == 0 {
				write = s.writeNow
			}
			if n, err := write(b); n != len(b) || err != nil {
				t.Errorf("wrote %d of %d: %v", n, len(b), err)
				return
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(peer)
	if err != nil || len(got) < 8*words {
		t.Fatalf("read %d bytes: %v", len(got), err)
	}
	for i := range uint64(words) {
		if n := binary.BigEndian.Uint64(got[8*i:]); n != i {
			t.Fatalf("word %d is %d", i, n)
		}
	}
	work.Wait()
	if n, err := s.writeNow([]byte{0}); n != 0 || err == nil {
		t.Errorf("wrote %d after Close: %v", n, err)
	}
}
