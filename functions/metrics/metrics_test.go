package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/metrics"
)

func TestMetricsTellWhatHappened(t *testing.T) {
	m := metrics.New(metrics.Sources{
		Version: "1.2.3",
		Door: func() metrics.Door {
			return metrics.Door{Connections: 3, In: 7, Refused: map[string]uint64{"password": 2}, Dropped: map[string]uint64{"slow": 1}}
		},
		Instances: func() map[string]int { return map[string]int{"timer": 2} },
	})
	start := time.Now()
	m.Turn(&assistant.Turn{
		Kind: assistant.KindUtterance, Received: start, Finished: start.Add(3 * time.Millisecond), Reply: &assistant.Reply{},
		Invocations: []assistant.Invocation{{Skill: "timer", Outcome: assistant.OutcomeOK, Wall: 2 * time.Millisecond, Cold: true}},
	})
	m.Turn(&assistant.Turn{Kind: assistant.KindUtterance, Reply: &assistant.Reply{Error: assistant.Errorf(assistant.CodeBusy, "x")}})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`hark_build_info{version="1.2.3"} 1`,
		`hark_turns_total{code="ok",kind="utterance"} 1`,
		`hark_turns_total{code="busy",kind="utterance"} 1`,
		`hark_turn_duration_seconds_count{kind="utterance"} 2`,
		`hark_invocations_total{outcome="ok",skill="timer"} 1`,
		`hark_cold_starts_total{skill="timer"} 1`,
		`hark_invocation_duration_seconds_bucket{skill="timer",le="0.0025"} 1`,
		`hark_mqtt_connections 3`,
		`hark_mqtt_messages_total{direction="in"} 7`,
		`hark_mqtt_refused_total{reason="password"} 2`,
		`hark_mqtt_dropped_total{reason="slow"} 1`,
		`hark_skill_instances{skill="timer"} 2`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
}
