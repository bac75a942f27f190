package nlu

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Bounds on what a grammar may be, so that a small file cannot become a huge one.
const (
	maxTemplateNodes = 20_000
	maxGrammarNodes  = 8_000_000
	maxErrors        = 20
	maxRuleDepth     = 40
)

// Grammar is all that can be said in one language. It never changes and is safe
// for concurrent use.
type Grammar struct {
	language  *language // nil: of which no words are known
	code      code
	sources   []*compiledSource
	templates []template
	dialects  []*dialect
	always    []int32                // templates that are too large for the automata, see chosen
	automata  [2]*dfa                // for templates in which blanks mean something, and nothing
	matchers  sync.Pool              // of *matcher
	literals  func() map[string]bool // pieces of templates, found when they are first needed
}

type compiledSource struct {
	skill, version string
	lists          map[string]List
	rules          map[string]Template
	dialect        int
	from, to       int // its templates
}

type template struct {
	source *compiledSource
	intent string
	group  *Group
	from   Template
	entry  int32
	last   int32 // its last node
	size   int   // see builder.size
	traits
}

// Compile builds the grammar of a language from the sources of its skills. The
// error joins what is wrong with all of them, each a *SyntaxError where a
// template is at fault.
func Compile(lang string, sources []Source) (*Grammar, error) {
	language, err := loadLanguage(lang)
	if err != nil {
		return nil, err
	}
	c := &compiler{language: language, g: &Grammar{language: language, code: code{limit: maxGrammarNodes}}}
	for i := range sources {
		c.source(&sources[i])
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	c.g.code.done()
	c.g.prepare()
	return c.g, nil
}

// prepare makes the automata, which as yet know where texts begin.
func (g *Grammar) prepare() {
	g.literals = sync.OnceValue(g.findLiterals)
	n := newNet(g)
	for i := range g.automata {
		g.automata[i] = &dfa{net: n, ignoreBlanks: i > 0, room: maxCacheBytes, work: maxTextWork}
	}
	for _, i := range g.chosen() {
		t := &g.templates[i]
		d := g.dialects[t.source.dialect]
		d.ends[t.ends()] = true
		a := g.automaton(d)
		a.starts = append(a.starts, t.entry)
	}
	for _, a := range g.automata {
		a.cache() // so that the first text finds where all begin
	}
}

// chosen lists the templates that the automata read, in order: all but those that
// are huge with their rules put in place, which are always tried. The smallest go
// first where together they are too many.
func (g *Grammar) chosen() []int32 {
	bySize := make([]int32, len(g.templates))
	for i := range bySize {
		bySize[i] = int32(i)
	}
	slices.SortStableFunc(bySize, func(a, b int32) int { return cmp.Compare(g.templates[a].size, g.templates[b].size) })
	total, n := 0, 0
	for ; n < len(bySize); n++ {
		size := g.templates[bySize[n]].size
		if total += size; size > maxChosenSize || total > maxChosenTotal {
			break
		}
	}
	g.always = slices.Sorted(slices.Values(bySize[n:]))
	return slices.Sorted(slices.Values(bySize[:n]))
}

// automaton returns the one for the sources of a dialect.
func (g *Grammar) automaton(d *dialect) *dfa {
	if d.ignoreBlanks {
		return g.automata[1]
	}
	return g.automata[0]
}

type compiler struct {
	language *language
	g        *Grammar
	tables   []knownTable
	errs     []error
}

// knownTable is a table of numbers that another source may share.
type knownTable struct {
	spellings map[float64][]string
	table     *numberTable
}

// fail notes an error and goes on, so that a person sees several at once.
func (c *compiler) fail(err error) {
	if len(c.errs) < maxErrors && !slices.ContainsFunc(c.errs, func(e error) bool { return e.Error() == err.Error() }) {
		c.errs = append(c.errs, err)
	}
}

func (c *compiler) source(s *Source) {
	cs := &compiledSource{
		skill: s.Skill, version: s.Version, lists: s.Lists, rules: s.Rules,
		dialect: c.dialect(newDialect(s, c.language)), from: len(c.g.templates),
	}
	defer func() { cs.to = len(c.g.templates) }()
	c.g.sources = append(c.g.sources, cs)
	words := c.numbers(s)
	shared := newScope(&c.g.code, c.language, words, s.Lists, s.Rules)
	c.check(shared, s.Lists, s.Rules)
	for i := range s.Intents {
		intent := &s.Intents[i]
		for j := range intent.Groups {
			group := &intent.Groups[j]
			scope := shared
			if len(group.Lists)+len(group.Rules) > 0 {
				scope = newScope(&c.g.code, c.language, words, merged(s.Lists, group.Lists), merged(s.Rules, group.Rules))
				c.check(scope, group.Lists, group.Rules)
			}
			c.group(cs, intent.Name, group, scope)
		}
	}
}

// numbers returns the reader of the numbers of a source. Sources with the same
// words share one.
func (c *compiler) numbers(s *Source) numberReader {
	switch {
	case s.NumberWords != nil:
		for _, known := range c.tables {
			if maps.EqualFunc(known.spellings, s.NumberWords, slices.Equal) {
				return known.table
			}
		}
		t := newNumberTable(s.NumberWords)
		c.tables = append(c.tables, knownTable{s.NumberWords, t})
		return t
	case c.language != nil:
		return c.language
	}
	return nil
}

func (c *compiler) dialect(d *dialect) int {
	if i := slices.IndexFunc(c.g.dialects, d.equal); i >= 0 {
		return i
	}
	c.g.dialects = append(c.g.dialects, d)
	return len(c.g.dialects) - 1
}

// check finds the faults of rules and lists that no template uses yet.
func (c *compiler) check(s *scope, lists map[string]List, rules map[string]Template) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if _, err := s.rule(name); err != nil {
			c.fail(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		if _, err := s.list(name); err != nil {
			c.fail(err)
		}
	}
}

func (c *compiler) group(cs *compiledSource, intent string, group *Group, s *scope) {
	for _, t := range group.Templates {
		e, err := parseTemplate(t)
		if err != nil {
			c.fail(err)
			continue
		}
		b := builder{scope: s, t: t}
		b.from = len(s.code.nodes)
		last := int32(b.from) //nolint:gosec // limited far below
		entry, tr, err := b.program(e)
		if err != nil {
			c.fail(err)
			continue
		}
		if tr.empty {
			c.fail(t.errorAt(0, "the template matches the empty sentence: make a part of it required"))
			continue
		}
		c.g.templates = append(c.g.templates, template{
			source: cs, intent: intent, group: group, from: t, entry: entry, last: last, size: b.size(), traits: tr,
		})
	}
}

func merged[V any](base, over map[string]V) map[string]V {
	if len(over) == 0 {
		return base
	}
	out := maps.Clone(base)
	if out == nil {
		out = make(map[string]V, len(over))
	}
	maps.Copy(out, over)
	return out
}
