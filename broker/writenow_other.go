//go:build !unix

package broker

import "net"

// immediate is known to Unix alone.
type immediate struct{}

func newImmediate(net.Conn) *immediate { return nil }

// Write writes nothing.
func (*immediate) Write([]byte) int { return 0 }
