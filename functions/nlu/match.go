package nlu

import (
	"cmp"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
)

// MaxTextLength is the longest text, in characters, that Match reads.
const MaxTextLength = 1000

// Bounds on the readings of one sentence: those that are returned, the best, and
// those of one template, so that one that fits in too many ways leaves room for
// the others.
const (
	maxMatches         = 1000
	maxTemplateMatches = 100
)

// Context is what the caller knows when a sentence is spoken.
type Context struct {
	Values map[string]any // "area" for the room that heard it, and more
	Lists  *Lists         // of this home: name, area, floor; nil: none
	// Now is the time in the home's zone, to which "tomorrow at seven" is related.
	// Zero: not known, and then only a {time} or {date} that is whole matches: "15:30
	// on the 5th of March 2027".
	Now time.Time
	// Version tells which version of a skill this home runs; only its templates
	// take part. Nil: all.
	Version func(skill string) string
}

// Result is what a sentence may mean, best first; empty: nothing.
type Result struct {
	Matches []Match
	// Truncated: the search was given up, because the text is too long or fits in
	// too many ways. Matches holds what was found until then.
	Truncated bool
	// Cut names the skills whose sentences cost or gave too much to be searched to
	// the end. The readings of all others are whole.
	Cut []string
}

// Match is one reading of a sentence.
type Match struct {
	Skill, Version string
	Intent         string
	Group          *Group
	Template       Template
	Slots          map[string]assistant.Slot
	Captures       map[string]assistant.Slot // of {list:@name}: for answers only; nil: none
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

// Compare is below zero where a goes before b: the longer name, then fewer
// wildcards, more letters outside lists, less text in wildcards, and at last the
// order of declaration.
func (a Rank) Compare(b Rank) int {
	return cmp.Or(a.compareMerit(b), cmp.Compare(a.Order, b.Order))
}

// Ties tells whether nothing but the order of declaration is between the two.
func (a Rank) Ties(b Rank) bool { return a.compareMerit(b) == 0 }

func (a Rank) compareMerit(b Rank) int {
	return cmp.Or(
		cmp.Compare(b.NameLength, a.NameLength),
		cmp.Compare(a.Wildcards, b.Wildcards),
		cmp.Compare(b.Literals, a.Literals),
		cmp.Compare(a.WildcardChars, b.WildcardChars),
	)
}

// Compare is below zero where m goes before o: by rank; what ranks the same by the
// names of the skills, whoever was deployed first; and at last as declared.
func (m *Match) Compare(o *Match) int {
	return cmp.Or(m.Rank.compareMerit(o.Rank), cmp.Compare(m.Skill, o.Skill), cmp.Compare(m.Rank.Order, o.Rank.Order))
}

// Match finds all readings of a text. Equal input gives equal output, but for a
// search that was given up.
func (g *Grammar) Match(text string, ctx Context) Result {
	res, _ := g.match(text, ctx, true)
	return res
}

// match finds the readings of a text in one of two ways: quick, the automaton
// chooses templates, and keys the values of lists; else all are tried, whatever
// their traits. What is found is the same, but for a search that was given up.
// It also returns the steps that it took.
func (g *Grammar) match(text string, ctx Context, quick bool) (Result, int) {
	if utf8.RuneCountInString(text) > MaxTextLength {
		return Result{Truncated: true}, 0
	}
	m := g.matcher(ctx)
	m.quick = quick
	res := m.match(text)
	steps := m.spent + m.granted - m.steps
	g.release(m)
	slices.SortFunc(res.Matches, func(a, b Match) int { return a.Compare(&b) })
	res.Truncated = len(res.Cut) > 0
	if len(res.Matches) > maxMatches {
		res.Matches, res.Truncated = slices.Clip(res.Matches[:maxMatches]), true
	}
	return res, steps
}

func (m *matcher) match(text string) Result {
	var res Result
	chars := m.fold.fold(text)
	if len(chars) == 0 {
		return res
	}
	steps := sourceSteps(m.g.asked(&m.ctx))
	for _, s := range m.g.sources {
		if !s.asked(&m.ctx) {
			continue
		}
		m.source(s, m.texts(s.dialect, text, chars), steps, &res)
		if m.cuts > 0 && !slices.Contains(res.Cut, s.skill) {
			res.Cut = append(res.Cut, s.skill)
		}
	}
	return res
}

// source adds the readings of one source.
func (m *matcher) source(s *compiledSource, texts *views, steps int, res *Result) {
	m.cuts = 0
	chosen := m.choose(s.dialect, texts)
	if chosen.all {
		m.begin(steps)
		for i := s.from; i < s.to; i++ {
			m.template(&m.g.templates[i], texts, true, true, res)
		}
		return
	}
	candidates := chosen.next(s)
	if len(candidates) == 0 {
		return
	}
	m.begin(steps)
	for _, c := range candidates {
		m.template(&m.g.templates[c.template], texts, c.whole, c.rest, res)
	}
}

// asked counts the sources that take part.
func (g *Grammar) asked(ctx *Context) int {
	if ctx.Version == nil {
		return len(g.sources)
	}
	n := 0
	for _, s := range g.sources {
		if s.asked(ctx) {
			n++
		}
	}
	return n
}

// asked tells whether a source is of the version that the home runs.
func (s *compiledSource) asked(ctx *Context) bool {
	return ctx.Version == nil || ctx.Version(s.skill) == s.version
}

// template adds the readings of one template: of the text as it is and, if there
// are none, of the text without its skip words. Those at an end where a wildcard
// stands belong to the wildcard.
func (m *matcher) template(t *template, texts *views, whole, rest bool, res *Result) {
	var without *view
	if whole = whole && m.mayMatch(t, &texts.whole); rest {
		if without = texts.without(t.ends()); without != nil && !m.mayMatch(t, without) {
			without = nil
		}
	}
	if !whole && without == nil || !mayApply(t.group, m.known(-1)) {
		return
	}
	if whole && m.view(t, &texts.whole, res) || without == nil {
		return
	}
	m.view(t, without, res)
}

// mayMatch passes over templates by their traits.
func (m *matcher) mayMatch(t *template, v *view) bool { return !m.quick || t.mayMatch(v) }

// view adds the readings of a template of one view of the text.
func (m *matcher) view(t *template, v *view, res *Result) bool {
	r := m.enter(v, &m.g.code, false)
	defer m.leave()
	r.walk(t.entry, 0, true, -1)
	any := false
	for _, captures := range r.whole {
		if match, ok := m.finish(t, v, captures); ok {
			match.Rank.Order = len(res.Matches)
			res.Matches = append(res.Matches, match)
			any = true
		}
	}
	return any
}

// finish makes a Match of a way through a template, if the context allows it.
func (m *matcher) finish(t *template, v *view, last int32) (Match, bool) {
	known := m.known(last)
	if !applies(t.group, known) {
		return Match{}, false
	}
	match := Match{
		Skill: t.source.skill, Version: t.source.version, Intent: t.intent, Group: t.group, Template: t.from,
		Slots: make(map[string]assistant.Slot),
	}
	match.Rank.Literals = v.solid(0, len(v.runes))
	for _, i := range slices.Backward(m.chain) {
		if !m.add(&match, v, &m.captures[i]) {
			return Match{}, false
		}
	}
	for _, c := range t.group.Requires {
		if _, filled := match.Slots[c.Slot]; c.Slot != "" && !filled {
			match.Slots[c.Slot] = assistant.Slot{Value: plainValue(known.value(c.Key))}
		}
	}
	for slot, value := range t.group.Slots {
		if _, filled := match.Slots[slot]; !filled {
			match.Slots[slot] = assistant.Slot{Value: plainValue(value)}
		}
	}
	return match, true
}

// add puts a captured value into its slot and into the rank; false: now it is none.
func (m *matcher) add(match *Match, v *view, c *captured) bool {
	from, to := int(c.from), int(c.edge.end)
	length := v.solid(from, to)
	match.Rank.Literals -= length
	slot := assistant.Slot{Text: v.words(from, to)}
	switch {
	case c.list.isWildcard():
		slot.Text = v.content(from, to)
		slot.Value = slot.Text
		match.Rank.Wildcards++
		match.Rank.WildcardChars += length
	case c.list.isPhrase():
		value, ok := m.moments[int(c.edge.number)].value(c.list.phrases.kind, m.ctx.Now)
		if !ok {
			return false
		}
		slot.Value = value
	case c.edge.value < 0:
		slot.Value = c.edge.number
	default:
		if slot.Value = c.list.values[c.edge.value].out; slot.Value == nil {
			slot.Value = slot.Text
		}
	}
	if c.use.slot == "name" && !c.list.isWildcard() {
		match.Rank.NameLength = length
	}
	if !c.use.capture {
		match.Slots[c.use.slot] = slot
		return true
	}
	if match.Captures == nil {
		match.Captures = make(map[string]assistant.Slot)
	}
	match.Captures[c.use.slot] = slot
	return true
}

// knowledge is what the caller knows, behind what the values of lists carry; what
// stands first counts.
type knowledge struct {
	carried []facts
	told    map[string]any
}

// facts are the context of a value. Homes have many names, and a small slice is a
// fraction of a map.
type facts []fact

type fact struct {
	key   string
	value any
}

// known makes a chain of captures, newest first, and what is known with it.
func (m *matcher) known(last int32) *knowledge {
	m.chain, m.knows.carried = m.chain[:0], m.knows.carried[:0]
	for i := last; i >= 0; i = m.captures[i].parent {
		m.chain = append(m.chain, i)
		if c := &m.captures[i]; c.edge.value >= 0 {
			m.knows.carried = append(m.knows.carried, c.list.values[c.edge.value].facts)
		}
	}
	m.knows.told = m.ctx.Values
	return &m.knows
}

func (k *knowledge) value(key string) any {
	for _, facts := range k.carried {
		for i := range facts {
			if facts[i].key == key {
				return facts[i].value
			}
		}
	}
	return k.told[key]
}

// lookup returns the value of a key, if there is one.
func (k *knowledge) lookup(key string) (any, bool) {
	value := k.value(key)
	return value, value != nil && value != ""
}

// mayApply checks the conditions that the caller's context decides already.
func mayApply(g *Group, known *knowledge) bool {
	for _, c := range g.Requires {
		if value, present := known.lookup(c.Key); present && !c.holds(value) {
			return false
		}
	}
	for _, c := range g.Excludes {
		if value, present := known.lookup(c.Key); present && c.holds(value) {
			return false
		}
	}
	return true
}

func applies(g *Group, known *knowledge) bool {
	for _, c := range g.Requires {
		if value, present := known.lookup(c.Key); !present || !c.holds(value) {
			return false
		}
	}
	return mayApply(&Group{Excludes: g.Excludes}, known)
}

func (c *Condition) holds(value any) bool {
	return len(c.Values) == 0 || slices.ContainsFunc(c.Values, func(want any) bool {
		return reflect.DeepEqual(plainValue(want), plainValue(value))
	})
}
