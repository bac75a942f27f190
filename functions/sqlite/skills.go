package sqlite

import (
	"context"
	"database/sql"

	"github.com/hark-voice/hark/functions/assistant"
)

// PutVersion keeps a version. One of this id that exists is left as it is.
func (s *Store) PutVersion(ctx context.Context, v assistant.SkillVersion) error {
	var b batch
	b.add(`INSERT INTO versions (skill, id, created, source, artifact, manifest, sentences) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`,
		v.Skill, v.ID, v.Created.UnixMilli(), v.Source, v.Artifact, append([]byte(nil), v.Manifest...), b.document(v.Sentences))
	b.size += len(v.Manifest)
	return s.put(ctx, "keep version "+v.ID+" of skill "+v.Skill, b)
}

// Version returns a version with its files, or ErrNotFound.
func (s *Store) Version(ctx context.Context, skill, id string) (assistant.SkillVersion, error) {
	what := "find version " + id + " of skill " + skill
	v := assistant.SkillVersion{Skill: skill, ID: id}
	var created sql.NullInt64
	var sentences []byte
	err := s.reads.row(ctx, `
		SELECT created, source, artifact, manifest, sentences FROM versions WHERE skill = ? AND id = ?`,
		[]any{skill, id}, &created, &v.Source, &v.Artifact, &v.Manifest, &sentences)
	if err != nil {
		return assistant.SkillVersion{}, failed(what, err)
	}
	v.Created = fromMillis(created)
	return v, failed(what, decode(sentences, &v.Sentences))
}

// Versions lists the versions of a skill, newest first, without manifest and
// sentences.
func (s *Store) Versions(ctx context.Context, skill string) ([]assistant.SkillVersion, error) {
	var list []assistant.SkillVersion
	err := s.reads.each(ctx, `
		SELECT id, created, source, artifact FROM versions WHERE skill = ? ORDER BY created DESC, id DESC`, []any{skill},
		func(rows *sql.Rows) error {
			v := assistant.SkillVersion{Skill: skill}
			var created sql.NullInt64
			err := rows.Scan(&v.ID, &created, &v.Source, &v.Artifact)
			v.Created = fromMillis(created)
			list = append(list, v)
			return err
		})
	return list, failed("list the versions of skill "+skill, err)
}

// SetLive makes a version the one that answers.
func (s *Store) SetLive(ctx context.Context, l assistant.LiveSkill) error {
	var b batch
	b.add(`INSERT INTO live (skill, version, since) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET version = excluded.version, since = excluded.since`,
		l.Skill, l.Version, l.Since.UnixMilli())
	return s.put(ctx, "set the live version of skill "+l.Skill, b)
}

// RemoveLive leaves the skill without a version that answers; ErrNotFound if it
// has none.
func (s *Store) RemoveLive(ctx context.Context, skill string) error {
	return s.writer.do(ctx, write{what: "remove skill " + skill, apply: func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `DELETE FROM live WHERE skill = ?`, skill)
		if err == nil && n == 0 {
			return assistant.ErrNotFound
		}
		return err
	}})
}

// Live lists the versions that answer, by skill.
func (s *Store) Live(ctx context.Context) ([]assistant.LiveSkill, error) {
	var list []assistant.LiveSkill
	err := s.reads.each(ctx, `SELECT skill, version, since FROM live ORDER BY skill`, nil,
		func(rows *sql.Rows) error {
			var l assistant.LiveSkill
			var since sql.NullInt64
			err := rows.Scan(&l.Skill, &l.Version, &since)
			l.Since = fromMillis(since)
			list = append(list, l)
			return err
		})
	return list, failed("list the live skills", err)
}
