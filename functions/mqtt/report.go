package mqtt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/household"
	"golang.org/x/text/language"
)

// Limits of what a device may report in one message.
const (
	MaxReadings  = 500
	maxMetrics   = 64  // values of one reading
	maxEntities  = 256 // of one device
	maxStateKeys = 64  // of one entity
	maxStateSize = 4 << 10
)

// Hello is what a device says when it connects.
type Hello struct {
	ID     string
	Report assistant.Report // facts and entities
}

// DecodeHello reads the payload of a `hello`.
func DecodeHello(payload []byte, home, device string) (*Hello, *assistant.Error) {
	var w struct {
		ID       string `json:"id"`
		V        *int   `json:"v"`
		Model    string `json:"model"`
		Firmware string `json:"firmware"`
		Lang     string `json:"lang"`
		Entities []struct {
			ID     string `json:"id"`
			Domain string `json:"domain"`
			Name   string `json:"name"`
			Area   string `json:"area"`
		} `json:"entities"`
	}
	if err := decodeJSON(payload, &w); err != nil {
		return &Hello{ID: idOf(payload)}, err
	}
	h := &Hello{ID: w.ID, Report: assistant.Report{Home: home, Device: device}}
	h.Report.Facts = &assistant.Device{Model: w.Model, Firmware: w.Firmware}
	switch {
	case assistant.CheckMessageID(w.ID) != nil:
		return h, badRequest("%s", assistant.CheckMessageID(w.ID))
	case w.V == nil || *w.V != 1:
		return h, assistant.Errorf(assistant.CodeUnsupportedVersion, "say \"v\":1: this Hark speaks version 1")
	case len(w.Entities) > maxEntities:
		return h, assistant.Errorf(assistant.CodeTooLarge, "more than %d entities", maxEntities)
	case tooLong(w.Model, w.Firmware):
		return h, badRequest("model or firmware has more than %d characters", maxLabel)
	}
	if w.Lang != "" {
		tag, err := language.Parse(w.Lang)
		if err != nil || len(w.Lang) > maxLabel {
			return h, assistant.Errorf(assistant.CodeUnsupportedLanguage, "lang %.64q is not a BCP 47 language tag such as en or zh-CN", w.Lang)
		}
		h.Report.Facts.Lang = tag.String()
	}
	for _, e := range w.Entities {
		if err := assistant.CheckName(e.ID); err != nil {
			return h, badRequest("entity: %s", err)
		}
		if err := assistant.CheckName(e.Domain); err != nil {
			return h, badRequest("domain of entity %s: %s", e.ID, err)
		}
		if tooLong(e.Name, e.Area) {
			return h, badRequest("name or area of entity %s has more than %d characters", e.ID, maxLabel)
		}
		h.Report.Entities = append(h.Report.Entities, assistant.Entity{ID: e.ID, Domain: e.Domain, Name: e.Name, Area: e.Area})
	}
	return h, nil
}

type wireReading struct {
	ID     string              `json:"id"`
	TS     *float64            `json:"ts"`
	Values map[string]*float64 `json:"values"`
}

// DecodeReadings reads the payload of a `reading`: one, or an array of them.
func DecodeReadings(payload []byte, home, device string, received time.Time) (*assistant.Report, *assistant.Error) {
	var list []wireReading
	if bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("[")) {
		if err := decodeJSON(payload, &list); err != nil {
			return nil, err
		}
	} else {
		list = make([]wireReading, 1)
		if err := decodeJSON(payload, &list[0]); err != nil {
			return nil, err
		}
	}
	if len(list) > MaxReadings {
		return nil, assistant.Errorf(assistant.CodeTooLarge, "more than %d readings in one message", MaxReadings)
	}
	r := &assistant.Report{Home: home, Device: device}
	for i, w := range list {
		reading, err := w.reading(home, device, i, received)
		if err != nil {
			return nil, badRequest("reading %d: %s", i+1, err)
		}
		r.Readings = append(r.Readings, *reading)
	}
	return r, nil
}

func (w *wireReading) reading(home, device string, n int, received time.Time) (*assistant.Reading, error) {
	if len(w.Values) == 0 || len(w.Values) > maxMetrics {
		return nil, fmt.Errorf("it has %d values: send 1 to %d, such as {\"values\":{\"temperature\":23.4}}", len(w.Values), maxMetrics)
	}
	r := &assistant.Reading{Home: home, Device: device, At: received, Values: make(map[string]float64, len(w.Values))}
	for metric, v := range w.Values {
		if err := assistant.CheckName(metric); err != nil {
			return nil, err
		}
		if assistant.CheckName(household.SensorID(device, metric)) != nil {
			return nil, fmt.Errorf("the name of device and value %q together is too long", metric)
		}
		if v == nil {
			return nil, fmt.Errorf("the value %q is not a number", metric)
		}
		r.Values[metric] = *v
	}
	if w.TS != nil {
		at, err := unixMillis(*w.TS)
		if err != nil {
			return nil, err
		}
		if at.Before(received) { // nothing is measured in the future
			r.At = at
		}
	}
	if w.ID != "" {
		if err := assistant.CheckMessageID(w.ID); err != nil {
			return nil, err
		}
		// As of a turn: the id may be used anew another day.
		r.Key = fmt.Sprintf("%s@%d", w.ID, received.UnixMilli()/assistant.RedeliveryWindow.Milliseconds())
		return r, nil
	}
	r.Key = w.print(r.At, n)
	return r, nil
}

