package broker_test

import (
	"crypto/sha256"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker"
	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

func TestConnect(t *testing.T) {
	will := func(name string) func(*packets.Packet) {
		return func(pk *packets.Packet) {
			pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, name, []byte("x")
		}
	}
	secret := func(s string) func(*packets.Packet) {
		return func(pk *packets.Packet) { pk.Connect.Password = []byte(s) }
	}
	user := func(s string) func(*packets.Packet) {
		return func(pk *packets.Packet) { pk.Connect.Username = []byte(s) }
	}
	for _, c := range []struct {
		name   string
		change func(*packets.Packet)
		v3, v5 byte
		reason string
	}{
		{"client id is the username", withID("demo/kitchen"), 0, 0, ""},
		{"client id is below the username", withID("demo/kitchen/1"), 0, 0, ""},
		{"will of the device", will("hark/demo/kitchen/status"), 0, 0, ""},
		{"wrong password", secret(password[1:]), 4, 0x86, "credentials"},
		{"hash for a password", secret(string(hashOf(password))), 4, 0x86, "credentials"},
		{"unknown device", user("demo/attic"), 4, 0x86, "credentials"},
		{"username without a home", user("kitchen"), 4, 0x86, "credentials"},
		{"username with more levels", user("demo/kitchen/x"), 4, 0x86, "credentials"},
		{"username with a wildcard", user("demo/+"), 4, 0x86, "credentials"},
		{"no username", func(pk *packets.Packet) {
			pk.Connect.UsernameFlag, pk.Connect.PasswordFlag = false, false
			pk.Connect.Username, pk.Connect.Password = nil, nil
		}, 4, 0x86, "credentials"},
		{"expired credential", secret("expired"), 4, 0x86, "credentials"},
		{"client id of another device", withID("demo/bedroom"), 2, 0x85, "client_id"},
		{"client id with the username as a mere prefix", withID("demo/kitchen2"), 2, 0x85, "client_id"},
		{"client id that ends in a slash", withID("demo/kitchen/"), 2, 0x85, "client_id"},
		{"client id of the library", withID("inline"), 2, 0x85, "client_id"},
		{"client id without end", withID("demo/kitchen/" + strings.Repeat("x", 300)), 2, 0x85, "client_id"},
		{"will of another device", will("hark/demo/bedroom/status"), 5, 0x87, "will"},
		{"will that Hark sends", will("hark/demo/kitchen/reply"), 5, 0x87, "will"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := open(t)
			_ = h.credentials.PutCredential(t.Context(), topic.Credential{Device: kitchen, Hash: sha256.Sum256([]byte("expired")), Expires: h.clock.Now()})
			for v, want := range map[byte]byte{4: c.v3, 5: c.v5} {
				cl := dial(t, h, v)
				if ack := cl.connect(connectPacket(kitchen, v), c.change); ack.ReasonCode != want {
					t.Errorf("version %d: CONNACK %#x, want %#x", v, ack.ReasonCode, want)
				}
				if want != 0 {
					cl.closed()
				}
			}
			if n := h.Stats().Refused[c.reason]; c.reason != "" && n != 2 {
				t.Errorf("refused: %v", h.Stats().Refused)
			}
		})
	}
}

func hashOf(s string) []byte { sum := sha256.Sum256([]byte(s)); return sum[:] }

func TestEmptyClientID(t *testing.T) {
	h := open(t)
	a, b := dial(t, h, 5), dial(t, h, 5)
	first, second := a.connect(connectPacket(kitchen, 5), withID("")), b.connect(connectPacket(kitchen, 5), withID(""))
	if id := first.Properties.AssignedClientID; !strings.HasPrefix(id, "demo/kitchen/") || id == second.Properties.AssignedClientID {
		t.Errorf("assigned %q and %q", id, second.Properties.AssignedClientID)
	}
	connect(t, h, kitchen, 4, withID(""))
	a.quiet()
	b.quiet()
	c := dial(t, h, 4) // MQTT 3.1.1, 3.1.3.1: not without a clean session
	if ack := c.connect(connectPacket(kitchen, 4), withID(""), func(pk *packets.Packet) { pk.Connect.Clean = false }); ack.ReasonCode != 2 {
		t.Errorf("CONNACK %#x", ack.ReasonCode)
	}
}

func TestTakeover(t *testing.T) {
	h := open(t)
	old := connect(t, h, kitchen, 5)
	old.subscribe(1, packets.Subscription{Filter: "hark/demo/kitchen/#", Qos: 1})
	connect(t, h, kitchen, 5)
	if pk := old.want(packets.Disconnect); pk.ReasonCode != packets.ErrSessionTakenOver.Code {
		t.Errorf("DISCONNECT %#x", pk.ReasonCode)
	}
	old.closed()

	v3 := connect(t, h, bedroom, 4)
	connect(t, h, bedroom, 4)
	if pk, err := v3.read(patience); err == nil {
		t.Errorf("a client of MQTT 3 was sent %+v", pk)
	}
}

