package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/nlu"
)

// skill is one that answers "open NAME" and "what else" with the intents Open and Ask.
func skill(t *testing.T, name, id string, sentences map[string]string) *catalog.Skill {
	t.Helper()
	langs, files := []string{}, map[string][]byte{}
	for lang, text := range sentences {
		langs = append(langs, lang)
		files[lang] = fmt.Appendf(nil, "language: %s\nintents:\n%s", lang, text)
	}
	slices.Sort(langs)
	k, err := manifest.Decode(fmt.Appendf(nil, "hark: 1\nname: %s\nversion: 1.0.0\nruntime: {go: .}\nlanguages: [%s]\ntriggers: {intents: [Ask]}\n",
		name, strings.Join(langs, ", ")), files)
	if err != nil {
		t.Fatal(err)
	}
	return &catalog.Skill{Skill: k, ID: id}
}

func build(t *testing.T, skills ...*catalog.Skill) *catalog.Snapshot {
	t.Helper()
	s, err := catalog.Build(skills...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answers lists who understands a sentence, best first, as name@version.
func answers(s *catalog.Snapshot, lang, sentence string) []string {
	g := s.Grammar(lang)
	if g == nil {
		return nil
	}
	var who []string
	for _, m := range g.Match(sentence, nlu.Context{}).Matches {
		who = append(who, m.Skill+"@"+m.Version)
	}
	return who
}

func TestBuildCompilesEachLanguageOfEachSkill(t *testing.T) {
	s := build(t,
		skill(t, "tea", "t1", map[string]string{"en": "  Ask: [make tea]\n", "zh-CN": "  Ask: [泡茶]\n"}),
		skill(t, "coffee", "c1", map[string]string{"en": "  Ask: [make coffee]\n"}))
	if got := s.Languages(); !slices.Equal(got, []string{"en", "zh-CN"}) {
		t.Errorf("languages %v", got)
	}
	for _, c := range []struct {
		lang, sentence string
		want           []string
	}{
		{"en", "make tea", []string{"tea@t1"}},
		{"en", "make coffee", []string{"coffee@c1"}},
		{"zh-CN", "泡茶", []string{"tea@t1"}},
		{"zh-CN", "make coffee", nil},
		{"fr", "make tea", nil},
	} {
		if got := answers(s, c.lang, c.sentence); !slices.Equal(got, c.want) {
			t.Errorf("%s %q is answered by %v, want %v", c.lang, c.sentence, got, c.want)
		}
	}
	var names []string
	for _, k := range s.Skills() {
		names = append(names, k.Name)
	}
	if !slices.Equal(names, []string{"coffee", "tea"}) {
		t.Errorf("skills %v", names)
	}
	if k, ok := s.Skill("tea"); !ok || !k.HasIntent("Ask") || k.HasIntent("Other") {
		t.Errorf("tea: %v, %v", k, ok)
	}
}

// The choice between equal readings does not hang on the order of deployment.
func TestEqualReadingsAreOrderedByName(t *testing.T) {
	same := map[string]string{"en": "  Ask: [what else]\n"}
	a, b, c := skill(t, "apple", "1", same), skill(t, "berry", "1", same), skill(t, "cherry", "1", same)
	want := []string{"apple@1", "berry@1", "cherry@1"}
	for _, order := range [][]*catalog.Skill{{a, b, c}, {c, b, a}, {b, c, a}} {
		if got := answers(build(t, order...), "en", "what else"); !slices.Equal(got, want) {
			t.Errorf("answered by %v, want %v", got, want)
		}
		grown := build(t)
		for _, k := range order {
			var err error
			if grown, err = grown.With(k); err != nil {
				t.Fatal(err)
			}
		}
		if got := answers(grown, "en", "what else"); !slices.Equal(got, want) {
			t.Errorf("deployed one by one: answered by %v, want %v", got, want)
		}
	}
}

func TestASnapshotNeverChanges(t *testing.T) {
	first := build(t, skill(t, "tea", "t1", map[string]string{"en": "  Ask: [make tea]\n"}))
	second, err := first.With(skill(t, "tea", "t2", map[string]string{"en": "  Ask: [brew tea]\n"}))
	if err != nil {
		t.Fatal(err)
	}
	third, err := second.Without("tea")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		s          *catalog.Snapshot
		make, brew []string
		skills     int
	}{
		{first, []string{"tea@t1"}, nil, 1},
		{second, nil, []string{"tea@t2"}, 1},
		{third, nil, nil, 0},
	} {
		if got := answers(c.s, "en", "make tea"); !slices.Equal(got, c.make) {
			t.Errorf("snapshot %d: make tea is answered by %v", i, got)
		}
		if got := answers(c.s, "en", "brew tea"); !slices.Equal(got, c.brew) {
			t.Errorf("snapshot %d: brew tea is answered by %v", i, got)
		}
		if len(c.s.Skills()) != c.skills {
			t.Errorf("snapshot %d has %d skills", i, len(c.s.Skills()))
		}
	}
	if third.Grammar("en") != nil || len(third.Languages()) != 0 {
		t.Error("the languages of a skill that was removed are still there")
	}
	if same, err := third.Without("tea"); err != nil || len(same.Skills()) != 0 {
		t.Errorf("without what is not there: %v", err)
	}
}

func TestSentencesThatDoNotCompileAreNamed(t *testing.T) {
	good := build(t, skill(t, "tea", "t1", map[string]string{"en": "  Ask: [make tea]\n"}))
	bad := skill(t, "soup", "s1", map[string]string{"en": "  Ask: [\"make (soup\"]\n"})
	if _, err := good.With(bad); err == nil || !strings.Contains(err.Error(), "sentences/en.yaml") {
		t.Errorf("error %v does not name the file", err)
	}
}

// Readers never wait for a new snapshot and always see a whole one.
func TestPublishIsSeenWhole(t *testing.T) {
	c, err := catalog.New()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Current().Skills()) != 0 || c.Current().Grammar("en") != nil {
		t.Error("a new catalog is not empty")
	}
	snapshots := []*catalog.Snapshot{
		build(t, skill(t, "tea", "v0", map[string]string{"en": "  Ask: [make tea]\n"})),
		build(t, skill(t, "tea", "v1", map[string]string{"en": "  Ask: [make tea]\n"})),
	}
	c.Publish(snapshots[0])
	var wait sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				s := c.Current()
				k, ok := s.Skill("tea")
				if who := answers(s, "en", "make tea"); !ok || len(who) != 1 || who[0] != "tea@"+k.ID {
					t.Errorf("skill %v, sentences of %v", k, who)
					return
				}
			}
		})
	}
	for i := range 200 {
		c.Publish(snapshots[i%2])
	}
	close(done)
	wait.Wait()
}
