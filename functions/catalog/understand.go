package catalog

import (
	"slices"
	"strings"
	"unicode"

	"github.com/hark-voice/hark/functions/nlu"
)

// Understood is what the skills of a snapshot make of a sentence.
type Understood struct {
	Lang   string     // in which it was understood; empty: in none
	Result nlu.Result // in that language
	// Guess is what is taken instead of Result, where it has parts.
	Guess nlu.Guess
	// Cut names the skills whose sentences were not searched to the end, in any
	// language; sorted.
	Cut []string
}

// Understand reads a sentence in languages of the snapshot, in this order, with
// what is known in each where it is heard. That a sentence matches as it is, in
// any of them, goes before what it may have meant.
func (s *Snapshot) Understand(text string, langs []string, known func(lang string) nlu.Context) Understood {
	var u Understood
	contexts := make([]nlu.Context, len(langs))
	for i, lang := range langs {
		contexts[i] = known(lang)
		result := s.grammars[lang].Match(text, contexts[i])
		u.Cut = append(u.Cut, result.Cut...)
		if len(result.Matches) > 0 {
			u.Lang, u.Result = lang, result
			if result.Doubtful() {
				u.Guess = s.grammars[lang].Guess(text, contexts[i])
			}
			break
		}
	}
	for i := 0; u.Lang == "" && i < len(langs); i++ {
		if guess := s.grammars[langs[i]].Guess(text, contexts[i]); len(guess.Parts) > 0 {
			u.Lang, u.Guess = langs[i], guess
		}
	}
	slices.Sort(u.Cut)
	u.Cut = slices.Compact(u.Cut)
	return u
}

// LanguagesOf lists the languages to read a sentence in, best first: the one that
// is nearest to lang and, unless that is certain, those that are written in the
// script of the sentence. Who asks a device in Chinese wants to be understood in
// Chinese, whatever it was set to.
func (s *Snapshot) LanguagesOf(text, lang string, certain bool) []string {
	if len(s.langs) == 0 {
		return nil
	}
	var langs []string
	if best := s.Closest(lang); best != "" {
		langs = append(langs, best)
	}
	if certain {
		return langs
	}
	han := strings.ContainsFunc(text, func(c rune) bool { return unicode.Is(unicode.Han, c) })
	for _, other := range s.langs {
		if !slices.Contains(langs, other) && s.han[other] == han {
			langs = append(langs, other)
		}
	}
	return langs
}
