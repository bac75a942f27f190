// Command sleepy is a skill of the plays: it falls asleep in the middle of a call.
package main

import (
	"context"
	"fmt"

	"github.com/hark-voice/hark/skills"
)

func main() { skills.Serve(skills.Skill{Intents: skills.Intents{"Nap": nap, "Wake": wake}}) }

func nap(ctx context.Context, _ *skills.Call) (*skills.Answer, error) {
	fmt.Println("napping")
	<-ctx.Done()
	return nil, ctx.Err()
}

func wake(context.Context, *skills.Call) (*skills.Answer, error) {
	return skills.Speak("good morning"), nil
}
