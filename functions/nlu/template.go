package nlu

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Bounds on what one template may be.
const (
	maxTemplateLength = 8000 // characters
	maxTemplateDepth  = 40   // brackets within brackets
	maxPermutation    = 8    // parts that may stand in any order
)

// SyntaxError says what is wrong with a template, and where.
type SyntaxError struct {
	File      string
	Line, Col int // from 1; Line 0: unknown
	Problem   string
}

func (e *SyntaxError) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Problem)
	case e.File != "":
		return e.File + ": " + e.Problem
	}
	return e.Problem
}

// Literal returns a template that stands for exactly this text, for words that
// come from people: the names of their rooms and lamps.
func Literal(text string) Template {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(`()[]{}<>|;@\`, asciiSyntax(r)) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return Template{Text: b.String()}
}

// asciiSyntax returns the bracket or bar for which r is the full-width form, as
// keyboards for Chinese and Japanese write it, and any other r as it is.
func asciiSyntax(r rune) rune {
	const width = '（' - '('
	if strings.ContainsRune("（）［］｛｝＜＞｜", r) {
		return r - width
	}
	return r
}

// errorAt is an error at the offset, in characters, in the template.
func (t Template) errorAt(offset int, format string, args ...any) *SyntaxError {
	e := &SyntaxError{File: t.File, Line: t.Line, Col: t.Col + offset, Problem: fmt.Sprintf(format, args...)}
	if t.Line == 0 {
		e.Problem += fmt.Sprintf(" (at character %d of %.60q)", offset+1, t.Text)
	}
	return e
}

// expr is a node of a parsed template.
type expr any

type (
	exprText  struct{ text []rune } // folded, without blanks
	exprBlank struct{}
	exprSeq   []expr
	exprAlt   []expr // one of
	exprPerm  []expr // all, in any order
	exprRule  struct {
		name string
		at   int
	}
	exprList struct {
		list    string
		slot    string
		capture bool   // for answers, not a slot
		inline  *Range // {0..100:slot}
		at      int
	}
)

// parser reads one template.
type parser struct {
	t     Template
	in    []rune
	at    int
	depth int
}

func parseTemplate(t Template) (expr, error) {
	p := &parser{t: t, in: []rune(strings.Map(asciiSyntax, t.Text))}
	if len(p.in) > maxTemplateLength {
		return nil, t.errorAt(maxTemplateLength, "the template is longer than %d characters", maxTemplateLength)
	}
	e, err := p.group(0, 0)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// group reads up to the closing bracket, 0 for the end of the template. A change
// of separator makes what stands so far the first part of the new group, so
// a|b;c is a permutation of (a|b) and c.
func (p *parser) group(closing rune, opened int) (expr, error) {
	if p.depth++; p.depth > maxTemplateDepth {
		return nil, p.t.errorAt(opened, "brackets stand more than %d deep", maxTemplateDepth)
	}
	defer func() { p.depth-- }()
	var parts []expr
	var kind rune
	for {
		part, err := p.sequence()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if p.at == len(p.in) {
			if closing != 0 {
				return nil, p.t.errorAt(opened, "%q is never closed", p.in[opened])
			}
			return p.join(kind, parts, opened)
		}
		sep := p.in[p.at]
		if sep != '|' && sep != ';' {
			if sep != closing {
				return nil, p.t.errorAt(p.at, "%q closes nothing; write \\%c for the character itself", sep, sep)
			}
			p.at++
			return p.join(kind, parts, opened)
		}
		if kind != 0 && sep != kind {
			joined, err := p.join(kind, parts, opened)
			if err != nil {
				return nil, err
			}
			parts = []expr{joined}
		}
		kind = sep
		p.at++
	}
}

func (p *parser) join(kind rune, parts []expr, opened int) (expr, error) {
	switch {
	case len(parts) == 1:
		return parts[0], nil
	case kind == '|':
		return exprAlt(parts), nil
	case len(parts) > maxPermutation:
		return nil, p.t.errorAt(opened, "more than %d parts in any order", maxPermutation)
	}
	for i, part := range parts {
		parts[i] = exprSeq{exprBlank{}, part, exprBlank{}}
	}
	return exprPerm(parts), nil
}

// sequence reads until a separator or a closing bracket.
func (p *parser) sequence() (expr, error) {
	var seq exprSeq
	for p.at < len(p.in) {
		var e expr
		var err error
		opened := p.at
		switch r := p.in[p.at]; {
		case strings.ContainsRune("|;)]}>", r):
			return seq, nil
		case r == '(':
			p.at++
			e, err = p.group(')', opened)
		case r == '[':
			p.at++
			e, err = p.group(']', opened)
			e = exprAlt{e, exprSeq(nil)}
		case r == '{':
			e, err = p.list()
		case r == '<':
			e, err = p.rule()
		case p.atBlank():
			p.at++
			e = exprBlank{}
		default:
			e, err = p.text()
		}
		if err != nil {
			return nil, err
		}
		seq = append(seq, e)
	}
	return seq, nil
}

func (p *parser) text() (expr, error) {
	var b strings.Builder
	for p.at < len(p.in) {
		r := p.in[p.at]
		if strings.ContainsRune("|;()[]{}<>", r) || p.atBlank() {
			break
		}
		if r == '\\' {
			if p.at++; p.at == len(p.in) {
				return nil, p.t.errorAt(p.at-1, "a backslash stands at the end; write \\\\ for the character itself")
			}
			r = p.in[p.at]
		}
		b.WriteRune(r)
		p.at++
	}
	return exprText{foldWord(b.String())}, nil
}

// atBlank tells of white space, and of the marks that are blanks in texts too.
func (p *parser) atBlank() bool {
	var prev, next rune
	if p.at > 0 {
		prev = p.in[p.at-1]
	}
	if p.at+1 < len(p.in) {
		next = p.in[p.at+1]
	}
	r := p.in[p.at]
	return unicode.IsSpace(r) || unicode.IsControl(r) || isBreak(r, prev, next)
}

// upTo reads what stands between the bracket at p.at and the closing one.
func (p *parser) upTo(closing rune) (string, int, error) {
	opened := p.at
	for i := opened + 1; i < len(p.in); i++ {
		if p.in[i] == closing {
			p.at = i + 1
			return strings.TrimSpace(string(p.in[opened+1 : i])), opened, nil
		}
	}
	return "", 0, p.t.errorAt(opened, "%q is never closed", p.in[opened])
}

func (p *parser) rule() (expr, error) {
	name, at, err := p.upTo('>')
	if err != nil {
		return nil, err
	}
	if !isName(name) {
		return nil, p.t.errorAt(at, "<%s> does not name a rule: use letters, digits, _ and -", name)
	}
	return exprRule{name: name, at: at}, nil
}

func (p *parser) list() (expr, error) {
	body, at, err := p.upTo('}')
	if err != nil {
		return nil, err
	}
	body = strings.ReplaceAll(body, "：", ":")
	name, slot, named := strings.Cut(body, ":")
	e := exprList{at: at}
	if !named {
		name, e.capture = strings.CutPrefix(name, "@")
		slot = name
	} else {
		slot, e.capture = strings.CutPrefix(slot, "@")
	}
	e.list, e.slot = name, slot
	if strings.Contains(name, "..") {
		if !named {
			return nil, p.t.errorAt(at, "{%s} needs a slot: write {%s:slot}", body, body)
		}
		if e.inline, err = parseRange(name); err != nil {
			return nil, p.t.errorAt(at, "{%s}: %v", body, err)
		}
		name = "range"
	}
	if !isName(name) || !isName(slot) {
		return nil, p.t.errorAt(at, "{%s} does not name a list: use letters, digits, _ and -, and a colon before another slot", body)
	}
	return e, nil
}

func parseRange(s string) (*Range, error) {
	s, step, stepped := strings.Cut(s, ",")
	from, to, _ := strings.Cut(s, "..")
	r := &Range{Step: 1}
	if from = strings.TrimSpace(from); len(from) > 1 && from[0] == '0' {
		r.digits = len(from)
	}
	var err error
	if r.From, err = strconv.ParseFloat(strings.TrimSpace(from), 64); err != nil {
		return nil, fmt.Errorf("%q is not a number", from)
	}
	if r.To, err = strconv.ParseFloat(strings.TrimSpace(to), 64); err != nil {
		return nil, fmt.Errorf("%q is not a number", to)
	}
	if stepped {
		if r.Step, err = strconv.ParseFloat(strings.TrimSpace(step), 64); err != nil {
			return nil, fmt.Errorf("%q is not a number", step)
		}
	}
	return r, r.check()
}

func isName(s string) bool {
	for _, r := range s {
		if r != '_' && r != '-' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			return false
		}
	}
	return s != ""
}
