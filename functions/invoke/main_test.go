package invoke_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

var testSkill string // the built test skill of package runtime

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(withSkill{m})
}

// withSkill builds the test skill around the tests.
type withSkill struct{ *testing.M }

func (m withSkill) Run() int {
	dir, err := os.MkdirTemp("", "hark-invoke-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	testSkill = filepath.Join(dir, "skill")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", testSkill, "../runtime/testdata/skill").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the test skill: %v\n%s", err, out)
		return 1
	}
	return m.M.Run()
}
