package skilltest

import (
	"slices"
	"strings"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
	"github.com/hark-voice/hark/skills"
	"google.golang.org/protobuf/types/known/structpb"
)

// Entity puts an entity into the present home, or replaces the one of the same
// id. It is available until [Tester.Offline]. The domain is what the id begins
// with, "light" of "light.desk", unless it is given. The skill sees it if its
// skill.yaml asks for the domain.
func (t *Tester) Entity(e skills.Entity) *Tester {
	t.tb.Helper()
	if e.Domain == "" {
		e.Domain, _, _ = strings.Cut(e.ID, ".")
	}
	state, err := structpb.NewStruct(e.State)
	if err != nil {
		t.tb.Fatalf("the state of entity %s: %v", e.ID, err)
	}
	w := &assistantv1.Entity{Id: e.ID, Domain: e.Domain, Name: e.Name, Area: e.Area, State: state, Available: true}
	if !e.Updated.IsZero() {
		w.UpdatedMs = e.Updated.UnixMilli()
	}
	if i := t.find(t.home, e.ID); i >= 0 {
		t.entities[t.home][i] = w
		return t
	}
	t.entities[t.home] = append(t.entities[t.home], w)
	return t
}

// Offline makes entities of the present home unavailable.
func (t *Tester) Offline(ids ...string) *Tester {
	t.tb.Helper()
	for _, id := range ids {
		i := t.find(t.home, id)
		if i < 0 {
			t.tb.Fatalf("there is no entity %s", id)
		}
		t.entities[t.home][i].Available = false
	}
	return t
}

func (t *Tester) find(home, id string) int {
	return slices.IndexFunc(t.entities[home], func(e *assistantv1.Entity) bool { return e.GetId() == id })
}

// visible lists the entities of a home that the skill may see.
func (t *Tester) visible(home string) []*assistantv1.Entity {
	var list []*assistantv1.Entity
	for _, e := range t.entities[home] {
		if slices.Contains(t.folder.Permissions.Entities, e.GetDomain()) {
			list = append(list, e)
		}
	}
	return list
}

// command checks a command as Hark does: it must be for an entity that the skill
// saw, and that is available.
func (t *Tester) command(req *assistantv1.InvokeRequest, c *assistantv1.Command) Command {
	t.tb.Helper()
	i := slices.IndexFunc(req.GetEntities(), func(e *assistantv1.Entity) bool { return e.GetId() == c.GetEntity() })
	if i < 0 {
		t.tb.Fatalf("the skill sent %s to the entity %s, which it cannot see: skill.yaml must have its domain in permissions.entities",
			c.GetService(), c.GetEntity())
	}
	if !req.GetEntities()[i].GetAvailable() {
		t.tb.Fatalf("the skill sent %s to the entity %s, which is offline", c.GetService(), c.GetEntity())
	}
	command := Command{Entity: c.GetEntity(), Service: c.GetService()}
	if len(c.GetArgs().GetFields()) > 0 {
		command.Args = c.GetArgs().AsMap()
	}
	return command
}
