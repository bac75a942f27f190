package eval

import (
	"runtime"
	"testing"

	"github.com/hark-voice/hark/functions/nlu"
)

// The bounds on memory, in bytes.
const (
	maxGrammar = 64 << 20            // a language with 13,000 templates, once all test sentences were said
	maxHome    = (1 << 30) / 100_000 // one of 100,000 homes with 30 names
	templates  = 13_000
)

// TestGrammarMemory measures a language with very many templates.
func TestGrammarMemory(t *testing.T) {
	for _, lang := range []string{"en", "zh-CN"} {
		v := loadVectors(t, lang)
		own := 0
		for _, in := range v.source.Intents {
			for _, g := range in.Groups {
				own += len(g.Templates)
			}
		}
		copies := (templates + own - 1) / own
		before := heap()
		g := v.grammar(t, copies)
		sayAll(g, v.homes, v.sentences)
		sayAll(g, v.homes, v.nothing)
		used := heap() - before
		runtime.KeepAlive(g)
		t.Logf("%s: %d templates take %.1f MiB, what was learnt included", lang, copies*own, float64(used)/(1<<20))
		if used > maxGrammar {
			t.Errorf("%s: %d templates take %d bytes, %d at most", lang, copies*own, used, maxGrammar)
		}
	}
}

// TestHomeMemory measures the names of homes; functions/catalog does so with what
// Hark makes of its own entities.
func TestHomeMemory(t *testing.T) {
	const homes, names = 2000, 30
	v := loadVectors(t, "en")
	all := make([]*nlu.Lists, homes)
	before := heap()
	for i := range all {
		all[i] = v.someNames(t, i, names)
	}
	used := heap() - before
	runtime.KeepAlive(all)
	t.Logf("a home with %d names takes %d bytes", names, used/homes)
	if used/homes > maxHome {
		t.Errorf("a home with %d names takes %d bytes, %d at most", names, used/homes, maxHome)
	}
}

// someNames are those of a home of its own.
func (v *vectors) someNames(t *testing.T, home, n int) *nlu.Lists {
	t.Helper()
	known := v.names()
	var f fixtureFile
	for i := range n {
		e := known[(home+i)%len(known)]
		e.Name += string(rune('a' + (home+i)%26))
		f.Entities = append(f.Entities, e)
	}
	lists, err := f.lists(&places{})
	if err != nil {
		t.Fatal(err)
	}
	return lists
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
