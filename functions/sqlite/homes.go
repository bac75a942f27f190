package sqlite

import (
	"context"
	"fmt"

	"github.com/hark-voice/hark/functions/assistant"
)

// put makes one statement durable.
func (s *Store) put(ctx context.Context, what string, b batch) error {
	if b.err != nil {
		return fmt.Errorf("%s: %w", what, b.err)
	}
	return s.writer.do(ctx, write{what: what, size: b.size, apply: b.run})
}

// Home returns a home, or ErrNotFound.
func (s *Store) Home(ctx context.Context, id string) (assistant.Home, error) {
	return document[assistant.Home](ctx, s.reads, "find home "+id,
		`SELECT doc FROM homes WHERE id = ?`, id)
}

// PutHome adds a home or replaces the one of its id.
func (s *Store) PutHome(ctx context.Context, h assistant.Home) error {
	var b batch
	b.add(`INSERT INTO homes (id, doc) VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc`,
		h.ID, b.document(h))
	return s.put(ctx, "keep home "+h.ID, b)
}

// Homes lists all homes by id.
func (s *Store) Homes(ctx context.Context) ([]assistant.Home, error) {
	homes, err := documents[assistant.Home](ctx, s.reads, `SELECT doc FROM homes ORDER BY id`)
	return homes, failed("list homes", err)
}

// Device returns a device, or ErrNotFound.
func (s *Store) Device(ctx context.Context, home, id string) (assistant.Device, error) {
	return document[assistant.Device](ctx, s.reads, "find device "+home+"/"+id,
		`SELECT doc FROM devices WHERE home = ? AND id = ?`, home, id)
}

// PutDevice adds a device or replaces the one of its home and id.
func (s *Store) PutDevice(ctx context.Context, d assistant.Device) error {
	var b batch
	b.add(`INSERT INTO devices (home, id, doc) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc`,
		d.Home, d.ID, b.document(d))
	return s.put(ctx, "keep device "+d.Home+"/"+d.ID, b)
}

// Devices lists the devices of a home by id.
func (s *Store) Devices(ctx context.Context, home string) ([]assistant.Device, error) {
	devices, err := documents[assistant.Device](ctx, s.reads,
		`SELECT doc FROM devices WHERE home = ? ORDER BY id`, home)
	return devices, failed("list the devices of "+home, err)
}

// document reads the one document that a query selects, or ErrNotFound.
func document[T any](ctx context.Context, r *reader, what, query string, args ...any) (v T, err error) {
	var doc []byte
	if err := r.row(ctx, query, args, &doc); err != nil {
		return v, failed(what, err)
	}
	return v, failed(what, decode(doc, &v))
}
