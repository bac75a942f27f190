package bundle

import "io"

// UnpackWithin is Unpack with another bound for what the archive unzips to.
func UnpackWithin(r io.Reader, dir string, unzippedMost int64) error {
	return unpack(r, dir, unzippedMost)
}
