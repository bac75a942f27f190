package manifest

import (
	"maps"
	"slices"
	"strings"
	"text/template/parse"
	"time"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/nlu"
	"go.yaml.in/yaml/v3"
)

// sentenceReader reads one sentence file.
type sentenceReader struct {
	*file

	out       *Sentences
	skill     *placed
	intents   map[string]*yaml.Node
	templates int
}

// sentences reads a sentence file of a skill.
func (f *file) sentences(skill *placed, lang string) *Sentences {
	s := &sentenceReader{
		file: f, skill: skill, intents: make(map[string]*yaml.Node),
		out: &Sentences{
			Source: nlu.Source{Skill: skill.Name, Lang: lang, IgnoreWhitespace: ignoresWhitespace(lang)},
			Home:   Home{Now: usualNow()},
		},
	}
	root := f.root()
	if root == nil {
		return s.out
	}
	s.fields(root, f.name, readers{
		"language": func(n *yaml.Node) {
			if s.text(n, "language") != lang {
				s.fail(n, "language is %.40q, but the file is named for %q", n.Value, lang)
			}
		},
		"intents":    s.readIntents,
		"lists":      func(n *yaml.Node) { s.out.Source.Lists = s.lists(n) },
		"rules":      func(n *yaml.Node) { s.out.Source.Rules = s.rules(n) },
		"skip_words": func(n *yaml.Node) { s.out.Source.SkipWords = s.texts(n, "skip_words") },
		"answers":    s.answers,
		"home":       s.home,
		"tests":      s.tests,
	})
	s.checkTests()
	if s.templates > MaxTemplates {
		s.fail(nil, "there are %d sentences, list values and rules: %d at most", s.templates, MaxTemplates)
	}
	return s.out
}

func (s *sentenceReader) readIntents(n *yaml.Node) {
	for _, field := range s.mapping(n, "intents") {
		name := s.identifier(field.key, "intents")
		s.intents[name] = field.key
		s.out.Source.Intents = append(s.out.Source.Intents, nlu.Intent{Name: name, Groups: s.groups(field.value, name)})
		if s.skill.Intents != nil && s.skill.intents[name] == nil {
			s.fail(field.key, "%s; an intent must be among triggers.intents of %s",
				unknown("intent", name, s.skill.Intents), FileName)
		}
	}
}

// groups reads the ways to say an intent: sentences, and groups of sentences
// that have something in common. Sentences that follow each other are one group.
func (s *sentenceReader) groups(n *yaml.Node, intent string) []nlu.Group {
	var groups []nlu.Group
	plain := false // the last group is of plain sentences
	for _, entry := range s.sequence(n, intent) {
		if entry.Kind == yaml.MappingNode && !isBraces(entry) {
			groups = append(groups, s.group(entry, intent))
			plain = false
			continue
		}
		if !plain {
			groups = append(groups, nlu.Group{})
			plain = true
		}
		last := &groups[len(groups)-1]
		last.Templates = append(last.Templates, s.template(entry, intent+": a sentence"))
	}
	if len(groups) == 0 {
		s.fail(n, "%s: there must be a sentence to say it by", intent)
	}
	return groups
}

func (s *sentenceReader) group(n *yaml.Node, intent string) nlu.Group {
	var g nlu.Group
	s.fields(n, intent+": a group of sentences", readers{
		"sentences": func(n *yaml.Node) {
			for _, entry := range s.sequence(n, "sentences") {
				g.Templates = append(g.Templates, s.template(entry, "sentences"))
			}
		},
		"slots":    func(n *yaml.Node) { g.Slots = s.scalars(n, "slots") },
		"requires": func(n *yaml.Node) { g.Requires = s.conditions(n, "requires") },
		"excludes": func(n *yaml.Node) { g.Excludes = s.conditions(n, "excludes") },
		"lists":    func(n *yaml.Node) { g.Lists = s.lists(n) },
		"rules":    func(n *yaml.Node) { g.Rules = s.rules(n) },
	})
	if len(g.Templates) == 0 {
		s.fail(n, "%s: a group must have sentences", intent)
	}
	return g
}

