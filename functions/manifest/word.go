package manifest

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

const maxIdentifier = 64 // characters

// identifier checks the name of an intent, a list, a rule, a slot or an answer.
func (f *file) identifier(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || !isIdentifier(n.Value) {
		f.fail(n, "%s: the name %.40q must be 1 to %d letters (a-z, A-Z), digits, _ and -, and begin with a letter",
			what, n.Value, maxIdentifier)
	}
	return n.Value
}

func isIdentifier(s string) bool {
	if s == "" || len(s) > maxIdentifier {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case isLetter(c):
		case i > 0 && (isDigit(c) || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// isVersion tells whether s is a semantic version without build metadata. It
// becomes part of file names.
func isVersion(s string) bool {
	if len(s) > 64 {
		return false
	}
	core, pre, hasPre := strings.Cut(s, "-")
	numbers := strings.Split(core, ".")
	if len(numbers) != 3 {
		return false
	}
	for _, n := range numbers {
		if n == "" || len(n) > 1 && n[0] == '0' || strings.Trim(n, "0123456789") != "" {
			return false
		}
	}
	if !hasPre {
		return true
	}
	for part := range strings.SplitSeq(pre, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			if c := part[i]; !isLetter(c) && !isDigit(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

// canonicalLanguage writes a language tag (BCP 47) as it is usually written:
// zh-CN, zh-Hant-TW. The result is empty for what is none.
func canonicalLanguage(tag string) string {
	parts := strings.Split(strings.ToLower(tag), "-")
	if primary := parts[0]; len(tag) > 35 || len(primary) < 2 || len(primary) > 3 || strings.ContainsAny(primary, "0123456789") {
		return ""
	}
	for i, part := range parts {
		if part == "" || len(part) > 8 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return ""
		}
		switch {
		case i > 0 && len(part) == 2:
			parts[i] = strings.ToUpper(part)
		case i > 0 && len(part) == 4 && !isDigit(part[0]):
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "-")
}

// ignoresWhitespace tells whether blanks mean nothing in a language.
func ignoresWhitespace(lang string) bool {
	primary, _, _ := strings.Cut(lang, "-")
	switch primary {
	case "zh", "yue", "ja":
		return true
	default:
		return false
	}
}

// unknown says that a name is not among the known ones, and which is meant.
func unknown(kind, name string, known []string) string {
	best, bestDistance := "", max(1, min(3, len(name)/3))+1
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("unknown %s %.40q: did you mean %q?", kind, name, best)
	}
	if len(known) == 0 {
		return fmt.Sprintf("unknown %s %.40q: there are none", kind, name)
	}
	return fmt.Sprintf("unknown %s %.40q: there are %s", kind, name, strings.Join(known, ", "))
}

// distance is the number of letters to insert, remove or replace to make b of a.
func distance(a, b string) int {
	if len(a) > maxIdentifier || len(b) > maxIdentifier {
		return maxIdentifier
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
