// Command skill is a skill function that behaves well or badly, as it is told.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	pb "github.com/hark-voice/hark/proto/assistant/v1"
)

// forever is not `select {}`: in a program built without cgo, Go calls that a deadlock.
func forever() { <-time.After(time.Hour) }

func main() {
	switch os.Getenv("START") {
	case "exit":
		fmt.Println("reading settings")
		fmt.Fprintln(os.Stderr, "panic: no such city: Atlantis")
		os.Exit(3)
	case "hang":
		fmt.Println("waiting for a database")
		forever()
	case "close":
		os.NewFile(3, "conn").Close()
		forever()
	case "env":
		fmt.Println(strings.Join(os.Environ(), "\n"))
	case "slow":
		time.Sleep(200 * time.Millisecond)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	listen := os.Getenv("HARK_SKILL_LISTEN")
	var lis net.Listener
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		var err error
		if lis, err = net.Listen("unix", path); err != nil {
			return err
		}
	} else {
		file := os.NewFile(3, "conn")
		conn, err := net.FileConn(file)
		if err != nil {
			return err
		}
		file.Close()
		one := &oneConn{conns: make(chan net.Conn, 1), addr: conn.LocalAddr()}
		one.conns <- conn
		lis = one
	}
	server := grpc.NewServer()
	if os.Getenv("START") != "sick" {
		healthpb.RegisterHealthServer(server, health.NewServer())
	}
	pb.RegisterSkillServer(server, skill{})
	return server.Serve(lis)
}

type oneConn struct {
	conns chan net.Conn
	addr  net.Addr
}

func (l *oneConn) Accept() (net.Conn, error) { return <-l.conns, nil }
func (l *oneConn) Close() error              { return nil }
func (l *oneConn) Addr() net.Addr            { return l.addr }

// printStatus prints what the system knows of this process.
func printStatus() {
	raw, _ := os.ReadFile("/proc/self/status")
	fmt.Println(string(raw))
	limits, _ := os.ReadFile("/proc/self/limits")
	fmt.Println(string(limits))
	score, _ := os.ReadFile("/proc/self/oom_score_adj")
	fmt.Println("oom_score_adj", string(score))
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		target, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		fmt.Println("fd", fd.Name(), target)
	}
}

// usedCPU is the processor time of this process.
func usedCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// hold says that the call has come, and returns when the file is there.
func hold(path string) {
	fmt.Println("holding")
	for !exists(path) {
		time.Sleep(time.Millisecond)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

type skill struct{ pb.UnimplementedSkillServer }

func (skill) Invoke(ctx context.Context, r *pb.InvokeRequest) (*pb.InvokeResponse, error) {
	arg := ""
	if s := r.GetIntent().GetSlots()["arg"]; s != nil {
		arg = s.GetText()
	}
	if r.GetEvent() != nil {
		return &pb.InvokeResponse{Speech: "event " + r.GetEvent().GetSchedule().GetId() + " " + string(r.GetEvent().GetSchedule().GetPayload())}, nil
	}
	switch r.GetIntent().GetName() {
	case "Echo":
		return &pb.InvokeResponse{Speech: arg}, nil
	case "Request":
		raw, err := json.Marshal(map[string]any{
			"invocation": r.InvocationId, "turn": r.TurnId, "now": r.NowMs, "deadline": r.DeadlineMs, "home": r.Home, "device": r.Device,
			"area": r.Area, "person": r.Person, "locale": r.Locale, "zone": r.TimeZone, "text": r.GetIntent().GetText(),
			"n": r.GetIntent().GetSlots()["n"].GetValue().AsInterface(), "session": r.GetSession().GetId(), "new": r.GetSession().GetNew(),
			"revision": r.GetState().GetRevision(), "state": string(r.GetState().GetValue()),
		})
		return &pb.InvokeResponse{Speech: string(raw)}, err
	case "PID":
		return &pb.InvokeResponse{Speech: fmt.Sprint(os.Getpid())}, nil
	case "Sleep":
		d, err := time.ParseDuration(arg)
		time.Sleep(d)
		return &pb.InvokeResponse{Speech: "slept"}, err
	case "Hold":
		hold(arg)
		return &pb.InvokeResponse{Speech: "held"}, nil
	case "Burn": // of processor time, that of other calls included
		d, err := time.ParseDuration(arg)
		for start := usedCPU(); usedCPU()-start < d; {
		}
		return &pb.InvokeResponse{Speech: "burnt"}, err
	case "CPU":
		return &pb.InvokeResponse{Speech: usedCPU().String()}, nil
	case "Status":
		printStatus()
		return &pb.InvokeResponse{Speech: "printed"}, nil
	case "Crash":
		fmt.Fprintln(os.Stderr, "panic: index out of range")
		os.Exit(2)
	case "Fail":
		return nil, status.Error(codes.InvalidArgument, "the city is unknown")
	case "Huge":
		return &pb.InvokeResponse{Speech: strings.Repeat("x", 2<<20)}, nil
	case "Leak":
		var kept [][]byte
		for {
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = 1
			}
			kept = append(kept, block)
			_ = kept
		}
	case "Flood": // until the file is there
		line := strings.Repeat("y", 1000)
		for !exists(arg) {
			fmt.Println(line)
		}
		return &pb.InvokeResponse{Speech: "flooded"}, nil
	case "Fork":
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return &pb.InvokeResponse{Speech: fmt.Sprint(cmd.Process.Pid)}, nil
	case "Log":
		fmt.Printf(`{"turn":%q,"msg":%q}`+"\n", r.TurnId, arg)
		return &pb.InvokeResponse{Speech: "logged"}, nil
	case "Schedule":
		return &pb.InvokeResponse{Speech: "set", Schedules: []*pb.ScheduleChange{
			{Change: &pb.ScheduleChange_Set{Set: &pb.Schedule{Id: "t1", AtMs: r.NowMs + 5000, Payload: []byte(`{"a":1}`), Kind: "timer", FallbackSpeech: "time is up"}}},
			{Change: &pb.ScheduleChange_Cancel{Cancel: "t0"}},
		}, State: &pb.StateChange{Value: []byte(`{"n":1}`)}}, nil
	case "Ask":
		return &pb.InvokeResponse{Speech: "how long?", Directive: &pb.InvokeResponse_ElicitSlot{ElicitSlot: &pb.ElicitSlot{Slot: "duration"}}}, nil
	}
	return nil, status.Errorf(codes.InvalidArgument, "no intent %q", r.GetIntent().GetName())
}
