package nlu

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// phraseFile says how a language speaks of times, dates and quantities: in
// templates, as skills say how they are spoken to. Their slots are the fields of a
// moment. Of several ways to read the same words, the first that is written counts.
type phraseFile struct {
	// Parts of the day, by list.
	Parts map[string][]partFile `json:"parts"`
	// Lists are words for numbers: {"monday": 1}. Besides there are the built-in
	// {number}, {duration} and {day}, {1..12} for a whole number in words or digits,
	// and {00..59} for one in as many digits as are written.
	Lists map[string]map[string]float64 `json:"lists"`
	Rules map[string]string             `json:"rules"`
	// Values are the templates of built-in lists, by name.
	Values map[string][]string `json:"values"`
}

// partFile is a part of the day: the twelve hours that a clock face may mean in it,
// and what it stands for without an hour.
type partFile struct {
	Words []string `json:"words"`
	From  int      `json:"from"` // the first of the twelve, -12 to 35
	Hour  *int     `json:"hour"` // nil: it does not stand alone
	Day   *int     `json:"day"`  // from today: tonight is 0
}

// phraseKind is what the values of a list of phrases are.
type phraseKind uint8

const (
	phraseNumber phraseKind = iota
	phrasePercentage
	phraseDate
	phraseTime
)

// phrases are the compiled templates of one built-in list.
type phrases struct {
	*phraseCode
	kind  phraseKind
	entry int32
	begin mask
}

// phraseCode is what the phrases of a language share.
type phraseCode struct {
	code
	l      *language
	parts  []partFile
	fields []field  // by list node
	ways   []begins // by way
}

// begins is what one of several ways begins with; any: it may end at once.
type begins struct {
	mask
	known, any bool
}

// newPhrases compiles the phrases of a language.
func (l *language) newPhrases(name string) error {
	f := &l.file.Phrases
	c := &phraseCode{l: l, code: code{limit: maxTemplateNodes}}
	s := newScope(&c.code, l, l, nil, make(map[string]Template, len(f.Rules)))
	s.inline = true
	for rule, text := range f.Rules {
		s.rules[rule] = Template{Text: text, File: name}
	}
	for _, list := range slices.Sorted(maps.Keys(f.Parts)) {
		words := make(map[string]float64)
		for _, p := range f.Parts[list] {
			for _, w := range p.Words {
				words[w] = float64(len(c.parts))
			}
			c.parts = append(c.parts, p)
		}
		s.ready[":"+list] = l.wordList(list, words)
	}
	for list, words := range f.Lists {
		s.ready[":"+list] = l.wordList(list, words)
	}
	l.phrases = make(map[string]*phrases, len(f.Values))
	for _, list := range slices.Sorted(maps.Keys(f.Values)) {
		b := builder{scope: s, t: Template{Text: strings.Join(f.Values[list], "|"), File: name}, from: len(c.nodes)}
		e, err := parseTemplate(b.t)
		if err != nil {
			return err
		}
		entry, _, err := b.program(e)
		if err != nil {
			return err
		}
		l.phrases[list] = &phrases{phraseCode: c, kind: kindOf(list), entry: entry}
	}
	c.done()
	if err := c.tell(); err != nil {
		return err
	}
	known := make([]begins, len(c.nodes))
	for _, n := range c.code.ways {
		c.ways = append(c.ways, c.begins(n, known))
	}
	for _, p := range l.phrases {
		p.begin = c.begins(p.entry, known).mask
	}
	return nil
}

// tell looks up what the slots of the templates tell.
func (c *phraseCode) tell() error {
	names := fieldNames()
	for _, use := range c.lists {
		f, known := names[use.slot]
		if !known {
			return fmt.Errorf("a phrase has the slot %q; there are %v", use.slot, slices.Sorted(maps.Keys(names)))
		}
		c.fields = append(c.fields, f)
	}
	return nil
}

func kindOf(list string) phraseKind {
	switch list {
	case "time":
		return phraseTime
	case "date":
		return phraseDate
	case "percentage":
		return phrasePercentage
	}
	return phraseNumber
}

// wordList is a list of words for numbers.
func (l *language) wordList(name string, words map[string]float64) *list {
	x := &lexicon[float64]{spaced: l.file.Spaced}
	for w, v := range words {
		x.add(w, v)
	}
	find := func(found []span, runes []rune, pos int) []span {
		x.all(runes, pos, func(end int, value float64) { found = append(found, span{end, value}) })
		return found
	}
	return &list{kind: listBuiltin, find: find, builtin: name, first: x.begins()}
}

// begins is what phrases can go on with from a node on; known are those of all nodes.
func (c *phraseCode) begins(n int32, known []begins) begins {
	if known[n].known {
		return known[n]
	}
	b := begins{known: true}
	switch nd := &c.nodes[n]; nd.op {
	case opText:
		b.add(c.text(nd)[0])
	case opBlank:
		b = c.begins(nd.next, known)
	case opSplit:
		for _, alt := range c.alts(nd) {
			way := c.begins(alt, known)
			b.mask, b.any = b.or(way.mask), b.any || way.any
		}
	case opList:
		b.mask = c.list(nd).list.first
	case opAccept, opRule:
		b.any = true
	}
	known[n] = b
	return b
}
