package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// login is how a device connects.
type login struct {
	Home     string `json:"home"`
	Device   string `json:"device"`
	Username string `json:"username"`
	Password string `json:"password"`
}

func (l login) topic(kind string) string { return "hark/" + l.Home + "/" + l.Device + "/" + kind }

// patience bounds the wait for anything that a server should send.
const patience = 15 * time.Second

// device is an MQTT 3.1.1 client that asks one thing at a time. It shares the
// processors with what it measures, so it is no more than it has to be.
type device struct {
	login login
	conn  net.Conn
	in    *bufio.Reader
	out   []byte // the packet being made
	body  []byte // the packet being read
	run   string // makes ids unique
	n     int    // messages published
	acked int    // readings acknowledged
}

// The packet types of MQTT, with the flags that they have here.
const (
	connect   = 0x10
	connack   = 0x20
	publish   = 0x32 // QoS 1
	puback    = 0x40
	subscribe = 0x82
	suback    = 0x90
)

// dial connects a device and subscribes to its replies.
func dial(ctx context.Context, address, run string, l login) (*device, error) {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect device %s: %w", l.Username, err)
	}
	d := &device{login: l, conn: conn, in: bufio.NewReader(conn), run: run}
	if err := d.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("connect device %s: %w", l.Username, err), conn.Close())
	}
	return d, nil
}

func (d *device) open() error {
	hello := text(nil, "MQTT")
	hello = append(hello, 4, 0xc2, 0, 0) // 3.1.1; username, password, clean session; no keep-alive
	for _, s := range []string{d.login.Username, d.login.Username, d.login.Password} {
		hello = text(hello, s)
	}
	if err := d.write(connect, hello); err != nil {
		return err
	}
	if kind, err := d.read(); err != nil || kind != connack || len(d.body) < 2 || d.body[1] != 0 {
		return fmt.Errorf("refused: packet %#x % x, %w", kind, d.body, orNil(err))
	}
	if err := d.write(subscribe, append(text([]byte{0, 1}, d.login.topic("reply")), 1)); err != nil {
		return err
	}
	if kind, err := d.read(); err != nil || kind != suback || len(d.body) < 3 || d.body[2] != 1 {
		return fmt.Errorf("subscription refused: packet %#x % x, %w", kind, d.body, orNil(err))
	}
	return nil
}

var errOdd = errors.New("not what was expected")

func orNil(err error) error {
	if err == nil {
		return errOdd
	}
	return err
}

func (d *device) close() { _ = d.conn.Close() }

// ask publishes a sentence and waits for both its reply and its PUBACK. It
// returns when each of them had come.
func (d *device) ask(sentence string) (replied, acked time.Duration, err error) {
	id, began, err := d.publish("utterance", `"text":"`+sentence+`"`)
	if err != nil {
		return 0, 0, err
	}
	for replied == 0 || acked == 0 {
		kind, err := d.read()
		switch {
		case err != nil:
			return 0, 0, fmt.Errorf("%s %s: %w", d.login.Username, id, err)
		case kind == puback:
			acked = time.Since(began)
		case kind&0xf0 == publish&0xf0:
			mine, err := d.hear(kind, id)
			if err != nil {
				return 0, 0, err
			}
			if mine {
				replied = time.Since(began)
			}
		default:
			return 0, 0, fmt.Errorf("packet %#x: %w", kind, errOdd)
		}
	}
	return replied, acked, nil
}

// tell publishes a reading and waits for its PUBACK.
func (d *device) tell() (acked time.Duration, err error) {
	id, began, err := d.publish("reading", `"values":{"temperature":`+strconv.Itoa(d.n%40)+`}`)
	if err != nil {
		return 0, err
	}
	kind, err := d.read()
	if err == nil && kind != puback {
		err = fmt.Errorf("packet %#x: %w", kind, errOdd)
	}
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", d.login.Username, id, err)
	}
	return time.Since(began), nil
}

// publish sends a message with a new id.
func (d *device) publish(kind, fields string) (id string, began time.Time, err error) {
	d.n++
	id = d.run + "." + strconv.Itoa(d.n)
	body := text(nil, d.login.topic(kind))
	body = binary.BigEndian.AppendUint16(body, uint16(d.n%65535+1)) //nolint:gosec // bounded
	body = append(body, `{"id":"`...)
	body = append(body, id...)
	body = append(body, `",`...)
	body = append(body, fields...)
	body = append(body, '}')
	began = time.Now()
	if err := d.conn.SetReadDeadline(began.Add(patience)); err != nil {
		return id, began, err
	}
	return id, began, d.write(publish, body)
}

// hear acknowledges a reply and tells whether it answers the id. A reply may
// come twice.
func (d *device) hear(kind byte, id string) (bool, error) {
	if len(d.body) < 4 {
		return false, errOdd
	}
	n := 2 + int(binary.BigEndian.Uint16(d.body))
	if len(d.body) < n+2 {
		return false, errOdd
	}
	payload := d.body[n:]
	if kind&0x06 != 0 {
		if err := d.write(puback, payload[:2]); err != nil {
			return false, err
		}
		payload = payload[2:]
	}
	if bytes.Contains(payload, []byte(`"error"`)) {
		return false, fmt.Errorf("the reply to %s is an error: %s", id, payload)
	}
	return bytes.Contains(payload, []byte(`"`+id+`"`)), nil
}

func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) //nolint:gosec // short ones
}

// write sends a packet.
func (d *device) write(kind byte, body []byte) error {
	d.out = append(d.out[:0], kind)
	d.out = binary.AppendUvarint(d.out, uint64(len(body))) // the same encoding as MQTT's
	d.out = append(d.out, body...)
	_, err := d.conn.Write(d.out)
	return err
}

// maxPacket bounds what is read, in bytes.
const maxPacket = 1 << 20

// read reads a packet into body.
func (d *device) read() (kind byte, err error) {
	if kind, err = d.in.ReadByte(); err != nil {
		return 0, err
	}
	size, err := binary.ReadUvarint(d.in)
	if err != nil {
		return 0, err
	}
	if size > maxPacket {
		return 0, fmt.Errorf("a packet of %d bytes: %w", size, errOdd)
	}
	if uint64(cap(d.body)) < size {
		d.body = make([]byte, size)
	}
	d.body = d.body[:size]
	_, err = io.ReadFull(d.in, d.body)
	return kind, err
}
