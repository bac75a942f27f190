package eval

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// vectorsDir is the folder of test vectors. They are not part of this project;
// HARK_NLU_VECTORS names where they are.
func vectorsDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("HARK_NLU_VECTORS")
	if dir == "" {
		if os.Getenv("HARK_TEST_REQUIRE") == "all" {
			t.Fatal("HARK_NLU_VECTORS is not set: name the folder with the test vectors")
		}
		t.Skip("SKIPPED: HARK_NLU_VECTORS is not set, so no test vectors are run")
	}
	return dir
}

// TestVectors runs every n-th sentence of every language; all of them with
// HARK_NLU_VECTORS_EVERY=1.
func TestVectors(t *testing.T) {
	dir := vectorsDir(t)
	every := 5
	if s := os.Getenv("HARK_NLU_VECTORS_EVERY"); s != "" {
		var err error
		if every, err = strconv.Atoi(s); err != nil {
			t.Fatalf("HARK_NLU_VECTORS_EVERY: %v", err)
		}
	}
	grammars, err := filepath.Glob(filepath.Join(dir, "*.grammar.json"))
	if err != nil || len(grammars) == 0 {
		t.Fatalf("no *.grammar.json in %s: %v", dir, err)
	}
	for _, path := range grammars {
		lang := strings.TrimSuffix(filepath.Base(path), ".grammar.json")
		t.Run(lang, func(t *testing.T) {
			suite := load(t, path)
			for _, kind := range []string{"tests", "derived"} {
				report := run(t, suite, filepath.Join(dir, lang+"."+kind+".jsonl"), Options{Every: every})
				t.Logf("%s: %d of %d passed, %d ties, %d truncated, p50 %d us, p99 %d us, max %d us",
					kind, report.Passed, report.Total, report.Ties, report.Truncated, report.P50, report.P99, report.Max)
				for _, f := range report.Failures {
					t.Errorf("%s %q\n want %s\n got  %s", f.ID, f.Text, f.Want, f.Got)
				}
			}
		})
	}
}

func load(t *testing.T, path string) *Suite {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	suite, err := Load(filepath.Base(path), f)
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

func run(t *testing.T, suite *Suite, path string, opts Options) *Report {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	report := &Report{}
	if err := suite.Run(f, opts, report); err != nil {
		t.Fatal(err)
	}
	return report
}
