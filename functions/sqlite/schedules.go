package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func (b *batch) setSchedule(sc *assistant.Schedule) {
	due := sc.Due.UnixMilli()
	b.add(`INSERT INTO schedules (home, skill, id, due, ready, owner, doc) VALUES (?1, ?2, ?3, ?4, ?4, NULL, ?5)
		ON CONFLICT DO UPDATE SET due = ?4, ready = ?4, owner = NULL, doc = ?5`,
		sc.Home, sc.Skill, sc.ID, due, b.document(sc))
}

func (b *batch) removeSchedule(key assistant.ScheduleKey) {
	b.add(`DELETE FROM schedules WHERE home = ? AND skill = ? AND id = ?`, key.Home, key.Skill, key.ID)
}

// ClaimDue returns schedules due by now that nobody holds a lease on, at most
// limit, earliest first, and gives owner the lease until now+lease. The lease is
// over at that very millisecond. Those of the skills in except are left alone.
func (s *Store) ClaimDue(
	ctx context.Context, now time.Time, owner string, lease time.Duration, limit int, except ...string,
) ([]assistant.Schedule, error) {
	if limit < 1 {
		return nil, nil
	}
	var claimed []assistant.Schedule
	err := s.writer.do(ctx, write{what: "claim due schedules", apply: func(ctx context.Context, t *tx) (err error) {
		claimed, err = claim(ctx, t, now, owner, now.Add(lease), limit, except)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

func claim(
	ctx context.Context, t *tx, now time.Time, owner string, until time.Time, limit int, except []string,
) (due []assistant.Schedule, err error) {
	err = t.each(ctx, `SELECT doc FROM schedules WHERE ready <= ? AND skill NOT IN (SELECT value FROM json_each(?))
		ORDER BY due, home, skill, id LIMIT ?`,
		[]any{now.UnixMilli(), array(except), limit},
		func(rows *sql.Rows) error {
			sc, err := scanDocument[assistant.Schedule](rows)
			due = append(due, sc)
			return err
		})
	if err != nil {
		return nil, err
	}
	for _, sc := range due {
		if _, err := t.exec(ctx, `UPDATE schedules SET ready = ?, owner = ? WHERE home = ? AND skill = ? AND id = ?`,
			until.UnixMilli(), owner, sc.Home, sc.Skill, sc.ID); err != nil {
			return nil, err
		}
	}
	return due, nil
}

// ReleaseClaims ends the leases of an owner that has just started: what it
// claimed before, it fires no more.
func (s *Store) ReleaseClaims(ctx context.Context, owner string) error {
	return s.writer.do(ctx, write{what: "release claimed schedules", apply: func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE schedules SET ready = due, owner = NULL WHERE owner = ?`, owner)
		return err
	}})
}

// array is a list of names as JSON.
func array(names []string) string {
	doc, err := json.Marshal(append([]string{}, names...))
	if err != nil {
		return "[]" // cannot be: strings
	}
	return string(doc)
}

// NextDue returns when the earliest schedule can next be claimed: its due
// time, or the end of its lease if that is later; those of the skills in except
// aside. ErrNotFound: there is none.
func (s *Store) NextDue(ctx context.Context, except ...string) (time.Time, error) {
	var ms int64
	err := s.reads.row(ctx, `SELECT ready FROM schedules WHERE skill NOT IN (SELECT value FROM json_each(?)) ORDER BY ready LIMIT 1`,
		[]any{array(except)}, &ms)
	if err != nil {
		return time.Time{}, failed("look for the next schedule", err)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// Schedules lists the schedules of a home, of all homes for "", by due time.
func (s *Store) Schedules(ctx context.Context, home string) ([]assistant.Schedule, error) {
	query, args := `SELECT doc FROM schedules WHERE home = ? ORDER BY due, home, skill, id`, []any{home}
	if home == "" {
		query, args = `SELECT doc FROM schedules ORDER BY due, home, skill, id`, nil
	}
	list, err := documents[assistant.Schedule](ctx, s.reads, query, args...)
	if err != nil {
		return nil, failed(fmt.Sprintf("list the schedules of %q", home), err)
	}
	return list, nil
}
