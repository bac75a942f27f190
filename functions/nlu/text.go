package nlu

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// Marks that mean nothing at the edges of a word, and those that end a phrase
// even without a blank, because no word holds them.
const (
	edgeMarks  = ".。,，?¿？؟!¡！;；:：’、…،؛।\"“”«»"
	breakMarks = "。，？！；：、…"
)

// char is one character of a folded text and the bytes of the original that it
// stands for.
type char struct {
	r          rune
	start, end int32
}

func isBlank(r rune) bool { return r == ' ' }

// isHyphen tells of marks that may be spoken as a blank: "living-room".
func isHyphen(r rune) bool { return r == '-' || r == '_' }

// foldText makes of a text what is compared: one width, composed, small letters,
// no marks around words, single blanks between them and none around.
func foldText(text string) []char {
	chars := compose(widen(text))
	for i := range chars {
		c := &chars[i]
		if unicode.IsSpace(c.r) || unicode.IsControl(c.r) {
			c.r = ' '
		}
	}
	return foldCase(squeeze(stripMarks(chars)))
}

// foldWord folds a piece of a template in the same way. Marks stay: whether they
// stand at an edge is seen only when the piece is compared.
func foldWord(s string) []rune {
	var out []rune
	for _, c := range foldCase(compose(widen(s))) {
		out = append(out, c.r)
	}
	return out
}

// widen brings full-width and half-width forms to their usual ones and makes a
// blank of a mark that ends a phrase, except between digits.
func widen(text string) []char {
	chars := make([]char, 0, len(text))
	var prev rune
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		c := char{r: r, start: int32(i), end: int32(i + size)} //nolint:gosec // texts are far shorter than 2 GiB
		if r >= utf8.RuneSelf {
			if isInvisible(r) {
				i += size
				continue
			}
			if next, _ := utf8.DecodeRuneInString(text[i+size:]); isBreak(r, prev, next) {
				c.r = ' '
			}
			if folded := width.LookupRune(c.r).Folded(); folded != 0 {
				c.r = folded
			}
		}
		chars = append(chars, c)
		prev = r
		i += size
	}
	return chars
}

// isBreak tells of a mark that ends a phrase: not of one between digits, ８：３０.
func isBreak(r, prev, next rune) bool {
	return strings.ContainsRune(breakMarks, r) && (!unicode.IsDigit(prev) || !unicode.IsDigit(next))
}

// isInvisible tells of hints where a line may break, and a byte order mark.
func isInvisible(r rune) bool { return r == 0xad || r == 0x200b || r == 0xfeff }

// compose brings characters to NFC, keeping where each came from.
func compose(chars []char) []char {
	var b strings.Builder
	at := make([]int32, 0, len(chars)) // at byte i of b stands chars[at[i]]
	plain := true
	for i, c := range chars {
		plain = plain && c.r < utf8.RuneSelf
		n, _ := b.WriteRune(c.r)
		for range n {
			at = append(at, int32(i))
		}
	}
	if plain || norm.NFC.IsNormalString(b.String()) {
		return chars
	}
	var out []char
	var iter norm.Iter
	iter.InitString(norm.NFC, b.String())
	for !iter.Done() {
		from := chars[at[iter.Pos()]]
		segment := string(iter.Next())
		to := chars[at[iter.Pos()-1]]
		for _, r := range segment {
			out = append(out, char{r: r, start: from.start, end: to.end})
		}
	}
	return out
}

// stripMarks takes the marks off both ends of every word; marks within stay: 2.5.
func stripMarks(chars []char) []char {
	out := chars[:0]
	for i := 0; i < len(chars); {
		if isBlank(chars[i].r) {
			out = append(out, chars[i])
			i++
			continue
		}
		end := i
		for end < len(chars) && !isBlank(chars[end].r) {
			end++
		}
		from, to := i, end
		for from < to && isMark(chars[from].r) {
			from++
		}
		for to > from && isMark(chars[to-1].r) {
			to--
		}
		out = append(out, chars[from:to]...)
		i = end
	}
	return out
}

func isMark(r rune) bool { return strings.ContainsRune(edgeMarks, r) }

// squeeze leaves single blanks between words.
func squeeze(chars []char) []char {
	out := chars[:0]
	for _, c := range chars {
		if isBlank(c.r) && (len(out) == 0 || isBlank(out[len(out)-1].r)) {
			continue
		}
		out = append(out, c)
	}
	if n := len(out); n > 0 && isBlank(out[n-1].r) {
		out = out[:n-1]
	}
	return out
}

// foldCase makes small letters of all, such that a word in capitals folds to the
// same: ß becomes ss, as its capital does.
func foldCase(chars []char) []char {
	for i, c := range chars {
		if c.r == 'ß' || c.r == 'ẞ' {
			return foldSharp(chars, i)
		}
		chars[i].r = foldRune(c.r)
	}
	return chars
}

func foldSharp(chars []char, from int) []char {
	out := append([]char(nil), chars[:from]...)
	for _, c := range chars[from:] {
		if c.r == 'ß' || c.r == 'ẞ' {
			c.r = 's'
			out = append(out, c)
		}
		c.r = foldRune(c.r)
		out = append(out, c)
	}
	return out
}

func foldRune(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	case r == '’' || r == '‘' || r == 'ʼ':
		return '\''
	}
	// By way of the capital, so that ς is σ and the Turkish ı is i.
	return unicode.ToLower(unicode.ToUpper(r))
}

// trimWords cuts blanks and marks off what a wildcard took, but for the last dot
// of an initialism: A.C.
func trimWords(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || isMark(r) && r != '.' })
	trimmed := strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || isMark(r) })
	word := s[strings.LastIndexFunc(s, unicode.IsSpace)+1:]
	if strings.Count(word, ".") > 1 && strings.HasSuffix(word, ".") && strings.HasSuffix(trimmed, strings.TrimSuffix(word, ".")) {
		return trimmed + "."
	}
	return trimmed
}
