package skills

import (
	"os"
	"testing"
	"time"
)

func BenchmarkFirstText(b *testing.B) {
	for b.Loop() {
		c := &Call{ID: "a", Lang: "en", now: time.Now(), texts: newTexts(os.DirFS("time"))}
		if c.Text("time", map[string]any{"Time": c.Now()}); c.err != nil {
			b.Fatal(c.err)
		}
	}
}

func BenchmarkNextText(b *testing.B) {
	c := &Call{ID: "a", Lang: "en", now: time.Now(), texts: newTexts(os.DirFS("time"))}
	for b.Loop() {
		if c.Text("time", map[string]any{"Time": c.Now()}); c.err != nil {
			b.Fatal(c.err)
		}
	}
}
