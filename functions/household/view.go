package household

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/nlu"
)

// View is a home as it was at one moment. It does not change, and its entities
// and devices must not be changed by who reads them.
type View struct {
	Home     assistant.Home
	Zone     *time.Location // of the home
	Devices  map[string]assistant.Device
	Entities []assistant.Entity // by id; Offline is worked out
	read     time.Time          // monotonic
	names    *names
}

// names are the words of a home for the matcher, compiled when they are asked
// for. Views of a home whose names did not change share them.
type names struct {
	entities []assistant.Entity
	devices  []assistant.Device
	print    string

	mu     sync.Mutex
	byLang map[string]*nlu.Lists
}

// View returns what is known of a home. One that nobody made has nothing in it.
func (h *Household) View(ctx context.Context, home string) (*View, error) {
	h.mu.Lock()
	known, change := h.views[home], h.changes[home]
	h.mu.Unlock()
	if known != nil && time.Since(known.read) < h.FreshFor {
		return known, nil
	}
	v, err := h.read(ctx, home, known)
	if err != nil {
		return nil, fmt.Errorf("look up home %s: %w", home, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changes[home] == change {
		if len(h.views) >= h.Homes {
			clear(h.views) // rare, and they are read again as they are needed
			clear(h.changes)
		}
		h.views[home] = v
	}
	return v, nil
}

// Changed tells that this process has changed a home.
func (h *Household) Changed(home string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes[home]++
	if known := h.views[home]; known != nil {
		stale := *known // its names may still be good
		stale.read = time.Time{}
		h.views[home] = &stale
	}
}

func (h *Household) read(ctx context.Context, id string, before *View) (*View, error) {
	v := &View{Devices: make(map[string]assistant.Device), read: time.Now()}
	var err error
	if v.Home, err = h.Store.Home(ctx, id); err != nil && !errors.Is(err, assistant.ErrNotFound) {
		return nil, err
	}
	v.Home.ID = id
	if before != nil && before.Home.Zone == v.Home.Zone {
		v.Zone = before.Zone
	} else {
		v.Zone = v.Home.Location() // from a file
	}
	devices, err := h.Store.Devices(ctx, id)
	if err != nil {
		return nil, err
	}
	if v.Entities, err = h.Store.Entities(ctx, id); err != nil {
		return nil, err
	}
	if err := catalog.Locate(v.Entities, devices); err != nil {
		return nil, err
	}
	for _, d := range devices {
		v.Devices[d.ID] = d
	}
	for i, e := range v.Entities {
		v.Entities[i].Offline = v.Devices[e.Device].Presence == assistant.Offline
	}
	v.names = &names{entities: v.Entities, devices: devices, byLang: make(map[string]*nlu.Lists)}
	v.names.print = v.names.fingerprint()
	if before != nil && before.names.print == v.names.print {
		v.names = before.names
	}
	return v, nil
}

// fingerprint holds all that the words of a home depend on.
func (n *names) fingerprint() string {
	var all []byte
	for _, e := range n.entities {
		all = fmt.Appendf(all, "%q%q%q%q", e.ID, e.Domain, e.Name, e.Area)
	}
	for _, d := range n.devices {
		all = fmt.Appendf(all, "%q", d.Area)
	}
	return string(all)
}

// Lists returns the names and rooms of the home for sentences of a language.
func (v *View) Lists(lang string) (*nlu.Lists, error) {
	v.names.mu.Lock()
	defer v.names.mu.Unlock()
	if lists, ok := v.names.byLang[lang]; ok {
		return lists, nil
	}
	lists, err := catalog.HomeLists(lang, v.names.entities, v.names.devices)
	if err != nil {
		return nil, fmt.Errorf("names of home %s in %s: %w", v.Home.ID, lang, err)
	}
	v.names.byLang[lang] = lists
	return lists, nil
}

// Visible returns the entities of some domains, as a skill may see them.
func (v *View) Visible(domains []string) []assistant.Entity {
	var list []assistant.Entity
	for _, e := range v.Entities {
		for _, d := range domains {
			if e.Domain == d {
				list = append(list, e)
			}
		}
	}
	return list
}
