package dialogue

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hark-voice/hark/functions/assistant"
	"golang.org/x/text/language"
)

//go:embed phrases/*.json
var phraseFiles embed.FS

// Phrases are the words that Hark itself speaks. A language is a file.
type Phrases struct {
	tags    []language.Tag
	byTag   []map[string]string
	matcher language.Matcher
}

// LoadPhrases reads the languages that come with Hark. English, which is first,
// stands in for those that it has no words in.
func LoadPhrases() (*Phrases, error) {
	files, err := fs.Glob(phraseFiles, "phrases/*.json")
	if err != nil {
		return nil, fmt.Errorf("list phrases: %w", err)
	}
	p := &Phrases{}
	for _, file := range files { // sorted, and "en" sorts before "zh-CN"
		raw, err := phraseFiles.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read phrases: %w", err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(raw, &words); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		tag, err := language.Parse(strings.TrimSuffix(strings.TrimPrefix(file, "phrases/"), ".json"))
		if err != nil {
			return nil, fmt.Errorf("%s: the file is not named by a language: %w", file, err)
		}
		if tag == language.English {
			p.tags, p.byTag = append([]language.Tag{tag}, p.tags...), append([]map[string]string{words}, p.byTag...)
			continue
		}
		p.tags, p.byTag = append(p.tags, tag), append(p.byTag, words)
	}
	p.matcher = language.NewMatcher(p.tags)
	return p, nil
}

// Apology is what to say beside an error code; empty for the codes that are
// silent by contract (expired, yielded).
func (p *Phrases) Apology(lang string, code assistant.Code) string {
	return p.in(lang)[string(code)]
}

// Due is what to say when a schedule is due and its skill cannot speak.
func (p *Phrases) Due(lang string) string { return p.in(lang)["due"] }

func (p *Phrases) in(lang string) map[string]string {
	_, i, _ := p.matcher.Match(language.Make(lang))
	return p.byTag[i]
}
