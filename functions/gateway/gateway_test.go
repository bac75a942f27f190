package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/gateway"
	"github.com/hark-voice/hark/functions/sqlite"
)

type roadFunc func(u *assistant.Utterance) (*assistant.Turn, error)

func (f roadFunc) Utterance(_ context.Context, u *assistant.Utterance) (*assistant.Turn, error) {
	return f(u)
}

func serve(t *testing.T, road roadFunc) http.Handler {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "hark.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if err := store.PutDevice(t.Context(), assistant.Device{Home: "flat", ID: "kitchen"}); err != nil {
		t.Fatal(err)
	}
	handler, err := gateway.New(gateway.Options{
		Road: road, Homes: store, Token: "operator", Clock: assistant.NewManualClock(time.UnixMilli(1_750_000_000_000)),
		Verify: func(_ context.Context, username, password string) (topic.Device, error) {
			d, _ := topic.ParseUsername(username)
			if password != "secret" {
				return d, errors.New("wrong")
			}
			return d, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /api/v1/homes/{home}/devices/{device}/utterances", handler)
	return mux
}

func post(h http.Handler, device, body string, auth func(*http.Request)) (*httptest.ResponseRecorder, assistant.Reply) {
	r := httptest.NewRequest("POST", "/api/v1/homes/flat/devices/"+device+"/utterances", strings.NewReader(body))
	if auth != nil {
		auth(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var reply assistant.Reply
	_ = json.Unmarshal(w.Body.Bytes(), &reply)
	return w, reply
}

func as(username, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(username, password) }
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestAnUtteranceIsAnsweredInTheResponse(t *testing.T) {
	var asked *assistant.Utterance
	h := serve(t, func(u *assistant.Utterance) (*assistant.Turn, error) {
		asked = u
		return &assistant.Turn{ID: "t1", Reply: &assistant.Reply{ID: u.ID, Turn: "t1", Speech: "hi"}}, nil
	})
	for _, auth := range []func(*http.Request){as("flat/kitchen", "secret"), bearer("operator")} {
		w, reply := post(h, "kitchen", `{"id":"a1","text":"hello"}`, auth)
		if w.Code != http.StatusOK || reply.Speech != "hi" || reply.Turn != "t1" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if asked.Home != "flat" || asked.Device != "kitchen" || !asked.Direct || asked.Text != "hello" || asked.Received.IsZero() {
			t.Errorf("asked %+v", asked)
		}
	}
}

func TestStrangersAreNotLetIn(t *testing.T) {
	h := serve(t, func(*assistant.Utterance) (*assistant.Turn, error) {
		t.Error("a stranger was let in")
		return nil, errors.New("x")
	})
	for name, c := range map[string]struct {
		device string
		auth   func(*http.Request)
	}{
		"nobody":             {"kitchen", nil},
		"wrong password":     {"kitchen", as("flat/kitchen", "guess")},
		"another device":     {"hall", as("flat/kitchen", "secret")},
		"another home":       {"kitchen", as("house/kitchen", "secret")},
		"no device":          {"kitchen", as("flat", "secret")},
		"wrong token":        {"kitchen", bearer("guess")},
		"empty token":        {"kitchen", bearer("")},
		"the operator, void": {"nowhere", bearer("operator")},
	} {
		if w, reply := post(h, c.device, `{"id":"a1","text":"hello"}`, c.auth); w.Code != http.StatusUnauthorized || reply.Error == nil || reply.Error.Code != assistant.CodeDenied {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestErrorsHaveTheirStatus(t *testing.T) {
	h := serve(t, func(u *assistant.Utterance) (*assistant.Turn, error) {
		if u.Text == "away" {
			return nil, fmt.Errorf("x: %w", assistant.ErrStoreAway)
		}
		return &assistant.Turn{Reply: &assistant.Reply{ID: u.ID, Turn: "t", Error: assistant.Errorf(assistant.Code(u.Text), "x")}}, nil
	})
	for body, want := range map[string]int{
		``:         400,
		`not JSON`: 400,
		`{"id":"a1","text":"` + strings.Repeat("x", 1001) + `"}`:    413,
		`{"id":"a1","text":"` + strings.Repeat("x", 200_000) + `"}`: 413,
		`{"id":"a1","text":"away"}`:                                 503,
		`{"id":"a1","text":"not_understood"}`:                       200,
		`{"id":"a1","text":"expired"}`:                              200,
		`{"id":"a1","text":"denied"}`:                               403,
		`{"id":"a1","text":"quota_exceeded"}`:                       429,
		`{"id":"a1","text":"skill_failed"}`:                         502,
		`{"id":"a1","text":"timeout"}`:                              504,
	} {
		if w, reply := post(h, "kitchen", body, bearer("operator")); w.Code != want || reply.Error == nil {
			t.Errorf("%.60s: %d %s, want %d", body, w.Code, w.Body, want)
		}
	}
}
