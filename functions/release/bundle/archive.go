// Package bundle is a skill folder on its way: packed into an archive, unpacked,
// and told from Hark's own source. Folders come in, bytes go out. It must not
// know what a manifest says.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Limits of a skill folder, packed and unpacked.
const (
	MaxArchive = 64 << 20  // bytes of the packed folder
	maxFolder  = 256 << 20 // bytes of all files
	maxFiles   = 2000
	maxPath    = 512 // bytes of a file's path
	// maxUnzipped bounds the stream that an archive unzips to: the files, and
	// generously their headers.
	maxUnzipped = maxFolder + maxFiles*8<<10
)

// Pack writes the files below dir that keep accepts to w, as a gzipped tar. The
// same files give the same bytes: times, owners and order do not show. Links
// and hidden files are left out.
func Pack(w io.Writer, dir string, keep func(path string) bool) error {
	files, err := list(dir, keep)
	if err != nil {
		return err
	}
	zipped, err := gzip.NewWriterLevel(w, gzip.BestSpeed) // a developer waits for it
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zipped)
	for _, name := range files {
		if err := packFile(archive, dir, name); err != nil {
			return fmt.Errorf("pack %s: %w", name, err)
		}
	}
	return errors.Join(archive.Close(), zipped.Close())
}

func list(dir string, keep func(string) bool) ([]string, error) {
	var files []string
	var size int64
	dir, err := filepath.EvalSymlinks(dir) // a link to a folder is not walked
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(d.Name(), ".") && name != "."; hidden && d.IsDir() {
			return filepath.SkipDir
		} else if hidden || !d.Type().IsRegular() || keep != nil && !keep(filepath.ToSlash(name)) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if size += info.Size(); size > maxFolder || len(files) == maxFiles {
			return fmt.Errorf("the folder holds more than %d MiB or %d files: a skill is a function, keep its data elsewhere", maxFolder>>20, maxFiles)
		}
		files = append(files, filepath.ToSlash(name))
		return nil
	})
	slices.Sort(files)
	return files, err
}

func packFile(archive *tar.Writer, dir, name string) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name))) //nolint:gosec // the folder is the caller's
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	header := &tar.Header{Name: name, Mode: mode, Size: info.Size(), Format: tar.FormatPAX}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}

// Unpack reads an archive made by Pack, or by a stranger, into dir, which must
// exist. Nothing is written outside of dir.
func Unpack(r io.Reader, dir string) error { return unpack(r, dir, maxUnzipped) }

func unpack(r io.Reader, dir string, unzippedMost int64) error {
	zipped, err := gzip.NewReader(io.LimitReader(r, MaxArchive))
	if err != nil {
		return fmt.Errorf("the archive is not gzip: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer root.Close()
	archive, left := tar.NewReader(io.LimitReader(zipped, unzippedMost)), int64(maxFolder)
	for n := 0; ; n++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the archive is cut off, too large or not a tar: %w", err)
		}
		if left -= header.Size; left < 0 || n == maxFiles {
			return fmt.Errorf("the archive holds more than %d MiB or %d files", maxFolder>>20, maxFiles)
		}
		if err := unpackFile(root, archive, header); err != nil {
			return fmt.Errorf("unpack %.100q: %w", header.Name, err)
		}
	}
}

func unpackFile(root *os.Root, archive io.Reader, header *tar.Header) error {
	switch header.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
	default:
		return errors.New("only plain files may be in a skill's archive")
	}
	name := filepath.FromSlash(header.Name)
	if !filepath.IsLocal(name) {
		return errors.New("the path leads out of the folder")
	}
	if len(name) > maxPath {
		return fmt.Errorf("the path has more than %d bytes", maxPath)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if header.Mode&0o111 != 0 {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, archive, header.Size)
	return errors.Join(err, f.Sync(), f.Close()) // the folder is trusted after a power cut, too
}

// Packed returns the archive of a folder and its SHA-256, in hex.
func Packed(dir string, keep func(string) bool) ([]byte, string, error) {
	var archive bytes.Buffer
	if err := Pack(&archive, dir, keep); err != nil {
		return nil, "", err
	}
	if archive.Len() > MaxArchive {
		return nil, "", fmt.Errorf("the skill is %d MiB packed, %d at most", archive.Len()>>20, MaxArchive>>20)
	}
	sum := sha256.Sum256(archive.Bytes())
	return archive.Bytes(), hex.EncodeToString(sum[:]), nil
}

// Module is the Go module that Hark and the SDK are.
const Module = "github.com/hark-voice/hark"

// FindSource returns the folder of Hark's own source: dir or the nearest folder
// above it whose go.mod is Hark's, or empty.
func FindSource(dir string) string {
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod")) //nolint:gosec // looks for a go.mod by design
		if err == nil && bytes.HasPrefix(bytes.TrimSpace(mod), []byte("module "+Module+"\n")) {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}
