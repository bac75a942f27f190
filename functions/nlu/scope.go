package nlu

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// scope is what names mean to a template.
type scope struct {
	code     *code
	language *language
	words    numberReader
	lists    map[string]List
	rules    map[string]Template
	inline   bool // rules are put in place, all of them

	ready   map[string]*list
	parsed  map[string]*rule
	opening []string // rules and lists being worked on, to see recursion
}

type rule struct {
	from  Template
	body  expr
	lists bool        // it holds lists, so its body is put in place
	sub   *subProgram // else it is run on its own
	err   error
}

func newScope(c *code, l *language, words numberReader, lists map[string]List, rules map[string]Template) *scope {
	return &scope{
		code: c, language: l, words: words, lists: lists, rules: rules,
		ready: make(map[string]*list), parsed: make(map[string]*rule),
	}
}

// open guards against a rule or list that holds itself.
func (s *scope) open(name string, t Template, at int) error {
	if i := slices.Index(s.opening, name); i >= 0 {
		path := strings.Join(append(slices.Clone(s.opening[i:]), name), " -> ")
		return t.errorAt(at, "%s holds itself: %s", name, path)
	}
	if len(s.opening) >= maxRuleDepth {
		return t.errorAt(at, "rules stand more than %d deep", maxRuleDepth)
	}
	s.opening = append(s.opening, name)
	return nil
}

func (s *scope) close() { s.opening = s.opening[:len(s.opening)-1] }

func (s *scope) rule(name string) (*rule, error) {
	if r := s.parsed[name]; r != nil {
		return r, r.err
	}
	r := &rule{from: s.rules[name]}
	r.body, r.err = parseTemplate(r.from)
	if r.err == nil {
		if r.err = s.open("<"+name+">", r.from, 0); r.err == nil {
			r.err = s.prepare(r)
			s.close()
		}
	}
	s.parsed[name] = r
	return r, r.err
}

// prepare finds out whether the rule holds lists, through the rules that it uses.
func (s *scope) prepare(r *rule) error {
	var err error
	if r.lists, err = s.holdsLists(r.body, r.from); err != nil || r.lists {
		return err
	}
	if r.lists = s.inline; r.lists {
		return nil
	}
	b := builder{scope: s, t: r.from, from: len(s.code.nodes)}
	entry, t, err := b.program(r.body)
	if err != nil {
		return err
	}
	r.sub = &subProgram{entry: entry, size: b.size(), traits: t}
	return nil
}

func (s *scope) holdsLists(e expr, t Template) (bool, error) {
	switch e := e.(type) {
	case exprSeq:
		return s.anyHoldsLists(e, t)
	case exprAlt:
		return s.anyHoldsLists(e, t)
	case exprPerm:
		return s.anyHoldsLists(e, t)
	case exprList:
		return true, nil
	case exprRule:
		r, err := s.use(e, t)
		if err != nil {
			return false, err
		}
		return r.lists, nil
	}
	return false, nil
}

func (s *scope) anyHoldsLists(es []expr, t Template) (bool, error) {
	any := false
	for _, e := range es {
		holds, err := s.holdsLists(e, t)
		if err != nil {
			return false, err
		}
		any = any || holds
	}
	return any, nil
}

// use finds the rule that a template names.
func (s *scope) use(e exprRule, t Template) (*rule, error) {
	if _, known := s.rules[e.name]; !known {
		return nil, t.errorAt(e.at, "there is no rule <%s>", e.name)
	}
	if slices.Contains(s.opening, "<"+e.name+">") {
		return nil, s.open("<"+e.name+">", t, e.at)
	}
	return s.rule(e.name)
}

// find returns the list that a template names, or the name of a list of the home.
func (s *scope) find(e exprList, t Template) (*list, string, error) {
	if e.inline != nil {
		return s.rangeList(e.inline), "", nil
	}
	if _, known := s.lists[e.list]; known {
		if slices.Contains(s.opening, "{"+e.list+"}") {
			return nil, "", s.open("{"+e.list+"}", t, e.at)
		}
		l, err := s.list(e.list)
		if err != nil {
			return nil, "", err
		}
		if l.kind == ListHome {
			return nil, e.list, nil
		}
		return l, "", nil
	}
	if isHomeList(e.list) {
		return nil, e.list, nil
	}
	if l := s.builtin(e.list); l != nil {
		return l, "", nil
	}
	return nil, "", t.errorAt(e.at, "there is no list {%s}%s", e.list, s.builtinHint())
}

