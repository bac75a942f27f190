package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A developer makes a skill from the template and hears it; then breaks it in
// every way, and each time is told what to mend while the good one serves on.
func TestADeveloperDeploysASkillAndBreaksIt(t *testing.T) {
	onEachStore(t, aDeveloperDeploysASkillAndBreaksIt)
}

func aDeveloperDeploysASkillAndBreaksIt(t *testing.T, h *Hark) {
	t.Helper()
	d := Connect(t, h, h.AddDevice("flat", "kitchen"))
	parent := t.TempDir()
	start := time.Now()
	h.Must("skill", "new", "hello", "--dir", parent)
	dir := filepath.Join(parent, "hello")
	h.Must("skill", "deploy", dir)
	good := d.Ask("hello hello")
	if good.Error != nil || good.Skill != "hello" || good.Speech == "" {
		t.Fatalf("got %+v", good)
	}
	t.Logf("from `skill new` to the first answer: %s; it says %q", time.Since(start).Round(time.Millisecond), good.Speech)
	if time.Since(start) > time.Minute {
		t.Errorf("it took %s", time.Since(start))
	}
	// The next one understands none of its sentences.
	h.Must("skill", "new", "goodbye", "--dir", parent)
	if out := h.Must("skill", "test", filepath.Join(parent, "goodbye")); !strings.Contains(out, " 0 warnings") || !strings.Contains(out, " 0 overlaps") {
		t.Errorf("a second new skill:\n%s", out)
	}

	for _, c := range []struct {
		name, file, old, new string
		says                 []string
	}{
		{"code that does not compile", "main.go", "func main() {", "func main() { undefined();", []string{"does not compile", "main.go:", "undefined"}},
		{"a wrong manifest", "skill.yaml", "hark: 1", "hark: 1\ncolour: red", []string{"skill.yaml:", "colour"}},
		{"a test sentence that fails", "sentences/en.yaml", "tests:", "tests:\n  - {say: open the pod bay doors, intent: Hello}", []string{"sentences/en.yaml:", "open the pod bay doors"}},
		{"an exit at start", "main.go", "func main() {", "func main() { panic(\"no coffee left\");", []string{"does not start", "no coffee left"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, c.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			broken := strings.Replace(string(text), c.old, c.new, 1)
			if broken == string(text) {
				t.Fatalf("%s does not hold %q", c.file, c.old)
			}
			if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := h.Run("skill", "deploy", dir)
			if err == nil {
				t.Fatalf("deployed:\n%s", out)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			t.Log(err)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if r := d.Ask("hello hello"); r.Error != nil || r.Version != good.Version {
				t.Errorf("the version before answers %+v", r)
			}
		})
	}

	if list := h.Must("skill", "list"); !strings.Contains(list, "hello") {
		t.Errorf("skill list:\n%s", list)
	}
	h.Must("skill", "remove", "hello")
	if r := d.Ask("hello hello"); r.Error == nil || r.Error.Code != "not_understood" {
		t.Errorf("after remove: %+v", r)
	}
	if used := h.Usage()["hello"]; used != 5 {
		t.Errorf("usage counts %d invocations of hello, want 5", used)
	}
}
