package invoke

import (
	"errors"
	"slices"
	"strings"
	"testing"

	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// What is put together and taken apart by hand is what protobuf does.
func FuzzResults(f *testing.F) {
	good, err := proto.Marshal(&pb.ServeResponse{Results: []*pb.ServeResult{
		{InvocationId: "a", Result: &pb.ServeResult_Response{Response: &pb.InvokeResponse{Speech: "hello"}}},
		{InvocationId: "b", Result: &pb.ServeResult_Error{Error: &pb.SkillError{Code: 5, Message: "no"}}},
		{},
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("\x0a\x7fshort"))
	f.Add([]byte("\x08\x01\x0a\x00\x1b\x1c"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var results []result
		err := eachResult(frame, func(r result) error {
			results = append(results, r)
			_, _ = r.decode()
			return nil
		})
		var want pb.ServeResponse
		if proto.Unmarshal(frame, &want) != nil {
			return // it may be well framed and yet hold what is malformed
		}
		if err != nil || len(results) != len(want.GetResults()) {
			t.Fatalf("%d results, %v; want %d", len(results), err, len(want.GetResults()))
		}
		for i, r := range results {
			w := want.GetResults()[i]
			if r.id != w.GetInvocationId() || r.empty != (w.GetResult() == nil) || (r.failure != nil) != (w.GetError() != nil) {
				t.Errorf("result %d: %+v, want %v", i, r, w)
			}
		}
	})
}

func TestTakeBoundsABatch(t *testing.T) {
	s := newStream(nil)
	queue := func(id string, size int) {
		if refused := s.enqueue(&flight{id: id, request: make([]byte, size), landed: make(chan landing, 1)}); refused != nil {
			t.Fatalf("%s: %+v", id, refused)
		}
	}
	for i := range 20 {
		queue(strings.Repeat("s", i+1), 2)
	}
	for i := range 3 {
		queue(strings.Repeat("l", i+1), maxBatchBytes)
	}
	s.cancelled = []string{"x"}
	var got []int
	for frame := s.take(); frame != nil; frame = s.take() {
		n := 0
		err := eachField(frame, func(_ protowire.Number, value []byte) error {
			if string(value) != "x" {
				n++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if want := []int{16, 4, 1, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("batches of %v, want %v", got, want)
	}
	if err := eachField([]byte{0x0a, 5}, nil); !errors.Is(err, errFrame) {
		t.Errorf("got %v", err)
	}
}
