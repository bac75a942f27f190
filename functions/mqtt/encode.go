package mqtt

import (
	"encoding/json"
	"fmt"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
)

type wireReply struct {
	ID      string           `json:"id"`
	Turn    string           `json:"turn"`
	Session string           `json:"session"`
	Speech  string           `json:"speech"`
	Lang    string           `json:"lang"`
	Expect  assistant.Expect `json:"expect"`
	Skill   string           `json:"skill"`
	Version string           `json:"version"`
	Error   *assistant.Error `json:"error,omitempty"`
	Expires int64            `json:"expires"`
}

type wireSay struct {
	ID      string `json:"id"`
	Speech  string `json:"speech"`
	Lang    string `json:"lang"`
	Kind    string `json:"kind"`
	Expires int64  `json:"expires"`
}

type wireCommand struct {
	ID      string         `json:"id"`
	Entity  string         `json:"entity"`
	Service string         `json:"service"`
	Args    map[string]any `json:"args"`
	Expires int64          `json:"expires"`
}

// Encode puts a message into the form that devices read.
func Encode(m assistant.Message) (topic.Outbound, error) {
	device := topic.Device{Home: m.Home, ID: m.Device}
	out := topic.Outbound{ID: m.ID, Device: device, Topic: device.Topic(topic.Kind(m.Kind)), Expires: m.Expires}
	var payload any
	switch {
	case m.Reply != nil:
		r := m.Reply
		payload = wireReply{r.ID, r.Turn, r.Session, r.Speech, r.Lang, r.Expect, r.Skill, r.Version, r.Error, m.Expires.UnixMilli()}
		if m.ReplyTo.Topic != "" {
			out.Topic = m.ReplyTo.Topic
		}
		out.Correlation = m.ReplyTo.Correlation
	case m.Say != nil:
		payload = wireSay{m.ID, m.Say.Speech, m.Say.Lang, m.Say.Kind, m.Expires.UnixMilli()}
	case m.Command != nil:
		args := m.Command.Args
		if args == nil {
			args = map[string]any{}
		}
		payload = wireCommand{m.ID, m.Command.Entity, m.Command.Service, args, m.Expires.UnixMilli()}
	default:
		return out, fmt.Errorf("message %s to %s is empty", m.ID, device)
	}
	var err error
	if out.Payload, err = json.Marshal(payload); err != nil {
		return out, fmt.Errorf("encode message %s to %s: %w", m.ID, device, err)
	}
	return out, nil
}
