package nlu

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds on the sentences that are made of one template.
const (
	maxForms       = 1 << 20 // ways that a piece is shown in
	maxSampleSteps = 5000    // pieces of one sentence
	sampleValues   = 3       // of a list
	sampleRounds   = 3       // ways in which the forms of the pieces are put together
	maxLooked      = 200     // values of a list that are looked at for some that fit
)

// Sample is a sentence that a template stands for.
type Sample struct {
	Text           string // folded, as templates are
	Skill, Version string
	Intent         string
	Template       Template
}

// Samples goes through sentences that the templates of a skill stand for, of all
// skills where it is empty: template by template, as declared, at most so many of
// each. Where these suffice, each alternative of a template is in one of its
// sentences, and so are a few values of each list. Each sentence matches its
// template in the context. A template that nothing can be said by there, such as
// one with {name} in a home without names, has none. Equal input gives equal output.
func (g *Grammar) Samples(skill string, ctx Context, most int) iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		for _, s := range g.sources {
			if skill != "" && s.skill != skill || !s.asked(&ctx) {
				continue
			}
			p := sampler{g: g, source: s, ctx: ctx, parsed: make(map[string]expr)}
			for i := s.from; i < s.to; i++ {
				if !p.template(&g.templates[i], most, yield) {
					return
				}
			}
		}
	}
}

// sampler makes sentences of the templates of a source. Each piece has a number
// of forms: of an alternative the forms of all branches, of a sequence as many as
// the part with the most, since all parts change at once. So few sentences show
// each form of each part.
type sampler struct {
	g      *Grammar
	source *compiledSource
	ctx    Context
	parsed map[string]expr // rules and values, by their text

	group  *Group
	values map[string][]string // of lists, in this group
	forms  map[string]int      // of rules, in this group

	round int // how the forms of the parts of a sequence go together
	said  strings.Builder
	steps int
}

// template yields the sentences of a template, and is false when no more are wanted.
func (p *sampler) template(t *template, most int, yield func(Sample) bool) bool {
	if p.group != t.group {
		p.group, p.values, p.forms = t.group, make(map[string][]string), make(map[string]int)
	}
	e, err := parseTemplate(t.from)
	if err != nil {
		return true // it was compiled, so it has no fault
	}
	forms := p.count(e)
	known := make(map[string]bool)
	for p.round = 0; p.round < sampleRounds && len(known) < most; p.round++ {
		for n := range min(forms, most) {
			text, ok := p.sentence(e, n*forms/min(forms, most))
			if !ok || known[text] || !p.matches(t, text) {
				continue
			}
			known[text] = true
			sample := Sample{Text: text, Skill: p.source.skill, Version: p.source.version, Intent: t.intent, Template: t.from}
			if !yield(sample) {
				return false
			}
			if len(known) == most {
				break
			}
		}
	}
	return true
}

// parse reads a rule or a value, which was compiled and so has no fault.
func (p *sampler) parse(t Template) expr {
	if e, ok := p.parsed[t.Text]; ok {
		return e
	}
	e, err := parseTemplate(t)
	if err != nil {
		e = exprAlt(nil) // it has no forms
	}
	p.parsed[t.Text] = e
	return e
}

// count returns how many forms a piece has; 0: it cannot be said.
func (p *sampler) count(e expr) int {
	switch e := e.(type) {
	case exprSeq:
		return p.most(e)
	case exprPerm:
		if p.most(e) == 0 {
			return 0
		}
		return max(p.most(e), len(e))
	case exprAlt:
		sum := 0
		for _, branch := range e {
			sum = min(sum+p.count(branch), maxForms)
		}
		return sum
	case exprRule:
		if n, ok := p.forms[e.name]; ok {
			return n
		}
		n := p.count(p.rule(e.name))
		p.forms[e.name] = n
		return n
	case exprList:
		return len(p.list(e))
	}
	return 1
}

// most is the most forms that a part has, 0 where one has none.
func (p *sampler) most(parts []expr) int {
	n := 1
	for _, part := range parts {
		forms := p.count(part)
		if forms == 0 {
			return 0
		}
		n = max(n, forms)
	}
	return n
}

func (p *sampler) rule(name string) expr {
	body, ok := p.group.Rules[name]
	if !ok {
		body = p.source.rules[name]
	}
	return p.parse(body)
}

// sentence says the n-th form of a template; false: it is too long.
func (p *sampler) sentence(e expr, n int) (string, bool) {
	p.said.Reset()
	p.steps = 0
	p.say(e, n)
	text := strings.TrimSpace(p.said.String())
	return text, text != "" && p.steps < maxSampleSteps && p.said.Len() <= MaxTextLength
}

func (p *sampler) say(e expr, n int) {
	if p.steps++; p.steps >= maxSampleSteps || p.said.Len() > MaxTextLength {
		return
	}
	switch e := e.(type) {
	case exprText:
		p.said.WriteString(string(e.text))
	case exprBlank:
		p.blank()
	case exprSeq:
		p.together(e, 0, n)
	case exprPerm:
		p.together(e, n, n)
	case exprAlt:
		n %= max(p.count(e), 1)
		for _, branch := range e {
			forms := p.count(branch)
			if n < forms {
				p.say(branch, n)
				return
			}
			n -= forms
		}
	case exprRule:
		p.say(p.rule(e.name), n)
	case exprList:
		if values := p.list(e); len(values) > 0 {
			p.said.WriteString(values[n%len(values)])
		}
	}
}

