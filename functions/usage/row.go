package usage

import (
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// Row is usage as the API and `hark usage --json` show it. The names that the
// question did not group by are absent.
type Row struct {
	Skill       string  `json:"skill,omitempty"`
	Version     string  `json:"version,omitempty"`
	Home        string  `json:"home,omitempty"`
	Invocations int64   `json:"invocations"`
	Errors      int64   `json:"errors"`
	ColdStarts  int64   `json:"cold_starts"`
	WallMS      int64   `json:"wall_ms"`
	CPUMS       float64 `json:"cpu_ms"` // to the microsecond
	GBSeconds   float64 `json:"gb_s"`   // a GB is 1024 MiB
	CU          float64 `json:"cu"`
}

// NewRow converts a row of the store.
func NewRow(r assistant.UsageRow) Row {
	return Row{
		Skill: r.Skill, Version: r.Version, Home: r.Home,
		Invocations: r.Invocations, Errors: r.Errors, ColdStarts: r.ColdStarts,
		WallMS:    r.Wall.Milliseconds(),
		CPUMS:     float64(r.CPU.Round(time.Microsecond).Microseconds()) / 1000,
		GBSeconds: float64(r.MiBMillis) / (1024 * 1000),
		CU:        float64(r.MicroCU) / 1e6,
	}
}

// NewRows converts what a question to the store gave; never nil, so that its
// JSON is an array.
func NewRows(rows []assistant.UsageRow) []Row {
	out := make([]Row, 0, len(rows))
	for _, r := range rows {
		out = append(out, NewRow(r))
	}
	return out
}
