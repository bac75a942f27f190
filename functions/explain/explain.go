// Package explain tells how a sentence is understood, and why so: a text comes
// in, and the skills that are live and what a home is called by; the readings go
// out, best first, each with what it won or lost by. It must not know who asks,
// or how it is shown.
package explain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/nlu"
)

// maxReadings bounds how many readings are told, of the whole and of each part.
const maxReadings = 10

// Homes knows what is in each home.
type Homes interface {
	View(ctx context.Context, home string) (*household.View, error)
}

// Options of an Explainer. All must be set.
type Options struct {
	Catalog *catalog.Catalog
	Homes   Homes
	Clock   assistant.Clock
}

// Explainer explains sentences. It is safe for concurrent use.
type Explainer struct{ Options }

// New returns an Explainer.
func New(o Options) (*Explainer, error) {
	if o.Catalog == nil || o.Homes == nil || o.Clock == nil {
		return nil, errors.New("explain: Catalog, Homes and Clock must be set")
	}
	return &Explainer{o}, nil
}

// Question is a sentence, and where it is heard.
type Question struct {
	Text   string
	Lang   string // BCP 47; empty: the device's or the home's, and others that the text may be in
	Home   string // empty: one without names
	Device string // of the home, which hears it; empty: any
	Area   string // empty: the device's
}

// Explanation is what becomes of a sentence.
type Explanation struct {
	Text  string   `json:"text"`
	Home  string   `json:"home,omitempty"`
	Area  string   `json:"area,omitempty"` // where it is heard
	Tried []string `json:"tried"`          // the languages, in this order
	// Languages are those that skills speak, where none was tried.
	Languages []string `json:"languages,omitempty"`
	Lang      string   `json:"lang,omitempty"` // in which it is understood; absent: in none
	// Readings are those that the sentence has as it is, best first, and More how
	// many there are beyond them.
	Readings []Reading `json:"readings"`
	More     int       `json:"more,omitempty"`
	// Ambiguous: nothing but a skill's name says which of the best readings wins. (The
	// order within a skill is its author's.)
	Ambiguous bool `json:"ambiguous,omitempty"`
	// GivenUp names the skills whose sentences fit in too many ways to be searched.
	GivenUp []string `json:"given_up,omitempty"`
	// Guess is what the sentence is taken for instead of its readings.
	Guess *Guess `json:"guess,omitempty"`
	// Pieces are those of a sentence that is not understood as a whole, in their order,
	// where one of them is.
	Pieces []Piece `json:"pieces,omitempty"`
	// Nearest are sentences that would be understood, where this one is not.
	Nearest []Near `json:"nearest,omitempty"`
}

// Reading is one meaning of a sentence.
type Reading struct {
	Skill    string                    `json:"skill"`
	Version  string                    `json:"version"`
	Intent   string                    `json:"intent"`
	Template string                    `json:"template"`
	Place    string                    `json:"place"` // of the template: file:line
	Slots    map[string]assistant.Slot `json:"slots"`
	Score    Score                     `json:"score"`
	Why      string                    `json:"why"` // it won, or by what it lost
	// Rival: it ranks as high as the best one and means something else.
	Rival bool `json:"rival,omitempty"`
}

// Score is what readings are compared by, in this order.
type Score struct {
	NameLetters     int `json:"name_letters"`     // of the name of a thing; more is better
	Wildcards       int `json:"wildcards"`        // fewer is better
	LiteralLetters  int `json:"literal_letters"`  // outside of lists; more is better
	WildcardLetters int `json:"wildcard_letters"` // fewer is better
}

// Guess is what a sentence may have meant that does not say it.
type Guess struct {
	Confidence float64 `json:"confidence"` // 0 to 1, to two digits
	Parts      []Part  `json:"parts"`      // commands, in the order they were said
}

// Part is one command of a guess.
type Part struct {
	Text     string       `json:"text"`
	Assumed  []Assumption `json:"assumed"`
	Readings []Reading    `json:"readings"`
}

// Assumption is something that was not said, but may have been meant.
type Assumption struct {
	Kind  string `json:"kind"`
	Heard string `json:"heard"`
	Taken string `json:"taken"`
}

