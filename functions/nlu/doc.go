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
// What people see of it is in reason.go, which says why one reading goes before
// another, and in sample.go, which makes sentences of templates, to find what two
// skills both understand and what is like a sentence that nobody does.
//
// Times, dates and quantities are phrases, which a language writes as templates in
// its file (phrase.go); phrase_read.go finds them in a text, and moment.go holds
// what they tell. Only when a sentence is understood does resolve.go make a time of
// it, from when it was said ([Context.Now]):
//
//   - a time without a day is the next one; in which half of the day is open, the
//     next of the two; with a day that is not today, the one from six to before six
//     in the evening
//   - a weekday is the next one, and today only with a time that is ahead; this one
//     (this friday, 这周五) may be today, but is next week's where the day, or the
//     time on it, is past; with another week (next friday, 下周五) it is of that
//     calendar week, Monday first
//   - this weekend is today on one, else the next Saturday, and with a time the next
//     of its days at which that is ahead; another weekend is its Saturday
//   - a day of a month or year is the next one, be it today
//   - a part of the day without an hour is what the language file says: morning
//     08:00, noon 12:00, afternoon 15:00, evening 19:00, night 21:00; midnight is
//     where the day begins
//   - what was said exactly may be past: at 7 tonight after seven, 今晚九点 after
//     nine, friday this week on a Saturday; nothing else is put in its place
//   - what there is not, as 31 February and 25:00, is no value; a time that clocks
//     leave out in spring is as much later
//
// Where that finds nothing, [Grammar.Guess] puts other sentences to it: split.go and
// share.go take one to pieces where it may be several commands, with words that
// these share, and misheard.go puts names of the home in place of what sounds like
// them (spelled.go and letters.go for letters, sounds.go and pinyin.go for characters,
// known.go for what is no such thing). A guess is never understood by less than a
// template and every word of the sentence, and it tells what was assumed.
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
//	{time}                a built-in list, as are {date}, {day}, {duration}, {number},
//	                      {percentage} and {temperature}, where the language has them
//	<rule>                the body of a rule
//	\x                    x itself, for ( ) [ ] { } < > | ; @ and \
//
// Full-width brackets and bars, （｜）, are the same as these.
package nlu
