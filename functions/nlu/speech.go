package nlu

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// speech is a text that guesses take to pieces.
type speech struct {
	text  string
	chars []char // of text, folded
	runes []rune
	bends []bend // in order
}

// bend is a piece of a sentence's text that is not what was heard.
type bend struct {
	from, to int32 // bytes
	heard    string
	taken    string
	trust    float64 // that it is right
}

func newSpeech(text string, bends []bend) *speech {
	chars := foldText(text)
	return &speech{text: text, chars: chars, runes: runesOf(chars), bends: bends}
}

// wording is a piece of a sentence, or several that were put together.
type wording struct {
	taken, heard string
	bends        []bend
	last         rune // of taken
}

// cut returns the characters from one to another, without blanks around them.
func (s *speech) cut(from, to int) wording {
	from = skipBlanks(s.runes, from)
	for to > from && isBlank(s.runes[to-1]) {
		to--
	}
	if from >= to {
		return wording{}
	}
	start, end := s.chars[from].start, s.chars[to-1].end
	p := wording{taken: s.text[start:end], last: s.runes[to-1]}
	var heard strings.Builder
	at := start
	for _, b := range s.bends {
		if b.from < start || b.to > end {
			continue
		}
		heard.WriteString(s.text[at:b.from])
		heard.WriteString(b.heard)
		p.bends = append(p.bends, b)
		at = b.to
	}
	heard.WriteString(s.text[at:end])
	p.heard = heard.String()
	return p
}

// then puts a wording behind another.
func (p wording) then(o wording) wording {
	switch {
	case o.taken == "":
		return p
	case p.taken == "":
		return o
	}
	blank := " "
	if first, _ := utf8.DecodeRuneInString(o.taken); isUnspaced(p.last) && isUnspaced(first) {
		blank = ""
	}
	return wording{
		taken: p.taken + blank + o.taken, heard: p.heard + blank + o.heard, last: o.last,
		bends: slices.Concat(p.bends, o.bends),
	}
}

// isUnspaced tells of scripts that have no blanks between words.
func isUnspaced(r rune) bool {
	return r > unicode.MaxLatin1 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// isEdge tells whether a word may begin at a character.
func (s *speech) isEdge(at int) bool {
	if at == 0 {
		return true
	}
	if isBlank(s.runes[at]) || !isBlank(s.runes[at-1]) && !isUnspaced(s.runes[at]) && !isUnspaced(s.runes[at-1]) {
		return false
	}
	byteAt := s.chars[at].start
	return !slices.ContainsFunc(s.bends, func(b bend) bool { return b.from < byteAt && byteAt < b.to })
}

// gap is what stands between two pieces of a sentence that may be commands.
type gap struct {
	from   int   // where the piece before it ends
	starts []int // where the one behind it may begin, likeliest first
}

// gaps finds the words and marks that may join commands, within the sentence.
// Several in a row make one gap, but those behind the first may also be the first
// words of what follows.
func (s *speech) gaps(l *language) []gap {
	var gaps []gap
	for at := 1; at < len(s.runes); {
		to := s.joint(l, at)
		if to == at {
			at++
			continue
		}
		g := gap{from: s.trim(at)}
		for to > at {
			at = skipBlanks(s.runes, to)
			g.starts = append(g.starts, at)
			if at == len(s.runes) { // half a sentence
				return gaps
			}
			to = s.joint(l, at)
		}
		slices.Reverse(g.starts)
		gaps = append(gaps, g)
	}
	return gaps
}

// outsideNumbers leaves the gaps that are within no number: "a hundred and fifty"
// is not two.
func (s *speech) outsideNumbers(gaps []gap, l *language) []gap {
	if l == nil {
		return gaps
	}
	for at := range s.runes {
		if !s.isEdge(at) {
			continue
		}
		for _, n := range l.numbers(nil, s.runes, at) {
			gaps = slices.DeleteFunc(gaps, func(g gap) bool { return at < g.from && g.starts[0] < n.end })
		}
	}
	return gaps
}

// opener returns where a sentence begins behind what opens a list of commands:
// "first".
func (s *speech) opener(l *language) int {
	if l == nil {
		return 0
	}
	end, _ := l.openers.longest(s.runes, 0)
	return skipBlanks(s.runes, end)
}

// trim returns where a piece ends that is followed by what is at a character.
func (s *speech) trim(at int) int {
	for at > 0 && isBlank(s.runes[at-1]) {
		at--
	}
	return at
}

// joint returns where what may join commands ends, if it begins at a character.
func (s *speech) joint(l *language, at int) int {
	r := s.runes[at]
	switch {
	case isBlank(r):
		if between := s.text[s.chars[at-1].end:s.chars[at+1].start]; strings.ContainsAny(between, separators) {
			return at + 1
		}
		return at
	case strings.ContainsRune(separators, r) && r != '.':
		if at > 0 && at+1 < len(s.runes) && unicode.IsDigit(s.runes[at-1]) && unicode.IsDigit(s.runes[at+1]) {
			return at
		}
		return at + 1
	case l == nil || !s.isEdge(at):
		return at
	}
	if end, _ := l.conjunctions.longest(s.runes, at); end > 0 {
		return end
	}
	return at
}

// separators are the marks that may join commands in any language.
const separators = ",，、;；.。!！?？،؛।"
