// Package router takes one turn down the road: understand it, call the one
// skill that can answer, commit, answer. Utterances and due schedules come in,
// committed turns and messages to devices go out.
//
// The road is router.go, top to bottom; the other files are its stations. It
// must not know MQTT, gRPC, SQL, or how a skill is run.
//
// What holds, whatever happens (DESIGN: the turn protocol):
//   - A turn is committed once; its effects become real with its commit, and
//     messages go to devices after it. A turn without effects may answer first.
//   - Turns that change one state of a home are taken one after another, so
//     that the compare-and-swap at the commit fails only against another router.
//   - A turn returns only when it is durable or refused for good: the caller
//     acknowledges the message then.
package router