// conditions reads keys of the context: `area:` (any), `domain: light`,
// `domain: [light, fan]`, `area: {values: [...], slot: area}`.
func (s *sentenceReader) conditions(n *yaml.Node, what string) []nlu.Condition {
	var conditions []nlu.Condition
	for _, field := range s.mapping(n, what) {
		c := nlu.Condition{Key: s.identifier(field.key, what)}
		what := what + "." + c.Key
		switch field.value.Kind {
		case yaml.MappingNode:
			s.fields(field.value, what, readers{
				"values": func(n *yaml.Node) { c.Values = s.values(n, what) },
				"slot":   func(n *yaml.Node) { c.Slot = s.identifier(n, what) },
			})
		default:
			c.Values = s.values(field.value, what)
		}
		conditions = append(conditions, c)
	}
	return conditions
}

// values reads a scalar, a list of them, or nothing.
func (s *sentenceReader) values(n *yaml.Node, what string) []any {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return []any{s.scalar(n, what)}
	}
	var values []any
	for _, entry := range s.sequence(n, what) {
		values = append(values, s.scalar(entry, what))
	}
	return values
}

func (s *sentenceReader) rules(n *yaml.Node) map[string]nlu.Template {
	rules := make(map[string]nlu.Template)
	for _, field := range s.mapping(n, "rules") {
		rules[s.identifier(field.key, "rules")] = s.template(field.value, "rules")
	}
	return rules
}

// template reads a piece of the template language, with its place.
func (s *sentenceReader) template(n *yaml.Node, what string) nlu.Template {
	s.templates++
	text := s.text(n, what)
	if text == "" && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		s.fail(n, "%s is empty", what)
	}
	if utf8.RuneCountInString(text) > MaxTemplate {
		s.fail(n, "%s is longer than %d characters", what, MaxTemplate)
	}
	line, col := s.place(n)
	return nlu.Template{Text: text, File: s.name, Line: line, Col: col}
}

// place is where the text of a scalar begins: behind its quote, or on the line
// after | or >.
func (f *file) place(n *yaml.Node) (line, col int) {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		return n.Line, n.Column + 1
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		lines := f.split()
		for i := n.Line; i < len(lines); i++ { // the line after n's
			if indent := strings.IndexFunc(lines[i], notBlank); indent >= 0 {
				return i + 1, indent + 1
			}
		}
	}
	return n.Line, n.Column
}

func notBlank(r rune) bool { return r != ' ' && r != '\r' }

// answers reads the texts that the skill speaks. Their helpers are the SDK's, so
// here only the syntax is checked.
func (s *sentenceReader) answers(n *yaml.Node) {
	s.answersAt = n
	fields := s.mapping(n, "answers")
	if len(fields) > MaxAnswers {
		s.fail(n, "there are %d answers: %d at most", len(fields), MaxAnswers)
		return
	}
	s.out.Answers = make(map[string][]string, len(fields))
	for _, field := range fields {
		key := s.identifier(field.key, "answers")
		texts := []*yaml.Node{field.value}
		if field.value.Kind == yaml.SequenceNode {
			texts = field.value.Content
		}
		if len(texts) == 0 {
			s.fail(field.key, "answers.%s has no text", key)
		}
		for _, n := range texts {
			text := s.text(n, "answers."+key)
			if utf8.RuneCountInString(text) > MaxAnswer {
				s.fail(n, "answers.%s is longer than %d characters", key, MaxAnswer)
				continue
			}
			if err := checkAnswer(text); err != nil {
				s.fail(n, "answers.%s: %v", key, err)
			}
			s.out.Answers[key] = append(s.out.Answers[key], text)
		}
	}
}

