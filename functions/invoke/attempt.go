package invoke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/runtime"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// attempt is how one call to one instance went.
type attempt struct {
	// reached: the skill may have seen the call, so it must not be made again.
	reached bool
	answer  *assistant.Answer
	err     error // an *assistant.Error, or nil
	outcome assistant.Outcome
	health  health
	wall    time.Duration
	cpu     time.Duration
}

// attempt calls an instance, once.
func (v *Invoker) attempt(ctx context.Context, w *worker, call *assistant.Call, request *pb.InvokeRequest) attempt {
	select {
	case <-w.instance.Done():
		return attempt{health: gone, err: died(call, w.instance)}
	default:
	}
	mark := w.meter.begin()
	began := time.Now()
	response, reached, err := w.invoke(ctx, request)
	a := attempt{wall: time.Since(began), reached: reached}
	switch {
	case err != nil:
		a.outcome, a.health, a.err = v.classify(ctx, w.instance, call, err)
	default:
		a.outcome, a.health = assistant.OutcomeOK, answered
		var wrong error
		if a.answer, wrong = newAnswer(call, response); wrong != nil {
			a.outcome = assistant.OutcomeInvalid
			a.err = assistant.Errorf(assistant.CodeSkillFailed, "skill %s gave an answer that cannot be used: %v", call.Skill, wrong)
		}
	}
	a.cpu = w.meter.end(mark)
	return a
}

// invoke calls the instance in the best way that it offers.
func (w *worker) invoke(ctx context.Context, request *pb.InvokeRequest) (_ *pb.InvokeResponse, reached bool, err error) {
	encoded, err := proto.Marshal(request)
	if err != nil {
		return nil, false, fmt.Errorf("encode the call: %w", err)
	}
	l := w.stream.call(ctx, request.GetInvocationId(), encoded)
	if l.unary {
		return w.invokeUnary(ctx, request)
	}
	if l.err != nil {
		return nil, l.reached, l.err
	}
	response, err := l.decode()
	return response, true, err
}

func (w *worker) invokeUnary(ctx context.Context, request *pb.InvokeRequest) (_ *pb.InvokeResponse, reached bool, err error) {
	var seenBy peer.Peer
	response, err := pb.NewSkillClient(w.instance.Conn()).Invoke(ctx, request, grpc.Peer(&seenBy), grpc.MaxCallRecvMsgSize(maxResponse))
	// Without a peer no stream was opened: nothing can have been written.
	return response, err == nil || seenBy.Addr != nil, err
}

// decode reads an answer, with the errors that Invoke would have given.
func (r *result) decode() (*pb.InvokeResponse, error) {
	switch {
	case r.empty:
		return nil, status.Error(codes.Unknown, "neither a response nor an error")
	case len(r.response) > maxResponse:
		return nil, status.Errorf(codes.ResourceExhausted, "larger than max (%d vs. %d)", len(r.response), maxResponse)
	case r.failure != nil:
		var failure pb.SkillError
		if err := proto.Unmarshal(r.failure, &failure); err != nil {
			return nil, status.Errorf(codes.Internal, "unmarshal its error: %v", err)
		}
		code := codes.Code(max(0, failure.GetCode()))
		if code == codes.OK {
			code = codes.Unknown
		}
		return nil, status.Error(code, failure.GetMessage())
	}
	var response pb.InvokeResponse
	if err := proto.Unmarshal(r.response, &response); err != nil {
		return nil, status.Errorf(codes.Internal, "unmarshal its response: %v", err)
	}
	return &response, nil
}

// record is the meter of an attempt that reached the skill.
func (v *Invoker) record(w *worker, call *assistant.Call, memMiB int64, a attempt) assistant.Invocation {
	wall := max(time.Millisecond, (a.wall + time.Millisecond - 1).Truncate(time.Millisecond))
	return assistant.Invocation{
		ID: call.ID, Skill: call.Skill, Version: call.Version, Instance: w.instance.ID(),
		Outcome: a.outcome, Wall: wall, CPU: a.cpu, MemoryMiB: memMiB,
		MicroCU: v.opts.Prices.Price(v.opts.Clock.Now(), wall, a.cpu, memMiB),
	}
}

// classify says what an error of a call means.
func (v *Invoker) classify(ctx context.Context, instance runtime.Instance, call *assistant.Call, err error) (assistant.Outcome, health, error) {
	s := status.Convert(err)
	failed := func(format string, args ...any) error {
		return assistant.Errorf(assistant.CodeSkillFailed, "skill "+call.Skill+": "+format, args...)
	}
	switch {
	case ctx.Err() != nil:
		h := silent
		if errors.Is(ctx.Err(), context.Canceled) {
			h = unknown // the caller gave up: the instance is not to blame
		}
		return assistant.OutcomeTimeout, h, ended(ctx, version{call.Skill, call.Version}, "it was called and let the deadline pass")
	case s.Code() == codes.DeadlineExceeded:
		return assistant.OutcomeTimeout, silent, assistant.Errorf(assistant.CodeTimeout, "skill %s has not answered in time: %s", call.Skill, clip(s.Message()))
	case s.Code() == codes.Unavailable, s.Code() == codes.Canceled:
		return v.lost(ctx, instance, call, s)
	case s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), "larger than max"):
		return assistant.OutcomeInvalid, answered, failed("its answer is larger than %d bytes", maxResponse)
	case s.Code() == codes.Internal && strings.Contains(s.Message(), "unmarshal"):
		return assistant.OutcomeInvalid, answered, failed("its answer cannot be decoded: %s", clip(s.Message()))
	case s.Code() == codes.Unimplemented:
		return assistant.OutcomeFailed, answered, failed("it does not serve assistant.v1.Skill/Invoke")
	default:
		return assistant.OutcomeFailed, answered, failed("it returned %s: %s", s.Code(), clip(s.Message()))
	}
}

// lost tells a skill that says it is unavailable from one that is gone.
func (v *Invoker) lost(ctx context.Context, instance runtime.Instance, call *assistant.Call, s *status.Status) (assistant.Outcome, health, error) {
	timer := time.NewTimer(v.opts.Obituary)
	defer timer.Stop()
	select {
	case <-instance.Done():
		return assistant.OutcomeFailed, gone, died(call, instance)
	case <-timer.C:
	case <-ctx.Done():
	}
	h := gone // it closed its only connection
	if conn, ok := instance.Conn().(interface{ GetState() connectivity.State }); ok && conn.GetState() == connectivity.Ready {
		h = answered
	}
	return assistant.OutcomeFailed, h, assistant.Errorf(assistant.CodeSkillFailed, "skill %s: it returned %s: %s", call.Skill, s.Code(), clip(s.Message()))
}

func died(call *assistant.Call, instance runtime.Instance) error {
	why := "it was stopped"
	if err := instance.Err(); err != nil {
		why = err.Error()
	}
	return assistant.Errorf(assistant.CodeSkillFailed, "skill %s died during the call: %s", call.Skill, clip(why))
}

// clip bounds text that a skill chose.
func clip(s string) string {
	const most = 1000
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}
