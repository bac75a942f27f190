package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// applicationID is in the header of every file of ours ("Hark" in ASCII).
const applicationID = 0x4861726b

// migration moves a store from the schema version that is its index to the next.
type migration string

// schema is how a store came to be what it is. A step that was released is
// never edited: a change of the schema is a new step.
func schema() []migration { return []migration{schema1, schema2, schema3} }

// Values of the domain are JSON documents, beside the columns that are searched
// by. Times are Unix milliseconds, durations milliseconds or nanoseconds as
// their names say.
const schema1 migration = `
CREATE TABLE turns (
	seq      INTEGER PRIMARY KEY,
	id       TEXT NOT NULL UNIQUE,
	received INTEGER NOT NULL,
	doc      TEXT NOT NULL
);
CREATE INDEX turns_received ON turns (received);

CREATE TABLE invocations (
	received   INTEGER NOT NULL, -- of the turn: usage is asked for by time
	turn       TEXT NOT NULL,
	n          INTEGER NOT NULL, -- place in the turn: a call that is repeated keeps its id
	id         TEXT NOT NULL,
	home       TEXT NOT NULL,
	skill      TEXT NOT NULL,
	version    TEXT NOT NULL,
	outcome    TEXT NOT NULL,
	cold       INTEGER NOT NULL,
	wall_ms    INTEGER NOT NULL,
	cpu_ns     INTEGER NOT NULL,
	memory_mib INTEGER NOT NULL,
	micro_cu   INTEGER NOT NULL,
	PRIMARY KEY (received, turn, n)
) WITHOUT ROWID;

CREATE TABLE states (
	home     TEXT NOT NULL,
	skill    TEXT NOT NULL,
	scope    TEXT NOT NULL,
	revision INTEGER NOT NULL,
	value    TEXT,
	PRIMARY KEY (home, skill, scope)
);

CREATE TABLE schedules (
	home  TEXT NOT NULL,
	skill TEXT NOT NULL,
	id    TEXT NOT NULL,
	due   INTEGER NOT NULL,
	ready INTEGER NOT NULL, -- when it can be claimed: due, or the end of its lease
	owner TEXT,             -- of the lease
	doc   TEXT NOT NULL,
	PRIMARY KEY (home, skill, id)
);
CREATE INDEX schedules_ready ON schedules (ready);

CREATE TABLE outbox (
	seq     INTEGER PRIMARY KEY, -- the order in which messages are owed
	id      TEXT NOT NULL UNIQUE,
	home    TEXT NOT NULL,
	device  TEXT NOT NULL,
	expires INTEGER,
	doc     TEXT NOT NULL
);
CREATE INDEX outbox_device ON outbox (home, device, seq);
CREATE INDEX outbox_expires ON outbox (expires) WHERE expires IS NOT NULL;

CREATE TABLE homes (
	id  TEXT PRIMARY KEY NOT NULL,
	doc TEXT NOT NULL
);
CREATE TABLE devices (
	home TEXT NOT NULL,
	id   TEXT NOT NULL,
	doc  TEXT NOT NULL,
	PRIMARY KEY (home, id)
);

CREATE TABLE entities (
	home    TEXT NOT NULL,
	id      TEXT NOT NULL,
	device  TEXT NOT NULL, -- whose it is; empty: nobody's
	doc     TEXT NOT NULL, -- without the state
	state   TEXT NOT NULL,
	updated INTEGER,
	PRIMARY KEY (home, id)
);
CREATE TABLE readings (
	home   TEXT NOT NULL,
	device TEXT NOT NULL,
	key    TEXT NOT NULL, -- of a reading that may come again
	at     INTEGER NOT NULL,
	vals   TEXT NOT NULL,
	PRIMARY KEY (home, device, key)
) WITHOUT ROWID;
CREATE INDEX readings_at ON readings (home, at);

CREATE TABLE versions (
	skill     TEXT NOT NULL,
	id        TEXT NOT NULL,
	created   INTEGER NOT NULL,
	source    TEXT NOT NULL,
	artifact  TEXT NOT NULL,
	manifest  BLOB,
	sentences TEXT NOT NULL, -- a JSON object: language to base64 of the file
	PRIMARY KEY (skill, id)
);
CREATE TABLE live (
	skill   TEXT PRIMARY KEY NOT NULL,
	version TEXT NOT NULL,
	since   INTEGER NOT NULL
);

CREATE TABLE artifacts (
	hash   TEXT PRIMARY KEY NOT NULL,
	upload INTEGER NOT NULL UNIQUE,
	size   INTEGER NOT NULL
);
CREATE TABLE chunks (
	upload INTEGER NOT NULL,
	n      INTEGER NOT NULL,
	data   BLOB NOT NULL,
	PRIMARY KEY (upload, n)
);

CREATE TABLE credentials (
	home    TEXT NOT NULL,
	device  TEXT NOT NULL,
	id      TEXT NOT NULL,
	hash    BLOB NOT NULL,
	expires INTEGER,
	PRIMARY KEY (home, device, id)
);

CREATE TABLE pings (n INTEGER NOT NULL, pad BLOB);
INSERT INTO pings (n) VALUES (0);
`

