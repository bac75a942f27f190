package invoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/invoke"
	"github.com/hark-voice/hark/functions/runtime"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
)

type serveStream = grpc.BidiStreamingServer[pb.ServeRequest, pb.ServeResponse]

// oddSkill is a skill in this process that serves streams as its test wants.
type oddSkill struct {
	pb.UnimplementedSkillServer

	serve   func(n int, stream serveStream) error // n counts from 1, over all instances
	streams atomic.Int32
	invokes atomic.Int32
}

func (s *oddSkill) Serve(stream serveStream) error {
	return s.serve(int(s.streams.Add(1)), stream)
}

func (s *oddSkill) Invoke(_ context.Context, r *pb.InvokeRequest) (*pb.InvokeResponse, error) {
	s.invokes.Add(1)
	return &pb.InvokeResponse{Speech: "by Invoke " + r.GetInvocationId()}, nil
}

// Start makes an instance that is a server of its own.
func (s *oddSkill) Start(context.Context, runtime.Spec) (runtime.Instance, error) {
	lis := bufconn.Listen(1 << 16)
	i := &oddInstance{server: grpc.NewServer(grpc.ForceServerCodecV2(rawOrProto{encoding.GetCodecV2("proto")})), done: make(chan struct{})}
	pb.RegisterSkillServer(i.server, s)
	served := make(chan error, 1)
	go func() { served <- i.server.Serve(lis) }()
	var err error
	i.conn, err = grpc.NewClient("passthrough:///odd", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	i.end = sync.OnceFunc(func() {
		i.conn.Close()
		i.server.Stop()
		<-served
		close(i.done)
	})
	return i, err
}

type oddInstance struct {
	server *grpc.Server
	conn   *grpc.ClientConn
	done   chan struct{}
	end    func()
}

func (i *oddInstance) ID() string                     { return fmt.Sprintf("odd-%p", i) }
func (i *oddInstance) Conn() grpc.ClientConnInterface { return i.conn }
func (i *oddInstance) CPU() (time.Duration, error)    { return 0, nil }
func (i *oddInstance) Done() <-chan struct{}          { return i.done }
func (i *oddInstance) Err() error                     { return nil }
func (i *oddInstance) Stop(context.Context) error     { i.end(); return nil }

// rawOrProto sends bytes as they are.
type rawOrProto struct{ encoding.CodecV2 }

type raw []byte

func (c rawOrProto) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(raw); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// newOddHouse is a house whose skill is in this process.
func newOddHouse(t *testing.T, limits runtime.Limits, serve func(int, serveStream) error) (*house, *oddSkill) {
	t.Helper()
	h := newHouse(t, setup{limits: limits})
	s := &oddSkill{serve: serve}
	v, err := invoke.New(invoke.Options{Driver: s, Specs: h, Prices: h.prices, Clock: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	h.Invoker = v
	h.stop = h.run(v)
	return h, s
}

func said(id, speech string) *pb.ServeResult {
	return &pb.ServeResult{InvocationId: id, Result: &pb.ServeResult_Response{Response: &pb.InvokeResponse{Speech: speech}}}
}

func answer(s serveStream, results ...*pb.ServeResult) error {
	return s.Send(&pb.ServeResponse{Results: results})
}

// calls hands on each call of a stream until it ends.
func calls(s serveStream, do func(*pb.InvokeRequest) error) error {
	for {
		batch, err := s.Recv()
		if err != nil {
			return nil
		}
		for _, r := range batch.GetInvocations() {
			if err := do(r); err != nil {
				return err
			}
		}
	}
}

// ownAnswer expects the answer to a call and to no other.
func (h *house) ownAnswer(c *assistant.Call) {
	h.t.Helper()
	a, records, err := h.Invoke(h.t.Context(), c)
	if err != nil || a.Speech != "to "+c.ID || len(records) != 1 {
		h.t.Errorf("call %s: %+v, %d records, %v", c.ID, a, len(records), err)
	}
}

func TestStreamIsUsedWhereItIsOffered(t *testing.T) {
	h, skill := newOddHouse(t, runtime.Limits{}, func(_ int, s serveStream) error {
		return calls(s, func(r *pb.InvokeRequest) error { return answer(s, said(r.InvocationId, "to "+r.InvocationId)) })
	})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { h.ownAnswer(h.call("Echo", "")) })
	}
	wg.Wait()
	eventually(t, "each instance has a stream", func() bool {
		s := h.status()
		return s.Starting == 0 && int(skill.streams.Load()) == len(s.Instances)
	})
	if n := skill.invokes.Load(); n != 0 {
		t.Errorf("%d unary calls", n)
	}
}

func TestStreamIsAskedForOnce(t *testing.T) {
	h, skill := newOddHouse(t, runtime.Limits{MaxInstances: 1}, func(int, serveStream) error { return status.Error(codes.Unimplemented, "no") })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { h.do("Echo", "") })
	}
	wg.Wait()
	if skill.streams.Load() != 1 || skill.invokes.Load() != 20 {
		t.Errorf("%d streams, %d unary calls", skill.streams.Load(), skill.invokes.Load())
	}
}

