package mongo

import (
	"context"
	"fmt"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type versionDoc struct {
	ID        string        `bson:"_id"`
	Skill     string        `bson:"skill"`
	Version   string        `bson:"version"`
	Source    string        `bson:"source"`
	Artifact  string        `bson:"artifact"`
	Created   *int64        `bson:"created,omitempty"`
	Manifest  []byte        `bson:"manifest,omitempty"`
	Sentences []sentenceDoc `bson:"sentences,omitempty"`
}

// sentenceDoc is a sentence file. Languages are values here, because the name of
// a field must not hold whatever a language tag may.
type sentenceDoc struct {
	Lang string `bson:"lang"`
	File []byte `bson:"file"`
}

func (d versionDoc) version() assistant.SkillVersion {
	v := assistant.SkillVersion{
		Skill: d.Skill, ID: d.Version, Source: d.Source, Artifact: d.Artifact, Manifest: d.Manifest, Created: fromMillis(d.Created),
	}
	if len(d.Sentences) > 0 {
		v.Sentences = make(map[string][]byte, len(d.Sentences))
		for _, f := range d.Sentences {
			v.Sentences[f.Lang] = f.File
		}
	}
	return v
}

// PutVersion keeps a version. One of this id that exists is left as it is.
func (s *Store) PutVersion(ctx context.Context, v assistant.SkillVersion) error {
	what := "keep version " + v.ID + " of skill " + v.Skill
	doc := versionDoc{
		ID: path(v.Skill, v.ID), Skill: v.Skill, Version: v.ID, Source: v.Source, Artifact: v.Artifact,
		Created: millis(v.Created), Manifest: v.Manifest,
	}
	size := len(v.Manifest)
	for lang, file := range v.Sentences {
		doc.Sentences = append(doc.Sentences, sentenceDoc{lang, file})
		size += len(file)
	}
	if size > maxDocument {
		return fmt.Errorf("%s: its manifest and sentences have %d bytes, more than the %d allowed", what, size, maxDocument)
	}
	return s.call(ctx, what, func(ctx context.Context) error {
		_, err := s.db.Collection(collVersions).InsertOne(ctx, doc)
		if driver.IsDuplicateKeyError(err) {
			return nil
		}
		return err
	})
}

// Version returns a version with its files, or ErrNotFound.
func (s *Store) Version(ctx context.Context, skill, id string) (assistant.SkillVersion, error) {
	d, err := findOne[versionDoc](ctx, s, collVersions, byID(path(skill, id)))
	return d.version(), failed(ctx, "find version "+id+" of skill "+skill, err)
}

// Versions lists the versions of a skill, newest first, without manifest and
// sentences.
func (s *Store) Versions(ctx context.Context, skill string) ([]assistant.SkillVersion, error) {
	docs, err := findAll[versionDoc](ctx, s, collVersions, bson.D{{Key: "skill", Value: skill}},
		options.Find().SetSort(bson.D{{Key: "created", Value: -1}, {Key: "version", Value: -1}}).
			SetProjection(bson.D{{Key: "manifest", Value: 0}, {Key: "sentences", Value: 0}}))
	if err != nil {
		return nil, failed(ctx, "list the versions of skill "+skill, err)
	}
	list := make([]assistant.SkillVersion, len(docs))
	for i, d := range docs {
		list[i] = d.version()
	}
	return list, nil
}

type liveDoc struct {
	Skill   string    `bson:"_id"`
	Version string    `bson:"version"`
	Since   time.Time `bson:"since"`
}

// SetLive makes a version the one that answers.
func (s *Store) SetLive(ctx context.Context, l assistant.LiveSkill) error {
	return s.put(ctx, "set the live version of skill "+l.Skill, collLive, l.Skill, liveDoc(l))
}

// RemoveLive leaves the skill without a version that answers; ErrNotFound if it
// has none.
func (s *Store) RemoveLive(ctx context.Context, skill string) error {
	return s.call(ctx, "remove skill "+skill, func(ctx context.Context) error {
		res, err := s.db.Collection(collLive).DeleteOne(ctx, byID(skill))
		if err == nil && res.DeletedCount == 0 {
			return assistant.ErrNotFound
		}
		return err
	})
}

// Live lists the versions that answer, by skill.
func (s *Store) Live(ctx context.Context) ([]assistant.LiveSkill, error) {
	docs, err := findAll[liveDoc](ctx, s, collLive, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, failed(ctx, "list the live skills", err)
	}
	list := make([]assistant.LiveSkill, len(docs))
	for i, d := range docs {
		d.Since = d.Since.UTC()
		list[i] = assistant.LiveSkill(d)
	}
	return list, nil
}
