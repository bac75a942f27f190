package skills

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// quietConn reads and writes without telling the Go runtime of it. Told of a
// system call, the runtime of a process that slept wakes its monitor thread as
// well, and that is a third of the processor time of a small call. The runtime
// has to be told of calls that may block; these do not.
type quietConn struct {
	net.Conn

	raw syscall.RawConn
}

// quiet makes a connection quiet if it can be.
func quiet(conn net.Conn) net.Conn {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return conn
	}
	return &quietConn{Conn: conn, raw: raw}
}

// Read returns io.EOF once the other end is closed.
func (c *quietConn) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	waited := c.raw.Read(func(fd uintptr) bool {
		n, err = transfer(syscall.SYS_READ, fd, p)
		return !errors.Is(err, syscall.EAGAIN)
	})
	switch {
	case waited != nil:
		return 0, waited
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes all of p, unless it fails.
func (c *quietConn) Write(p []byte) (n int, err error) {
	waited := c.raw.Write(func(fd uintptr) bool {
		for err = nil; n < len(p) && err == nil; {
			var more int
			more, err = transfer(syscall.SYS_WRITE, fd, p[n:])
			n += more
		}
		return !errors.Is(err, syscall.EAGAIN)
	})
	if waited != nil {
		return n, waited
	}
	return n, os.NewSyscallError("write", err)
}

// transfer makes a system call on a descriptor that does not block.
func transfer(call, fd uintptr, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))) //nolint:gosec // as syscall.Read does
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
