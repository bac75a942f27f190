package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/hark-voice/hark/functions/nlu"
)

// grammarFile is the form of a grammar file. What concerns answers is left out.
type grammarFile struct {
	Language string `json:"language"`
	Settings struct {
		IgnoreWhitespace bool `json:"ignore_whitespace"`
	} `json:"settings"`
	SkipWords []string               `json:"skip_words"`
	Lists     map[string]listFile    `json:"lists"`
	Rules     map[string]string      `json:"rules"`
	Intents   orderedIntents         `json:"intents"`
	Fixtures  map[string]fixtureFile `json:"fixtures"`
	Numbers   map[string][]string    `json:"number_words"`
}

type listFile struct {
	Type       string      `json:"type"`
	Values     []valueFile `json:"values"`
	From       float64     `json:"from"`
	To         float64     `json:"to"`
	Step       float64     `json:"step"`
	Fractions  string      `json:"fractions"`
	Multiplier float64     `json:"multiplier"`
}

type valueFile struct {
	In      string         `json:"in"`
	Out     any            `json:"out"`
	Context map[string]any `json:"context"`
}

type intentFile struct {
	Groups []groupFile `json:"groups"`
}

type groupFile struct {
	ID          string              `json:"id"`
	Combination string              `json:"combination"`
	Templates   []string            `json:"templates"`
	Slots       map[string]any      `json:"slots"`
	Requires    map[string]any      `json:"requires_context"`
	Excludes    map[string]any      `json:"excludes_context"`
	Lists       map[string]listFile `json:"lists"`
	Rules       map[string]string   `json:"rules"`
}

type fixtureFile struct {
	Entities []entityFile `json:"entities"`
	Areas    []named      `json:"areas"`
	Floors   []named      `json:"floors"`
}

type entityFile struct {
	Name   string `json:"name"`
	Domain string `json:"domain"`
}

type named struct {
	Name string `json:"name"`
}

// orderedIntents keeps the order of declaration, the last criterion of a choice.
type orderedIntents []namedIntent

type namedIntent struct {
	name string
	intentFile
}

func (o *orderedIntents) UnmarshalJSON(data []byte) error {
	var byName map[string]intentFile
	if err := json.Unmarshal(data, &byName); err != nil {
		return fmt.Errorf("intents: %w", err)
	}
	names, err := keysInOrder(data)
	if err != nil {
		return fmt.Errorf("intents: %w", err)
	}
	for _, name := range names {
		*o = append(*o, namedIntent{name, byName[name]})
	}
	return nil
}

// Load reads a grammar file and prepares its fixtures.
func Load(name string, r io.Reader) (*Suite, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxGrammarBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the grammar %s: %w", name, err)
	}
	if len(data) > maxGrammarBytes {
		return nil, fmt.Errorf("the grammar %s is larger than %d bytes", name, maxGrammarBytes)
	}
	var f grammarFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read the grammar %s: %w", name, err)
	}
	at := newPlaces(name, data)
	src, err := f.source(at)
	if err != nil {
		return nil, fmt.Errorf("the grammar %s: %w", name, err)
	}
	g, err := nlu.Compile(f.Language, []nlu.Source{*src})
	if err != nil {
		return nil, fmt.Errorf("the grammar %s: %w", name, err)
	}
	s := &Suite{Lang: f.Language, Grammar: g, fixtures: make(map[string]*nlu.Lists, len(f.Fixtures))}
	for id, fixture := range f.Fixtures {
		if s.fixtures[id], err = fixture.lists(at); err != nil {
			return nil, fmt.Errorf("fixture %s of %s: %w", id, name, err)
		}
	}
	return s, nil
}

func (f *grammarFile) source(at *places) (*nlu.Source, error) {
	src := &nlu.Source{
		Skill: "vectors", Lang: f.Language, SkipWords: f.SkipWords,
		IgnoreWhitespace: f.Settings.IgnoreWhitespace, Rules: rules(at, f.Rules),
	}
	var err error
	if src.Lists, err = lists(at, f.Lists); err != nil {
		return nil, err
	}
	if f.Numbers != nil {
		src.NumberWords = make(map[float64][]string, len(f.Numbers))
	}
	for text, words := range f.Numbers {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("number_words: %q is not a number", text)
		}
		src.NumberWords[n] = words
	}
	for _, in := range f.Intents {
		intent := nlu.Intent{Name: in.name}
		for _, g := range in.Groups {
			group, err := g.group(at)
			if err != nil {
				return nil, fmt.Errorf("group %s: %w", g.ID, err)
			}
			intent.Groups = append(intent.Groups, *group)
		}
		src.Intents = append(src.Intents, intent)
	}
	return src, nil
}

