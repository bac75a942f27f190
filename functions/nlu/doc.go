// Package nlu understands sentences: text comes in, ranked intents with slots
// go out. It is pure: no clock, no disk, no network, and no knowledge of
// dialogues, skills' processes or wires.
package nlu
