package dialogue

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
)

// Part is one of several things that an utterance asked for, and what came of it.
type Part struct {
	Text  string
	Reply *assistant.Reply
}

// Together makes one reply of those to the parts of an utterance: what was said
// to each, once where it is the same, and which of them failed and why. Its error
// is that of the first that failed.
func (p *Phrases) Together(u *assistant.Utterance, turn string, s Session, lang string, parts []Part) *assistant.Reply {
	reply := &assistant.Reply{ID: u.ID, Turn: turn, Session: s.ID, Lang: lang, Expect: assistant.ExpectNone}
	said := make(map[string]bool)
	var speech strings.Builder
	for i, part := range parts {
		what := part.Reply.Speech
		if e := part.Reply.Error; e != nil {
			if what == "" { // alone it would be silent, among others it would be missed
				what = p.Apology(lang, assistant.CodeSkillFailed)
			}
			what = fmt.Sprintf(p.in(lang)["part_failed"], part.Text, what)
			if reply.Error == nil {
				reply.Error = &assistant.Error{Code: e.Code, Message: fmt.Sprintf("part %d of %d: %s", i+1, len(parts), e.Message), RetryAfterMS: e.RetryAfterMS}
			}
		}
		if what = strings.TrimSpace(what); what != "" && !said[what] {
			said[what] = true
			speech.WriteString(p.sentence(lang, what))
		}
		reply.Expect = part.Reply.Expect // of the last: nobody answers a question that more was said after
	}
	reply.Speech = strings.TrimSpace(speech.String())
	reply.Skill, reply.Version = shared(parts)
	return reply
}

// sentence ends what is said, such that more may follow.
func (p *Phrases) sentence(lang, what string) string {
	stop := p.in(lang)["stop"]
	if last, _ := utf8.DecodeLastRuneInString(what); unicode.IsPunct(last) {
		_, size := utf8.DecodeRuneInString(stop)
		stop = stop[size:]
	}
	return what + stop
}

// shared is the skill and version that answered all parts, if that is one.
func shared(parts []Part) (skill, version string) {
	first := parts[0].Reply
	for _, part := range parts[1:] {
		if part.Reply.Skill != first.Skill || part.Reply.Version != first.Version {
			return "", ""
		}
	}
	return first.Skill, first.Version
}
