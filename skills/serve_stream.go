package skills

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	maxResponse = 1 << 20 // bytes; Hark refuses more
	// Answers that are ready at the same time share a message.
	maxBatch      = 16
	maxBatchBytes = maxResponse
	maxErrorText  = 4000 // bytes
	lingerTime    = 100 * time.Millisecond
	maxIdle       = 16 // goroutines that wait for a call
)

// Serve answers the calls of one stream, each on a goroutine that it has to itself,
// so that a handler that waits holds up no other. Every call gets one answer, also one
// that Hark has given up. When the skill is asked to stop, the calls that came
// are answered and the stream ends.
func (s *server) Serve(wire grpc.BidiStreamingServer[assistantv1.ServeRequest, assistantv1.ServeResponse]) error {
	c := &calls{server: s, wire: wire, next: make(chan job), running: make(map[string]*running)}
	defer close(c.next)
	received := make(chan error, 1)
	go func() { received <- c.receive() }()
	var err error
	select {
	case err = <-received:
	case <-s.stopping:
		// Hark hangs up first. Where somebody else asks, calls may be on their way.
		linger := time.NewTimer(lingerTime)
		defer linger.Stop()
		select {
		case err = <-received:
		case <-linger.C:
		}
	}
	c.finish()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// calls are those of one stream.
type calls struct {
	server *server
	wire   grpc.BidiStreamingServer[assistantv1.ServeRequest, assistantv1.ServeResponse]
	open   sync.WaitGroup // calls without an answer; none is added once closed
	next   chan job       // to a worker that has nothing to do
	idle   atomic.Int32   // workers that have nothing to do, or nearly

	mu      sync.Mutex
	closed  bool
	running map[string]*running
	results [][]byte // encoded, to be sent
	sending bool     // somebody sends them
}

// running is a call whose handler runs.
type running struct{ cancel context.CancelFunc }

// job is a call to be run.
type job struct {
	*running

	ctx context.Context //nolint:containedctx // of the call
	req *assistantv1.InvokeRequest
}

// receive starts calls until Hark hangs up.
func (c *calls) receive() error {
	for {
		batch, err := c.wire.Recv()
		if err != nil {
			return err
		}
		// First, because a call may be made again under the same id.
		c.cancel(batch.GetCancelled())
		for _, req := range batch.GetInvocations() {
			c.start(req)
		}
	}
}

func (c *calls) cancel(ids []string) {
	if len(ids) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if r := c.running[id]; r != nil {
			r.cancel()
		}
	}
}

func (c *calls) start(req *assistantv1.InvokeRequest) {
	ctx, cancel := context.WithCancel(c.wire.Context())
	r := &running{cancel: cancel}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // nothing can be sent any more: Hark learns it from the stream's end
		cancel()
		return
	}
	c.running[req.GetInvocationId()] = r
	c.open.Add(1)
	j := job{r, ctx, req}
	select {
	case c.next <- j:
	default:
		go c.work(j)
	}
}

// work runs a call, and others after it: the stack that a call needs has then
// grown already.
func (c *calls) work(j job) {
	for more := true; more; {
		c.run(j)
		if c.idle.Add(1) > maxIdle {
			more = false
		} else {
			j, more = <-c.next
		}
		c.idle.Add(-1)
	}
}

func (c *calls) run(j job) {
	defer c.open.Done()
	defer j.cancel()
	resp, err := c.server.Invoke(j.ctx, j.req)
	id := j.req.GetInvocationId()
	c.answer(id, j.running, encode(id, resp, err))
}

// encode makes the bytes of an answer. Done here, for each call on its own, an
// answer that cannot be encoded is the error of its call alone.
func encode(id string, resp *assistantv1.InvokeResponse, err error) []byte {
	if err == nil {
		var encoded []byte
		encoded, err = proto.Marshal(&assistantv1.ServeResult{InvocationId: id, Result: &assistantv1.ServeResult_Response{Response: resp}})
		switch {
		case err != nil:
			err = status.Errorf(codes.Internal, "the answer cannot be encoded: %v", err)
		case len(encoded) > maxResponse:
			err = status.Errorf(codes.ResourceExhausted, "the answer is larger than max (%d vs. %d bytes)", len(encoded), maxResponse)
		default:
			return encoded
		}
	}
	s := status.Convert(err)
	encoded, err := proto.Marshal(&assistantv1.ServeResult{InvocationId: id, Result: &assistantv1.ServeResult_Error{Error: &assistantv1.SkillError{
		Code: int32(s.Code()), Message: clip(s.Message()), //nolint:gosec // there are 17 codes
	}}})
	if err != nil { // not even the id is text
		return nil
	}
	return encoded
}

// clip makes a text that can be sent, whatever a handler put into its error.
func clip(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxErrorText)], "\uFFFD")
}

// answer ends a call. One call at a time sends, for all that end meanwhile.
func (c *calls) answer(id string, r *running, result []byte) {
	c.mu.Lock()
	if c.running[id] == r {
		delete(c.running, id)
	}
	c.results = append(c.results, result)
	first := !c.sending
	c.sending = true
	c.mu.Unlock()
	if !first {
		return
	}
	for {
		runtime.Gosched() // calls that are about to end share the message
		batch := c.take()
		if batch == nil {
			return
		}
		// An error means that the stream has ended: nobody waits for the answers.
		_ = c.wire.Send(batch)
	}
}

// take makes a message of what is to be sent; nil: there is nothing, and nobody
// sends any more.
func (c *calls) take() *assistantv1.ServeResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.results) == 0 {
		c.sending = false
		return nil
	}
	n, size := 0, 0
	for n < min(len(c.results), maxBatch) && (n == 0 || size+len(c.results[n]) <= maxBatchBytes) {
		size += len(c.results[n]) + 8
		n++
	}
	frame := make([]byte, 0, size)
	for _, result := range c.results[:n] {
		frame = protowire.AppendTag(frame, 1, protowire.BytesType) // ServeResponse.results
		frame = protowire.AppendBytes(frame, result)
	}
	rest := copy(c.results, c.results[n:])
	clear(c.results[rest:])
	c.results = c.results[:rest]
	batch := &assistantv1.ServeResponse{}
	batch.ProtoReflect().SetUnknown(frame) // is sent as it is
	return batch
}

// finish waits until all calls that came are answered.
func (c *calls) finish() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.open.Wait()
}
