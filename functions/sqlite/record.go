package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"

	"github.com/hark-voice/hark/functions/assistant"
)

// errRecord is a record of the journal that cannot be read.
var errRecord = errors.New("a record of the journal is damaged, or of a newer Hark")

// recordVersion is the first byte of every record.
const recordVersion = 1

// appendRecord adds a commit to the records of its group. The turn's document
// holds the invocations, too.
func (k *commit) appendRecord(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, recordVersion) // with room for the length
	b = appendText(b, k.doc)
	if k.state == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = appendText(b, k.state.Key.Home)
		b = appendText(b, k.state.Key.Skill)
		b = appendText(b, k.state.Key.Scope)
		b = binary.AppendVarint(b, k.state.Base)
		b = appendText(b, string(k.state.Value))
	}
	b = binary.AppendUvarint(b, uint64(len(k.owed)))
	for i := range k.owed {
		b = appendText(b, k.owed[i].doc)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // a commit is far smaller
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// eachRecord calls found with the commits of a group.
func eachRecord(records []byte, found func(*commit)) error {
	for len(records) > 0 {
		if len(records) < 4 {
			return errRecord
		}
		length := binary.LittleEndian.Uint32(records)
		if records = records[4:]; uint64(length) > uint64(len(records)) {
			return errRecord
		}
		k, err := readRecord(records[:length])
		if err != nil {
			return err
		}
		found(k)
		records = records[length:]
	}
	return nil
}

// readRecord is the reverse of appendRecord.
func readRecord(b []byte) (*commit, error) {
	r := recordReader{rest: b}
	if r.byte() != recordVersion {
		return nil, errRecord
	}
	k := &commit{doc: r.text()}
	if r.byte() == 1 {
		k.state = &assistant.StateChange{Key: assistant.StateKey{Home: r.text(), Skill: r.text(), Scope: r.text()}}
		k.state.Base = r.varint()
		if value := r.text(); value != "" {
			k.state.Value = json.RawMessage(value)
		}
	}
	docs := make([]string, 0, 1)
	for n := r.count(); n > 0 && !r.bad; n-- {
		docs = append(docs, r.text())
	}
	if r.bad || len(r.rest) > 0 {
		return nil, errRecord
	}
	var turn assistant.Turn
	if err := decode([]byte(k.doc), &turn); err != nil {
		return nil, errors.Join(errRecord, err)
	}
	k.turn, k.received, k.invocations = turn.ID, turnKey(turn.Received, 0), invocationRows(&turn)
	for _, doc := range docs {
		var m assistant.Message
		if err := decode([]byte(doc), &m); err != nil {
			return nil, errors.Join(errRecord, err)
		}
		k.owed = append(k.owed, owed{id: m.ID, home: m.Home, device: m.Device, expires: millis(m.Expires), doc: doc})
	}
	return k, nil
}

// recordReader reads the fields of a record; bad: there was less than was asked for.
type recordReader struct {
	rest []byte
	bad  bool
}

func (r *recordReader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *recordReader) count() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > math.MaxInt32 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *recordReader) varint() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *recordReader) text() string {
	n := r.count()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}
