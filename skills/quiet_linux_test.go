package skills

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

// quietPair are the two ends of a connection.
func quietPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "end")
		conn, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		ends[i] = quiet(conn)
		t.Cleanup(func() { _ = ends[i].Close() })
		if _, ok := ends[i].(*quietConn); !ok {
			t.Fatalf("%T is not quiet", ends[i])
		}
	}
	return ends[0], ends[1]
}

// More than the socket holds goes over, whoever of the two is the slower one.
func TestQuietConnCarriesAll(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	for name, reader := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r },
		"half":  iotest.HalfReader,
	} {
		a, b := quietPair(t)
		wrote := make(chan error, 1)
		go func() {
			n, err := a.Write(sent)
			if err == nil && n != len(sent) {
				err = io.ErrShortWrite
			}
			wrote <- errors.Join(err, a.Close())
		}()
		got, err := io.ReadAll(reader(b))
		if err = errors.Join(err, <-wrote); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(sent), err)
		}
	}
}

func TestQuietConnEnds(t *testing.T) {
	a, b := quietPair(t)
	ended := make(chan error, 1)
	go func() {
		_, err := a.Read(make([]byte, 1))
		ended <- err
	}()
	_ = a.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed while it reads: %v", err)
	}
	if n, err := b.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read after the other end is closed: %d, %v", n, err)
	}
	if _, err := b.Write([]byte{1}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write after the other end is closed: %v", err)
	}
}

func TestQuietConnDeadline(t *testing.T) {
	a, b := quietPair(t)
	if err := a.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	wrote := make(chan error, 1)
	n := 0
	go func() {
		var err error
		n, err = a.Write(make([]byte, 4<<20))
		wrote <- err
	}()
	if _, err := b.Read(make([]byte, 1)); err != nil { // the write is on
		t.Fatal(err)
	}
	if err := a.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 4<<20 {
		t.Errorf("write: %d, %v", n, err)
	}
}
