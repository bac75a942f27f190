// Package nlu understands sentences: text comes in, ranked intents with slots
// go out. It is pure: no clock, no disk, no network, and no knowledge of
// dialogues, skills' processes or wires.
//
// [Compile] turns the sentence templates of all skills in one language into a
// [Grammar], which never changes; [Grammar.Match] finds every reading of a text.
//
// A text goes through the package in two phases. text.go folds it and view.go
// makes views of it, with and without the words that mean nothing. First, one
// automaton over characters chooses the few templates of all skills that may
// match: net.go says how it steps through the programs of the templates, dfa.go
// finds its states as texts need them and keeps them, lattice.go takes a text
// through the states. To the automaton a list is one symbol, so what it has learnt
// serves every home; where the values of a list stand in a text is looked up in
// its keys (keys.go), which a home has of its own names. Second, run.go walks the
// programs of the chosen templates, list.go and builtin.go say where the values of
// lists end, and match.go fills slots, checks the context and ranks.
//
// The second phase backtracks, with memory for dead ends, and is bounded in steps,
// for each source on its own. It aims at being plainly right: the first may choose
// too many templates, never too few, and tests hold it to what the second finds
// in all of them. Nobody waits for the automaton to learn but who brings it
// something new.
//
// The template language:
//
//	turn on the light     words; case, and blanks beyond one, mean nothing
//	[x]  [a|b]            x, or a or b, or nothing
//	(a|b|c)               one of them; a branch may be empty
//	(a;b)                 all of them in any order
//	{list}  {list:slot}   a value of a list, kept in a slot of the list's or another name
//	{list:@name} {@list}  the same, kept for answers but not as a slot
//	{0..100:slot}         a number; {0..100,5:slot} in steps of five
//	<rule>                the body of a rule
//	\x                    x itself, for ( ) [ ] { } < > | ; @ and \
//
// Full-width brackets and bars, （｜）, are the same as these.
package nlu
