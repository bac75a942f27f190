package explain

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/nlu"
)

// maxEdges bounds where a sentence is cut to see which pieces are understood.
const maxEdges = 64

// Piece is a piece of a sentence that is not understood as a whole.
type Piece struct {
	Text       string `json:"text"`
	Understood bool   `json:"understood"` // alone, without a wildcard
}

// pieces tells which beginning and which end of a text are understood alone, as
// long as can be, and what is left; nothing where neither is. It knows no words that
// join commands: "turn on the lamp and the foozle" is told by what it begins with.
func pieces(g *nlu.Grammar, text string, known nlu.Context) []Piece {
	cuts := edges(text)
	if len(cuts) > maxEdges {
		return nil
	}
	understood := func(piece string) bool {
		matches := g.Match(piece, known).Matches
		return len(matches) > 0 && matches[0].Rank.Wildcards == 0
	}
	head, tail := 0, len(text)
	for _, at := range slices.Backward(cuts) {
		if understood(text[:at]) {
			head = at
			break
		}
	}
	for _, at := range cuts {
		if at >= head && understood(text[at:]) {
			tail = at
			break
		}
	}
	if head == 0 && tail == len(text) {
		return nil
	}
	var list []Piece
	for _, p := range []Piece{{text[:head], true}, {text[head:tail], false}, {text[tail:], true}} {
		if p.Text = strings.TrimFunc(p.Text, apart); p.Text != "" {
			list = append(list, p)
		}
	}
	return list
}

// edges are the bytes of a text, within it, at which a word may begin.
func edges(text string) []int {
	var at []int
	before := ' '
	for i, r := range text {
		if i > 0 && !apart(r) && (apart(before) || unicode.Is(unicode.Han, r) || unicode.Is(unicode.Han, before)) {
			at = append(at, i)
		}
		before = r
	}
	return at
}

// apart tells of characters that stand between words.
func apart(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsPunct(r) && r != '\'' && r != '-' || r == utf8.RuneError
}
