package mqtt

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func TestEncode(t *testing.T) {
	at := time.UnixMilli(1750000000000)
	base := assistant.Message{ID: "t1.1", Home: "demo", Device: "speaker", Created: at, Expires: at.Add(time.Minute)}
	reply, say, command := base, base, base
	reply.Kind, reply.Reply = assistant.MessageReply, &assistant.Reply{
		ID: "a1", Turn: "t1", Session: "s1", Speech: "五秒", Lang: "zh-CN", Expect: assistant.ExpectNone, Skill: "timer", Version: "1",
	}
	say.Kind, say.Say = assistant.MessageSay, &assistant.Say{Speech: "ring", Lang: "en", Kind: "timer"}
	command.Kind, command.Command = assistant.MessageCommand, &assistant.Command{Entity: "light.k", Service: "turn_on"}
	for _, c := range []struct {
		m              assistant.Message
		topic, payload string
	}{
		{reply, "hark/demo/speaker/reply", `{"id":"a1","turn":"t1","session":"s1","speech":"五秒","lang":"zh-CN","expect":"none","skill":"timer","version":"1","expires":1750000060000}`},
		{say, "hark/demo/speaker/say", `{"id":"t1.1","speech":"ring","lang":"en","kind":"timer","expires":1750000060000}`},
		{command, "hark/demo/speaker/command", `{"id":"t1.1","entity":"light.k","service":"turn_on","args":{},"expires":1750000060000}`},
	} {
		out, err := Encode(c.m)
		if err != nil {
			t.Fatal(err)
		}
		if out.Topic != c.topic || string(out.Payload) != c.payload {
			t.Errorf("got %s %s\nwant %s %s", out.Topic, out.Payload, c.topic, c.payload)
		}
		if !json.Valid(out.Payload) || out.ID != "t1.1" || !out.Expires.Equal(at.Add(time.Minute)) {
			t.Errorf("got %+v", out)
		}
	}
	if _, err := Encode(base); err == nil {
		t.Error("an empty message was encoded")
	}
}

func TestEncodeSendsTheReplyWhereTheRequesterWantsIt(t *testing.T) {
	m := assistant.Message{
		ID: "t1.0", Home: "demo", Device: "speaker", Kind: assistant.MessageReply, Reply: &assistant.Reply{ID: "a1"},
		ReplyTo: assistant.ReplyTo{Topic: "hark/demo/speaker/answers", Correlation: []byte{1, 2}},
	}
	out, err := Encode(m)
	if err != nil || out.Topic != "hark/demo/speaker/answers" || string(out.Correlation) != "\x01\x02" {
		t.Errorf("got %+v, %v", out, err)
	}
}
