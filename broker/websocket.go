package broker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	subprotocol      = "mqtt" // MQTT 5, 6; MQTT 3.1.1, 6
	webReadBuffer    = 1024   // bytes; the library has its own beyond it
	packetsInMessage = 4      // packets of full size that a WebSocket message may hold
)

var errNotBinary = errors.New("a WebSocket message that is not binary")

// WebSocket returns the handler of MQTT over WebSocket (MQTT 5, 6). What comes in
// goes the same way as over TCP and counts against the same limits. A request
// gets status 503 unless the broker runs, 400 if it does not offer the
// subprotocol mqtt, and 403 if its Origin names another host.
func (b *Broker) WebSocket() http.Handler {
	u := &websocket.Upgrader{
		Subprotocols:    []string{subprotocol},
		ReadBufferSize:  webReadBuffer,
		WriteBufferPool: new(sync.Pool), // a connection at rest needs none
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l := b.listener.Load()
		if l == nil || !l.enter() {
			http.Error(w, "the MQTT broker takes no connections now; try again later", http.StatusServiceUnavailable)
			return
		}
		if c := l.upgrade(u, w, r); c != nil {
			go l.serve(c)
			return
		}
		l.exit()
	})
}

// upgrade makes a request a connection. It returns nil when it has refused it.
func (l *listener) upgrade(u *websocket.Upgrader, w http.ResponseWriter, r *http.Request) *webConn {
	if websocket.IsWebSocketUpgrade(r) && !slices.Contains(websocket.Subprotocols(r), subprotocol) {
		http.Error(w, "the WebSocket subprotocol mqtt must be offered", http.StatusBadRequest)
		return nil
	}
	h := &hijacker{ResponseWriter: w, l: l}
	ws, err := u.Upgrade(h, r, nil)
	if err != nil {
		l.b.log.Debug("WebSocket refused", "remote", r.RemoteAddr, "error", err)
		if h.socket != nil {
			l.forget(h.socket)
		}
		return nil
	}
	ws.SetReadLimit(int64(packetsInMessage * l.b.opts.MaxPacket))
	_ = h.socket.SetDeadline(time.Now().Add(l.b.opts.ConnectTimeout)) // a dead connection fails in Read
	return &webConn{socket: h.socket, ws: ws}
}

// hijacker puts a socket between the connection and the WebSocket library, so that
// all of the library's writes, answers to pings included, never block.
type hijacker struct {
	http.ResponseWriter
	l      *listener
	socket *socket
}

// Hijack takes the connection over.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take the connection over: %w", err)
	}
	h.socket = h.l.newSocket(c)
	return h.socket, rw, nil
}

// webConn is a socket whose bytes travel in WebSocket messages.
type webConn struct {
	*socket
	ws      *websocket.Conn
	message io.Reader // the one that is being read; nil: none

	writing sync.Mutex
}

// Read reads on in the stream that the binary messages make up: MQTT packets need
// not be aligned with them.
func (c *webConn) Read(b []byte) (int, error) {
	for {
		if c.message == nil {
			kind, message, err := c.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				c.farewell(websocket.CloseUnsupportedData)
				return 0, errNotBinary
			}
			c.message = message
		}
		n, err := c.message.Read(b)
		if errors.Is(err, io.EOF) {
			c.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write takes b at once, as one message, or fails and ends the connection.
func (c *webConn) Write(b []byte) (int, error) {
	if c.unknown(b) {
		return len(b), nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// writeNow is Write: there is a frame around b, which the library writes.
func (c *webConn) writeNow(b []byte) (int, error) { return c.Write(b) }

// Close ends the connection once what waits is written.
func (c *webConn) Close() error {
	c.farewell(websocket.CloseNormalClosure)
	return c.socket.Close()
}

// farewell sends a Close frame, unless one was sent or the connection is gone.
func (c *webConn) farewell(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
}
