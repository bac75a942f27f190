// Package metrics is what Prometheus reads of a running Hark: committed turns
// and the counters of the other rooms come in, text goes out. It must not know
// how any of them counts. Labels are bounded: kinds, codes and reasons are fixed
// sets, and skills are those that operators deploy.
package metrics

import (
	"net/http"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Sources are the counters that are read when Prometheus asks.
type Sources struct {
	Version string
	Door    func() Door
	// Instances returns how many instances of each skill run.
	Instances func() map[string]int
}

// Door is what the broker has counted.
type Door struct {
	Connections      int64
	Unacknowledged   int
	In, Sent, Done   uint64
	Expired          uint64
	Refused, Dropped map[string]uint64 // by reason
}

// Metrics collects and serves.
type Metrics struct {
	registry    *prometheus.Registry
	turns       *prometheus.CounterVec
	turnTime    *prometheus.HistogramVec
	invocations *prometheus.CounterVec
	cold        *prometheus.CounterVec
	callTime    *prometheus.HistogramVec
}

// New returns Metrics with a registry of its own.
func New(s Sources) *Metrics {
	// From a cached answer on one machine to a skill that takes all its time.
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		turns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hark_turns_total", Help: "Turns that were committed, by cause and error code (ok: none).",
		}, []string{"kind", "code"}),
		turnTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hark_turn_duration_seconds", Help: "From the arrival of a message to the end of its turn.", Buckets: buckets,
		}, []string{"kind"}),
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hark_invocations_total", Help: "Calls that reached a skill, by outcome.",
		}, []string{"skill", "outcome"}),
		cold: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hark_cold_starts_total", Help: "Calls that waited for an instance to start.",
		}, []string{"skill"}),
		callTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hark_invocation_duration_seconds", Help: "Wall time of calls, as it is billed.", Buckets: buckets,
		}, []string{"skill"}),
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hark_build_info", Help: "Always 1; the version is the label."}, []string{"version"})
	info.WithLabelValues(s.Version).Set(1)
	m.registry.MustRegister(m.turns, m.turnTime, m.invocations, m.cold, m.callTime, info, newDoor(s),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Turn counts a turn that was committed.
func (m *Metrics) Turn(t *assistant.Turn) {
	code := "ok"
	if e := t.Failed(); e != nil {
		code = string(e.Code)
	}
	m.turns.WithLabelValues(string(t.Kind), code).Inc()
	m.turnTime.WithLabelValues(string(t.Kind)).Observe(t.Finished.Sub(t.Received).Seconds())
	for _, i := range t.Invocations {
		m.invocations.WithLabelValues(i.Skill, string(i.Outcome)).Inc()
		m.callTime.WithLabelValues(i.Skill).Observe(i.Wall.Seconds())
		if i.Cold {
			m.cold.WithLabelValues(i.Skill).Inc()
		}
	}
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
