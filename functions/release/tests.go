package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/nlu"
)

// maxFailures bounds how many failed tests are shown.
const maxFailures = 20

// testSentences runs the skill's test sentences against its own templates, and
// returns the catalog with the skill in it. A sentence that another skill would
// take is said, but no failure: the operator chooses what to deploy.
func (m *Manager) testSentences(k *catalog.Skill, progress func(Step)) (*catalog.Snapshot, error) {
	alone, err := catalog.Build(k)
	if err != nil {
		return nil, err
	}
	next, err := m.Catalog.Current().With(k)
	if err != nil {
		return nil, fmt.Errorf("together with the skills that are deployed: %w", err)
	}
	var failures []error
	count := 0
	for _, lang := range slices.Sorted(maps.Keys(k.Sentences)) {
		home, err := m.testHome(k, lang)
		if err != nil {
			return nil, err
		}
		for _, t := range k.Sentences[lang].Tests {
			count++
			if err := check(t, alone.Grammar(lang).Match(t.Say, home.context), k.Name); err != nil {
				failures = append(failures, fmt.Errorf("%s:%d: %w", t.File, t.Line, err))
				continue
			}
			if best := next.Grammar(lang).Match(t.Say, home.context).Matches; len(best) > 0 && best[0].Skill != k.Name {
				progress(Step{"warning", fmt.Sprintf("%q is answered by skill %s (%s)", t.Say, best[0].Skill, best[0].Intent)})
			}
		}
	}
	progress(Step{"test", fmt.Sprintf("%d sentences", count)})
	return next, joined(failures, count)
}

// testHome is the home that the tests of a sentence file speak of.
type testHome struct {
	device  assistant.Device   // that hears them
	seen    []assistant.Entity // by the skill
	context nlu.Context
}

// testHome makes the home of a language's tests: its device answers for all
// entities, and their states were reported just now.
func (m *Manager) testHome(k *catalog.Skill, lang string) (testHome, error) {
	told := k.Sentences[lang].Home
	device := assistant.Device{Home: "test", ID: "test", Area: told.Area}
	entities := slices.Clone(told.Entities)
	for i := range entities {
		entities[i].Home, entities[i].Device, entities[i].Updated = device.Home, device.ID, m.Clock.Now()
	}
	devices := []assistant.Device{device}
	if err := catalog.Locate(entities, devices); err != nil {
		return testHome{}, err
	}
	lists, err := catalog.HomeLists(lang, entities, devices)
	if err != nil {
		return testHome{}, err
	}
	h := testHome{device: devices[0], context: nlu.Context{Lists: lists, Values: map[string]any{"area": devices[0].Area}}}
	for _, e := range entities {
		if slices.Contains(k.Entities, e.Domain) {
			h.seen = append(h.seen, e)
		}
	}
	return h, nil
}

// check compares what a test sentence means with what it should.
func check(t manifest.Test, r nlu.Result, skill string) error {
	if len(r.Matches) == 0 {
		return fmt.Errorf("%q is not understood; it should mean %s", t.Say, t.Intent)
	}
	got := r.Matches[0]
	if got.Intent != t.Intent {
		return fmt.Errorf("%q means %s.%s (template %q); it should mean %s", t.Say, skill, got.Intent, got.Template.Text, t.Intent)
	}
	for name, want := range t.Slots {
		slot, ok := got.Slots[name]
		if !ok {
			return fmt.Errorf("%q gives no slot %q; it should be %v", t.Say, name, want)
		}
		if slot.Value != want {
			return fmt.Errorf("%q gives the slot %s = %v; it should be %v", t.Say, name, slot.Value, want)
		}
	}
	for name, slot := range got.Slots {
		if _, ok := t.Slots[name]; !ok {
			return fmt.Errorf("%q gives the slot %s = %v, which the test does not name", t.Say, name, slot.Value)
		}
	}
	return nil
}

// testAnswers asks an instance the test sentences that expect an answer, as a
// home of its own would, one after another with the state that each leaves.
func (m *Manager) testAnswers(ctx context.Context, k *catalog.Skill, instance trial) error {
	alone, err := catalog.Build(k)
	if err != nil {
		return err
	}
	var failures []error
	count := 0
	for _, lang := range slices.Sorted(maps.Keys(k.Sentences)) {
		home, err := m.testHome(k, lang)
		if err != nil {
			return err
		}
		var state assistant.State
		for _, t := range k.Sentences[lang].Tests {
			if t.Answer == "" {
				continue
			}
			count++
			match := alone.Grammar(lang).Match(t.Say, home.context).Matches[0]
			call := &assistant.Call{
				ID: fmt.Sprintf("test-%s-%d", lang, t.Line), Turn: "test", Home: assistant.Home{ID: "test", Lang: lang},
				Device: home.device, Entities: home.seen, Lang: lang, Now: m.Clock.Now(), Timeout: testTimeout,
				Skill: k.Name, Version: k.ID, Text: t.Say, Session: "test", NewSession: true, State: state,
				Intent: &assistant.Intent{Skill: k.Name, Name: match.Intent, Slots: match.Slots, Confidence: 1},
			}
			answer, err := instance.Call(ctx, call)
			switch {
			case err != nil:
				failures = append(failures, fmt.Errorf("%s:%d: %q: %w", t.File, t.Line, t.Say, err))
			case answer.Speech != t.Answer:
				failures = append(failures, fmt.Errorf("%s:%d: %q is answered %q; it should be %q", t.File, t.Line, t.Say, answer.Speech, t.Answer))
			case answer.State != nil:
				state = assistant.State{Revision: state.Revision + 1, Value: answer.State}
			}
		}
	}
	return joined(failures, count)
}

func joined(failures []error, count int) error {
	if len(failures) == 0 {
		return nil
	}
	shown := failures[:min(len(failures), maxFailures)]
	return fmt.Errorf("%d of %d test sentences fail:\n%w", len(failures), count, errors.Join(shown...))
}
