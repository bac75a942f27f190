package nlu

import (
	"cmp"
	"slices"
)

// maxSharings bounds the ways that are tried in which pieces may share words.
const maxSharings = 6

// borrowed is a reading of a piece with words of another.
type borrowed struct {
	at   int // where these begin, or end
	text wording
	best []Match
}

// sharing reads some pieces as commands that share their first words, their last,
// or both: of "set the kitchen and living room lights to 50 percent" the second
// has "set the" in front, the first "lights to 50 percent" behind. No word of a
// piece is left out; words are borrowed whole, and of the first and the last piece
// alone.
func (sp *splitter) sharing(first, last int) []command {
	start, end := sp.starts(first)[0], sp.end(first)
	lastStart, lastEnd := sp.starts(last)[0], sp.end(last)
	fronts := sp.fronts(start, end, lastStart, lastEnd)
	if len(fronts) == 0 {
		return nil
	}
	backs := sp.backs(start, end, lastStart, lastEnd)
	tried := 0
	for _, way := range sp.ways(fronts, backs, limits{start, end, lastStart, lastEnd}) {
		if tried++; tried > maxSharings {
			break
		}
		if commands := sp.share(way, first, last); commands != nil {
			return commands
		}
	}
	return nil
}

// fronts reads the last piece with words from the start of the first one in front
// of it, or none.
func (sp *splitter) fronts(start, end, lastStart, lastEnd int) []borrowed {
	var found []borrowed
	own := sp.s.cut(lastStart, lastEnd)
	for at := start; at < end; at++ {
		within := func(n interval) bool { return n.from < at && at < n.to }
		if !sp.s.isEdge(at) || slices.ContainsFunc(sp.names, within) {
			continue
		}
		text := sp.s.cut(start, at).then(own)
		if matches := sp.plain(text); len(matches) > 0 {
			found = append(found, borrowed{at, text, matches})
		}
	}
	return found
}

// backs reads the first piece with words from the end of the last one behind it,
// or none.
func (sp *splitter) backs(start, end, lastStart, lastEnd int) []borrowed {
	var found []borrowed
	own := sp.s.cut(start, end)
	for at := lastStart + 1; at <= lastEnd; at++ {
		if at < lastEnd && !sp.s.isEdge(at) {
			continue
		}
		text := own.then(sp.s.cut(at, lastEnd))
		if matches := sp.plain(text); len(matches) > 0 {
			found = append(found, borrowed{at, text, matches})
		}
	}
	return found
}

// plain is match without what takes any text: with borrowed words that would be
// too easy.
func (sp *splitter) plain(p wording) []Match {
	return slices.DeleteFunc(slices.Clone(sp.match(p.taken)), func(m Match) bool { return m.Rank.Wildcards > 0 })
}

// limits are the limits of the first and the last of some pieces.
type limits struct{ start, end, lastStart, lastEnd int }

// way is one of sharing words: those of the first piece up to front.at, those of
// the last from back.at.
type way struct {
	front, back *borrowed
	limits      limits
}

// ways lists the ways that make sense, best first: such that both do the same to
// different things, then with more at the end and less at the start in common.
func (sp *splitter) ways(fronts, backs []borrowed, limits limits) []way {
	var ways []way
	alone := len(backs) > 0 && backs[len(backs)-1].at == limits.lastEnd // the first piece needs nothing
	for i := range fronts {
		for j := range backs {
			w := way{&fronts[i], &backs[j], limits}
			if w.makesSense(sp.s, alone) {
				ways = append(ways, w)
			}
		}
	}
	slices.SortStableFunc(ways, func(a, b way) int {
		return cmp.Or(-compareBools(a.alike(), b.alike()), cmp.Compare(a.back.at, b.back.at), cmp.Compare(a.front.at, b.front.at))
	})
	for i := range ways {
		ways[i].settle(fronts, backs)
	}
	return ways
}

// settle chooses between borrowed words that make no difference: none at the end
// where it needs none, else as many as there are, so that a verb is whole.
func (w *way) settle(fronts, backs []borrowed) {
	for i := range fronts {
		if fronts[i].at > w.front.at && w.front.at > w.limits.start && fronts[i].best[0].means(&w.front.best[0]) {
			w.front = &fronts[i]
		}
	}
	if none := &backs[len(backs)-1]; none.at == w.limits.lastEnd && none.best[0].means(&w.back.best[0]) {
		w.back = none
	}
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// alike tells whether both commands are of one intent.
func (w *way) alike() bool {
	a, b := &w.front.best[0], &w.back.best[0]
	return a.Skill == b.Skill && a.Intent == b.Intent
}

func (w *way) makesSense(s *speech, alone bool) bool {
	l := w.limits
	front, back := w.front.at > l.start, w.back.at < l.lastEnd
	if !front && (!back || alone) {
		return false
	}
	a, b := &w.back.best[0], &w.front.best[0]
	if a.means(b) {
		return false
	}
	one, other := a.says(s.cut(w.front.at, l.end).taken), b.says(s.cut(l.lastStart, w.back.at).taken)
	if back {
		return other && (one || front)
	}
	return one || other
}

// share reads all pieces in one way.
func (sp *splitter) share(w way, first, last int) []command {
	l := w.limits
	front, back := sp.s.cut(l.start, w.front.at), sp.s.cut(w.back.at, l.lastEnd)
	commands := []command{{wording: w.back.text, matches: w.back.best, own: sp.s.cut(l.start, l.end).heard}}
	for piece := first + 1; piece < last; piece++ {
		own := sp.s.cut(sp.starts(piece)[0], sp.end(piece))
		text := front.then(own).then(back)
		matches := sp.plain(text)
		if len(matches) == 0 {
			return nil
		}
		commands = append(commands, command{wording: text, matches: matches, own: own.heard})
	}
	return append(commands, command{wording: w.front.text, matches: w.front.best, own: sp.s.cut(l.lastStart, l.lastEnd).heard})
}
