package skills

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
)

// listen opens what HARK_SKILL_LISTEN names: "fd:3", an open connection;
// "unix:PATH" or "tcp:ADDR", a socket to accept connections on.
func listen(ctx context.Context, where string) (net.Listener, error) {
	scheme, rest, _ := strings.Cut(where, ":")
	var config net.ListenConfig
	switch scheme {
	case "fd":
		return inherit(rest)
	case "unix":
		return config.Listen(ctx, "unix", rest)
	case "tcp":
		if err := checkLoopback(rest); err != nil {
			return nil, err
		}
		return config.Listen(ctx, "tcp", rest)
	default:
		return nil, fmt.Errorf("%s is %q: want fd:NUMBER, unix:PATH or tcp:ADDRESS", listenVar, where)
	}
}

// checkLoopback refuses to serve a network in the clear.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: %w", listenVar, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s: %s is not a loopback address, and serving others needs TLS: use 127.0.0.1:PORT", listenVar, addr)
}

func inherit(number string) (net.Listener, error) {
	fd, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not the number of a file descriptor", listenVar, number)
	}
	f := os.NewFile(uintptr(fd), "hark")
	conn, err := net.FileConn(f) // a duplicate
	if err != nil {              // f stays open: it may be the Go runtime's own
		return nil, fmt.Errorf("%s: descriptor %d is not a connected socket: %w", listenVar, fd, err)
	}
	_ = f.Close()
	return newSingle(conn), nil
}

// single is a listener with one connection. When that is closed, so is the
// listener.
type single struct {
	addr net.Addr
	conn chan net.Conn
	done chan struct{}
	once sync.Once
}

func newSingle(conn net.Conn) *single {
	s := &single{addr: conn.LocalAddr(), conn: make(chan net.Conn, 1), done: make(chan struct{})}
	s.conn <- &singleConn{Conn: quiet(conn), listener: s}
	return s
}

func (s *single) Accept() (net.Conn, error) {
	select {
	case c := <-s.conn:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *single) Addr() net.Addr { return s.addr }

func (s *single) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

type singleConn struct {
	net.Conn

	listener *single
}

func (c *singleConn) Close() error {
	_ = c.listener.Close()
	return c.Conn.Close()
}