// schema2 makes a turn fewer writes: its key holds the time it was received, its
// id comes into an index of its own, later, see turnIDs, and what is owed, which
// lives for milliseconds mostly, has one index less.
const schema2 migration = `
ALTER TABLE turns RENAME TO turns1;
CREATE TABLE turns (
	key INTEGER PRIMARY KEY, -- when it was received, and a number, see turnKey
	id  TEXT NOT NULL,
	doc TEXT NOT NULL
);
INSERT INTO turns (key, id, doc) SELECT MAX(received, 0) * 1048576 + seq % 1048576, id, doc FROM turns1;
DROP TABLE turns1;
CREATE TABLE turn_ids (
	id   TEXT PRIMARY KEY NOT NULL,
	turn INTEGER NOT NULL -- its key
) WITHOUT ROWID;
INSERT INTO turn_ids (id, turn) SELECT id, key FROM turns ORDER BY id;
CREATE TABLE turn_mark (mark INTEGER NOT NULL); -- turns with smaller keys are in turn_ids
INSERT INTO turn_mark (mark) SELECT COALESCE(MAX(key) + 1, 0) FROM turns;

ALTER TABLE invocations RENAME TO invocations1;
CREATE TABLE invocations (
	turn       INTEGER NOT NULL, -- the turn's key: usage is asked for by time
	n          INTEGER NOT NULL, -- place in the turn
	home       TEXT NOT NULL,
	skill      TEXT NOT NULL,
	version    TEXT NOT NULL,
	outcome    TEXT NOT NULL,
	cold       INTEGER NOT NULL,
	wall_ms    INTEGER NOT NULL,
	cpu_ns     INTEGER NOT NULL,
	memory_mib INTEGER NOT NULL,
	micro_cu   INTEGER NOT NULL,
	PRIMARY KEY (turn, n)
) WITHOUT ROWID;
INSERT INTO invocations SELECT t.turn, i.n, i.home, i.skill, i.version, i.outcome, i.cold, i.wall_ms, i.cpu_ns, i.memory_mib, i.micro_cu
	FROM invocations1 i JOIN turn_ids t ON t.id = i.turn;
DROP TABLE invocations1;

DROP INDEX outbox_device;
ALTER TABLE outbox RENAME TO outbox1;
CREATE TABLE outbox (
	id      TEXT PRIMARY KEY NOT NULL,
	home    TEXT NOT NULL,
	device  TEXT NOT NULL,
	seq     INTEGER NOT NULL, -- the order in which messages are owed
	expires INTEGER,
	doc     TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO outbox (id, home, device, seq, expires, doc) SELECT id, home, device, seq, expires, doc FROM outbox1;
DROP TABLE outbox1;
CREATE INDEX outbox_device ON outbox (home, device, seq);
`

// schema3 says what of the journal is in the tables.
const schema3 migration = `
CREATE TABLE journal (posted INTEGER NOT NULL); -- generations up to this one
INSERT INTO journal (posted) VALUES (abs(random() % 1152921504606846976)); -- so that no other store's journal fits
`

// checkFile makes the database file, or refuses one that is not SQLite's. It
// must run before SQLite opens the file: closing a file frees the locks that
// the process holds on it.
func checkFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the path
	if err != nil {
		return err
	}
	header := make([]byte, 16)
	n, err := io.ReadFull(f, header)
	if closeErr := f.Close(); closeErr != nil {
		return closeErr
	}
	if errors.Is(err, io.EOF) { // empty: ours to fill
		return nil
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if !bytes.Equal(header[:n], []byte("SQLite format 3\x00")) {
		return errors.New("the file is not a Hark store: move it away, or use another data folder")
	}
	return nil
}

// fresh is the version of a file in which there is nothing yet.
const fresh = -1

// inspect returns the schema version of the file, or refuses it. It changes
// nothing, for the file may be somebody else's.
func inspect(ctx context.Context, path string, known int) (version int, err error) {
	if err := checkFile(path); err != nil {
		return 0, err
	}
	db, err := openDB(path, 1, "busy_timeout(250)", "query_only(1)")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var app, tables int
	for _, q := range []struct {
		query string
		dest  *int
	}{
		{"PRAGMA application_id", &app},
		{"PRAGMA user_version", &version},
		{"SELECT COUNT(*) FROM sqlite_schema", &tables},
	} {
		if err := db.QueryRowContext(ctx, q.query).Scan(q.dest); err != nil {
			return 0, fmt.Errorf("the file cannot be read; if it is damaged, restore a backup: %w", err)
		}
	}
	switch {
	case tables == 0:
		return fresh, nil
	case app != applicationID:
		return 0, errors.New("the file belongs to another program: use another data folder")
	case version > known:
		return 0, fmt.Errorf("it was written by a newer Hark (schema version %d, this one knows %d): use that one, or restore the backup %s",
			version, known, backupPath(path, known))
	}
	return version, nil
}

// migrate brings the schema up to date, step by step, each with its version in
// one transaction. What is in the file is backed up before.
func migrate(ctx context.Context, db *sql.DB, path string, version int, steps []migration) error {
	if version == fresh {
		version = 0
	} else if version < len(steps) {
		if err := backup(ctx, db, backupPath(path, version)); err != nil {
			return fmt.Errorf("back up before the migration of schema version %d: %w", version, err)
		}
	}
	for ; version < len(steps); version++ {
		if err := step(ctx, db, steps[version], version+1); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", version+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, db *sql.DB, m migration, version int) error {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		string(m),
		"PRAGMA application_id = " + strconv.Itoa(applicationID),
		"PRAGMA user_version = " + strconv.Itoa(version),
	} {
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return errors.Join(err, t.Rollback())
		}
	}
	return t.Commit()
}

func backupPath(path string, version int) string {
	return path + ".schema" + strconv.Itoa(version) + ".bak"
}

// backup writes a copy that is whole or not there.
func backup(ctx context.Context, db *sql.DB, to string) error {
	part := to + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(part, nil, 0o600); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		return err
	}
	if err := syncFile(part); err != nil {
		return err
	}
	if err := os.Rename(part, to); err != nil {
		return err
	}
	return syncFile(filepath.Dir(to))
}

func syncFile(path string) error {
	f, err := os.Open(path) //nolint:gosec // the operator names the path
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
