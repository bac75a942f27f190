package nlu

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
	// SkipWords may stand anywhere in a sentence and mean nothing ("please").
	SkipWords []string
	// IgnoreWhitespace: blanks mean nothing in this language (Chinese).
	IgnoreWhitespace bool
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
// merged with what the matched list values carry (an entity's domain).
type Condition struct {
	Key    string
	Values []any  // any of these; none: any value, so long as there is one
	Slot   string // copy the value to this slot, if the sentence did not fill it
}

// Template is a piece of the template language and where it was written.
type Template struct {
	Text string
	File string
	Line int // of Text's first character, from 1; 0: unknown
	Col  int
}

// ListKind tells what a list holds.
type ListKind int

// The kinds of lists.
const (
	ListValues   ListKind = iota // a set of words, each a template
	ListRange                    // numbers, in digits or words
	ListWildcard                 // any text
)

// List is the values that a slot can take.
type List struct {
	Kind   ListKind
	Values []Value
	Range  Range
}

// Value is one entry of a list.
type Value struct {
	In      Template
	Out     any            // the slot's value; nil: the words that matched
	Context map[string]any // added to the context when this value matches
}

// Range is a list of numbers: From to To, both included.
type Range struct {
	From, To, Step float64 // Step 0 means 1
	Fractions      Fractions
	Multiplier     float64 // the slot gets number times multiplier; 0 means 1
}

// Fractions tells which parts of a whole a range holds besides its numbers.
type Fractions int

// The fractions of a range.
const (
	FractionsNone Fractions = iota
	FractionsHalves
	FractionsTenths
)
