package nlu

import (
	"cmp"
	"slices"
)

// Bounds on the names that can be misheard which are written with letters, and on
// the words of a text in which they are looked for.
const (
	maxNameWords   = 6
	maxNameLetters = 100
	maxHeardWords  = 60
)

// spelledNames are names that are written with letters. They share their words.
type spelledNames struct {
	words   []nameWord
	sounds  []byte            // of the words
	names   []spelledName     // by count, then by size
	wordsOf []uint16          // of the names: indexes in words
	byFirst []uint16          // names, by their first word
	known   map[string]uint16 // the words, while they are added
}

// nameWord is a word that occurs in names.
type nameWord struct {
	mask    soundMask
	from    uint32 // of its sound
	size    uint8  // of its sound
	letters uint8
	number  bool
}

// spelledName is a name, or what rules it out at a glance.
type spelledName struct {
	nameRef
	mask    soundMask
	from    uint32 // of its words
	count   uint8  // of its words
	size    uint8  // of their sounds
	letters uint8
	small   bool // a word is too short to be misheard, or a number
	number  bool // a word is a number
}

// add adds a name.
func (n *spelledNames) add(ref nameRef, words []word, l *listener) {
	name := spelledName{nameRef: ref, from: uint32(len(n.wordsOf)), count: uint8(min(len(words), maxNameWords+1))} //nolint:gosec // bounded
	letters, size := 0, 0
	for i := range words {
		letters, size = letters+words[i].letters, size+len(words[i].sound)
		name.small, name.number = name.small || words[i].isSmall(), name.number || words[i].number
	}
	if name.count == 0 || name.count > maxNameWords || max(letters, size) > maxNameLetters || len(n.wordsOf) > 1<<16-1-maxNameWords {
		return
	}
	name.letters, name.size = uint8(letters), uint8(size)
	for i := range words {
		n.wordsOf = append(n.wordsOf, n.word(&words[i], l))
	}
	name.mask = l.mask(n.joined(&name))
	n.names = append(n.names, name)
}

// word returns the index of a word, which it adds if it is new.
func (n *spelledNames) word(w *word, l *listener) uint16 {
	key := string(append([]byte{byte(w.letters)}, w.sound...)) //nolint:gosec // bounded
	if known, again := n.known[key]; again {
		return known
	}
	if n.known == nil {
		n.known = make(map[string]uint16)
	}
	n.known[key] = uint16(len(n.words)) //nolint:gosec // see add
	n.words = append(n.words, nameWord{
		mask: l.mask(w.sound), from: uint32(len(n.sounds)), size: uint8(len(w.sound)), letters: uint8(w.letters), number: w.number, //nolint:gosec // bounded
	})
	n.sounds = append(n.sounds, w.sound...)
	return n.known[key]
}

func (n *spelledNames) sound(w *nameWord) []byte { return n.sounds[w.from : w.from+uint32(w.size)] }

func (n *spelledNames) of(s *spelledName) []uint16 {
	return n.wordsOf[s.from : s.from+uint32(s.count)]
}

// settle brings the names in order when all are there.
func (n *spelledNames) settle() {
	slices.SortFunc(n.names, func(a, b spelledName) int {
		return cmp.Or(cmp.Compare(a.count, b.count), cmp.Compare(a.size, b.size), cmp.Compare(a.list, b.list), cmp.Compare(a.key, b.key))
	})
	n.byFirst = make([]uint16, len(n.names))
	for i := range n.byFirst {
		n.byFirst[i] = uint16(i)
	}
	slices.SortStableFunc(n.byFirst, func(a, b uint16) int { return cmp.Compare(n.first(a), n.first(b)) })
	n.known = nil
	n.words, n.sounds = slices.Clone(n.words), slices.Clone(n.sounds)
	n.names, n.wordsOf = slices.Clone(n.names), slices.Clone(n.wordsOf)
}

func (n *spelledNames) first(name uint16) uint16 { return n.wordsOf[n.names[name].from] }

// heardWord is a word of a text, and the words of names that it sounds like.
type heardWord struct {
	word

	mask  soundMask
	bound bool // nothing but blanks is between it and the word before it
	like  []likeWord
}

type likeWord struct {
	word uint16
	cost int
}

// heard finds the words of a text, and what they sound like.
func (s ear) heard(runes []rune) []heardWord {
	words := s.language.wordsOf(runes)
	if len(words) > maxHeardWords {
		return nil
	}
	heard := make([]heardWord, len(words))
	for i, w := range words {
		heard[i] = heardWord{word: w, mask: s.listener.mask(w.sound)}
		heard[i].bound = i > 0 && !slices.ContainsFunc(runes[words[i-1].to:w.from], func(r rune) bool { return !isBlank(r) && !isHyphen(r) })
		s.likeWords(&heard[i])
	}
	return heard
}

