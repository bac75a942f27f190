package skills

import (
	"encoding/json"
	"fmt"
)

// State returns what the skill keeps, as stored by [Answer.SetState]: for the
// home, or for the conversation, as `state` in skill.yaml says. Where nothing
// was stored yet it is the zero value of T. Add fields freely; before
// changing the meaning of one, raise `state_version`.
func State[T any](call *Call) (T, error) {
	var state T
	if len(call.state) == 0 {
		return state, nil
	}
	if err := json.Unmarshal(call.state, &state); err != nil {
		return state, fmt.Errorf("read the skill's state, which another version may have written: %w", err)
	}
	return state, nil
}

// Payload returns what the skill gave to the schedule that fired.
func Payload[T any](call *Call) (T, error) {
	var payload T
	if len(call.Fired.payload) == 0 {
		return payload, nil
	}
	if err := json.Unmarshal(call.Fired.payload, &payload); err != nil {
		return payload, fmt.Errorf("read the payload of schedule %q: %w", call.Fired.ID, err)
	}
	return payload, nil
}
