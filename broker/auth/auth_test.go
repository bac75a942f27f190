package auth_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/auth"
	"github.com/hark-voice/hark/broker/topic"
)

var kitchen = topic.Device{Home: "demo", ID: "kitchen"}

// store has the credentials of the kitchen.
type store struct {
	topic.CredentialStore
	credentials []topic.Credential
	reads       int
	during      func() // called while credentials are read
}

func (s *store) Credentials(_ context.Context, d topic.Device) ([]topic.Credential, error) {
	s.reads++
	if d != kitchen {
		return nil, nil
	}
	read := s.credentials
	if s.during != nil {
		s.during()
	}
	return read, nil
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func credential(password string) topic.Credential {
	return topic.Credential{Device: kitchen, Hash: sha256.Sum256([]byte(password))}
}

func verifier(t *testing.T, s *store, c *clock) *auth.Verifier {
	t.Helper()
	v, err := auth.New(auth.Options{Store: s, Clock: c, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerifierRemembers(t *testing.T) {
	s, c := &store{credentials: []topic.Credential{credential("old")}}, &clock{now: time.Unix(1000, 0)}
	v := verifier(t, s, c)
	try := func(password string) error {
		_, _, err := v.Verify(t.Context(), "demo/kitchen", "demo/kitchen/1", []byte(password))
		return err
	}
	for range 3 {
		if err := try("old"); err != nil {
			t.Fatal(err)
		}
	}
	if s.reads != 1 {
		t.Errorf("%d reads", s.reads)
	}
	s.credentials = []topic.Credential{credential("new")}
	if err := try("new"); err != nil { // not remembered: looked up at once
		t.Error(err)
	}
	if err := try("old"); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	s.credentials = nil
	if err := try("new"); err != nil { // withdrawn, but remembered
		t.Error(err)
	}
	v.Invalidate(kitchen)
	if err := try("new"); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("a withdrawn password: %v", err)
	}
}

// A temporary credential ends while it is remembered.
func TestVerifierExpiry(t *testing.T) {
	c := &clock{now: time.Unix(1000, 0)}
	temporary := credential("x")
	temporary.Expires = c.now.Add(time.Minute)
	v := verifier(t, &store{credentials: []topic.Credential{temporary}}, c)
	for _, step := range []struct {
		after time.Duration
		want  error
	}{{0, nil}, {59 * time.Second, nil}, {time.Second, auth.ErrCredentials}} {
		c.now = c.now.Add(step.after)
		if _, _, err := v.Verify(t.Context(), "demo/kitchen", "demo/kitchen", []byte("x")); !errors.Is(err, step.want) {
			t.Errorf("after %v: %v", step.after, err)
		}
	}
}

// A password that several credentials prove holds as long as the longest of them.
func TestVerifierTellsExpiry(t *testing.T) {
	now := time.Unix(1000, 0)
	until := func(d time.Duration) topic.Credential {
		c := credential("x")
		c.Expires = now.Add(d)
		return c
	}
	for _, c := range []struct {
		name        string
		credentials []topic.Credential
		want        time.Time
	}{
		{"lasting", []topic.Credential{credential("x"), until(time.Hour)}, time.Time{}},
		{"lasting, last", []topic.Credential{until(time.Hour), credential("x")}, time.Time{}},
		{"two, the longer first", []topic.Credential{until(time.Hour), until(time.Minute)}, now.Add(time.Hour)},
		{"two, the longer last", []topic.Credential{until(time.Minute), until(time.Hour)}, now.Add(time.Hour)},
		{"another is lasting", []topic.Credential{credential("y"), until(time.Minute)}, now.Add(time.Minute)},
	} {
		v := verifier(t, &store{credentials: c.credentials}, &clock{now: now})
		if _, got, err := v.Verify(t.Context(), "demo/kitchen", "demo/kitchen", []byte("x")); err != nil || !got.Equal(c.want) {
			t.Errorf("%s: until %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}

// Credentials that were being read while they were invalidated are not remembered.
func TestInvalidateDuringRead(t *testing.T) {
	s := &store{credentials: []topic.Credential{credential("old")}}
	v := verifier(t, s, &clock{})
	s.during = func() {
		s.during = nil
		s.credentials = nil
		v.Invalidate(kitchen)
	}
	_, _, _ = v.Verify(t.Context(), "demo/kitchen", "demo/kitchen", []byte("old"))
	if _, _, err := v.Verify(t.Context(), "demo/kitchen", "demo/kitchen", []byte("old")); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("a withdrawn password: %v", err)
	}
}

// Whatever the name, no device gets at what is not its own.
func FuzzACL(f *testing.F) {
	for _, name := range []string{"hark/demo/kitchen/#", "$share/g/hark/demo/kitchen/+", "hark/+/+/#", "#", "$share/g/#", "hark/demo/kitchen/../bedroom/reply", "hark/demo/kitchen/reply"} {
		f.Add(name, "bedroom", "reply")
	}
	f.Fuzz(func(t *testing.T, name, other, rest string) {
		if other == kitchen.ID || strings.ContainsAny(other, "/+#") || other == "" {
			t.Skip()
		}
		theirs := topic.Device{Home: kitchen.Home, ID: other}
		plain, _ := topic.Unshare(name)
		if auth.MaySubscribe(kitchen, name) {
			for _, d := range []topic.Device{theirs, {Home: "x" + other, ID: kitchen.ID}} {
				if topic.Match(plain, d.Topic(topic.Kind(rest))) {
					t.Errorf("%q matches a topic of %s", name, d)
				}
			}
			if topic.Match(plain, "$SYS/"+rest) {
				t.Errorf("%q matches $SYS", name)
			}
		}
		if _, ok := auth.MayPublish(kitchen, name); ok {
			if d, k, ok := topic.Parse(name); ok && (d != kitchen || k.Down()) {
				t.Errorf("may publish to %q", name)
			}
			if theirs.Within(name) {
				t.Errorf("may publish to %q", name)
			}
		}
	})
}
