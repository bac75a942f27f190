package invoke

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	instances "github.com/hark-voice/hark/functions/runtime"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// maxBatch is how many calls share a message when they queue up.
	maxBatch = 16
	// maxBatchBytes ends a batch early; one large call is a batch of its own.
	maxBatchBytes = 1 << 20
	// maxMessage bounds a message of answers, in bytes.
	maxMessage = 2 * maxResponse
	// maxForsaken bounds what is remembered of calls that were given up.
	maxForsaken = 1024
	// maxUnasked is how many answers that nobody asked for a skill may send on a
	// stream before that is ended.
	maxUnasked = 1000
)

// stream makes the calls of one instance on Skill.Serve: many at a time, told
// apart by their ids, in batches of what waits when the wire is free. It never
// waits to fill a batch. Where the instance does not offer Serve, callers are
// told to use Invoke.
//
// A call is queued, then sent, then landed. Only one that is queued can be taken
// back: what was sent may have been seen.
type stream struct {
	instance instances.Instance
	wake     chan struct{} // something is queued, cancelled or to be closed
	dropped  atomic.Int64  // answers that came late, twice or unasked

	mu        sync.Mutex
	unary     bool // the instance does not offer Serve
	closing   bool // no more calls come
	answered  bool // it has given an answer, so it offers Serve
	unasked   int
	queue     []*flight
	flights   map[string]*flight  // queued or sent, by invocation id
	forsaken  map[string]struct{} // sent and given up; their answers may still come
	cancelled []string            // forsaken ones that the instance is to be told of
}

// flight is a call on the stream.
type flight struct {
	id      string
	request []byte
	sent    bool         // guarded by the stream
	landed  chan landing // receives once, unless its caller leaves first
}

// landing is how a flight ended.
type landing struct {
	result
	err     error // of the stream
	reached bool  // the skill may have seen the call
	unary   bool  // it has not: call again with Invoke
}

func newStream(instance instances.Instance) *stream {
	s := &stream{
		instance: instance, wake: make(chan struct{}, 1),
		flights: make(map[string]*flight), forsaken: make(map[string]struct{}),
	}
	s.poke() // to be open when the first call comes
	return s
}

// call makes a call and waits for its end or that of the context.
func (s *stream) call(ctx context.Context, id string, request []byte) landing {
	f := &flight{id: id, request: request, landed: make(chan landing, 1)}
	if refused := s.enqueue(f); refused != nil {
		return *refused
	}
	s.poke()
	select {
	case l := <-f.landed:
		return l
	case <-ctx.Done():
		return s.forsake(ctx, f)
	}
}

// enqueue queues a call, or says why it cannot be made here.
func (s *stream) enqueue(f *flight) *landing {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, flying := s.flights[f.id]
	_, forsaken := s.forsaken[f.id]
	switch {
	case s.unary, flying, forsaken: // two calls of one id could not be told apart
		return &landing{unary: true}
	case s.closing:
		return &landing{err: status.Error(codes.Unavailable, "it is being stopped")}
	}
	s.flights[f.id] = f
	s.queue = append(s.queue, f)
	return nil
}

func (s *stream) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// forsake gives up a call: it is taken back, or the instance is told that
// nobody waits.
func (s *stream) forsake(ctx context.Context, f *flight) landing {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flights[f.id] != f {
		return <-f.landed // just now
	}
	delete(s.flights, f.id)
	if !f.sent {
		for i, queued := range s.queue {
			if queued == f {
				s.queue = append(s.queue[:i], s.queue[i+1:]...)
				break
			}
		}
		return landing{err: status.FromContextError(ctx.Err()).Err()}
	}
	if len(s.forsaken) < maxForsaken {
		s.forsaken[f.id] = struct{}{}
		s.cancelled = append(s.cancelled, f.id)
	}
	s.poke()
	return landing{err: status.FromContextError(ctx.Err()).Err(), reached: true}
}

// close lets the calls in flight finish and takes no more.
func (s *stream) close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.poke()
}

// run makes the calls until the instance has ended, the stream is closed, or it
// turns out that the instance does not offer Serve.
func (s *stream) run() {
	for {
		select {
		case <-s.wake:
			if s.serve() {
				continue
			}
		case <-s.instance.Done():
		}
		s.close()
		s.fail(status.Error(codes.Unavailable, "it is gone"), true)
		return
	}
}

