package metrics

import "github.com/prometheus/client_golang/prometheus"

// door reads the counters that other rooms keep, at the moment they are asked for.
type door struct {
	Sources

	connections, unacked, messages, expired, refused, dropped, instances *prometheus.Desc
}

func newDoor(s Sources) *door {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &door{
		Sources:     s,
		connections: desc("hark_mqtt_connections", "MQTT connections that are open."),
		unacked:     desc("hark_mqtt_unacknowledged", "Messages of devices that are not acknowledged yet."),
		messages:    desc("hark_mqtt_messages_total", "Messages: in from devices, sent to devices, done (acknowledged by them).", "direction"),
		expired:     desc("hark_mqtt_expired_total", "Messages that expired before a device took them."),
		refused:     desc("hark_mqtt_refused_total", "Connections, subscriptions and messages that were refused.", "reason"),
		dropped:     desc("hark_mqtt_dropped_total", "Connections and messages that were dropped.", "reason"),
		instances:   desc("hark_skill_instances", "Instances that run.", "skill"),
	}
}

// Describe implements prometheus.Collector.
func (d *door) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.connections, d.unacked, d.messages, d.expired, d.refused, d.dropped, d.instances} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (d *door) Collect(out chan<- prometheus.Metric) {
	counter := func(desc *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	s := d.Door()
	gauge(d.connections, float64(s.Connections))
	gauge(d.unacked, float64(s.Unacknowledged))
	counter(d.messages, s.In, "in")
	counter(d.messages, s.Sent, "sent")
	counter(d.messages, s.Done, "done")
	counter(d.expired, s.Expired)
	for reason, n := range s.Refused {
		counter(d.refused, n, reason)
	}
	for reason, n := range s.Dropped {
		counter(d.dropped, n, reason)
	}
	for skill, n := range d.Instances() {
		gauge(d.instances, float64(n), skill)
	}
}
