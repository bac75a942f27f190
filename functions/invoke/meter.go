package invoke

import (
	"sync"
	"time"
)

// meter shares an instance's processor time among the calls in flight: whenever
// a call begins or ends, what was used since the last such event is divided
// evenly. The shares of all calls sum up to what was used while any was in flight.
type meter struct {
	read func() (time.Duration, error)

	mu     sync.Mutex
	active int64
	last   time.Duration // the reading at the last event
	share  time.Duration // what a call in flight since the beginning would have got
	rest   time.Duration // of the last division
}

func newMeter(read func() (time.Duration, error)) *meter { return &meter{read: read} }

// begin returns the mark that end needs.
func (m *meter) begin() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settle()
	m.active++
	return m.share
}

// end returns the processor time of the call that began at the mark.
func (m *meter) end(mark time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settle()
	m.active--
	used := m.share - mark
	if m.active == 0 { // the remainder has no other taker
		used += m.rest
		m.rest = 0
	}
	return used
}

func (m *meter) settle() {
	now, err := m.read()
	if err != nil { // it is dying: what cannot be read is not charged
		return
	}
	used := max(0, now-m.last) + m.rest
	m.last = max(m.last, now)
	if m.active == 0 {
		return // idle time is nobody's
	}
	m.share += used / time.Duration(m.active)
	m.rest = used % time.Duration(m.active)
}
