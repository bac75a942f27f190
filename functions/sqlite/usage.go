package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// Usage returns one row per group, ordered by it, once all that was queued
// before the call is committed.
func (s *Store) Usage(ctx context.Context, q assistant.UsageQuery) ([]assistant.UsageRow, error) {
	var skill, version, home string
	switch q.By {
	case assistant.UsageBySkill:
		skill, version, home = "skill", "''", "''"
	case assistant.UsageByVersion:
		skill, version, home = "skill", "version", "''"
	case assistant.UsageByHome:
		skill, version, home = "''", "''", "home"
	default:
		return nil, fmt.Errorf("sum usage: it cannot be grouped by %q", q.By)
	}
	if err := s.writer.flush(ctx); err != nil {
		return nil, fmt.Errorf("sum usage: %w", err)
	}
	from, to := int64(0), int64(math.MaxInt64)
	if !q.From.IsZero() {
		from = turnKey(q.From, 0)
	}
	if !q.To.IsZero() {
		to = turnKey(q.To, 0)
	}
	query := `SELECT ` + skill + ` AS s, ` + version + ` AS v, ` + home + ` AS h, COUNT(*), SUM(outcome <> ?1), SUM(cold),
		SUM(wall_ms), SUM(cpu_ns), SUM(memory_mib * wall_ms), SUM(micro_cu)
		FROM invocations WHERE turn >= ?2 AND turn < ?3 GROUP BY s, v, h ORDER BY s, v, h`
	var usage []assistant.UsageRow
	err := s.reports.each(ctx, query, []any{string(assistant.OutcomeOK), from, to}, func(rows *sql.Rows) error {
		var r assistant.UsageRow
		var wall, cpu int64
		err := rows.Scan(&r.Skill, &r.Version, &r.Home, &r.Invocations, &r.Errors, &r.ColdStarts,
			&wall, &cpu, &r.MiBMillis, &r.MicroCU)
		r.Wall, r.CPU = time.Duration(wall)*time.Millisecond, time.Duration(cpu)
		usage = append(usage, r)
		return err
	})
	return usage, failed("sum usage", err)
}