// A skill that has answered on the stream offers it: what it has seen is not
// made again in another way.
func TestStreamThatWasOfferedIsNotWithdrawn(t *testing.T) {
	h, skill := newOddHouse(t, runtime.Limits{}, func(_ int, s serveStream) error {
		return calls(s, func(r *pb.InvokeRequest) error {
			if r.GetIntent().GetName() == "Withdraw" {
				return status.Error(codes.Unimplemented, "not any more")
			}
			return answer(s, said(r.InvocationId, "to "+r.InvocationId))
		})
	})
	h.ownAnswer(h.call("Echo", ""))
	if records := h.refused(h.call("Withdraw", ""), assistant.CodeSkillFailed, ""); len(records) != 1 || skill.invokes.Load() != 0 {
		t.Errorf("%d records, %d unary calls", len(records), skill.invokes.Load())
	}
	h.ownAnswer(h.call("Echo", ""))
}

// What a skill sends beside the right answers disturbs nobody.
func TestStreamNoise(t *testing.T) {
	h, _ := newOddHouse(t, runtime.Limits{}, func(_ int, s serveStream) error {
		return calls(s, func(r *pb.InvokeRequest) error {
			right := said(r.InvocationId, "to "+r.InvocationId)
			return answer(s, said("nobody", "x"), said("", "y"), &pb.ServeResult{}, right, right, said(r.InvocationId, "changed my mind"))
		})
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { h.ownAnswer(h.call("Echo", "")) })
	}
	wg.Wait()
	eventually(t, "all noise is counted", func() bool { return h.status().Dropped == 250 })
}

func TestStreamFlood(t *testing.T) {
	flood := raw{}
	for range 100_000 {
		flood = append(flood, 0x0a, 0) // an empty result
	}
	h, _ := newOddHouse(t, runtime.Limits{}, func(n int, s serveStream) error {
		return calls(s, func(r *pb.InvokeRequest) error {
			if n == 1 {
				return s.SendMsg(flood)
			}
			return answer(s, said(r.InvocationId, "to "+r.InvocationId))
		})
	})
	h.refused(h.call("Echo", ""), assistant.CodeSkillFailed, "answers that nobody asked for")
	h.ownAnswer(h.call("Echo", ""))
}

