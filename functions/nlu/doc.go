// Package nlu understands sentences: text comes in, ranked intents with slots
// go out. It is pure: no clock, no disk, no network, and no knowledge of
// dialogues, skills' processes or wires.
//
// [Compile] turns the sentence templates of all skills in one language into a
// [Grammar], which never changes; [Grammar.Match] finds every reading of a text.
// The way of a text through the package: text.go folds it into a view, run.go
// walks the templates' programs over the view, list.go and builtin.go say where
// the values of lists end, match.go ranks what was found.
//
// The matcher backtracks, with memory for dead ends, and is bounded in steps, for
// each source on its own. It aims at being plainly right, so that a quicker one
// can be held to it.
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
