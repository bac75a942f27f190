package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestALogIsNotFlooded(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out)
	for range 1000 {
		log.With("device", "a").Info("knock", "name", strings.Repeat("灯", 1000))
	}
	log.Info("other")
	if lines := strings.Count(out.String(), "msg=knock"); lines != calmLines {
		t.Errorf("%d lines of one message", lines)
	}
	if !strings.Contains(out.String(), "msg=other") || out.Len() > calmLines*(maxLogText+200)+200 {
		t.Errorf("%d bytes, without the other message?", out.Len())
	}
	log.Handler().(*calm).shared.since = time.Now().Add(-2 * calmEvery)
	log.Info("knock")
	if !strings.Contains(out.String(), "count=980") {
		t.Errorf("what was left out is not told: %s", out.String()[out.Len()-300:])
	}
}
