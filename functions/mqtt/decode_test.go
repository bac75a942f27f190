package mqtt

import (
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func TestDecodeUtterance(t *testing.T) {
	for name, c := range map[string]struct {
		payload string
		id      string
		code    assistant.Code // empty: accepted
		says    string         // in the error's message
	}{
		"plain":               {`{"id":"a1","text":"what time is it"}`, "a1", "", ""},
		"unknown fields":      {`{"id":"a1","text":"hi","x":{"y":[1]}}`, "a1", "", ""},
		"empty":               {"", "", assistant.CodeBadRequest, "empty"},
		"blank":               {" \n", "", assistant.CodeBadRequest, "empty"},
		"not JSON":            {"hello", "", assistant.CodeBadRequest, "not JSON at byte 1"},
		"cut off":             {`{"id":"a1","text":"hi`, "", assistant.CodeBadRequest, "not JSON"},
		"an array":            {`[{"id":"a1"}]`, "", assistant.CodeBadRequest, "not an object"},
		"null":                {`null`, "", assistant.CodeBadRequest, "the id is missing"},
		"bad UTF-8":           {"{\"id\":\"a1\",\"text\":\"\xff\"}", "a1", assistant.CodeBadRequest, "UTF-8"},
		"no id":               {`{"text":"hi"}`, "", assistant.CodeBadRequest, "the id is missing"},
		"long id":             {`{"id":"` + strings.Repeat("a", 65) + `","text":"hi"}`, "", assistant.CodeBadRequest, "64"},
		"odd id":              {`{"id":"a b","text":"hi"}`, "", assistant.CodeBadRequest, "A-Za-z0-9"},
		"wrong type":          {`{"id":"a1","text":5}`, "a1", assistant.CodeBadRequest, "text is a JSON number"},
		"id of another type":  {`{"id":7,"text":"hi"}`, "", assistant.CodeBadRequest, "id is a JSON number"},
		"no text":             {`{"id":"a1"}`, "a1", assistant.CodeBadRequest, "text is missing"},
		"blank text":          {`{"id":"a1","text":"  "}`, "a1", assistant.CodeBadRequest, "text is missing"},
		"1000 characters":     {`{"id":"a1","text":"` + strings.Repeat("灯", 1000) + `"}`, "a1", "", ""},
		"1001 characters":     {`{"id":"a1","text":"` + strings.Repeat("灯", 1001) + `"}`, "a1", assistant.CodeTooLarge, "1000"},
		"language":            {`{"id":"a1","text":"hi","lang":"zh-cn"}`, "a1", "", ""},
		"no language":         {`{"id":"a1","text":"hi","lang":"!!"}`, "a1", assistant.CodeUnsupportedLanguage, "BCP 47"},
		"version 2":           {`{"id":"a1","text":"hi","v":2}`, "a1", assistant.CodeUnsupportedVersion, "version 1"},
		"ts":                  {`{"id":"a1","text":"hi","ts":1750000000000}`, "a1", "", ""},
		"negative ts":         {`{"id":"a1","text":"hi","ts":-1}`, "a1", assistant.CodeBadRequest, "ts"},
		"huge ts":             {`{"id":"a1","text":"hi","ts":1e300}`, "a1", assistant.CodeBadRequest, "ts"},
		"long session":        {`{"id":"a1","text":"hi","session":"` + strings.Repeat("s", 65) + `"}`, "a1", assistant.CodeBadRequest, "session"},
		"deep nesting":        {`{"id":"a1","text":"hi","x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "", assistant.CodeBadRequest, "not JSON"},
		"text with a newline": {`{"id":"a1","text":"what\ntime"}`, "a1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := DecodeUtterance([]byte(c.payload))
			if u.ID != c.id {
				t.Errorf("id %q, want %q", u.ID, c.id)
			}
			switch {
			case c.code == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.code != "" && err == nil:
				t.Error("accepted")
			case c.code != "" && (err.Code != c.code || !strings.Contains(err.Message, c.says)):
				t.Errorf("error %v, want %s with %q", err, c.code, c.says)
			}
		})
	}
}

func TestDecodeUtteranceKeepsWhatItSays(t *testing.T) {
	u, err := DecodeUtterance([]byte(`{"id":"a1","text":" hi ","lang":"zh-cn","session":"s","area":"kitchen","person":"p","score":0.5,"ts":1750000000000}`))
	if err != nil {
		t.Fatal(err)
	}
	if u.Text != "hi" || u.Lang != "zh-CN" || u.Session != "s" || u.Area != "kitchen" || u.Person != "p" || *u.Score != 0.5 ||
		!u.Sent.Equal(time.UnixMilli(1750000000000)) || u.Digest == "" {
		t.Errorf("got %+v", u)
	}
}

func TestDecodeIntent(t *testing.T) {
	u, err := DecodeIntent([]byte(`{"id":"a1","intent":"timer.SetTimer","slots":{"duration":5,"name":"pasta","loud":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	if u.Intent.Name != "timer.SetTimer" || u.Intent.Slots["duration"].Value != 5.0 || u.Intent.Slots["name"].Value != "pasta" || u.Intent.Slots["loud"].Value != true {
		t.Errorf("got %+v", u.Intent)
	}
	for name, payload := range map[string]string{
		"no intent":     `{"id":"a1"}`,
		"nested slot":   `{"id":"a1","intent":"x","slots":{"a":{"b":1}}}`,
		"null slot":     `{"id":"a1","intent":"x","slots":{"a":null}}`,
		"slots a list":  `{"id":"a1","intent":"x","slots":[1]}`,
		"unnamed slot":  `{"id":"a1","intent":"x","slots":{"":1}}`,
		"long slot":     `{"id":"a1","intent":"x","slots":{"a":"` + strings.Repeat("x", 1001) + `"}}`,
		"intent a list": `{"id":"a1","intent":[]}`,
	} {
		if _, err := DecodeIntent([]byte(payload)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzDecode holds the decoders to their promise: whatever comes in, they
// return, and what they accept keeps the contract.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"a1","text":"what time is it","lang":"en","ts":1}`))
	f.Add([]byte(`{"id":"a1","intent":"SetTimer","slots":{"duration":5}}`))
	f.Add([]byte("{\"id\":\"a\",\"text\":\"\xc3\x28\"}"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, decode := range []func([]byte) (*assistant.Utterance, *assistant.Error){DecodeUtterance, DecodeIntent} {
			u, err := decode(payload)
			if u.ID != "" && assistant.CheckMessageID(u.ID) != nil {
				t.Errorf("id %q is not valid", u.ID)
			}
			if err == nil && (u.ID == "" || u.Text == "" && u.Intent == nil || len([]rune(u.Text)) > MaxText) {
				t.Errorf("accepted %+v", u)
			}
		}
	})
}
