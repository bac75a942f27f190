package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

var arrival = time.UnixMilli(1_750_000_000_000)

func TestDecodeHello(t *testing.T) {
	h, err := DecodeHello([]byte(`{"id":"h1","v":1,"model":"L1","firmware":"2.0","lang":"zh-cn","capabilities":["x"],
		"entities":[{"id":"light.desk","domain":"light","name":"台灯","area":"书房"}]}`), "home", "lamp")
	if err != nil {
		t.Fatal(err)
	}
	want := assistant.Entity{ID: "light.desk", Domain: "light", Name: "台灯", Area: "书房"}
	if *h.Report.Facts != (assistant.Device{Model: "L1", Firmware: "2.0", Lang: "zh-CN"}) || len(h.Report.Entities) != 1 || fmt.Sprint(h.Report.Entities[0]) != fmt.Sprint(want) {
		t.Errorf("got %+v", h.Report)
	}
	for name, c := range map[string]struct {
		payload string
		code    assistant.Code
	}{
		"empty":            {``, assistant.CodeBadRequest},
		"no id":            {`{"v":1}`, assistant.CodeBadRequest},
		"no version":       {`{"id":"h1"}`, assistant.CodeUnsupportedVersion},
		"version 2":        {`{"id":"h1","v":2}`, assistant.CodeUnsupportedVersion},
		"bad entity id":    {`{"id":"h1","v":1,"entities":[{"id":"Light Desk","domain":"light"}]}`, assistant.CodeBadRequest},
		"no domain":        {`{"id":"h1","v":1,"entities":[{"id":"light.desk"}]}`, assistant.CodeBadRequest},
		"long name":        {`{"id":"h1","v":1,"entities":[{"id":"a","domain":"light","name":"` + strings.Repeat("x", 65) + `"}]}`, assistant.CodeBadRequest},
		"many entities":    {`{"id":"h1","v":1,"entities":[` + strings.Repeat(`{},`, 256) + `{}]}`, assistant.CodeTooLarge},
		"unknown language": {`{"id":"h1","v":1,"lang":"?"}`, assistant.CodeUnsupportedLanguage},
	} {
		if _, err := DecodeHello([]byte(c.payload), "home", "lamp"); err == nil || err.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestDecodeReadings(t *testing.T) {
	r, err := DecodeReadings([]byte(` [{"id":"r1","ts":1749999999000,"values":{"temperature":23.4,"humidity":40}},
		{"ts":1750000009000,"values":{"temperature":24}},{"values":{"temperature":25}},{"values":{"temperature":25}}]`), "home", "d1", arrival)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Readings) != 4 || !r.Readings[0].At.Equal(arrival.Add(-time.Second)) || r.Readings[0].Values["humidity"] != 40 {
		t.Errorf("got %+v", r.Readings)
	}
	if !r.Readings[1].At.Equal(arrival) || !r.Readings[2].At.Equal(arrival) {
		t.Error("a reading from the future, or without a time, is not of its arrival")
	}
	keys := map[string]bool{}
	for _, reading := range r.Readings {
		keys[reading.Key] = true
	}
	if len(keys) != 4 {
		t.Errorf("the keys are not unique: %+v", r.Readings)
	}
	for name, payload := range map[string]string{
		"empty": ``, "no values": `{"id":"r1"}`, "no such value": `{"values":{"temperature":null}}`, "a text": `{"values":{"temperature":"warm"}}`,
		"odd name": `{"values":{"Température":1}}`, "bad time": `{"ts":-1,"values":{"a":1}}`, "bad id": `{"id":"a b","values":{"a":1}}`,
		"not finite": `{"values":{"a":1e999}}`, "501 readings": `[` + strings.Repeat(`{"values":{"a":1}},`, 500) + `{"values":{"a":1}}]`,
		"one bad of two": `[{"values":{"a":1}},{}]`, "long name": `{"values":{"` + strings.Repeat("a", 60) + `":1}}`,
	} {
		if _, err := DecodeReadings([]byte(payload), "home", "d1", arrival); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAReadingSentAgainHasTheSameKey(t *testing.T) {
	for _, payload := range []string{`{"id":"r1","values":{"a":1}}`, `{"ts":1749999999000,"values":{"a":1,"b":2}}`} {
		first, _ := DecodeReadings([]byte(payload), "home", "d1", arrival)
		again, _ := DecodeReadings([]byte(payload), "home", "d1", arrival.Add(time.Minute))
		if first.Readings[0].Key != again.Readings[0].Key {
			t.Errorf("%s: %s then %s", payload, first.Readings[0].Key, again.Readings[0].Key)
		}
	}
}

func TestDecodeState(t *testing.T) {
	r, err := DecodeState([]byte(`{"light.desk":{"state":"on","brightness":40}}`), "home", "lamp", arrival)
	if err != nil || len(r.States) != 1 || r.States[0].Entity != "light.desk" || r.States[0].State["brightness"] != 40.0 || !r.States[0].At.Equal(arrival) {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := DecodeState([]byte(`{"light.desk":"off"}`), "home", "lamp", arrival); err != nil || r.States[0].State["state"] != "off" {
		t.Errorf("the short form: %+v, %v", r, err)
	}
	for name, payload := range map[string]string{
		"empty": ``, "a list": `[]`, "bad id": `{"Light":{}}`, "a list as state": `{"a":[1]}`, "null": `{"a":null}`,
		"large": `{"a":{"x":"` + strings.Repeat("x", 5000) + `"}}`,
	} {
		if _, err := DecodeState([]byte(payload), "home", "lamp", arrival); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDecodeStatus(t *testing.T) {
	for payload, want := range map[string]assistant.Presence{"online": assistant.Online, "offline\n": assistant.Offline} {
		if r, err := DecodeStatus([]byte(payload), "home", "lamp"); err != nil || r.Facts.Presence != want {
			t.Errorf("%q: %+v, %v", payload, r, err)
		}
	}
	for _, payload := range []string{"", "ONLINE", `"online"`, "away"} {
		if _, err := DecodeStatus([]byte(payload), "home", "lamp"); err == nil {
			t.Errorf("%q: accepted", payload)
		}
	}
}

func TestDecodeAck(t *testing.T) {
	a, err := DecodeAck([]byte(`{"id":"t1.1","ok":true,"state":{"state":"on"}}`), "home", "lamp", arrival)
	if err != nil || !a.OK || a.ID != "t1.1" || a.State["state"] != "on" || a.Device != "lamp" {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err := DecodeAck([]byte(`{"id":"t1.1","ok":false,"error":{"code":"jammed"}}`), "home", "lamp", arrival); err != nil || a.OK || a.State != nil || !strings.Contains(a.Error, "jammed") {
		t.Errorf("got %+v, %v", a, err)
	}
	for _, payload := range []string{``, `{"ok":true}`, `{"id":"t1.1"}`, `{"id":"t1/1","ok":true}`, `{"id":"t1.1","ok":"yes"}`, `{"id":"t1.1","ok":true,"state":[1]}`} {
		if _, err := DecodeAck([]byte(payload), "home", "lamp", arrival); err == nil {
			t.Errorf("%s: accepted", payload)
		}
	}
}

// FuzzDecodeReports holds the decoders of reports to their promise.
func FuzzDecodeReports(f *testing.F) {
	for _, seed := range []string{
		`{"id":"h1","v":1,"entities":[{"id":"light.desk","domain":"light"}]}`, `[{"id":"r1","ts":1,"values":{"a":1.5}}]`,
		`{"light.desk":{"state":"on"}}`, `online`, `{"id":"t1.1","ok":true,"state":"on"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if h, err := DecodeHello(payload, "home", "d1"); err == nil {
			for _, e := range h.Report.Entities {
				if assistant.CheckName(e.ID) != nil || assistant.CheckName(e.Domain) != nil {
					t.Errorf("accepted entity %+v", e)
				}
			}
		}
		if r, err := DecodeReadings(payload, "home", "d1", arrival); err == nil {
			for _, reading := range r.Readings {
				if reading.At.After(arrival) || reading.Key == "" || len(reading.Values) == 0 {
					t.Errorf("accepted reading %+v", reading)
				}
			}
		}
		_, _ = DecodeState(payload, "home", "d1", arrival)
		_, _ = DecodeStatus(payload, "home", "d1")
		if a, err := DecodeAck(payload, "home", "d1", arrival); err == nil && assistant.CheckMessageID(a.ID) != nil {
			t.Errorf("accepted ack %+v", a)
		}
	})
}
