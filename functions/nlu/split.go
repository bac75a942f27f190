package nlu

import "strings"

// maxGaps bounds where a sentence may be split. One that has more is no list of
// commands.
const maxGaps = 8

// splitter finds the commands that a sentence is made of.
type splitter struct {
	*guesser
	s      *speech
	gaps   []gap
	opener int               // where the first piece begins behind what opens a list of commands
	names  []interval        // of the home
	solved map[int]*solution // by the first piece
}

// solution is how a sentence is read from one of its pieces on.
type solution struct {
	parts []command
}

// command is a part of a sentence that was understood.
type command struct {
	wording
	matches []Match
	own     string // what it does not share with others, where it shares
}

// split reads a sentence as several commands.
func (w *guesser) split(s *speech) Guess {
	sp := splitter{guesser: w, s: s, gaps: s.gaps(w.g.language), solved: make(map[int]*solution)}
	if n := len(sp.gaps); n == 0 || n > maxGaps {
		return Guess{}
	}
	if sp.gaps = s.outsideNumbers(sp.gaps, w.g.language); len(sp.gaps) == 0 {
		return Guess{}
	}
	sp.names, sp.opener = w.ctx.Lists.names(s.runes, w.g.language), s.opener(w.g.language)
	commands := sp.from(0)
	if len(commands) < 2 || len(commands) > maxParts {
		return Guess{}
	}
	return w.guessed(commands)
}

// from finds the commands from a piece to the end, as few as can be: what holds a
// joint within is sooner one command than two.
func (sp *splitter) from(first int) []command {
	if known := sp.solved[first]; known != nil {
		return known.parts
	}
	found := &solution{}
	sp.solved[first] = found
	for last := len(sp.gaps); last >= first && found.parts == nil && !sp.gaveUp(); last-- {
		parts := sp.one(first, last)
		if parts == nil && last > first {
			parts = sp.sharing(first, last)
		}
		if parts == nil {
			continue
		}
		if last < len(sp.gaps) {
			rest := sp.from(last + 1)
			if rest == nil {
				continue
			}
			parts = append(parts, rest...)
		}
		found.parts = parts
	}
	return found.parts
}

// one reads some pieces as one command.
func (sp *splitter) one(first, last int) []command {
	if first == 0 && last == len(sp.gaps) {
		return nil // the whole sentence: it was tried
	}
	for _, start := range sp.starts(first) {
		p := sp.s.cut(start, sp.end(last))
		if matches := sp.match(p.taken); len(matches) > 0 {
			return []command{{wording: p, matches: matches}}
		}
	}
	return nil
}

// starts is where a piece may begin.
func (sp *splitter) starts(piece int) []int {
	if piece == 0 {
		return []int{sp.opener}
	}
	return sp.gaps[piece-1].starts
}

// end is where a piece ends.
func (sp *splitter) end(piece int) int {
	if piece == len(sp.gaps) {
		return len(sp.s.runes)
	}
	return sp.gaps[piece].from
}

// guessed makes a guess of the commands of a sentence.
func (w *guesser) guessed(commands []command) Guess {
	guess := Guess{Confidence: 1}
	for _, c := range commands {
		part, trust := Part{Text: c.heard, Matches: c.matches}, 1.0
		if len(commands) > 1 {
			part.Assumed = append(part.Assumed, Assumption{AssumedSplit, w.text, c.heard})
			trust = splitConfidence
		}
		if c.own != "" && c.own != c.heard {
			part.Assumed = append(part.Assumed, Assumption{AssumedShared, c.own, c.heard})
			trust = sharedConfidence
		}
		for _, b := range c.bends {
			part.Assumed = append(part.Assumed, Assumption{AssumedMisheard, b.heard, b.taken})
			trust *= b.trust
		}
		guess.Parts = append(guess.Parts, part)
		guess.Confidence = min(guess.Confidence, trust)
	}
	return guess
}

// says tells whether one of the values of a reading stands in a piece of text.
func (m *Match) says(text string) bool {
	for _, slot := range m.Slots {
		if slot.Text != "" && strings.Contains(text, slot.Text) {
			return true
		}
	}
	return false
}
