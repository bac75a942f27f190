package nlu

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// languageFiles hold the words of each language for numbers, durations, days and rooms.
// The code knows no word of any language: a language is a file.
//
//go:embed lang/*.json
var languageFiles embed.FS

// languageFile is the form of a file in lang.
type languageFile struct {
	// Spaced: words stand apart, and end where a letter does not follow.
	Spaced bool `json:"spaced"`
	// IgnoreBlanks: blanks mean nothing in sentences.
	IgnoreBlanks bool `json:"ignore_blanks"`
	// SkipWords are those of sources that have none of their own.
	SkipWords []string `json:"skip_words"`
	Number    struct {
		Words  map[string]float64 `json:"words"`
		Scales map[string]float64 `json:"scales"`
		// Section is the first scale that multiplies all that was said since the
		// last one: 1000 in English, 10000 in Chinese.
		Section float64  `json:"section"`
		Bare    []string `json:"bare"` // scales that may stand without a number before: "hundred percent"
		One     []string `json:"one"`  // words for one before a scale or unit: "a hundred"
		Fillers []string `json:"fillers"`
		Minus   []string `json:"minus"`
		Point   []string `json:"point"`
		// Suffixes are added to the number before them: "and a half".
		Suffixes map[string]float64 `json:"suffixes"`
		// Fractions stand for themselves alone: half.
		Fractions map[string]float64 `json:"fractions"`
		// ZeroFills: zero marks places that were left out, 一百零五.
		ZeroFills bool `json:"zero_fills"`
		// Elliptic: a digit after a scale takes the next lower place, 一百五 is 150.
		Elliptic bool `json:"elliptic"`
		// DigitStrings: single digits in a row are read as if written, 二〇二四.
		DigitStrings bool `json:"digit_strings"`
	} `json:"number"`
	Duration struct {
		Units map[string]float64 `json:"units"` // in seconds
		// Fractions stand in place of a number: "half an".
		Fractions map[string]float64 `json:"fractions"`
		// Inner stands between number and unit and is added to the number: 个半.
		Inner map[string]float64 `json:"inner"`
		// Suffixes stand behind the unit: "an hour and a half".
		Suffixes map[string]float64 `json:"suffixes"`
		Joiners  []string           `json:"joiners"`
	} `json:"duration"`
	Days map[string]float64 `json:"days"` // from today
	// Phrases are how times, dates and quantities are spoken of.
	Phrases phraseFile `json:"phrases"`
	// Conjunctions may join commands: "and then". Marks do in every language.
	Conjunctions []string `json:"conjunctions"`
	// Openers may stand before the first of several: "first".
	Openers []string `json:"openers"`
	// Spelling tells what letters sound like, see spelling; in capitals, words that
	// sound like nothing else. Readings names the file
	// of the sounds of characters, and Confusions which of these are confused.
	Spelling   map[string]string `json:"spelling"`
	Readings   string            `json:"readings"`
	Confusions map[string]string `json:"confusions"`
	// Samples are a few values of built-in lists, and of lists that take any text.
	Samples map[string][]string `json:"samples"`
	// Rooms are the words for a room, the usual one first, by a name that all
	// languages share.
	Rooms map[string][]string `json:"rooms"`
}

// language reads numbers and what is made of them in one language.
type language struct {
	tag       string
	file      languageFile
	words     lexicon[numberWord]
	suffixes  lexicon[float64] // behind numbers
	units     lexicon[float64]
	fractions lexicon[float64]
	inner     lexicon[float64]
	behind    lexicon[float64] // behind units
	joiners   lexicon[float64]
	parts     lexicon[float64] // of one, alone
	days      lexicon[float64]
	phrases   map[string]*phrases // by built-in list

	conjunctions lexicon[float64]
	openers      lexicon[float64]
	spelling     *spelling
	readings     func() *readings // nil: of none
}

// loadLanguage reads the words of a language, nil where they are not known:
// "zh-CN" is looked for as itself, then as "zh".
func loadLanguage(tag string) (*language, error) {
	for name := strings.ToLower(strings.ReplaceAll(tag, "_", "-")); name != ""; {
		data, err := languageFiles.ReadFile("lang/" + name + ".json")
		if err == nil {
			return newLanguage(name, data)
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return nil, fmt.Errorf("read the words of language %s: %w", name, err)
		}
		name = name[:max(strings.LastIndexByte(name, '-'), 0)]
	}
	return nil, nil //nolint:nilnil // a language without words of its own is no error
}

func newLanguage(name string, data []byte) (*language, error) {
	l := &language{tag: name}
	if err := json.Unmarshal(data, &l.file); err != nil {
		return nil, fmt.Errorf("read the words of language %s: %w", name, err)
	}
	f := &l.file
	l.words.spaced = f.Spaced
	l.addNumberWords()
	l.spelling = newSpelling(f.Spelling)
	if f.Readings != "" {
		readings, err := lazyReadings(f.Readings, f.Confusions)
		if err != nil {
			return nil, err
		}
		l.readings = readings
	}
	for _, x := range []struct {
		to   *lexicon[float64]
		from map[string]float64
	}{
		{&l.suffixes, f.Number.Suffixes},
		{&l.units, f.Duration.Units},
		{&l.fractions, f.Duration.Fractions},
		{&l.inner, f.Duration.Inner},
		{&l.behind, f.Duration.Suffixes},
		{&l.joiners, set(f.Duration.Joiners)},
		{&l.parts, f.Number.Fractions},
		{&l.days, f.Days},
		{&l.conjunctions, set(f.Conjunctions)},
		{&l.openers, set(f.Openers)},
	} {
		x.to.spaced = f.Spaced
		for phrase, value := range x.from {
			x.to.add(phrase, value)
		}
	}
	if err := l.newPhrases("lang/" + name + ".json"); err != nil {
		return nil, fmt.Errorf("read the phrases of language %s: %w", name, err)
	}
	return l, nil
}

func set(words []string) map[string]float64 {
	out := make(map[string]float64, len(words))
	for _, w := range words {
		out[w] = 0
	}
	return out
}

// skip goes over what may stand between two words.
func (l *language) skip(runes []rune, pos int) int {
	for pos < len(runes) && (isBlank(runes[pos]) || l.file.Spaced && isHyphen(runes[pos])) {
		pos++
	}
	return pos
}
