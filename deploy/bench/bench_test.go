package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A bare pipeline in one process, both ways.
func TestBarePipelineAnswers(t *testing.T) {
	for name, stream := range map[string]bool{"unary": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			socket := filepath.Join(t.TempDir(), "s")
			skill, broker := make(chan error, 1), make(chan error, 1)
			go func() { skill <- ServeEcho(ctx, socket) }()
			conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			client := pb.NewSkillClient(conn)
			if _, err := client.Invoke(ctx, &pb.InvokeRequest{}, grpc.WaitForReady(true)); err != nil {
				t.Fatal(err)
			}
			call := func(r *pb.InvokeRequest) (*pb.InvokeResponse, error) { return client.Invoke(ctx, r) }
			if stream {
				wire, err := client.Serve(ctx)
				if err != nil {
					t.Fatal(err)
				}
				call = newBatches(wire).call
			}
			read, write := io.Pipe()
			go func() { broker <- serveBroker(ctx, call, write); write.Close() }()
			said, err := io.ReadAll(io.LimitReader(read, int64(len("mqtt  127.0.0.1:00000\n"))))
			if err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, read)
			address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(string(said))
			p := &pipeline{sentences: []string{effectFree}}
			for _, home := range []string{"a", "b", "c"} {
				d, err := dial(ctx, address, "run", login{Home: home, Device: "d", Username: home + "/d", Password: "-"})
				if err != nil {
					t.Fatal(err)
				}
				defer d.close()
				p.devices = append(p.devices, d)
			}
			s, err := p.load(ctx, 3, 100*time.Millisecond)
			if err != nil || len(s.replied) < 3 || len(s.replied) != len(s.acked) {
				t.Errorf("%d replies, %d acknowledged, %v", len(s.replied), len(s.acked), err)
			}
			cancel()
			if err := errors.Join(<-broker, <-skill, conn.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReplyThatIsAnErrorEndsTheMeasurement(t *testing.T) {
	theirs, ours := net.Pipe()
	d := &device{conn: ours, body: append(text(nil, "hark/a/d/reply"), "\x00\x07"+`{"id":"x","error":{"code":"busy"}}`...)}
	go io.Copy(io.Discard, theirs)
	defer d.close()
	if _, err := d.hear(publish, "x"); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("got %v", err)
	}
}

// A server that sends what it should not is an error, whatever it is.
func FuzzDevice(f *testing.F) {
	f.Add([]byte("\x20\x02\x00\x00"))
	f.Add([]byte("\x32\x08\x00\x01a\x00\x01\"x\""))
	f.Add([]byte("\x32\x01\x00"))
	f.Add([]byte("\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(_ *testing.T, sent []byte) {
		d := &device{conn: nowhere{}, in: bufio.NewReader(bytes.NewReader(sent))}
		for {
			kind, err := d.read()
			if err != nil {
				return
			}
			if _, err := d.hear(kind, "x"); err != nil {
				return
			}
		}
	})
}

type nowhere struct{ net.Conn }

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

func TestRatioIsOfTheSameRound(t *testing.T) {
	base := []sample{{rate: 100}, {rate: 10}, {rate: 1000}}
	rows := []sample{{rate: 50}, {rate: 5}, {rate: 100}}
	if got := ratio(rows, base, rate); got != 0.5 {
		t.Errorf("ratio %v, want 0.5", got)
	}
	if got := ratio(rows[:2], nil, rate); got != 27.5 {
		t.Errorf("median %v, want 27.5", got)
	}
}

func TestPercentile(t *testing.T) {
	var all []time.Duration
	for i := range 101 {
		all = append(all, time.Duration(100-i)*time.Millisecond)
	}
	if p50, p99 := ms(all, 50), ms(all, 99); p50 != 50 || p99 != 99 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
}

func TestCPUTime(t *testing.T) {
	before := cpuTime(os.Getpid())
	for began := time.Now(); cpuTime(os.Getpid())-before < 50*time.Millisecond; {
		if time.Since(began) > 20*time.Second {
			t.Fatal("a process that is busy uses no processor time")
		}
	}
}