// Explain tells how a sentence would be understood now. Nothing is invoked.
func (e *Explainer) Explain(ctx context.Context, q Question) (*Explanation, error) {
	snapshot := e.Catalog.Current()
	h, err := e.hear(ctx, q)
	if err != nil {
		return nil, err
	}
	tried := snapshot.LanguagesOf(q.Text, h.lang, q.Lang != "")
	u := snapshot.Understand(q.Text, tried, h.known)
	if h.err != nil {
		return nil, h.err
	}
	x := &Explanation{
		Text: q.Text, Home: q.Home, Area: h.area, Tried: append([]string{}, tried...), Lang: u.Lang, GivenUp: u.Cut,
		Readings: readings(u.Result), More: max(0, len(u.Result.Matches)-maxReadings), Ambiguous: u.Result.Ambiguous(),
	}
	if len(tried) == 0 {
		x.Languages = snapshot.Languages()
	}
	if len(u.Guess.Parts) > 0 {
		x.Guess = newGuess(u.Guess)
		if len(x.Readings) > 0 {
			x.Readings[0].Why = "the guess below goes before it: it needs no wildcard"
		}
	}
	if u.Lang == "" {
		for _, lang := range tried {
			if x.Pieces == nil {
				x.Pieces = pieces(snapshot.Grammar(lang), q.Text, h.known(lang))
			}
			x.Nearest = append(x.Nearest, nearest(ctx, snapshot.Grammar(lang), lang, q.Text, h.known(lang))...)
		}
		x.Nearest = best(x.Nearest)
	}
	return x, nil
}

// heard is where a sentence is heard.
type heard struct {
	view *household.View // nil: nowhere
	lang string
	area string
	now  time.Time // in the home
	err  error     // of its names
}

func (e *Explainer) hear(ctx context.Context, q Question) (*heard, error) {
	h := &heard{lang: q.Lang, area: q.Area, now: e.Clock.Now().UTC()}
	if q.Home == "" {
		return h, nil
	}
	var err error
	if h.view, err = e.Homes.View(ctx, q.Home); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	h.now = h.now.In(h.view.Zone)
	device, known := h.view.Devices[q.Device]
	if q.Device != "" && !known {
		return nil, fmt.Errorf("device %s/%s: %w", q.Home, q.Device, assistant.ErrNotFound)
	}
	if h.area == "" {
		h.area = device.Area
	}
	if h.lang == "" {
		h.lang = device.Language(h.view.Home)
	}
	return h, nil
}

// known is the context of a language.
func (h *heard) known(lang string) nlu.Context {
	c := nlu.Context{Values: map[string]any{"area": h.area}, Now: h.now}
	if h.view != nil {
		var err error
		if c.Lists, err = h.view.Lists(lang); err != nil {
			h.err = err
		}
	}
	return c
}

func readings(r nlu.Result) []Reading {
	list := make([]Reading, 0, min(len(r.Matches), maxReadings))
	rivals := r.Rivals()
	for i := range r.Matches[:min(len(r.Matches), maxReadings)] {
		m := &r.Matches[i]
		why := "wins"
		switch {
		case i > 0:
			why = nlu.Why(&r.Matches[0], m)
		case len(r.Matches) == 1:
			why = "the only reading"
		}
		list = append(list, Reading{
			Skill: m.Skill, Version: m.Version, Intent: m.Intent, Template: m.Template.Text, Place: m.Template.Place(),
			Slots: maps.Clone(m.Slots), Why: why,
			Score: Score{m.Rank.NameLength, m.Rank.Wildcards, m.Rank.Literals, m.Rank.WildcardChars},
			Rival: slices.ContainsFunc(rivals, func(o nlu.Match) bool { return o.Rank.Order == m.Rank.Order }),
		})
	}
	return list
}

func newGuess(g nlu.Guess) *Guess {
	out := &Guess{Confidence: rounded(g.Confidence)}
	for _, p := range g.Parts {
		part := Part{Text: p.Text, Assumed: []Assumption{}, Readings: readings(nlu.Result{Matches: p.Matches})}
		for _, a := range p.Assumed {
			part.Assumed = append(part.Assumed, Assumption{string(a.Kind), a.Heard, a.Taken})
		}
		out.Parts = append(out.Parts, part)
	}
	return out
}

// rounded keeps two digits: more would feign a measurement.
func rounded(share float64) float64 { return math.Round(share*100) / 100 }
