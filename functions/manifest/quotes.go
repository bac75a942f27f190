package manifest

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Sentences and answers are full of what YAML takes for its own: brackets, and
// colons. Its errors then name the start of the list or mapping around them, so
// the line to blame is looked for behind that.

// unquoted is a value that YAML reads as something else than a text.
type unquoted struct {
	at   *yaml.Node // its place
	what string     // to do about it
}

// unquotedAfter finds the first such value at or behind a line; nil: there is none.
func (f *file) unquotedAfter(line int) *unquoted {
	lines := f.split()
	for i := max(line-1, 0); i < len(lines); i++ {
		if isBlock(lines[i]) { // what is indented below is text
			for indent := indentOf(lines[i]); i+1 < len(lines) && (indentOf(lines[i+1]) > indent || strings.TrimSpace(lines[i+1]) == ""); {
				i++
			}
			continue
		}
		if what, col := quotesNeeded(lines[i]); what != "" {
			return &unquoted{at: &yaml.Node{Line: i + 1, Column: col}, what: what}
		}
	}
	return nil
}

// isBlock tells of a line behind which a text of several lines begins.
func isBlock(line string) bool {
	value, _ := lineValue(line)
	return value != "" && (value[0] == '|' || value[0] == '>')
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// split returns the lines of the file.
func (f *file) split() []string {
	if f.lines == nil {
		f.lines = strings.Split(string(f.data), "\n")
	}
	return f.lines
}

// quotesNeeded tells what is wrong with the value of a line, such as the x of
// "- x" or "key: x", and in which column it begins.
func quotesNeeded(line string) (what string, col int) {
	if text := strings.TrimLeft(line, " "); strings.HasPrefix(text, "\t") {
		return "indent with blanks instead of tabs", len(line) - len(text) + 1
	}
	value, kind := lineValue(line)
	if value == "" {
		return "", 0
	}
	col = len([]rune(line[:strings.LastIndex(line, value)])) + 1
	switch first := value[0]; {
	case first == '[' || first == '{':
		if rest, closed := afterBracket(value); !closed || rest == "" && !strings.HasPrefix(value, "{{") {
			return "", 0
		}
		return fmt.Sprintf("%s that begins with [ or { must be in quotes: %s", kind, quoted(value)), col
	case strings.IndexByte("@`%", first) >= 0:
		return fmt.Sprintf("%s that begins with %c must be in quotes: %s", kind, first, quoted(value)), col
	case strings.IndexByte("\"'|>#&*!", first) >= 0:
		return "", 0
	case strings.Contains(value, ": "):
		return fmt.Sprintf("%s that has a colon before a blank in it must be in quotes: %s", kind, quoted(value)), col
	}
	return "", 0
}

// lineValue returns what stands behind the dashes and the key of a line, without
// a comment.
func lineValue(line string) (value, kind string) {
	value, kind = strings.TrimSpace(line), "a text"
	if at := strings.Index(value, " #"); at >= 0 {
		value = strings.TrimSpace(value[:at])
	}
	for strings.HasPrefix(value, "- ") {
		value, kind = strings.TrimSpace(value[2:]), "a sentence"
	}
	if key, rest, ok := strings.Cut(value, ": "); ok && isIdentifier(key) {
		value, kind = strings.TrimSpace(rest), "a text"
	}
	return value, kind
}

// afterBracket returns what follows the bracket that closes the first one.
func afterBracket(value string) (rest string, closed bool) {
	depth := 0
	for i, c := range value {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return strings.TrimSpace(value[i+1:]), true
			}
		}
	}
	return "", false
}

// quoted writes a text as YAML does in quotes.
func quoted(text string) string {
	if strings.ContainsAny(text, `"\`) {
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return `"` + text + `"`
}

// isBraces tells of "{number}", which YAML takes for a name without a value.
func isBraces(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 && len(n.Content) == 2 && n.Content[1].Tag == "!!null"
}