// Of many simultaneous connections with one client id, one lives, and it works.
func TestSimultaneousConnects(t *testing.T) {
	const n = 30
	for range 5 {
		h := open(t)
		var together sync.WaitGroup
		together.Add(n)
		h.credentials.gate = func() { together.Done(); together.Wait() }
		clients := make([]*client, n)
		for i := range clients {
			clients[i] = dial(t, h, 4)
			clients[i].send(connectPacket(kitchen, 4))
		}
		eventually(t, "settled at one connection", func() bool {
			s := h.Stats()
			return s.Accepted == n && s.Connections == 1
		})
		lives := 0
		for _, c := range clients {
			if _, err := c.conn.Write(encode(t, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})); err != nil {
				continue
			}
			c.want(packets.Connack)
			if _, err := c.read(patience); err != nil {
				continue
			}
			lives++
			c.subscribe(1, replies)
			h.outbox.put(reply("1"))
			h.Deliver(reply("1"), true)
			c.wantPublish("1")
		}
		if lives != 1 {
			t.Errorf("%d connections live", lives)
		}
	}
}

func TestNoConnect(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.ConnectTimeout = 30 * time.Millisecond })
	silent := dial(t, h, 4)
	slow := dial(t, h, 4)
	_, _ = slow.conn.Write([]byte{0x10})
	silent.closed()
	slow.closed()
	other := dial(t, h, 4)
	other.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	other.closed()
	eventually(t, "counted", func() bool { return h.Stats().Refused["malformed"] == 3 })
}

func TestRotation(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.CredentialTTL = time.Hour })
	old := connect(t, h, kitchen, 5)
	connect(t, h, bedroom, 5)
	connect(t, h, bedroom, 5)
	if h.credentials.reads != 2 {
		t.Errorf("credentials were read %d times", h.credentials.reads)
	}
	fresh := func(pk *packets.Packet) { pk.Connect.Password = []byte("fresh") }
	_ = h.credentials.ReplaceCredentials(t.Context(), topic.Credential{Device: kitchen, Hash: sha256.Sum256([]byte("fresh"))})
	connect(t, h, kitchen, 5, withID("demo/kitchen/2"), fresh) // a new one works at once
	h.Disconnect(kitchen)
	if pk := old.want(packets.Disconnect); pk.ReasonCode != packets.ErrSessionTakenOver.Code && pk.ReasonCode != packets.ErrAdministrativeAction.Code {
		t.Errorf("DISCONNECT %#x", pk.ReasonCode)
	}
	if ack := dial(t, h, 5).connect(connectPacket(kitchen, 5)); ack.ReasonCode != 0x86 {
		t.Errorf("the old password: %#x", ack.ReasonCode)
	}
	connect(t, h, kitchen, 5, fresh)
}

func TestCredentialStoreAway(t *testing.T) {
	h := open(t)
	h.credentials.fail(errAway)
	for v, want := range map[byte]byte{4: 3, 5: 0x88} {
		if ack := dial(t, h, v).connect(connectPacket(kitchen, v)); ack.ReasonCode != want {
			t.Errorf("version %d: CONNACK %#x", v, ack.ReasonCode)
		}
	}
	h.credentials.fail(nil)
	connect(t, h, kitchen, 4)
}

func TestSessionsOfADevice(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.MaxSessions = 2 })
	first := connect(t, h, kitchen, 4)
	connect(t, h, kitchen, 4, withID("demo/kitchen/2"))
	connect(t, h, kitchen, 4, withID("demo/kitchen/2"))
	if ack := dial(t, h, 5).connect(connectPacket(kitchen, 5), withID("demo/kitchen/3")); ack.ReasonCode != packets.ErrQuotaExceeded.Code {
		t.Errorf("CONNACK %#x", ack.ReasonCode)
	}
	connect(t, h, bedroom, 4)
	first.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
	first.closed()
	eventually(t, "gone", func() bool { return h.Stats().Connections == 2 })
	connect(t, h, kitchen, 4, withID("demo/kitchen/3"))
}

func TestKeepAlive(t *testing.T) {
	h := open(t)
	forever := func(pk *packets.Packet) { pk.Connect.Keepalive = 0 }
	if ack := dial(t, h, 5).connect(connectPacket(kitchen, 5), forever); !ack.Properties.ServerKeepAliveFlag || ack.Properties.ServerKeepAlive != 600 {
		t.Errorf("server keep-alive %d", ack.Properties.ServerKeepAlive)
	}
	if ack := dial(t, h, 5).connect(connectPacket(kitchen, 5)); ack.Properties.ServerKeepAliveFlag {
		t.Error("a keep-alive that is short enough was changed")
	}
}

func TestStop(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.Grace = patience })
	v5, v3, silent := connect(t, h, kitchen, 5), connect(t, h, bedroom, 4), dial(t, h, 4)
	v5.publish(utterance, "acknowledged while it stops", 1, 1)
	in := h.consumer.next(t)
	stopped := make(chan error)
	go func() { stopped <- h.stop() }()
	eventually(t, "refusing", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", h.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	v5.publish(utterance, "not taken in any more", 1, 2)
	in.Ack()
	v5.wantPuback(1, 0)
	if pk := v5.want(packets.Disconnect); pk.ReasonCode != packets.ErrServerShuttingDown.Code {
		t.Errorf("DISCONNECT %#x", pk.ReasonCode)
	}
	v5.closed()
	if pk, err := v3.read(patience); err == nil {
		t.Errorf("a client of MQTT 3 was sent %+v", pk)
	}
	silent.closed()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	h.consumer.none(t)
	if err := h.Run(t.Context()); err == nil {
		t.Error("it ran a second time")
	}
}

