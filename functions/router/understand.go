package router

import (
	"fmt"
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
	u := t.snapshot.Understand(t.Text, langs, func(lang string) nlu.Context { return r.known(t, lang) })
	if u.Lang == "" {
		t.note("understand", "nothing in "+strings.Join(langs, ", ")+givenUp(u.Cut))
		if t.asked.Lang == "" {
			t.lang = t.inScript(langs)
		}
		return assistant.Errorf(assistant.CodeNotUnderstood, "no sentence of a deployed skill matches, in %s", strings.Join(langs, ", "))
	}
	t.lang = u.Lang
	switch parts := u.Guess.Parts; len(parts) {
	case 0:
		t.note("understand", t.lang+ambiguous(u.Result)+givenUp(u.Cut))
		t.understood(u.Result.Matches, 1)
	case 1:
		t.note("understand", t.lang+assumed(parts[0])+givenUp(u.Cut))
		t.understood(parts[0].Matches, u.Guess.Confidence)
	default:
		t.note("understand", fmt.Sprintf("%s; as %d commands", t.lang, len(parts))+givenUp(u.Cut))
		t.parts, t.confidence = parts, u.Guess.Confidence
	}
	return nil
}

// known is what is known where a sentence is heard.
func (r *Router) known(t *turn, lang string) nlu.Context {
	names, err := t.view.Lists(lang)
	if err != nil { // a home's odd names must not make it deaf
		r.Logger.Warn("the names of a home cannot be used", "home", t.Home, "error", err)
	}
	return nlu.Context{Values: map[string]any{"area": t.speaker.Area}, Lists: names, Now: t.Received.In(t.view.Zone)}
}

// understood takes the best reading, and notes the others in the trace's last stage.
func (t *turn) understood(matches []nlu.Match, confidence float64) {
	best := matches[0]
	t.skill, _ = t.snapshot.Skill(best.Skill)
	t.Intent = &assistant.Intent{Skill: best.Skill, Name: best.Intent, Slots: best.Slots, Confidence: confidence, Template: best.Template.Place()}
	t.Trace[len(t.Trace)-1].Cands = candidates(matches)
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
// language is taken at its word.
func (t *turn) languages() []string {
	return t.snapshot.LanguagesOf(t.Text, t.lang, t.asked.Lang != "")
}

// ambiguous names another skill for which as much speaks as for the best.
func ambiguous(r nlu.Result) string {
	if !r.Ambiguous() {
		return ""
	}
	rival := r.Rivals()[0]
	return fmt.Sprintf("; ambiguous: %s.%s as much as %s.%s", rival.Skill, rival.Intent, r.Matches[0].Skill, r.Matches[0].Intent)
}

// assumed tells what was taken for something else than was heard.
func assumed(p nlu.Part) string {
	var b strings.Builder
	for _, a := range p.Assumed {
		fmt.Fprintf(&b, "; %s: %q taken as %q", a.Kind, a.Heard, a.Taken)
	}
	return b.String()
}

// givenUp names the skills whose sentences were not searched to the end.
func givenUp(skills []string) string {
	if len(skills) == 0 {
		return ""
	}
	return "; the search was given up for " + strings.Join(skills, ", ") + ", whose sentences fit in too many ways"
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
			why = nlu.Why(&matches[0], &m)
		}
		list = append(list, assistant.TraceIntent{Skill: m.Skill, Intent: m.Intent, Template: m.Template.Place(), Why: why})
	}
	return list
}
