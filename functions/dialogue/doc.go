// Package dialogue decides what a conversation needs next: which session an
// utterance belongs to, what to say when something went wrong, whether the
// device listens on. Values come in, values go out.
//
// It is pure: it must not know stores, wires, clocks or how a sentence was
// matched. A conversation is one turn long so far; the questions that a skill
// may ask (elicit, confirm, delegate) enter here.
package dialogue
