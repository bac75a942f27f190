package main

import (
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "github.com/hark-voice/hark/proto/assistant/v1"
)

// Serve is as plain as one would write it by hand: no batches, and calls that
// were cancelled are answered all the same.
func (s skill) Serve(stream grpc.BidiStreamingServer[pb.ServeRequest, pb.ServeResponse]) error {
	if os.Getenv("STREAM") == "" {
		return s.UnimplementedSkillServer.Serve(stream)
	}
	var sending sync.Mutex
	var calls sync.WaitGroup
	for {
		batch, err := stream.Recv()
		if err != nil {
			calls.Wait()
			return nil
		}
		for _, r := range batch.Invocations {
			calls.Go(func() {
				result := &pb.ServeResult{InvocationId: r.InvocationId}
				response, err := s.Invoke(stream.Context(), r)
				if err != nil {
					e := status.Convert(err)
					result.Result = &pb.ServeResult_Error{Error: &pb.SkillError{Code: int32(e.Code()), Message: e.Message()}}
				} else {
					result.Result = &pb.ServeResult_Response{Response: response}
				}
				sending.Lock()
				defer sending.Unlock()
				_ = stream.Send(&pb.ServeResponse{Results: []*pb.ServeResult{result}})
			})
		}
	}
}
