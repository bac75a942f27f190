package nlu

import "slices"

// net reads the programs of all templates as one automaton over characters, with
// the values of a list as one more symbol. It accepts all that they match, and
// here and there a little more: a mark may be missing anywhere, a hyphen may
// always be a blank, any number fits a range.
type net struct {
	code      *code
	templates []template
	accepts   []int32 // the last node of each template
	classes   classes
	symbols   []symbol
	symbolOf  []int32 // by list node of the code
}

// item is a place in the programs where a character, or the value of a list, is
// awaited: a node, how much of its text was read, whether a word starts here, and
// the frame of the rule that it is in.
type item uint64

// maxFrames bounds the frames of rules within rules in one cache; a node and the
// offset in its text have the other bits of an item.
const (
	maxFrames  = 1 << 24
	itemNode   = 23 // bits; more than maxGrammarNodes
	itemOffset = 15 // bits; more than maxTemplateLength when folded
)

func newItem(node int32, offset int, start bool, frame int32) item {
	it := item(frame)<<(itemNode+itemOffset+1) | item(node)<<(itemOffset+1) | item(offset)<<1 //nolint:gosec // none is below zero
	if start {
		it |= 1
	}
	return it
}

func (it item) start() bool  { return it&1 != 0 }
func (it item) offset() int  { return int(it >> 1 & (1<<itemOffset - 1)) }
func (it item) node() int32  { return int32(it >> (itemOffset + 1) & (1<<itemNode - 1)) }
func (it item) frame() int32 { return int32(it >> (itemNode + itemOffset + 1)) }

// frame is where to go on behind a rule. Frame 0 is that of the template itself.
type frame struct{ next, parent int32 }

// stepper finds the items that follow from others.
type stepper struct {
	net          *net
	ignoreBlanks bool
	atEnd        bool // of the text, where blanks may be missing
	frames       []frame
	frameOf      map[frame]int32
	seen         itemSet
	stack, out   []item
	work         int // items looked at
}

// begin makes ready for a new set of items.
func (s *stepper) begin(atEnd bool) {
	s.atEnd = atEnd
	s.out = s.out[:0]
	s.seen.clear()
}

// add adds to out what is reached from an item without reading anything.
func (s *stepper) add(it item) {
	s.stack = append(s.stack[:0], it)
	for len(s.stack) > 0 {
		it := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		if s.seen.add(it) {
			s.work++
			s.expand(it)
		}
	}
}

func (s *stepper) push(node int32, offset int, start bool, frame int32) {
	s.stack = append(s.stack, newItem(node, offset, start, frame))
}

func (s *stepper) expand(it item) {
	nd := &s.net.code.nodes[it.node()]
	switch nd.op {
	case opAccept:
		if it.frame() == 0 {
			s.out = append(s.out, it)
			return
		}
		f := s.frames[it.frame()]
		s.push(f.next, 0, it.start(), f.parent)
	case opText:
		s.text(it, nd)
	case opBlank:
		if it.start() || s.ignoreBlanks || s.atEnd {
			s.push(nd.next, 0, it.start(), it.frame())
			return
		}
		s.out = append(s.out, it)
	case opSplit:
		for _, alt := range s.net.code.alts(nd) {
			s.push(alt, 0, it.start(), it.frame())
		}
	case opRule:
		s.push(s.net.code.rule(nd).entry, 0, it.start(), s.frame(frame{nd.next, it.frame()}))
	case opList:
		if s.net.isWild(nd) { // how it began means nothing
			it &^= 1
		}
		s.out = append(s.out, it)
	}
}

func (s *stepper) text(it item, nd *node) {
	at, text := it.offset(), s.net.code.text(nd)
	if at == len(text) {
		s.push(nd.next, 0, false, it.frame())
		if !it.start() {
			return
		}
	} else if isMark(text[at]) {
		s.push(it.node(), at+1, false, it.frame())
	}
	s.out = append(s.out, it)
}

// isWild tells of a list that takes any text.
func (n *net) isWild(nd *node) bool { return n.symbolOf[nd.from] == wildSymbol }

// frame returns the number of a frame.
func (s *stepper) frame(f frame) int32 {
	n, known := s.frameOf[f]
	if !known {
		n = int32(len(s.frames)) //nolint:gosec // bounded by the cache
		s.frames = append(s.frames, f)
		s.frameOf[f] = n
	}
	return n
}

// read adds what follows when a character is read.
func (s *stepper) read(items []item, c rune) {
	blank := isBlank(c) || isHyphen(c)
	for _, it := range items {
		nd := &s.net.code.nodes[it.node()]
		switch nd.op {
		case opText:
			text := s.net.code.text(nd)
			if at := it.offset(); at < len(text) && text[at] == c {
				s.add(newItem(it.node(), at+1, false, it.frame()))
			}
			if it.start() && blank {
				s.add(it)
			}
		case opBlank:
			if blank {
				s.add(newItem(nd.next, 0, true, it.frame()))
			}
		case opList:
			if !s.net.isWild(nd) {
				continue
			}
			s.add(it)
			if !isBlank(c) {
				s.add(newItem(nd.next, 0, false, it.frame()))
			}
		case opAccept, opSplit, opRule:
		}
	}
}

// take adds what follows a value of a list, which keeps the word start of where
// it began.
func (s *stepper) take(items []item, symbol int32) {
	for _, it := range items {
		nd := &s.net.code.nodes[it.node()]
		if nd.op == opList && s.net.symbolOf[nd.from] == symbol {
			s.add(newItem(nd.next, 0, it.start(), it.frame()))
		}
	}
}

// end returns the templates that may end at the end of the text, in order.
func (s *stepper) end(items []item) []int32 {
	s.begin(true)
	for _, it := range items {
		s.add(it)
	}
	var found []int32
	for _, it := range s.out {
		if i, ok := slices.BinarySearch(s.net.accepts, it.node()); ok {
			found = append(found, int32(i)) //nolint:gosec // an index of templates
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// itemSet is a set that is quickly emptied.
type itemSet struct {
	slots []itemSlot // 2^n of them
	len   int
	round uint32
}

type itemSlot struct {
	item  item
	round uint32
}

func (s *itemSet) clear() {
	s.round++
	s.len = 0
	if s.round == 0 || s.slots == nil {
		s.slots, s.round = make([]itemSlot, 1<<10), 1
	}
}

// add tells whether the item was not in the set.
func (s *itemSet) add(it item) bool {
	if s.len*2 >= len(s.slots) {
		s.grow()
	}
	for i := it.hash(); ; i++ {
		slot := &s.slots[i&uint64(len(s.slots)-1)] //nolint:gosec // not below zero
		switch {
		case slot.round != s.round:
			*slot = itemSlot{it, s.round}
			s.len++
			return true
		case slot.item == it:
			return false
		}
	}
}

func (s *itemSet) grow() {
	old := s.slots
	s.slots, s.len = make([]itemSlot, 2*len(old)), 0
	for _, slot := range old {
		if slot.round == s.round {
			s.add(slot.item)
		}
	}
}

func (it item) hash() uint64 {
	h := uint64(it) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}
