package skills

import (
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	sentencesDir     = "sentences"
	fallbackLanguage = "en"
	// maxRendered bounds a text while it grows, in bytes; the contract's limit in
	// characters is checked on the whole.
	maxRendered = 64 << 10
)

// texts are the answers of a skill in all its languages, each read when it is
// first spoken, because a skill is started to answer one call quickly.
type texts struct {
	files fs.FS

	mu       sync.Mutex
	names    []string // of the languages with a sentence file
	loaded   map[string]*answers
	speaking map[string]*language
	zones    map[string]*time.Location
	zoned    map[zoned]*template.Template
}

// zoned is a text that says times in a zone.
type zoned struct {
	text *template.Template
	zone *time.Location
}

// maxZoned bounds how many of them are kept.
const maxZoned = 1000

// zone finds a time zone, which takes longer than most calls, once.
func (t *texts) zone(name string) (*time.Location, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if zone, ok := t.zones[name]; ok {
		return zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	if t.zones == nil {
		t.zones = make(map[string]*time.Location)
	}
	t.zones[name] = zone // there are some hundred at most: others are unknown
	return zone, nil
}

// answers are the texts of one sentence file.
type answers struct {
	speech *language
	byKey  map[string]variants
}

// variants are the texts of one key, any of which will do.
type variants []*template.Template

func newTexts(files fs.FS) *texts {
	return &texts{
		files: files, loaded: make(map[string]*answers), speaking: make(map[string]*language),
		zoned: make(map[zoned]*template.Template),
	}
}

// render says the text of a key for a call.
func (t *texts) render(c *Call, key string, data any) (string, error) {
	found, speech, err := t.find(c.Lang, key)
	if err != nil {
		return "", err
	}
	text, err := t.inZone(found[choose(c.ID+key, len(found))], speech, c.now.Location())
	if err != nil {
		return "", fmt.Errorf("answer %q: %w", key, err)
	}
	var b strings.Builder
	if err := text.Execute(&bounded{b: &b}, data); err != nil {
		return "", fmt.Errorf("render an answer: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}

// inZone returns a text whose helpers say times in the zone.
func (t *texts) inZone(text *template.Template, speech *language, zone *time.Location) (*template.Template, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := zoned{text, zone}
	if ready, ok := t.zoned[key]; ok {
		return ready, nil
	}
	clone, err := text.Clone()
	if err != nil {
		return nil, err
	}
	if len(t.zoned) >= maxZoned {
		clear(t.zoned)
	}
	t.zoned[key] = clone.Funcs(speech.helpers(zone))
	return t.zoned[key], nil
}

// choose picks one of n, the same for the same seed.
func choose(seed string, n int) int {
	if n == 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, seed)
	return int(h.Sum32() % uint32(n)) //nolint:gosec // n is the length of a list
}

// find returns the texts of a key in the nearest language that has it.
func (t *texts) find(lang, key string) (variants, *language, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names == nil {
		names, err := languageNames(t.files, sentencesDir)
		if err != nil {
			return nil, nil, err
		}
		t.names = names
	}
	tried := nearest(lang, t.names)
	for _, name := range tried {
		a, err := t.load(name)
		if err != nil {
			return nil, nil, err
		}
		if v := a.byKey[key]; v != nil {
			return v, a.speech, nil
		}
	}
	return nil, nil, fmt.Errorf("no answer %q for language %q: add it under `answers:` in %s/%s.yaml (looked in: %s)",
		key, lang, sentencesDir, lang, strings.Join(tried, ", "))
}

func (t *texts) load(name string) (*answers, error) {
	if a, ok := t.loaded[name]; ok {
		return a, nil
	}
	speech, err := t.language(name)
	if err != nil {
		return nil, err
	}
	file := path.Join(sentencesDir, name+".yaml")
	data, err := fs.ReadFile(t.files, file)
	if err != nil {
		return nil, fmt.Errorf("read the answers: %w", err)
	}
	a, err := parseAnswers(file, data, speech)
	if err != nil {
		return nil, err
	}
	t.loaded[name] = a
	return a, nil
}

// language returns the forms of the nearest language that the SDK speaks.
func (t *texts) language(name string) (*language, error) {
	const dir = "languages"
	names, err := languageNames(languageFiles, dir)
	if err != nil {
		return nil, err
	}
	nearest := nearest(name, names)[0]
	if l, ok := t.speaking[nearest]; ok {
		return l, nil
	}
	file := path.Join(dir, nearest+".yaml")
	data, err := languageFiles.ReadFile(file)
	if err != nil {
		return nil, err
	}
	l, err := parseLanguage(file, data)
	if err != nil {
		return nil, err
	}
	t.speaking[nearest] = l
	return l, nil
}

// parseAnswers reads `answers:` of a sentence file: under each key a text or a
// list of texts.
func parseAnswers(file string, data []byte, speech *language) (*answers, error) {
	var content struct {
		Answers map[string]yaml.Node `yaml:"answers"`
	}
	if err := yaml.Unmarshal(data, &content); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	a := &answers{speech: speech, byKey: make(map[string]variants, len(content.Answers))}
	placeholders := speech.helpers(time.UTC)
	for key, node := range content.Answers {
		list := node.Content
		if node.Kind != yaml.SequenceNode {
			list = []*yaml.Node{&node}
		}
		for _, n := range list {
			name := fmt.Sprintf("%s:%d (%s)", file, n.Line, key)
			if n.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("%s: an answer is a text or a list of texts", name)
			}
			text, err := template.New(name).Option("missingkey=error").Funcs(placeholders).Parse(n.Value)
			if err != nil {
				return nil, fmt.Errorf("parse an answer: %w", err)
			}
			a.byKey[key] = append(a.byKey[key], text)
		}
	}
	return a, nil
}

// languageNames lists the languages with a file in a folder.
func languageNames(files fs.FS, dir string) ([]string, error) {
	found, err := fs.Glob(files, dir+"/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the languages in %s: %w", dir, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no %s/*.yaml in the skill's folder", dir)
	}
	for i, file := range found {
		found[i] = strings.TrimSuffix(path.Base(file), ".yaml")
	}
	return found, nil
}

// nearest orders the languages at hand by how well they serve somebody who
// wants lang, best first: itself, de for de-AT, another de, English, the first.
func nearest(lang string, have []string) []string {
	var order []string
	add := func(match func(string) bool) {
		for _, name := range have {
			if match(name) && !slices.Contains(order, name) {
				order = append(order, name)
			}
		}
	}
	for tag := lang; tag != ""; {
		add(func(name string) bool { return strings.EqualFold(name, tag) })
		cut := strings.LastIndexByte(tag, '-')
		tag = tag[:max(cut, 0)]
	}
	primary, _, _ := strings.Cut(lang, "-")
	add(func(name string) bool {
		base, _, _ := strings.Cut(name, "-")
		return strings.EqualFold(base, primary)
	})
	add(func(name string) bool { return name == fallbackLanguage })
	if len(order) == 0 {
		order = have[:1]
	}
	return order
}

// bounded ends a template that writes without end.
type bounded struct{ b *strings.Builder }

func (w *bounded) Write(p []byte) (int, error) {
	if w.b.Len()+len(p) > maxRendered {
		return 0, fmt.Errorf("the text is longer than %d bytes", maxRendered)
	}
	return w.b.Write(p)
}
