package nlu

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
)

// maxNameCharacters bounds the names that can be misheard which are written with
// characters that stand for syllables.
const maxNameCharacters = 12

// sounds find the names of a home by how they sound in a language. They are made
// for the whole home at once and hold few pointers, since homes are many.
type sounds struct {
	tag        string // of the language
	lists      []*list
	spelling   spelledNames
	characters []soundName // by hash
	longest    int         // of these, in characters
}

// nameRef is a text in the keys of a list.
type nameRef struct {
	list uint16
	key  int32
}

// soundName is a name that is written with characters that stand for syllables.
type soundName struct {
	nameRef
	hash uint32
}

// ear hears a language.
type ear struct {
	*sounds

	listener *listener
	language *language // nil: of which no words are known
}

// hear returns the sounds of the lists in a language. They are made when a name
// may have been misheard for the first time, and kept.
func (l *Lists) hear(lang *language) ear {
	tag := ""
	if lang != nil {
		tag = lang.tag
	}
	s := ear{l.heard.Load(), &listener{kinds: newSoundKinds()}, lang}
	if s.sounds != nil && s.tag == tag {
		return s
	}
	s.sounds = &sounds{tag: tag}
	for _, name := range slices.Sorted(maps.Keys(l.lists)) {
		if list := l.lists[name]; list.keys != nil {
			s.add(list)
		}
	}
	s.spelling.settle()
	slices.SortFunc(s.characters, func(a, b soundName) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.list, b.list), cmp.Compare(a.key, b.key))
	})
	s.characters = slices.Clone(s.characters)
	l.heard.Store(s.sounds)
	return s
}

func (s ear) add(l *list) {
	ref := nameRef{list: uint16(len(s.lists))} //nolint:gosec // there are few
	s.lists = append(s.lists, l)
	for i := range l.keys.values {
		if i > 0 && slices.Equal(l.keys.text(int32(i)), l.keys.text(int32(i-1))) {
			continue
		}
		ref.key = int32(i)
		text := l.keys.text(ref.key)
		if slices.ContainsFunc(text, isUnspaced) {
			s.addCharacters(ref, text)
			continue
		}
		s.spelling.add(ref, s.language.wordsOf(text), s.listener)
	}
}

func (s ear) addCharacters(ref nameRef, text []rune) {
	if s.language == nil || s.language.readings == nil || len(text) < 2 || len(text) > maxNameCharacters {
		return
	}
	for _, h := range s.language.readings().hashes(text) {
		s.characters = append(s.characters, soundName{ref, h})
	}
	s.longest = max(s.longest, len(text))
}

// name returns what a text of the keys is and stands for.
func (s *sounds) name(r nameRef) nearName {
	l := s.lists[r.list]
	return nearName{string(s.text(r)), l, l.values[l.keys.values[r.key]].out}
}

func (s *sounds) text(r nameRef) []rune { return s.lists[r.list].keys.text(r.key) }

// hearing is a name that a piece of a text may have been.
type hearing struct {
	from, to int // characters of the text
	name     string
	trust    float64
}

// How likely what sounds like a name is one: if it sounds the same, and how much
// less by the cost of hearing it for the name.
const (
	soundConfidence = 0.85
	costConfidence  = 0.05
	leastConfidence = 0.5
)

func trustOf(cost int) float64 {
	return max(leastConfidence, soundConfidence-costConfidence*float64(cost))
}

// nearest keeps the names that a piece of a text is nearest to.
type nearest struct {
	cost  int
	names []nearName
}

// nearName is a name and what it stands for.
type nearName struct {
	name string
	list *list
	out  any
}

// add notes what a piece costs to be heard for a name. Of names that stand for the
// same, one is enough.
func (n *nearest) add(cost int, name nearName) {
	if cost < n.cost {
		n.cost, n.names = cost, n.names[:0]
	}
	same := func(o nearName) bool {
		return o.name == name.name || o.list == name.list && o.out != nil && reflect.DeepEqual(o.out, name.out)
	}
	if cost == n.cost && cost < costTooFar && !slices.ContainsFunc(n.names, same) {
		n.names = append(n.names, name)
	}
}

// maxAlike bounds the names that one piece may have been. What sounds like more
// of them is like none.
const maxAlike = 4

func (n *nearest) hearings(found []hearing, from, to int) []hearing {
	if len(n.names) > maxAlike {
		return found
	}
	for _, name := range n.names {
		found = append(found, hearing{from: from, to: to, name: name.name, trust: trustOf(n.cost)})
	}
	return found
}

// charactersLike appends the names that pieces of a text sound like which are
// written with characters that stand for syllables.
func (s ear) charactersLike(found []hearing, runes []rune) []hearing {
	if len(s.characters) == 0 {
		return found
	}
	r := s.language.readings()
	for from := range runes {
		for to := from + 1; to <= len(runes) && to-from <= s.longest && r.of[runes[to-1]][0] != 0; to++ {
			if to-from < 2 {
				continue
			}
			n := nearest{cost: costTooFar}
			for _, h := range r.hashes(runes[from:to]) {
				s.nearCharacters(&n, runes[from:to], h)
			}
			found = n.hearings(found, from, to)
		}
	}
	return found
}

func (s ear) nearCharacters(n *nearest, heard []rune, hash uint32) {
	at, _ := slices.BinarySearchFunc(s.characters, hash, func(a soundName, h uint32) int { return cmp.Compare(a.hash, h) })
	for ; at < len(s.characters) && s.characters[at].hash == hash; at++ {
		ref := s.characters[at].nameRef
		n.add(s.language.charactersCost(s.text(ref), heard), s.name(ref))
	}
}

// charactersCost is the cost of hearing some characters for a name: a whole for
// each that does not sound the same, of which there may be half. A number is only
// heard for itself.
func (l *language) charactersCost(name, heard []rune) int {
	if len(name) != len(heard) {
		return costTooFar
	}
	r, cost := l.readings(), 0
	for i := range name {
		like := r.compare(name[i], heard[i])
		a, isNumber := l.numeral(name[i])
		if b, too := l.numeral(heard[i]); like == otherSound || like == similarSound && (isNumber || too) || isNumber && too && a != b {
			return costTooFar
		}
		if like == similarSound {
			cost += costWhole
		}
	}
	if cost > (len(name)+1)/2*costWhole {
		return costTooFar
	}
	return cost
}

// numeral returns the number that a character stands for.
func (l *language) numeral(r rune) (float64, bool) {
	if value, ok := l.file.Number.Words[string(r)]; ok {
		return value, true
	}
	value, ok := l.file.Number.Scales[string(r)]
	return value, ok
}
