package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxProblems bounds what is told of one file.
const maxProblems = 50

// maxDepth bounds how deep values may nest; the format needs 7.
const maxDepth = 20

// Problem is something wrong at a place of a file.
type Problem struct {
	File      string
	Line, Col int // from 1; 0: the file as a whole
	Message   string
}

func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// file is a YAML file being read. Reading goes on after a problem, with a zero
// value in its place.
type file struct {
	name     string
	data     []byte
	lines    []string // of data, once they are needed
	problems []*Problem
	broken   bool // it cannot be read at all

	answersAt *yaml.Node // of a sentence file; nil: it has none
}

func (f *file) fail(at *yaml.Node, format string, args ...any) {
	p := &Problem{File: f.name, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		p.Line, p.Col = at.Line, at.Column
	}
	f.problems = append(f.problems, p)
}

// err joins the problems in the order of the file.
func (f *file) err() error {
	slices.SortStableFunc(f.problems, func(a, b *Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	var errs []error
	for i, p := range f.problems {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%s: and %d more problems", f.name, len(f.problems)-i))
			break
		}
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// root parses the file; nil, and broken, where it is not one mapping of plain values.
func (f *file) root() *yaml.Node {
	root := f.parse()
	f.broken = root == nil
	return root
}

func (f *file) parse() *yaml.Node {
	if len(f.data) > MaxFile {
		f.fail(nil, "the file is longer than %d bytes", MaxFile)
		return nil
	}
	if !utf8.Valid(f.data) {
		f.fail(nil, "the file is not valid UTF-8")
		return nil
	}
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(f.data))
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		f.failSyntax(err)
		return nil
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		f.fail(nil, "the file must be a mapping of names to values")
		return nil
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		f.fail(&more, "a second document begins here: keep to one a file")
		return nil
	case !errors.Is(err, io.EOF):
		f.failSyntax(err)
		return nil
	}
	if !f.plain(doc.Content[0], 0) {
		return nil
	}
	return doc.Content[0]
}

// failSyntax tells of an error of the YAML parser: "yaml: line 3: what is wrong".
func (f *file) failSyntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	at := &yaml.Node{Column: 1}
	if _, err := fmt.Sscanf(text, "line %d:", &at.Line); err != nil {
		f.fail(nil, "not valid YAML: %s", text)
		return
	}
	if bad := f.unquotedAfter(at.Line); bad != nil {
		f.fail(bad.at, "not valid YAML: %s", bad.what)
		return
	}
	_, text, _ = strings.Cut(text, ": ")
	inBrackets := strings.Contains(text, "expected ',' or")
	if inBrackets {
		text += "; within [ ] and { }, text that holds any of these needs quotes"
	}
	if inBrackets || strings.HasSuffix(text, "expected key") || strings.HasSuffix(text, "'-' indicator") || strings.HasSuffix(text, "node content") {
		at.Line++ // these errors count lines from 0
	}
	f.fail(at, "not valid YAML: %s", text)
}

// plain refuses what could make a small file large, or deep.
func (f *file) plain(n *yaml.Node, depth int) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		f.fail(n, "anchors and aliases (& and *) are not allowed: write the value out, or put it in quotes if it is text")
		return false
	}
	if depth > maxDepth {
		f.fail(n, "values are nested more than %d deep", maxDepth)
		return false
	}
	for _, c := range n.Content {
		if !f.plain(c, depth+1) {
			return false
		}
	}
	return true
}

// field is one entry of a mapping.
type field struct{ key, value *yaml.Node }

// mapping returns the entries of a mapping; an absent value has none.
func (f *file) mapping(n *yaml.Node, what string) []field {
	if n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		f.fail(n, "%s must be a mapping of names to values", what)
		return nil
	}
	seen := make(map[string]int, len(n.Content)/2)
	var fields []field
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			f.fail(key, "%s: a name must be a word", what)
			continue
		}
		if line, ok := seen[key.Value]; ok {
			f.fail(key, "%s: %q is here a second time, after line %d", what, key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		fields = append(fields, field{key, n.Content[i+1]})
	}
	return fields
}

// readers say how each field of a mapping is read.
type readers map[string]func(*yaml.Node)

// fields reads a mapping whose names are known, and refuses any other.
func (f *file) fields(n *yaml.Node, what string, known readers) {
	for _, field := range f.mapping(n, what) {
		read, ok := known[field.key.Value]
		if !ok {
			f.fail(field.key, "%s: %s", what, unknown("field", field.key.Value, slices.Sorted(maps.Keys(known))))
			continue
		}
		read(field.value)
	}
}

// sequence returns the entries of a list; an absent value has none.
func (f *file) sequence(n *yaml.Node, what string) []*yaml.Node {
	if n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		f.fail(n, "%s must be a list", what)
		return nil
	}
	return n.Content
}

// text returns a word or a text, whatever else YAML might take it for.
func (f *file) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		hint := ""
		if n.Style&yaml.FlowStyle != 0 {
			hint = "; one that begins with [ or { must be in quotes"
		}
		f.fail(n, "%s must be a text%s", what, hint)
		return ""
	}
	return n.Value
}

// texts returns a list of texts, or a single one.
func (f *file) texts(n *yaml.Node, what string) []string {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return []string{n.Value}
	}
	var list []string
	for _, entry := range f.sequence(n, what) {
		list = append(list, f.text(entry, what))
	}
	return list
}

// scalar returns a string, float64 or bool.
func (f *file) scalar(n *yaml.Node, what string) any {
	if n.Kind == yaml.ScalarNode {
		switch n.Tag {
		case "!!int", "!!float":
			return f.number(n, what)
		case "!!bool":
			var b bool
			if err := n.Decode(&b); err == nil {
				return b
			}
		case "!!str", "!!timestamp":
			return n.Value
		}
	}
	f.fail(n, "%s must be a text, a number, true or false", what)
	return nil
}

// scalars returns a mapping of names to strings, float64s and bools.
func (f *file) scalars(n *yaml.Node, what string) map[string]any {
	fields := f.mapping(n, what)
	values := make(map[string]any, len(fields))
	for _, field := range fields {
		f.identifier(field.key, what)
		values[field.key.Value] = f.scalar(field.value, what+": "+field.key.Value)
	}
	return values
}

func (f *file) number(n *yaml.Node, what string) float64 {
	var v float64
	if err := n.Decode(&v); err != nil || n.Kind != yaml.ScalarNode || v != v || v > 1e15 || v < -1e15 {
		f.fail(n, "%s must be a number of at most 15 digits", what)
		return 0
	}
	return v
}

// between returns a whole number within bounds.
func (f *file) between(n *yaml.Node, what string, low, high int) int {
	var v int
	if err := n.Decode(&v); err != nil || v < low || v > high {
		f.fail(n, "%s must be a whole number from %d to %d", what, low, high)
		return low
	}
	return v
}
