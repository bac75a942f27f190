package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The benchmarks count what they were answered against what the store holds, and
// fail where it differs. How quick they are here means nothing.
func TestBenchmarksCountWhatIsStored(t *testing.T) {
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"road":     `Hark replied [1-9]\d* times and has stored [1-9]\d* invocations`,
		"readings": `kill -9 under load: [1-9]\d* readings were acknowledged, [1-9]\d* are in the store`,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), harkBinary, "bench", name, "--quick", "--source", source, "--dir", t.TempDir()).CombinedOutput()
			if err != nil || !regexp.MustCompile(want).Match(out) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
