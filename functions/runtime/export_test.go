package runtime

// Running returns how many processes a driver has, ready or not.
func Running(d *Processes) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.running)
}
