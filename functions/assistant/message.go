package assistant

import (
	"encoding/json"
	"time"
)

// MaxOwed bounds how many messages wait for one device. Beyond it the oldest are
// given up.
const MaxOwed = 1000

// MessageKind is the last level of the topic that a message goes down on.
type MessageKind string

// The kinds of messages to a device.
const (
	MessageReply   MessageKind = "reply"
	MessageCommand MessageKind = "command"
	MessageSay     MessageKind = "say"
)

// Message is owed to a device until the device acknowledges it or it expires.
type Message struct {
	ID      string      `json:"id"` // an effect id
	Home    string      `json:"home"`
	Device  string      `json:"device"`
	Kind    MessageKind `json:"kind"`
	Created time.Time   `json:"created"`
	Expires time.Time   `json:"expires"`
	ReplyTo ReplyTo     `json:"reply_to,omitzero"`
	Reply   *Reply      `json:"reply,omitempty"`
	Say     *Say        `json:"say,omitempty"`
	Command *Command    `json:"command,omitempty"`
}

// Say is speech that the device did not ask for: a timer, a reminder, an announcement.
type Say struct {
	Speech string `json:"speech"`
	Lang   string `json:"lang"`
	Kind   string `json:"kind"`
}

// Command asks a device to act on one of its entities.
type Command struct {
	Entity  string         `json:"entity"`
	Service string         `json:"service"`
	Args    map[string]any `json:"args,omitempty"`
}

// ScheduleKey names a schedule: the skill chose the id.
type ScheduleKey struct {
	Home  string `json:"home"`
	Skill string `json:"skill"`
	ID    string `json:"id"`
}

// MaxSchedules bounds what one skill has scheduled in one home.
const MaxSchedules = 200

// Schedule calls its skill once it is due.
type Schedule struct {
	ScheduleKey
	Due      time.Time       `json:"due"`
	By       string          `json:"by,omitempty"`     // the turn that set it
	Device   string          `json:"device,omitempty"` // where the speech goes
	Lang     string          `json:"lang,omitempty"`   // of the turn that set it
	Payload  json.RawMessage `json:"payload,omitempty"`
	Kind     string          `json:"kind,omitempty"`
	Fallback string          `json:"fallback,omitempty"` // said when the skill cannot answer
}
