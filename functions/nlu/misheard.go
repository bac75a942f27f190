package nlu

import (
	"cmp"
	"slices"
	"strings"
)

// Bounds on what is tried with names that may have been misheard.
const (
	maxHearings = 12
	maxPairs    = 12
	maxBentSets = 4 // of names in which commands are looked for
)

// misheard reads a sentence as if names of the home had been misheard: one of
// them, two, or some in several commands. Only names are taken for what they sound
// like, never the other words of a template.
func (w *guesser) misheard(s *speech) Guess {
	if w.ctx.Lists == nil {
		return Guess{}
	}
	hearings := w.hearings(s)
	if len(hearings) == 0 {
		return Guess{}
	}
	var sets [][]hearing
	for i := range hearings {
		sets = append(sets, hearings[i:i+1])
	}
	if guess, found := w.likeliest(s, sets); found {
		return guess
	}
	pairs := pairsOf(hearings)
	if guess, found := w.likeliest(s, pairs); found {
		return guess
	}
	return w.splitMisheard(s, certain(hearings))
}

// hearings finds what in a sentence may have been names of the home, likeliest
// first.
func (w *guesser) hearings(s *speech) []hearing {
	ear := w.ctx.Lists.hear(w.g.language)
	found := ear.charactersLike(ear.spelledLike(nil, s.runes), s.runes)
	if len(found) == 0 {
		return nil
	}
	names := w.ctx.Lists.names(s.runes, w.g.language)
	found = slices.DeleteFunc(found, func(h hearing) bool {
		heard := s.runes[h.from:h.to]
		return cutsName(names, h) || w.isKnown(heard) && !sameLetters(heard, []rune(h.name))
	})
	slices.SortStableFunc(found, func(a, b hearing) int {
		return cmp.Or(cmp.Compare(b.trust, a.trust), cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to), cmp.Compare(a.name, b.name))
	})
	if len(found) <= maxHearings {
		return found
	}
	// As many as are likelier than the next one: among equals there is no choice.
	n := maxHearings
	for n > 0 && found[n-1].trust == found[maxHearings].trust {
		n--
	}
	return found[:n]
}

// sameLetters tells whether two texts differ in nothing but blanks: "night light".
func sameLetters(a, b []rune) bool {
	joined := func(text []rune) []rune {
		return slices.DeleteFunc(slices.Clone(text), func(r rune) bool { return isBlank(r) || isHyphen(r) })
	}
	return slices.Equal(joined(a), joined(b))
}

// cutsName tells of a piece within a name that was said, or that begins or ends in
// one: that was heard well.
func cutsName(names []interval, h hearing) bool {
	return slices.ContainsFunc(names, func(n interval) bool {
		within := n.from <= h.from && h.to <= n.to
		crosses := n.from < h.from && h.from < n.to && n.to < h.to || h.from < n.from && n.from < h.to && h.to < n.to
		return within || crosses
	})
}

// bent is a sentence with names in place of what sounds like them.
func (s *speech) bent(hearings []hearing) *speech {
	hearings = slices.SortedFunc(slices.Values(hearings), func(a, b hearing) int { return cmp.Compare(a.from, b.from) })
	var text strings.Builder
	var bends []bend
	at := int32(0)
	for _, h := range hearings {
		start, end := s.chars[h.from].start, s.chars[h.to-1].end
		text.WriteString(s.text[at:start])
		from := int32(text.Len()) //nolint:gosec // a position
		text.WriteString(h.name)
		bends = append(bends, bend{from, int32(text.Len()), s.text[start:end], h.name, h.trust}) //nolint:gosec // a position
		at = end
	}
	text.WriteString(s.text[at:])
	return newSpeech(text.String(), bends)
}

// likeliest reads a sentence with each of some sets of names, as one command. Of
// what is as likely as the best all must mean the same, else nothing is certain:
// better to ask than to switch the wrong lamp.
func (w *guesser) likeliest(s *speech, sets [][]hearing) (Guess, bool) {
	var best []command
	trust := 0.0
	for _, set := range sets {
		likely := trustOfAll(set)
		if likely < trust {
			continue
		}
		bent := s.bent(set)
		p := bent.cut(0, len(bent.runes))
		matches := w.match(p.taken)
		if len(matches) == 0 {
			continue
		}
		if likely > trust {
			best, trust = nil, likely
		}
		best = append(best, command{wording: p, matches: matches})
	}
	if len(best) == 0 {
		return Guess{}, false
	}
	for i := range best {
		if !best[i].matches[0].means(&best[0].matches[0]) {
			return Guess{}, true
		}
	}
	return w.guessed(best[:1]), true
}

func trustOfAll(hearings []hearing) float64 {
	trust := 1.0
	for _, h := range hearings {
		trust *= h.trust
	}
	return trust
}

// pairsOf lists two names at a time that do not overlap, likeliest first.
func pairsOf(hearings []hearing) [][]hearing {
	var pairs [][]hearing
	for i, a := range hearings {
		for _, b := range hearings[i+1:] {
			if a.to <= b.from || b.to <= a.from {
				pairs = append(pairs, []hearing{a, b})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b []hearing) int { return cmp.Compare(trustOfAll(b), trustOfAll(a)) })
	return pairs[:min(len(pairs), maxPairs)]
}

// certain keeps what sounds like one name only.
func certain(hearings []hearing) []hearing {
	return slices.DeleteFunc(slices.Clone(hearings), func(h hearing) bool {
		return slices.ContainsFunc(hearings, func(o hearing) bool { return o.from == h.from && o.to == h.to && o.name != h.name })
	})
}

// splitMisheard reads a sentence as several commands with names that were
// misheard: as many as do not overlap, else one.
func (w *guesser) splitMisheard(s *speech, hearings []hearing) Guess {
	var all []hearing
	for _, h := range hearings {
		if !slices.ContainsFunc(all, func(o hearing) bool { return o.from < h.to && h.from < o.to }) {
			all = append(all, h)
		}
	}
	sets := [][]hearing{all}
	for i := range hearings {
		if len(all) > 1 && len(sets) < maxBentSets {
			sets = append(sets, hearings[i:i+1])
		}
	}
	for _, set := range sets {
		if len(set) == 0 {
			continue
		}
		if guess := w.split(s.bent(set)); len(guess.Parts) > 0 {
			return guess
		}
	}
	return Guess{}
}
