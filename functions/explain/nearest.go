package explain

import (
	"cmp"
	"context"
	"slices"
	"time"
	"unicode"

	"github.com/hark-voice/hark/functions/nlu"
)

// Bounds on the search for sentences like one that is not understood.
const (
	maxNearest   = 3
	nearEach     = 8 // sentences of a template
	nearTime     = time.Second
	nearLikeness = 0.4 // what is less like it helps nobody
)

// Near is a sentence that is understood, and like one that is not.
type Near struct {
	Text     string  `json:"text"`
	Likeness float64 `json:"likeness"` // 0 to 1: how many pairs of letters they share
	Lang     string  `json:"lang"`
	Skill    string  `json:"skill"`
	Intent   string  `json:"intent"`
	Template string  `json:"template"`
	Place    string  `json:"place"`
}

// nearest finds sentences of the templates of a language that are like a text, the
// most like of each template.
func nearest(ctx context.Context, g *nlu.Grammar, lang, text string, known nlu.Context) []Near {
	ctx, cancel := context.WithTimeout(ctx, nearTime)
	defer cancel()
	asked := pairs(nlu.Fold(text))
	var found []Near
	for s := range g.Samples("", known, nearEach) {
		if ctx.Err() != nil {
			break
		}
		like := likeness(asked, pairs(s.Text))
		if like < nearLikeness {
			continue
		}
		n := Near{s.Text, like, lang, s.Skill, s.Intent, s.Template.Text, s.Template.Place()}
		if last := len(found) - 1; last >= 0 && found[last].Skill == n.Skill && found[last].Place == n.Place && found[last].Template == n.Template {
			if like > found[last].Likeness {
				found[last] = n
			}
			continue
		}
		found = append(found, n)
	}
	return found
}

// best keeps the sentences that are most like what was said.
func best(found []Near) []Near {
	slices.SortStableFunc(found, func(a, b Near) int { return cmp.Compare(b.Likeness, a.Likeness) })
	found = slices.Clip(found[:min(len(found), maxNearest)])
	for i := range found {
		found[i].Likeness = rounded(found[i].Likeness)
	}
	return found
}

// pairs counts the pairs of characters that stand next to each other within
// words, with the edges of the words; of scripts without words, of all.
func pairs(text string) map[[2]rune]int {
	counts := make(map[[2]rune]int)
	before := ' '
	for _, r := range text + " " {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if before != ' ' || r != ' ' {
			counts[[2]rune{before, r}]++
		}
		before = r
	}
	return counts
}

// likeness is the share of pairs that two texts have in common.
func likeness(a, b map[[2]rune]int) float64 {
	all, both := 0, 0
	for p, n := range a {
		all += n
		both += min(n, b[p])
	}
	for _, n := range b {
		all += n
	}
	if all == 0 {
		return 0
	}
	return 2 * float64(both) / float64(all)
}
