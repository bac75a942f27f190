package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"

	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
)

// maxBatch is how many calls share a message on the bare stream.
const maxBatch = 16

// batches makes calls on one stream, of which each message takes what waits.
type batches struct {
	wire grpc.BidiStreamingClient[pb.ServeRequest, pb.ServeResponse]
	wake chan struct{}

	mu      sync.Mutex
	queue   []*pb.InvokeRequest
	waiting map[string]chan *pb.InvokeResponse // by invocation id; nil once the stream has ended
}

var errEnded = errors.New("the stream has ended")

func newBatches(wire grpc.BidiStreamingClient[pb.ServeRequest, pb.ServeResponse]) *batches {
	b := &batches{wire: wire, wake: make(chan struct{}, 1), waiting: make(map[string]chan *pb.InvokeResponse)}
	go b.send()
	go b.receive()
	return b
}

func (b *batches) call(r *pb.InvokeRequest) (*pb.InvokeResponse, error) {
	done := make(chan *pb.InvokeResponse, 1)
	b.mu.Lock()
	if b.waiting == nil {
		b.mu.Unlock()
		return nil, errEnded
	}
	b.waiting[r.GetInvocationId()] = done
	b.queue = append(b.queue, r)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	response := <-done
	if response == nil {
		return nil, errEnded
	}
	return response, nil
}

func (b *batches) send() {
	for {
		select {
		case <-b.wake:
		case <-b.wire.Context().Done():
			return
		}
		for runtime.Gosched(); ; runtime.Gosched() {
			b.mu.Lock()
			n := min(len(b.queue), maxBatch)
			batch := b.queue[:n:n]
			b.queue = b.queue[n:]
			b.mu.Unlock()
			if n == 0 {
				break
			}
			if b.wire.Send(&pb.ServeRequest{Invocations: batch}) != nil {
				return
			}
		}
	}
}

func (b *batches) receive() {
	for {
		answers, err := b.wire.Recv()
		b.mu.Lock()
		if err != nil {
			for _, done := range b.waiting {
				close(done)
			}
			b.waiting = nil
			b.mu.Unlock()
			return
		}
		for _, r := range answers.GetResults() {
			if done := b.waiting[r.GetInvocationId()]; done != nil {
				done <- r.GetResponse()
				delete(b.waiting, r.GetInvocationId())
			}
		}
		b.mu.Unlock()
	}
}

// ServeEcho is the whole of a bare skill's process: it answers with what was said.
func ServeEcho(ctx context.Context, socket string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("open the bare skill: %w", err)
	}
	server := grpc.NewServer()
	pb.RegisterSkillServer(server, bareSkill{})
	context.AfterFunc(ctx, server.Stop)
	return server.Serve(listener)
}

type bareSkill struct{ pb.UnimplementedSkillServer }

// Invoke makes an answer of the size that Hark's have.
func (bareSkill) Invoke(_ context.Context, r *pb.InvokeRequest) (*pb.InvokeResponse, error) {
	said := r.GetIntent().GetText()
	if said == "" {
		return &pb.InvokeResponse{}, nil
	}
	return &pb.InvokeResponse{Speech: said[:len(said)-1] + `,"turn":"` + r.GetTurnId() + `","session":"","speech":"You said so","lang":"en","expect":"none","skill":"echo","version":"1.0.0"}`}, nil
}

// Serve answers on the stream's own goroutine: nothing here waits.
func (s bareSkill) Serve(wire grpc.BidiStreamingServer[pb.ServeRequest, pb.ServeResponse]) error {
	for {
		batch, err := wire.Recv()
		if err != nil {
			return nil //nolint:nilerr // the other end has gone: that is how it ends
		}
		answers := &pb.ServeResponse{}
		for _, r := range batch.GetInvocations() {
			response, err := s.Invoke(wire.Context(), r)
			if err != nil {
				return err
			}
			answers.Results = append(answers.Results, &pb.ServeResult{InvocationId: r.GetInvocationId(), Result: &pb.ServeResult_Response{Response: response}})
		}
		if err := wire.Send(answers); err != nil {
			return err
		}
	}
}
