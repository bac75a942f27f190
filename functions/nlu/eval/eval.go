// Package eval holds a matcher to test vectors: a grammar and sentences with
// the intent and slots that they must give come in, a score goes out. It must
// not know how sentences are matched.
//
// A grammar is a JSON object. Fields that are not named here are not read.
//
//	language      BCP 47
//	settings      {"ignore_whitespace": true}: for scripts without blanks
//	skip_words    [words] that may stand anywhere
//	lists         {name: list}, of which {"type": "wildcard"} takes any words, {"type":
//	              "values", "values": [{"in": template, "out": value, "context": {}}]}
//	              those that are named, and {"type": "range", "from", "to", "step",
//	              "multiplier", "fractions": none, halves or tenths} numbers
//	rules         {name: template}
//	intents       {name: {"groups": [group]}}; of equal readings, the first in the file
//	              wins. A group has an id, a combination (the name of its set of
//	              slots), templates, slots that it sets, lists and rules of its own,
//	              and conditions, requires_context and excludes_context: {key: value},
//	              {key: [values]}, {key: null} for any, or {key: {"value": one of
//	              these, "slot": true or a name}} to take the value as a slot
//	fixtures      {id: {"entities": [{"name", "domain"}], "areas": [{"name"}],
//	              "floors": [{"name"}]}}: homes, of which names are templates
//	number_words  {number: [words]}
//
// Tests are JSON objects, one a line; blank lines are left out.
//
//	id, text      the sentence, and what it is called in reports
//	fixture       the home that it is said in
//	context       {key: value} that holds where it is said, such as the area
//	intent        that it must mean; null: it must not be understood
//	combination   of the group that it must match; absent: any
//	slots, context_slots, slots_any_of
//	              all that the reading must have, and no others: {name: value}, of
//	              which several in a list are each right, and the same from the
//	              context, and {name: [values]}
//
// A file of derived tests, sentences made of others or of templates by a program,
// has the same form.
package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/nlu"
)

// Bounds on what is read.
const (
	maxGrammarBytes = 64 << 20
	maxLineBytes    = 1 << 20
)

// Suite is a grammar with the fixtures that its sentences are run with.
type Suite struct {
	Lang     string
	Grammar  *nlu.Grammar
	fixtures map[string]*nlu.Lists
}

// Options tell which sentences to run and how much to report.
type Options struct {
	Every       int // run each n-th line; 0 and 1: all
	MaxFailures int // described in the report; 0: 20
	// AllPasses: what is not understood as it is said is guessed, see Later.
	AllPasses bool
}

// Report is the score of a run.
type Report struct {
	Lang      string    `json:"lang"`
	Total     int       `json:"total"`
	Passed    int       `json:"passed"`
	Ties      int       `json:"ties"` // sentences where another outcome ranked the same
	Tied      []string  `json:"-"`    // the ids of these
	Truncated int       `json:"truncated"`
	P50       int64     `json:"p50_us"`
	P99       int64     `json:"p99_us"`
	Max       int64     `json:"max_us"`
	Later     *Later    `json:"later,omitempty"`
	Failures  []Failure `json:"-"`

	times []time.Duration
}

// Later is what the later passes made of the sentences in which the first found
// nothing. It counts for nothing else in the report.
type Later struct {
	Tried int   `json:"tried"`
	Found int   `json:"found"`
	Right int   `json:"right"` // of these: one command, and the expected one
	Wrong int   `json:"wrong"` // of these: nothing was to be understood
	Max   int64 `json:"max_us"`

	Guesses []Failure `json:"-"` // what was found
}

// Failure is a sentence that was not understood as expected.
type Failure struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// test is one line of a file of sentences.
type test struct {
	ID           string           `json:"id"`
	Text         string           `json:"text"`
	Fixture      string           `json:"fixture"`
	Context      map[string]any   `json:"context"`
	Intent       *string          `json:"intent"` // null: no match
	Combination  string           `json:"combination"`
	Slots        map[string]any   `json:"slots"`
	SlotsAnyOf   map[string][]any `json:"slots_any_of"`
	ContextSlots map[string]any   `json:"context_slots"`
}

// Run runs the sentences of a file, one JSON object a line, and adds them to the
// report.
func (s *Suite) Run(tests io.Reader, opts Options, report *Report) error {
	limit := opts.MaxFailures
	if limit == 0 {
		limit = 20
	}
	err := s.each(tests, opts.Every, func(t *test, ctx nlu.Context) {
		f, ok, found := s.run(t, ctx, report)
		if !ok && len(report.Failures) < limit {
			report.Failures = append(report.Failures, f)
		}
		if opts.AllPasses && !found {
			s.guess(t, ctx, report, limit)
		}
	})
	if err != nil {
		return err
	}
	report.Lang = s.Lang
	report.percentiles()
	return nil
}

// Each calls do with the sentences of a file, one JSON object a line, and what is
// known where they are spoken.
func (s *Suite) Each(tests io.Reader, opts Options, do func(text string, ctx nlu.Context)) error {
	return s.each(tests, opts.Every, func(t *test, ctx nlu.Context) { do(t.Text, ctx) })
}

