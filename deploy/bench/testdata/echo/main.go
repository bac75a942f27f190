// Command echo is a skill of the benchmarks: it answers, and changes nothing.
package main

import (
	"context"

	"github.com/hark-voice/hark/skills"
)

func main() { skills.Serve(skills.Skill{Intents: skills.Intents{"Echo": echo}}) }

func echo(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	return skills.Speak("You said: " + call.Sentence), nil
}
