package mongo

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// The collections.
const (
	collTurns       = "turns"
	collStates      = "states"
	collSchedules   = "schedules"
	collOwners      = "owners"
	collMeta        = "meta"
	collHomes       = "homes"
	collDevices     = "devices"
	collEntities    = "entities"
	collReadings    = "readings"
	collVersions    = "versions"
	collLive        = "live"
	collArtifacts   = "artifacts"
	collChunks      = "chunks"
	collCredentials = "credentials"
)

// The phases of a turn.
const (
	prepared  = "prepared"
	committed = "committed"
)

// Values of the domain are JSON documents, which come back just as they were,
// beside the fields that are searched by. Times are Unix milliseconds.

// turnDoc is a turn with all that is to become of it. Fired, State, Set and
// Cancel stay until they are done.
type turnDoc struct {
	ID       string        `bson:"_id"`
	Phase    string        `bson:"phase"`
	Attempt  string        `bson:"attempt"`        // to commit it: another attempt is another document
	Open     string        `bson:"open,omitempty"` // the process that has yet to finish it
	At       int64         `bson:"at"`             // the order of what is owed, see stamps
	Seq      int64         `bson:"seq,omitempty"`  // the order of what is done to schedules
	Home     string        `bson:"home"`
	Received int64         `bson:"received"`
	Doc      string        `bson:"doc"`
	Calls    []callDoc     `bson:"calls,omitempty"`
	Owed     []owedDoc     `bson:"owed,omitempty"`
	State    *stateRef     `bson:"state,omitempty"`
	Fired    *firedDoc     `bson:"fired,omitempty"`
	Set      []scheduleDoc `bson:"set,omitempty"`
	Cancel   []string      `bson:"cancel,omitempty"`
}

// callDoc is an invocation in the numbers that usage sums.
type callDoc struct {
	Skill     string `bson:"skill"`
	Version   string `bson:"version"`
	Failed    int64  `bson:"failed"`
	Cold      int64  `bson:"cold"`
	WallMS    int64  `bson:"wall_ms"`
	CPUNS     int64  `bson:"cpu_ns"`
	MiBMillis int64  `bson:"mib_ms"`
	MicroCU   int64  `bson:"micro_cu"`
}

// owedDoc is a message until it is settled.
type owedDoc struct {
	ID      string `bson:"id"`
	To      string `bson:"to"`
	Expires *int64 `bson:"expires,omitempty"`
	Doc     string `bson:"doc"`
}

// stateRef names the state that a turn changes, and from which revision.
type stateRef struct {
	ID   string `bson:"id"`
	Base int64  `bson:"base"`
}

// stateDoc is a state. Recent holds the attempts that changed it and are not
// yet known, from their own documents, to be committed.
type stateDoc struct {
	ID       string   `bson:"_id"`
	Revision int64    `bson:"revision"`
	Value    *string  `bson:"value,omitempty"`
	Recent   []string `bson:"recent"`
}

// scheduleDoc is a schedule. One that is gone leaves _id, seq and dead behind
// for as long as an older turn may still try to set it.
type scheduleDoc struct {
	ID    string `bson:"_id"`
	Seq   int64  `bson:"seq"`
	Dead  int64  `bson:"dead,omitempty"` // since when
	Home  string `bson:"home,omitempty"`
	Skill string `bson:"skill,omitempty"`
	Due   *int64 `bson:"due,omitempty"`
	Ready *int64 `bson:"ready,omitempty"` // when it can be claimed: due, or the end of its lease
	Owner string `bson:"owner,omitempty"` // of the lease
	By    string `bson:"by,omitempty"`    // the attempt that is firing it
	Doc   string `bson:"doc,omitempty"`
}

// firedDoc is the schedule that a turn fires, and what it leaves in its place.
type firedDoc struct {
	ID  string       `bson:"id"`
	Due int64        `bson:"due"`
	Set *scheduleDoc `bson:"set,omitempty"`
}

// attempt is one try to commit a turn.
type attempt struct {
	turnDoc
	value *string // of the state
	bytes int
	done  chan struct{} // closed once the caller may know the outcome
	err   error
}

func (a *attempt) size() int { return a.bytes }

