package manifest

import (
	"strconv"
	"strings"

	"github.com/hark-voice/hark/functions/nlu"
	"go.yaml.in/yaml/v3"
)

const maxRange = 1_000_000 // steps from a list's first number to its last

// lists reads the values that slots can take.
func (s *sentenceReader) lists(n *yaml.Node) map[string]nlu.List {
	lists := make(map[string]nlu.List)
	for _, field := range s.mapping(n, "lists") {
		lists[s.identifier(field.key, "lists")] = s.list(field.value, "lists."+field.key.Value)
	}
	return lists
}

func (s *sentenceReader) list(n *yaml.Node, what string) nlu.List {
	switch {
	case n.Kind == yaml.SequenceNode:
		list := nlu.List{Kind: nlu.ListValues}
		for _, entry := range n.Content {
			list.Values = append(list.Values, s.value(entry, what))
		}
		if len(list.Values) == 0 {
			s.fail(n, "%s has no values", what)
		}
		return list
	case n.Kind == yaml.MappingNode:
		return nlu.List{Kind: nlu.ListRange, Range: s.rangeFields(n, what)}
	case n.Value == "wildcard":
		return nlu.List{Kind: nlu.ListWildcard}
	}
	r, ok := parseRange(n.Value)
	if !ok {
		s.fail(n, "%s must be a list of values, a range such as 0..100, or wildcard", what)
		return nlu.List{}
	}
	s.checkRange(n, what, r)
	return nlu.List{Kind: nlu.ListRange, Range: r}
}

func (s *sentenceReader) value(n *yaml.Node, what string) nlu.Value {
	if n.Kind != yaml.MappingNode {
		return nlu.Value{In: s.template(n, what)}
	}
	var v nlu.Value
	s.fields(n, what+": a value", readers{
		"in":      func(n *yaml.Node) { v.In = s.template(n, what+": in") },
		"out":     func(n *yaml.Node) { v.Out = s.scalar(n, what+": out") },
		"context": func(n *yaml.Node) { v.Context = s.scalars(n, what+": context") },
	})
	if v.In.Text == "" {
		s.fail(n, `%s: a value must have the words that it is said by: {in: ..., out: ...}; text that begins with { or [ needs quotes`, what)
	}
	return v
}

func (s *sentenceReader) rangeFields(n *yaml.Node, what string) nlu.Range {
	var r nlu.Range
	var from, to bool
	fractions := map[string]nlu.Fractions{"halves": nlu.FractionsHalves, "tenths": nlu.FractionsTenths}
	s.fields(n, what, readers{
		"from":       func(n *yaml.Node) { from, r.From = true, s.number(n, what+".from") },
		"to":         func(n *yaml.Node) { to, r.To = true, s.number(n, what+".to") },
		"step":       func(n *yaml.Node) { r.Step = s.number(n, what+".step") },
		"multiplier": func(n *yaml.Node) { r.Multiplier = s.number(n, what+".multiplier") },
		"fractions": func(n *yaml.Node) {
			var ok bool
			if r.Fractions, ok = fractions[n.Value]; !ok {
				s.fail(n, "%s.fractions must be halves or tenths", what)
			}
		},
	})
	if !from || !to {
		s.fail(n, "%s: a range must have from and to", what)
		return r
	}
	s.checkRange(n, what, r)
	return r
}

func (s *sentenceReader) checkRange(n *yaml.Node, what string, r nlu.Range) {
	step := r.Step
	if step == 0 {
		step = 1
	}
	switch {
	case r.From > r.To:
		s.fail(n, "%s: from (%v) is more than to (%v)", what, r.From, r.To)
	case step < 0:
		s.fail(n, "%s: the step must be more than 0", what)
	case (r.To-r.From)/step > maxRange:
		s.fail(n, "%s: a range has at most %d steps", what, maxRange)
	}
}

// parseRange reads FROM..TO or FROM..TO,STEP.
func parseRange(text string) (nlu.Range, bool) {
	bounds, step, hasStep := strings.Cut(text, ",")
	from, to, ok := strings.Cut(bounds, "..")
	if !ok {
		return nlu.Range{}, false
	}
	var r nlu.Range
	var err [3]error
	r.From, err[0] = strconv.ParseFloat(strings.TrimSpace(from), 64)
	r.To, err[1] = strconv.ParseFloat(strings.TrimSpace(to), 64)
	if hasStep {
		r.Step, err[2] = strconv.ParseFloat(strings.TrimSpace(step), 64)
		ok = r.Step > 0
	}
	return r, ok && err == [3]error{} && finite(r.From) && finite(r.To) && finite(r.Step)
}

func finite(v float64) bool { return v-v == 0 }
