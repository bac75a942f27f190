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

// maxNeighborTests bounds how many test sentences of another skill's language are
// tried with a new skill.
const maxNeighborTests = 200

// Tested counts what passed of what a skill was asked in its tests.
type Tested struct {
	Skill     string `json:"skill"`
	Version   string `json:"version"`
	Sentences int    `json:"sentences"`
	Answers   int    `json:"answers"`  // of these, those whose answer is told
	Handlers  int    `json:"handlers"` // called otherwise, each once, that did not fail
}

// TestSentences runs the test sentences of a skill's folder against its own
// templates, and returns how many pass. It needs no Manager, and starts nothing.
func TestSentences(folder *manifest.Skill) (int, error) {
	k := &catalog.Skill{Skill: folder}
	alone, err := catalog.Build(k)
	if err != nil {
		return 0, err
	}
	own := &findings{progress: func(Step) {}}
	err = own.sentences(k, alone, func(manifest.Test, string, testHome) {})
	return own.passed(), errors.Join(err, own.err("test sentences"))
}

// testSentences runs the skill's test sentences against its own templates, and
// those of the skills that are live against all, and returns the catalog with the
// skill in it. A sentence that would go to another skill than before is said, but no
// failure: the operator chooses what to deploy.
func (m *Manager) testSentences(ctx context.Context, k *catalog.Skill, tested *Tested, progress func(Step)) (*catalog.Snapshot, error) {
	alone, err := catalog.Build(k)
	if err != nil {
		return nil, err
	}
	next, err := m.Catalog.Current().With(k)
	if err != nil {
		return nil, fmt.Errorf("together with the skills that are deployed: %w", err)
	}
	own := &findings{progress: progress}
	err = own.sentences(k, alone, func(t manifest.Test, lang string, home testHome) {
		if best := next.Grammar(lang).Match(t.Say, home.context).Matches; len(best) > 0 && best[0].Skill != k.Name {
			own.warn("%q would be answered by skill %s (%s)", t.Say, best[0].Skill, best[0].Intent)
		}
	})
	if err != nil {
		return nil, err
	}
	own.warned()
	tested.Sentences = own.passed()
	progress(Step{"test", fmt.Sprintf("%d sentences", own.count)})
	if err := own.err("test sentences"); err != nil {
		return nil, err
	}
	taken, err := m.testNeighbors(k, next, progress)
	if err != nil {
		return nil, err
	}
	o := &overlaps{k: k, alone: alone, next: next, known: make(map[pair]bool), limit: m.Overlaps}
	for _, p := range taken {
		o.known[p] = true
	}
	return next, o.find(ctx, progress)
}

// sentences runs a skill's test sentences against its own templates, and calls
// passed with those that mean what they should.
func (f *findings) sentences(k *catalog.Skill, alone *catalog.Snapshot, passed func(t manifest.Test, lang string, home testHome)) error {
	for _, lang := range slices.Sorted(maps.Keys(k.Sentences)) {
		home, err := newTestHome(k, lang)
		if err != nil {
			return err
		}
		for _, t := range k.Sentences[lang].Tests {
			f.count++
			if err := check(t, alone.Grammar(lang).Match(t.Say, home.context), k.Name); err != nil {
				f.fail(t, err)
				continue
			}
			passed(t, lang, home)
		}
	}
	return nil
}

// testNeighbors finds what a new skill would do to those that are live: their
// test sentences must be understood as before. It returns the templates that take
// a sentence from another, since that is said.
func (m *Manager) testNeighbors(k *catalog.Skill, next *catalog.Snapshot, progress func(Step)) ([]pair, error) {
	now := m.Catalog.Current()
	found := &findings{progress: progress}
	for _, live := range now.Skills() {
		if live.Name == k.Name {
			continue
		}
		for _, lang := range slices.Sorted(maps.Keys(live.Sentences)) {
			home, err := newTestHome(live, lang)
			if err != nil {
				return nil, err
			}
			tests := live.Sentences[lang].Tests
			for _, t := range tests[:min(len(tests), maxNeighborTests)] {
				found.count++
				found.neighbor(k, live, t, next.Grammar(lang).Match(t.Say, home.context), func() nlu.Result {
					return now.Grammar(lang).Match(t.Say, home.context)
				})
			}
		}
	}
	found.warned()
	return found.taken, found.err("test sentences of the skills that are live")
}