// newAttempt encodes a commit, so that its caller may go away.
func (s *Store) newAttempt(c *assistant.Commit) (*attempt, error) {
	e := encoder{}
	t := turnDoc{
		ID: c.Turn.ID, Phase: committed, Attempt: c.Turn.ID + "#" + rand.Text(),
		Home: c.Turn.Home, Received: c.Turn.Received.UnixMilli(), Doc: e.json(c.Turn),
	}
	for _, in := range c.Turn.Invocations {
		t.Calls = append(t.Calls, newCall(in))
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		t.Owed = append(t.Owed, owedDoc{ID: m.ID, To: path(m.Home, m.Device), Expires: millis(m.Expires), Doc: e.json(m)})
	}
	e.schedules(&t, c)
	a := &attempt{turnDoc: t, done: make(chan struct{})}
	if c.State != nil {
		a.State = &stateRef{ID: path(c.State.Key.Home, c.State.Key.Skill, c.State.Key.Scope), Base: c.State.Base}
		if c.State.Value != nil {
			v := string(c.State.Value)
			a.value = &v
			e.bytes += len(v)
		}
	}
	if a.State != nil || a.Fired != nil {
		a.Phase = prepared
	}
	if a.Phase == prepared || a.changesSchedules() {
		a.Open = s.process
	}
	a.bytes = e.bytes + 512
	if e.err == nil && a.bytes > maxDocument {
		e.err = fmt.Errorf("it has %d bytes, more than the %d allowed", a.bytes, maxDocument)
	}
	return a, e.err
}

func (t *turnDoc) changesSchedules() bool { return len(t.Set)+len(t.Cancel) > 0 }

type encoder struct {
	bytes int
	err   error // the first
}

func (e *encoder) json(v any) string {
	doc, err := json.Marshal(v)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.bytes += len(doc) + 64
	return string(doc)
}

// schedules reduces what a turn does to each schedule to its end: what is fired
// is removed first, then schedules are cancelled, then set.
func (e *encoder) schedules(t *turnDoc, c *assistant.Commit) {
	last := make(map[string]*scheduleDoc)
	var order []string
	put := func(key assistant.ScheduleKey, doc *scheduleDoc) {
		id := scheduleID(key)
		if _, ok := last[id]; !ok {
			order = append(order, id)
		}
		last[id] = doc
	}
	for _, key := range c.Cancel {
		put(key, nil)
	}
	for i := range c.Set {
		sc := &c.Set[i]
		due := sc.Due.UnixMilli()
		put(sc.ScheduleKey, &scheduleDoc{ID: scheduleID(sc.ScheduleKey), Home: sc.Home, Skill: sc.Skill, Due: &due, Ready: &due, Doc: e.json(sc)})
	}
	if c.Fired != nil {
		id := scheduleID(c.Fired.ScheduleKey)
		t.Fired = &firedDoc{ID: id, Due: c.Fired.Due.UnixMilli(), Set: last[id]}
		delete(last, id)
	}
	for _, id := range order {
		switch doc, ok := last[id]; {
		case !ok:
		case doc == nil:
			t.Cancel = append(t.Cancel, id)
		default:
			t.Set = append(t.Set, *doc)
		}
	}
}

func newCall(in assistant.Invocation) callDoc {
	wall := int64((in.Wall + time.Millisecond - 1) / time.Millisecond)
	d := callDoc{
		Skill: in.Skill, Version: in.Version, WallMS: wall, CPUNS: in.CPU.Nanoseconds(),
		MiBMillis: in.MemoryMiB * wall, MicroCU: in.MicroCU,
	}
	if in.Outcome != assistant.OutcomeOK {
		d.Failed = 1
	}
	if in.Cold {
		d.Cold = 1
	}
	return d
}

// path joins the parts of an id. Only the last may hold a slash of its own.
func path(parts ...string) string {
	for i, p := range parts[:len(parts)-1] {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func scheduleID(key assistant.ScheduleKey) string { return path(key.Home, key.Skill, key.ID) }

// millis is how a time is stored; the zero time is absent.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

func fromMillis(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}

func decode[T any](doc string) (v T, err error) {
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		return v, fmt.Errorf("%w: %w", errDocument, err)
	}
	return v, nil
}
