package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hark-voice/hark/functions/assistant"
)

// FileLogsOptions are what FileLogs needs.
type FileLogsOptions struct {
	Dir string // made if it is missing
	// MaxBytes bounds what is kept of each skill; 100 MB. Of that, the newest half
	// is always there.
	MaxBytes int64
}

// FileLogs keeps what skills write: the newest lines of a skill in
// <skill>.jsonl, those before in <skill>.jsonl.1, one LogLine as JSON per line.
type FileLogs struct {
	opts  FileLogsOptions
	mu    sync.Mutex // guards the map
	files map[string]*logFile
}

// logFile is the file of one skill that is written to.
type logFile struct {
	mu   sync.Mutex
	path string // without its ending
	file *os.File
	size int64
}

// NewFileLogs opens no file yet.
func NewFileLogs(opts FileLogsOptions) (*FileLogs, error) {
	if opts.Dir == "" {
		return nil, errors.New("logs of skills: the folder is missing")
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = 100_000_000
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("logs of skills: %w", err)
	}
	return &FileLogs{opts: opts, files: make(map[string]*logFile)}, nil
}

// Append writes lines to the skill's file, which others can read at once.
func (l *FileLogs) Append(skill string, lines []LogLine) error {
	f, err := l.of(skill)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	for _, line := range lines {
		if err := enc.Encode(line); err != nil {
			return fmt.Errorf("encode a log line: %w", err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.makeRoom(int64(buf.Len()), l.opts.MaxBytes/2); err != nil {
		return err
	}
	n, err := f.file.Write(buf.Bytes())
	f.size += int64(n)
	if err != nil {
		return fmt.Errorf("write the log of %s: %w", skill, err)
	}
	return nil
}

// Logs returns the last n lines of a skill, 10,000 at most, the oldest first. A
// skill that never wrote has none.
func (l *FileLogs) Logs(skill string, n int) ([]LogLine, error) {
	f, err := l.of(skill)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(n, 10_000)
	var lines []LogLine // the newest first
	for _, path := range []string{f.current(), f.old()} {
		if len(lines) >= n {
			break
		}
		more, err := lastLines(path, n-len(lines))
		if err != nil {
			return nil, fmt.Errorf("read the log of %s: %w", skill, err)
		}
		lines = append(lines, more...)
	}
	slices.Reverse(lines)
	return lines, nil
}

// Close closes the files. Append opens them again.
func (l *FileLogs) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, f := range l.files {
		f.mu.Lock()
		if f.file != nil {
			errs = append(errs, f.file.Close())
			f.file = nil
		}
		f.mu.Unlock()
	}
	return errors.Join(errs...)
}

func (l *FileLogs) of(skill string) (*logFile, error) {
	if err := assistant.CheckName(skill); err != nil { // it becomes a path
		return nil, fmt.Errorf("logs of a skill: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[skill]
	if f == nil {
		f = &logFile{path: filepath.Join(l.opts.Dir, skill)}
		l.files[skill] = f
	}
	return f, nil
}

func (f *logFile) current() string { return f.path + ".jsonl" }
func (f *logFile) old() string     { return f.path + ".jsonl.1" }

// makeRoom opens the file, a fresh one if n more bytes do not fit.
func (f *logFile) makeRoom(n, limit int64) error {
	if f.file != nil && f.size > 0 && f.size+n > limit {
		err := f.file.Close()
		f.file = nil
		if err := errors.Join(err, os.Rename(f.current(), f.old())); err != nil {
			return fmt.Errorf("put a full log aside: %w", err)
		}
	}
	if f.file != nil {
		return nil
	}
	file, err := os.OpenFile(f.current(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open a log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.size = file, info.Size()
	return nil
}

// lastLines returns up to n lines of a file, the newest first. It reads from the
// end, so that a long log costs no more than a short one.
func lastLines(path string, n int) ([]LogLine, error) {
	file, err := os.Open(path) //nolint:gosec // the name of the skill was checked
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	at, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	var lines []LogLine
	var rest []byte // the start of a line whose beginning was not read yet
	block := make([]byte, 64<<10)
	for at > 0 && len(lines) < n {
		size := min(at, int64(len(block)))
		at -= size
		if _, err := file.ReadAt(block[:size], at); err != nil {
			return nil, err
		}
		chunk := append(slices.Clone(block[:size]), rest...)
		for len(lines) < n {
			cut := bytes.LastIndexByte(chunk, '\n')
			if cut < 0 && at > 0 {
				break
			}
			lines = appendLine(lines, chunk[cut+1:])
			if cut < 0 {
				break
			}
			chunk = chunk[:cut]
		}
		rest = chunk
	}
	return lines, nil
}

// appendLine leaves out what is no line: the end of the file, or half a line of
// a write that was cut off.
func appendLine(lines []LogLine, raw []byte) []LogLine {
	var line LogLine
	if len(raw) == 0 || json.Unmarshal(raw, &line) != nil {
		return lines
	}
	return append(lines, line)
}
