package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A person has a speaker and Debian's MQTT clients, asks in two languages, sets
// timers and hears them.
func TestASpeakerIsAnsweredInBothLanguages(t *testing.T) {
	onEachStore(t, aSpeakerIsAnsweredInBothLanguages)
}

func aSpeakerIsAnsweredInBothLanguages(t *testing.T, h *Hark) {
	t.Helper()
	speaker := h.AddDevice("flat", "kitchen", "--area", "kitchen", "--lang", "en")
	m := StartMosquitto(t, h, speaker)
	for i, c := range []struct{ text, answer, skill string }{
		{"what time is it", `\d{1,2}:\d\d`, "time"},
		{"现在几点", `\d+点`, "time"},
		{"what day is it tomorrow", time.Now().UTC().AddDate(0, 0, 1).Weekday().String(), "time"},
		{"明天星期几", "星期" + strings.Split("日 一 二 三 四 五 六", " ")[time.Now().UTC().AddDate(0, 0, 1).Weekday()], "time"},
		{"set a timer for 50 minutes", "50", "timer"},
		{"cancel the timer", "(?i)cancel", "timer"},
		{"设一个五十分钟的计时器", "50分钟", "timer"},
		{"取消计时器", "取消", "timer"},
	} {
		id := fmt.Sprintf("u%d", i)
		if err := m.Publish(speaker.Topic("utterance"), fmt.Sprintf(`{"id":%q,"text":%q}`, id, c.text)); err != nil {
			t.Fatal(err)
		}
		r := m.reply(t)
		if r.ID != id || r.Error != nil || r.Skill != c.skill || !regexp.MustCompile(c.answer).MatchString(r.Speech) {
			t.Errorf("%q: got %+v, want %s from %s", c.text, r, c.answer, c.skill)
		}
		t.Logf("%s -> %s", c.text, r.Speech)
	}
}

func (m *Mosquitto) reply(t *testing.T) Reply {
	t.Helper()
	// mosquitto_sub on # hears the device's own messages too.
	for {
		select {
		case line := <-m.lines:
			payload, ok := strings.CutPrefix(line, m.login.Topic("reply")+" ")
			if !ok {
				continue
			}
			var r Reply
			if err := json.Unmarshal([]byte(payload), &r); err != nil {
				t.Fatal(err)
			}
			return r
		case <-time.After(patience):
			t.Fatal("no reply came")
		}
	}
}

// Timers ring once, in the language that they were set in, also when Hark was
// down when they were due.
func TestTimersRingOnce(t *testing.T) { onEachStore(t, timersRingOnce) }

func timersRingOnce(t *testing.T, h *Hark) {
	t.Helper()
	login := h.AddDevice("flat", "kitchen")
	d := Connect(t, h, login)
	start := time.Now()
	if r := d.Ask("set a timer for 2 seconds"); r.Error != nil {
		t.Fatalf("got %+v", r)
	}
	if r := d.Ask("设一个四秒的计时器"); r.Error != nil || r.Lang != "zh-CN" {
		t.Fatalf("got %+v", r)
	}
	due := map[string]time.Duration{"en": 2 * time.Second, "zh-CN": 4 * time.Second}
	rings := func() {
		t.Helper()
		s := d.hearSay(t)
		after, set := due[s.Lang]
		if took := time.Since(start); !set || took < after || s.Kind != "timer" {
			t.Errorf("after %s: %+v", took, s)
		}
		delete(due, s.Lang)
	}
	rings()
	h.Kill()
	h.Start() // the second timer is due meanwhile, or soon; where Hark was slow, both were
	if err := d.connect(h); err != nil {
		t.Fatal(err)
	}
	rings()
	if r := d.Ask("what timers are there"); !strings.Contains(r.Speech, "no") {
		t.Errorf("after both have rung: %q", r.Speech)
	}
	if len(d.says) != 0 {
		t.Errorf("%d more rang", len(d.says))
	}
}

func (d *Device) hearSay(t *testing.T) Say {
	t.Helper()
	select {
	case s := <-d.says:
		return s
	case <-time.After(patience):
		t.Fatal("nothing rang")
		return Say{}
	}
}

// Two turns that race on one home's state both count.
func TestThirtyTwoAtOnceAllCount(t *testing.T) { onEachStore(t, thirtyTwoAtOnceAllCount) }