func isHomeList(name string) bool { return name == "name" || name == "area" || name == "floor" }

func (s *scope) builtin(name string) *list {
	if s.language == nil {
		return nil
	}
	if l := s.ready[":"+name]; l != nil {
		return l
	}
	l := s.language.builtin(name)
	if l != nil {
		s.ready[":"+name] = l
	}
	return l
}

func (s *scope) builtinHint() string {
	if s.language == nil {
		return "; this language has no built-in lists"
	}
	return "; built in are {" + strings.Join(builtinNames(), "}, {") + "}"
}

func (s *scope) list(name string) (*list, error) {
	if l := s.ready[name]; l != nil {
		return l, nil
	}
	def := s.lists[name]
	var at Template
	if len(def.Values) > 0 {
		at = def.Values[0].In
	}
	if err := s.open("{"+name+"}", at, 0); err != nil {
		return nil, err
	}
	defer s.close()
	l, err := s.compileList(name, def)
	if err != nil {
		return nil, err
	}
	s.ready[name] = l
	return l, nil
}

func (s *scope) compileList(name string, def List) (*list, error) {
	l := &list{kind: def.Kind, words: s.words, code: s.code}
	switch def.Kind {
	case ListRange:
		rng := def.Range
		if err := rng.check(); err != nil {
			return nil, fmt.Errorf("list %s: %w", name, err)
		}
		return s.rangeList(&rng), nil
	case ListValues:
		plain := make([][]rune, len(def.Values))
		l.values = make([]listValue, len(def.Values))
		var contexts []facts
		for i, v := range def.Values {
			value, t, err := s.value(v, &plain[i])
			if err != nil {
				return nil, err
			}
			value.facts = shared(&contexts, v.Context)
			if l.values[i] = value; i > 0 {
				t = l.shared.either(t)
			}
			l.shared = t
		}
		l.keys = newKeys(s.code, l.values, plain)
	case ListWildcard, ListHome:
	default:
		return nil, fmt.Errorf("list %s: unknown kind %d", name, def.Kind)
	}
	return l, nil
}

// maxShared bounds the facts among which equal ones are looked for.
const maxShared = 32

// shared returns the context of a value: facts of one before that are equal, for a
// home has many names and few kinds of things, else new ones.
func shared(before *[]facts, context map[string]any) facts {
	if len(context) == 0 {
		return nil
	}
	for _, known := range *before {
		if known.equal(context) {
			return known
		}
	}
	own := make(facts, 0, len(context))
	for _, key := range slices.Sorted(maps.Keys(context)) {
		own = append(own, fact{key, context[key]})
	}
	if len(*before) < maxShared {
		*before = append(*before, own)
	}
	return own
}

func (f facts) equal(context map[string]any) bool {
	return len(f) == len(context) && !slices.ContainsFunc(f, func(x fact) bool {
		value, there := context[x.key]
		return !there || !reflect.DeepEqual(value, x.value)
	})
}

func (s *scope) rangeList(rng *Range) *list {
	l := &list{kind: ListRange, rng: rng, words: s.words, first: digitsBegin()}
	if s.words != nil {
		l.first = s.words.begins()
	}
	return l
}

// value compiles a value of a list; one that is a plain text needs no program.
func (s *scope) value(v Value, plain *[]rune) (listValue, traits, error) {
	e, err := parseTemplate(v.In)
	if err != nil {
		return listValue{}, traits{}, err
	}
	var t traits
	value := listValue{out: plainValue(v.Out)}
	if value.out == nil && isPlain(e) {
		value.out = plainText(v.In.Text)
	}
	if *plain = plainWords(e); *plain != nil {
		t = textTraits(*plain)
	} else {
		value.piece = &subProgram{}
		b := builder{scope: s, t: v.In, from: len(s.code.nodes)}
		value.piece.entry, value.piece.traits, err = b.program(trimBlanks(e))
		if err != nil {
			return listValue{}, traits{}, err
		}
		t = value.piece.traits
	}
	if t.empty {
		return listValue{}, traits{}, v.In.errorAt(0, "a list value matches the empty text")
	}
	return value, t, nil
}
