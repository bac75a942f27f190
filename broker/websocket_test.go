package broker_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hark-voice/hark/broker"
	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

// stream is a WebSocket connection as a client of MQTT sees it.
type stream struct {
	net.Conn
	ws      *websocket.Conn
	message io.Reader
	frame   func(ws *websocket.Conn, b []byte) error
}

func (s *stream) Read(b []byte) (int, error) {
	for {
		if s.message == nil {
			kind, r, err := s.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, fmt.Errorf("a frame of type %d", kind)
			}
			s.message = r
		}
		n, err := s.message.Read(b)
		if errors.Is(err, io.EOF) {
			s.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (s *stream) Write(b []byte) (int, error) {
	if err := s.frame(s.ws, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// whole sends each packet in a message of its own.
func whole(ws *websocket.Conn, b []byte) error { return ws.WriteMessage(websocket.BinaryMessage, b) }

// bytewise sends each byte in a message of its own, after one that is empty.
func bytewise(ws *websocket.Conn, b []byte) error {
	err := whole(ws, nil)
	for i := range b {
		err = errors.Join(err, whole(ws, b[i:i+1]))
	}
	return err
}

// fragmented sends a message in frames of 16 bytes, the size of the write buffer,
// with a ping between.
func fragmented(ws *websocket.Conn, b []byte) error {
	w, err := ws.NextWriter(websocket.BinaryMessage)
	if err != nil {
		return err
	}
	for i, c := range b {
		if i == len(b)/2 {
			err = errors.Join(err, ws.WriteControl(websocket.PingMessage, []byte("there?"), time.Now().Add(patience)))
		}
		_, werr := w.Write([]byte{c})
		err = errors.Join(err, werr)
	}
	return errors.Join(err, w.Close())
}

// web serves a house over HTTP and returns the address.
func web(tb testing.TB, h *house) string {
	tb.Helper()
	mux := http.NewServeMux()
	mux.Handle("/mqtt", h.WebSocket())
	s := httptest.NewServer(mux)
	tb.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func dialWeb(tb testing.TB, addr string, version byte, frame func(*websocket.Conn, []byte) error) *client {
	tb.Helper()
	d := websocket.Dialer{Subprotocols: []string{"v10.stomp", "mqtt"}, WriteBufferSize: 16}
	ws, resp, err := d.DialContext(tb.Context(), "ws://"+addr+"/mqtt", http.Header{"Origin": {"http://" + addr}})
	if err != nil {
		tb.Fatal(err)
	}
	_ = resp.Body.Close()
	if ws.Subprotocol() != "mqtt" {
		tb.Fatalf("subprotocol %q", ws.Subprotocol())
	}
	tb.Cleanup(func() { _ = ws.Close() })
	s := &stream{Conn: ws.NetConn(), ws: ws, frame: frame}
	return &client{t: tb, conn: s, r: bufio.NewReader(s), v: version}
}

func connectWeb(tb testing.TB, addr string, d topic.Device, version byte, change ...func(*packets.Packet)) *client {
	tb.Helper()
	c := dialWeb(tb, addr, version, whole)
	if ack := c.connect(connectPacket(d, version), change...); ack.ReasonCode != 0 {
		tb.Fatalf("%s refused: %#x", d, ack.ReasonCode)
	}
	return c
}

// closeCode returns the code of the Close frame that ends the connection.
func (c *client) closeCode() int {
	c.t.Helper()
	for {
		_, err := c.read(patience)
		var end *websocket.CloseError
		switch {
		case errors.As(err, &end):
			return end.Code
		case err != nil:
			c.t.Fatalf("ended without a Close frame: %v", err)
		}
	}
}

// What comes over WebSocket goes the way of what comes over TCP, however packets
// are cut into messages and frames.
func TestWebSocket(t *testing.T) {
	for name, frame := range map[string]func(*websocket.Conn, []byte) error{"whole": whole, "bytewise": bytewise, "fragmented": fragmented} {
		for _, v := range []byte{4, 5} {
			t.Run(fmt.Sprintf("%s, version %d", name, v), func(t *testing.T) {
				h := open(t)
				c := dialWeb(t, web(t, h), v, frame)
				pongs := 0
				c.conn.(*stream).ws.SetPongHandler(func(s string) error {
					if s == "there?" {
						pongs++
					}
					return nil
				})
				if ack := c.connect(connectPacket(kitchen, v)); ack.ReasonCode != 0 {
					t.Fatalf("CONNACK %#x", ack.ReasonCode)
				}
				h.outbox.put(reply("owed"))
				c.subscribe(1, replies)
				c.puback(c.wantPublish("owed").PacketID)
				h.outbox.awaitLeft(t, 0)
				var in []topic.Inbound
				for id := range uint16(3) {
					c.publish(utterance, fmt.Sprint(id+1), 1, id+1)
					in = append(in, h.consumer.next(t))
				}
				in[2].Ack()
				in[1].Ack()
				c.quiet()
				in[0].Ack()
				for id := range uint16(3) {
					c.wantPuback(id+1, 0)
				}
				c.publish("hark/demo/bedroom/utterance", "x", 1, 4)
				c.wantPuback(4, map[byte]byte{4: 0, 5: packets.ErrNotAuthorized.Code}[v])
				if name == "fragmented" && pongs == 0 {
					t.Error("no ping was answered")
				}
				c.disconnect(0)
				if code := c.closeCode(); code != websocket.CloseNormalClosure {
					t.Errorf("close code %d", code)
				}
			})
		}
	}
}

// One message may hold several packets.
func TestWebSocketManyPackets(t *testing.T) {
	h := open(t)
	c := dialWeb(t, web(t, h), 4, whole)
	b := encode(t, connectPacket(kitchen, 4))
	for id := range uint16(20) {
		b = append(b, encode(t, publishPacket(utterance, fmt.Sprint(id+1), 1, id+1))...)
	}
	if _, err := c.conn.Write(b); err != nil {
		t.Fatal(err)
	}
	c.want(packets.Connack)
	for id := range uint16(20) {
		h.consumer.next(t).Ack()
		c.wantPuback(id+1, 0)
	}
}

func TestWebSocketRefused(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.MaxPacket = 1000 })
	addr := web(t, h)
	for _, c := range []struct {
		name string
		send func(c *client)
		code int // of the Close frame; zero: of no interest
	}{
		{"text", func(c *client) {
			_ = c.conn.(*stream).ws.WriteMessage(websocket.TextMessage, encode(t, connectPacket(kitchen, 4)))
		}, websocket.CloseUnsupportedData},
		{"text after CONNECT", func(c *client) {
			c.connect(connectPacket(kitchen, 4))
			_ = c.conn.(*stream).ws.WriteMessage(websocket.TextMessage, []byte{0xC0, 0})
		}, websocket.CloseUnsupportedData},
		{"message without end", func(c *client) {
			c.connect(connectPacket(kitchen, 4))
			_, _ = c.conn.Write(bytes.Repeat(encode(t, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}), 3000))
		}, websocket.CloseMessageTooBig},
		{"huge frame", func(c *client) { // 4 GiB, of which nothing comes
			_, _ = c.conn.(*stream).Conn.Write([]byte{0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4})
		}, websocket.CloseMessageTooBig},
		{"huge packet", func(c *client) {
			c.connect(connectPacket(kitchen, 5))
			_, _ = c.conn.Write([]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F})
		}, 0},
		{"frame that is not masked", func(c *client) {
			_, _ = c.conn.(*stream).Conn.Write([]byte{0x82, 0x02, 0xC0, 0})
		}, websocket.CloseProtocolError},
		{"wrong password", func(c *client) {
			c.connect(connectPacket(kitchen, 4), func(pk *packets.Packet) { pk.Connect.Password = []byte("wrong") })
		}, websocket.CloseNormalClosure},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := dialWeb(t, addr, 4, whole)
			c.send(cl)
			if c.code == 0 {
				cl.closed()
			} else if code := cl.closeCode(); code != c.code {
				t.Errorf("close code %d, want %d", code, c.code)
			}
		})
	}
	eventually(t, "gone", func() bool { return h.Stats().Connections == 0 })
}

