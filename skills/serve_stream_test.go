package skills_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
	"github.com/hark-voice/hark/skills"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// talk is a stream of calls to a skill.
type talk struct {
	t    *testing.T
	wire grpc.BidiStreamingClient[assistantv1.ServeRequest, assistantv1.ServeResponse]
	got  []*assistantv1.ServeResult
}

// stream opens a stream to a skill with these handlers, in this process.
func stream(t *testing.T, intents skills.Intents) *talk {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := bufconn.Listen(1 << 16)
	ended := make(chan error, 1)
	go func() {
		ended <- skills.Run(ctx, skills.Skill{Intents: intents, Log: slog.New(slog.DiscardHandler)}, l)
	}()
	conn, err := grpc.NewClient("passthrough:///skill", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
	return open(t, conn)
}

func open(t *testing.T, conn *grpc.ClientConn) *talk {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	wire, err := assistantv1.NewSkillClient(conn).Serve(ctx, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return &talk{t: t, wire: wire}
}

// call sends one message with calls named by their ids; "a:Do" calls intent Do.
func (k *talk) call(calls ...string) {
	k.t.Helper()
	batch := &assistantv1.ServeRequest{}
	for _, c := range calls {
		id, name, _ := strings.Cut(c, ":")
		req := intent(name)
		req.InvocationId = id
		batch.Invocations = append(batch.Invocations, req)
	}
	if err := k.wire.Send(batch); err != nil {
		k.t.Fatal(err)
	}
}

// next returns the next answer.
func (k *talk) next() *assistantv1.ServeResult {
	k.t.Helper()
	for len(k.got) == 0 {
		batch, err := k.wire.Recv()
		if err != nil {
			k.t.Fatal(err)
		}
		k.got = batch.GetResults()
	}
	first := k.got[0]
	k.got = k.got[1:]
	return first
}

func (k *talk) answers(id, speech string) {
	k.t.Helper()
	if r := k.next(); r.GetInvocationId() != id || r.GetResponse().GetSpeech() != speech {
		k.t.Errorf("got %v, want %s: %s", r, id, speech)
	}
}

func (k *talk) fails(id string, code codes.Code, message string) {
	k.t.Helper()
	r := k.next()
	if r.GetInvocationId() != id || r.GetError().GetCode() != int32(code) || !strings.Contains(r.GetError().GetMessage(), message) {
		k.t.Errorf("got %v, want %s: %s %s", r, id, code, message)
	}
}

func speak(text string) skills.Handler {
	return func(context.Context, *skills.Call) (*skills.Answer, error) { return skills.Speak(text), nil }
}

func TestStreamAnswersInAnyOrder(t *testing.T) {
	release := make(chan struct{})
	k := stream(t, skills.Intents{"Do": speak("done"), "Wait": func(context.Context, *skills.Call) (*skills.Answer, error) {
		<-release
		return skills.Speak("waited"), nil
	}})
	k.call("a:Wait", "b:Do")
	k.answers("b", "done")
	k.call("c:Do")
	k.answers("c", "done")
	close(release)
	k.answers("a", "waited")
}

func TestStreamErrorsAreOfTheirCall(t *testing.T) {
	k := stream(t, skills.Intents{
		"Do": speak("done"),
		"Fail": func(context.Context, *skills.Call) (*skills.Answer, error) {
			return nil, errors.New("the city is unknown\xff")
		},
		"Panic": func(context.Context, *skills.Call) (*skills.Answer, error) { panic("ouch") },
		"Bytes": speak("\xff"),
		"Huge":  speak(strings.Repeat("x", 1<<20)),
	})
	k.call("a:Fail")
	k.fails("a", codes.Unknown, "the city is unknown\uFFFD")
	k.call("b:Panic")
	k.fails("b", codes.Internal, "ouch")
	k.call("c:Nobody")
	k.fails("c", codes.InvalidArgument, "Nobody")
	k.call("d:Bytes")
	k.fails("d", codes.Internal, "UTF-8")
	k.call("e:Huge")
	k.fails("e", codes.Internal, "1048576")
	k.call("f:Do")
	k.answers("f", "done")
}

func TestStreamCancel(t *testing.T) {
	started := make(chan struct{})
	k := stream(t, skills.Intents{"Wait": func(ctx context.Context, _ *skills.Call) (*skills.Answer, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	k.call("a:Wait")
	<-started
	if err := k.wire.Send(&assistantv1.ServeRequest{Cancelled: []string{"unknown", "a"}}); err != nil {
		t.Fatal(err)
	}
	k.fails("a", codes.Unknown, "canceled")
}

func TestStreamManyAtOnce(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	var most, now atomic.Int32
	gate := make(chan struct{})
	k := stream(t, skills.Intents{"Do": func(context.Context, *skills.Call) (*skills.Answer, error) {
		if n := now.Add(1); n == 500 {
			close(gate)
		}
		<-gate // all handlers run at the same time
		most.Store(max(most.Load(), now.Load()))
		return skills.Speak("done"), nil
	}})
	want := map[string]bool{}
	for i := range 500 {
		id := fmt.Sprint("i", i)
		want[id] = true
		k.call(id + ":Do")
	}
	for range 500 {
		r := k.next()
		if !want[r.GetInvocationId()] || r.GetResponse().GetSpeech() != "done" {
			t.Fatalf("got %v", r)
		}
		delete(want, r.GetInvocationId())
	}
}

// A call may be larger than what is sent ahead of its reader.
func TestStreamLargeCall(t *testing.T) {
	k := stream(t, skills.Intents{"Do": func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		return skills.Speak(fmt.Sprint(len(call.Sentence))), nil
	}})
	large := intent("Do")
	large.InvocationId = "a"
	large.GetIntent().Text = strings.Repeat("x", 3<<20)
	for range 2 {
		if err := k.wire.Send(&assistantv1.ServeRequest{Invocations: []*assistantv1.InvokeRequest{large}}); err != nil {
			t.Fatal(err)
		}
		k.answers("a", fmt.Sprint(3<<20))
	}
}

// Calls that came before the process is asked to stop are answered, and then
// the stream ends.
func TestStreamStopIsGraceful(t *testing.T) {
	p := inherited(t)
	p.check(t)
	k := open(t, p.client)
	k.call("a:Wait", "b:Wait")
	<-p.stderr.written
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := k.next(); r.GetResponse().GetSpeech() != "waited" {
			t.Errorf("got %v", r)
		}
	}
	p.ends(t, 0)
}

func TestStreamEndsWhenHarkHangsUp(t *testing.T) {
	k := stream(t, skills.Intents{"Do": speak("done")})
	k.call("a:Do")
	if err := k.wire.CloseSend(); err != nil {
		t.Fatal(err)
	}
	k.answers("a", "done")
	if _, err := k.wire.Recv(); err == nil || err.Error() != "EOF" {
		t.Errorf("got %v, want the end", err)
	}
}
