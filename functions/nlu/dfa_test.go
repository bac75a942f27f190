package nlu

import (
	"reflect"
	"strings"
	"sync"
	"testing"
)

// sayings are texts for the house, most of which match.
func sayings() []string {
	var all []string
	for _, verb := range []string{"turn on", "switch off", "would you dim", "brighten", "lock"} {
		for _, rest := range []string{
			"the lights in the kitchen", "all doors on the hall", "lamp 7 of room 7", "the fan by twenty percent", "blinds for an hour and a half",
			"the fan now in the bedroom", "this", "lamp 5 of room 5 please", "the lamp in my room",
		} {
			all = append(all, verb+" "+rest)
		}
	}
	return append(all, "set a 5 minute timer called eggs", "send bob a message saying turn on the lights in an hour", "the quick brown fox", "add bread to the list")
}

// TestForgetting: a cache that is full is begun anew, and nothing is lost by it,
// even while others use it.
func TestForgetting(t *testing.T) {
	home, texts := benchmarkHome(t, 20), sayings()
	for _, room := range []int{0, 60_000, maxCacheBytes} {
		g := compile(t, "en", houseSources()...)
		g.automata[0].room = room
		first := g.automata[0].cache()
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				for i := range texts {
					text := texts[(i*(2*n+1))%len(texts)]
					if got, want := g.Match(text, Context{Lists: home}), g.MatchAll(text, Context{Lists: home}); !reflect.DeepEqual(got, want) {
						t.Errorf("room %d, %q: got %d matches, want %d", room, text, len(got.Matches), len(want.Matches))
					}
				}
			})
		}
		all.Wait()
		if kept := g.automata[0].cache() == first; kept != (room == maxCacheBytes) {
			t.Errorf("room %d: kept %v", room, kept)
		}
	}
}

// TestChoiceIsBounded: where it is too much work to choose, all templates are tried.
func TestChoiceIsBounded(t *testing.T) {
	home := benchmarkHome(t, 20)
	g := compile(t, "en", houseSources()...)
	g.automata[0].work = 50
	for _, text := range sayings() {
		if got, want := g.Match(text, Context{Lists: home}), g.MatchAll(text, Context{Lists: home}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %d matches, want %d", text, len(got.Matches), len(want.Matches))
		}
	}
}

// TestStatesAreOfTheGrammar: what a home calls its things makes no states.
func TestStatesAreOfTheGrammar(t *testing.T) {
	g := compile(t, "en", houseSources()...)
	states := func() int {
		n := 0
		for _, same := range g.automata[0].cache().known {
			n += len(same)
		}
		return n
	}
	one, two := named(t, "red thing"), named(t, "gizmo")
	g.Match("turn on red thing", Context{Lists: one})
	g.Match("turn on gizmo", Context{Lists: one})
	g.Match("turn on red thing", Context{Lists: two})
	before := states()
	if res := g.Match("turn on gizmo", Context{Lists: two}); len(res.Matches) != 1 || before == 0 || states() != before {
		t.Errorf("%d matches; %d states, then %d", len(res.Matches), before, states())
	}
}

func named(t *testing.T, name string) *Lists {
	t.Helper()
	home, err := NewLists(map[string]List{"name": {Values: []Value{{In: Literal(name)}}}})
	if err != nil {
		t.Fatal(err)
	}
	return home
}

// TestChoosingTakesNoMemory: once the states of a text are known.
func TestChoosingTakesNoMemory(t *testing.T) {
	home := benchmarkHome(t, 20)
	g := compile(t, "en", houseSources()...)
	ctx := Context{Lists: home}
	for _, text := range append(sayings(), strings.Repeat("add bread to lamp 5 of room 5 ", 20)) {
		m := g.matcher(ctx)
		chars := foldText(text)
		choose := func() {
			m.held[0], m.choices[0].made = false, false
			m.held[1], m.choices[1].made = false, false
			m.readings, m.accepted = m.readings[:0], m.accepted[:0]
			for i := range g.dialects {
				m.choose(i, m.texts(i, text, chars))
			}
		}
		m.quick = true
		choose()
		if m.choices[0].all || m.choices[1].all {
			t.Errorf("%q: not chosen", text)
		}
		if n := testing.AllocsPerRun(10, choose); n > 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}