func TestWebSocketNoConnect(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.ConnectTimeout = 200 * time.Millisecond })
	addr := web(t, h)
	silent, pings := dialWeb(t, addr, 4, whole), dialWeb(t, addr, 4, whole)
	_ = pings.conn.(*stream).ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience))
	silent.closed()
	pings.closed()
	eventually(t, "counted", func() bool { return h.Stats().Refused["malformed"] == 2 })
}

func TestWebSocketHandshake(t *testing.T) {
	h := open(t)
	addr := web(t, h)
	resp, err := http.Get("http://" + addr + "/mqtt")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a plain GET: %s", resp.Status)
	}
	for _, c := range []struct {
		name, subprotocol, origin string
		want                      int
	}{
		{"no Origin", "mqtt", "", 101},
		{"own Origin", "mqtt", "http://" + addr, 101},
		{"other Origin", "mqtt", "http://example.com", 403},
		{"no subprotocol", "", "", 400},
		{"other subprotocol", "mqttv3.1", "", 400},
	} {
		if got := handshake(t, addr, c.subprotocol, c.origin); got != c.want {
			t.Errorf("%s: status %d, want %d", c.name, got, c.want)
		}
	}
}

// handshake returns the status that a WebSocket client gets.
func handshake(t *testing.T, addr, subprotocol, origin string) int {
	t.Helper()
	var d websocket.Dialer
	if subprotocol != "" {
		d.Subprotocols = []string{subprotocol}
	}
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	ws, resp, err := d.DialContext(t.Context(), "ws://"+addr+"/mqtt", header)
	if err == nil {
		_ = ws.Close()
	}
	if resp == nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// The handler lives before and after the broker runs, and refuses then. The
// broker's end closes the connections, those that sent no CONNECT included.
func TestWebSocketStop(t *testing.T) {
	h := open(t)
	idle, err := broker.New(broker.Options{Consumer: h.consumer, Credentials: h.credentials, Outbox: h.outbox, Clock: h.clock, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got := handshake(t, web(t, &house{Broker: idle}), "mqtt", ""); got != http.StatusServiceUnavailable {
		t.Errorf("before Run: status %d", got)
	}
	addr := web(t, h)
	v5, v3, silent := connectWeb(t, addr, kitchen, 5), connectWeb(t, addr, bedroom, 4), dialWeb(t, addr, 4, whole)
	v5.publish(utterance, "a", 1, 1)
	in := h.consumer.next(t)
	in.Ack()
	v5.wantPuback(1, 0)
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	if pk := v5.want(packets.Disconnect); pk.ReasonCode != packets.ErrServerShuttingDown.Code {
		t.Errorf("DISCONNECT %#x", pk.ReasonCode)
	}
	v5.closed()
	if pk, err := v3.read(patience); err == nil {
		t.Errorf("a client of MQTT 3 was sent %+v", pk)
	}
	silent.closed()
	if got := handshake(t, addr, "mqtt", ""); got != http.StatusServiceUnavailable {
		t.Errorf("after Run: status %d", got)
	}
}

// A place that a refused handshake took is free again.
func TestWebSocketPlaces(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.MaxConnections = 1 })
	addr := web(t, h)
	for range 1100 { // more than there are places
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/mqtt", nil)
		rec := httptest.NewRecorder()
		h.WebSocket().ServeHTTP(rec, req)
		if rec.Code != http.StatusBadRequest {
			t.Fatalf("status %d", rec.Code)
		}
	}
	connectWeb(t, addr, kitchen, 4)
	if ack := dialWeb(t, addr, 5, whole).connect(connectPacket(bedroom, 5)); ack.ReasonCode != packets.ErrServerBusy.Code {
		t.Errorf("CONNACK %#x", ack.ReasonCode)
	}
}

// A client that reads nothing, pings' answers included, is dropped, and affects
// nobody else; its will says so.
func TestWebSocketStalled(t *testing.T) {
	h := open(t)
	addr := web(t, h)
	stalled := connectWeb(t, addr, kitchen, 5, withWill(status, "offline", 0, 0))
	stalled.subscribe(1, packets.Subscription{Filter: "hark/demo/kitchen/#"})
	well := connectWeb(t, addr, bedroom, 5)
	flood := connect(t, h, kitchen, 4, withID("demo/kitchen/flood"))
	for i := range uint16(1000) {
		flood.publish("hark/demo/kitchen/note", string(make([]byte, 100<<10)), 1, i+1)
		flood.wantPuback(i+1, 0)
		well.quiet()
		if h.Stats().Dropped["slow_client"] > 0 {
			break
		}
	}
	if n := h.Stats().Dropped["slow_client"]; n != 1 {
		t.Errorf("%d slow clients dropped", n)
	}
	in := h.consumer.next(t)
	if in.Kind != topic.Status || string(in.Payload) != "offline" {
		t.Errorf("consumed %+v", in)
	}
	in.Ack()
}

func TestWebSocketPingFlood(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.MaxPacket, o.MaxWaiting = 1000, 2000 })
	c := connectWeb(t, web(t, h), kitchen, 4)
	ws := c.conn.(*stream).ws
	for {
		if err := ws.WriteControl(websocket.PingMessage, make([]byte, 125), time.Now().Add(patience)); err != nil {
			break
		}
	}
	eventually(t, "dropped", func() bool { return h.Stats().Dropped["slow_client"] == 1 })
}

