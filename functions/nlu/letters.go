package nlu

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// spelling is how letters sound: what they are replaced by before words are
// compared. "^" is the start of a word, "$" its end.
type spelling struct {
	rules map[rune][]spellingRule // by the first letter, longest first
}

type spellingRule struct {
	from       []rune
	to         []byte
	start, end bool
}

func newSpelling(rules map[string]string) *spelling {
	s := &spelling{rules: make(map[rune][]spellingRule)}
	for from, to := range rules {
		r := spellingRule{to: []byte(to)}
		from, r.start = strings.CutPrefix(from, "^")
		from, r.end = strings.CutSuffix(from, "$")
		if r.from = []rune(from); len(r.from) > 0 {
			s.rules[r.from[0]] = append(s.rules[r.from[0]], r)
		}
	}
	for _, rules := range s.rules {
		slices.SortFunc(rules, func(a, b spellingRule) int {
			return cmp.Or(cmp.Compare(len(b.from), len(a.from)), compareBools(b.start, a.start), compareBools(b.end, a.end), slices.Compare(a.from, b.from))
		})
	}
	return s
}

// sound appends how a word sounds: a byte for each sound, once where it is doubled.
func (s *spelling) sound(out []byte, word []rune) []byte {
	from := len(out)
	for at := 0; at < len(word); {
		n := 0
		for _, r := range s.rules[word[at]] {
			if end := at + len(r.from); end <= len(word) && (!r.start || at == 0) && (!r.end || end == len(word)) && slices.Equal(word[at:end], r.from) {
				for _, b := range r.to {
					out = appendSound(out, from, b)
				}
				n = len(r.from)
				break
			}
		}
		if n == 0 {
			if b := soundOf(word[at]); b != 0 {
				out = appendSound(out, from, b)
			}
			n = 1
		}
		at += n
	}
	return out
}

func appendSound(out []byte, from int, sound byte) []byte {
	if n := len(out); n > from && out[n-1] == sound {
		return out
	}
	return append(out, sound)
}

// soundOf is the byte for a letter: the letter itself without what is above or
// below it; of other scripts one that few others of the script have. 0: none.
func soundOf(r rune) byte {
	switch {
	case r == '\'':
		return 0
	case r < utf8.RuneSelf:
		return byte(r) //nolint:gosec // one byte
	case r < 0x300:
		if base, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r))); base < utf8.RuneSelf {
			return byte(base) //nolint:gosec // one byte
		}
	}
	return utf8.RuneSelf | byte(r) //nolint:gosec // any will do
}

// word is one of a text or a name.
type word struct {
	from, to int    // characters of the text
	sound    []byte // of a number: its digits
	letters  int    // as written
	number   bool
}

// wordsOf finds the words of a text that are written with letters.
func (l *language) wordsOf(runes []rune) []word {
	var words []word
	var room []byte
	for at := 0; at < len(runes); {
		if !isSpelled(runes[at]) {
			at++
			continue
		}
		w := word{from: at}
		w.number = unicode.IsDigit(runes[at])
		for at < len(runes) && (isSpelled(runes[at]) || runes[at] == '\'') && unicode.IsDigit(runes[at]) == w.number {
			at++
		}
		w.to, w.letters = at, at-w.from
		from := len(room)
		room, w.number = l.sound(room, runes[w.from:at], w.number)
		w.sound = slices.Clip(room[from:])
		words = append(words, w)
	}
	return words
}

// isSpelled tells of letters and digits of scripts that put blanks between words.
func isSpelled(r rune) bool { return isWordRune(r) && r != '_' && !isUnspaced(r) }

// sound appends how a word sounds, or the digits of a number.
func (l *language) sound(out []byte, letters []rune, digits bool) ([]byte, bool) {
	switch {
	case digits:
		return append(out, string(letters)...), true
	case l == nil:
		return new(spelling).sound(out, letters), false
	}
	if end, w := l.words.longest(letters, 0); end == len(letters) && w.kind == numberDigit {
		return strconv.AppendFloat(out, w.value, 'f', -1, 64), true
	}
	return l.spelling.sound(out, letters), false
}

