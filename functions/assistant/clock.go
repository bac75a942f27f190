package assistant

import (
	"sync"
	"time"
)

// Clock is where domain time comes from, so that a test can hold it. Metering
// and deadlines use the monotonic clock instead.
type Clock interface {
	Now() time.Time
	// After returns a channel that receives once t is reached, and a function
	// that ends the wait.
	After(t time.Time) (<-chan time.Time, func())
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now returns the machine's time.
func (SystemClock) Now() time.Time { return time.Now() }

// After waits at most a minute at a time, so that a wall clock that is set
// forward or back is noticed; the receiver checks Now again.
func (SystemClock) After(t time.Time) (<-chan time.Time, func()) {
	timer := time.NewTimer(min(time.Until(t), time.Minute))
	return timer.C, func() { timer.Stop() }
}

// ManualClock stands still until it is advanced. The zero value is not usable.
type ManualClock struct {
	mu      sync.Mutex
	now     time.Time
	waiting map[chan time.Time]time.Time
}

// NewManualClock returns a clock that stands at now.
func NewManualClock(now time.Time) *ManualClock {
	return &ManualClock{now: now, waiting: make(map[chan time.Time]time.Time)}
}

// Now returns the time that the clock stands at.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// After waits until the clock has been advanced to t.
func (c *ManualClock) After(t time.Time) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	if !t.After(c.now) {
		ch <- c.now
		return ch, func() {}
	}
	c.waiting[ch] = t
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, ch)
	}
}

// Advance moves the clock forward by d and wakes who waited for it.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for ch, t := range c.waiting {
		if !t.After(c.now) {
			ch <- c.now
			delete(c.waiting, ch)
		}
	}
}
