package runtime_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hark-voice/hark/functions/runtime"
	"go.uber.org/goleak"
)

var testSkill string // the built testdata/skill

func TestMain(m *testing.M) {
	if path := os.Getenv("HARK_TEST_PARENT"); path != "" {
		beParent(path) // see TestParentDeath
		return
	}
	goleak.VerifyTestMain(withSkill{m})
}

// withSkill builds the test skill around the tests.
type withSkill struct{ *testing.M }

func (m withSkill) Run() int {
	dir, err := os.MkdirTemp("", "hark-runtime-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	testSkill = filepath.Join(dir, "skill")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", testSkill, "./testdata/skill").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the test skill: %v\n%s", err, out)
		return 1
	}
	return m.M.Run()
}

// beParent starts an instance, prints its process id and waits to be killed.
func beParent(path string) {
	d, err := runtime.NewProcesses(runtime.ProcessOptions{})
	if err != nil {
		panic(err)
	}
	i, err := d.Start(context.Background(), runtime.Spec{Skill: "probe", Dir: filepath.Dir(path), Command: []string{"skill"}})
	if err != nil {
		panic(err)
	}
	pid, err := call(context.Background(), i, "PID", "")
	if err != nil {
		panic(err)
	}
	fmt.Println(pid)
	select {}
}
