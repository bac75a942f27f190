package nlu

import (
	"errors"
	"math"
	"strconv"
)

// Source is what one version of one skill can be told in one language: sentence
// templates, and the lists and rules that they use. Names of intents, lists and
// rules belong to the skill.
type Source struct {
	Skill   string
	Version string
	Lang    string // BCP 47
	Intents []Intent
	Lists   map[string]List
	Rules   map[string]Template
	// SkipWords may stand anywhere in a sentence and mean nothing ("please"). Nil:
	// what is known of the language; empty: none.
	SkipWords []string
	// IgnoreWhitespace: blanks mean nothing. For Chinese this goes without saying.
	IgnoreWhitespace bool
	// NumberWords are the spellings of numbers in this source's ranges. Nil: what
	// is known of the language. A - or _ in a spelling may be spoken as a blank.
	NumberWords map[float64][]string
}

// Intent is one thing that a user can want.
type Intent struct {
	Name   string
	Groups []Group
}

// Group is a set of templates that give an intent in the same way.
type Group struct {
	ID          string // for traces and tests; need not be set
	Combination string // the name of the slot combination, as in the test vectors
	Templates   []Template
	Slots       map[string]any // fixed slots, added where the sentence did not fill them
	Requires    []Condition
	Excludes    []Condition
	Lists       map[string]List     // known to this group alone
	Rules       map[string]Template // likewise; they win over the source's
}

// Condition is about one key of the context: what the caller knows (its area)
// merged with what the matched list values carry (an entity's domain). A key
// whose value is nil or the empty string is not in the context.
type Condition struct {
	Key    string
	Values []any  // any of these; none: any value, so long as there is one
	Slot   string // copy the value to this slot, if the sentence did not fill it; not for Excludes
}

// Template is a piece of the template language and where it was written.
type Template struct {
	Text string
	File string
	Line int // of Text's first character, from 1; 0: unknown
	Col  int
}

// Place is where the template was written, file:line; of one without a file it is
// the template itself.
func (t Template) Place() string {
	switch {
	case t.File == "":
		return t.Text
	case t.Line == 0:
		return t.File
	}
	return t.File + ":" + strconv.Itoa(t.Line)
}

// ListKind tells what a list holds.
type ListKind int

// The kinds of lists.
const (
	ListValues   ListKind = iota // a set of words, each a template
	ListRange                    // numbers, in digits or words
	ListWildcard                 // any text
	ListHome                     // the values of the home that asks: Context.Lists
)

// List is the values that a slot can take.
type List struct {
	Kind   ListKind
	Values []Value
	Range  Range
}

// Value is one entry of a list.
type Value struct {
	In      Template       // a list within it matches, but fills no slot
	Out     any            // the slot's value; nil: the words as In has them or, if In has alternatives, as spoken
	Context map[string]any // added to the context when this value matches
}

// Range is a list of numbers: From to To, both included.
type Range struct {
	From, To, Step float64 // Step 0 means 1
	Fractions      Fractions
	Multiplier     float64 // the slot gets number times multiplier; 0 means 1

	digits int // in phrases, see phraseFile; 0: any
}

// Fractions tells which parts of a whole a range holds besides its numbers.
type Fractions int

// The fractions of a range.
const (
	FractionsNone Fractions = iota
	FractionsHalves
	FractionsTenths
)

func (r *Range) check() error {
	for _, f := range []float64{r.From, r.To, r.Step, r.Multiplier} {
		if math.IsNaN(f) || math.Abs(f) > 1e15 {
			return errors.New("a range is made of numbers up to 1e15")
		}
	}
	switch {
	case r.From > r.To:
		return errors.New("the range ends before it begins")
	case r.Step < 0:
		return errors.New("the step of a range is above zero")
	}
	return nil
}

// holds tells whether the number is in the range, and on a step.
func (r *Range) holds(n float64) bool {
	if n < r.From || n > r.To {
		return false
	}
	part := n - r.From
	switch r.Fractions {
	case FractionsHalves:
		return isWhole(part * 2)
	case FractionsTenths:
		return isWhole(part * 10)
	case FractionsNone:
	}
	if r.Step == 0 {
		return isWhole(part)
	}
	return isWhole(part / r.Step)
}

func isWhole(f float64) bool { return math.Abs(f-math.Round(f)) < 1e-6 }

func (r *Range) value(n float64) float64 {
	if r.Multiplier == 0 {
		return n
	}
	return n * r.Multiplier
}