func TestStopWithoutAcks(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.Grace = 20 * time.Millisecond })
	c := connect(t, h, kitchen, 4)
	c.publish(utterance, "never acknowledged", 1, 1)
	in := h.consumer.next(t)
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	in.Ack() // too late: of no effect
}

func TestAddressTaken(t *testing.T) {
	h := open(t)
	b, err := broker.New(broker.Options{Address: h.addr, Consumer: h.consumer, Credentials: h.credentials, Outbox: h.outbox, Clock: h.clock, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	if b.Addr() != nil {
		t.Error("an address before it listens")
	}
	if err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "listen") {
		t.Errorf("Run: %v", err)
	}
}

func TestMaxConnections(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.MaxConnections = 1 })
	connect(t, h, bedroom, 4)
	for v, want := range map[byte]byte{4: 3, 5: packets.ErrServerBusy.Code} {
		if ack := dial(t, h, v).connect(connectPacket(kitchen, v)); ack.ReasonCode != want {
			t.Errorf("version %d: CONNACK %#x", v, ack.ReasonCode)
		}
	}
	eventually(t, "counted", func() bool { return h.Stats().Refused["busy"] == 2 })
}

// Disconnect closes the connections of its device that are just being made, whose
// credentials may have been read before, and of no other device.
func TestDisconnectWhileConnecting(t *testing.T) {
	h := open(t)
	reading, read := make(chan struct{}), make(chan struct{})
	h.credentials.gate = func() { reading <- struct{}{}; <-read }
	own, other := dial(t, h, 5), dial(t, h, 5)
	own.send(connectPacket(kitchen, 5))
	other.send(connectPacket(bedroom, 5))
	<-reading
	<-reading
	h.Disconnect(kitchen)
	close(read)
	for _, c := range []*client{own, other} {
		if ack := c.want(packets.Connack); ack.ReasonCode != 0 {
			t.Fatalf("CONNACK %#x", ack.ReasonCode)
		}
	}
	if pk := own.want(packets.Disconnect); pk.ReasonCode != packets.ErrAdministrativeAction.Code {
		t.Errorf("DISCONNECT %#x", pk.ReasonCode)
	}
	own.closed()
	other.quiet()
}

// A connection lasts no longer than the credential that let it in.
func TestTemporaryCredential(t *testing.T) {
	h := open(t)
	temporary := func(pk *packets.Packet) { pk.Connect.Password = []byte("temporary") }
	_ = h.credentials.PutCredential(t.Context(), topic.Credential{Device: kitchen, Hash: sha256.Sum256([]byte("temporary")), Expires: h.clock.Now().Add(time.Minute)})
	lasting := connect(t, h, kitchen, 5)
	c := connect(t, h, kitchen, 5, withID("demo/kitchen/say"), temporary)
	h.clock.advance(59 * time.Second)
	c.quiet()
	h.clock.advance(time.Second)
	if pk := c.want(packets.Disconnect); pk.ReasonCode != packets.ErrMaxConnectTime.Code {
		t.Errorf("DISCONNECT %#x", pk.ReasonCode)
	}
	c.closed()
	lasting.quiet()
}

// Each change of a device's connections is told once and in order; a takeover
// never looks like an absence, and the broker's end like nothing at all.
func TestConnected(t *testing.T) {
	changes := make(chan int, 100)
	h := open(t, func(o *broker.Options) {
		o.Connected = func(d topic.Device, n int) {
			if d == kitchen {
				changes <- n
			}
		}
	})
	want := func(what string, counts ...int) {
		t.Helper()
		for _, n := range counts {
			select {
			case got := <-changes:
				if got != n {
					t.Fatalf("%s: %d connections, want %d", what, got, n)
				}
			case <-time.After(patience):
				t.Fatalf("%s: not told of", what)
			}
		}
	}
	connect(t, h, bedroom, 4)
	connect(t, h, kitchen, 4)
	want("the first", 1)
	first := connect(t, h, kitchen, 4)
	want("a takeover", 2, 1)
	second := connect(t, h, kitchen, 4, withID("demo/kitchen/2"))
	want("the second", 2)
	if ack := dial(t, h, 4).connect(connectPacket(kitchen, 4), func(pk *packets.Packet) { pk.Connect.Password = []byte("wrong") }); ack.ReasonCode == 0 {
		t.Error("a wrong password was accepted")
	}
	_ = first.conn.Close()
	want("the first is gone", 1)
	second.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
	want("the second is gone", 0)
	connect(t, h, kitchen, 4)
	want("the third", 1)
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	if len(changes) > 0 {
		t.Errorf("the end was told as %d", <-changes)
	}
}