func checkAnswer(text string) error {
	tree := parse.New("the text")
	tree.Mode = parse.SkipFuncCheck
	_, err := tree.Parse(text, "", "", make(map[string]*parse.Tree))
	return err
}

// home reads what is in the home that the tests speak of.
func (s *sentenceReader) home(n *yaml.Node) {
	h := &s.out.Home
	s.fields(n, "home", readers{
		"area": func(n *yaml.Node) { h.Area = s.text(n, "home.area") },
		"now": func(n *yaml.Node) {
			var err error
			if h.Now, err = time.Parse("2006-01-02T15:04:05", s.text(n, "home.now")); err != nil {
				s.fail(n, "home.now, when the tests are said, must be a day and a time such as 2026-11-25T10:00:00")
			}
		},
		"entities": func(n *yaml.Node) {
			for _, entry := range s.sequence(n, "home.entities") {
				h.Entities = append(h.Entities, s.entity(entry, h.Entities))
			}
			if len(h.Entities) > MaxEntities {
				s.fail(n, "home has %d entities: %d at most", len(h.Entities), MaxEntities)
			}
		},
	})
}

// entity reads one of the home's entities, after those before it.
func (s *sentenceReader) entity(n *yaml.Node, before []assistant.Entity) assistant.Entity {
	const what = "home: an entity"
	var e assistant.Entity
	s.fields(n, what, readers{
		"id":     func(n *yaml.Node) { e.ID = s.text(n, what+": id") },
		"domain": func(n *yaml.Node) { e.Domain = s.text(n, what+": domain") },
		"name":   func(n *yaml.Node) { e.Name = s.text(n, what+": name") },
		"area":   func(n *yaml.Node) { e.Area = s.text(n, what+": area") },
		"state":  func(n *yaml.Node) { e.State = s.scalars(n, what+": state") },
		"offline": func(n *yaml.Node) {
			if n.Decode(&e.Offline) != nil {
				s.fail(n, "%s: offline must be true or false", what)
			}
		},
	})
	if e.Domain == "" {
		e.Domain, _, _ = strings.Cut(e.ID, ".")
	}
	if err := assistant.CheckName(e.ID); err != nil {
		s.fail(n, "%s: id, such as light.desk: %v", what, err)
	}
	if err := assistant.CheckName(e.Domain); err != nil {
		s.fail(n, "%s: domain, such as light: %v", what, err)
	}
	if slices.ContainsFunc(before, func(other assistant.Entity) bool { return other.ID == e.ID }) {
		s.fail(n, "%s: the id %.40q is here twice", what, e.ID)
	}
	return e
}

func (s *sentenceReader) tests(n *yaml.Node) {
	entries := s.sequence(n, "tests")
	if len(entries) > MaxTests {
		s.fail(n, "there are %d tests: %d at most", len(entries), MaxTests)
		return
	}
	for _, entry := range entries {
		t := Test{File: s.name, Line: entry.Line, Slots: map[string]any{}}
		s.fields(entry, "a test", readers{
			"say":    func(n *yaml.Node) { t.Say = s.text(n, "say") },
			"intent": func(n *yaml.Node) { t.Intent = s.text(n, "intent") },
			"slots":  func(n *yaml.Node) { t.Slots = s.scalars(n, "slots") },
			"answer": func(n *yaml.Node) { t.Answer = s.text(n, "answer") },
		})
		if t.Say == "" || t.Intent == "" {
			s.fail(entry, "a test must have what to say and its intent: {say: ..., intent: ...}")
		}
		s.out.Tests = append(s.out.Tests, t)
	}
}

// checkTests waits for the end of the file, where all intents are known.
func (s *sentenceReader) checkTests() {
	for _, t := range s.out.Tests {
		if t.Intent != "" && s.intents[t.Intent] == nil {
			s.fail(&yaml.Node{Line: t.Line, Column: 1}, "a test: %s",
				unknown("intent", t.Intent, slices.Sorted(maps.Keys(s.intents))))
		}
	}
}
