package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData returns when what was written to a file is on the disk, without its
// times.
func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for failed = unix.EINTR; errors.Is(failed, unix.EINTR); {
			failed = unix.Fdatasync(int(fd))
		}
	})
	return errors.Join(err, failed)
}
