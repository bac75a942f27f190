package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	pb "github.com/hark-voice/hark/proto/assistant/v1"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// ServeBare is the whole of a bare pipeline's process: a broker that hands each
// utterance to a skill and publishes the answer. Nothing is understood, checked,
// counted or stored. The skill is started by command, which is told a socket.
// When the pipeline is open, its address is printed.
func ServeBare(ctx context.Context, stream bool, command []string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "hark-bare-")
	if err != nil {
		return fmt.Errorf("make a folder for the socket: %w", err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	skill := exec.CommandContext(ctx, command[0], append(command[1:], socket)...) //nolint:gosec // this program itself
	skill.Stderr = os.Stderr
	// The unary pipeline is as one writes it by hand; the stream is tuned as Hark's own
	// calls are, one processor for a skill included.
	if stream {
		skill.Env = append(os.Environ(), "GOMAXPROCS=1")
	}
	if err := skill.Start(); err != nil {
		return fmt.Errorf("start the bare skill: %w", err)
	}
	defer func() { cancel(); _ = skill.Wait() }()

	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to the bare skill: %w", err)
	}
	defer conn.Close()
	client := pb.NewSkillClient(conn)
	call := func(r *pb.InvokeRequest) (*pb.InvokeResponse, error) { return client.Invoke(ctx, r) }
	if _, err := client.Invoke(ctx, &pb.InvokeRequest{}, grpc.WaitForReady(true)); err != nil {
		return fmt.Errorf("call the bare skill: %w", err)
	}
	if stream {
		wire, err := client.Serve(ctx)
		if err != nil {
			return fmt.Errorf("open a stream to the bare skill: %w", err)
		}
		call = newBatches(wire).call
	}
	return serveBroker(ctx, call, out)
}

func serveBroker(ctx context.Context, call func(*pb.InvokeRequest) (*pb.InvokeResponse, error), out io.Writer) error {
	server := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	defer server.Close()
	road := &bareRoad{server: server, call: call}
	if err := server.AddHook(road, nil); err != nil {
		return fmt.Errorf("prepare the bare broker: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open the bare broker: %w", err)
	}
	if err := server.AddListener(listeners.NewNet("bare", listener)); err != nil {
		return fmt.Errorf("open the bare broker: %w", err)
	}
	if err := server.Serve(); err != nil {
		return fmt.Errorf("run the bare broker: %w", err)
	}
	fmt.Fprintf(out, "mqtt  %s\nREADY\n", listener.Addr())
	<-ctx.Done()
	return nil
}

// bareRoad answers utterances, each on a goroutine of its own.
type bareRoad struct {
	mochi.HookBase

	server *mochi.Server
	call   func(*pb.InvokeRequest) (*pb.InvokeResponse, error)
}

func (*bareRoad) ID() string { return "road" }

func (*bareRoad) Provides(b byte) bool {
	return b == mochi.OnPublished || b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

func (*bareRoad) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*bareRoad) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

func (r *bareRoad) OnPublished(_ *mochi.Client, p packets.Packet) {
	base, ok := strings.CutSuffix(p.TopicName, "/utterance")
	if !ok {
		return
	}
	payload := bytes.Clone(p.Payload)
	go func() {
		response, err := r.call(bareRequest(base, payload))
		if err != nil {
			return // its device will say that no reply came
		}
		_ = r.server.Publish(base+"/reply", []byte(response.GetSpeech()), false, 1)
	}()
}

// bareRequest is of the size that Hark's are.
func bareRequest(base string, payload []byte) *pb.InvokeRequest {
	parts := strings.Split(base, "/")
	_, rest, _ := strings.Cut(string(payload), `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	now := time.Now().UnixMilli()
	return &pb.InvokeRequest{
		InvocationId: id + base, TurnId: id + base, NowMs: now, DeadlineMs: now + 5000,
		Home: parts[1], Device: parts[len(parts)-1], Area: "kitchen", Locale: "en", TimeZone: "Europe/Berlin", State: &pb.State{},
		Request: &pb.InvokeRequest_Intent{Intent: &pb.IntentRequest{Name: "Echo", Confidence: 1, Text: string(payload)}},
	}
}
