package nlu

import (
	"fmt"
	"testing"
)

// houseSources are sentences of a handful of skills, about 100 templates.
func houseSources() []Source {
	verbs := []string{"turn on", "turn off", "switch on", "switch off", "open", "close", "lock", "unlock", "dim", "brighten"}
	var lights []string
	for _, v := range verbs {
		for _, where := range []string{"", " in <here>", " in [the] {area}", " on [the] {floor}", " (now;[in] {area})", " by {0..100:level} [percent|%]", " to {percentage}", " for {duration}"} {
			lights = append(lights, "[<please>] "+v+" [all|every] [the] (light|lamp|fan|blind|door)[s]"+where)
		}
		lights = append(lights, "[<please>] "+v+" [the] {name}")
	}
	house, timer := one(lights...), one(
		"(set|start|create) [a|an] [{duration}] timer [for {duration}]", "(set|start|create) [a] {duration} timer [called {label}]",
		"(cancel|stop|delete) [the] [{label}] timer", "how (long|much time) is left [on the {label} timer]",
		"remind me to {label} in {duration}", "what (time|day) is it [{day}]", "send {who} a message saying {label}", "add {label} to [my] [shopping] list",
	)
	house.Skill, timer.Skill = "house", "timer"
	house.Rules = map[string]Template{"please": {Text: "please|can you|would you"}, "here": {Text: "[this|the|my] (room|place)|here"}}
	timer.Lists = map[string]List{"label": {Kind: ListWildcard}, "who": {Kind: ListWildcard}}
	timer.SkipWords = []string{"please", "can you", "would you"}
	return []Source{house, timer}
}

func benchmarkHome(tb testing.TB, names int) *Lists {
	tb.Helper()
	var values, areas []Value
	for i := range names {
		values = append(values, Value{In: Literal(fmt.Sprintf("lamp %d of room %d", i, i%17))})
	}
	for _, a := range []string{"kitchen", "living room", "bedroom", "bathroom", "hall"} {
		areas = append(areas, Value{In: Literal(a)})
	}
	lists, err := NewLists(map[string]List{"name": {Values: values}, "area": {Values: areas}})
	if err != nil {
		tb.Fatal(err)
	}
	return lists
}

func BenchmarkMatch(b *testing.B) {
	g := compile(b, "en", houseSources()...)
	for _, c := range []struct {
		name, text string
		names      int
	}{
		{"plain", "turn on the lights in the kitchen", 20},
		{"duration", "set a timer for an hour and a half", 20},
		{"wildcard", "please send bob a message saying would you please call me back tonight", 20},
		{"nothing", "the quick brown fox jumps over the lazy dog", 20},
		{"name", "switch on lamp 1999 of room 10", 2000},
	} {
		home := benchmarkHome(b, c.names)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.Match(c.text, Context{Lists: home})
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	sources := houseSources()
	b.ReportAllocs()
	for b.Loop() {
		compile(b, "en", sources...)
	}
}
