package admin_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/admin"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/explain"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/release"
)

// explainer knows one skill, that makes tea and, in the homes of the desk, turns
// on what has a name.
func explainer(tb testing.TB, d *desk) admin.Explainer {
	tb.Helper()
	homes, err := household.New(household.Options{Store: d.store, Clock: d.clock})
	if err != nil {
		tb.Fatal(err)
	}
	skills, err := catalog.New()
	if err != nil {
		tb.Fatal(err)
	}
	k, err := manifest.Decode([]byte("hark: 1\nname: tea\nversion: 1.0.0\nruntime: {go: .}\nlanguages: [en]\ntriggers: {intents: [Make]}\n"),
		map[string][]byte{"en": []byte("language: en\nintents:\n  Make:\n    - make tea\n    - start {name}\n")})
	if err != nil {
		tb.Fatal(err)
	}
	live, err := catalog.Build(&catalog.Skill{Skill: k, ID: "1"})
	if err != nil {
		tb.Fatal(err)
	}
	skills.Publish(live)
	x, err := explain.New(explain.Options{Catalog: skills, Homes: homes, Clock: d.clock})
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

func TestExplain(t *testing.T) {
	d := newDesk(t)
	if err := d.store.PutHome(t.Context(), assistant.Home{ID: "flat", Zone: "UTC", Lang: "en"}); err != nil {
		t.Fatal(err)
	}
	if err := d.store.PutEntity(t.Context(), assistant.Entity{Home: "flat", ID: "switch.x", Domain: "switch", Name: "Samovar"}); err != nil {
		t.Fatal(err)
	}
	var x explain.Explanation
	if status := d.request("POST", "/api/v1/explanations", `{"text":"start the samovar now"}`, &x); status != http.StatusOK || x.Readings == nil || len(x.Readings) != 0 {
		t.Errorf("%d %+v", status, x)
	}
	d.request("POST", "/api/v1/explanations", `{"text":"start samovar","home":"flat"}`, &x)
	if len(x.Readings) != 1 || x.Readings[0].Slots["name"].Value != "Samovar" || x.Readings[0].Place != "sentences/en.yaml:5" || x.Lang != "en" {
		t.Errorf("in the home: %+v", x)
	}
	for body, says := range map[string]string{
		`{}`:           "1 to 1000 characters",
		`{"text":" "}`: "1 to 1000 characters",
		`{"text":"` + strings.Repeat("x", 1001) + `"}`:          "1 to 1000 characters",
		`{"text":"x","lang":"klingon!"}`:                        "language",
		`{"text":"x","home":"NO"}`:                              "home: ",
		`{"text":"x","home":"flat","device":"../x"}`:            "device: ",
		`{"text":"x","device":"hall"}`:                          "name that, too",
		`{"text":"x","area":"` + strings.Repeat("x", 65) + `"}`: "area",
		`{"text":"x","loud":true}`:                              "loud",
	} {
		d.refused("POST", "/api/v1/explanations", body, http.StatusBadRequest, says)
	}
	d.refused("POST", "/api/v1/explanations", `{"text":"x","home":"attic"}`, http.StatusNotFound, "no home attic")
	d.refused("POST", "/api/v1/explanations", `{"text":"x","home":"flat","device":"hall"}`, http.StatusNotFound, "no device flat/hall")
}

// A test of a skill is told in lines, as a deployment is, and ends with what was tested.
func TestTrials(t *testing.T) {
	d := newDesk(t)
	d.releases.deploy = func(_ context.Context, archive io.Reader, progress func(release.Step)) (assistant.LiveSkill, error) {
		name, err := io.ReadAll(archive)
		if err != nil {
			return assistant.LiveSkill{}, err
		}
		progress(release.Step{Name: "overlap", Detail: "with others"})
		if string(name) == "half" {
			return assistant.LiveSkill{Skill: "half", Version: "7"}, io.ErrUnexpectedEOF
		}
		if string(name) == "bad" {
			return assistant.LiveSkill{}, io.ErrUnexpectedEOF
		}
		return assistant.LiveSkill{Skill: string(name), Version: "7"}, nil
	}
	for name, want := range map[string]string{
		"tea": `{"step":"overlap","detail":"with others"}` + "\n" + `{"tested":{"skill":"tea","version":"7","sentences":3,"answers":2,"handlers":1}}` + "\n",
		"half": `{"step":"overlap","detail":"with others"}` + "\n" +
			`{"tested":{"skill":"half","version":"7","sentences":3,"answers":2,"handlers":1},"error":"unexpected EOF"}` + "\n",
		"bad": `{"step":"overlap","detail":"with others"}` + "\n" + `{"error":"unexpected EOF"}` + "\n",
	} {
		r := httptest.NewRequest("POST", "/api/v1/trials", strings.NewReader(name))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %s, want %s", name, w.Code, w.Body, want)
		}
	}
}
