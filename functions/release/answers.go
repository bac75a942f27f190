package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
)

// exam asks an instance of a new version its test sentences, as a home of its
// own would.
type exam struct {
	k        *catalog.Skill
	alone    *catalog.Snapshot
	instance trial
	strict   bool // a handler that is late fails
}

// testAnswers asks an instance the test sentences that expect an answer. Of the
// other intents that have test sentences, each handler is called once, because a
// fault that the first user would meet must not go live.
func (m *Manager) testAnswers(ctx context.Context, c *candidate, instance trial, progress func(Step)) error {
	alone, err := catalog.Build(c.Skill)
	if err != nil {
		return err
	}
	e := &exam{k: c.Skill, alone: alone, instance: instance, strict: c.strict}
	answers, handlers := &findings{progress: progress}, &findings{progress: progress}
	if err := errors.Join(e.answers(ctx, answers), e.handlers(ctx, handlers)); err != nil {
		return err
	}
	c.tested.Answers, c.tested.Handlers = answers.passed(), handlers.passed()
	return errors.Join(answers.err("tests with an answer"), handlers.err("handlers that no test with an answer calls"))
}

// answers asks the sentences of each language one after another, with the state
// that each leaves.
func (e *exam) answers(ctx context.Context, found *findings) error {
	for _, lang := range slices.Sorted(maps.Keys(e.k.Sentences)) {
		home, err := newTestHome(e.k, lang)
		if err != nil {
			return err
		}
		var state assistant.State
		for _, t := range e.k.Sentences[lang].Tests {
			if t.Answer == "" {
				continue
			}
			found.count++
			answer, err := e.ask(ctx, lang, home, t, state)
			switch {
			case err != nil:
				found.fail(t, fmt.Errorf("%q: %w", t.Say, err))
			case answer.Speech != t.Answer:
				found.fail(t, fmt.Errorf("%q is answered %q; it should be %q", t.Say, answer.Speech, t.Answer))
			case answer.State != nil:
				state = assistant.State{Revision: state.Revision + 1, Value: answer.State}
			}
		}
	}
	return nil
}

// handlers calls the handlers of the intents that answers has left out. That one
// fails may be for want of what it asks in the world, and is said, though it has not
// passed; that it is missing, panics or breaks the contract is a failure.
func (e *exam) handlers(ctx context.Context, found *findings) error {
	langs := slices.Sorted(maps.Keys(e.k.Sentences))
	done := make(map[string]bool)
	for _, lang := range langs {
		for _, t := range e.k.Sentences[lang].Tests {
			done[t.Intent] = done[t.Intent] || t.Answer != ""
		}
	}
	for _, lang := range langs {
		home, err := newTestHome(e.k, lang)
		if err != nil {
			return err
		}
		for _, t := range e.k.Sentences[lang].Tests {
			if done[t.Intent] {
				continue
			}
			done[t.Intent] = true
			found.count++
			_, err := e.ask(ctx, lang, home, t, assistant.State{})
			switch {
			case err == nil:
			case e.mayPass(err):
				found.open++
				found.warn("%s:%d: %q: the handler failed: %v", t.File, t.Line, t.Say, err)
			default:
				found.fail(t, fmt.Errorf("%q: %w", t.Say, err))
			}
		}
	}
	return nil
}

// mayPass tells of errors that may be the world's and not the skill's: the one
// that a handler returned and, at a deployment, lateness. What the world keeps
// waiting today may answer tomorrow, and must not keep a skill from going live; who
// tests it wants to know.
func (e *exam) mayPass(err error) bool {
	failed, ok := errors.AsType[*assistant.Error](err)
	if !ok {
		return false
	}
	return failed.Code == assistant.CodeTimeout && !e.strict || strings.Contains(failed.Message, "it returned Unknown:")
}

// ask calls the instance with what a test sentence means.
func (e *exam) ask(ctx context.Context, lang string, home testHome, t manifest.Test, state assistant.State) (*assistant.Answer, error) {
	match := e.alone.Grammar(lang).Match(t.Say, home.context).Matches[0]
	answer, err := e.instance.Call(ctx, &assistant.Call{
		ID: fmt.Sprintf("test-%s-%d", lang, t.Line), Turn: "test", Home: assistant.Home{ID: "test", Lang: lang},
		Device: home.device, Entities: home.seen, Lang: lang, Now: home.context.Now, Timeout: testTimeout,
		Skill: e.k.Name, Version: e.k.ID, Text: t.Say, Session: "test", NewSession: true, State: state,
		Intent: &assistant.Intent{Skill: e.k.Name, Name: match.Intent, Slots: match.Slots, Confidence: 1},
	})
	if err != nil {
		return nil, err
	}
	if answer.State != nil && e.k.State == manifest.StateNone {
		return nil, fmt.Errorf("the handler sets a state, but %s says `state: none`: write `state: home` there, or set none", manifest.FileName)
	}
	return answer, nil
}
