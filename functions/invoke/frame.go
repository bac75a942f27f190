package invoke

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of Skill.Serve are put together and taken apart here by hand, so
// that each call is encoded and decoded by its own caller: in parallel, bounded
// on its own, and without harm to others when it is malformed.

// The fields of ServeRequest, ServeResponse and ServeResult.
const (
	fieldInvocations protowire.Number = 1
	fieldCancelled   protowire.Number = 2
	fieldResults     protowire.Number = 1
	fieldResultID    protowire.Number = 1
	fieldResponse    protowire.Number = 2
	fieldError       protowire.Number = 3
)

// appendField appends a field of bytes, a text or an encoded message.
func appendField[B []byte | string](frame []byte, number protowire.Number, value B) []byte {
	frame = protowire.AppendTag(frame, number, protowire.BytesType)
	frame = protowire.AppendVarint(frame, uint64(len(value)))
	return append(frame, value...)
}

// result is one answer of a skill, not yet decoded.
type result struct {
	id       string
	response []byte // an InvokeResponse, unless failure is set
	failure  []byte // a SkillError
	empty    bool   // neither
}

// eachResult hands on the answers of a ServeResponse. What it does not know it
// skips, as protobuf wants it. The answers share the frame's memory.
func eachResult(frame []byte, do func(result) error) error {
	return eachField(frame, func(number protowire.Number, value []byte) error {
		if number != fieldResults {
			return nil
		}
		r := result{empty: true}
		err := eachField(value, func(number protowire.Number, value []byte) error {
			switch number {
			case fieldResultID:
				r.id = string(value)
			case fieldResponse:
				r.response, r.failure, r.empty = value, nil, false
			case fieldError:
				r.response, r.failure, r.empty = nil, value, false
			default:
			}
			return nil
		})
		if err != nil {
			return err
		}
		return do(r)
	})
}

var errFrame = errors.New("malformed message")

// eachField hands on the fields of a message that are bytes, texts or messages.
func eachField(message []byte, do func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errFrame
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return errFrame
			}
			message = message[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return errFrame
		}
		message = message[n:]
		if err := do(number, value); err != nil {
			return err
		}
	}
	return nil
}

// frames is the gRPC codec of messages that are encoded already.
type frames struct{}

// Name is that of protobuf: on the wire it is.
func (frames) Name() string { return "proto" }

// Marshal takes a []byte.
func (frames) Marshal(v any) (mem.BufferSlice, error) {
	frame, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("encode %T: want bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(frame)}, nil
}

// Unmarshal fills a *[]byte.
func (frames) Unmarshal(data mem.BufferSlice, v any) error {
	frame, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("decode into %T: want bytes", v)
	}
	*frame = data.Materialize()
	return nil
}
