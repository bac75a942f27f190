//go:build race

package e2e

// raceFlag builds Hark with the race detector when the plays run with it.
func raceFlag() []string { return []string{"-race"} }
