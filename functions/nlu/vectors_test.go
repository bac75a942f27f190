package nlu_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/nlu"
	"github.com/hark-voice/hark/functions/nlu/eval"
)

// TestVectorsChosen: the templates that the automaton chooses give what all give,
// for the sentences of the test vectors, for what remains of them where a word is
// left out or blanks are not blanks, and for what any template may stand for.
func TestVectorsChosen(t *testing.T) {
	dir := os.Getenv("HARK_NLU_VECTORS")
	if dir == "" {
		if os.Getenv("HARK_TEST_REQUIRE") == "all" {
			t.Fatal("HARK_NLU_VECTORS is not set: name the folder with the test vectors")
		}
		t.Skip("SKIPPED: HARK_NLU_VECTORS is not set, so no test vectors are run")
	}
	grammars, err := filepath.Glob(filepath.Join(dir, "*.grammar.json"))
	if err != nil || len(grammars) == 0 {
		t.Fatalf("no *.grammar.json in %s: %v", dir, err)
	}
	for _, path := range grammars {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".grammar.json"), func(t *testing.T) {
			suite := loadSuite(t, path)
			for _, kind := range []string{"tests", "derived"} {
				f, err := os.Open(strings.TrimSuffix(path, "grammar.json") + kind + ".jsonl")
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				rng := rand.New(rand.NewPCG(1, 2))
				err = suite.Each(f, eval.Options{Every: 7}, func(text string, ctx nlu.Context) {
					said := variants(rng, text)
					for range 5 {
						said = append(said, suite.Grammar.Say(rng, rng.IntN(suite.Grammar.Templates()), ctx.Lists))
					}
					for _, text := range said {
						same(t, suite.Grammar, text, ctx)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func same(t *testing.T, g *nlu.Grammar, text string, ctx nlu.Context) {
	t.Helper()
	quick, all := g.Match(text, ctx), g.MatchAll(text, ctx)
	if !all.Truncated && !reflect.DeepEqual(quick, all) {
		t.Errorf("%q: %d matches of the chosen templates, %d of all", text, len(quick.Matches), len(all.Matches))
	}
}

func variants(rng *rand.Rand, text string) []string {
	words := strings.Fields(text)
	at := rng.IntN(len(words))
	less := slices.Delete(slices.Clone(words), at, at+1)
	return []string{text, strings.Join(less, " "), strings.Join(words, "-"), strings.Join(words, ""), strings.Join(words, ", ")}
}

func loadSuite(t *testing.T, path string) *eval.Suite {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	suite, err := eval.Load(filepath.Base(path), f)
	if err != nil {
		t.Fatal(err)
	}
	return suite
}
