package eval

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/nlu"
)

// places know where the texts of a file stand, so that what is wrong with a
// template can be told with its line. Of texts that are equal, and have the same
// faults, that is the first.
type places struct {
	file string
	at   map[string]place
}

type place struct{ line, col int }

// newPlaces finds the texts of a JSON document, which is sound.
func newPlaces(file string, data []byte) *places {
	p := &places{file: file, at: make(map[string]place)}
	dec := json.NewDecoder(bytes.NewReader(data))
	now, seen := place{1, 1}, 0
	for {
		token, err := dec.Token()
		if err != nil {
			return p
		}
		text, ok := token.(string)
		if !ok {
			continue
		}
		end := int(dec.InputOffset())
		from := end - quoted(data[:end])
		now.pass(data[seen:from])
		seen = from
		if _, again := p.at[text]; !again {
			p.at[text] = place{now.line, now.col + 1} // behind the quote
		}
	}
}

// quoted is the length of the JSON string that ends data. A quote within it has an
// odd number of backslashes before it.
func quoted(data []byte) int {
	for from := len(data) - 2; from >= 0; from-- {
		if data[from] != '"' {
			continue
		}
		before := from
		for before > 0 && data[before-1] == '\\' {
			before--
		}
		if (from-before)%2 == 0 {
			return len(data) - from
		}
	}
	return len(data)
}

// pass goes on behind a piece of the document.
func (p *place) pass(data []byte) {
	p.line += bytes.Count(data, []byte{'\n'})
	if last := bytes.LastIndexByte(data, '\n'); last >= 0 {
		p.col, data = 1, data[last+1:]
	}
	p.col += utf8.RuneCount(data)
}

// template is a piece of the template language that the file holds. Behind an
// escape, such as \", columns are those of the text, not of the file.
func (p *places) template(text string) nlu.Template {
	at := p.at[text]
	return nlu.Template{Text: text, File: p.file, Line: at.line, Col: at.col}
}
