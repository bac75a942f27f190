package nlu

import "github.com/hark-voice/hark/functions/assistant"

// Context is what the caller knows when a sentence is spoken.
type Context struct {
	Values map[string]any  // "area" for the room that heard it, and more
	Lists  map[string]List // of this home: name, area, floor
	// Version tells which version of a skill this home runs; only its templates
	// take part. Nil: all.
	Version func(skill string) string
}

// Result is what a sentence may mean, best first; empty: nothing.
type Result struct {
	Matches []Match
}

// Match is one reading of a sentence.
type Match struct {
	Skill, Version string
	Intent         string
	Group          *Group
	Template       Template
	Slots          map[string]assistant.Slot
	Rank           Rank
}

// Rank orders readings, see Compare.
type Rank struct {
	NameLength    int // letters of the captured name; 0: none
	Wildcards     int
	Literals      int // letters outside lists
	WildcardChars int
	Order         int // of declaration
}