// print tells a reading without an id from the others of its device.
func (w *wireReading) print(at time.Time, n int) string {
	place := n
	if w.TS != nil {
		place = 0 // its time tells it from the others of the array
	}
	values, err := json.Marshal(w.Values) // sorted
	if err != nil {
		values = nil // cannot be: numbers that came from JSON
	}
	sum := sha256.Sum256(values)
	return fmt.Sprintf("%d.%d.%s", at.UnixMilli(), place, hex.EncodeToString(sum[:6]))
}

// DecodeState reads the payload of a `state`: entity ids to their states.
func DecodeState(payload []byte, home, device string, received time.Time) (*assistant.Report, *assistant.Error) {
	var w map[string]json.RawMessage
	if err := decodeJSON(payload, &w); err != nil {
		return nil, err
	}
	if len(w) > maxEntities {
		return nil, assistant.Errorf(assistant.CodeTooLarge, "more than %d entities", maxEntities)
	}
	r := &assistant.Report{Home: home, Device: device}
	for id, raw := range w {
		state, err := entityState(raw)
		if err == nil {
			err = assistant.CheckName(id)
		}
		if err != nil {
			return nil, badRequest("entity %.64q: %s", id, err)
		}
		r.States = append(r.States, assistant.StateReport{Entity: id, State: state, At: received})
	}
	return r, nil
}

// entityState reads a state: an object, or the value of "state" alone.
func entityState(raw json.RawMessage) (map[string]any, error) {
	if len(raw) > maxStateSize {
		return nil, fmt.Errorf("its state is larger than %d bytes", maxStateSize)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, errors.New("its state is not JSON")
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) > maxStateKeys {
			return nil, fmt.Errorf("its state has more than %d fields", maxStateKeys)
		}
		return v, nil
	case string, float64, bool:
		return map[string]any{"state": v}, nil
	}
	return nil, errors.New(`its state is not an object such as {"state":"on"}`)
}

// DecodeStatus reads the payload of a `status`.
func DecodeStatus(payload []byte, home, device string) (*assistant.Report, *assistant.Error) {
	presence := assistant.Presence(strings.TrimSpace(string(payload)))
	if presence != assistant.Online && presence != assistant.Offline {
		return nil, badRequest("the payload of status is online or offline, and nothing else")
	}
	return &assistant.Report{Home: home, Device: device, Facts: &assistant.Device{Presence: presence}}, nil
}

// DecodeAck reads the payload of an `ack`.
func DecodeAck(payload []byte, home, device string, received time.Time) (*household.Ack, *assistant.Error) {
	var w struct {
		ID    string          `json:"id"`
		OK    *bool           `json:"ok"`
		State json.RawMessage `json:"state"`
		Error json.RawMessage `json:"error"`
	}
	if err := decodeJSON(payload, &w); err != nil {
		return nil, err
	}
	if err := assistant.CheckMessageID(w.ID); err != nil {
		return nil, badRequest("%s", err)
	}
	if w.OK == nil {
		return nil, badRequest("ok is missing: true or false")
	}
	a := &household.Ack{Home: home, Device: device, ID: w.ID, OK: *w.OK, Received: received}
	if len(w.State) > 0 && string(w.State) != "null" {
		state, err := entityState(w.State)
		if err != nil {
			return nil, badRequest("%s", err)
		}
		a.State = state
	}
	a.Error = string(w.Error[:min(len(w.Error), 200)])
	return a, nil
}

// decodeJSON reads a payload with the errors that devices are told.
func decodeJSON(payload []byte, into any) *assistant.Error {
	switch {
	case len(bytes.TrimSpace(payload)) == 0:
		return badRequest("the payload is empty")
	case !utf8.Valid(payload):
		return badRequest("the payload is not UTF-8")
	}
	if err := json.Unmarshal(payload, into); err != nil {
		return badRequest("the payload cannot be read: %s", explain(err))
	}
	return nil
}

// unixMillis reads a time within the years 1970 to 9999, so that the arithmetic
// of the road holds.
func unixMillis(ms float64) (time.Time, error) {
	if ms < 0 || ms > 253402300799999 || ms != math.Trunc(ms) {
		return time.Time{}, errors.New("ts is not a time in Unix milliseconds")
	}
	return time.UnixMilli(int64(ms)), nil
}

func tooLong(labels ...string) bool {
	for _, l := range labels {
		if utf8.RuneCountInString(l) > maxLabel {
			return true
		}
	}
	return false
}
