package invoke_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/invoke"
	"github.com/hark-voice/hark/functions/runtime"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// BenchmarkCall compares calls with the same ones by gRPC alone, to a skill that
// is made with the SDK and is called by Invoke, or on a stream.
func BenchmarkCall(b *testing.B) {
	program := buildEcho(b)
	for _, inFlight := range []int{1, 64} {
		for _, way := range []way{unary, stream} {
			b.Run(fmt.Sprintf("bare %s/%d", way, inFlight), func(b *testing.B) {
				i := sdkHouse(b, program).instance(false)
				defer reportCPU(b, i, 0)()
				call := bareInvoke(i)
				if way == stream {
					call = bareServe(b, i)
				}
				spread(b, inFlight, call)
			})
			b.Run(fmt.Sprintf("hark %s/%d", way, inFlight), func(b *testing.B) {
				h := sdkHouse(b, program)
				i := h.instance(way == unary)
				v := h.invoker(i)
				defer reportCPU(b, i, 0)()
				spread(b, inFlight, func(string) error {
					_, _, err := v.Invoke(b.Context(), h.call("Echo", "hello"))
					return err
				})
			})
		}
	}
}

// BenchmarkBusyCall makes calls from a process that has something else to do in
// between, as Hark has: they come one by one rather than all at once, and each
// may have to wake the skill. The other work is not counted.
func BenchmarkBusyCall(b *testing.B) {
	program := buildEcho(b)
	for _, callers := range []int{2, 50} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			h := sdkHouse(b, program)
			i := h.instance(false)
			v := h.invoker(i)
			before, _ := usedCPU(b, i)
			spread(b, callers, func(string) error { otherWork(); return nil })
			after, _ := usedCPU(b, i)
			defer reportCPU(b, i, after-before)()
			spread(b, callers, func(string) error {
				otherWork()
				_, _, err := v.Invoke(b.Context(), h.call("Echo", "hello"))
				return err
			})
		})
	}
}

// otherWork takes some 60 us of a processor.
func otherWork() {
	var sum [sha256.Size]byte
	for range 400 {
		sum = sha256.Sum256(sum[:])
	}
}

func buildEcho(b *testing.B) (program string) {
	b.Helper()
	program = filepath.Join(b.TempDir(), "skill")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "../../deploy/bench/testdata/echo").CombinedOutput(); err != nil {
		b.Fatalf("build the skill: %v\n%s", err, out)
	}
	return program
}

// invoker makes the calls of one instance.
func (h *house) invoker(i runtime.Instance) *invoke.Invoker {
	v, err := invoke.New(invoke.Options{Driver: startsOne{i}, Specs: h, Prices: h.prices})
	if err != nil {
		h.t.Fatal(err)
	}
	h.run(v)
	return v
}

// sdkHouse is a house whose skill is made with the SDK.
func sdkHouse(b *testing.B, program string) *house {
	b.Helper()
	h := newHouse(b, setup{limits: runtime.Limits{MaxInstances: 1, Concurrency: 64}})
	h.spec.Dir = filepath.Dir(program)
	for _, name := range []string{"GOGC", "GOMAXPROCS"} { // to try others than Hark's
		if value := os.Getenv("SKILL_" + name); value != "" {
			h.spec.Env[name] = value
		}
	}
	return h
}

// usedCPU is the processor time of this process and of the skill's.
func usedCPU(b *testing.B, i runtime.Instance) (here, there time.Duration) {
	b.Helper()
	var u syscall.Rusage
	there, err := i.CPU()
	if err = errors.Join(err, syscall.Getrusage(syscall.RUSAGE_SELF, &u)); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), there
}

// reportCPU reports the processor time of a call, in this process and in the
// skill's, without that of other work.
func reportCPU(b *testing.B, i runtime.Instance, other time.Duration) (report func()) {
	b.Helper()
	here, there := usedCPU(b, i)
	return func() {
		h, t := usedCPU(b, i)
		b.ReportMetric(float64((h-here-other).Nanoseconds())/1000/float64(b.N), "caller-us/op")
		b.ReportMetric(float64((t-there).Nanoseconds())/1000/float64(b.N), "skill-us/op")
	}
}

// instance starts the skill; one that refuses streams is called by Invoke.
func (h *house) instance(refuse bool) runtime.Instance {
	i, err := h.driver.Start(h.t.Context(), h.spec)
	if err != nil {
		h.t.Fatal(err)
	}
	if refuse {
		return unaryOnly{i}
	}
	return i
}

// startsOne is a driver whose instance runs already.
type startsOne struct{ runtime.Instance }

func (d startsOne) Start(context.Context, runtime.Spec) (runtime.Instance, error) {
	return d.Instance, nil
}

// unaryOnly is an instance that does not offer Serve.
type unaryOnly struct{ runtime.Instance }

func (i unaryOnly) Conn() grpc.ClientConnInterface { return unaryConn{i.Instance.Conn()} }

type unaryConn struct{ grpc.ClientConnInterface }

func (unaryConn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "unary alone")
}

func benchRequest(id string) *pb.InvokeRequest {
	return &pb.InvokeRequest{
		InvocationId: id, TurnId: id, NowMs: 1_800_000_000_000, DeadlineMs: 1_800_000_005_000, Home: "home1", Device: "kitchen",
		Area: "Kitchen", Locale: "en", TimeZone: "Europe/Berlin", State: &pb.State{},
		Request: &pb.InvokeRequest_Intent{Intent: &pb.IntentRequest{Name: "Echo", Slots: map[string]*pb.Slot{"arg": {Text: "hello"}}}},
	}
}

func bareInvoke(i runtime.Instance) func(string) error {
	client := pb.NewSkillClient(i.Conn())
	return func(id string) error {
		_, err := client.Invoke(context.Background(), benchRequest(id))
		return err
	}
}

// bareServe multiplexes calls on a stream, a message each.
func bareServe(b *testing.B, i runtime.Instance) func(string) error {
	b.Helper()
	wire, err := pb.NewSkillClient(i.Conn()).Serve(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	waiting := map[string]chan struct{}{}
	go func() {
		for {
			batch, err := wire.Recv()
			if err != nil {
				return
			}
			mu.Lock()
			for _, r := range batch.GetResults() {
				close(waiting[r.GetInvocationId()])
				delete(waiting, r.GetInvocationId())
			}
			mu.Unlock()
		}
	}()
	return func(id string) error {
		done := make(chan struct{})
		mu.Lock()
		waiting[id] = done
		err := wire.Send(&pb.ServeRequest{Invocations: []*pb.InvokeRequest{benchRequest(id)}})
		mu.Unlock()
		if err == nil {
			<-done
		}
		return err
	}
}

// spread divides b.N calls among goroutines.
func spread(b *testing.B, inFlight int, call func(id string) error) {
	b.Helper()
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range inFlight {
		wg.Go(func() {
			for i := range b.N/inFlight + min(1, max(0, b.N%inFlight-w)) {
				if err := call(fmt.Sprintf("c%d.%d", w, i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkFirstCall(b *testing.B) {
	h := newHouse(b, setup{})
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		h.do("Echo", "")
		took = append(took, time.Since(began))
		h.Drain(b.Context(), "probe", "1")
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-worst")
}
