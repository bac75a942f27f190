package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/nlu"
)

// The limits of what is read.
const (
	MaxFile      = 1 << 20 // bytes of one file
	MaxLanguages = 100
	MaxIntents   = 500
	MaxTemplates = 10_000 // sentences, list values and rules of one file
	MaxTemplate  = 2_000  // characters
	MaxAnswers   = 1_000  // keys of one file
	MaxAnswer    = 8_000  // characters, as written
	MaxTests     = 2_000  // of one file
	MaxDomains   = 50     // that a skill may see
	MaxEntities  = 200    // of the home that a file's tests speak of
)

// The names in a skill's folder.
const (
	FileName     = "skill.yaml"
	SentencesDir = "sentences"
	extension    = ".yaml"
)

// Skill is a skill's folder, read and checked.
type Skill struct {
	Manifest

	// Sentences holds what each language's file says, by language.
	Sentences map[string]*Sentences
}

// Manifest is what skill.yaml says.
type Manifest struct {
	Name         string
	Version      string            // semantic version without build metadata
	Description  map[string]string // by language; under "" where it is given for none
	Runtime      Runtime
	Languages    []string
	Intents      []string
	State        StateScope
	StateVersion int
	Limits       Limits
	Entities     []string // the domains of entities that the skill may see and command
}

// Runtime is how the skill is run: exactly one of its fields is set.
type Runtime struct {
	Go      string   // the folder of package main, within the skill's
	Command []string // a program and its arguments
	Image   string   // of a container
}

// StateScope tells what a skill's state belongs to.
type StateScope string

// The scopes of state.
const (
	StateNone     StateScope = "none"
	StateDialogue StateScope = "dialogue"
	StateHome     StateScope = "home"
)

// Limits are what an instance may use.
type Limits struct {
	MemoryMiB    int64
	CPU          float64 // processors
	Timeout      time.Duration
	Concurrency  int // calls at once in one instance
	MinInstances int
	MaxInstances int
	Idle         time.Duration // after which an instance without calls is stopped
}

// Sentences is what a sentence file says.
type Sentences struct {
	Source  nlu.Source          // without the version, see Skill.Sources
	Answers map[string][]string // templates, any of which will do
	Home    Home
	Tests   []Test
}

// Home is what the tests of a sentence file speak of. It is there for them alone.
type Home struct {
	Area     string // of the device that hears them
	Entities []assistant.Entity
	// Now is when they are said, in UTC, so that "tomorrow at seven" is the same
	// whenever they run: 10:00 on Wednesday, 25 November 2026, where the file does
	// not say.
	Now time.Time
}

// usualNow is when the tests of a file that does not say it are said.
func usualNow() time.Time { return time.Date(2026, time.November, 25, 10, 0, 0, 0, time.UTC) }

// Test is a sentence and what must become of it.
type Test struct {
	Say    string
	Intent string
	Slots  map[string]any // all of them: string, float64 or bool
	Answer string         // the speech; empty: not checked
	File   string
	Line   int
}

// Sources returns the sentences of all languages, in the order of the manifest,
// as those of a deployed version.
func (s *Skill) Sources(version string) []nlu.Source {
	sources := make([]nlu.Source, 0, len(s.Languages))
	for _, lang := range s.Languages {
		source := s.Sentences[lang].Source
		source.Version = version
		sources = append(sources, source)
	}
	return sources
}

// Load reads a skill's folder. The error joins all problems found, each a
// *Problem, an *nlu.SyntaxError, or what kept a file from being read.
func Load(folder fs.FS) (*Skill, error) {
	data, err := readFile(folder, FileName)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(folder, SentencesDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the folder %s: %w", SentencesDir, err)
	}
	var errs []error
	sentences := make(map[string][]byte)
	for _, entry := range entries {
		lang, ok := strings.CutSuffix(entry.Name(), extension)
		if !ok || entry.IsDir() {
			if !strings.HasPrefix(entry.Name(), ".") {
				errs = append(errs, fmt.Errorf("%s: only files <language>%s may be here: move or rename it",
					path.Join(SentencesDir, entry.Name()), extension))
			}
			continue
		}
		if len(sentences) == MaxLanguages {
			return nil, fmt.Errorf("there are more than %d files in %s", MaxLanguages, SentencesDir)
		}
		if sentences[lang], err = readFile(folder, sentenceFile(lang)); err != nil {
			errs = append(errs, err)
		}
	}
	skill, err := Decode(data, sentences)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	if err := checkTemplates(skill); err != nil {
		return nil, err
	}
	return skill, nil
}

// Decode is Load for files that were read already, skill.yaml and the sentence
// files by language, but for compiling the sentences, which nlu.Compile does.
func Decode(manifest []byte, sentences map[string][]byte) (*Skill, error) {
	f := &file{name: FileName, data: manifest}
	m := f.manifest()
	skill := &Skill{Manifest: m.Manifest, Sentences: make(map[string]*Sentences, len(sentences))}
	files := []*file{f}
	read := make(map[string]*Sentences, len(sentences)) // nil: is there, but cannot be read
	byLang := make(map[string]*file, len(sentences))
	for _, lang := range slices.Sorted(maps.Keys(sentences)) {
		sf := &file{name: sentenceFile(lang), data: sentences[lang]}
		skill.Sentences[lang] = sf.sentences(m, lang)
		if read[lang] = skill.Sentences[lang]; sf.broken {
			read[lang] = nil
		}
		byLang[lang] = sf
		files = append(files, sf)
	}
	if !f.broken {
		checkFolder(f, m, byLang, read)
	}
	var errs []error
	for _, f := range files {
		errs = append(errs, f.err())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return skill, nil
}

func sentenceFile(lang string) string { return path.Join(SentencesDir, lang+extension) }

// readFile reads a file, one byte beyond the limit at most, which then tells.
func readFile(folder fs.FS, name string) ([]byte, error) {
	r, err := folder.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file in the skill's folder", name)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}
