package session

import (
	"time"

	"github.com/hark-voice/hark/broker/topic"
)

// load asks for the queue's outbox to be read. Until that is done only transient
// messages are sent, so that nothing overtakes what is older.
func (q *queue) load() {
	if q.loading {
		q.again = true
		return
	}
	q.loading = true
	q.s.loads.put(q)
}

// loadLimit is how many rows to read so that a page of new ones can be among
// them. The outbox returns the oldest first, those in memory included.
func (q *queue) loadLimit() (limit int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone {
		return 0, false
	}
	q.again, q.missed = false, false
	return min(len(q.entries)+q.skipped+page, q.maxLoad()), true
}

// maxLoad bounds a read where many rows are for topics that nobody subscribed to.
func (q *queue) maxLoad() int { return 2*q.s.opts.MaxMessages + page }

// loaded takes rows that were read with a limit, and goes on sending.
func (q *queue) loaded(rows []topic.Outbound, limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.loading = false
	if q.gone {
		return
	}
	if q.again {
		q.load()
		return
	}
	before := q.entries
	q.entries, q.bytes = make([]*entry, 0, len(before)), 0
	got := q.merge(rows)
	q.skipped = got.lagging + got.unwanted
	q.more = got.full || q.missed || len(rows) >= limit
	q.keep(before)
	q.full = got.full
	if q.more && !q.full && !q.missed && got.taken == 0 && limit >= q.maxLoad() {
		if got.lagging > 0 { // they make room as soon as the outbox has removed them
			q.loading = true
			time.AfterFunc(retryAfter, func() { q.s.loads.put(q) })
			return
		}
		q.more = false // rows that nobody wants fill the outbox: at least what is new gets through
	}
	q.pump(false)
}

// merged counts rows by what became of them.
type merged struct {
	taken    int  // became entries
	lagging  int  // the device has them, or they expired, and the outbox will remove them
	unwanted int  // nobody is subscribed to their topic
	full     bool // there was no room for all
}

// merge makes entries of rows, in their order.
func (q *queue) merge(rows []topic.Outbound) (got merged) {
	now := q.s.opts.Clock.Now()
	for _, m := range rows {
		if e := q.byID[m.ID]; e != nil {
			e.kind = owed
			q.add(e)
			continue
		}
		e := &entry{m: m, kind: owed}
		switch {
		case q.s.acked.has(m.ID):
			q.s.settled(m.ID)
			got.lagging++
		case expired(m, now):
			q.s.expired.Add(1)
			q.s.settled(m.ID)
			got.lagging++
		case !q.wanted(m.Topic):
			got.unwanted++
		case !q.fits(e):
			got.full = true
			return got
		default:
			q.add(e)
			got.taken++
		}
	}
	return got
}

// keep adds the entries from before that no row stands for: those that were sent,
// the transient ones, and those whose row was written after the read. The last
// are left to a later read where there are rows before them.
func (q *queue) keep(before []*entry) {
	held := make(map[*entry]bool, len(q.entries))
	for _, e := range q.entries {
		held[e] = true
	}
	for _, e := range before {
		switch {
		case held[e]:
		case q.more && e.kind != transient && !q.sentAnywhere(e):
			delete(q.byID, e.m.ID)
		default:
			q.add(e)
		}
	}
}

func (q *queue) sentAnywhere(e *entry) bool {
	for _, l := range q.lines {
		if _, sent := l.sent[e]; sent {
			return true
		}
	}
	return false
}
