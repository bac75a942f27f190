package runtime

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// reacher is one way to connect to a process.
type reacher interface {
	// prepare returns the value of HARK_SKILL_LISTEN.
	prepare() (string, error)
	// handOver returns the file that becomes descriptor 3, or nil.
	handOver() *os.File
	connect(ctx context.Context) (net.Conn, error)
	// release frees what is not needed once the process runs or has failed to.
	release()
}

type reachFD struct {
	conn   net.Conn
	handed *os.File
}

func (r *reachFD) prepare() (listen string, err error) {
	r.conn, r.handed, err = socketFiles()
	return "fd:3", err
}

func (r *reachFD) handOver() *os.File { return r.handed }

func (r *reachFD) connect(context.Context) (net.Conn, error) {
	// Our copy of their end must go, or its closing would not be seen.
	_ = r.handed.Close()
	conn := r.conn
	r.conn = nil
	return conn, nil
}

func (r *reachFD) release() {
	if r.conn != nil {
		_ = r.conn.Close()
	}
	if r.handed != nil {
		_ = r.handed.Close()
	}
}

type reachUnix struct{ parent, dir string }

func (r *reachUnix) prepare() (listen string, err error) {
	r.dir, err = os.MkdirTemp(r.parent, "hark-") // of mode 0700
	if err != nil {
		return "", fmt.Errorf("make a folder for the socket: %w", err)
	}
	return "unix:" + r.path(), nil
}

func (r *reachUnix) path() string       { return filepath.Join(r.dir, "s") }
func (r *reachUnix) handOver() *os.File { return nil }

func (r *reachUnix) connect(ctx context.Context) (net.Conn, error) {
	return dialUnix(ctx, r.path())
}

func (r *reachUnix) release() {
	if r.dir != "" {
		_ = os.RemoveAll(r.dir)
	}
}
