package nlu

import "slices"

// lexicon finds words and phrases at a place of a folded text. A blank of a
// phrase may be a hyphen in the text.
type lexicon[T any] struct {
	spaced bool // a phrase ends where a word ends
	root   lexiconNode[T]
}

type lexiconNode[T any] struct {
	runes []rune // in order
	next  []*lexiconNode[T]
	value *T
}

// after returns the node behind a character, nil: none.
func (n *lexiconNode[T]) after(r rune) *lexiconNode[T] {
	if i, ok := slices.BinarySearch(n.runes, r); ok {
		return n.next[i]
	}
	return nil
}

func (x *lexicon[T]) add(phrase string, value T) {
	n := &x.root
	for _, r := range foldWord(phrase) {
		if isHyphen(r) {
			r = ' '
		}
		i, known := slices.BinarySearch(n.runes, r)
		if !known {
			n.runes = slices.Insert(n.runes, i, r)
			n.next = slices.Insert(n.next, i, &lexiconNode[T]{})
		}
		n = n.next[i]
	}
	n.value = &value
}

// begins is what the phrases begin with.
func (x *lexicon[T]) begins() (m mask) {
	for _, r := range x.root.runes {
		m.add(r)
	}
	return m
}

// all calls found for every phrase that begins at pos, the shortest first.
func (x *lexicon[T]) all(runes []rune, pos int, found func(end int, value T)) {
	n := &x.root
	for ; pos < len(runes); pos++ {
		r := runes[pos]
		next := n.after(r)
		if next == nil && isHyphen(r) {
			next = n.after(' ')
		}
		if next == nil {
			return
		}
		n = next
		if n.value != nil && (!x.spaced || isWordEnd(runes, pos+1)) {
			found(pos+1, *n.value)
		}
	}
}

// longest returns the longest phrase that begins at pos; end 0: none.
func (x *lexicon[T]) longest(runes []rune, pos int) (end int, value T) {
	x.all(runes, pos, func(e int, v T) { end, value = e, v })
	return end, value
}

// numberTable knows the spellings of certain numbers.
type numberTable struct{ words lexicon[float64] }

func newNumberTable(spellings map[float64][]string) *numberTable {
	t := &numberTable{}
	for number, words := range spellings {
		for _, w := range words {
			if w != "" {
				t.words.add(w, number)
			}
		}
	}
	return t
}

func (t *numberTable) begins() mask { return digitsBegin().or(t.words.begins()) }

func (t *numberTable) numbers(found []span, runes []rune, pos int) []span {
	t.words.all(runes, pos, func(end int, number float64) { found = append(found, span{end, number}) })
	return found
}