// Costs of hearing one sound for another.
const (
	costHalf   = 1
	costWhole  = 2
	costTooFar = 1 << 10
)

// Names are misheard by these costs at most, by their letters.
const (
	shortName, shortCost = 4, costWhole
	longName, longCost   = 8, 2 * costWhole
)

func costLimit(letters int) int {
	switch {
	case letters < shortName:
		return 0
	case letters < longName:
		return shortCost
	}
	return longCost
}

// consonants lists those that are taken for each other.
const consonants = "bp dt gk fv sz mn cjx"

// soundKind tells what a sound is taken for.
type soundKind struct {
	vowel bool
	class byte // one that stands for all that are taken for each other
}

// soundKinds tell of each sound what it is taken for.
func newSoundKinds() *[256]soundKind {
	var kinds [256]soundKind
	for b := range kinds {
		kinds[b].class = byte(b)
	}
	for group := range strings.FieldsSeq(consonants) {
		for _, b := range []byte(group) {
			kinds[b].class = group[0]
		}
	}
	for _, b := range []byte("aeiouy") {
		kinds[b] = soundKind{vowel: true, class: 'a'}
	}
	return &kinds
}

// listener compares sounds, in memory of its own.
type listener struct {
	kinds *[256]soundKind
	rows  []int
}

// insertCost is that of hearing a sound where there is none.
func (l *listener) insertCost(b byte) int {
	if l.kinds[b].vowel || b == 'h' {
		return costHalf
	}
	return costWhole
}

func (l *listener) replaceCost(a, b byte) int {
	switch {
	case a == b:
		return 0
	case l.kinds[a].class == l.kinds[b].class:
		return costHalf
	}
	return costWhole
}

// soundMask tells how often each consonant is in a sound, up to three times: a bit
// for each time, the same for those that are taken for each other. Where n bits
// differ, the cost is n or more.
type soundMask uint64

func (l *listener) mask(sound []byte) soundMask {
	var mask soundMask
	for _, b := range sound {
		k := l.kinds[b]
		if k.vowel || b == 'h' {
			continue
		}
		once := soundMask(1) << (k.class % 21 * 3)
		switch {
		case mask&once == 0:
			mask |= once
		case mask&(once<<1) == 0:
			mask |= once << 1
		default:
			mask |= once << 2
		}
	}
	return mask
}

// mayCost is false where two sounds are further from each other than a limit.
func (m soundMask) mayCost(o soundMask, limit int) bool {
	return bits.OnesCount64(uint64(m^o)) <= limit
}

// soundCost is the least cost of hearing b for a; sounds that change places cost
// as one. What is above the limit is not told apart.
func (l *listener) soundCost(a, b []byte, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return costTooFar
	}
	if bytes.Equal(a, b) {
		return 0
	}
	width := len(b) + 1
	l.rows = slices.Grow(l.rows[:0], 3*width)[:3*width]
	before, last, row := l.rows[:width], l.rows[width:2*width], l.rows[2*width:]
	last[0] = 0
	for j := range b {
		last[j+1] = last[j] + l.insertCost(b[j])
	}
	for i := range a {
		row[0] = last[0] + l.insertCost(a[i])
		least := row[0]
		for j := range b {
			cost := min(last[j]+l.replaceCost(a[i], b[j]), last[j+1]+l.insertCost(a[i]), row[j]+l.insertCost(b[j]))
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				cost = min(cost, before[j-1]+costWhole)
			}
			row[j+1] = cost
			least = min(least, cost)
		}
		if least > limit {
			return costTooFar
		}
		before, last, row = last, row, before
	}
	if last[len(b)] > limit {
		return costTooFar
	}
	return last[len(b)]
}
