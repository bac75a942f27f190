package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/nlu"
)

// vectors are the grammar and the sentences of a language, for benchmarks.
type vectors struct {
	file      grammarFile
	source    *nlu.Source
	homes     map[string]*nlu.Lists
	sentences []test
	nothing   []test // sentences that mean nothing
}

func loadVectors(tb testing.TB, lang string) *vectors {
	tb.Helper()
	dir := os.Getenv("HARK_NLU_VECTORS")
	if dir == "" {
		if os.Getenv("HARK_TEST_REQUIRE") == "all" {
			tb.Fatal("HARK_NLU_VECTORS is not set")
		}
		tb.Skip("SKIPPED: HARK_NLU_VECTORS is not set, so no test vectors are run")
	}
	v := &vectors{homes: make(map[string]*nlu.Lists)}
	data, err := os.ReadFile(filepath.Join(dir, lang+".grammar.json"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, &v.file); err != nil {
		tb.Fatal(err)
	}
	at := newPlaces(lang, data)
	if v.source, err = v.file.source(at); err != nil {
		tb.Fatal(err)
	}
	for id, f := range v.file.Fixtures {
		if v.homes[id], err = f.lists(at); err != nil {
			tb.Fatal(err)
		}
	}
	v.sentences = readSentences(tb, filepath.Join(dir, lang+".tests.jsonl"))
	v.nothing = slices.DeleteFunc(readSentences(tb, filepath.Join(dir, lang+".derived.jsonl")), func(t test) bool { return t.Intent != nil })
	return v
}

func readSentences(tb testing.TB, path string) []test {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var all []test
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var t test
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			tb.Fatal(err)
		}
		all = append(all, t)
	}
	return all
}

// grammar compiles so many copies of the source. Each copy but the first ends its
// sentences with a word of its own, so that nothing tells them apart before.
func (v *vectors) grammar(tb testing.TB, copies int) *nlu.Grammar {
	tb.Helper()
	sources := []nlu.Source{*v.source}
	for n := 1; n < copies; n++ {
		s := *v.source
		s.Skill = fmt.Sprintf("copy%02d", n)
		s.Intents = nil
		for _, in := range v.source.Intents {
			in.Groups = slices.Clone(in.Groups)
			for i := range in.Groups {
				g := &in.Groups[i]
				g.Templates = slices.Clone(g.Templates)
				for j := range g.Templates {
					g.Templates[j].Text = "(" + g.Templates[j].Text + ") word" + string(rune('a'+n))
				}
			}
			s.Intents = append(s.Intents, in)
		}
		sources = append(sources, s)
	}
	g, err := nlu.Compile(v.file.Language, sources)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// names are those of all homes.
func (v *vectors) names() []entityFile {
	var all []entityFile
	for _, id := range slices.Sorted(maps.Keys(v.file.Fixtures)) {
		all = append(all, v.file.Fixtures[id].Entities...)
	}
	return all
}

// manyNames adds names to those of a home.
func (v *vectors) manyNames(b *testing.B, fixture string, names int) *nlu.Lists {
	b.Helper()
	f := v.file.Fixtures[fixture]
	f.Entities = slices.Clone(f.Entities)
	known := v.names()
	for i := range names {
		e := known[i%len(known)]
		e.Name = fmt.Sprintf("%s %d", e.Name, i)
		f.Entities = append(f.Entities, e)
	}
	lists, err := f.lists(&places{})
	if err != nil {
		b.Fatal(err)
	}
	return lists
}

// measure reports the time of single sentences when all have been said before:
// of the middle one and of the slowest in a hundred. Of each sentence the middle
// of several runs counts, so that the machine's other work does not.
func measure(b *testing.B, g *nlu.Grammar, homes map[string]*nlu.Lists, sentences []test) {
	b.Helper()
	sayAll(g, homes, sentences)
	runs := make([][]time.Duration, len(sentences))
	b.ReportAllocs()
	for b.Loop() {
		for i := range sentences {
			start := time.Now()
			say(g, homes, &sentences[i])
			if len(runs[i]) < 31 {
				runs[i] = append(runs[i], time.Since(start))
			}
		}
	}
	var middle []time.Duration
	for _, r := range runs {
		slices.Sort(r)
		middle = append(middle, r[len(r)/2])
	}
	slices.Sort(middle)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	b.ReportMetric(micros(middle[len(middle)/2]), "p50_us")
	b.ReportMetric(micros(middle[len(middle)*99/100]), "p99_us")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(sentences)), "mean_us")
}

func say(g *nlu.Grammar, homes map[string]*nlu.Lists, t *test) {
	g.Match(t.Text, nlu.Context{Values: t.Context, Lists: homes[t.Fixture]})
}

func sayAll(g *nlu.Grammar, homes map[string]*nlu.Lists, sentences []test) {
	for i := range sentences {
		say(g, homes, &sentences[i])
	}
}

// BenchmarkVectors runs all test sentences of a language: as they are, with many
// times the templates or names, those that mean nothing, and for the first time.
func BenchmarkVectors(b *testing.B) {
	for _, lang := range []string{"en", "zh-CN"} {
		v := loadVectors(b, lang)
		g := v.grammar(b, 1)
		b.Run(lang+"/warm", func(b *testing.B) { measure(b, g, v.homes, v.sentences) })
		b.Run(lang+"/nothing", func(b *testing.B) { measure(b, g, v.homes, v.nothing) })
		b.Run(lang+"/x16", func(b *testing.B) { measure(b, v.grammar(b, 16), v.homes, v.sentences) })
		b.Run(lang+"/names", func(b *testing.B) {
			homes := make(map[string]*nlu.Lists)
			for id := range v.homes {
				homes[id] = v.manyNames(b, id, 2000)
			}
			measure(b, g, homes, v.sentences)
		})
		b.Run(lang+"/cold", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				g := v.grammar(b, 1)
				b.StartTimer()
				sayAll(g, v.homes, v.sentences)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(v.sentences)), "mean_us")
		})
		b.Run(lang+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					say(g, v.homes, &v.sentences[i%len(v.sentences)])
				}
			})
		})
	}
}
