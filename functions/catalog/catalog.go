// Package catalog is the set of skills that answer now: for each its live
// version, and for each language one grammar of all their sentences. Deployed
// skills come in, immutable snapshots go out; no request waits for a new one.
// It must not know how a skill is built, stored or run.
package catalog

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/nlu"
	"golang.org/x/text/language"
)

// Skill is a deployed skill: what its folder says, and the id of the version.
type Skill struct {
	*manifest.Skill

	ID string // names the build, see assistant.SkillVersion
}

// HasIntent tells whether the skill answers an intent.
func (s *Skill) HasIntent(name string) bool { return slices.Contains(s.Intents, name) }

// Snapshot is a set of skills that never changes.
type Snapshot struct {
	skills   map[string]*Skill
	sorted   []*Skill // by name
	grammars map[string]*nlu.Grammar
	langs    []string
	han      map[string]bool // language -> written in Chinese characters

	closest    sync.Map // language tag that was asked for -> the nearest known, or ""
	remembered atomic.Int32
}

// Build compiles the sentences of the skills, ordered by name, so that the
// choice between equal readings does not hang on who was deployed first.
func Build(skills ...*Skill) (*Snapshot, error) {
	s := &Snapshot{skills: make(map[string]*Skill), grammars: make(map[string]*nlu.Grammar), han: make(map[string]bool)}
	for _, k := range skills {
		s.skills[k.Name] = k
	}
	sources := make(map[string][]nlu.Source)
	for _, name := range slices.Sorted(maps.Keys(s.skills)) {
		k := s.skills[name]
		s.sorted = append(s.sorted, k)
		for _, src := range k.Sources(k.ID) {
			sources[src.Lang] = append(sources[src.Lang], src)
		}
	}
	s.langs = slices.Sorted(maps.Keys(sources))
	for _, lang := range s.langs {
		g, err := nlu.Compile(lang, sources[lang])
		if err != nil {
			return nil, fmt.Errorf("sentences in %s: %w", lang, err)
		}
		s.grammars[lang] = g
		base, _ := language.Make(lang).Base()
		s.han[lang] = base.String() == "zh" || base.String() == "ja"
	}
	return s, nil
}

// With returns a snapshot in which k stands in place of its other version.
func (s *Snapshot) With(k *Skill) (*Snapshot, error) {
	skills := maps.Clone(s.skills)
	skills[k.Name] = k
	return Build(slices.Collect(maps.Values(skills))...)
}

// Without returns a snapshot that lacks a skill.
func (s *Snapshot) Without(name string) (*Snapshot, error) {
	skills := maps.Clone(s.skills)
	delete(skills, name)
	return Build(slices.Collect(maps.Values(skills))...)
}

// Skill returns the live version of a skill.
func (s *Snapshot) Skill(name string) (*Skill, bool) {
	k, ok := s.skills[name]
	return k, ok
}

// Skills returns all skills by name. The list must not be changed.
func (s *Snapshot) Skills() []*Skill { return s.sorted }

// Languages returns the languages that some skill speaks, sorted.
func (s *Snapshot) Languages() []string { return s.langs }

// WrittenInHan tells whether a language of the snapshot is written in Chinese
// characters, with others or without.
func (s *Snapshot) WrittenInHan(lang string) bool { return s.han[lang] }

// Closest returns the language of the snapshot nearest to the one that is asked
// for ("de-AT" -> "de"), empty where none has the same base.
func (s *Snapshot) Closest(lang string) string {
	if known, ok := s.closest.Load(lang); ok {
		return known.(string)
	}
	if len(s.langs) == 0 {
		return ""
	}
	tags := make([]language.Tag, len(s.langs))
	for i, k := range s.langs {
		tags[i] = language.Make(k)
	}
	asked := language.Make(lang)
	_, i, _ := language.NewMatcher(tags).Match(asked)
	nearest := s.langs[i]
	// The matcher's idea of what speakers of a language also understand (English,
	// for a Zulu) is no answer to them.
	base, _ := tags[i].Base()
	if askedBase, _ := asked.Base(); base != askedBase {
		nearest = ""
	}
	if s.remembered.Add(1) <= maxRemembered { // homes use few, but messages may name any
		s.closest.Store(lang, nearest)
	}
	return nearest
}

// maxRemembered bounds the tags of which the nearest language is remembered.
const maxRemembered = 1000

// Grammar returns the sentences of a language, nil where there are none.
func (s *Snapshot) Grammar(lang string) *nlu.Grammar { return s.grammars[lang] }

// Catalog holds the snapshot that is current.
type Catalog struct{ current atomic.Pointer[Snapshot] }

// New returns a catalog without skills.
func New() (*Catalog, error) {
	empty, err := Build()
	if err != nil {
		return nil, err
	}
	c := &Catalog{}
	c.current.Store(empty)
	return c, nil
}

// Current returns the snapshot to use for one turn, from its start to its end.
func (c *Catalog) Current() *Snapshot { return c.current.Load() }

// Publish makes s the current snapshot.
func (c *Catalog) Publish(s *Snapshot) { c.current.Store(s) }
