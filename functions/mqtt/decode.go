package mqtt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
	"golang.org/x/text/language"
)

// Limits of what a device may send, in characters.
const (
	MaxText  = 1000
	maxLabel = 64 // session, area, person, intent and slot names
	maxSlots = 64
)

// wireUtterance is the payload of `utterance` and `intent`.
type wireUtterance struct {
	ID      string                     `json:"id"`
	V       *int                       `json:"v,omitempty"`
	Text    string                     `json:"text,omitempty"`
	Intent  string                     `json:"intent,omitempty"`
	Slots   map[string]json.RawMessage `json:"slots,omitempty"`
	Lang    string                     `json:"lang,omitempty"`
	Session string                     `json:"session,omitempty"`
	Area    string                     `json:"area,omitempty"`
	Person  string                     `json:"person,omitempty"`
	Score   *float64                   `json:"score,omitempty"`
	TS      *float64                   `json:"ts,omitempty"` // a float, so that 1.7e12 is a number too
}

// DecodeUtterance reads the payload of an `utterance`. The result lacks what the
// payload does not say: home, device, time of arrival. With an error, its ID is
// that of the payload if it holds one.
func DecodeUtterance(payload []byte) (*assistant.Utterance, *assistant.Error) {
	u, w, err := decode(payload)
	if err != nil {
		return u, err
	}
	text := strings.TrimSpace(w.Text)
	switch {
	case text == "":
		return u, badRequest("the text is missing")
	case utf8.RuneCountInString(text) > MaxText:
		return u, assistant.Errorf(assistant.CodeTooLarge, "the text has more than %d characters", MaxText)
	}
	u.Text = text
	return u, nil
}

// DecodeIntent reads the payload of an `intent`, as DecodeUtterance does.
func DecodeIntent(payload []byte) (*assistant.Utterance, *assistant.Error) {
	u, w, err := decode(payload)
	if err != nil {
		return u, err
	}
	if w.Intent == "" {
		return u, badRequest("the intent is missing")
	}
	if len(w.Slots) > maxSlots {
		return u, assistant.Errorf(assistant.CodeTooLarge, "more than %d slots", maxSlots)
	}
	u.Intent = &assistant.Intent{Name: w.Intent, Slots: make(map[string]assistant.Slot, len(w.Slots)), Confidence: 1}
	for name, raw := range w.Slots {
		value, err := slotValue(raw)
		if err != nil || name == "" || len(name) > maxLabel {
			return u, badRequest("slot %.64q: a value is a string of %d characters at most, a number or a boolean", name, MaxText)
		}
		u.Intent.Slots[name] = assistant.Slot{Value: value, Text: strings.Trim(string(raw), `"`)}
	}
	return u, nil
}

func slotValue(raw json.RawMessage) (any, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case string:
		if utf8.RuneCountInString(v) > MaxText {
			return nil, errors.New("too long")
		}
		return v, nil
	case float64, bool:
		return v, nil
	}
	return nil, errors.New("not a plain value")
}

// decode reads and checks what both payloads have in common.
func decode(payload []byte) (*assistant.Utterance, *wireUtterance, *assistant.Error) {
	u, w := &assistant.Utterance{Digest: digest(payload)}, &wireUtterance{}
	if err := decodeJSON(payload, w); err != nil {
		u.ID = idOf(payload)
		return u, w, err
	}
	if err := assistant.CheckMessageID(w.ID); err != nil {
		return u, w, badRequest("%s", err)
	}
	u.ID, u.Session, u.Area, u.Person, u.Score = w.ID, w.Session, w.Area, w.Person, w.Score
	if w.V != nil && *w.V != 1 {
		return u, w, assistant.Errorf(assistant.CodeUnsupportedVersion, "v is %d: this Hark speaks version 1", *w.V)
	}
	for _, label := range [...]struct{ name, value string }{
		{"session", w.Session}, {"area", w.Area}, {"person", w.Person}, {"intent", w.Intent},
	} {
		if utf8.RuneCountInString(label.value) > maxLabel {
			return u, w, badRequest("%s has more than %d characters", label.name, maxLabel)
		}
	}
	return u, w, decodeLangAndTime(u, w)
}

func decodeLangAndTime(u *assistant.Utterance, w *wireUtterance) *assistant.Error {
	if w.Lang != "" {
		tag, err := language.Parse(w.Lang)
		if err != nil || len(w.Lang) > maxLabel {
			return assistant.Errorf(assistant.CodeUnsupportedLanguage, "lang %.64q is not a BCP 47 language tag such as en or zh-CN", w.Lang)
		}
		u.Lang = tag.String()
	}
	if w.TS != nil {
		sent, err := unixMillis(*w.TS)
		if err != nil {
			return badRequest("%s", err)
		}
		u.Sent = sent
	}
	return nil
}

// idOf finds the id of a payload that is JSON but not of the right shape, so
// that the device can tell which message the error is about.
func idOf(payload []byte) string {
	var w struct {
		ID any `json:"id"`
	}
	if err := json.Unmarshal(payload, &w); err != nil {
		return ""
	}
	id, _ := w.ID.(string)
	if assistant.CheckMessageID(id) != nil {
		return ""
	}
	return id
}

// explain says what is wrong with JSON without echoing it.
func explain(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("not JSON at byte %d", syntax.Offset)
	}
	kind, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return "not JSON"
	case kind.Field == "":
		return fmt.Sprintf("it is a JSON %s, not an object", kind.Value)
	}
	return fmt.Sprintf("%s is a JSON %s", kind.Field, kind.Value)
}

// digest tells a message sent again from another one under the same id.
func digest(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:16])
}

func badRequest(format string, args ...any) *assistant.Error {
	return assistant.Errorf(assistant.CodeBadRequest, format, args...)
}
