package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// Record makes a report durable, in one transaction that it may share with others.
func (s *Store) Record(ctx context.Context, r *assistant.Report) error {
	var b batch
	if r.Facts != nil {
		b.facts(r)
	}
	for _, e := range r.Entities {
		e.Home, e.Device = r.Home, r.Device
		b.entity(e, `ON CONFLICT DO UPDATE SET doc = json_patch(doc, excluded.doc), device = excluded.device
			WHERE entities.device IN ('', excluded.device)`)
	}
	for i := range r.States {
		b.news(r, &r.States[i])
	}
	for i := range r.Readings {
		b.reading(&r.Readings[i])
	}
	return s.put(ctx, "record what "+r.Home+"/"+r.Device+" reports", b)
}

// facts keeps what a device says of itself; a merge patch (RFC 7396) of the
// fields that are set leaves the others as they are.
func (b *batch) facts(r *assistant.Report) {
	d := *r.Facts
	d.Home, d.ID = r.Home, r.Device
	b.add(`INSERT INTO devices (home, id, doc) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET doc = json_patch(doc, excluded.doc)`,
		d.Home, d.ID, b.document(d))
}

// entity inserts an entity that is not there yet; conflict says what happens to
// one that is.
func (b *batch) entity(e assistant.Entity, conflict string) {
	state := "{}"
	if e.State != nil {
		state = b.document(e.State)
	}
	updated := millis(e.Updated)
	e.State, e.Updated, e.Offline = nil, time.Time{}, false
	b.add(`INSERT INTO entities (home, id, device, doc, state, updated) VALUES (?, ?, ?, ?, ?, ?) `+conflict,
		e.Home, e.ID, e.Device, b.document(e), state, updated)
}

func (b *batch) news(r *assistant.Report, n *assistant.StateReport) {
	if n.Create != nil {
		e := *n.Create
		e.Home, e.ID, e.Device = r.Home, n.Entity, r.Device
		b.entity(e, `ON CONFLICT DO NOTHING`)
	}
	b.add(`UPDATE entities SET state = json_patch(state, ?1), updated = ?2
		WHERE home = ?3 AND id = ?4 AND device = ?5 AND (updated IS NULL OR updated <= ?2)`,
		b.document(n.State), n.At.UnixMilli(), r.Home, n.Entity, r.Device)
}

func (b *batch) reading(r *assistant.Reading) {
	b.add(`INSERT INTO readings (home, at, device, key, vals) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.Home, r.At.UnixMilli(), r.Device, r.Key, b.document(r.Values))
}

// PutEntity makes or replaces an entity by hand; a state that is known is kept.
func (s *Store) PutEntity(ctx context.Context, e assistant.Entity) error {
	var b batch
	b.entity(e, `ON CONFLICT DO UPDATE SET doc = excluded.doc, device = excluded.device`)
	return s.put(ctx, "keep entity "+e.Home+"/"+e.ID, b)
}

// Entity returns an entity, or ErrNotFound.
func (s *Store) Entity(ctx context.Context, home, id string) (assistant.Entity, error) {
	what := "find entity " + home + "/" + id
	var row entityRow
	if err := s.reads.row(ctx, `SELECT doc, state, updated FROM entities WHERE home = ? AND id = ?`,
		[]any{home, id}, &row.doc, &row.state, &row.updated); err != nil {
		return assistant.Entity{}, failed(what, err)
	}
	e, err := row.entity()
	return e, failed(what, err)
}

// Entities lists the entities of a home by id.
func (s *Store) Entities(ctx context.Context, home string) ([]assistant.Entity, error) {
	var list []assistant.Entity
	err := s.reads.each(ctx, `SELECT doc, state, updated FROM entities WHERE home = ? ORDER BY id`, []any{home},
		func(rows *sql.Rows) error {
			var row entityRow
			if err := rows.Scan(&row.doc, &row.state, &row.updated); err != nil {
				return err
			}
			e, err := row.entity()
			list = append(list, e)
			return err
		})
	return list, failed("list the entities of "+home, err)
}

type entityRow struct {
	doc, state []byte
	updated    sql.NullInt64
}

func (r *entityRow) entity() (e assistant.Entity, err error) {
	if err := decode(r.doc, &e); err != nil {
		return e, err
	}
	e.Updated = fromMillis(r.updated)
	return e, decode(r.state, &e.State)
}

// Readings returns the readings of a home, of one device if it is named, newest
// first, at most limit.
func (s *Store) Readings(ctx context.Context, home, device string, limit int) ([]assistant.Reading, error) {
	var list []assistant.Reading
	err := s.reports.each(ctx, `SELECT at, device, key, vals FROM readings
		WHERE home = ?1 AND (?2 = '' OR device = ?2) ORDER BY at DESC, device, key LIMIT ?3`,
		[]any{home, device, max(limit, 0)},
		func(rows *sql.Rows) error {
			r, at := assistant.Reading{Home: home}, sql.NullInt64{}
			var values sql.RawBytes
			if err := rows.Scan(&at, &r.Device, &r.Key, &values); err != nil {
				return err
			}
			r.At = fromMillis(at)
			err := decode(values, &r.Values)
			list = append(list, r)
			return err
		})
	return list, failed("list the readings of "+home, err)
}

// CountReadings counts the readings of a home, once all that was queued before
// the call is committed.
func (s *Store) CountReadings(ctx context.Context, home string) (int64, error) {
	what := fmt.Sprintf("count the readings of %s", home)
	if err := s.writer.flush(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	var n int64
	err := s.reports.row(ctx, `SELECT COUNT(*) FROM readings WHERE home = ?`, []any{home}, &n)
	return n, failed(what, err)
}
