//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func owe(t *testing.T, s Store, id string, list ...assistant.Message) {
	t.Helper()
	commit(t, s, &assistant.Commit{Turn: turn(id, "home", 0), Messages: list})
}

func testOwed(t *testing.T, s Store) {
	reply := message("t1.1", "kitchen", at(time.Minute))
	reply.Kind, reply.Say = assistant.MessageReply, nil
	reply.Reply = &assistant.Reply{ID: "m", Turn: "t1", Speech: "时间", Lang: "zh-CN", Expect: assistant.ExpectReply}
	reply.ReplyTo = assistant.ReplyTo{Topic: "hark/home/kitchen/r", Correlation: []byte{0, 255}}
	command := message("t2.1", "kitchen", time.Time{})
	command.Kind, command.Say = assistant.MessageCommand, nil
	command.Command = &assistant.Command{Entity: "light.a", Service: "turn_on", Args: map[string]any{"level": 0.5}}
	say := message("t2.2", "kitchen", at(time.Hour))
	foreign := message("t2.3", "kitchen", at(time.Hour))
	foreign.Home = "other"
	owe(t, s, "t1", reply)
	owe(t, s, "t2", command, say, foreign, message("t2.4", "hall", at(time.Hour)))

	owed := func(home, device string, limit int) []assistant.Message {
		t.Helper()
		return must[[]assistant.Message](t)(s.Owed(t.Context(), home, device, limit))
	}
	wantSame(t, "as they were, in their order", owed("home", "kitchen", 10), []assistant.Message{reply, command, say})
	wantSame(t, "at most the limit", messageIDs(owed("home", "kitchen", 2)), []string{"t1.1", "t2.1"})
	wantSame(t, "another device", messageIDs(owed("home", "hall", 10)), []string{"t2.4"})
	wantSame(t, "another home", messageIDs(owed("other", "kitchen", 10)), []string{"t2.3"})
	wantSame(t, "nobody", messageIDs(owed("home", "attic", 10)), []string{})
	wantSame(t, "no limit, nothing", messageIDs(owed("home", "kitchen", 0)), []string{})
}

// testOwedInOrder commits from several goroutines: what one of them committed
// first is owed first, also after the outbox was empty in between.
func testOwedInOrder(t *testing.T, s Store) {
	const writers, each = 8, 12
	for round := range 2 {
		err := together(t.Context(), writers, func(ctx context.Context, w int) error {
			for n := range each {
				id := fmt.Sprintf("r%dw%dn%02d", round, w, n)
				err := s.Commit(ctx, &assistant.Commit{Turn: turn(id, "home", 0), Messages: []assistant.Message{
					message(id+".1", "kitchen", at(time.Hour)), message(id+".0", "kitchen", at(time.Hour)),
				}})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		all := messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 1000)))
		for w := range writers {
			var got, want []string
			writer := fmt.Sprintf("r%dw%dn", round, w)
			for n := range each {
				want = append(want, fmt.Sprintf("%s%02d.1", writer, n), fmt.Sprintf("%s%02d.0", writer, n))
			}
			for _, id := range all {
				if strings.HasPrefix(id, writer) {
					got = append(got, id)
				}
			}
			wantSame(t, "messages of "+writer, got, want)
		}
		settled(t, s, all...)
	}
}

// settled settles, and waits until it shows.
func settled(t *testing.T, s Store, list ...string) {
	t.Helper()
	if err := s.Settle(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	eventually(t, "settled messages are owed no more", func() bool {
		owed := messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 1000)))
		return !slices.ContainsFunc(owed, func(id string) bool { return slices.Contains(list, id) })
	})
}

func testSettle(t *testing.T, s Store) {
	owe(t, s, "t1", message("t1.1", "kitchen", at(time.Hour)), message("t1.2", "kitchen", at(time.Hour)),
		message("t1.3", "kitchen", at(time.Hour)))
	settled(t, s, "t1.1", "unknown", "t1.3")
	wantSame(t, "left", messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10))), []string{"t1.2"})
	settled(t, s, "t1.1", "t1.3") // gone
	settled(t, s)
	// Settled as soon as the commit has returned, many times: none comes back.
	err := together(t.Context(), 16, func(ctx context.Context, i int) error {
		id := fmt.Sprintf("quick%d", i)
		m := message(id+".1", "kitchen", at(time.Hour))
		if err := s.Commit(ctx, &assistant.Commit{Turn: turn(id, "home", 0), Messages: []assistant.Message{m}}); err != nil {
			return err
		}
		return s.Settle(ctx, m.ID)
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "one message is left", func() bool {
		owed := messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 1000)))
		return slices.Equal(owed, []string{"t1.2"})
	})
}

func testExpired(t *testing.T, s Store) {
	first := message("t1.3", "hall", at(time.Second))
	owe(t, s, "t1", message("t1.1", "kitchen", at(3*time.Second)), message("t1.2", "kitchen", at(2*time.Second)), first,
		message("t1.4", "kitchen", at(time.Hour)), message("t1.5", "kitchen", time.Time{}))
	expired := func(now time.Time, limit int) []assistant.Message {
		t.Helper()
		return must[[]assistant.Message](t)(s.Expired(t.Context(), now, limit))
	}
	wantSame(t, "nothing yet", messageIDs(expired(at(time.Second-time.Millisecond), 10)), []string{})
	wantSame(t, "no limit, nothing", messageIDs(expired(at(time.Minute), 0)), []string{})
	wantSame(t, "at this millisecond", expired(at(time.Second), 10), []assistant.Message{first})
	wantSame(t, "at most the limit", messageIDs(expired(at(time.Minute), 1)), []string{"t1.2"})
	wantSame(t, "the rest", messageIDs(expired(at(time.Minute), 10)), []string{"t1.1"})
	wantSame(t, "they are gone", messageIDs(expired(at(time.Minute), 10)), []string{})
	wantSame(t, "without expiry, never", messageIDs(expired(at(1e6*time.Hour), 10)), []string{"t1.4"})
	wantSame(t, "left", messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10))), []string{"t1.5"})
}

// testExpiredOnce: two sweepers do not both get a message.
func testExpiredOnce(t *testing.T, s Store) {
	const n = 60
	var list []assistant.Message
	for _, id := range ids("m", n) {
		list = append(list, message(id, "kitchen", at(time.Second)))
	}
	owe(t, s, "t1", list...)
	var mu sync.Mutex
	var got []string
	err := together(t.Context(), 8, func(ctx context.Context, _ int) error {
		for {
			expired, err := s.Expired(ctx, at(time.Minute), 7)
			if err != nil || len(expired) == 0 {
				return err
			}
			mu.Lock()
			got = append(got, messageIDs(expired)...)
			mu.Unlock()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	wantSame(t, "expired", got, ids("m", n))
}

func testMaxOwed(t *testing.T, s Store) {
	const more = 5
	list := make([]assistant.Message, 0, assistant.MaxOwed+more)
	for i := range assistant.MaxOwed + more {
		list = append(list, message(assistant.EffectID("t1", i), "kitchen", at(time.Hour)))
	}
	owe(t, s, "t1", append(list, message("t1.hall", "hall", at(time.Hour)))...)
	owed := messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 2*assistant.MaxOwed)))
	if len(owed) != assistant.MaxOwed || owed[0] != assistant.EffectID("t1", more) {
		t.Errorf("%d are owed, the first is %s", len(owed), owed[0])
	}
	if n := len(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "hall", 10))); n != 1 {
		t.Errorf("another device is owed %d", n)
	}
}