// serve opens a stream and uses it until it breaks. It reports whether there
// may be another one.
func (s *stream) serve() bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	wire, err := s.instance.Conn().NewStream(ctx, &pb.Skill_ServiceDesc.Streams[0], pb.Skill_Serve_FullMethodName,
		grpc.ForceCodecV2(frames{}), grpc.MaxCallRecvMsgSize(maxMessage))
	if err != nil {
		return s.broke(err, true)
	}
	broken := make(chan error, 1)
	go func() { broken <- s.receive(wire) }()
	s.poke() // for what came meanwhile
	for closed := false; ; {
		select {
		case <-s.wake:
			if closed || s.send(wire) != nil {
				continue // the receiver learns the reason
			}
			s.mu.Lock()
			closed = s.closing
			s.mu.Unlock()
			if closed {
				_ = wire.CloseSend()
			}
		case err := <-broken:
			return s.broke(err, false)
		}
	}
}

// send sends all that waits.
func (s *stream) send(wire grpc.ClientStream) error {
	for {
		runtime.Gosched() // calls that are just being made share the message
		batch := s.take()
		if batch == nil {
			return nil
		}
		if err := wire.SendMsg(batch); err != nil {
			return err
		}
	}
}

// take makes a message of what waits, nil if there is nothing.
func (s *stream) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, n := 0, 0
	for n < min(len(s.queue), maxBatch) && (n == 0 || size+len(s.queue[n].request) <= maxBatchBytes) {
		size += len(s.queue[n].request) + 8
		n++
	}
	if n == 0 && len(s.cancelled) == 0 {
		return nil
	}
	frame := make([]byte, 0, size+64*len(s.cancelled))
	for _, f := range s.queue[:n] {
		f.sent = true
		frame = appendField(frame, fieldInvocations, f.request)
		f.request = nil
	}
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	for _, id := range s.cancelled {
		frame = appendField(frame, fieldCancelled, id)
	}
	s.cancelled = s.cancelled[:0]
	return frame
}

// receive lands calls until the stream breaks, and tells why it did.
func (s *stream) receive(wire grpc.ClientStream) error {
	for {
		var frame []byte
		if err := wire.RecvMsg(&frame); err != nil {
			return err
		}
		s.mu.Lock()
		err := eachResult(frame, s.land)
		s.mu.Unlock()
		if errors.Is(err, errFrame) {
			return status.Error(codes.Internal, "unmarshal: "+err.Error())
		}
		if err != nil {
			return err
		}
	}
}

// land gives an answer to who waits for it. Called with mu held.
func (s *stream) land(r result) error {
	s.answered = true
	if f := s.flights[r.id]; f != nil && f.sent {
		delete(s.flights, r.id)
		f.landed <- landing{result: r, reached: true}
		return nil
	}
	s.dropped.Add(1)
	if _, late := s.forsaken[r.id]; late {
		delete(s.forsaken, r.id)
		return nil
	}
	if s.unasked++; s.unasked > maxUnasked {
		return status.Error(codes.Unknown, "it sends answers that nobody asked for")
	}
	return nil
}

// broke ends the calls of a stream that broke, or could not even be opened, and
// reports whether another may be opened when there is a call for it.
func (s *stream) broke(err error, unopened bool) bool {
	if errors.Is(err, io.EOF) {
		err = status.Error(codes.Unavailable, "it ended the stream of calls")
	}
	s.mu.Lock()
	if status.Code(err) == codes.Unimplemented && !s.answered {
		s.unary = true
	}
	unary, again := s.unary, !s.closing && !s.unary
	s.mu.Unlock()
	s.fail(err, unopened || unary || !again)
	return again
}

// fail ends the calls that were sent, and with all set those that wait too.
func (s *stream) fail(err error, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, f := range s.flights {
		if f.sent || all {
			delete(s.flights, id)
			f.landed <- landing{err: err, reached: f.sent, unary: s.unary}
		}
	}
	if all {
		s.queue = nil
	}
	clear(s.forsaken) // nothing of an earlier stream comes any more
	s.cancelled, s.unasked = nil, 0
	if len(s.queue) > 0 {
		s.poke()
	}
}