func (g *groupFile) group(at *places) (*nlu.Group, error) {
	out := &nlu.Group{
		ID: g.ID, Combination: g.Combination, Slots: g.Slots, Rules: rules(at, g.Rules),
		Requires: conditions(g.Requires), Excludes: conditions(g.Excludes),
	}
	for _, text := range g.Templates {
		out.Templates = append(out.Templates, at.template(text))
	}
	var err error
	out.Lists, err = lists(at, g.Lists)
	return out, err
}

func rules(at *places, in map[string]string) map[string]nlu.Template {
	out := make(map[string]nlu.Template, len(in))
	for name, text := range in {
		out[name] = at.template(text)
	}
	return out
}

// conditions reads key: value, key: [values], key: null and
// key: {"value": v, "slot": true or a name}.
func conditions(in map[string]any) []nlu.Condition {
	var out []nlu.Condition
	for _, key := range slices.Sorted(maps.Keys(in)) {
		c := nlu.Condition{Key: key}
		value := in[key]
		if m, ok := value.(map[string]any); ok {
			value = m["value"]
			switch slot := m["slot"].(type) {
			case bool:
				if slot {
					c.Slot = key
				}
			case string:
				c.Slot = slot
			}
		}
		switch v := value.(type) {
		case nil:
		case []any:
			c.Values = v
		default:
			c.Values = []any{v}
		}
		out = append(out, c)
	}
	return out
}

func lists(at *places, in map[string]listFile) (map[string]nlu.List, error) {
	out := make(map[string]nlu.List, len(in))
	for name, f := range in {
		l, err := f.list(at)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", name, err)
		}
		out[name] = *l
	}
	return out, nil
}

func (f *listFile) list(at *places) (*nlu.List, error) {
	switch f.Type {
	case "values":
		l := &nlu.List{Kind: nlu.ListValues}
		for _, v := range f.Values {
			l.Values = append(l.Values, nlu.Value{In: at.template(v.In), Out: v.Out, Context: v.Context})
		}
		return l, nil
	case "wildcard":
		return &nlu.List{Kind: nlu.ListWildcard}, nil
	case "range":
		rng := nlu.Range{From: f.From, To: f.To, Step: f.Step, Multiplier: f.Multiplier}
		switch f.Fractions {
		case "", "none":
		case "halves":
			rng.Fractions = nlu.FractionsHalves
		case "tenths":
			rng.Fractions = nlu.FractionsTenths
		default:
			return nil, fmt.Errorf("unknown fractions %q", f.Fractions)
		}
		return &nlu.List{Kind: nlu.ListRange, Range: rng}, nil
	}
	return nil, fmt.Errorf("unknown type %q", f.Type)
}

// lists are the names of a home. They are templates in these files.
func (f *fixtureFile) lists(at *places) (*nlu.Lists, error) {
	var entities []nlu.Value
	for _, e := range f.Entities {
		entities = append(entities, nlu.Value{In: at.template(e.Name), Context: map[string]any{"domain": e.Domain}})
	}
	return nlu.NewLists(map[string]nlu.List{
		"name": {Values: entities}, "area": {Values: plain(at, f.Areas)}, "floor": {Values: plain(at, f.Floors)},
	})
}

func plain(at *places, names []named) []nlu.Value {
	var out []nlu.Value
	for _, n := range names {
		out = append(out, nlu.Value{In: at.template(n.Name)})
	}
	return out
}

// keysInOrder returns the keys of a JSON object as they stand in the text.
func keysInOrder(data []byte) ([]string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("read the object: %w", err)
	}
	var keys []string
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("read a key: %w", err)
		}
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("%v is not a key", token)
		}
		keys = append(keys, key)
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return nil, fmt.Errorf("read the value of %s: %w", key, err)
		}
	}
	return keys, nil
}
