package broker

import (
	"net"
	"syscall"
)

// quickAck returns a function that acknowledges what was received, and the segment
// after it without delay; the kernel turns delays on again by itself. A client
// whose TCP waits for our acknowledgement before it sends its next small write
// (Nagle) would otherwise wait 40 ms, unless something is written to it before.
func quickAck(c net.Conn) func() {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	set := func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) // only a hint
	}
	return func() { _ = raw.Control(set) }
}
