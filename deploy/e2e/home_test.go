package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// next waits for the next message of a kind that mosquitto_sub hears.
func (m *Mosquitto) next(t *testing.T, kind string, into any) {
	t.Helper()
	for late := time.After(patience); ; {
		select {
		case line := <-m.lines:
			payload, ok := strings.CutPrefix(line, m.login.Topic(kind)+" ")
			if !ok {
				continue // its own messages
			}
			if err := json.Unmarshal([]byte(payload), into); err != nil {
				t.Fatalf("%s: %v", payload, err)
			}
			return
		case <-late:
			t.Fatalf("no %s came", kind)
		}
	}
}

func (m *Mosquitto) publish(t *testing.T, kind, payload string) {
	t.Helper()
	if err := m.Publish(m.login.Topic(kind), payload); err != nil {
		t.Fatal(err)
	}
}

// Command is the payload of a command.
type Command struct {
	ID      string         `json:"id"`
	Entity  string         `json:"entity"`
	Service string         `json:"service"`
	Args    map[string]any `json:"args"`
	Expires int64          `json:"expires"`
}

// state returns the state of an entity as `hark entity list` knows it.
func (h *Hark) state(home, id string) map[string]any {
	h.t.Helper()
	var rows []struct {
		ID    string         `json:"id"`
		State map[string]any `json:"state"`
	}
	if err := json.Unmarshal([]byte(h.Must("entity", "list", home, "--json")), &rows); err != nil {
		h.t.Fatal(err)
	}
	for _, r := range rows {
		if r.ID == id {
			return r.State
		}
	}
	return nil
}

// A lamp introduces itself, is told to shine in two languages, says that it
// does, measures how warm it is, and goes away.
func TestALampIsTurnedOnInBothLanguages(t *testing.T) { onEachStore(t, aLampIsTurnedOnInBothLanguages) }

func aLampIsTurnedOnInBothLanguages(t *testing.T, h *Hark) {
	t.Helper()
	speaker := StartMosquitto(t, h, h.AddDevice("flat", "speaker", "--area", "living room", "--lang", "en"))
	lamp := StartMosquitto(t, h, h.AddDevice("flat", "lamp", "--area", "kitchen"))

	lamp.publish(t, "hello", `{"id":"h1","v":1,"model":"L1","entities":[{"id":"light.kitchen","domain":"light","name":"kitchen light","area":"kitchen"}]}`)
	var welcome struct {
		ID   string `json:"id"`
		V    int    `json:"v"`
		Now  int64  `json:"now"`
		Zone string `json:"tz"`
	}
	lamp.next(t, "welcome", &welcome)
	if welcome.ID != "h1" || welcome.V != 1 || welcome.Now == 0 || welcome.Zone == "" {
		t.Errorf("welcome %+v", welcome)
	}
	ask := func(id, text string) Reply {
		t.Helper()
		speaker.publish(t, "utterance", fmt.Sprintf(`{"id":%q,"text":%q}`, id, text))
		return speaker.reply(t)
	}
	for i, c := range []struct{ text, service, state string }{
		{"turn on the kitchen light", "turn_on", "on"},
		{"关掉厨房的灯", "turn_off", "off"},
		{"打开厨房的灯", "turn_on", "on"},
		{"turn off the light in the kitchen", "turn_off", "off"},
	} {
		r := ask(fmt.Sprint("u", i), c.text)
		var command Command
		lamp.next(t, "command", &command)
		if r.Error != nil || r.Speech == "" || command.Entity != "light.kitchen" || command.Service != c.service {
			t.Errorf("%s: reply %+v, command %+v", c.text, r, command)
		}
		t.Logf("%s -> %s", c.text, r.Speech)
		lamp.publish(t, "ack", fmt.Sprintf(`{"id":%q,"ok":true}`, command.ID))
		if state := h.state("flat", "light.kitchen"); state["state"] != c.state {
			t.Errorf("%s: the state after the ack is %v", c.text, state)
		}
	}

	lamp.publish(t, "reading", `{"id":"r1","values":{"temperature":23.4}}`)
	for i, text := range []string{"what is the temperature in the kitchen", "厨房多少度"} {
		if r := ask(fmt.Sprint("t", i), text); r.Error != nil || !strings.Contains(r.Speech, "23.4") {
			t.Errorf("%s: %+v", text, r)
		}
	}

	lamp.publish(t, "status", "offline")
	for i, c := range []struct{ text, says string }{{"turn on the kitchen light", "offline"}, {"打开厨房的灯", "离线"}} {
		if r := ask(fmt.Sprint("o", i), c.text); !strings.Contains(r.Speech, c.says) {
			t.Errorf("%s: %+v", c.text, r)
		}
	}
	lamp.publish(t, "status", "online")
	for i, c := range []struct{ text, service, says string }{
		{"turn on the kitchen light", "turn_on", "kitchen light"}, // it is back, and nothing was sent meanwhile
		{"turn off the kitchen light and set a timer for ten minutes", "turn_off", "10 minutes"},
		{"打开厨房的灯，然后设一个十分钟的闹钟", "turn_on", "10分钟"},
		{"turn off the kitchin light", "turn_off", "kitchen light"}, // misheard
		{"打开除房的灯", "turn_on", "灯"},
	} {
		r := ask(fmt.Sprint("b", i), c.text)
		var command Command
		lamp.next(t, "command", &command)
		if r.Error != nil || command.Entity != "light.kitchen" || command.Service != c.service || !strings.Contains(r.Speech, c.says) {
			t.Errorf("%s: reply %+v, command %+v", c.text, r, command)
		}
		t.Logf("%s -> %s", c.text, r.Speech)
	}
}

