package assistant

import (
	"encoding/json"
	"time"
)

// TurnKind tells what caused a turn.
type TurnKind string

// The kinds of turns.
const (
	KindUtterance TurnKind = "utterance"
	KindIntent    TurnKind = "intent"
	KindSchedule  TurnKind = "schedule"
	KindPart      TurnKind = "part" // one of several things that an utterance asked for
)

// ReplyTo is where an MQTT 5 requester wants its reply; empty: the reply topic.
type ReplyTo struct {
	Topic       string `json:"topic,omitempty"`
	Correlation []byte `json:"correlation,omitempty"`
}

// Utterance is a message of a device that asks for a reply: a sentence, or an
// intent that the device recognised itself.
type Utterance struct {
	Home, Device string
	ID           string // the message id
	Digest       string // of the body, to tell a redelivery from a reused id
	Text         string // empty for an intent
	Intent       *Intent
	Lang         string // asked for by this message; empty: the device's
	Session      string
	Area         string // where it was heard, if not where the device stands
	Person       string
	Score        *float64  // how well this device heard it, when several did
	Sent         time.Time // by the device's clock; zero where it has none
	Received     time.Time
	Expires      time.Time // MQTT 5 message expiry; zero: none
	ReplyTo      ReplyTo
	// Direct: who sent it takes the reply from the turn; none is owed to the device.
	Direct bool
}

// Intent is what an utterance was understood as.
type Intent struct {
	Skill      string          `json:"skill"`
	Name       string          `json:"name"`
	Slots      map[string]Slot `json:"slots,omitempty"`
	Confidence float64         `json:"confidence"`
	Template   string          `json:"template,omitempty"` // file:line of the sentence template that matched
}

// Slot is one value of an intent: a string, float64 or bool, as JSON has them.
// Durations are seconds.
type Slot struct {
	Value any    `json:"value"`
	Text  string `json:"text,omitempty"`
}

// Expect tells a device whether to listen on.
type Expect string

// What a device may be told to do after it has spoken.
const (
	ExpectNone  Expect = "none"
	ExpectReply Expect = "reply"
)

// Reply is the answer to an utterance.
type Reply struct {
	ID      string `json:"id"` // of the utterance
	Turn    string `json:"turn"`
	Session string `json:"session"`
	Speech  string `json:"speech"`
	Lang    string `json:"lang"`
	Expect  Expect `json:"expect"`
	Skill   string `json:"skill,omitempty"`
	Version string `json:"version,omitempty"`
	Error   *Error `json:"error,omitempty"`
}

// Turn is one trip along the road: its cause, its answer, what it cost and how
// it went. The turn that the store holds is committed.
type Turn struct {
	ID          string       `json:"id"`
	Kind        TurnKind     `json:"kind"`
	PartOf      string       `json:"part_of,omitempty"` // the turn of the utterance that this is a part of
	Home        string       `json:"home"`
	Device      string       `json:"device,omitempty"`
	Message     string       `json:"message,omitempty"` // the id of the message that caused it
	Digest      string       `json:"digest,omitempty"`  // of that message's body
	Schedule    *ScheduleKey `json:"schedule,omitempty"`
	Text        string       `json:"text,omitempty"`
	Received    time.Time    `json:"received"`
	Finished    time.Time    `json:"finished"`
	Intent      *Intent      `json:"intent,omitempty"`
	Reply       *Reply       `json:"reply,omitempty"`
	ReplyTo     ReplyTo      `json:"reply_to,omitzero"`
	Commands    []Issued     `json:"commands,omitempty"`
	Invocations []Invocation `json:"invocations,omitempty"`
	Trace       []Stage      `json:"trace,omitempty"`
}

// Issued is a command that a turn sent, as it is found again when the device
// acknowledges it.
type Issued struct {
	ID     string `json:"id"` // of the message
	Device string `json:"device"`
	Command
}

// Failed returns the error that the turn ended with, nil if all was well.
func (t *Turn) Failed() *Error {
	if t.Reply == nil {
		return nil
	}
	return t.Reply.Error
}

// Stage is one step of a turn as shown by `hark trace`.
type Stage struct {
	Name   string        `json:"name"`
	Micros int64         `json:"us"` // duration in microseconds
	Detail string        `json:"detail,omitempty"`
	Cands  []TraceIntent `json:"candidates,omitempty"`
}

// TraceIntent is one reading of a sentence that was considered.
type TraceIntent struct {
	Skill    string `json:"skill"`
	Intent   string `json:"intent"`
	Template string `json:"template"`
	Why      string `json:"why,omitempty"` // why it won or lost
}

// Outcome is how an invocation ended.
type Outcome string

// The outcomes of an invocation.
const (
	OutcomeOK      Outcome = "ok"
	OutcomeFailed  Outcome = "failed"  // the skill returned an error or died
	OutcomeTimeout Outcome = "timeout" // no answer within the deadline
	OutcomeInvalid Outcome = "invalid" // the answer breaks the contract or a limit
)

// Invocation is the metering record of one call that reached a skill.
type Invocation struct {
	ID        string        `json:"id"`
	Skill     string        `json:"skill"`
	Version   string        `json:"version"`
	Instance  string        `json:"instance,omitempty"`
	Outcome   Outcome       `json:"outcome"`
	Cold      bool          `json:"cold,omitempty"` // it waited for an instance to start
	Wall      time.Duration `json:"wall_ns"`        // whole milliseconds, rounded up, 1 at the least
	CPU       time.Duration `json:"cpu_ns"`         // of the skill's process, shared among the calls in flight
	MemoryMiB int64         `json:"memory_mib"`     // the limit, not the use
	MicroCU   int64         `json:"micro_cu"`       // price at the time of the call
}

// State is what a skill keeps in a home between turns. Revision 0 is the state
// that was never written.
type State struct {
	Revision int64
	Value    json.RawMessage
}

// StateKey names one state document.
type StateKey struct {
	Home  string
	Skill string
	Scope string // "home", or a session id for dialogue state
}

// StateChange replaces a state if it still has the base revision.
type StateChange struct {
	Key   StateKey
	Base  int64
	Value json.RawMessage
}
