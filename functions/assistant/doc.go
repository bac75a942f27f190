// Package assistant is the vocabulary that the whole of Hark speaks: homes,
// devices, turns, replies, schedules, skills, and the store interfaces in those
// words.
//
// Nothing comes in and nothing goes out: the package holds values and their
// rules. It must not know MQTT, gRPC, SQL, bson or any library but the
// standard one.
//
// Invariants that the rest relies on:
//   - A turn's id derives from what caused it, so a redelivery is the same turn.
//   - A Commit is applied whole or not at all, and once.
//   - An id that passed its Valid function is safe in a topic, a path and a key.
package assistant
