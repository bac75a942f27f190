package router

import (
	"context"
	"strconv"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/manifest"
)

// lockState keeps other turns of this router away from the state that the
// turn's skill may change, in order of arrival and for StartWithin at most.
func (r *Router) lockState(ctx context.Context, t *turn) (unlock func(), err error) {
	key, ok := stateScope(t)
	if !ok {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.Limits.StartWithin)
	defer cancel()
	return r.states.lock(ctx, key.Home+"/"+key.Skill+"/"+key.Scope)
}

func stateScope(t *turn) (assistant.StateKey, bool) {
	if t.skill == nil || t.skill.State == manifest.StateNone {
		return assistant.StateKey{}, false
	}
	return stateKey(t), true
}

func stateKey(t *turn) assistant.StateKey {
	scope := "home"
	if t.skill.State == manifest.StateDialogue {
		scope = "session/" + t.session.ID
	}
	return assistant.StateKey{Home: t.Home, Skill: t.skill.Name, Scope: scope}
}

// state reads what the turn's skill keeps, nothing for a skill without state.
func (r *Router) state(ctx context.Context, t *turn) (assistant.State, error) {
	key, ok := stateScope(t)
	if !ok {
		return assistant.State{}, nil
	}
	return r.Store.State(ctx, key)
}

// invoke calls the skill of the turn and adds what it cost.
func (r *Router) invoke(ctx context.Context, t *turn, state assistant.State) (*assistant.Answer, error) {
	if t.skill == nil {
		return nil, assistant.Errorf(assistant.CodeNoSkill, "the skill is not deployed any more")
	}
	call := &assistant.Call{
		ID: t.ID, Turn: t.ID, Home: t.view.Home, Device: t.speaker, Lang: t.lang, Now: r.Clock.Now(),
		Skill: t.skill.Name, Version: t.skill.ID, Intent: t.Intent, Fired: t.fired, Text: t.Text,
		Session: t.session.ID, NewSession: t.session.New, State: state,
		Entities: t.view.Visible(t.skill.Entities),
	}
	if t.asked != nil {
		call.Person, call.Now = t.asked.Person, t.asked.Received
	}
	answer, invocations, err := r.Invoker.Invoke(ctx, call)
	for _, made := range invocations {
		made.ID = t.ID + ".i" + strconv.Itoa(len(t.Invocations))
		t.Invocations = append(t.Invocations, made)
	}
	t.note("invoke", t.skill.Name+"@"+t.skill.ID)
	if err == nil && answer.State != nil && t.skill.State == manifest.StateNone {
		return nil, assistant.Errorf(assistant.CodeSkillFailed, "skill %s changes its state, but its manifest says `state: none`", t.skill.Name)
	}
	return answer, err
}
