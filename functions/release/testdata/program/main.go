// Command program is what the skills of the tests run: it answers with what the
// file "answer" of its folder says, and behaves as "mode" does.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/hark-voice/hark/skills"
)

func main() {
	if mode, err := os.ReadFile("mode"); err == nil && strings.TrimSpace(string(mode)) == "exit" {
		fmt.Println("reading settings")
		fmt.Fprintln(os.Stderr, "no such city: Atlantis")
		os.Exit(3)
	}
	skills.Serve(skills.Skill{Intents: skills.Intents{"Ask": answer, "Count": count}})
}

func answer(context.Context, *skills.Call) (*skills.Answer, error) {
	text, err := os.ReadFile("answer")
	return skills.Speak(strings.TrimSpace(string(text))), err
}

func count(ctx context.Context, call *skills.Call) (*skills.Answer, error) {
	if mode, err := os.ReadFile("mode"); err == nil && strings.TrimSpace(string(mode)) == "silent" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n, err := skills.State[int](call)
	if err != nil {
		return nil, err
	}
	return skills.Speak(fmt.Sprint(n + 1)).SetState(n + 1), nil
}
