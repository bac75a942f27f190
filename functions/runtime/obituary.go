package runtime

import "strings"

const (
	obituaryLines = 20
	obituaryLine  = 400 // bytes kept of a line
	// traceLines is how long a Go program may go on about its panic.
	traceLines = 5000
)

// obituary keeps the lines that tell why a process ended: its last ones or, as Go
// says the reason first and much after it, those that begin with a panic.
type obituary struct {
	lines   []string
	panicAt int // lines since the panic that lines begin with; 0: there was none
}

func (o *obituary) add(line string) {
	if len(line) > obituaryLine {
		line = strings.ToValidUTF8(line[:obituaryLine], "") + "..."
	}
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		*o = obituary{lines: []string{line}, panicAt: 1}
		return
	}
	if o.panicAt > 0 {
		o.panicAt++
		if o.panicAt < traceLines {
			if len(o.lines) < obituaryLines && line != "" {
				o.lines = append(o.lines, line)
			}
			return
		}
		o.panicAt = 0
	}
	o.lines = append(o.lines, line)
	if extra := len(o.lines) - obituaryLines; extra > 0 {
		o.lines = append(o.lines[:0], o.lines[extra:]...)
	}
}