// A device that is cut off is offline by its will.
func TestADeviceThatDiesIsOffline(t *testing.T) {
	h := StartHark(t)
	login := h.AddDevice("flat", "lamp", "--area", "kitchen")
	speaker := Connect(t, h, h.AddDevice("flat", "speaker"))
	h.Must("entity", "add", "flat", "light.kitchen", "--name", "kitchen light", "--area", "kitchen", "--device", "lamp")
	need(t, "mosquitto_sub")
	m := &Mosquitto{t: t, hark: h, login: login}
	args := append([]string{"-oL", "mosquitto_sub"}, m.address()...)
	args = append(args, "-q", "1", "-d", "-t", login.Topic("command"), "--will-topic", login.Topic("status"), "--will-payload", "offline", "--will-qos", "1")
	cmd := exec.Command("stdbuf", args...)
	out := newTranscript()
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.await(t, regexp.MustCompile("SUBACK"))
	if r := speaker.Ask("turn on the kitchen light"); r.Error != nil || strings.Contains(r.Speech, "offline") {
		t.Errorf("while it is there: %+v", r)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for late := time.Now().Add(patience); ; {
		if r := speaker.Ask("turn on the kitchen light"); strings.Contains(r.Speech, "offline") {
			return
		}
		if time.Now().After(late) {
			t.Fatal("its will was not heard")
		}
	}
}

// The same message is the same turn, through whichever door it comes.
func TestThreeDoorsAreOneRoad(t *testing.T) {
	h := StartHark(t)
	login := h.AddDevice("flat", "kitchen")
	d := Connect(t, h, login)
	payload := `{"id":"same","text":"set a timer for 10 minutes"}`
	if err := d.Publish("utterance", []byte(payload)); err != nil {
		t.Fatal(err)
	}
	byMQTT := d.Reply("same")

	overHTTP := func() Reply {
		r, err := http.NewRequest("POST", "http://"+h.HTTP+"/api/v1/homes/flat/devices/kitchen/utterances", strings.NewReader(payload))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(login.Username, login.Password)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", answer.Status, body)
		}
		var reply Reply
		if err := json.Unmarshal(body, &reply); err != nil {
			t.Fatal(err)
		}
		return reply
	}()

	overWebSocket := func() Reply {
		o := paho.NewClientOptions().AddBroker("ws://" + h.HTTP + "/mqtt").SetUsername(login.Username).SetPassword(login.Password).
			SetClientID(login.Username + "/ws").SetOrderMatters(false).SetAutoReconnect(false)
		client := paho.NewClient(o)
		if err := wait(client.Connect()); err != nil {
			t.Fatal(err)
		}
		defer client.Disconnect(0)
		replies := make(chan Reply, 10)
		if err := wait(client.Subscribe(login.Topic("reply"), 1, func(_ paho.Client, m paho.Message) {
			var r Reply
			if json.Unmarshal(m.Payload(), &r) == nil {
				replies <- r
			}
		})); err != nil {
			t.Fatal(err)
		}
		if err := wait(client.Publish(login.Topic("utterance"), 1, false, payload)); err != nil {
			t.Fatal(err)
		}
		select {
		case r := <-replies:
			return r
		case <-time.After(patience):
			t.Fatal("no reply over WebSocket")
			return Reply{}
		}
	}()

	if byMQTT.Error != nil || byMQTT.Turn == "" {
		t.Fatalf("by MQTT: %+v", byMQTT)
	}
	for door, r := range map[string]Reply{"HTTP": overHTTP, "WebSocket": overWebSocket} {
		if r.Turn != byMQTT.Turn || r.Speech != byMQTT.Speech || r.Error != nil {
			t.Errorf("%s: %+v, by MQTT %+v", door, r, byMQTT)
		}
	}
	if used := h.Usage()["timer"]; used != 1 {
		t.Errorf("the timer was set %d times", used)
	}
}

