// Command tally is a skill of the benchmarks: it counts in the state of a home.
package main

import (
	"context"
	"strconv"

	"github.com/hark-voice/hark/skills"
)

func main() { skills.Serve(skills.Skill{Intents: skills.Intents{"Count": count}}) }

func count(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	n, err := skills.State[int](call)
	if err != nil {
		return nil, err
	}
	return skills.Speak("That makes " + strconv.Itoa(n+1)).SetState(n + 1), nil
}
