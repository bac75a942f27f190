package manifest

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hark-voice/hark/functions/nlu"
)

// checkFolder finds what only shows when the files are seen together: skill.yaml
// is f. Sentences that are nil are there, but cannot be read.
func checkFolder(f *file, m *placed, files map[string]*file, sentences map[string]*Sentences) {
	for _, lang := range m.Languages {
		if _, ok := sentences[lang]; !ok {
			f.fail(m.languages[lang], "language %s has no file %s: add it, or remove the language", lang, sentenceFile(lang))
		}
	}
	for _, lang := range slices.Sorted(maps.Keys(sentences)) {
		if m.languages[lang] == nil {
			f.fail(nil, "there is a file %s, but %q is not among the languages: add it there, or remove the file",
				sentenceFile(lang), lang)
			continue
		}
		if sentences[lang] == nil {
			continue
		}
		for _, name := range m.Intents {
			has := func(i nlu.Intent) bool { return i.Name == name }
			if !slices.ContainsFunc(sentences[lang].Source.Intents, has) {
				f.fail(m.intents[name], "intent %s has no sentences in %s", name, sentenceFile(lang))
			}
		}
	}
	checkAnswers(files, sentences)
}

// checkTemplates has the sentences of each language compiled.
func checkTemplates(s *Skill) error {
	var errs []error
	for _, source := range s.Sources("") {
		if _, err := nlu.Compile(source.Lang, []nlu.Source{source}); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// checkAnswers finds answers that a user would hear in another language, because
// only that has them. A regional file may leave to its language what is the same.
func checkAnswers(files map[string]*file, sentences map[string]*Sentences) {
	languages := slices.Sorted(maps.Keys(sentences))
	found := make(map[string]string) // by key, a language that has it
	for _, lang := range languages {
		if sentences[lang] == nil {
			return // what it has is not known
		}
		for key := range sentences[lang].Answers {
			if found[key] == "" {
				found[key] = lang
			}
		}
	}
	for _, lang := range languages {
		primary, _, _ := strings.Cut(lang, "-")
		base := sentences[primary]
		for _, key := range slices.Sorted(maps.Keys(found)) {
			inherited := base != nil && base.Answers[key] != nil
			if sentences[lang].Answers[key] == nil && !inherited {
				files[lang].fail(files[lang].answersAt, "answer %q is in %s, but not here", key, sentenceFile(found[key]))
			}
		}
	}
}
