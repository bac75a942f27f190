package skills

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// BenchmarkServe is what the SDK adds to a call on a stream: all but gRPC and the
// handler. Hark has as many calls in flight as a message holds.
func BenchmarkServe(b *testing.B) {
	for _, inFlight := range []int{1, 16} {
		b.Run(fmt.Sprint(inFlight), func(b *testing.B) {
			batch := &assistantv1.ServeRequest{}
			for i := range inFlight {
				batch.Invocations = append(batch.Invocations, &assistantv1.InvokeRequest{
					InvocationId: fmt.Sprint("i", i), TurnId: "t1", NowMs: 1_800_000_000_000, Home: "home1", Device: "kitchen",
					Area: "Kitchen", Locale: "en", TimeZone: "Europe/Berlin", State: &assistantv1.State{},
					Request: &assistantv1.InvokeRequest_Intent{Intent: &assistantv1.IntentRequest{
						Name: "Do", Confidence: 1, Text: "say hello", Slots: map[string]*assistantv1.Slot{"arg": {Text: "hello"}},
					}},
				})
			}
			skill := Skill{
				Intents: Intents{"Do": func(context.Context, *Call) (*Answer, error) { return Speak("You said: hello"), nil }},
				Log:     slog.New(slog.NewTextHandler(io.Discard, nil)), //nolint:sloglint // as in production
			}
			s := &server{skill: skill, texts: newTexts(os.DirFS("time"))}
			b.ReportAllocs()
			if err := s.Serve(&benchWire{b: b, batch: batch, answered: make(chan int, inFlight)}); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// benchWire is a stream on which the same calls come again when all are answered.
type benchWire struct {
	grpc.ServerStream

	b        *testing.B
	batch    *assistantv1.ServeRequest
	calls    int // received so far
	answered chan int
}

func (w *benchWire) Context() context.Context { return w.b.Context() }

func (w *benchWire) Recv() (*assistantv1.ServeRequest, error) {
	for open := min(w.calls, len(w.batch.GetInvocations())); open > 0; {
		open -= <-w.answered
	}
	if w.calls >= w.b.N {
		return nil, io.EOF
	}
	w.calls += len(w.batch.GetInvocations())
	return w.batch, nil
}

func (w *benchWire) Send(r *assistantv1.ServeResponse) error {
	encoded, err := proto.Marshal(r)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(encoded, r); err != nil {
		return err
	}
	w.answered <- len(r.GetResults())
	return nil
}

func BenchmarkFirstText(b *testing.B) {
	for b.Loop() {
		c := &Call{ID: "a", Lang: "en", now: time.Now(), texts: newTexts(os.DirFS("time"))}
		if c.Text("time", Data{"Time": c.Now(), "Later": false, "Earlier": false}); c.err != nil {
			b.Fatal(c.err)
		}
	}
}

func BenchmarkNextText(b *testing.B) {
	c := &Call{ID: "a", Lang: "en", now: time.Now(), texts: newTexts(os.DirFS("time"))}
	for b.Loop() {
		if c.Text("time", Data{"Time": c.Now(), "Later": false, "Earlier": false}); c.err != nil {
			b.Fatal(c.err)
		}
	}
}
