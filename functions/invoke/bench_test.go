package invoke_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/runtime"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
)

// BenchmarkCall compares a call with the same call by gRPC alone.
func BenchmarkCall(b *testing.B) {
	for _, inFlight := range []int{1, 64} {
		b.Run(fmt.Sprintf("hark/%d", inFlight), func(b *testing.B) {
			h := newHouse(b, setup{limits: runtime.Limits{MaxInstances: 1}})
			h.do("Echo", "")
			c := h.call("Echo", "hello")
			spread(b, inFlight, func() error {
				_, _, err := h.Invoke(b.Context(), c)
				return err
			})
		})
		b.Run(fmt.Sprintf("bare/%d", inFlight), func(b *testing.B) {
			h := newHouse(b, setup{})
			i, err := h.driver.Start(b.Context(), h.spec)
			if err != nil {
				b.Fatal(err)
			}
			client := pb.NewSkillClient(i.Conn())
			request := &pb.InvokeRequest{Request: &pb.InvokeRequest_Intent{Intent: &pb.IntentRequest{
				Name: "Echo", Slots: map[string]*pb.Slot{"arg": {Text: "hello"}},
			}}}
			spread(b, inFlight, func() error {
				_, err := client.Invoke(b.Context(), request)
				return err
			})
		})
	}
}

// spread divides b.N calls among goroutines.
func spread(b *testing.B, inFlight int, call func() error) {
	b.Helper()
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range inFlight {
		wg.Go(func() {
			for range b.N/inFlight + min(1, max(0, b.N%inFlight-w)) {
				if err := call(); err != nil {
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
