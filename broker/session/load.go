package session

import "github.com/hark-voice/hark/broker/topic"

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
	q.again = false
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
	taken, full := q.merge(rows)
	q.more = full || len(rows) >= limit
	if q.more && taken == 0 && limit >= q.maxLoad() {
		q.more = false // rows that nobody wants fill the outbox: at least what is new gets through
	}
	q.keep(before)
	q.pump()
}

// merge makes entries of rows, in their order. It returns how many are new, and
// whether there was no room for all.
func (q *queue) merge(rows []topic.Outbound) (taken int, full bool) {
	now := q.s.opts.Clock.Now()
	q.skipped = 0
	for _, m := range rows {
		if e := q.byID[m.ID]; e != nil {
			if e.kind == early {
				e.kind = owed
			}
			q.add(e)
			continue
		}
		e := &entry{m: m, kind: owed}
		switch {
		case q.s.acked.has(m.ID):
			q.s.settled(m.ID)
			q.skipped++
		case expired(m, now):
			q.s.expired.Add(1)
			q.s.settled(m.ID)
			q.skipped++
		case !q.wanted(m.Topic):
			q.skipped++
		case !q.fits(e):
			return taken, true
		default:
			q.add(e)
			taken++
		}
	}
	return taken, false
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
