package broker_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"golang.org/x/sync/errgroup"
)

// loadEnv tells a process of this test binary to be the devices of a benchmark:
// so what the benchmark's own process uses is what the broker uses.
const loadEnv = "HARK_BENCH_DEVICES"

func benchDevice(i int) topic.Device { return topic.Device{Home: "bench", ID: "d" + strconv.Itoa(i)} }

// load is what the process of the devices does.
func load(spec string) error {
	var addr string
	var devices, turns int
	if _, err := fmt.Sscan(spec, &addr, &devices, &turns); err != nil {
		return fmt.Errorf("read %q: %w", spec, err)
	}
	ds := make([]*asker, devices)
	for i := range ds {
		d, err := dialAsker(addr, benchDevice(i))
		if err != nil {
			return err
		}
		ds[i] = d
		if _, err := d.ask(); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var g errgroup.Group
	var mu sync.Mutex
	replied, took := make([]time.Duration, 0, turns), make([]time.Duration, 0, turns)
	for i, d := range ds {
		mine := turns / devices
		if i < turns%devices {
			mine++
		}
		g.Go(func() error {
			first, all := make([]time.Duration, 0, mine), make([]time.Duration, 0, mine)
			for range mine {
				began := time.Now()
				reply, err := d.ask()
				if err != nil {
					return err
				}
				first, all = append(first, reply.Sub(began)), append(all, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			replied, took = append(replied, first...), append(took, all...)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	slices.Sort(replied)
	slices.Sort(took)
	fmt.Println(replied[len(replied)/2].Microseconds(), replied[len(replied)*99/100].Microseconds(), took[len(took)/2].Microseconds())
	return nil
}

// asker is a device of MQTT 3.1.1 that is no more than it has to be.
type asker struct {
	conn    net.Conn
	r       *bufio.Reader
	publish []byte // the packet, with the id of the question at the given place
	id      int    // where the id is in it
	topic   int    // bytes of the reply's topic
	n       uint64
	body    []byte
}

func dialAsker(addr string, d topic.Device) (*asker, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	a := &asker{conn: conn, r: bufio.NewReader(conn), body: make([]byte, 1024)}
	str := func(b []byte, s string) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	pk := str(nil, "MQTT")
	pk = append(pk, 4, 0xc2, 0, 60)
	for _, s := range []string{d.String(), d.String(), password} {
		pk = str(pk, s)
	}
	sub := append(str([]byte{0, 1}, d.Topic(topic.Reply)), 1)
	for _, b := range [][]byte{append([]byte{0x10, byte(len(pk))}, pk...), append([]byte{0x82, byte(len(sub))}, sub...)} {
		if _, err := conn.Write(b); err != nil {
			return nil, err
		}
		if _, err := a.read(); err != nil {
			return nil, err
		}
	}
	body := append(str(nil, d.Topic(topic.Utterance)), 0, 0)
	a.id = 2 + len(body) - 2
	body = append(body, strings.Repeat(" ", 32)+`{"text":"what time is it in the kitchen"}`...)
	a.publish = append([]byte{0x32, byte(len(body))}, body...)
	a.topic = len(d.Topic(topic.Reply))
	return a, nil
}

// ask asks and waits for the reply and for the acknowledgement. It returns when
// the reply had come.
func (a *asker) ask() (replied time.Time, err error) {
	a.n++
	binary.BigEndian.PutUint16(a.publish[a.id:], uint16(a.n%65000+1))
	copy(a.publish[a.id+2:], strconv.AppendUint(nil, a.n, 10))
	if _, err := a.conn.Write(a.publish); err != nil {
		return replied, err
	}
	for acked := false; replied.IsZero() || !acked; {
		kind, err := a.read()
		if err != nil {
			return replied, err
		}
		switch kind {
		case 0x40:
			acked = true
		case 0x32:
			replied = time.Now()
			id := a.body[2+a.topic:]
			if _, err := a.conn.Write([]byte{0x40, 2, id[0], id[1]}); err != nil {
				return replied, err
			}
		default:
			return replied, fmt.Errorf("packet %#x", kind)
		}
	}
	return replied, nil
}

func (a *asker) read() (byte, error) {
	_ = a.conn.SetReadDeadline(time.Now().Add(patience))
	kind, err := a.r.ReadByte()
	if err != nil {
		return 0, err
	}
	n, err := binary.ReadUvarint(a.r)
	if err != nil || n > uint64(len(a.body)) {
		return 0, fmt.Errorf("a packet of %d bytes: %w", n, err)
	}
	_, err = io.ReadFull(a.r, a.body[:n])
	return kind, err
}
