// Package broker is the door: an MQTT 3.1.1 and 5 server for devices.
//
// In come connections of devices; out go their messages on consumed topics to a
// topic.Consumer, whose acknowledgement they get back in arrival order, and what
// a topic.Outbox owes them. It must not know intents, turns, homes or skills.
//
// The MQTT library (mochi) decodes packets and keeps sessions, subscriptions
// and retained messages. What must not be lost, or must not wait, is done
// here instead, at these seams of the library:
//   - socket: writes never block, so that no client can stall another.
//   - OnPacketRead: every publish of a device is taken out of the library's hands,
//     because it would acknowledge it before anything is durable, ask for leave
//     before it knows the topic, and confuse the packet ids of both directions.
//   - packetIDs: messages from Hark and acknowledgements go straight to the
//     connection, with packet ids that are reserved in the library's own table.
//   - OnConnect and OnDisconnect: a lock per client id, because two simultaneous
//     connections of one id would both live.
//   - OnConnect, too: wills are taken out of the library's hands, see wills.
//
// A connection over TCP is a socket to the library. One over WebSocket is a webConn
// above the WebSocket library above a socket, so that both have its properties.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-voice/hark/broker/auth"
	"github.com/hark-voice/hark/broker/session"
	"github.com/hark-voice/hark/broker/topic"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/sync/errgroup"
)

// Options of a Broker. The interfaces are required; zero values of the rest take
// the defaults named at them.
type Options struct {
	Address     string // to listen on; 127.0.0.1:1883. Port 0 takes any
	Consumer    topic.Consumer
	Credentials topic.CredentialStore
	Outbox      topic.Outbox
	Clock       topic.Clock // for expiry; deadlines use the monotonic clock
	Log         *slog.Logger

	Window         int           // publishes of a client not yet acknowledged: 64; with MQTT 5 its Receive Maximum
	Outgoing       int           // messages from Hark that a client has not yet acknowledged: 16
	MaxPacket      int           // bytes: 128 KiB
	MaxWaiting     int           // bytes that wait for a client to read them, before it is dropped: 512 KiB, at least twice MaxPacket
	MaxConnections int           // 16,384
	MaxSessions    int           // client ids of one device, connected or remembered: 16
	MaxKeepAlive   time.Duration // MQTT 5 clients are told to ping as often: 10 min
	ConnectTimeout time.Duration // from accept to CONNECT, and for reading credentials: 5 s
	CredentialTTL  time.Duration // see auth.Options: 5 s
	Grace          time.Duration // for outstanding acknowledgements when Run is stopped: 3 s
	DelayedAck     bool          // leave TCP acknowledgements to the kernel (see quickAck)

	// Connected, unless nil, is called when the number of connections of a device
	// changes, with the new number, in order for each device; that the broker stops
	// is no change. It is called on the connection's goroutine and must not block,
	// nor wait for the broker. A connection that takes over another counts before
	// the other ceases to.
	Connected func(d topic.Device, n int)
}

const (
	handshakes       = 1024           // sockets beyond MaxConnections, for those that have yet to send CONNECT
	maxSubscriptions = 32             // filters of a connection
	maxRetained      = 64             // retained topics of a device
	fanOutInflight   = 64             // messages from other connections of the device that wait for a client
	fanOutPending    = 256            // of them, those that wait to be written
	sessionExpiry    = 24 * time.Hour // of a client that is away
	messageExpiry    = 24 * time.Hour // of retained messages and those for a client that is away
)

