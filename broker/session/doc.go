// Package session keeps what lives longer than a packet: the window of a
// connection's unacknowledged publishes, and what is owed to a device.
//
// In come messages to devices, subscriptions and acknowledgements; out go
// publishes, in order per device, and settled messages. It must not know MQTT
// packets, sockets or any broker library.
//
// Invariants of the Sender:
//   - The outbox is the only source of what is sent again. What is held in memory
//     is a window on it, plus messages whose row is not yet written (early) or
//     never will be (transient).
//   - Durable messages are sent in the order of the outbox; a message is sent at
//     most once on a connection.
//   - A queue's lock is held while it sends, so Conn.Send must not block. The lock
//     of the Sender is taken before that of a queue.
package session
