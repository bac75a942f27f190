package nlu

import (
	"cmp"
	"reflect"
	"slices"

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

// Match finds all readings of a text. Equal input gives equal output.
func (g *Grammar) Match(text string, ctx Context) Result {
	chars, ok := foldBounded(text)
	if !ok {
		return Result{Truncated: true}
	}
	if len(chars) == 0 {
		return Result{}
	}
	m := &matcher{g: g, ctx: &ctx, interned: make(map[captured]int32)}
	var res Result
	texts := make([]*views, len(g.dialects))
	asked := g.asked(&ctx)
	steps := sourceSteps(len(asked))
	for _, s := range asked {
		if texts[s.dialect] == nil {
			texts[s.dialect] = newViews(g.dialects[s.dialect], text, slices.Clone(chars))
		}
		m.begin(steps)
		for i := s.from; i < s.to; i++ {
			for _, found := range m.template(&g.templates[i], texts[s.dialect]) {
				found.Rank.Order = len(res.Matches)
				res.Matches = append(res.Matches, found)
			}
		}
		if m.cuts > 0 && !slices.Contains(res.Cut, s.skill) {
			res.Cut = append(res.Cut, s.skill)
		}
	}
	slices.SortFunc(res.Matches, func(a, b Match) int { return a.Rank.Compare(b.Rank) })
	res.Truncated = len(res.Cut) > 0
	if len(res.Matches) > maxMatches {
		res.Matches, res.Truncated = slices.Clip(res.Matches[:maxMatches]), true
	}
	return res
}

// begin makes ready for the next source, of which nothing is found yet.
func (m *matcher) begin(steps int) {
	m.steps, m.cuts = steps, 0
	m.captures = m.captures[:0]
	clear(m.interned)
}

// foldBounded folds a text unless it is too long.
func foldBounded(text string) ([]char, bool) {
	n := 0
	for range text {
		if n++; n > MaxTextLength {
			return nil, false
		}
	}
	return foldText(text), true
}

// asked lists the sources that take part: those of the version that the home runs.
func (g *Grammar) asked(ctx *Context) []*compiledSource {
	if ctx.Version == nil {
		return g.sources
	}
	var asked []*compiledSource
	for _, s := range g.sources {
		if ctx.Version(s.skill) == s.version {
			asked = append(asked, s)
		}
	}
	return asked
}

// template finds the readings of one template: of the text as it is and, if
// there are none, of the text without its skip words. Those at an end where a
// wildcard stands belong to the wildcard.
func (m *matcher) template(t *template, texts *views) []Match {
	if !mayApply(t.group, m.ctx.Values) {
		return nil
	}
	if found := m.view(t, texts.whole); len(found) > 0 || len(texts.d.skip) == 0 {
		return found
	}
	if v := texts.without(t.wildStart, t.wildEnd); v != nil {
		return m.view(t, v)
	}
	return nil
}

func (m *matcher) view(t *template, v *view) []Match {
	if len(v.runes) == 0 || !t.mayMatch(v) {
		return nil
	}
	var ends []int32
	r := run{m: m, v: v, code: &m.g.code}
	r.accept = func(pos int, _ bool, captures int32) bool {
		if pos < len(v.runes) {
			return false
		}
		switch {
		case slices.Contains(ends, captures):
		case len(ends) < maxTemplateMatches:
			ends = append(ends, captures)
		default:
			r.steps = maxRunSteps
		}
		return true
	}
	r.walk(t.entry, 0, true, -1)
	var found []Match
	for _, captures := range ends {
		if match, ok := m.finish(t, v, captures); ok {
			found = append(found, match)
		}
	}
	return found
}

// finish makes a Match of a way through a template, if the context allows it.
func (m *matcher) finish(t *template, v *view, last int32) (Match, bool) {
	match := Match{
		Skill: t.source.skill, Version: t.source.version, Intent: t.intent, Group: t.group, Template: t.from,
		Slots: make(map[string]assistant.Slot),
	}
	var chain []*captured
	for i := last; i >= 0; i = m.captures[i].parent {
		chain = append(chain, &m.captures[i])
	}
	slices.Reverse(chain)
	values := m.ctx.Values
	match.Rank.Literals = v.solid(0, len(v.runes))
	for _, c := range chain {
		m.add(&match, v, c)
		if c.edge.value >= 0 {
			values = merged(values, c.list.values[c.edge.value].context)
		}
	}
	if !applies(t.group, values) {
		return Match{}, false
	}
	for _, c := range t.group.Requires {
		if _, filled := match.Slots[c.Slot]; c.Slot != "" && !filled {
			match.Slots[c.Slot] = assistant.Slot{Value: plainValue(values[c.Key])}
		}
	}
	for slot, value := range t.group.Slots {
		if _, filled := match.Slots[slot]; !filled {
			match.Slots[slot] = assistant.Slot{Value: plainValue(value)}
		}
	}
	return match, true
}

// add puts a captured value into its slot and into the rank.
func (m *matcher) add(match *Match, v *view, c *captured) {
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
		return
	}
	if match.Captures == nil {
		match.Captures = make(map[string]assistant.Slot)
	}
	match.Captures[c.use.slot] = slot
}

// mayApply checks the conditions that the caller's context decides already.
func mayApply(g *Group, known map[string]any) bool {
	for _, c := range g.Requires {
		if value, present := lookup(known, c.Key); present && !c.holds(value) {
			return false
		}
	}
	for _, c := range g.Excludes {
		if value, present := lookup(known, c.Key); present && c.holds(value) {
			return false
		}
	}
	return true
}

func applies(g *Group, values map[string]any) bool {
	for _, c := range g.Requires {
		if value, present := lookup(values, c.Key); !present || !c.holds(value) {
			return false
		}
	}
	return mayApply(&Group{Excludes: g.Excludes}, values)
}

func lookup(values map[string]any, key string) (any, bool) {
	value := values[key]
	return value, value != nil && value != ""
}

func (c *Condition) holds(value any) bool {
	return len(c.Values) == 0 || slices.ContainsFunc(c.Values, func(want any) bool {
		return reflect.DeepEqual(plainValue(want), plainValue(value))
	})
}
