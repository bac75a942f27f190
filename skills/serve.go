package skills

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path"
	"runtime"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // a skill's machine may have no time zones

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const (
	listenVar  = "HARK_SKILL_LISTEN"
	maxRequest = 4 << 20         // bytes; Hark sends far less
	window     = 1 << 20         // bytes of requests that may wait to be read
	grace      = 8 * time.Second // for calls in flight when asked to stop; Hark kills after 10 s
)

// Serve is the whole main function of a skill: it serves Hark until Hark hangs
// up or asks it to stop (SIGTERM), and does not return. Started by hand it
// explains how to deploy the skill and exits with status 2.
func Serve(s Skill) {
	os.Exit(serve(s, os.Getenv(listenVar), os.Stderr)) //nolint:forbidigo // it is the whole of main
}

func serve(s Skill, where string, stderr io.Writer) int {
	if where == "" {
		fmt.Fprintf(stderr, `This is a skill: Hark starts it when somebody calls for it.
Deploy its folder to a running Hark, and then talk to it:

	hark skill deploy FOLDER
	hark say "..."

(%s, which says where to serve, is not set.)
`, listenVar)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	l, err := listen(ctx, where)
	if err == nil {
		err = Run(ctx, s, l)
	}
	if err != nil {
		fmt.Fprintf(stderr, "serve the skill: %v\n", err)
		return 1
	}
	return 0
}

// Run serves the skill on a listener until the context ends, or, for the single
// connection that Hark hands down, until it closes. [Serve] calls it; a test or
// a program with a main of its own may.
func Run(ctx context.Context, s Skill, l net.Listener) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.Log == nil {
		s.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if s.Files == nil {
		s.Files = os.DirFS(".")
	}
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequest),
		// Fixed, because to adjust it gRPC measures the connection with a ping for
		// nearly every message, which on one machine costs more than the message.
		grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(window))
	assistantv1.RegisterSkillServer(srv, &server{skill: s, texts: newTexts(s.Files), stopping: ctx.Done()})
	alive := health.NewServer() // SERVING from the start
	alive.SetServingStatus(assistantv1.Skill_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(srv, alive)

	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		srv.Stop()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	case <-ctx.Done():
		force := time.AfterFunc(grace, srv.Stop)
		defer force.Stop()
		alive.Shutdown()
		srv.GracefulStop()
		return <-ended // nil after a stop
	}
}

// server is the wire's end: one request to one handler.
type server struct {
	assistantv1.UnimplementedSkillServer

	skill    Skill
	texts    *texts
	stopping <-chan struct{}
}

// Invoke answers one request. A handler's panic is its error; the process goes on.
// What went wrong is logged here, too, because the skill's log is where its
// developer looks.
func (s *server) Invoke(ctx context.Context, req *assistantv1.InvokeRequest) (resp *assistantv1.InvokeResponse, err error) {
	call, err := newCall(req, s.texts, s.skill.Log)
	if err != nil {
		s.skill.Log.Error("a call cannot be read", "invocation", req.GetInvocationId(), "error", err)
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	defer func() {
		if p := recover(); p != nil {
			call.Log.Error("a handler panicked", "intent", call.Intent, "panic", p, "at", panicked())
			resp, err = nil, status.Errorf(codes.Internal, "a handler panicked: %v", p)
		}
	}()
	handler, err := s.route(req)
	if err != nil {
		call.Log.Error("a call has no handler", "error", err)
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	resp, err = call.answer(ctx, handler)
	if err != nil {
		return nil, failed(ctx, call, err)
	}
	return resp, nil
}

// failed logs why there is no answer, and says it on the wire.
func failed(ctx context.Context, call *Call, err error) error {
	code := codes.Unknown
	var wrong *fault
	switch {
	case errors.As(err, &wrong):
		code = codes.Internal
		call.Log.Error("an answer cannot be used", "intent", call.Intent, "error", err)
	case ctx.Err() != nil:
		call.Log.Warn("a handler failed after Hark had given up its call", "intent", call.Intent, "error", err)
	default:
		call.Log.Error("a handler failed", "intent", call.Intent, "error", err)
	}
	return status.Error(code, err.Error())
}

// maxFrames bounds how much of a panic's stack is logged.
const maxFrames = 8

// panicked tells where a handler panicked, innermost first and on one line:
// from there to the handler itself, without what called it. Only a deferred
// function may call it.
func panicked() string {
	const sdk = "github.com/hark-voice/hark/skills."
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // behind Callers, panicked and the deferred function
	var at []string
	for len(at) < maxFrames {
		f, more := frames.Next()
		if f.Function == sdk+"(*Call).answer" {
			break
		}
		if !strings.HasPrefix(f.Function, "runtime.") {
			at = append(at, fmt.Sprintf("%s (%s:%d)", path.Base(f.Function), path.Base(f.File), f.Line))
		}
		if !more {
			break
		}
	}
	return strings.Join(at, " < ")
}

func (s *server) route(req *assistantv1.InvokeRequest) (Handler, error) {
	switch r := req.GetRequest().(type) {
	case *assistantv1.InvokeRequest_Intent:
		return s.skill.intent(r.Intent.GetName())
	case *assistantv1.InvokeRequest_Event:
		if r.Event.GetSchedule() == nil {
			return nil, fmt.Errorf("no handler for %T", r.Event.GetEvent())
		}
		if s.skill.Schedule == nil {
			return nil, errors.New("a schedule is due, but skills.Skill.Schedule is not set")
		}
		return s.skill.Schedule, nil
	default:
		return nil, fmt.Errorf("no handler for %T", r)
	}
}