// likeWords finds the words of names that a word may be heard for. A number is
// only heard for itself, a word of three letters for what sounds nearly the same.
func (s ear) likeWords(w *heardWord) {
	for i := range s.spelling.words {
		k := &s.spelling.words[i]
		limit := costLimit(int(k.letters))
		switch {
		case k.number || w.number:
			limit = 0
			if k.number != w.number {
				continue
			}
		case k.letters == shortName-1:
			limit = costHalf
		}
		if absolute(int(k.size)-len(w.sound)) > limit || !k.mask.mayCost(w.mask, limit) {
			continue
		}
		if cost := s.listener.soundCost(s.spelling.sound(k), w.sound, limit); cost <= limit {
			w.like = append(w.like, likeWord{uint16(i), cost})
		}
	}
}

// spelledLike appends the names that pieces of a text sound like which are written
// with letters.
func (s ear) spelledLike(found []hearing, runes []rune) []hearing {
	if len(s.spelling.names) == 0 {
		return found
	}
	words := s.heard(runes)
	near := make([]nearest, maxNameWords+2) // by the number of words
	for i := range words {
		most := 1
		for most < len(words)-i && most <= maxNameWords && words[i+most].bound {
			most++
		}
		for k := range near {
			near[k] = nearest{cost: costTooFar}
		}
		s.wordByWord(near, words[i:i+most])
		for k := 1; k <= most; k++ {
			s.inOne(&near[k], words[i:i+k])
			found = near[k].hearings(found, words[i].from, words[i+k-1].to)
		}
	}
	return found
}

// wordByWord finds names of which each word is heard as one, so that short words
// count as much as long ones.
func (s ear) wordByWord(near []nearest, words []heardWord) {
	n := &s.spelling
	for _, like := range words[0].like {
		from, _ := slices.BinarySearchFunc(n.byFirst, like.word, func(name, word uint16) int { return cmp.Compare(n.first(name), word) })
		for _, at := range n.byFirst[from:] {
			if n.first(at) != like.word {
				break
			}
			name := &n.names[at]
			if int(name.count) > len(words) {
				continue
			}
			cost := like.cost
			for k, word := range n.of(name)[1:] {
				cost += words[k+1].costOf(word)
			}
			if cost <= costLimit(int(name.letters)) {
				near[name.count].add(cost, s.name(name.nameRef))
			}
		}
	}
}

func (w *heardWord) costOf(word uint16) int {
	for _, like := range w.like {
		if like.word == word {
			return like.cost
		}
	}
	return costTooFar
}

// inOne finds names that were heard as a word more, or one less: bed side lamp.
// Numbers are not lost in other words, and with words of a letter or two nothing
// but the blanks may differ.
func (s ear) inOne(near *nearest, words []heardWord) {
	var sound []byte
	limit := shortCost
	for i := range words {
		if words[i].number {
			return
		}
		if words[i].isSmall() {
			limit = 0
		}
		sound = append(sound, words[i].sound...)
	}
	mask := s.listener.mask(sound)
	for _, count := range []int{len(words) - 1, len(words) + 1} {
		s.inOneOf(near, count, sound, mask, limit)
	}
}

// inOneOf looks among the names of so many words.
func (s ear) inOneOf(near *nearest, count int, sound []byte, mask soundMask, limit int) {
	n := &s.spelling
	from, _ := slices.BinarySearchFunc(n.names, spelledName{count: uint8(count), size: uint8(max(len(sound)-limit, 0))}, func(a, b spelledName) int { //nolint:gosec // bounded
		return cmp.Or(cmp.Compare(a.count, b.count), cmp.Compare(a.size, b.size))
	})
	for i := from; i < len(n.names) && int(n.names[i].count) == count && int(n.names[i].size) <= len(sound)+limit; i++ {
		name := &n.names[i]
		if !name.mask.mayCost(mask, limit) || name.number {
			continue
		}
		most := min(limit, costLimit(int(name.letters)), near.cost)
		if name.small {
			most = 0
		}
		if cost := s.listener.soundCost(n.joined(name), sound, most); cost <= most {
			near.add(cost, s.name(name.nameRef))
		}
	}
}

// joined is the sound of all words of a name.
func (n *spelledNames) joined(name *spelledName) []byte {
	var room [maxNameLetters]byte
	sound := room[:0]
	for _, word := range n.of(name) {
		sound = append(sound, n.sound(&n.words[word])...)
	}
	return sound
}

// isSmall tells of a word that it is too short to be misheard.
func (w *word) isSmall() bool { return w.number || w.letters < shortName-1 }

func absolute(n int) int { return max(n, -n) }
