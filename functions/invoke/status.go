package invoke

import (
	"cmp"
	"maps"
	"slices"
)

// Status is what runs of one version.
type Status struct {
	Skill     string
	Version   string
	Instances []string // ready, the oldest first
	Starting  int
	InFlight  int
	Waiting   int
	// Dropped counts the answers that came too late, twice or unasked.
	Dropped int64
	// Failure tells why starts failed last; empty once a call was answered.
	Failure string
}

// Status returns the versions that were called or kept warm since the start,
// ordered by skill and version; drained ones until they are gone.
func (v *Invoker) Status() []Status {
	v.mu.Lock()
	pools := slices.AppendSeq(slices.Collect(maps.Values(v.pools)), maps.Keys(v.drains))
	v.mu.Unlock()
	all := make([]Status, 0, len(pools))
	for _, p := range pools {
		all = append(all, p.status())
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Skill, b.Skill), cmp.Compare(a.Version, b.Version))
	})
	return all
}

func (p *pool) status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{Skill: p.key.skill, Version: p.key.id, Starting: p.starting, Waiting: len(p.waiting), Dropped: p.dropped}
	for _, w := range p.workers {
		s.Instances = append(s.Instances, w.instance.ID())
		s.InFlight += w.inFlight
		s.Dropped += w.stream.dropped.Load()
	}
	for w := range p.leaving {
		s.InFlight += w.inFlight
		s.Dropped += w.stream.dropped.Load()
	}
	if p.failures > 0 {
		s.Failure = p.lastErr.Error()
	}
	return s
}
