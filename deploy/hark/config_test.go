package main

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzConfig holds the reader of configuration files to its promise: whatever a
// file holds, it is settings or an error.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("mqtt: 127.0.0.1:1883\ninsecure: true\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("mqtt: {x: 1}\n"))
	path := filepath.Join(f.TempDir(), "hark.yaml")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		values, err := readConfig(path)
		if err == nil && len(content) > maxConfig && len(values) > 0 {
			t.Errorf("%d bytes were read", len(content))
		}
	})
}
