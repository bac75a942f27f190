package router

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/nlu"
)

// traceCandidates bounds how many readings of a sentence a trace keeps.
const traceCandidates = 5

// understand finds the skill and the intent of an utterance, and the language
// that it was said in.
func (r *Router) understand(t *turn) *assistant.Error {
	if len(t.snapshot.Skills()) == 0 {
		return assistant.Errorf(assistant.CodeNoSkill, "no skill is deployed: `hark skill deploy DIR`")
	}
	if t.asked.Intent != nil {
		return r.recognized(t)
	}
	langs := t.languages()
	if len(langs) == 0 {
		return assistant.Errorf(assistant.CodeUnsupportedLanguage, "no skill speaks %q; there is %s",
			t.asked.Lang, strings.Join(t.snapshot.Languages(), ", "))
	}
	var cut []string
	for _, lang := range langs {
		names, err := t.view.Lists(lang)
		if err != nil { // a home's odd names must not make it deaf
			r.Logger.Warn("the names of a home cannot be used", "home", t.Home, "error", err)
		}
		result := t.snapshot.Grammar(lang).Match(t.Text, nlu.Context{Values: map[string]any{"area": t.speaker.Area}, Lists: names})
		cut = append(cut, result.Cut...)
		if len(result.Matches) == 0 {
			continue
		}
		best := result.Matches[0]
		t.lang = lang
		t.skill, _ = t.snapshot.Skill(best.Skill)
		t.Intent = &assistant.Intent{Skill: best.Skill, Name: best.Intent, Slots: best.Slots, Confidence: 1, Template: position(best.Template)}
		t.note("understand", lang+givenUp(cut))
		t.Trace[len(t.Trace)-1].Cands = candidates(result.Matches)
		return nil
	}
	t.note("understand", "nothing in "+strings.Join(langs, ", ")+givenUp(cut))
	if t.asked.Lang == "" {
		t.lang = t.inScript(langs)
	}
	return assistant.Errorf(assistant.CodeNotUnderstood, "no sentence of a deployed skill matches, in %s", strings.Join(langs, ", "))
}

// recognized takes an intent that the device recognized itself: "skill.Intent",
// or the intent's name alone where only one skill has it.
func (r *Router) recognized(t *turn) *assistant.Error {
	asked := *t.asked.Intent
	var found []string
	for _, s := range t.snapshot.Skills() {
		name := asked.Name
		if skill, intent, ok := strings.Cut(asked.Name, "."); ok && skill == s.Name {
			name = intent
		}
		if s.HasIntent(name) {
			found = append(found, s.Name)
			t.skill, t.Intent = s, &assistant.Intent{Skill: s.Name, Name: name, Slots: asked.Slots, Confidence: 1}
		}
	}
	switch len(found) {
	case 1:
		if langs := t.languages(); len(langs) > 0 {
			t.lang = langs[0]
		}
		t.note("understand", "intent "+asked.Name)
		return nil
	case 0:
		return assistant.Errorf(assistant.CodeNoSkill, "no deployed skill has the intent %q", asked.Name)
	}
	t.skill, t.Intent = nil, nil
	return assistant.Errorf(assistant.CodeBadRequest, "the intent %q is known to %s: say which, as in %s.%s",
		asked.Name, strings.Join(found, " and "), found[0], asked.Name)
}

// languages lists the languages to try, best first. A message that names its
// language is taken at its word. Else the device's own comes first, and then
// those that are written in the script of the sentence: who asks a device in
// Chinese wants to be understood in Chinese, whatever it was set to.
func (t *turn) languages() []string {
	known := t.snapshot.Languages()
	if len(known) == 0 {
		return nil
	}
	var langs []string
	if best := t.snapshot.Closest(t.lang); best != "" {
		langs = append(langs, best)
	}
	if t.asked.Lang != "" {
		return langs
	}
	han := holdsHan(t.Text)
	for _, lang := range known {
		if (len(langs) == 0 || langs[0] != lang) && t.snapshot.WrittenInHan(lang) == han {
			langs = append(langs, lang)
		}
	}
	return langs
}

// givenUp names the skills whose sentences were not searched to the end.
func givenUp(skills []string) string {
	if len(skills) == 0 {
		return ""
	}
	slices.Sort(skills)
	return "; the search was given up for " + strings.Join(slices.Compact(skills), ", ") + ", whose sentences fit in too many ways"
}

// inScript returns the first of the languages that is written as the text is,
// else the first: who was not understood is told so in their own language.
func (t *turn) inScript(langs []string) string {
	han := holdsHan(t.Text)
	for _, lang := range langs {
		if t.snapshot.WrittenInHan(lang) == han {
			return lang
		}
	}
	return langs[0]
}

func holdsHan(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool { return unicode.Is(unicode.Han, c) })
}

// candidates tells what a sentence could have meant and why the first won.
func candidates(matches []nlu.Match) []assistant.TraceIntent {
	var list []assistant.TraceIntent
	for i, m := range matches {
		if i == traceCandidates {
			break
		}
		why := "chosen"
		if i > 0 {
			why = lost(matches[0].Rank, m.Rank)
		}
		list = append(list, assistant.TraceIntent{Skill: m.Skill, Intent: m.Intent, Template: position(m.Template), Why: why})
	}
	return list
}

// lost names the first criterion in which b is behind a.
func lost(a, b nlu.Rank) string {
	switch {
	case a.NameLength != b.NameLength:
		return fmt.Sprintf("names less: %d letters against %d", b.NameLength, a.NameLength)
	case a.Wildcards != b.Wildcards:
		return fmt.Sprintf("more wildcards: %d against %d", b.Wildcards, a.Wildcards)
	case a.Literals != b.Literals:
		return fmt.Sprintf("fewer literal letters: %d against %d", b.Literals, a.Literals)
	case a.WildcardChars != b.WildcardChars:
		return fmt.Sprintf("more text in wildcards: %d letters against %d", b.WildcardChars, a.WildcardChars)
	}
	return "equal, but declared later"
}

func position(t nlu.Template) string {
	if t.File == "" {
		return t.Text
	}
	return t.File + ":" + strconv.Itoa(t.Line)
}
