package assistant

import (
	"encoding/json"
	"time"
)

// Call is one request to a skill function, before it is put on a wire.
type Call struct {
	ID         string // invocation id: the same when the call is repeated
	Turn       string
	Home       Home
	Device     Device
	Person     string
	Lang       string
	Now        time.Time     // the time of the turn
	Timeout    time.Duration // what is left for the call, 0: the skill's limit
	Skill      string
	Version    string // which version this home runs
	Text       string
	Intent     *Intent   // exactly one of Intent and Fired is set
	Fired      *Schedule // a schedule that is due
	Session    string
	NewSession bool
	State      State
	Entities   []Entity // that the manifest lets the skill see
}

// Answer is what a skill function gave back, checked against the contract.
type Answer struct {
	Speech     string
	Expect     Expect
	State      json.RawMessage // nil: unchanged
	Set        []Schedule      // schedules to set
	Cancel     []string        // ids of schedules to cancel
	Says       []DeviceSay
	Commands   []Command
	EndSession bool
}

// DeviceSay is speech for a device; empty Device: the one of the call.
type DeviceSay struct {
	Device string
	Say
}

// HasEffects tells whether the answer changes anything but the air it is spoken into.
func (a *Answer) HasEffects() bool {
	return a.State != nil || len(a.Set) > 0 || len(a.Cancel) > 0 || len(a.Says) > 0 || len(a.Commands) > 0
}
