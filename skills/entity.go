package skills

import (
	"slices"
	"strings"
	"time"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
)

// Entity is a thing of the home that can be named, asked and acted on: a lamp, a
// temperature. A skill sees those of the domains under permissions.entities in
// its skill.yaml.
type Entity struct {
	ID     string // "light.desk"
	Domain string // light, switch, sensor...
	Name   string // as people call it; empty: they do not
	Area   string // the room as the home calls it; empty: not known
	// State is what is known of it, "state" above all: {"state": "on", "brightness": 40}.
	State map[string]any
	// Updated is when the state was reported, in the home's time zone; zero: not known.
	Updated time.Time
	// Available: a command to it would be carried out now. One to an entity that
	// is not fails the call: say that it is offline instead.
	Available bool
}

// Text returns a text of the state.
func (e Entity) Text(key string) (string, bool) {
	s, ok := e.State[key].(string)
	return s, ok
}

// Number returns a number of the state.
func (e Entity) Number(key string) (float64, bool) {
	n, ok := e.State[key].(float64)
	return n, ok
}

// Is tells whether "state" has the value, as in e.Is("on").
func (e Entity) Is(state string) bool {
	s, ok := e.Text("state")
	return ok && s == state
}

// Entities are those that a call lets the skill see, or some of them.
type Entities []Entity

// Of returns the entities of some domains.
func (es Entities) Of(domains ...string) Entities {
	return es.Filter(func(e Entity) bool { return slices.Contains(domains, e.Domain) })
}

// In returns the entities in a room. Case means nothing, nor does _ or - for a
// blank. The room of an entity is never the empty one.
func (es Entities) In(area string) Entities {
	return es.Filter(func(e Entity) bool { return area != "" && sameName(e.Area, area) })
}

// Named returns the entities of a name; there may be several. Names are compared
// as rooms are, see [Entities.In].
func (es Entities) Named(name string) Entities {
	return es.Filter(func(e Entity) bool { return name != "" && sameName(e.Name, name) })
}

// Available returns the entities that a command would reach.
func (es Entities) Available() Entities {
	return es.Filter(func(e Entity) bool { return e.Available })
}

// Offline returns the others.
func (es Entities) Offline() Entities {
	return es.Filter(func(e Entity) bool { return !e.Available })
}

// Filter returns the entities for which keep is true.
func (es Entities) Filter(keep func(Entity) bool) Entities {
	var kept Entities
	for _, e := range es {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// Names returns the names of the entities; one without a name goes by its id.
func (es Entities) Names() []string {
	names := make([]string, 0, len(es))
	for _, e := range es {
		if e.Name == "" {
			e.Name = e.ID
		}
		names = append(names, e.Name)
	}
	return names
}

func sameName(a, b string) bool { return strings.EqualFold(plainName(a), plainName(b)) }

func plainName(s string) string {
	blank := func(r rune) bool { return r == ' ' || r == '_' || r == '-' }
	return strings.Join(strings.FieldsFunc(s, blank), " ")
}

func newEntities(wire []*assistantv1.Entity, zone *time.Location) Entities {
	entities := make(Entities, 0, len(wire))
	for _, w := range wire {
		e := Entity{
			ID: w.GetId(), Domain: w.GetDomain(), Name: w.GetName(), Area: w.GetArea(),
			State: w.GetState().AsMap(), Available: w.GetAvailable(),
		}
		if ms := w.GetUpdatedMs(); ms != 0 {
			e.Updated = time.UnixMilli(ms).In(zone)
		}
		entities = append(entities, e)
	}
	return entities
}