// One device may be connected both ways; a takeover crosses over.
func TestWebSocketAndTCP(t *testing.T) {
	h := open(t)
	addr := web(t, h)
	tcp, webside := connect(t, h, kitchen, 5), connectWeb(t, addr, kitchen, 5, withID("demo/kitchen/web"))
	for _, c := range []*client{tcp, webside} {
		c.subscribe(1, replies)
	}
	h.outbox.put(reply("1"))
	h.Deliver(reply("1"), true)
	tcp.wantPublish("1")
	webside.puback(webside.wantPublish("1").PacketID)
	h.outbox.awaitLeft(t, 0)
	connectWeb(t, addr, kitchen, 5)
	if pk := tcp.want(packets.Disconnect); pk.ReasonCode != packets.ErrSessionTakenOver.Code {
		t.Errorf("DISCONNECT %#x", pk.ReasonCode)
	}
	tcp.closed()
}

// FuzzFrames sends bytes where WebSocket frames should be, and checks that the
// connection ends and others are served on.
func FuzzFrames(f *testing.F) {
	connect := encode(f, connectPacket(kitchen, 5))
	masked := func(head byte, b []byte) []byte { // the mask is zero
		return append([]byte{head, 0x80 | byte(len(b)), 0, 0, 0, 0}, b...)
	}
	f.Add([]byte{})
	f.Add(masked(0x82, connect[:100]))
	f.Add(append(masked(0x02, connect[:50]), masked(0x80, connect[50:])...)) // two frames
	f.Add(masked(0x81, []byte("text")))
	f.Add(masked(0x89, []byte("ping")))
	f.Add(masked(0x88, []byte{3, 0xE8}))
	f.Add(masked(0xC2, []byte{0xC0, 0}))                                   // compressed
	f.Add([]byte{0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0}) // a negative length
	f.Add([]byte{0x82, 0x02, 0xC0, 0})

	h := open(f, func(o *broker.Options) { o.Log = slog.New(slog.DiscardHandler) })
	f.Cleanup(func() { _ = h.stop() })
	addr := web(f, h)
	well := connectWeb(f, addr, bedroom, 5)
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		d := websocket.Dialer{Subprotocols: []string{"mqtt"}}
		ws, resp, err := d.DialContext(ctx, "ws://"+addr+"/mqtt", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		conn := ws.NetConn()
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = conn.Write(data)
		_ = conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); err != nil && isTimeout(err) {
			t.Error("the connection stays open")
		}
		well.t = t
		well.quiet()
	})
}
