package broker_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
)

// mosquitto returns the command line of one of Debian's MQTT clients, as somebody
// with the credentials of the kitchen would type it.
func mosquitto(t *testing.T, h *house, program string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("HARK_TEST_REQUIRE") == "all" {
			t.Fatalf("%s is required: %v", program, err)
		}
		t.Skipf("SKIPPED: %s is not installed (apt-get install mosquitto-clients)", program)
	}
	host, port, err := net.SplitHostPort(h.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	args = append([]string{"-h", host, "-p", port, "-u", kitchen.String(), "-P", password}, args...)
	return exec.CommandContext(ctx, path, args...)
}

// startSub runs a subscriber, the only one, and returns its output once it is
// subscribed.
func startSub(t *testing.T, h *house, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	eventually(t, "subscribed", func() bool { return h.Stats().Subscribers == 1 })
	return bufio.NewScanner(out)
}

// message returns the next message.
func message(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	if !lines.Scan() {
		t.Fatal("mosquitto_sub ended without a message")
	}
	return lines.Text()
}

// Real clients wait for an acknowledgement that takes 300 ms, at each QoS, without
// a client id of their own.
func TestMosquittoPub(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"311", "5"} {
		for _, qos := range []string{"0", "1", "2"} {
			t.Run(version+" QoS "+qos, func(t *testing.T) {
				t.Parallel()
				h := open(t)
				cmd := mosquitto(t, h, "mosquitto_pub", "-V", version, "-q", qos, "-t", utterance, "-l")
				cmd.Stdin = strings.NewReader("one\ntwo\nthree\n")
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				started := time.Now()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				for i, want := range []string{"one", "two", "three"} {
					in := h.consumer.next(t)
					if string(in.Payload) != want {
						t.Errorf("consumed %q, want %q", in.Payload, want)
					}
					time.AfterFunc(300*time.Millisecond-time.Duration(i)*time.Millisecond, in.Ack)
				}
				if err := cmd.Wait(); err != nil {
					t.Fatalf("%v: %s", err, stderr.String())
				}
				if took := time.Since(started); qos != "0" && took < 290*time.Millisecond {
					t.Errorf("mosquitto_pub was done after %v", took)
				}
			})
		}
	}
}

func TestMosquittoSub(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"311", "5"} {
		for _, qos := range []string{"0", "1", "2"} {
			t.Run(version+" QoS "+qos, func(t *testing.T) {
				t.Parallel()
				h := open(t)
				h.outbox.put(reply("owed"))
				lines := startSub(t, h, mosquitto(t, h, "mosquitto_sub", "-V", version, "-q", qos, "-t", "hark/demo/kitchen/+", "-C", "3"))
				if got := message(t, lines); got != "owed" {
					t.Errorf("got %q", got)
				}
				early := reply("early")
				h.Deliver(early, false)
				if got := message(t, lines); got != "early" {
					t.Errorf("got %q", got)
				}
				h.outbox.put(early)
				h.Deliver(early, true)
				h.DeliverTransient(reply("transient"))
				if got := message(t, lines); got != "transient" {
					t.Errorf("got %q", got)
				}
				h.outbox.awaitLeft(t, 0)
			})
		}
	}
}

// A subscriber that ends with its first message has acknowledged it, though the
// message's row is written only afterwards: the next one does not get it again.
func TestMosquittoSubOnce(t *testing.T) {
	for _, qos := range []string{"0", "1"} {
		t.Run("QoS "+qos, func(t *testing.T) {
			h := open(t)
			for i := range 3 {
				cmd := mosquitto(t, h, "mosquitto_sub", "-q", qos, "-t", kitchen.Topic(topic.Reply), "-C", "1")
				lines := startSub(t, h, cmd)
				m := reply(fmt.Sprint(i))
				h.Deliver(m, false)
				if got := message(t, lines); got != m.ID {
					t.Errorf("got %q, want %q", got, m.ID)
				}
				for lines.Scan() { // until it has ended
					continue
				}
				eventually(t, "disconnected", func() bool { return h.Stats().Connections == 0 })
				h.outbox.put(m)
				h.Deliver(m, true)
				h.outbox.awaitLeft(t, 0)
			}
		})
	}
}

// reply is a message to the kitchen whose payload is its id.
func reply(id string) topic.Outbound {
	return topic.Outbound{ID: id, Device: kitchen, Topic: kitchen.Topic(topic.Reply), Payload: []byte(id)}
}
