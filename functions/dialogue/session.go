package dialogue

import "github.com/hark-voice/hark/functions/assistant"

// Session is the conversation that a turn belongs to.
type Session struct {
	ID  string
	New bool
}

// Open returns the session of an utterance: the one that the device names, or a
// new one that takes the turn's id.
func Open(u *assistant.Utterance, turn string) Session {
	if u.Session != "" {
		return Session{ID: u.Session}
	}
	return Session{ID: turn, New: true}
}

// Reply makes the reply of a turn that a skill answered.
func Reply(u *assistant.Utterance, turn string, s Session, lang string, a *assistant.Answer) *assistant.Reply {
	expect := a.Expect
	if expect == "" {
		expect = assistant.ExpectNone
	}
	return &assistant.Reply{ID: u.ID, Turn: turn, Session: s.ID, Speech: a.Speech, Lang: lang, Expect: expect}
}

// Refuse makes the reply of a turn that ended in an error, with the apology in
// the language of the user.
func (p *Phrases) Refuse(u *assistant.Utterance, turn string, s Session, lang string, e *assistant.Error) *assistant.Reply {
	return &assistant.Reply{
		ID: u.ID, Turn: turn, Session: s.ID, Speech: p.Apology(lang, e.Code), Lang: lang,
		Expect: assistant.ExpectNone, Error: e,
	}
}