func TestStreamBadAnswers(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	bad := string([]byte{0xff})
	for name, c := range map[string]struct {
		result  *pb.ServeResult
		raw     raw // a whole message instead
		want    string
		outcome assistant.Outcome
		alone   bool // others on the stream do not suffer
	}{
		"too large":           {result: said("", long), want: "larger than 1048576 bytes", outcome: assistant.OutcomeInvalid, alone: true},
		"far too large":       {result: said("", long+long), want: "larger than 1048576 bytes", outcome: assistant.OutcomeInvalid},
		"no outcome":          {result: &pb.ServeResult{}, want: "neither a response nor an error", outcome: assistant.OutcomeFailed, alone: true},
		"an error":            {result: failure(codes.NotFound, "no such city"), want: "it returned NotFound: no such city", outcome: assistant.OutcomeFailed, alone: true},
		"an error that is OK": {result: failure(codes.OK, "fine"), want: "it returned Unknown: fine", outcome: assistant.OutcomeFailed, alone: true},
		"a negative error":    {result: failure(^codes.Code(0), "odd"), want: "odd", outcome: assistant.OutcomeFailed, alone: true},
		"no UTF-8":            {raw: resultOf("%s", "\x0a\x01"+bad), want: "cannot be decoded", outcome: assistant.OutcomeInvalid, alone: true},
		"no protobuf":         {raw: raw("\x0a\x7fshort"), want: "cannot be decoded", outcome: assistant.OutcomeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			waits := make(chan string, 1)
			h, _ := newOddHouse(t, runtime.Limits{MaxInstances: 1}, func(_ int, s serveStream) error {
				return calls(s, func(r *pb.InvokeRequest) error {
					if r.GetIntent().GetName() == "Wait" {
						waits <- r.InvocationId
						return nil
					}
					if r.GetIntent().GetName() != "Bad" {
						return answer(s, said(r.InvocationId, "to "+r.InvocationId))
					}
					waiting := <-waits
					if c.raw != nil {
						_ = s.SendMsg(raw(strings.ReplaceAll(string(c.raw), "%s", r.InvocationId)))
					} else {
						result := proto.CloneOf(c.result)
						result.InvocationId = r.InvocationId
						_ = answer(s, result)
					}
					return answer(s, said(waiting, "to "+waiting))
				})
			})
			h.ownAnswer(h.call("Echo", ""))
			other := make(chan error, 1)
			go func() {
				_, _, err := h.Invoke(t.Context(), h.call("Wait", ""))
				other <- err
			}()
			eventually(t, "another call waits at the skill", func() bool { return len(waits) == 1 })
			records := h.refused(h.call("Bad", ""), assistant.CodeSkillFailed, c.want)
			if len(records) != 1 || records[0].Outcome != c.outcome {
				t.Errorf("records %+v", records)
			}
			if err := <-other; (err == nil) != c.alone {
				t.Errorf("the other call: %v", err)
			}
			h.ownAnswer(h.call("Echo", ""))
		})
	}
}

func failure(code codes.Code, message string) *pb.ServeResult {
	return &pb.ServeResult{Result: &pb.ServeResult_Error{Error: &pb.SkillError{Code: int32(code), Message: message}}}
}

// resultOf is a message with one result, whose id has two bytes as %s has.
func resultOf(id, response string) raw {
	result := "\x0a\x02" + id + "\x12" + string(rune(len(response))) + response
	return raw("\x0a" + string(rune(len(result))) + result)
}

func TestStreamDeadline(t *testing.T) {
	arrived, told := make(chan struct{}, 1), make(chan string, 1)
	h, skill := newOddHouse(t, runtime.Limits{MaxInstances: 1}, func(_ int, s serveStream) error {
		for {
			batch, err := s.Recv()
			if err != nil {
				return nil
			}
			for _, r := range batch.GetInvocations() {
				if r.GetIntent().GetName() == "Echo" {
					_ = answer(s, said(r.InvocationId, "to "+r.InvocationId))
				} else {
					arrived <- struct{}{}
				}
			}
			for _, id := range batch.GetCancelled() {
				_ = answer(s, said(id, "too late"))
				told <- id
			}
		}
	})
	late, ctx := h.call("Never", ""), newDeadline(t)
	go func() {
		<-arrived
		close(ctx.passed)
	}()
	_, records, err := h.Invoke(ctx, late)
	checkError(t, err, assistant.CodeTimeout, "let the deadline pass")
	if len(records) != 1 || records[0].Outcome != assistant.OutcomeTimeout {
		t.Errorf("records %+v", records)
	}
	if id := <-told; id != late.ID {
		t.Errorf("%q was cancelled, want %q", id, late.ID)
	}
	eventually(t, "the late answer is dropped and counted", func() bool { return h.status().Dropped == 1 })
	h.ownAnswer(h.call("Echo", ""))
	if skill.streams.Load() != 1 {
		t.Errorf("%d streams", skill.streams.Load())
	}
}

// Calls that share an id cannot be told apart on the stream, but are answered.
func TestStreamSameID(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	h, skill := newOddHouse(t, runtime.Limits{MaxInstances: 1}, func(_ int, s serveStream) error {
		return calls(s, func(r *pb.InvokeRequest) error {
			arrived <- struct{}{}
			<-release
			return answer(s, said(r.InvocationId, "to "+r.InvocationId))
		})
	})
	c := h.call("Echo", "")
	first := make(chan error, 1)
	go func() {
		_, _, err := h.Invoke(t.Context(), c)
		first <- err
	}()
	<-arrived
	a, _, err := h.Invoke(t.Context(), c)
	close(release)
	if firstErr := <-first; err != nil || firstErr != nil || skill.invokes.Load() != 1 || !strings.HasPrefix(a.Speech, "by Invoke") && a.Speech != "to "+c.ID {
		t.Errorf("%+v, %v and %v, %d unary calls", a, err, firstErr, skill.invokes.Load())
	}
}

