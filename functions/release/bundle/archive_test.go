package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/release/bundle"
)

// write makes files below dir.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func pack(t *testing.T, dir string, keep func(string) bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := bundle.Pack(&b, dir, keep); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read lists the files below dir with their content.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPackAndUnpack(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write(t, from, map[string]string{
		"skill.yaml": "hark: 1", "main.go": "package main", "sentences/zh-CN.yaml": "语言", "empty": "",
		".git/config": "secret", ".env": "secret", "sub/.hidden/x": "secret",
	})
	if err := os.Chmod(filepath.Join(from, "main.go"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	archive := pack(t, from, func(path string) bool { return path != "sub/x" })
	if err := bundle.Unpack(bytes.NewReader(archive), to); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"skill.yaml": "hark: 1", "main.go": "package main", "sentences/zh-CN.yaml": "语言", "empty": ""}
	if got := read(t, to); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for name, executable := range map[string]bool{"main.go": true, "skill.yaml": false} {
		info, err := os.Stat(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode()&0o100 != 0; got != executable {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
	}
}

func TestPackKeepsWhatItIsToldTo(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write(t, from, map[string]string{"a/one": "1", "a/two": "2", "three": "3"})
	if err := bundle.Unpack(bytes.NewReader(pack(t, from, func(path string) bool { return path == "a/two" })), to); err != nil {
		t.Fatal(err)
	}
	if got := read(t, to); len(got) != 1 || got["a/two"] != "2" {
		t.Errorf("got %v", got)
	}
}

// Neither the place, the times, the order of making nor a umask show.
func TestPackIsDeterministic(t *testing.T) {
	files := map[string]string{"b": "2", "a": "1", "dir/c": "3", "dir.x": "4"}
	first, second := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	write(t, first, files)
	for _, name := range []string{"dir.x", "dir/c", "a", "b"} {
		write(t, second, map[string]string{name: files[name]})
		path := filepath.Join(second, name)
		if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(2, 0)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(second, link); err != nil {
		t.Fatal(err)
	}
	_, hash, err := bundle.Packed(first, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{second, second + "/", link} {
		if _, got, err := bundle.Packed(dir, nil); err != nil || got != hash {
			t.Errorf("%s: hash %s, %v; want %s", dir, got, err, hash)
		}
	}
	write(t, second, map[string]string{"a": "!"})
	if _, got, err := bundle.Packed(second, nil); err != nil || got == hash {
		t.Errorf("another content has the same hash: %s, %v", got, err)
	}
}

func TestPackRefuses(t *testing.T) {
	many, large := t.TempDir(), t.TempDir()
	for i := range 2001 {
		write(t, many, map[string]string{fmt.Sprint("f", i): ""})
	}
	f, err := os.Create(filepath.Join(large, "hole"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errorsOf(f.Truncate(256<<20+1), f.Close()); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"too many": many, "too large": large, "missing": filepath.Join(many, "nowhere")} {
		if _, _, err := bundle.Packed(dir, nil); err == nil {
			t.Errorf("%s: packed", name)
		}
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// archive makes an archive of any headers, each followed by its content.
func archive(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	return gzipped(tb, bytes.NewReader(unzipped(tb, entries...)))
}

func unzipped(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Size == 0 {
			h.Size = int64(len(e.content))
		}
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			tb.Fatal(err)
		}
	}
	_ = w.Flush() // it complains where the content is missing by design
	return b.Bytes()
}

type entry struct {
	tar.Header

	content string
}

func file(name, content string) entry { return entry{tar.Header{Name: name, Mode: 0o644}, content} }

func TestUnpackRefuses(t *testing.T) {
	many := make([]entry, 2001)
	for i := range many {
		many[i] = file(fmt.Sprint("f", i), "")
	}
	for name, c := range map[string]struct {
		archive []byte
		says    string
	}{
		"a path above":         {archive(t, file("../escape", "x")), "leads out"},
		"a path above, hidden": {archive(t, file("a/../../escape", "x")), "leads out"},
		"an absolute path":     {archive(t, file("/tmp/escape", "x")), "leads out"},
		"no name":              {archive(t, file("", "x")), "leads out"},
		"a symbolic link":      {archive(t, entry{tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, ""}), "only plain files"},
		"a hard link":          {archive(t, file("a", "x"), entry{tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "a"}, ""}), "only plain files"},
		"a device":             {archive(t, entry{tar.Header{Name: "d", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 5}, ""}), "only plain files"},
		"a pipe":               {archive(t, entry{tar.Header{Name: "p", Typeflag: tar.TypeFifo}, ""}), "only plain files"},
		"the same file twice":  {archive(t, file("a", "1"), file("a", "2")), "exists"},
		"the same, in disguise": {
			archive(t, file("a", "1"), file("./a", "2")), "exists",
		},
		"a file as a folder":  {archive(t, file("a", "1"), file("a/b", "2")), "a/b"},
		"too many files":      {archive(t, many...), "2000 files"},
		"a huge size":         {archive(t, entry{tar.Header{Name: "a", Size: 257 << 20}, ""}), "256 MiB"},
		"huge sizes together": {archive(t, file("a", strings.Repeat("x", 1<<20)), entry{tar.Header{Name: "b", Size: 256 << 20}, ""}), "256 MiB"},
		"a size without end":  {archive(t, entry{tar.Header{Name: "a", Size: 1 << 62, Format: tar.FormatPAX}, ""}), "256 MiB"},
		"a bottomless path":   {archive(t, file(strings.Repeat("a/", 5000)+"a", "x")), "bytes"},
		"cut off":             {archive(t, file("a", strings.Repeat("x", 1000)))[:60], ""},
		"less than it says":   {archive(t, entry{tar.Header{Name: "a", Size: 1000}, "x"}), "EOF"},
		"not gzip":            {[]byte("hark: 1"), "not gzip"},
		"empty":               {nil, "not gzip"},
		"not a tar":           {gzipped(t, strings.NewReader(strings.Repeat("x", 2000))), "not a tar"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "in")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			err := bundle.Unpack(bytes.NewReader(c.archive), dir)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
			if len(fmt.Sprint(err)) > 500 {
				t.Errorf("an error of %d characters", len(err.Error()))
			}
			if outside, err := os.ReadDir(parent); err != nil || len(outside) != 1 {
				t.Errorf("beside the folder there is %v, %v", outside, err)
			}
		})
	}
}

func gzipped(tb testing.TB, r io.Reader) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.Copy(w, r); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// A small archive that unzips to very much is read no further than it may, also
// where it is all headers and no file.
func TestUnpackReadsABombNoFurtherThanItMust(t *testing.T) {
	t.Parallel()
	var one bytes.Buffer
	w := tar.NewWriter(&one)
	record := &tar.Header{Name: "a", PAXRecords: map[string]string{"HARK.x": strings.Repeat("x", 1<<19)}, Format: tar.FormatPAX}
	if err := w.WriteHeader(record); err != nil {
		t.Fatal(err)
	}
	// Without the header of the file itself, each record is followed by another.
	extended, times := one.Bytes()[:one.Len()-512], 32
	headers := make([]io.Reader, times)
	for i := range headers {
		headers[i] = bytes.NewReader(extended)
	}
	bomb := gzipped(t, io.MultiReader(headers...))
	counted := &counter{r: bytes.NewReader(bomb)}
	if err := bundle.UnpackWithin(counted, t.TempDir(), 4<<20); err == nil {
		t.Error("a bomb was unpacked")
	}
	if counted.n > int64(len(bomb))/2 {
		t.Errorf("%d of %d bytes were read", counted.n, len(bomb))
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func TestUnpackTakesFoldersAndNestedFiles(t *testing.T) {
	dir := t.TempDir()
	packed := archive(t, entry{tar.Header{Name: "sub/", Typeflag: tar.TypeDir, Mode: 0o755}, ""}, file("sub/deep/a", "1"), file("./b", "2"))
	if err := bundle.Unpack(bytes.NewReader(packed), dir); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir); len(got) != 2 || got["sub/deep/a"] != "1" || got["b"] != "2" {
		t.Errorf("got %v", got)
	}
}

func TestFindSource(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"hark/go.mod": "module " + bundle.Module + "\n\ngo 1.26\n", "hark/deploy/x/f": "",
		"other/go.mod": "module " + bundle.Module + "-fork\n", "other/a/f": "",
	})
	hark := filepath.Join(dir, "hark")
	for from, want := range map[string]string{
		"hark": hark, "hark/deploy/x": hark, "hark/": hark, "other/a": "", ".": "", "nowhere": "",
	} {
		if got := bundle.FindSource(filepath.Join(dir, from)); got != want {
			t.Errorf("from %s: %q, want %q", from, got, want)
		}
	}
}

// Whatever the archive, files appear below the folder alone, plain ones, and
// no more than are allowed.
func FuzzUnpack(f *testing.F) {
	f.Add(unzipped(f, file("skill.yaml", "hark: 1"), file("sentences/en.yaml", "language: en")))
	f.Add(unzipped(f, file("../escape", "x"), file("/escape", "x")))
	f.Add(unzipped(f, entry{tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: ".."}, ""}, file("l/escape", "x")))
	f.Add(unzipped(f, entry{tar.Header{Name: "a", Size: 1 << 40, Format: tar.FormatPAX}, "x"}))
	f.Add(archive(f, file("a", "x")))
	f.Fuzz(func(t *testing.T, packed []byte) {
		// Mostly as what a gzip unzips to, or nothing but the checksum would be tested.
		for _, raw := range [][]byte{packed, gzipped(t, bytes.NewReader(packed))} {
			parent := t.TempDir()
			dir := filepath.Join(parent, "in")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			_ = bundle.Unpack(bytes.NewReader(raw), dir) // an error or not: what counts is what is there
			if outside, err := os.ReadDir(parent); err != nil || len(outside) != 1 {
				t.Fatalf("beside the folder there is %v, %v", outside, err)
			}
			var plain []string
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					plain = append(plain, path)
					if !d.Type().IsRegular() {
						t.Errorf("%s is a %v", path, d.Type())
					}
				}
				return err
			})
			if err != nil || len(plain) > 2000 || slices.ContainsFunc(plain, func(p string) bool { return !strings.HasPrefix(p, dir) }) {
				t.Errorf("unpacked %d files, %v", len(plain), err)
			}
		}
	})
}
