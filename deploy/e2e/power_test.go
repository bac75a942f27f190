package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// The power is cut so often; `go test ./deploy/e2e -run Power -cuts 30`.
var cuts = flag.Int("cuts", 6, "how often the power is cut in TestPowerCuts")

// promise is what a device was given an acknowledgement for.
type promise struct{ device, id, text, timer string }

// Everything is killed at random moments under load. After each start: no
// acknowledged turn is missing, none is counted twice, timers ring once, and
// replies that are owed arrive.
func TestPowerCuts(t *testing.T) { onEachStore(t, powerCuts) }

func powerCuts(t *testing.T, h *Hark) {
	t.Helper()
	h.Must("skill", "deploy", "testdata/count")
	seed := uint64(time.Now().UnixNano())
	chance := rand.New(rand.NewPCG(seed, 0))
	t.Logf("%d cuts, seed %d", *cuts, seed)

	const n = 3
	crowd := make([]*member, n)
	for i := range crowd {
		d := Connect(t, h, h.AddDevice("flat", fmt.Sprint("speaker", i)))
		crowd[i] = &member{Device: d, number: i}
	}
	books := ledger{}
	for cut := range *cuts {
		var wait sync.WaitGroup
		for _, m := range crowd {
			wait.Go(func() { m.chatter(cut) })
		}
		timer := time.NewTimer(time.Duration(20+chance.IntN(600)) * time.Millisecond)
		<-timer.C
		h.Kill()
		wait.Wait()
		h.Start()
		books.add(h.Turns(1000))
		for _, m := range crowd {
			if err := m.connect(h); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range crowd {
		m.sayAgain()
		m.hearAll(t)
	}
	if t.Failed() {
		t.Logf("still scheduled:\n%s", h.Must("schedule", "list"))
	}
	books.add(h.Turns(1000))
	books.audit(t, h, crowd)
}

// member is a device that talks until the power is cut.
type member struct {
	*Device

	number int
	open   []promise // not acknowledged when the power was cut: said again
	acked  []promise
}

// chatter says sentences until the connection breaks: a question, a count, now
// and then a timer with a name of its own.
func (m *member) chatter(round int) {
	if !m.sayAgain() {
		return
	}
	for i := range 250 { // of three devices: fewer turns than are read at once after the cut
		p := promise{device: m.login.Device, id: fmt.Sprintf("r%d-%d-%d", round, m.number, i), text: "add one"}
		switch {
		case i%100 == 3: // the skill keeps 50 at a time, and they last 2 s
			p.text, p.timer = "set a timer for 2 seconds called "+word(round, m.number, i), word(round, m.number, i)
		case i%2 == 1:
			p.text = "what time is it"
		}
		if !m.publish(p) {
			m.open = append(m.open, p)
			return
		}
	}
}

// sayAgain keeps the contract: what was not acknowledged is sent again, under
// the same id.
func (m *member) sayAgain() bool {
	for len(m.open) > 0 {
		if !m.publish(m.open[0]) {
			return false
		}
		m.open = m.open[1:]
	}
	return true
}

func (m *member) publish(p promise) bool {
	if m.Publish("utterance", fmt.Appendf(nil, `{"id":%q,"text":%q}`, p.id, p.text)) != nil {
		return false
	}
	m.acked = append(m.acked, p)
	return true
}

// hearAll waits until every promise was answered and every timer has rung.
func (m *member) hearAll(t *testing.T) {
	t.Helper()
	for _, p := range m.acked {
		m.await(t, "reply", "the reply to "+p.id, func() bool { return m.deliveries(p.id) > 0 })
		if p.timer != "" && !strings.Contains(m.answer(p.id).Speech, "is set") {
			t.Errorf("%q is answered %q", p.text, m.answer(p.id).Speech)
			continue
		}
		if p.timer != "" {
			m.await(t, "say", "the timer "+p.timer, func() bool { return m.rang(p.timer) > 0 })
		}
	}
}

// rang counts the different messages that name a timer.
func (m *member) rang(timer string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, s := range m.said {
		if strings.Contains(s.Speech, " "+timer+" ") {
			n++
		}
	}
	return n
}

// ledger holds turns by their ids.
type ledger map[string]Turn

func (l ledger) add(turns []Turn) {
	for _, turn := range turns {
		l[turn.ID] = turn
	}
}

// audit compares what devices were promised with what Hark has on its books.
func (l ledger) audit(t *testing.T, h *Hark, crowd []*member) {
	t.Helper()
	byMessage, invoked, counted := map[string]int{}, map[string]int{}, 0
	for _, turn := range l {
		if turn.Message != "" {
			byMessage[turn.Device+" "+turn.Message]++
		}
		if turn.Reply != nil {
			invoked[turn.Reply.Skill] += len(turn.Invocations)
			if turn.Text == "add one" && turn.Reply.Error == nil {
				counted++
			}
		}
	}
	promised := 0
	for _, m := range crowd {
		for _, p := range m.acked {
			promised++
			if n := byMessage[p.device+" "+p.id]; n != 1 {
				t.Errorf("%s %s %q is on the books %d times", p.device, p.id, p.text, n)
			}
			if p.timer == "" {
				continue
			}
			if n := m.rang(p.timer); n != 1 {
				t.Errorf("the timer %s rang %d times", p.timer, n)
			}
		}
	}
	used := h.Usage()
	for _, skill := range []string{"time", "count", "timer"} {
		if used[skill] != invoked[skill] || used[skill] == 0 {
			t.Errorf("usage of %s is %d, the turns have %d", skill, used[skill], invoked[skill])
		}
	}
	if r := crowd[0].Ask("add one"); r.Speech != fmt.Sprint(counted+1) {
		t.Errorf("the count is at %s, %d turns counted before", r.Speech, counted)
	}
	t.Logf("%d messages acknowledged, %d turns, usage %v", promised, len(l), used)
}

// word is a name for a timer that no other one has.
func word(round, number, i int) string {
	name := "q"
	for n := round*10000 + number*1000 + i; n > 0; n /= 10 {
		name += string("bcdfghjklm"[n%10])
	}
	return name
}
