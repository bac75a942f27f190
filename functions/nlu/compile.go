package nlu

import (
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
	code      code
	sources   []*compiledSource
	templates []template
	dialects  []*dialect
	matchers  sync.Pool // of *matcher
}

type compiledSource struct {
	skill, version string
	dialect        int
	from, to       int // its templates
}

type template struct {
	source *compiledSource
	intent string
	group  *Group
	from   Template
	entry  int32
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
	c := &compiler{language: language, g: &Grammar{code: code{limit: maxGrammarNodes}}}
	for i := range sources {
		c.source(&sources[i])
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return c.g, nil
}

type compiler struct {
	language *language
	g        *Grammar
	errs     []error
}

// fail notes an error and goes on, so that a person sees several at once.
func (c *compiler) fail(err error) {
	if len(c.errs) < maxErrors && !slices.ContainsFunc(c.errs, func(e error) bool { return e.Error() == err.Error() }) {
		c.errs = append(c.errs, err)
	}
}

func (c *compiler) source(s *Source) {
	cs := &compiledSource{
		skill: s.Skill, version: s.Version, dialect: c.dialect(newDialect(s, c.language)), from: len(c.g.templates),
	}
	defer func() { cs.to = len(c.g.templates) }()
	c.g.sources = append(c.g.sources, cs)
	var words numberReader
	switch {
	case s.NumberWords != nil:
		words = newNumberTable(s.NumberWords)
	case c.language != nil:
		words = c.language
	}
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
			source: cs, intent: intent, group: group, from: t, entry: entry, traits: tr,
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
