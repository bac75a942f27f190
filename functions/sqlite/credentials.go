package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/hark-voice/hark/broker/topic"
)

// keepExpired is how long an expired credential is remembered.
const keepExpired = 24 * time.Hour

// Credentials returns those of a device, expired ones included, none for an
// unknown device.
func (s *Store) Credentials(ctx context.Context, d topic.Device) ([]topic.Credential, error) {
	var list []topic.Credential
	err := s.reads.each(ctx, `SELECT id, hash, expires FROM credentials WHERE home = ? AND device = ? ORDER BY id`,
		[]any{d.Home, d.ID},
		func(rows *sql.Rows) error {
			c := topic.Credential{Device: d}
			var hash sql.RawBytes
			var expires sql.NullInt64
			if err := rows.Scan(&c.ID, &hash, &expires); err != nil {
				return err
			}
			if copy(c.Hash[:], hash) != len(c.Hash) {
				return fmt.Errorf("%w: the hash of credential %s has %d bytes", errDocument, c.ID, len(hash))
			}
			c.Expires = fromMillis(expires)
			list = append(list, c)
			return nil
		})
	if err != nil {
		return nil, failed("find the credentials of "+d.String(), err)
	}
	return list, nil
}

// PutCredential adds a credential, or replaces the one of its id. With a
// temporary one, those of the device that expired a day or more before it will
// are forgotten, so that they do not pile up.
func (s *Store) PutCredential(ctx context.Context, c topic.Credential) error {
	var b batch
	if !c.Expires.IsZero() {
		b.add(`DELETE FROM credentials WHERE home = ? AND device = ? AND expires <= ?`,
			c.Device.Home, c.Device.ID, c.Expires.Add(-keepExpired).UnixMilli())
	}
	b.credential(c)
	return s.put(ctx, "keep a credential of "+c.Device.String(), b)
}

// ReplaceCredentials makes c the only lasting credential of its device;
// temporary ones (with an expiry) stay.
func (s *Store) ReplaceCredentials(ctx context.Context, c topic.Credential) error {
	var b batch
	b.add(`DELETE FROM credentials WHERE home = ? AND device = ? AND expires IS NULL`, c.Device.Home, c.Device.ID)
	b.credential(c)
	return s.put(ctx, "replace the credentials of "+c.Device.String(), b)
}

func (b *batch) credential(c topic.Credential) {
	b.add(`INSERT INTO credentials (home, device, id, hash, expires) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET hash = excluded.hash, expires = excluded.expires`,
		c.Device.Home, c.Device.ID, c.ID, append([]byte(nil), c.Hash[:]...), millis(c.Expires))
}
