package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNLUEval(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	grammar := write("grammar.json", `{"language":"en","fixtures":{"f":{}},
		"intents":{"Go":{"groups":[{"id":"Go/home#0","combination":"home","templates":["go [back] home"]}]}}}`)
	good := `{"id":"1","text":"go home","fixture":"f","intent":"Go","combination":"home","slots":{}}` + "\n" +
		`{"id":"2","text":"stay","fixture":"f","intent":null}` + "\n"
	bad := write("bad.jsonl", good+`{"id":"3","text":"go away","fixture":"f","intent":"Go","combination":"home","slots":{}}`+"\n")
	two := `{"id":"1","text":"go home, go back home","fixture":"f","intent":"Go","combination":"home","slots":{}}` + "\n"
	for _, c := range []struct {
		args  []string
		err   string
		total int
		says  string
	}{
		{[]string{"--tests", write("good.jsonl", good)}, "", 2, ""},
		{[]string{"--tests", bad}, "not understood as expected", 3, `"go away"`},
		{[]string{"--tests", write("one.jsonl", good), "--derived", bad, "--json"}, "not understood as expected", 5, `{"id":"3","text":"go away","want":`},
		{[]string{"--tests", write("not.jsonl", "{")}, "line 1 of the sentences", 0, ""},
		{[]string{"--tests", bad, "--all-passes"}, "not understood as expected", 3, `"later":{"tried":2,"found":0,`},
		{[]string{"--tests", write("both.jsonl", two), "--all-passes"}, "not understood as expected", 1, `later split: "go home, go back home" as "go home"`},
		{[]string{"--tests", write("alsoboth.jsonl", two), "--all-passes", "--json"}, "not understood as expected", 1, `{"id":"1","text":"go home, go back home","want":"Go/home map[]","later":"split: `},
		{[]string{"--tests", write("empty.jsonl", "\n")}, "empty.jsonl holds no sentences", 0, ""},
		{[]string{"--tests", bad, "--derived", write("nothing.jsonl", "")}, "nothing.jsonl holds no sentences", 0, ""},
		{[]string{"--tests", filepath.Join(dir, "none")}, "open the sentences", 0, ""},
		{[]string{"--tests", bad, "--grammar", write("broken.json", "{\n\"rules\": {\"r\": \"go (on\"}}")}, "broken.json:2:20: '(' is never closed", 0, ""},
	} {
		var out bytes.Buffer
		root := command()
		root.SetOut(&out)
		root.SetArgs(append([]string{"nlu", "eval", "--grammar", grammar}, c.args...))
		err := root.ExecuteContext(t.Context())
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || !strings.Contains(out.String(), c.says) {
			t.Errorf("%v: %v, want %q, and %q in\n%s", c.args, err, c.err, c.says, out.String())
		}
		if c.total == 0 {
			continue
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var score struct{ Total, Passed, Ties int }
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &score); err != nil || score.Total != c.total || score.Ties != 0 {
			t.Errorf("%v: score %+v, %v", c.args, score, err)
		}
	}
}