// together says all parts, from one of them on and round, in their n-th forms. In
// later rounds the parts with a choice are out of step with each other.
func (p *sampler) together(parts []expr, from, n int) {
	shift := 0
	for i := range parts {
		part := parts[(from+i)%len(parts)]
		p.say(part, n+shift)
		if p.round > 0 && p.count(part) > 1 {
			shift += p.round
		}
	}
}

// blank says one blank between words; where blanks mean nothing, behind those
// that are not written without.
func (p *sampler) blank() {
	said := p.said.String()
	if said == "" || strings.HasSuffix(said, " ") || p.g.dialects[p.source.dialect].ignoreBlanks && said[len(said)-1] >= utf8.RuneSelf {
		return
	}
	p.said.WriteByte(' ')
}

// matches tells whether a template accepts a text, as all that is said of it must.
func (p *sampler) matches(t *template, text string) bool {
	m := p.g.matcher(p.ctx)
	defer p.g.release(m)
	m.quick = true
	texts := m.texts(p.source.dialect, text, m.fold.fold(text))
	m.begin(maxSourceSteps)
	var res Result
	m.template(t, texts, true, true, &res)
	return len(res.Matches) > 0
}

// list returns a few values of a list, as they are spoken.
func (p *sampler) list(e exprList) []string {
	key := e.list
	if e.inline != nil {
		return rangeSamples(e.inline)
	}
	if values, ok := p.values[key]; ok {
		return values
	}
	p.values[key] = nil // for lists within themselves, which no grammar has
	p.values[key] = p.listValues(key)
	return p.values[key]
}

func (p *sampler) listValues(name string) []string {
	def, ok := p.group.Lists[name]
	if !ok {
		def, ok = p.source.lists[name]
	}
	switch {
	case !ok && !isHomeList(name):
		if p.g.language == nil {
			return nil
		}
		return p.g.language.file.Samples[name]
	case !ok || def.Kind == ListHome:
		return p.homeValues(name)
	case def.Kind == ListRange:
		return rangeSamples(&def.Range)
	case def.Kind == ListWildcard:
		return p.anyText()
	}
	var fit []Value
	for _, v := range def.Values[:min(len(def.Values), maxLooked)] {
		if p.fits(shared(new([]facts), v.Context)) {
			fit = append(fit, v)
		}
	}
	var said []string
	for i, v := range spread(fit) {
		e := p.parse(v.In)
		if forms := p.count(e); forms > 0 {
			said = append(said, p.aside(e, i%forms))
		}
	}
	return said
}

// aside says a piece on its own.
func (p *sampler) aside(e expr, n int) string {
	inner := sampler{g: p.g, source: p.source, ctx: p.ctx, parsed: p.parsed, group: p.group, values: p.values, forms: p.forms}
	text, _ := inner.sentence(e, n)
	return text
}

// fits is false where what a value carries is against the conditions of the group.
func (p *sampler) fits(carried facts) bool {
	return mayApply(p.group, &knowledge{[]facts{carried}, p.ctx.Values})
}

// homeValues returns names of the home that fit the conditions of the group.
func (p *sampler) homeValues(name string) []string {
	l := p.ctx.Lists.get(name)
	switch {
	case l == nil:
		return nil
	case l.isWildcard():
		return p.anyText()
	case l.isNumber():
		return rangeSamples(l.rng)
	}
	var fit []string
	for i := range l.values[:min(len(l.values), maxLooked)] {
		if v := &l.values[i]; p.fits(v.facts) {
			fit = append(fit, l.spoken(v))
		}
	}
	return spread(fit)
}

// anyText is what lists are shown by that take any text.
func (p *sampler) anyText() []string {
	if p.g.language != nil && len(p.g.language.file.Samples["wildcard"]) > 0 {
		return p.g.language.file.Samples["wildcard"]
	}
	return []string{"abc"}
}

// spoken is a text that a value stands for.
func (l *list) spoken(v *listValue) string {
	if v.piece == nil {
		return string(l.keys.text(v.key))
	}
	var said strings.Builder
	l.code.first(&said, v.piece.entry, maxSampleSteps)
	return strings.TrimSpace(said.String())
}

// first says what a program stands for, the first branch of every alternative.
func (c *code) first(said *strings.Builder, n int32, steps int) int {
	for ; steps > 0 && c.nodes[n].op != opAccept; steps-- {
		nd := &c.nodes[n]
		switch nd.op {
		case opSplit:
			n = c.alts(nd)[0]
			continue
		case opText:
			said.WriteString(string(c.text(nd)))
		case opBlank:
			said.WriteByte(' ')
		case opRule:
			steps = c.first(said, c.rule(nd).entry, steps)
		case opAccept, opList:
		}
		n = nd.next
	}
	return steps
}

// rangeSamples are the ends of a range, and a number between them.
func rangeSamples(r *Range) []string {
	step := r.Step
	if step == 0 {
		step = 1
	}
	middle := r.From + step*float64(int((r.To-r.From)/step/2))
	var said []string
	for _, n := range []float64{middle, r.From, r.To} {
		if text := strconv.FormatFloat(n, 'f', -1, 64); r.holds(n) && !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	return said
}

// spread picks a few of many: the first, the last, and some between.
func spread[T any](all []T) []T {
	if len(all) <= sampleValues {
		return all
	}
	some := make([]T, sampleValues)
	for i := range some {
		some[i] = all[i*(len(all)-1)/(sampleValues-1)]
	}
	return some
}
