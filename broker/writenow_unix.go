//go:build unix

package broker

import (
	"net"
	"syscall"
)

// immediate writes what a connection takes without waiting.
type immediate struct {
	raw   syscall.RawConn
	write func(fd uintptr) // made once, since each would be an allocation

	b []byte // what write writes
	n int    // what it has written of b
}

// newImmediate returns nil for a connection that has no descriptor of its own.
func newImmediate(c net.Conn) *immediate {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	w := &immediate{raw: raw}
	w.write = func(fd uintptr) {
		n, err := syscall.Write(int(fd), w.b) // the descriptor is a non-blocking one
		if err == nil {
			w.n = n
		}
	}
	return w
}

// Write writes the beginning of b, or nothing, and returns how much. An error
// counts as nothing: whoever writes the rest will meet it again.
func (w *immediate) Write(b []byte) int {
	w.b, w.n = b, 0
	_ = w.raw.Control(w.write) // it fails when the connection is closed
	w.b = nil
	return w.n
}
