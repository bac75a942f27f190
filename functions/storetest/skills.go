//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func testVersions(t *testing.T, s Store) {
	_, err := s.Version(t.Context(), "clock", "1.0.0-a")
	wantErr(t, "unknown version", err, assistant.ErrNotFound)
	version := func(skill, id string, d time.Duration) assistant.SkillVersion {
		return assistant.SkillVersion{
			Skill: skill, ID: id, Source: "source-" + id, Artifact: "artifact-" + id, Created: at(d),
			Manifest:  []byte("hark: 1\nname: " + skill + "\n"),
			Sentences: map[string][]byte{"en": []byte("what time is it"), "zh-CN": []byte("现在几点")},
		}
	}
	old, fresh := version("clock", "1.0.0-b", 0), version("clock", "1.0.0-a", time.Minute)
	for _, v := range []assistant.SkillVersion{fresh, version("timer", "1.0.0-b", time.Hour), old} {
		if err := s.PutVersion(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	changed := old
	changed.Artifact, changed.Created = "another", at(time.Hour)
	if err := s.PutVersion(t.Context(), changed); err != nil {
		t.Errorf("a version that exists: %v", err)
	}
	wantSame(t, "as it was put first", must[assistant.SkillVersion](t)(s.Version(t.Context(), "clock", "1.0.0-b")), old)
	_, err = s.Version(t.Context(), "timer", "1.0.0-a")
	wantErr(t, "a version of another skill", err, assistant.ErrNotFound)

	want := []assistant.SkillVersion{fresh, old}
	for i := range want {
		want[i].Manifest, want[i].Sentences = nil, nil
	}
	wantSame(t, "newest first", must[[]assistant.SkillVersion](t)(s.Versions(t.Context(), "clock")), want)
	if got := must[[]assistant.SkillVersion](t)(s.Versions(t.Context(), "unknown")); len(got) != 0 {
		t.Errorf("an unknown skill has versions: %v", got)
	}
}

func testLive(t *testing.T, s Store) {
	clock := assistant.LiveSkill{Skill: "clock", Version: "2", Since: at(time.Minute)}
	timer := assistant.LiveSkill{Skill: "timer", Version: "1", Since: at(0)}
	for _, l := range []assistant.LiveSkill{timer, {Skill: "clock", Version: "1", Since: at(0)}, clock} {
		if err := s.SetLive(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	wantSame(t, "live", must[[]assistant.LiveSkill](t)(s.Live(t.Context())), []assistant.LiveSkill{clock, timer})
	if err := s.RemoveLive(t.Context(), "clock"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "removed twice", s.RemoveLive(t.Context(), "clock"), assistant.ErrNotFound)
	wantErr(t, "never live", s.RemoveLive(t.Context(), "unknown"), assistant.ErrNotFound)
	wantSame(t, "left", must[[]assistant.LiveSkill](t)(s.Live(t.Context())), []assistant.LiveSkill{timer})
}

// content is n bytes that are the same in every run, with their hash.
func content(n int) (data []byte, hash string) {
	data = make([]byte, n)
	var seed [32]byte
	_, _ = rand.NewChaCha8(seed).Read(data)
	return data, hashOf(data)
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func fetch(t *testing.T, s Store, hash string) []byte {
	t.Helper()
	r := must[io.ReadCloser](t)(s.Artifact(t.Context(), hash))
	data := must[[]byte](t)(io.ReadAll(r))
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return data
}

func testArtifacts(t *testing.T, s Store) {
	for _, size := range []int{0, 1, 1 << 20, 3<<20 + 17} {
		data, hash := content(size)
		_, err := s.Artifact(t.Context(), hash)
		wantErr(t, "unknown artifact", err, assistant.ErrNotFound)
		// A reader may give as little as it likes.
		if err := s.PutArtifact(t.Context(), hash, iotest.HalfReader(bytes.NewReader(data))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fetch(t, s, hash), data) {
			t.Errorf("an artifact of %d bytes came back otherwise", size)
		}
		if err := s.PutArtifact(t.Context(), hash, iotest.ErrReader(errors.New("read in vain"))); err != nil {
			t.Errorf("an artifact that exists: %v", err)
		}
	}
	if got := must[io.ReadCloser](t)(s.Artifact(t.Context(), hashOf(nil))); got.Close() != nil {
		t.Error("an artifact closed unread gives an error")
	}
}

func testArtifactsRefused(t *testing.T, s Store) {
	data, hash := content(2<<20 + 1)
	if err := s.PutArtifact(t.Context(), hash, bytes.NewReader(data[1:])); err == nil {
		t.Error("an artifact of another hash was taken")
	}
	broken := errors.New("the upload broke off")
	err := s.PutArtifact(t.Context(), hash, io.MultiReader(bytes.NewReader(data[:1<<20+1]), iotest.ErrReader(broken)))
	wantErr(t, "an upload that broke off", err, broken)
	_, err = s.Artifact(t.Context(), hash)
	wantErr(t, "what was refused", err, assistant.ErrNotFound)
	if err := s.PutArtifact(t.Context(), hash, bytes.NewReader(data)); err != nil {
		t.Errorf("the whole after that: %v", err)
	}
	if !bytes.Equal(fetch(t, s, hash), data) {
		t.Error("it came back otherwise")
	}
}

func testArtifactsAtOnce(t *testing.T, s Store) {
	data, hash := content(1<<20 + 5)
	err := together(t.Context(), 4, func(ctx context.Context, _ int) error {
		return s.PutArtifact(ctx, hash, bytes.NewReader(data))
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(fetch(t, s, hash), data) {
		t.Error("it came back otherwise")
	}
}