// neighbor compares what becomes of a live skill's test sentence with the new
// skill k and, where it matters, without it.
func (f *findings) neighbor(k, live *catalog.Skill, t manifest.Test, with nlu.Result, without func() nlu.Result) {
	switch {
	case slices.Contains(with.Cut, k.Name):
		f.fail(t, fmt.Errorf("%q, a sentence of skill %s, fits this skill's sentences in too many ways to be searched: %s",
			t.Say, live.Name, fewerWildcards))
	case len(with.Matches) == 0 || slices.Contains(with.Cut, live.Name):
		if before := without(); len(before.Matches) > 0 && !slices.Contains(before.Cut, live.Name) {
			f.fail(t, fmt.Errorf("%q, which skill %s answers, would not be understood any more beside this skill", t.Say, live.Name))
		}
	case with.Matches[0].Skill == k.Name:
		if before := without(); len(before.Matches) > 0 && before.Matches[0].Skill != k.Name {
			best, was := &with.Matches[0], &before.Matches[0]
			f.warn("%q is answered by skill %s (%s), and would be by %s (%s); %s: %s",
				t.Say, was.Skill, was.Intent, k.Name, best.Intent, was.Skill, nlu.Why(best, was))
			f.taken = append(f.taken, pairOf(best, was))
		}
	}
}

const fewerWildcards = "let fewer sentences begin or end with a wildcard, or hold several"

// findings are what tests have found.
type findings struct {
	progress func(Step)
	count    int // of tests
	open     int // of these, those that neither passed nor fail
	failures []error
	warnings int
	taken    []pair // see testNeighbors
}

// passed counts the tests that did.
func (f *findings) passed() int { return f.count - f.open - len(f.failures) }

func (f *findings) fail(t manifest.Test, err error) {
	f.failures = append(f.failures, fmt.Errorf("%s:%d: %w", t.File, t.Line, err))
}

func (f *findings) warn(format string, args ...any) {
	if f.warnings++; f.warnings <= maxFailures {
		f.progress(Step{"warning", fmt.Sprintf(format, args...)})
	}
}

// warned ends the warnings.
func (f *findings) warned() {
	if more := f.warnings - maxFailures; more > 0 {
		f.progress(Step{"warning", fmt.Sprintf("and %d more sentences", more)})
	}
}

// err joins the failures; what was tested is named, because a file may hold
// several kinds of tests.
func (f *findings) err(what string) error {
	if len(f.failures) == 0 {
		return nil
	}
	shown := f.failures[:min(len(f.failures), maxFailures)]
	return fmt.Errorf("%d of %d %s fail:\n%w", len(f.failures), f.count, what, errors.Join(shown...))
}

// testHome is the home that the tests of a sentence file speak of.
type testHome struct {
	device  assistant.Device   // that hears them
	seen    []assistant.Entity // by the skill
	context nlu.Context
}

// newTestHome makes the home of a language's tests: its device answers for all
// entities, and their states were reported just now.
func newTestHome(k *catalog.Skill, lang string) (testHome, error) {
	told := k.Sentences[lang].Home
	device := assistant.Device{Home: "test", ID: "test", Area: told.Area}
	entities := slices.Clone(told.Entities)
	for i := range entities {
		entities[i].Home, entities[i].Device, entities[i].Updated = device.Home, device.ID, told.Now
	}
	devices := []assistant.Device{device}
	if err := catalog.Locate(entities, devices); err != nil {
		return testHome{}, err
	}
	lists, err := catalog.HomeLists(lang, entities, devices)
	if err != nil {
		return testHome{}, err
	}
	h := testHome{device: devices[0], context: nlu.Context{
		Lists: lists, Values: map[string]any{"area": devices[0].Area}, Now: told.Now,
	}}
	for _, e := range entities {
		if slices.Contains(k.Entities, e.Domain) {
			h.seen = append(h.seen, e)
		}
	}
	return h, nil
}

// check compares what a test sentence means with what it should.
func check(t manifest.Test, r nlu.Result, skill string) error {
	if r.Truncated {
		return fmt.Errorf("%q fits the skill's sentences in too many ways to be searched: %s", t.Say, fewerWildcards)
	}
	if len(r.Matches) == 0 {
		return fmt.Errorf("%q is not understood; it should mean %s", t.Say, t.Intent)
	}
	got := r.Matches[0]
	if got.Intent != t.Intent {
		return fmt.Errorf("%q means %s.%s (template %q, %s); it should mean %s", t.Say, skill, got.Intent, got.Template.Text, got.Template.Place(), t.Intent)
	}
	for name, want := range t.Slots {
		slot, ok := got.Slots[name]
		if !ok {
			return fmt.Errorf("%q gives no slot %q; it should be %s", t.Say, name, shown(want))
		}
		if slot.Value != want {
			return fmt.Errorf("%q gives the slot %s = %s; it should be %s", t.Say, name, shown(slot.Value), shown(want))
		}
	}
	for name, slot := range got.Slots {
		if _, ok := t.Slots[name]; !ok {
			return fmt.Errorf("%q gives the slot %s = %s, which the test does not name", t.Say, name, shown(slot.Value))
		}
	}
	return nil
}

// shown writes a slot's value so that the text "600" and the number 600 differ.
func shown(value any) string {
	if text, ok := value.(string); ok {
		return fmt.Sprintf("%q (text)", text)
	}
	return fmt.Sprint(value)
}
