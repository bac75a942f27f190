// Package bench measures Hark against the least that could do its work. What
// comes in is how long to measure, what goes out is a table of ratios of one run.
// It must not know how Hark works: it starts it, and talks to it, as users do.
package bench