// A stream that ends in the midst of calls fails those that it took, at once,
// and they are not made again; what comes later goes on a new one.
func TestStreamEndsInMidCall(t *testing.T) {
	for name, end := range map[string]error{"well": nil, "badly": errors.New("disk full"), "unavailable": status.Error(codes.Unavailable, "stopping")} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			seen := map[string]int{}
			ended := errors.New("end")
			h, _ := newOddHouse(t, runtime.Limits{MaxInstances: 1}, func(_ int, s serveStream) error {
				err := calls(s, func(r *pb.InvokeRequest) error {
					mu.Lock()
					seen[r.InvocationId]++
					mu.Unlock()
					if r.GetIntent().GetName() == "End" {
						return ended
					}
					return answer(s, said(r.InvocationId, "to "+r.InvocationId))
				})
				if errors.Is(err, ended) {
					return end
				}
				return err
			})
			for range 5 {
				c := h.call("End", "")
				began := time.Now()
				if records := h.refused(c, assistant.CodeSkillFailed, ""); len(records) != 1 {
					t.Errorf("%d records", len(records))
				}
				if took := time.Since(began); took > patience/2 {
					t.Errorf("it took %v", took)
				}
				h.ownAnswer(h.call("Echo", ""))
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("call %s was seen %d times", id, n)
				}
			}
		})
	}
}

// A skill that does not read holds up its callers until their deadline, and
// Hark keeps no more than them.
func TestStreamIsNotRead(t *testing.T) {
	opened := make(chan struct{})
	h, skill := newOddHouse(t, runtime.Limits{MinInstances: 1, MaxInstances: 1}, func(n int, s serveStream) error {
		if n == 1 {
			close(opened)
			<-s.Context().Done()
			return nil
		}
		return calls(s, func(r *pb.InvokeRequest) error { return answer(s, said(r.InvocationId, "to "+r.InvocationId)) })
	})
	if err := h.Warm(t.Context(), "probe", "1"); err != nil { // the deadlines are not spent on starting it
		t.Fatal(err)
	}
	<-opened
	eventually(t, "it is ready", func() bool { return len(h.status().Instances) == 1 })
	large := json.RawMessage(`"` + strings.Repeat("x", 60<<10) + `"`)
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			c := h.call("Echo", "")
			c.State.Value, c.Timeout = large, 100*time.Millisecond
			_, records, err := h.Invoke(t.Context(), c)
			checkError(t, err, assistant.CodeTimeout, "let the deadline pass")
			if len(records) > 1 {
				t.Errorf("%d records", len(records))
			}
		})
	}
	wg.Wait()
	h.ownAnswer(h.call("Echo", "")) // by another instance
	if n := skill.streams.Load(); n != 2 {
		t.Errorf("%d streams, want 2", n)
	}
}

// The calls of a burst share messages, and none is held back for others.
func TestStreamBatches(t *testing.T) {
	var mu sync.Mutex
	var sizes []int
	h, _ := newOddHouse(t, runtime.Limits{MaxInstances: 1, Concurrency: 64}, func(_ int, s serveStream) error {
		for {
			batch, err := s.Recv()
			if err != nil {
				return nil
			}
			mu.Lock()
			sizes = append(sizes, len(batch.GetInvocations()))
			mu.Unlock()
			var results []*pb.ServeResult
			for _, r := range batch.GetInvocations() {
				results = append(results, said(r.InvocationId, "to "+r.InvocationId))
			}
			_ = answer(s, results...)
		}
	})
	h.ownAnswer(h.call("Echo", ""))
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 20 {
				h.ownAnswer(h.call("Echo", ""))
			}
		})
	}
	wg.Wait()
	if sizes[0] != 1 || slices.Max(sizes) > 16 || len(sizes) == 1+64*20 {
		t.Errorf("%d messages for %d calls, of up to %d calls each", len(sizes), 1+64*20, slices.Max(sizes))
	}
	t.Logf("%d messages for %d calls", len(sizes), 1+64*20)
}
