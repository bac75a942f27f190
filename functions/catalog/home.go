package catalog

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/nlu"
)

// The bounds of what a home can be spoken of by. What is beyond them has no name
// in sentences; the rest has.
const (
	maxNames      = 2000
	maxAreas      = 500
	maxNameLength = 100 // characters; nobody says more
)

// HomeLists returns what a home gives to the lists of sentences in a language.
//
//   - name: the names of its entities; the value is the name as the home has it,
//     and the context has the entity's domain and area. An entity without a name
//     cannot be spoken of. A name that several entities share is there for each
//     domain and area.
//   - area: the rooms of its entities and devices; the value is the room as the
//     home has it. A room that the lexicon knows goes by the words of this
//     language, too, and any goes by the words that it is written with.
func HomeLists(lang string, entities []assistant.Entity, devices []assistant.Device) (*nlu.Lists, error) {
	rooms, err := nlu.LoadRooms()
	if err != nil {
		return nil, err
	}
	entities, devices = slices.Clone(entities), slices.Clone(devices)
	locate(rooms, entities, devices)
	lists, err := nlu.NewLists(map[string]nlu.List{
		"name": {Kind: nlu.ListValues, Values: nameValues(entities)},
		"area": {Kind: nlu.ListValues, Values: areaValues(rooms, lang, areas(entities, devices))},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the names of a home: %w", err)
	}
	return lists, nil
}

// Locate finds out in which room each entity is, and brings rooms to one
// spelling, in place. An entity that nobody gave a room is in the one that its
// name begins with, else in that of its device. Where a home calls one room by
// several words (kitchen, Kitchen, 厨房), the first in the order of entities and
// devices stands for all.
func Locate(entities []assistant.Entity, devices []assistant.Device) error {
	rooms, err := nlu.LoadRooms()
	if err != nil {
		return err
	}
	locate(rooms, entities, devices)
	return nil
}

func locate(rooms *nlu.Rooms, entities []assistant.Entity, devices []assistant.Device) {
	at := make(map[string]string, len(devices))
	for _, d := range devices {
		at[d.ID] = d.Area
	}
	for i := range entities {
		e := &entities[i]
		if e.Area != "" {
			continue
		}
		if room, ok := rooms.Leading(e.Name); ok {
			e.Area = room
		} else {
			e.Area = at[e.Device]
		}
	}
	spelling := make(map[string]string)
	settle := func(area *string) {
		key := roomKey(rooms, *area)
		if _, known := spelling[key]; !known {
			spelling[key] = *area
		}
		*area = spelling[key]
	}
	for i := range entities {
		settle(&entities[i].Area)
	}
	for i := range devices {
		settle(&devices[i].Area)
	}
}

// roomKey is equal for all words for a room.
func roomKey(rooms *nlu.Rooms, area string) string {
	if name, ok := rooms.Name(area); ok {
		return "room " + name
	}
	return nlu.Fold(area)
}

func nameValues(entities []assistant.Entity) []nlu.Value {
	type key struct{ name, domain, area string }
	seen := make(map[key]bool)
	var values []nlu.Value
	for _, e := range entities {
		k := key{nlu.Fold(e.Name), e.Domain, e.Area}
		if !sayable(e.Name) || seen[k] || len(values) == maxNames {
			continue
		}
		seen[k] = true
		values = append(values, nlu.Value{
			In: words(e.Name), Out: e.Name, Context: map[string]any{"domain": e.Domain, "area": e.Area},
		})
	}
	return values
}

// areas lists the rooms of a home, each once.
func areas(entities []assistant.Entity, devices []assistant.Device) []string {
	var list []string
	add := func(area string) {
		if sayable(area) && len(list) < maxAreas && !slices.Contains(list, area) {
			list = append(list, area)
		}
	}
	for _, e := range entities {
		add(e.Area)
	}
	for _, d := range devices {
		add(d.Area)
	}
	return list
}

func areaValues(rooms *nlu.Rooms, lang string, areas []string) []nlu.Value {
	var values []nlu.Value
	for _, area := range areas {
		spoken := []string{area}
		if name, ok := rooms.Name(area); ok {
			spoken = append(spoken, rooms.Words(lang, name)...)
		}
		seen := make(map[string]bool, len(spoken))
		for _, s := range spoken {
			if k := nlu.Fold(s); !seen[k] {
				seen[k] = true
				values = append(values, nlu.Value{In: words(s), Out: area, Context: map[string]any{"area": area}})
			}
		}
	}
	return values
}

// sayable tells whether a name is one that sentences can hold.
func sayable(name string) bool {
	return nlu.Fold(name) != "" && utf8.RuneCountInString(name) <= maxNameLength
}

// words is a name as people say it: without what joins its words, or stands alone
// and is silent.
func words(name string) nlu.Template {
	said := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || unicode.IsSpace(r) })
	silent := func(word string) bool { return nlu.Fold(word) == "" }
	return nlu.Literal(strings.Join(slices.DeleteFunc(said, silent), " "))
}
