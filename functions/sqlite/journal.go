package sqlite

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// journal is where most commits become durable: a group is one write to the end
// of a file and one sync. What is in it is posted to the tables later, many
// commits together, which changes each page of the tables once for all of them.
//
// The commits that are posted together are a generation. Generations take turns
// with two files: one can be posted while the next one grows. A file is not
// emptied, only written over; a frame says which generation it is of, so what is
// left of an older one ends the file.
//
// A frame is a header and the records of one group of commits:
//
//	generation  8 bytes, little endian
//	length      4 bytes, of the records
//	checksum    4 bytes, CRC-32C of generation, length and records
type journal struct {
	path       string
	files      [2]*os.File
	generation uint64
	end        int64 // of the frames of the generation
	// dirty: a frame that failed may be on the disk, at the end. It must not come to
	// the tables behind what is acknowledged later: the next frame takes its place, or
	// the generation is closed.
	dirty bool
	sync  func(*os.File) error
}

const (
	frameHeader = 16
	// maxFrame bounds the records of a frame, in bytes. A group is far smaller.
	maxFrame = 1 << 30
)

// openJournal opens the files beside the database, which may be missing.
func openJournal(path string) (*journal, error) {
	j := &journal{path: path, sync: syncData}
	for i := range j.files {
		f, err := os.OpenFile(j.name(i), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, errors.Join(err, j.close())
		}
		j.files[i] = f
	}
	return j, syncFile(filepath.Dir(path)) // they are not to vanish in a power cut
}

func (j *journal) name(i int) string { return fmt.Sprintf("%s-journal%d", j.path, i) }

// read calls each with the records of every group that was not posted, in the
// order in which they were written.
func (j *journal) read(posted uint64, each func(generation uint64, records []byte) error) error {
	var content [2][]byte
	for i, f := range j.files {
		var err error
		if content[i], err = os.ReadFile(f.Name()); err != nil {
			return err
		}
	}
	generation := func(i int) uint64 { n, _, _ := readFrame(content[i]); return n }
	order := []int{0, 1}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(generation(a), generation(b)) })
	for _, i := range order {
		of := generation(i)
		if of <= posted {
			continue
		}
		if posted++; of != posted {
			return fmt.Errorf("%s is not of this state of the store: is the store an older copy, or another one? Move %s and %s away to open it as it is",
				j.name(i), j.name(0), j.name(1))
		}
		if err := j.readFile(content[i], of, i == order[0] && generation(order[1]) > of, each); err != nil {
			return fmt.Errorf("%s: %w", j.name(i), err)
		}
	}
	return nil
}

// readFile reads the groups of a generation. Where it ends, the last group may not
// be written whole: nobody was told of it. That is damage, though, where a group
// of the same generation follows, or the next generation was begun.
func (j *journal) readFile(content []byte, generation uint64, closed bool, each func(generation uint64, records []byte) error) error {
	for at := 0; ; {
		n, records, size := readFrame(content[at:])
		if n == generation {
			if err := each(n, records); err != nil {
				return err
			}
			at += size
			continue
		}
		begins := binary.LittleEndian.AppendUint64(nil, generation)
		torn := bytes.HasPrefix(content[at:], begins)
		for next := at; ; next++ {
			i := bytes.Index(content[min(next, len(content)):], begins)
			if i < 0 {
				break
			}
			next += i
			if n, _, _ := readFrame(content[next:]); n == generation || torn && closed {
				return fmt.Errorf("it is damaged at byte %d, and commits that were acknowledged follow: restore the folder, or move the file away to go on without them", at)
			}
		}
		return nil
	}
}

// begin empties the files, of which all is posted, and begins a generation.
func (j *journal) begin(generation uint64) error {
	j.generation = generation
	return errors.Join(j.files[0].Truncate(0), j.files[1].Truncate(0))
}

// readFrame reads the first frame; generation 0: there is none that is whole.
func readFrame(b []byte) (generation uint64, records []byte, size int) {
	if len(b) < frameHeader {
		return 0, nil, 0
	}
	length := binary.LittleEndian.Uint32(b[8:])
	if length > maxFrame || int(length) > len(b)-frameHeader {
		return 0, nil, 0
	}
	size = frameHeader + int(length)
	records = b[frameHeader:size]
	if binary.LittleEndian.Uint32(b[12:]) != checksum(b[:12], records) {
		return 0, nil, 0
	}
	return binary.LittleEndian.Uint64(b), records, size
}

func checksum(header, records []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(header, table), table, records)
}

// newFrame makes ready for the records of a group, in memory that served for
// another.
func newFrame(memory []byte) []byte {
	return append(memory[:0], make([]byte, frameHeader)...)
}

// append returns when a frame with the records of a group is on the disk. After an
// error the next group takes its place.
func (j *journal) append(frame []byte) error {
	records := frame[frameHeader:]
	if len(records) > maxFrame {
		return fmt.Errorf("a group of %d bytes is too large for the journal", len(records))
	}
	binary.LittleEndian.PutUint64(frame, j.generation)
	binary.LittleEndian.PutUint32(frame[8:], uint32(len(records))) //nolint:gosec // checked above
	binary.LittleEndian.PutUint32(frame[12:], checksum(frame[:12], records))
	f := j.files[j.generation%2]
	j.dirty = true
	if _, err := f.WriteAt(frame, j.end); err != nil {
		return err
	}
	if err := j.sync(f); err != nil {
		return err
	}
	j.dirty = false
	if len(records) > 0 { // else the next frame may take its place
		j.end += int64(len(frame))
	}
	return nil
}

// next begins a generation, in the file of the one before the last, which is posted.
func (j *journal) next() {
	j.generation++
	j.end, j.dirty = 0, false
}

// remove deletes the files, of which nothing is needed any more.
func (j *journal) remove() error {
	var errs []error
	for i := range j.files {
		if err := os.Remove(j.name(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (j *journal) close() error {
	var errs []error
	for i, f := range j.files {
		if f != nil {
			errs = append(errs, f.Close())
			j.files[i] = nil
		}
	}
	return errors.Join(errs...)
}
