package broker

import (
	"net"
	"syscall"
)

// quickAck returns a function that turns delayed acknowledgement off for the next
// segment; the kernel turns it on again by itself, so it is called after each
// read. A client whose TCP waits for our acknowledgement before it sends its next
// small write (Nagle) would otherwise wait 40 ms.
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
