package nlu

import (
	"slices"
	"unicode/utf8"
)

// Guess is what a text may mean in which Match finds nothing.
type Guess struct {
	Parts      []Part  // the commands in the order they were said; one unless the text was split; empty: nothing
	Confidence float64 // of the least certain part: above 0, below 1
}

// Part is one command of a text.
type Part struct {
	Text    string       // what was said for it, and the words that it shares with other parts
	Matches []Match      // of what Text was taken for; best first, never empty
	Assumed []Assumption // never empty
}

// Assumption is something that was not said, but may have been meant.
type Assumption struct {
	Kind  AssumptionKind
	Heard string // words of the text
	Taken string // what they were taken for
}

// AssumptionKind tells what was assumed.
type AssumptionKind string

// What may be assumed.
const (
	AssumedSplit    AssumptionKind = "split"    // Heard, the whole text, is several commands, of which Taken is one
	AssumedShared   AssumptionKind = "shared"   // Heard is short for Taken: "the fan" for "turn on the fan"
	AssumedMisheard AssumptionKind = "misheard" // Heard sounds like the name Taken
)

// How likely what was assumed is right.
const (
	splitConfidence  = 0.9
	sharedConfidence = 0.8
)

// Bounds on the guesses about one text: its length, since people say commands in
// a breath; how often it or pieces of it are matched, and the steps of all that.
const (
	maxGuessLength = 300
	maxGuessRuns   = 80
	maxGuessSteps  = 400_000
	maxParts       = 5
)

// Doubtful tells whether Guess may do better: nothing was found, or by a wildcard
// alone, which may have taken for a name what was a command.
func (r *Result) Doubtful() bool { return len(r.Matches) == 0 || r.Matches[0].Rank.Wildcards > 0 }

// Guess reads a text in which Match finds nothing: as several commands ("turn off
// the lights and set a timer for ten minutes"), some of which may share words
// ("turn on the lamp and the fan"); then with names of the home that were
// misheard; then as both. Each command must match whole, in the same way as Match
// finds it, and no word of the text is left over. Where two names may have been
// meant and nothing speaks for one of them, nothing is found. Equal input gives
// equal output.
//
// Of a text in which Match finds something there is a guess only if that has a
// wildcard and the text is several commands that have none: "turn off the lights
// and set a five minute timer" is no timer called "lights and set a five minute".
func (g *Grammar) Guess(text string, ctx Context) Guess {
	if utf8.RuneCountInString(text) > maxGuessLength {
		return Guess{}
	}
	s := newSpeech(text, nil)
	if len(s.runes) == 0 {
		return Guess{}
	}
	w := guesser{g: g, ctx: ctx, text: text, left: maxGuessRuns, known: make(map[string][]Match)}
	if w.plain = len(w.match(text)) > 0; w.plain && w.known[text][0].Rank.Wildcards == 0 {
		return Guess{}
	}
	guess := w.split(s)
	if len(guess.Parts) == 0 && !w.plain {
		guess = w.misheard(s)
	}
	if w.gaveUp() { // what was not looked at might have spoken against it
		return Guess{}
	}
	return guess
}

// guesser is the work on one text.
type guesser struct {
	g     *Grammar
	ctx   Context
	text  string
	left  int // runs of the first pass
	steps int // those that it took
	known map[string][]Match
	plain bool // parts with wildcards do not count
}

func (w *guesser) gaveUp() bool { return w.left < 0 || w.steps > maxGuessSteps }

// match finds the readings of a piece of a sentence. A reading of which a
// wildcard is nearly all is none: here it would be chance.
func (w *guesser) match(text string) []Match {
	if known, again := w.known[text]; again {
		return known
	}
	w.left--
	if w.gaveUp() {
		return nil
	}
	res, steps := w.g.match(text, w.ctx, true)
	w.steps += steps
	if res.Truncated {
		w.left = -1
		return nil
	}
	res.Matches = slices.DeleteFunc(res.Matches, func(m Match) bool {
		return m.Rank.WildcardChars > 3*m.Rank.Literals || w.plain && m.Rank.Wildcards > 0
	})
	w.known[text] = res.Matches
	return res.Matches
}
