package assistant

import (
	"context"
	"io"
	"time"
)

// The store interfaces. Every method may return ErrStoreAway, wrapped, when the
// store cannot be reached or written; what each returns besides is said at it.
// All are safe for concurrent use.

// TurnStore keeps turns and the states that they change.
type TurnStore interface {
	// FindTurn returns the first of the ids that is committed, else ErrNotFound.
	FindTurn(ctx context.Context, ids ...string) (*Turn, error)
	// State returns a state; one never written has revision 0 and no value.
	State(ctx context.Context, key StateKey) (State, error)
	// Commit makes a turn and all its effects durable, at once and once. It
	// returns ErrDuplicate where a turn of this id is committed, ErrConflict where
	// the state has moved on, ErrGone where the fired schedule has, ErrTooMany
	// where a skill would have more than MaxSchedules in the home; nothing is written then. Commits that wait at the same time share one write (group commit).
	Commit(ctx context.Context, c *Commit) error
	// Turns returns the newest turns, newest first, once what was replied to
	// before the call is committed. The limit is 1 to 1000.
	Turns(ctx context.Context, limit int) ([]Turn, error)
}

// Commit is a turn with its effects.
type Commit struct {
	Turn     *Turn
	State    *StateChange // nil: unchanged
	Fired    *Schedule    // the schedule whose firing this turn is: removed, if it is still due at the same time
	Set      []Schedule   // a schedule of the same key is replaced
	Cancel   []ScheduleKey
	Messages []Message // owed to devices from now on, in this order
	// Delivered tells, at the moment of the commit, whether a device has
	// acknowledged a message that was sent before: nothing is owed of it any more.
	// A store may owe it all the same. Nil: none has.
	Delivered func(messageID string) bool
}

// ScheduleStore hands out the schedules that are due.
type ScheduleStore interface {
	// ClaimDue returns schedules due by now that nobody holds a lease on, at most
	// limit, earliest first, and gives owner the lease until now+lease. Those of
	// the skills in except are left alone: they have all that they may have.
	ClaimDue(ctx context.Context, now time.Time, owner string, lease time.Duration, limit int, except ...string) ([]Schedule, error)
	// ReleaseClaims ends the leases of an owner that has just started: what it
	// claimed before, it fires no more.
	ReleaseClaims(ctx context.Context, owner string) error
	// NextDue returns when the earliest schedule can next be claimed: its due
	// time, or the end of its lease if that is later; those of the skills in except
	// aside. ErrNotFound: there is none.
	NextDue(ctx context.Context, except ...string) (time.Time, error)
	// Schedules lists the schedules of a home, of all homes for "", by due time.
	Schedules(ctx context.Context, home string) ([]Schedule, error)
}

// OutboxStore keeps what is owed to devices. Messages come in through Commit.
type OutboxStore interface {
	// Owed returns what is owed to a device, oldest first, at most limit.
	Owed(ctx context.Context, home, device string, limit int) ([]Message, error)
	// Settle removes messages: the device has them, or they expired. Ids that are
	// gone are ignored. It may return before the removal is durable.
	Settle(ctx context.Context, ids ...string) error
	// Expired removes and returns messages that expired by now, at most limit.
	Expired(ctx context.Context, now time.Time, limit int) ([]Message, error)
}

// HomeStore keeps homes and their devices.
type HomeStore interface {
	Home(ctx context.Context, id string) (Home, error) // ErrNotFound
	PutHome(ctx context.Context, h Home) error
	Homes(ctx context.Context) ([]Home, error)                   // by id
	Device(ctx context.Context, home, id string) (Device, error) // ErrNotFound
	PutDevice(ctx context.Context, d Device) error
	Devices(ctx context.Context, home string) ([]Device, error) // by id
}

// SkillStore keeps deployed versions and which of them is live.
type SkillStore interface {
	PutVersion(ctx context.Context, v SkillVersion) error                // of an id that exists: no change
	Version(ctx context.Context, skill, id string) (SkillVersion, error) // ErrNotFound
	Versions(ctx context.Context, skill string) ([]SkillVersion, error)  // newest first, without manifest and sentences
	SetLive(ctx context.Context, l LiveSkill) error
	RemoveLive(ctx context.Context, skill string) error // ErrNotFound
	Live(ctx context.Context) ([]LiveSkill, error)      // by skill
	// PutArtifact stores an archive under its hash; one that exists is left alone.
	PutArtifact(ctx context.Context, hash string, r io.Reader) error
	// Artifact opens an archive; ErrNotFound.
	Artifact(ctx context.Context, hash string) (io.ReadCloser, error)
}

// UsageStore sums the invocations of committed turns.
type UsageStore interface {
	// Usage returns one row per group, ordered by it, once what was replied to
	// before the call is committed.
	Usage(ctx context.Context, q UsageQuery) ([]UsageRow, error)
}

// UsageBy is what usage is grouped by.
type UsageBy string

// The groupings of usage.
const (
	UsageBySkill   UsageBy = "skill"
	UsageByVersion UsageBy = "version" // skill and version
	UsageByHome    UsageBy = "home"
)

// UsageQuery asks for the invocations of turns received in [From, To). A zero
// time is no bound.
type UsageQuery struct {
	By       UsageBy
	From, To time.Time
}

// UsageRow is what a group used.
type UsageRow struct {
	Skill, Version, Home string // those that the query groups by
	Invocations          int64
	Errors               int64 // outcomes other than ok
	ColdStarts           int64
	Wall                 time.Duration // whole milliseconds
	CPU                  time.Duration
	MiBMillis            int64 // memory limit times wall time, in MiB-milliseconds
	MicroCU              int64
}
