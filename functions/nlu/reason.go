package nlu

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hark-voice/hark/functions/assistant"
)

// Rivals are the readings that rank as high as the best one and mean something
// else: which of them wins was not decided by what was said.
func (r Result) Rivals() []Match {
	var rivals []Match
	for i := 1; i < len(r.Matches) && r.Matches[i].Rank.Ties(r.Matches[0].Rank); i++ {
		if !r.Matches[i].means(&r.Matches[0]) {
			rivals = append(rivals, r.Matches[i])
		}
	}
	return rivals
}

// Ambiguous tells whether the best reading has a rival of another skill, behind
// which it would stand if that had another name. Within a skill its author decides
// by the order in which the templates are declared.
func (r Result) Ambiguous() bool {
	return slices.ContainsFunc(r.Rivals(), func(m Match) bool { return m.Skill != r.Matches[0].Skill })
}

// means tells whether two readings have the same outcome.
func (m *Match) means(o *Match) bool {
	return m.Skill == o.Skill && m.Intent == o.Intent &&
		maps.EqualFunc(m.Slots, o.Slots, func(a, b assistant.Slot) bool { return reflect.DeepEqual(a.Value, b.Value) })
}

// Why says by which criterion the best reading of a sentence stands before
// another one, in words for people.
func Why(best, other *Match) string {
	a, b := best.Rank, other.Rank
	switch {
	case a.NameLength != b.NameLength:
		return fmt.Sprintf("names less: %d letters against %d", b.NameLength, a.NameLength)
	case a.Wildcards != b.Wildcards:
		return fmt.Sprintf("more wildcards: %d against %d", b.Wildcards, a.Wildcards)
	case a.Literals != b.Literals:
		return fmt.Sprintf("fewer literal letters: %d against %d", b.Literals, a.Literals)
	case a.WildcardChars != b.WildcardChars:
		return fmt.Sprintf("more text in wildcards: %d letters against %d", b.WildcardChars, a.WildcardChars)
	case best.Skill != other.Skill:
		return fmt.Sprintf("equal; %s comes before %s by name alone", best.Skill, other.Skill)
	case best.means(other):
		return "equal, and the same in the end"
	}
	return "equal, but declared later"
}