func thirtyTwoAtOnceAllCount(t *testing.T, h *Hark) {
	t.Helper()
	h.Must("skill", "deploy", "testdata/count")
	login := h.AddDevice("flat", "kitchen")
	d := Connect(t, h, login)
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			if _, err := d.Say("add one"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	heard := map[string]int{}
	for range 32 {
		select {
		case r := <-d.replies:
			heard[r.Speech]++
		case <-time.After(patience):
			t.Fatal("a reply is missing")
		}
	}
	for i := 1; i <= 32; i++ {
		if heard[fmt.Sprint(i)] != 1 {
			t.Errorf("%d was said %d times", i, heard[fmt.Sprint(i)])
		}
	}
	if used := h.Usage()["count"]; used != 32 {
		t.Errorf("usage counts %d invocations, want 32", used)
	}
}

// A skill's process dies in the middle of a call: one apology, and the next
// call works.
func TestASkillKilledInMidCallIsApologizedFor(t *testing.T) {
	onEachStore(t, aSkillKilledInMidCallIsApologizedFor)
}

func aSkillKilledInMidCallIsApologizedFor(t *testing.T, h *Hark) {
	t.Helper()
	h.Must("skill", "deploy", "testdata/sleepy")
	login := h.AddDevice("flat", "kitchen")
	d := Connect(t, h, login)
	id := "nap-1"
	// The acknowledgement comes with the answer, so nothing waits for it here.
	d.client.Publish(login.Topic("utterance"), 1, false, `{"id":"nap-1","text":"take a nap"}`)
	process := h.awaitSkill("sleepy", "napping")
	start := time.Now()
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	r := d.Reply(id)
	if r.Error == nil || r.Error.Code != "skill_failed" || r.Speech == "" || time.Since(start) > 25*time.Second { // not at the skill's timeout
		t.Errorf("after %s: %+v", time.Since(start), r)
	}
	if r := d.Ask("wake up"); r.Error != nil || r.Speech != "good morning" {
		t.Errorf("the next call: %+v", r)
	}
	if d.deliveries(id) != 1 {
		t.Errorf("%d replies to one utterance", d.deliveries(id))
	}
}

// What cannot be read is refused by the documented error, and disturbs nobody.
func TestBadInputIsRefusedAndHarmless(t *testing.T) { onEachStore(t, badInputIsRefusedAndHarmless) }

func badInputIsRefusedAndHarmless(t *testing.T, h *Hark) {
	t.Helper()
	login := h.AddDevice("flat", "kitchen")
	other := h.AddDevice("house", "hall")
	m := StartMosquitto(t, h, login)
	bystander := Connect(t, h, other)
	huge := `{"id":"huge","text":"` + strings.Repeat("x", 1001) + `"}`
	for name, c := range map[string]struct{ payload, id, code string }{
		"empty":       {"", "", "bad_request"},
		"not JSON":    {"what time is it", "", "bad_request"},
		"wrong UTF-8": {"{\"id\":\"w\",\"text\":\"\xff\xfe\"}", "w", "bad_request"},
		"missing id":  {`{"text":"what time is it"}`, "", "bad_request"},
		"huge text":   {huge, "huge", "too_large"},
		"wrong types": {`{"id":"t","text":["x"]}`, "t", "bad_request"},
	} {
		if err := m.Publish(login.Topic("utterance"), c.payload); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r := m.reply(t); r.Error == nil || r.Error.Code != c.code || r.ID != c.id {
			t.Errorf("%s: got %+v, want %s", name, r, c.code)
		}
	}
	for _, text := range []string{"what time is it", "what day is it"} {
		if err := m.Publish(login.Topic("utterance"), fmt.Sprintf(`{"id":"again","text":%q}`, text)); err != nil {
			t.Fatal(err)
		}
		r := m.reply(t)
		if reused := text != "what time is it"; (r.Error != nil) != reused || reused && r.Error.Code != "bad_request" {
			t.Errorf("%q under the same id: %+v", text, r)
		}
	}
	// A packet over the limit ends the connection; a foreign topic is dropped.
	if err := m.Publish(login.Topic("utterance"), strings.Repeat("x", 200<<10)); err == nil {
		t.Error("a packet of 200 KiB was taken")
	}
	if err := m.Publish(other.Topic("utterance"), `{"id":"f","text":"what time is it"}`); err != nil {
		t.Logf("foreign topic: %v", err)
	}
	if _, err := h.Run("say", "--home", "nowhere", "--device", "kitchen", "what time is it"); err == nil {
		t.Error("an unknown home was served")
	}
	if r := bystander.Ask("what time is it"); r.Error != nil {
		t.Errorf("the bystander got %+v", r)
	}
	if len(bystander.replies) != 0 {
		t.Error("the bystander heard what was not for it")
	}
	if used := h.Usage()["time"]; used != 2 {
		t.Errorf("usage counts %d invocations of time, want 2", used)
	}
	if turns := h.Turns(10); len(turns) != 2 {
		t.Errorf("%d turns, want 2: %+v", len(turns), turns)
	}
}
