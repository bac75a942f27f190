package nlu

import (
	"slices"
	"strings"
)

// builder turns one parsed template into nodes. It works from the end to the
// start: each piece is built in front of what follows it.
type builder struct {
	scope *scope
	t     Template // for errors
	from  int      // nodes there were before
	rules int      // the sizes of the rules that are run on their own
}

// size is how many nodes there would be with all rules put in place.
func (b *builder) size() int { return min(len(b.scope.code.nodes)-b.from+b.rules, maxSize) }

// maxSize is more than any size of interest; rules within rules double quickly.
const maxSize = 1 << 30

func (b *builder) program(e expr) (int32, traits, error) {
	return b.build(e, b.scope.code.add(node{op: opAccept}))
}

func (b *builder) build(e expr, next int32) (int32, traits, error) {
	if len(b.scope.code.nodes)-b.from > maxTemplateNodes {
		return 0, traits{}, b.t.errorAt(0, "the template is too large once its rules are put in place: more than %d pieces", maxTemplateNodes)
	}
	if len(b.scope.code.nodes) > b.scope.code.limit {
		return 0, traits{}, b.t.errorAt(0, "all templates together are too large: more than %d pieces", b.scope.code.limit)
	}
	code := b.scope.code
	switch e := e.(type) {
	case exprText:
		return code.addText(e.text, next), textTraits(e.text), nil
	case exprBlank:
		return code.add(node{op: opBlank, next: next}), traits{empty: true}, nil
	case exprSeq:
		return b.sequence(e, next)
	case exprAlt:
		return b.alternatives(e, next)
	case exprPerm:
		return b.permutation(e, next)
	case exprRule:
		return b.rule(e, next)
	case exprList:
		return b.list(e, next)
	}
	return next, traits{empty: true}, nil
}

func (b *builder) sequence(es []expr, next int32) (int32, traits, error) {
	all := traits{empty: true}
	for _, e := range slices.Backward(es) {
		entry, t, err := b.build(e, next)
		if err != nil {
			return 0, traits{}, err
		}
		next, all = entry, t.then(all)
	}
	return next, all, nil
}

func (b *builder) alternatives(es []expr, next int32) (int32, traits, error) {
	var all traits
	alts := make([]int32, len(es))
	for i, e := range es {
		entry, t, err := b.build(e, next)
		if err != nil {
			return 0, traits{}, err
		}
		alts[i] = entry
		if i == 0 {
			all = t
		} else {
			all = all.either(t)
		}
	}
	return b.scope.code.addSplit(alts), all, nil
}

// permutation shares what follows the same set of parts, whatever their order
// was: 2^n states, not n!.
func (b *builder) permutation(es []expr, next int32) (int32, traits, error) {
	full := 1<<len(es) - 1
	entries := make([]int32, full+1)
	entries[full] = next
	var all traits
	for set := full - 1; set >= 0; set-- {
		var alts []int32
		for i, e := range es {
			if set&(1<<i) != 0 {
				continue
			}
			entry, t, err := b.build(e, entries[set|1<<i])
			if err != nil {
				return 0, traits{}, err
			}
			alts = append(alts, entry)
			if set == 0 {
				all = anyOrder(all, t, i == 0)
			}
		}
		entries[set] = b.scope.code.addSplit(alts)
	}
	return entries[0], all, nil
}

// anyOrder adds a part to the traits of a permutation.
func anyOrder(all, part traits, isFirst bool) traits {
	if isFirst {
		return part
	}
	out := all.either(part)
	out.must = all.must.or(part.must)
	out.empty = all.empty && part.empty
	// A part that may be empty shows the start of any other.
	return out
}

func (b *builder) rule(e exprRule, next int32) (int32, traits, error) {
	r, err := b.scope.use(e, b.t)
	if err != nil {
		return 0, traits{}, err
	}
	if r.lists {
		return b.build(r.body, next)
	}
	b.rules = min(b.rules+r.sub.size, maxSize)
	return b.scope.code.addRule(r.sub, next), r.sub.traits, nil
}

func (b *builder) list(e exprList, next int32) (int32, traits, error) {
	l, home, err := b.scope.find(e, b.t)
	if err != nil {
		return 0, traits{}, err
	}
	t := traits{anyFirst: true}
	if l != nil {
		t = l.traits()
	}
	use := &listNode{list: l, home: home, slot: e.slot, capture: e.capture}
	return b.scope.code.addList(use, next), t, nil
}

// trimBlanks takes blanks off both ends of a list value: the text around it has its own.
func trimBlanks(e expr) expr {
	seq, ok := e.(exprSeq)
	if !ok {
		return e
	}
	for len(seq) > 0 && seq[0] == (exprBlank{}) {
		seq = seq[1:]
	}
	for len(seq) > 0 && seq[len(seq)-1] == (exprBlank{}) {
		seq = seq[:len(seq)-1]
	}
	return seq
}

// isPlain tells of a template that stands for one text.
func isPlain(e expr) bool {
	seq, ok := e.(exprSeq)
	if !ok {
		return false
	}
	for _, part := range seq {
		switch part.(type) {
		case exprText, exprBlank:
		default:
			return false
		}
	}
	return true
}

// plainWords are the words of a plain template, single blanks between them, nil
// for any other.
func plainWords(e expr) []rune {
	if !isPlain(e) {
		return nil
	}
	var words []rune
	for _, part := range trimBlanks(e).(exprSeq) {
		text, ok := part.(exprText)
		switch {
		case ok && len(text.text) == 0:
			return nil
		case ok:
			words = append(words, text.text...)
		case !isBlank(words[len(words)-1]):
			words = append(words, ' ')
		}
	}
	return words
}

// plainText is the text that a plain template stands for.
func plainText(s string) string {
	var b strings.Builder
	escaped := false
	for _, r := range strings.TrimSpace(s) {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		b.WriteRune(r)
	}
	return b.String()
}