func (s *Suite) each(tests io.Reader, every int, do func(*test, nlu.Context)) error {
	lines := bufio.NewScanner(tests)
	lines.Buffer(make([]byte, 64<<10), maxLineBytes)
	every = max(every, 1)
	for n := 1; lines.Scan(); n++ {
		if n%every != 0 || len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		var t test
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return fmt.Errorf("line %d of the sentences: %w", n, err)
		}
		home, known := s.fixtures[t.Fixture]
		if !known {
			return fmt.Errorf("line %d of the sentences: the grammar has no fixture %q", n, t.Fixture)
		}
		do(&t, nlu.Context{Values: t.Context, Lists: home})
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the sentences: %w", err)
	}
	return nil
}

// run runs a sentence, and tells whether it was understood as expected, and at all.
func (s *Suite) run(t *test, ctx nlu.Context, report *Report) (f Failure, ok, found bool) {
	start := time.Now() // monotonic: it meters
	result := s.Grammar.Match(t.Text, ctx)
	report.times = append(report.times, time.Since(start))
	report.Total++
	if result.Truncated {
		report.Truncated++
	}
	if tied(result.Matches) {
		report.Ties++
		report.Tied = append(report.Tied, t.ID)
	}
	if t.passes(result.Matches) {
		report.Passed++
		return Failure{}, true, len(result.Matches) > 0
	}
	return Failure{ID: t.ID, Text: t.Text, Want: t.want(), Got: got(result.Matches)}, false, len(result.Matches) > 0
}

// guess runs the later passes on a sentence in which the first found nothing.
func (s *Suite) guess(t *test, ctx nlu.Context, report *Report, limit int) {
	if report.Later == nil {
		report.Later = &Later{}
	}
	l := report.Later
	l.Tried++
	start := time.Now() // monotonic: it meters
	guess := s.Grammar.Guess(t.Text, ctx)
	l.Max = max(l.Max, time.Since(start).Microseconds())
	if len(guess.Parts) == 0 {
		return
	}
	l.Found++
	switch {
	case t.Intent == nil:
		l.Wrong++
	case len(guess.Parts) == 1 && t.passes(guess.Parts[0].Matches):
		l.Right++
	}
	if len(l.Guesses) < limit {
		l.Guesses = append(l.Guesses, Failure{ID: t.ID, Text: t.Text, Want: t.want(), Got: guessed(guess)})
	}
}

func guessed(guess nlu.Guess) string {
	var parts []string
	for _, p := range guess.Parts {
		for _, a := range p.Assumed {
			parts = append(parts, fmt.Sprintf("%s: %q as %q", a.Kind, a.Heard, a.Taken))
		}
		parts = append(parts, got(p.Matches))
	}
	return strings.Join(parts, "; ")
}

func (r *Report) percentiles() {
	if len(r.times) == 0 {
		return
	}
	sorted := slices.Sorted(slices.Values(r.times))
	at := func(percent int) int64 { return sorted[(len(sorted)-1)*percent/100].Microseconds() }
	r.P50, r.P99, r.Max = at(50), at(99), at(100)
}

// tied tells whether the choice between different outcomes was by order alone.
func tied(matches []nlu.Match) bool {
	for i := 1; i < len(matches) && matches[i].Rank.Ties(matches[0].Rank); i++ {
		if matches[i].Intent != matches[0].Intent || matches[i].Group.Combination != matches[0].Group.Combination ||
			!reflect.DeepEqual(values(matches[i].Slots), values(matches[0].Slots)) {
			return true
		}
	}
	return false
}

func values(slots map[string]assistant.Slot) map[string]any {
	out := make(map[string]any, len(slots))
	for name, s := range slots {
		out[name] = s.Value
	}
	return out
}

func (t *test) passes(matches []nlu.Match) bool {
	if t.Intent == nil {
		return len(matches) == 0
	}
	if len(matches) == 0 || matches[0].Intent != *t.Intent {
		return false
	}
	best := matches[0]
	if t.Combination != "" && best.Group.Combination != t.Combination {
		return false
	}
	wanted := t.wanted()
	if len(best.Slots) != len(wanted) {
		return false
	}
	for name, slot := range best.Slots {
		choices, expected := wanted[name]
		if !expected || !slices.ContainsFunc(choices, func(want any) bool { return fits(want, slot.Value) }) {
			return false
		}
	}
	return true
}

// wanted gives the values that each slot may have.
func (t *test) wanted() map[string][]any {
	out := make(map[string][]any)
	for name, v := range t.Slots {
		out[name] = []any{v}
	}
	for name, v := range t.ContextSlots {
		out[name] = []any{v}
	}
	maps.Copy(out, t.SlotsAnyOf)
	return out
}

// fits compares a wanted value with the one that a slot has. Either may be
// several, of which one is enough.
func fits(want, have any) bool {
	if reflect.DeepEqual(want, have) {
		return true
	}
	if several, ok := want.([]any); ok {
		return slices.ContainsFunc(several, func(v any) bool { return fits(v, have) })
	}
	several, ok := have.([]any)
	return ok && slices.ContainsFunc(several, func(v any) bool { return reflect.DeepEqual(want, v) })
}

func (t *test) want() string {
	if t.Intent == nil {
		return "no match"
	}
	return fmt.Sprintf("%s/%s %v", *t.Intent, t.Combination, t.wanted())
}

func got(matches []nlu.Match) string {
	if len(matches) == 0 {
		return "no match"
	}
	m := matches[0]
	return fmt.Sprintf("%s/%s %v by %q, first of %d", m.Intent, m.Group.Combination, values(m.Slots), m.Template.Text, len(matches))
}
