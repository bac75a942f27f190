package nlu

import (
	"slices"
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

// folder folds texts in memory of its own, which the next text takes over.
type folder struct {
	chars []char
	bytes []byte
	at    []int32 // at byte i of bytes stands chars[at[i]]
}

// foldText folds a text into memory that nobody else has.
func foldText(text string) []char { return new(folder).fold(text) }

// fold makes of a text what is compared: one width, composed, small letters, no
// marks around words, single blanks between them and none around.
func (f *folder) fold(text string) []char {
	f.widen(text)
	chars := f.compose()
	for i := range chars {
		if c := &chars[i]; !isPlainRune(c.r) && (unicode.IsSpace(c.r) || unicode.IsControl(c.r)) {
			c.r = ' '
		}
	}
	return foldCase(squeeze(stripMarks(chars)))
}

// isPlainRune tells of most characters of most texts that they are no mark and no
// blank, and have one form only.
func isPlainRune(r rune) bool { return 'a' <= r && r <= 'z' || 0x4e00 <= r && r <= 0x9fff }

// foldWord folds a piece of a template in the same way. Marks stay: whether they
// stand at an edge is seen only when the piece is compared.
func foldWord(s string) []rune {
	var out []rune
	var f folder
	f.widen(s)
	for _, c := range foldCase(f.compose()) {
		out = append(out, c.r)
	}
	return out
}

// widen brings full-width and half-width forms to their usual ones and makes a
// blank of a mark that ends a phrase, except between digits.
func (f *folder) widen(text string) {
	f.chars = slices.Grow(f.chars[:0], len(text))
	var prev rune
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		c := char{r: r, start: int32(i), end: int32(i + size)} //nolint:gosec // texts are far shorter than 2 GiB
		if r >= utf8.RuneSelf && !isPlainRune(r) {
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
		f.chars = append(f.chars, c)
		prev = r
		i += size
	}
}

// isBreak tells of a mark that ends a phrase: not of one between digits, ８：３０.
func isBreak(r, prev, next rune) bool {
	return strings.ContainsRune(breakMarks, r) && (!unicode.IsDigit(prev) || !unicode.IsDigit(next))
}

// isInvisible tells of hints where a line may break, and a byte order mark.
func isInvisible(r rune) bool { return r == 0xad || r == 0x200b || r == 0xfeff }

// compose brings characters to NFC, keeping where each came from.
func (f *folder) compose() []char {
	chars := f.chars
	if !slices.ContainsFunc(chars, func(c char) bool { return c.r >= utf8.RuneSelf && !isPlainRune(c.r) }) {
		return chars
	}
	f.bytes, f.at = f.bytes[:0], f.at[:0]
	for i, c := range chars {
		f.bytes = utf8.AppendRune(f.bytes, c.r)
		for len(f.at) < len(f.bytes) {
			f.at = append(f.at, int32(i))
		}
	}
	if norm.NFC.IsNormal(f.bytes) {
		return chars
	}
	var out []char
	var composed []byte
	for from := 0; from < len(f.bytes); {
		to := from + norm.NFC.NextBoundary(f.bytes[from:], true)
		composed = norm.NFC.Append(composed[:0], f.bytes[from:to]...)
		c := char{start: chars[f.at[from]].start, end: chars[f.at[to-1]].end}
		for at := 0; at < len(composed); {
			r, size := utf8.DecodeRune(composed[at:])
			c.r = r
			out = append(out, c)
			at += size
		}
		from = to
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

func isMark(r rune) bool { return !isPlainRune(r) && strings.ContainsRune(edgeMarks, r) }

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
	case isPlainRune(r):
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
