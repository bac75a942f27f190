//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
)

func testHomes(t *testing.T, s Store) {
	_, err := s.Home(t.Context(), "beta")
	wantErr(t, "unknown home", err, assistant.ErrNotFound)
	alpha := assistant.Home{ID: "alpha", Zone: "Europe/Berlin", Lang: "en"}
	beta := assistant.Home{ID: "beta", Zone: "Asia/Shanghai", Lang: "zh-CN"}
	for _, h := range []assistant.Home{beta, {ID: "alpha", Lang: "de"}, alpha} { // the last of an id stays
		if err := s.PutHome(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	wantSame(t, "homes", must[[]assistant.Home](t)(s.Homes(t.Context())), []assistant.Home{alpha, beta})
	wantSame(t, "home", must[assistant.Home](t)(s.Home(t.Context(), "alpha")), alpha)
}

func testDevices(t *testing.T, s Store) {
	_, err := s.Device(t.Context(), "home", "a")
	wantErr(t, "unknown device", err, assistant.ErrNotFound)
	a := assistant.Device{Home: "home", ID: "a", Area: "kitchen", Lang: "en"}
	b := assistant.Device{Home: "home", ID: "b"}
	other := assistant.Device{Home: "other", ID: "a", Area: "hall"}
	for _, d := range []assistant.Device{b, {Home: "home", ID: "a", Area: "attic"}, other, a} {
		if err := s.PutDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	wantSame(t, "devices", must[[]assistant.Device](t)(s.Devices(t.Context(), "home")), []assistant.Device{a, b})
	wantSame(t, "device", must[assistant.Device](t)(s.Device(t.Context(), "home", "a")), a)
	wantSame(t, "of another home", must[assistant.Device](t)(s.Device(t.Context(), "other", "a")), other)
	_, err = s.Device(t.Context(), "other", "b")
	wantErr(t, "a device of another home", err, assistant.ErrNotFound)
}

func testCredentials(t *testing.T, s Store) {
	d, other := topic.Device{Home: "home", ID: "kitchen"}, topic.Device{Home: "other", ID: "kitchen"}
	credential := func(d topic.Device, id string, expires time.Time) topic.Credential {
		c := topic.Credential{Device: d, ID: id, Expires: expires}
		for i := range c.Hash {
			c.Hash[i] = byte(i) ^ id[0]
		}
		return c
	}
	list := func(d topic.Device) []topic.Credential {
		t.Helper()
		return must[[]topic.Credential](t)(s.Credentials(t.Context(), d))
	}
	put := func(c topic.Credential) {
		t.Helper()
		if err := s.PutCredential(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	byID := func(c topic.Credential) string { return c.ID }
	if got := list(d); len(got) != 0 {
		t.Errorf("an unknown device has credentials: %v", got)
	}
	a, b := credential(d, "a", time.Time{}), credential(d, "b", time.Time{})
	early, late := credential(d, "early", at(0)), credential(d, "late", at(time.Minute))
	foreign := credential(other, "a", time.Time{})
	for _, c := range []topic.Credential{a, early, b, late, foreign} {
		put(c)
	}
	got := make(map[string]topic.Credential)
	for _, c := range list(d) {
		got[c.ID] = c
	}
	wantSame(t, "as they were, expired or not", got,
		map[string]topic.Credential{"a": a, "b": b, "early": early, "late": late})

	c := credential(d, "c", time.Time{})
	if err := s.ReplaceCredentials(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	got = make(map[string]topic.Credential)
	for _, c := range list(d) {
		got[c.ID] = c
	}
	wantSame(t, "c replaces the lasting ones", got, map[string]topic.Credential{"c": c, "early": early, "late": late})
	if err := s.ReplaceCredentials(t.Context(), c); err != nil {
		t.Errorf("the same once more: %v", err)
	}
	wantSame(t, "of the other device", keys(list(other), byID), []string{"a"})
}
