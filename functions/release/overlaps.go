package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/nlu"
)

// Bounds on the search for sentences that two skills understand: so many of each
// template where there are few, fewer where there are many, and none when the time
// is up. maxOverlaps are shown.
const (
	overlapSentences = 60_000 // of the new skill in a language, and of all others
	overlapEach      = 12     // of a template
	maxOverlaps      = 10
)

// pair is two templates that accept one sentence.
type pair struct {
	skill    string // the other one
	own, its nlu.Template
}

// pairOf is the pair of a reading of the new skill and one of another.
func pairOf(own, its *nlu.Match) pair { return pair{its.Skill, own.Template, its.Template} }

// overlap is a sentence that the new skill and another both understand.
type overlap struct {
	text     string
	own, its nlu.Match
	order    int // of finding
}

// weight orders overlaps: those that nothing but a name decides, those that the
// new skill wins, and the rest.
func (o *overlap) weight() int {
	switch {
	case o.own.Rank.Ties(o.its.Rank):
		return 0
	case o.wins():
		return 1
	}
	return 2
}

// wins tells whether the new skill answers.
func (o *overlap) wins() bool { return o.own.Compare(&o.its) < 0 }

func (o *overlap) String() string {
	winner, loser := &o.own, &o.its
	if !o.wins() {
		winner, loser = loser, winner
	}
	return fmt.Sprintf("%q (%s) is also matched by skill %s, template %q (%s); %s wins; %s: %s", o.text, o.own.Template.Place(),
		o.its.Skill, o.its.Template.Text, o.its.Template.Place(), winner.Skill, loser.Skill, nlu.Why(winner, loser))
}

// overlaps finds which templates of a new version accept what those of the skills
// that are live accept: sentences are made of the templates of both sides, and
// matched against the other. Each pair of templates is told once.
type overlaps struct {
	k     *catalog.Skill
	alone *catalog.Snapshot // the new version
	next  *catalog.Snapshot // ... among all
	known map[pair]bool     // is told
	found []overlap
	limit time.Duration // of the search
	left  int           // templates that were not tried, for want of time
	fewer int           // sentences of each template, where there are many; 0: as many as wanted
}

func (o *overlaps) find(ctx context.Context, progress func(Step)) error {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	for _, lang := range o.k.Languages {
		home, err := o.home(lang)
		if err != nil {
			return err
		}
		own, all := o.alone.Grammar(lang), o.next.Grammar(lang)
		o.try(ctx, own, o.k.Name, home, templates(o.k, lang), templates(o.k, lang), func(text string) { o.look(text, all.Match(text, home)) })
		others := 0
		for _, other := range o.next.Skills() {
			if other.Name != o.k.Name {
				others += templates(other, lang)
			}
		}
		for _, other := range o.next.Skills() {
			if other.Name == o.k.Name {
				continue
			}
			o.try(ctx, all, other.Name, home, templates(other, lang), others, func(text string) {
				if len(own.Match(text, home).Matches) > 0 {
					o.look(text, all.Match(text, home))
				}
			})
		}
	}
	o.tell(progress)
	return nil
}

// try goes through sentences of a skill's templates, of which there are so many
// among all that share the bound.
func (o *overlaps) try(ctx context.Context, g *nlu.Grammar, skill string, home nlu.Context, count, among int, do func(text string)) {
	if count == 0 {
		return
	}
	each := max(1, min(overlapEach, overlapSentences/among))
	if each < overlapEach {
		o.fewer = each
	}
	tried, last := 0, nlu.Template{}
	for s := range g.Samples(skill, home, each) {
		if ctx.Err() != nil {
			o.left += count - tried
			return
		}
		if s.Template != last {
			tried, last = tried+1, s.Template
		}
		do(s.Text)
	}
}

// look notes with which other skills the new one shares a sentence.
func (o *overlaps) look(text string, r nlu.Result) {
	i := slices.IndexFunc(r.Matches, func(m nlu.Match) bool { return m.Skill == o.k.Name })
	if i < 0 {
		return
	}
	met := map[string]bool{o.k.Name: true}
	for _, m := range r.Matches {
		if met[m.Skill] {
			continue
		}
		met[m.Skill] = true
		if p := pairOf(&r.Matches[i], &m); !o.known[p] {
			o.known[p] = true
			o.found = append(o.found, overlap{text, r.Matches[i], m, len(o.found)})
		}
	}
}

// tell shows what was found, the most doubtful first.
func (o *overlaps) tell(progress func(Step)) {
	slices.SortFunc(o.found, func(a, b overlap) int { return cmp.Or(a.weight()-b.weight(), a.order-b.order) })
	for i := range o.found[:min(len(o.found), maxOverlaps)] {
		name := "overlap"
		if o.found[i].weight() == 0 {
			name = "warning" // which of the two is meant, nobody can tell
		}
		progress(Step{name, o.found[i].String()})
	}
	if more := len(o.found) - maxOverlaps; more > 0 {
		progress(Step{"overlap", fmt.Sprintf("and %d more pairs of templates", more)})
	}
	if o.fewer > 0 {
		progress(Step{"overlap", fmt.Sprintf("there are many templates, so no more than %d sentences of each were tried", o.fewer)})
	}
	if o.left > 0 {
		progress(Step{"overlap", fmt.Sprintf("the search ended after %v: %d templates were not tried", o.limit, o.left)})
	}
}

// home is one with all that the tests of all skills speak of.
func (o *overlaps) home(lang string) (nlu.Context, error) {
	var entities []assistant.Entity
	devices := []assistant.Device{{Home: "test", ID: "test", Area: o.k.Sentences[lang].Home.Area}}
	for _, k := range o.next.Skills() {
		s := k.Sentences[lang]
		if s == nil {
			continue
		}
		entities = append(entities, s.Home.Entities...)
		if devices[0].Area == "" {
			devices[0].Area = s.Home.Area
		}
	}
	lists, err := catalog.HomeLists(lang, entities, devices)
	if err != nil {
		return nlu.Context{}, err
	}
	return nlu.Context{Lists: lists, Values: map[string]any{"area": devices[0].Area}, Now: o.k.Sentences[lang].Home.Now}, nil
}

// templates counts the sentence templates of a skill in a language.
func templates(k *catalog.Skill, lang string) int {
	s, n := k.Sentences[lang], 0
	if s == nil {
		return 0
	}
	for _, intent := range s.Source.Intents {
		for _, group := range intent.Groups {
			n += len(group.Templates)
		}
	}
	return n
}