func (o *Options) setDefaults() error {
	if o.Consumer == nil || o.Credentials == nil || o.Outbox == nil || o.Clock == nil || o.Log == nil {
		return errors.New("broker: a consumer, credentials, an outbox, a clock and a log are needed")
	}
	if o.Address == "" {
		o.Address = "127.0.0.1:1883"
	}
	setDefault(&o.Window, 64)
	setDefault(&o.Outgoing, 16)
	setDefault(&o.MaxPacket, 128<<10)
	setDefault(&o.MaxWaiting, 512<<10)
	o.MaxWaiting = max(o.MaxWaiting, 2*o.MaxPacket)
	setDefault(&o.MaxConnections, 16384)
	setDefault(&o.MaxSessions, 16)
	setDefault(&o.MaxKeepAlive, 10*time.Minute)
	setDefault(&o.ConnectTimeout, 5*time.Second)
	setDefault(&o.Grace, 3*time.Second)
	if o.Window > math.MaxUint16 {
		return fmt.Errorf("broker: a window of %d is more than MQTT's %d", o.Window, math.MaxUint16)
	}
	return nil
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Broker is an MQTT server. It is safe for concurrent use.
type Broker struct {
	opts     Options
	log      *slog.Logger
	server   *mqtt.Server
	inline   *mqtt.Client // publishes for devices, see fanOut
	verifier *auth.Verifier
	sender   *session.Sender
	ids      idLocks
	sessions sessions
	guests   guests
	wills    wills
	presence presence
	counts   counts
	buffers  sync.Pool // of *[]byte, for packets that are being encoded

	started  atomic.Bool
	ready    chan struct{} // closed once addr is listened on
	addr     net.Addr
	stopping chan struct{} // closed when no more publishes are taken in

	listener atomic.Pointer[listener] // nil before Run
}

// New returns a Broker. It listens only while it runs.
func New(o Options) (*Broker, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	verifier, err := auth.New(auth.Options{Store: o.Credentials, Clock: o.Clock, TTL: o.CredentialTTL})
	if err != nil {
		return nil, err
	}
	sender, err := session.NewSender(session.Options{Outbox: o.Outbox, Clock: o.Clock, Log: o.Log, Window: o.Outgoing})
	if err != nil {
		return nil, err
	}
	b := &Broker{
		opts: o, log: o.Log, verifier: verifier, sender: sender,
		presence: presence{changed: o.Connected},
		buffers:  sync.Pool{New: func() any { return new([]byte) }},
		ready:    make(chan struct{}), stopping: make(chan struct{}),
	}
	b.server = mqtt.New(&mqtt.Options{
		Capabilities: capabilities(o),
		// The library logs whole packets, and so passwords and what people said.
		Logger: slog.New(slog.DiscardHandler),
		// Its $SYS topics are for nobody here, and cost a stop of the world each.
		SysTopicResendInterval: int64(time.Hour / time.Second),
	})
	b.inline = b.server.NewClient(nil, mqtt.LocalListener, mqtt.InlineClientId, true)
	b.inline.Properties.ProtocolVersion = 5 // so that what it retains may expire
	if err := b.server.AddHook(&hook{b: b}, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	return b, nil
}

// capabilities bounds all that the library leaves open.
func capabilities(o Options) *mqtt.Capabilities {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumClients = int64(o.MaxConnections)
	c.MaximumMessageExpiryInterval = int64(messageExpiry / time.Second)
	c.MaximumSessionExpiryInterval = uint32(sessionExpiry / time.Second)
	c.MaximumClientWritesPending = fanOutPending
	c.MaximumPacketSize = uint32(o.MaxPacket) //nolint:gosec // an option, not input
	c.ReceiveMaximum = uint16(o.Window)       //nolint:gosec // checked in setDefaults
	c.MaximumInflight = fanOutInflight + spareIDs
	c.TopicAliasMaximum = 0 // the library would ask for leave before it resolves an alias
	c.Compatibilities.NoInheritedPropertiesOnAck = true
	return c
}

// Run listens and serves until ctx ends. Then it stops accepting, waits for
// outstanding acknowledgements for Options.Grace, and closes all connections,
// those over WebSocket included. The wills of devices that are connected are not
// published then: that Hark ends says nothing about them. It can be called once.
func (b *Broker) Run(ctx context.Context) error {
	if !b.started.CompareAndSwap(false, true) {
		return errors.New("broker: it can run only once")
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", b.opts.Address)
	if err != nil {
		return fmt.Errorf("broker: listen for MQTT: %w", err)
	}
	// The sender outlives ctx until the last acknowledgement is taken.
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	var g errgroup.Group
	g.Go(func() error { return b.sender.Run(sending) })
	g.Go(func() error { return b.closeExpired(sending) })

	l := newListener(b, ln)
	if err := b.server.AddListener(l); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	b.addr = ln.Addr()
	b.listener.Store(l)
	close(b.ready)
	b.log.Info("MQTT is listening", "address", b.addr.String())

	<-ctx.Done()
	err = b.stop(l)
	stopSending()
	return errors.Join(err, g.Wait())
}

// Ready is closed once the broker listens.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Addr returns the address listened on, nil before Ready.
func (b *Broker) Addr() net.Addr {
	select {
	case <-b.ready:
		return b.addr
	default:
		return nil
	}
}

func (b *Broker) stop(l *listener) error {
	close(b.stopping)
	l.Close(nil)
	b.awaitAcks()
	b.wills.close()
	b.presence.close()
	for _, cl := range b.server.Clients.GetAll() {
		_ = b.server.DisconnectClient(cl, packets.ErrServerShuttingDown) // its error is the code itself
	}
	l.closeSockets()
	l.work.Wait() // first: the library does not expect connections that begin while it closes
	return b.server.Close()
}

// awaitAcks waits until everything taken in is acknowledged, for Options.Grace.
func (b *Broker) awaitAcks() {
	deadline := time.NewTimer(b.opts.Grace)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for b.unacked() > 0 {
		select {
		case <-tick.C:
		case <-deadline.C:
			b.log.Warn("stopping with publishes that are not acknowledged; devices will send them again", "publishes", b.unacked())
			return
		}
	}
}

// unacked counts the publishes that connected clients wait to see acknowledged.
func (b *Broker) unacked() int {
	n := 0
	for _, cl := range b.server.Clients.GetAll() {
		if !cl.Closed() {
			n += peerOf(cl).window.Len()
		}
	}
	return n
}

// Deliver sends a message to its device, to each connection that is subscribed
// to its topic. A durable one stands in the outbox; it is settled there at the
// first acknowledgement. One that is not durable yet goes out early: call Deliver
// again, with durable set, when its row is committed. It is then settled at once
// if the device has it, awaited if it was sent, and sent otherwise. What a device
// has acknowledged is not sent again under the same ID: an answer that is asked
// for once more goes out by DeliverTransient.
func (b *Broker) Deliver(m topic.Outbound, durable bool) { b.sender.Deliver(m, durable) }

// Acknowledged tells whether a device has acknowledged a message lately, also one
// that was sent early. Of one that it has not, nothing can be told.
func (b *Broker) Acknowledged(messageID string) bool { return b.sender.Acknowledged(messageID) }

// DeliverTransient sends a message that is never stored, such as the answer to a
// message that could not be decoded, to the connections that are subscribed now.
func (b *Broker) DeliverTransient(m topic.Outbound) { b.sender.DeliverTransient(m) }

// Invalidate forgets the remembered credentials of a device, so that a credential
// that was withdrawn lets nobody in any more.
func (b *Broker) Invalidate(d topic.Device) { b.verifier.Invalidate(d) }

// Disconnect invalidates a device's credentials and closes its connections.
func (b *Broker) Disconnect(d topic.Device) {
	b.verifier.Invalidate(d)
	b.guests.revoke(d)
	for _, cl := range b.server.Clients.GetAll() {
		if p := peerOf(cl); p != nil && p.device == d {
			_ = b.server.DisconnectClient(cl, packets.ErrAdministrativeAction) // its error is the code itself
		}
	}
}

// idLocks is a lock per client id.
type idLocks struct {
	mu   sync.Mutex
	held map[string]*idLock
}

type idLock struct {
	free chan struct{} // holds a token while nobody has the lock
	refs int
}

// lock takes the lock of an id, and returns how to give it back; false when gone
// is closed first.
func (l *idLocks) lock(id string, gone <-chan struct{}) (unlock func(), ok bool) {
	l.mu.Lock()
	if l.held == nil {
		l.held = make(map[string]*idLock)
	}
	k := l.held[id]
	if k == nil {
		k = &idLock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		l.held[id] = k
	}
	k.refs++
	l.mu.Unlock()
	select {
	case <-k.free:
		return func() { k.free <- struct{}{}; l.release(id, k) }, true
	case <-gone:
		l.release(id, k)
		return nil, false
	}
}

func (l *idLocks) release(id string, k *idLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.refs--; k.refs == 0 {
		delete(l.held, id)
	}
}
