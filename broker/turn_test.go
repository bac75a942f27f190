//go:build unix

package broker_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker"
	"github.com/hark-voice/hark/broker/topic"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/sync/errgroup"
)

// BenchmarkTurn measures one publish at QoS 1 with its PUBACK and one reply at
// QoS 1 with its PUBACK, for so many devices that ask one thing at a time: through
// Hark's broker, and through the bare library as deploy/bench has it. CPU and
// context switches are those of the broker's process.
func BenchmarkTurn(b *testing.B) {
	for _, devices := range []int{1, 50} {
		b.Run(fmt.Sprintf("hark/devices %d", devices), func(b *testing.B) { benchHark(b, devices, true) })
		b.Run(fmt.Sprintf("hark, durable/devices %d", devices), func(b *testing.B) { benchHark(b, devices, false) })
		b.Run(fmt.Sprintf("bare/devices %d", devices), func(b *testing.B) { benchBare(b, devices) })
	}
}

// answerer answers each message and acknowledges it when the answer is stored, as
// the road does.
type answerer struct {
	door  *broker.Broker
	early bool
	store chan chan struct{}
}

func (a *answerer) Consume(m topic.Inbound) {
	go func() {
		id := strings.TrimRight(string(m.Payload[:32]), " ")
		out := topic.Outbound{ID: m.Device.ID + "/" + id, Device: m.Device, Topic: m.Device.Topic(topic.Reply), Payload: m.Payload, Expires: m.Received.Add(time.Minute)}
		if a.early {
			a.door.Deliver(out, false)
		}
		stored := make(chan struct{})
		a.store <- stored
		<-stored
		a.door.Deliver(out, true)
		m.Ack()
	}()
}

// commitTime is what a store takes for a batch, however large.
const commitTime = 500 * time.Microsecond

// commit stores what has come together, until store is closed.
func (a *answerer) commit() {
	var batch []chan struct{}
	for stored := range a.store {
		batch = append(batch[:0], stored)
		time.Sleep(commitTime)
		for len(a.store) > 0 {
			batch = append(batch, <-a.store)
		}
		for _, c := range batch {
			close(c)
		}
	}
}

// sink is an outbox that owes nothing and forgets what is settled.
type sink struct{}

func (sink) Owed(context.Context, topic.Device, int) ([]topic.Outbound, error) { return nil, nil }
func (sink) Settle(context.Context, ...string) error                           { return nil }

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func benchHark(b *testing.B, devices int, early bool) {
	b.Helper()
	a := &answerer{early: early, store: make(chan chan struct{}, 1000)}
	h := open(b, func(o *broker.Options) {
		o.Consumer, o.Outbox, o.Clock, o.Log = a, sink{}, wallClock{}, slog.New(slog.DiscardHandler)
		for i := range devices {
			c := topic.Credential{Device: benchDevice(i), ID: "c", Hash: sha256.Sum256([]byte(password))}
			_ = o.Credentials.PutCredential(b.Context(), c)
		}
	})
	a.door = h.Broker
	var g errgroup.Group
	g.Go(func() error { a.commit(); return nil })
	runLoad(b, h.addr, devices)
	if err := h.stop(); err != nil {
		b.Fatal(err)
	}
	close(a.store)
	_ = g.Wait()
}

// bareRoad is the bare library with a hook that answers.
type bareRoad struct {
	mqtt.HookBase
	server *mqtt.Server
}

func (*bareRoad) ID() string { return "road" }

func (*bareRoad) Provides(b byte) bool {
	return b == mqtt.OnPublished || b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck
}

func (*bareRoad) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }
func (*bareRoad) OnACLCheck(*mqtt.Client, string, bool) bool              { return true }

func (r *bareRoad) OnPublished(_ *mqtt.Client, p packets.Packet) {
	if base, ok := strings.CutSuffix(p.TopicName, "/utterance"); ok {
		payload := slices.Clone(p.Payload)
		go func() { _ = r.server.Publish(base+"/reply", payload, false, 1) }()
	}
}

func benchBare(b *testing.B, devices int) {
	b.Helper()
	server := mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(&bareRoad{server: server}, nil); err != nil {
		b.Fatal(err)
	}
	ln, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if err := server.AddListener(listeners.NewNet("bare", ln)); err != nil {
		b.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	runLoad(b, ln.Addr().String(), devices)
}

// runLoad has devices in a process of their own ask b.N times in all.
func runLoad(b *testing.B, addr string, devices int) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", loadEnv, addr, devices, b.N))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		b.Fatal("the devices cannot connect")
	}
	before := usage(b)
	b.ResetTimer()
	_, _ = io.WriteString(in, "go\n")
	if !lines.Scan() {
		b.Fatal("the devices did not get to the end")
	}
	b.StopTimer()
	after := usage(b)
	for i, name := range []string{"reply-p50-us", "reply-p99-us", "turn-p50-us"} {
		v, err := strconv.ParseFloat(strings.Fields(lines.Text())[i], 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(v, name)
	}
	b.ReportMetric(float64(cpuNanos(after)-cpuNanos(before))/1000/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(after.Nvcsw-before.Nvcsw)/float64(b.N), "switches/op")
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

func usage(tb testing.TB) (u syscall.Rusage) {
	tb.Helper()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return u
}

func cpuNanos(u syscall.Rusage) int64 { return u.Utime.Nano() + u.Stime.Nano() }