// Readings that were acknowledged are there after a power cut, each once.
func TestReadingsSurviveThePowerCut(t *testing.T) { onEachStore(t, readingsSurviveThePowerCut) }

func readingsSurviveThePowerCut(t *testing.T, h *Hark) {
	t.Helper()
	const devices = 5
	var sensors [devices]*Device
	for i := range sensors {
		sensors[i] = Connect(t, h, h.AddDevice("flat", fmt.Sprint("sensor", i)))
	}
	var acked, sent [devices]int
	for range 3 {
		var wait sync.WaitGroup
		for i, d := range sensors {
			wait.Go(func() {
				if sent[i] > acked[i] { // the last one again: was it taken in or not?
					sent[i] = acked[i]
				}
				for {
					sent[i]++
					payload := fmt.Appendf(nil, `{"id":"r%d","values":{"temperature":%d}}`, sent[i], sent[i])
					if d.Publish("reading", payload) != nil {
						return
					}
					acked[i] = sent[i]
				}
			})
		}
		timer := time.NewTimer(400 * time.Millisecond)
		<-timer.C
		h.Kill()
		wait.Wait()
		h.Start()
		for _, d := range sensors {
			if err := d.connect(h); err != nil {
				t.Fatal(err)
			}
		}
	}
	total, inDoubt := 0, 0
	for i := range sensors {
		total += acked[i]
		inDoubt += sent[i] - acked[i]
	}
	var n struct {
		Count int `json:"count"`
	}
	if err := json.Unmarshal([]byte(h.Must("home", "readings", "flat", "--count", "--json")), &n); err != nil {
		t.Fatal(err)
	}
	if n.Count < total || n.Count > total+inDoubt {
		t.Errorf("%d readings are stored, %d were acknowledged and %d are in doubt", n.Count, total, inDoubt)
	}
	t.Logf("%d acknowledged, %d in doubt, %d stored", total, inDoubt, n.Count)
}

// What operators' tools scrape is there, and open to local programs alone.
func TestHealthAndMetricsAreServed(t *testing.T) {
	h := StartHark(t)
	d := Connect(t, h, h.AddDevice("flat", "kitchen"))
	d.Ask("what time is it")
	for path, want := range map[string]string{
		"/livez": `"ok"`, "/readyz": `"ready"`, "/metrics": `hark_invocations_total{outcome="ok",skill="time"} 1`,
	} {
		answer, err := http.Get("http://" + h.HTTP + path)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.Contains(body.String(), want) {
			t.Errorf("%s: %s, without %s", path, answer.Status, want)
		}
	}
}
